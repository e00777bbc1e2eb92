//! The simulator's gate beside the kernel's: whatever happens to both, they stand alike. What is simulated is worth what this holds.

use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::fixture::*;
use super::peers::{advert, send};
use crate::fence::lease::Action;
use crate::sim::{Model, Rules};
use crate::sys::nft::gate::rules::CHALLENGE;
use crate::sys::nft::gate::{Gate, Permit, Rank, Router, Standing};
use crate::sys::testing::{Host, with_neighbour};
use crate::time::{Duration, Instant};
use crate::vrrp::Settings;
use crate::wire::{Advert, Family, Version};

/// Ours, and those of two peers, the higher last.
const HOSTS4: [IpAddr; 3] = [NEAR4, FAR4, IpAddr::V4(std::net::Ipv4Addr::new(10, 9, 9, 3))];
const HOSTS6: [IpAddr; 3] = [NEAR6, FAR6, IpAddr::V6(std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 3))];
/// Priorities below, at and above those that our rank has.
const PRIORITIES: [u8; 6] = [0, 50, 100, 101, 150, 255];

/// What happens to a gate.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Own(u8),
    Peer { host: usize, priority: u8, ttl: u8, version: Version },
    Rank(u8),
    Close,
    Permit,
    Reopen,
    LeasePermit,
    LeaseOpen,
    LeaseRefresh,
    LeaseClose,
}

/// The two gates, and what a process keeps of its own.
struct Pair {
    family: Family,
    hosts: [IpAddr; 3],
    kernel: Gate,
    model: Model,
    settings: Settings,
    now: Instant,
    permit: Option<Permit>,
    lease_permit: Option<(u64, Permit)>,
    serial: u64,
}

impl Pair {
    fn new(router: &Router) -> Self {
        let family = router.key.family;
        let hosts = hosts(family);
        let settings = Settings { advert_interval: router.interval, ..settings(family) };
        let model = Model::new(&settings, hosts[0], Rules::ALL);
        Self {
            family,
            hosts,
            kernel: gate(router),
            model: if router.leased { model.with_lease() } else { model },
            settings,
            now: Instant::ZERO + LONG,
            permit: None,
            lease_permit: None,
            serial: 0,
        }
    }

    fn advert(&self, source: IpAddr, priority: u8) -> Advert {
        crate::vrrp::advert(&self.settings, priority, source)
    }

    fn happen(&mut self, far: &Host, happening: Happening) {
        let now = self.now;
        match happening {
            Happening::Own(priority) => {
                advertise(self.family, priority);
                self.model.on_egress(now, &self.advert(self.hosts[0], priority));
            }
            Happening::Peer { host, priority, ttl, version } => {
                let source = self.hosts[host];
                let mut frame = advert(source, priority);
                // Behind the Ethernet header: the hop limit, and the first byte of the message.
                let [limit, message] = if self.family == Family::V4 { [14 + 8, 14 + 20] } else { [14 + 7, 14 + 40] };
                frame[limit] = ttl;
                frame[message] = if version == Version::V2 { 0x21 } else { 0x31 };
                send(far, frame);
                self.model.on_ingress(now, &Advert { ttl, version, ..self.advert(source, priority) });
            }
            Happening::Rank(priority) => {
                self.kernel.set_rank(key(self.family), Rank { priority, source: Some(self.hosts[0]) }).expect("root");
                self.model.set_priority(priority);
            }
            Happening::Close => {
                self.kernel.close(key(self.family)).expect("root");
                self.model.close();
            }
            Happening::Permit => {
                self.permit = Some(self.kernel.permit(key(self.family), LONG).expect("root"));
                self.model.permit_reopening(now + LONG);
            }
            Happening::Reopen => {
                let opened = self.permit.take().is_some_and(|permit| self.kernel.reopen(permit, LONG).expect("root"));
                assert_eq!(self.model.reopen(now, LONG), opened);
            }
            _ => self.happen_to_lease(happening),
        }
    }

