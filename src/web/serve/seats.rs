//! Places for connections. Who holds one open and says nothing, or reads what was answered too slowly, keeps nobody out: when
//! all places are taken the connection that has asked nothing for longest gives way, and when the answers that may not have been read
//! yet weigh too much, the one with the oldest of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::sys::clock;
use crate::time::{Duration, Instant};

/// What all places may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Connections at one time.
    pub connections: usize,
    /// Bytes of all last answers together: how much of one has been read nobody can tell.
    pub weight: u64,
    /// From an answer until the next request.
    pub quiet: Duration,
}

/// All places.
pub(super) struct Seats {
    bounds: Bounds,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    places: HashMap<u64, Place>,
}

struct Place {
    doing: Doing,
    gone: Arc<Notify>,
}

#[derive(Clone, Copy)]
enum Doing {
    /// It has asked nothing since then; its last answer has so many bytes.
    Quiet { since: Instant, weight: u64 },
    /// An answer is made.
    Asking,
    /// A stream of events stays as long as its reader likes; they are bounded elsewhere.
    Streaming,
}

/// A connection's place; dropping it frees it.
pub(super) struct Seat {
    seats: Arc<Seats>,
    id: u64,
    gone: Arc<Notify>,
    streams: AtomicBool,
}

impl Seats {
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, taken: Mutex::default() }
    }

    /// A place for a new connection; if all are taken, that of the quietest one. `None` if none is quiet.
    pub fn take(self: &Arc<Self>) -> Option<Seat> {
        let mut taken = self.taken();
        if taken.places.len() >= self.bounds.connections && !taken.dismiss(|_| true) {
            return None;
        }
        let id = taken.next;
        taken.next += 1;
        let gone = Arc::new(Notify::new());
        let doing = Doing::Quiet { since: clock::now(), weight: 0 };
        taken.places.insert(id, Place { doing, gone: gone.clone() });
        Some(Seat { seats: self.clone(), id, gone, streams: AtomicBool::new(false) })
    }

    /// Dismisses those who have been quiet for too long: an answer that was not read within that time never will be.
    pub fn dismiss_slow(&self, now: Instant) {
        let mut taken = self.taken();
        while taken.dismiss(|place| place.quiet_since().is_some_and(|since| now.since(since) > self.bounds.quiet)) {}
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Dismisses the quietest of those; false if there is none.
    fn dismiss(&mut self, among: impl Fn(&Place) -> bool) -> bool {
        let quiet = self.places.iter().filter(|(_, place)| among(place));
        let first = quiet.filter_map(|(id, place)| Some((place.quiet_since()?, *id))).min();
        let place = first.and_then(|(_, id)| self.places.remove(&id));
        place.inspect(|place| place.gone.notify_one()).is_some()
    }

    fn weight(&self) -> u64 {
        self.places.values().map(Place::weight).sum()
    }
}

impl Place {
    fn quiet_since(&self) -> Option<Instant> {
        match self.doing {
            Doing::Quiet { since, .. } => Some(since),
            Doing::Asking | Doing::Streaming => None,
        }
    }

    fn weight(&self) -> u64 {
        match self.doing {
            Doing::Quiet { weight, .. } => weight,
            Doing::Asking | Doing::Streaming => 0,
        }
    }
}

impl Seat {
    /// Done when this place was needed.
    pub async fn dismissed(&self) {
        self.gone.notified().await;
    }

    /// A request has come.
    pub fn asks(&self) {
        self.does(Doing::Asking);
    }

    /// It is answered with so many bytes.
    pub fn is_answered(&self, weight: u64) {
        self.does(Doing::Quiet { since: clock::now(), weight });
        let mut taken = self.seats.taken();
        while taken.weight() > self.seats.bounds.weight && taken.dismiss(|place| place.weight() > 0) {}
    }

    /// It is answered with a stream.
    pub fn streams(&self) {
        self.does(Doing::Streaming);
        self.streams.store(true, Ordering::Relaxed);
    }

    /// True from its first stream on.
    pub fn has_streamed(&self) -> bool {
        self.streams.load(Ordering::Relaxed)
    }

    /// True if somebody else has this place.
    pub fn is_lost(&self) -> bool {
        !self.seats.taken().places.contains_key(&self.id)
    }

    fn does(&self, doing: Doing) {
        if let Some(place) = self.seats.taken().places.get_mut(&self.id) {
            place.doing = doing;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken().places.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(connections: usize, weight: u64) -> Arc<Seats> {
        Arc::new(Seats::new(Bounds { connections, weight, quiet: Duration::from_secs(30) }))
    }

    #[tokio::test]
    async fn the_quietest_gives_way_and_none_that_is_being_answered() {
        let seats = seats(3, 0);
        let [first, second, third] = std::array::from_fn(|_| seats.take().expect("a free place"));
        first.asks();
        let fourth = seats.take().expect("the second one's place");
        second.dismissed().await;
        drop(second);
        third.asks();
        fourth.asks();
        assert!(seats.take().is_none(), "all are being answered");
        first.is_answered(0);
        let fifth = seats.take().expect("the first one's place");
        first.dismissed().await;
        third.streams();
        let sixth = seats.take().expect("the fifth one's place");
        fifth.dismissed().await;
        drop((first, third, fourth, fifth, sixth));
        assert!(seats.taken().places.is_empty());
    }

    #[tokio::test]
    async fn answers_that_weigh_too_much_together_make_the_oldest_go() {
        let seats = seats(10, 100);
        let [first, second, third] = std::array::from_fn(|_| seats.take().expect("a free place"));
        let light = seats.take().expect("a free place");
        light.is_answered(0);
        first.is_answered(60);
        second.is_answered(40);
        assert_eq!(seats.taken().places.len(), 4);
        third.is_answered(1);
        first.dismissed().await;
        // One that asks again has read what it was answered before.
        second.asks();
        third.is_answered(100);
        assert_eq!(seats.taken().places.len(), 3, "who weighs nothing stays");
        second.is_answered(101);
        second.dismissed().await;
        third.dismissed().await;
        assert_eq!(seats.taken().places.len(), 1, "not even alone can one weigh more");
    }

    #[tokio::test]
    async fn who_does_not_read_an_answer_is_dismissed_in_time_and_a_stream_is_not() {
        let seats = seats(10, 1000);
        let [slow, stream] = std::array::from_fn(|_| seats.take().expect("a free place"));
        slow.is_answered(500);
        stream.streams();
        let now = clock::now();
        seats.dismiss_slow(now);
        assert_eq!(seats.taken().places.len(), 2);
        seats.dismiss_slow(now + Duration::from_secs(31));
        slow.dismissed().await;
        assert_eq!(seats.taken().places.len(), 1);
    }
}
