//! Places for event streams. Each holds a connection for as long as its reader likes, and may have nothing to say for days: how long
//! one was silent tells nothing about who needs it. So they are shared out among clients. While there is room everybody may have as
//! many as they like; when all places are taken, the client with the most gives its oldest up to one that would still have fewer.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Event streams at one time.
pub(in crate::web) const STREAMS_MAX: usize = 64;

/// Who reads: what can't be multiplied at will. A host may have any address of its IPv6 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::web) enum Client {
    /// Somebody at the control socket.
    Local,
    V4(Ipv4Addr),
    /// The first 64 bits of its address.
    V6(u64),
}

impl Client {
    /// Who has this address.
    pub fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

/// All places.
#[derive(Default)]
pub(in crate::web) struct Places {
    taken: Mutex<Taken>,
}

/// By numbers that grow: the oldest comes first.
#[derive(Default)]
struct Taken {
    next: u64,
    streams: BTreeMap<u64, (Client, Arc<Notify>)>,
}

/// The place of one stream; dropping it frees it.
pub(in crate::web) struct Place {
    places: Arc<Places>,
    id: u64,
    lost: Arc<Notify>,
}

impl Places {
    /// A place for one more stream of `client`; `None` if all are taken and nobody has too many.
    pub fn take(self: &Arc<Self>, client: Client) -> Option<Place> {
        let mut taken = self.taken();
        if taken.streams.len() >= STREAMS_MAX && !taken.make_room(client) {
            return None;
        }
        let id = taken.next;
        taken.next += 1;
        let lost = Arc::new(Notify::new());
        taken.streams.insert(id, (client, lost.clone()));
        Some(Place { places: self.clone(), id, lost })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Takes a place from the client with the most, if it will not have fewer than `client` then: two that took it from each other in
    /// turn would be served worse than one that is refused.
    fn make_room(&mut self, client: Client) -> bool {
        let mut counts: BTreeMap<Client, usize> = BTreeMap::new();
        self.streams.values().for_each(|(of, _)| *counts.entry(*of).or_default() += 1);
        let own = counts.get(&client).copied().unwrap_or_default();
        let Some((&most, _)) = counts.iter().filter(|(_, count)| **count >= own + 2).max_by_key(|(_, count)| **count)
        else {
            return false;
        };
        let oldest = self.streams.iter().find(|(_, (of, _))| *of == most).map(|(id, _)| *id);
        let lost = oldest.and_then(|id| self.streams.remove(&id));
        lost.inspect(|(_, lost)| lost.notify_one()).is_some()
    }
}

impl Place {
    /// Done when somebody else has this place.
    pub fn lost(&self) -> impl Future<Output = ()> + Send + use<> {
        let lost = self.lost.clone();
        async move { lost.notified().await }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().streams.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Client {
        Client::at(address.parse().expect("an address"))
    }

    fn take(places: &Arc<Places>, client: &str, count: usize) -> Vec<Place> {
        (0..count).map_while(|_| places.take(at(client))).collect()
    }

    #[tokio::test]
    async fn who_has_all_places_gives_up_the_oldest_to_others_until_each_has_as_many() {
        let places = Arc::new(Places::default());
        let greedy = take(&places, "192.0.2.1", STREAMS_MAX + 1);
        assert_eq!(greedy.len(), STREAMS_MAX, "a place more would be taken from itself");
        let others = take(&places, "192.0.2.2", STREAMS_MAX);
        assert_eq!(others.len(), STREAMS_MAX / 2);
        for place in &greedy[..STREAMS_MAX / 2] {
            place.lost().await;
        }
        assert_eq!(places.taken().streams.len(), STREAMS_MAX);
        drop((greedy, others));
        assert!(places.taken().streams.is_empty());
    }

    #[test]
    fn where_each_has_one_the_next_is_refused_and_takes_a_place_that_is_left() {
        let places = Arc::new(Places::default());
        let mut each: Vec<_> = (0..STREAMS_MAX).flat_map(|i| take(&places, &format!("192.0.2.{i}"), 1)).collect();
        assert_eq!(each.len(), STREAMS_MAX);
        assert!(places.take(Client::Local).is_none());
        each.pop();
        assert!(places.take(Client::Local).is_some());
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_and_a_mapped_address_is_what_it_maps() {
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:0:0:2"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
    }
}
