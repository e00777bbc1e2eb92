//! Places for connections. When all are taken, the one that has been quiet for longest gives way: who holds connections open
//! and says nothing keeps nobody out.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::sys::clock;

/// Since when a connection is quiet, while it isn't.
const NEVER: u64 = u64::MAX;

/// All places.
pub(super) struct Seats {
    max: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    places: HashMap<u64, Arc<Place>>,
}

#[derive(Debug)]
struct Place {
    /// On the line of [`clock::now`]; [`NEVER`] while a request is answered, or a stream of events runs.
    quiet_since: AtomicU64,
    gone: Notify,
}

/// A connection's place; dropping it frees it.
pub(super) struct Seat {
    seats: Arc<Seats>,
    id: u64,
    place: Arc<Place>,
}

impl Seats {
    pub fn new(max: usize) -> Self {
        Self { max, taken: Mutex::default() }
    }

    /// A place for a new connection; if all are taken, that of the quietest one. `None` if none is quiet.
    pub fn take(self: &Arc<Self>) -> Option<Seat> {
        let mut taken = self.taken();
        if taken.places.len() >= self.max {
            let quiet = |place: &Arc<Place>| place.quiet_since.load(Ordering::Relaxed);
            let places = taken.places.iter().map(|(id, place)| (quiet(place), *id));
            let (_, id) = places.min().filter(|(since, _)| *since != NEVER)?;
            taken.places.remove(&id)?.gone.notify_one();
        }
        let id = taken.next;
        taken.next += 1;
        let place = Arc::new(Place { quiet_since: AtomicU64::new(now()), gone: Notify::new() });
        taken.places.insert(id, place.clone());
        Some(Seat { seats: self.clone(), id, place })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Done when another connection has got this place.
    pub async fn given_away(&self) {
        self.place.gone.notified().await;
    }

    /// Keeps the place until the result is dropped.
    pub fn answering(&self) -> Answering<'_> {
        self.place.quiet_since.store(NEVER, Ordering::Relaxed);
        Answering { place: &self.place, is_kept: Cell::new(false) }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken().places.remove(&self.id);
    }
}

/// A request that is being answered.
pub(super) struct Answering<'a> {
    place: &'a Place,
    is_kept: Cell<bool>,
}

impl Answering<'_> {
    /// Keeps the place for good.
    pub fn keep(&self) {
        self.is_kept.set(true);
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        if !self.is_kept.get() {
            self.place.quiet_since.store(now(), Ordering::Relaxed);
        }
    }
}

fn now() -> u64 {
    clock::now().as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_quietest_gives_way_and_none_that_is_being_answered() {
        let seats = Arc::new(Seats::new(3));
        let [first, second, third] = std::array::from_fn(|_| seats.take().expect("a free place"));
        let answering = first.answering();
        let fourth = seats.take().expect("the second one's place");
        second.given_away().await;
        drop(second);
        let answers = [third.answering(), fourth.answering()];
        assert!(seats.take().is_none(), "all are being answered");
        drop(answering);
        let fifth = seats.take().expect("the first one's place");
        first.given_away().await;
        answers[0].keep();
        drop((answers, first));
        let sixth = seats.take().expect("the fifth one's place");
        fifth.given_away().await;
        drop((third, fourth, fifth, sixth));
        assert!(seats.taken().places.is_empty());
    }
}