    fn happen_to_lease(&mut self, happening: Happening) {
        self.serial += 1;
        let serial = self.serial;
        let (action, done) = match happening {
            Happening::LeasePermit => {
                let permit = self.kernel.permit(key(self.family), LONG).expect("root");
                self.lease_permit = Some((serial, permit));
                (Action::Permit { serial, lifetime: LONG }, true)
            }
            Happening::LeaseOpen => {
                let Some((number, permit)) = self.lease_permit.take() else { return };
                let done = self.kernel.grant(permit, LONG).expect("root");
                (Action::Open { serial, permit: number, slice: LONG }, done)
            }
            Happening::LeaseRefresh => {
                let done = self.kernel.renew(key(self.family), LONG).expect("root");
                (Action::Refresh { serial, slice: LONG }, done)
            }
            _ => {
                self.lease_permit = None;
                self.kernel.close(key(self.family)).expect("root");
                (Action::Close { serial }, true)
            }
        };
        assert_eq!(self.model.transact(self.now, &action, Duration::ZERO), done, "{happening:?}");
    }

    fn standing(&mut self) -> Standing {
        self.kernel.standing(key(self.family)).expect("the kernel answers")
    }

    /// They stand alike. A challenge is waited for: the kernel's time is not the model's.
    fn compare(&mut self, happened: &[Happening]) {
        let is_long = |left: Duration| left > CHALLENGE;
        let is_challenged = self.model.alive_for(self.now).is_some_and(|left| !is_long(left));
        if is_challenged {
            assert!(!self.standing().alive.is_some_and(is_long), "no challenge, after {happened:?}");
            while self.standing().alive.is_some() {
                std::thread::yield_now();
            }
            self.now += CHALLENGE;
        }
        let standing = self.standing();
        let kernel = (standing.alive.is_some_and(is_long), standing.lease.is_some());
        let model = (self.model.alive_for(self.now).is_some(), self.model.has_lease(self.now));
        assert_eq!(kernel, model, "adverts and lease, after {happened:?}");
    }
}

fn happening() -> impl Strategy<Value = Happening> {
    let peer = (1..3_usize, select(PRIORITIES.to_vec()), select(vec![255, 255, 255, 254]));
    let version = select(vec![Version::V3, Version::V3, Version::V3, Version::V2]);
    prop_oneof![
        5 => select(vec![100, 100, 100, 0]).prop_map(Happening::Own),
        6 => (peer, version).prop_map(|((host, priority, ttl), version)| {
            Happening::Peer { host, priority, ttl, version }
        }),
        1 => select(vec![0, 60, 100, 160]).prop_map(Happening::Rank),
        1 => Just(Happening::Close),
        2 => Just(Happening::Permit),
        2 => Just(Happening::Reopen),
    ]
}

fn lease() -> impl Strategy<Value = Happening> {
    let alone = [Happening::LeasePermit, Happening::LeaseOpen, Happening::LeaseRefresh, Happening::LeaseClose];
    prop_oneof![happening(), select(alone.to_vec()), select(alone.to_vec())]
}

fn hosts(family: Family) -> [IpAddr; 3] {
    if family == Family::V4 { HOSTS4 } else { HOSTS6 }
}

fn family() -> impl Strategy<Value = Family> {
    select(vec![Family::V4, Family::V6])
}

fn follow(family: Family, happened: &[Happening], leased: bool) {
    with_neighbour(async |far| {
        let mut pair = Pair::new(&Router { peers: hosts(family)[1..].to_vec(), leased, ..router(family) });
        for (index, happening) in happened.iter().enumerate() {
            pair.happen(far, *happening);
            pair.compare(&happened[..=index]);
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_simulated_gate_stands_as_the_kernels_does_whatever_happens(family in family(), happened in vec(happening(), 24)) {
        follow(family, &happened, false);
    }

    #[test]
    fn so_it_does_with_a_lease(family in family(), happened in vec(lease(), 24)) {
        follow(family, &happened, true);
    }
}
