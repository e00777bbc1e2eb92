//! One router on a bench, with a kernel that does as it is told unless a test says otherwise.

use std::net::IpAddr;

use super::super::*;
use crate::wire::{Advert, ChecksumForm};

/// Our own primary address; a rival may have a lower or a higher one.
pub const OURS: &str = "10.9.9.5";
pub const LOWER: &str = "10.9.9.2";
pub const HIGHER: &str = "10.9.9.9";

pub const SECOND: Duration = Duration::from_secs(1);

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Version 3, priority 100, one address, 1 s, one announcement.
pub fn settings() -> Settings {
    Settings {
        name: "web".into(),
        family: Family::V4,
        version: Version::V3,
        vrid: 51,
        priority: 100,
        advert_interval: SECOND,
        preempt: true,
        preempt_delay: Duration::ZERO,
        startup_delay: Duration::ZERO,
        addresses: vec![(ip("10.9.9.100"), 32)],
        excluded_addresses: Vec::new(),
        auth: Auth::None,
        checksum: ChecksumForm::PseudoHeader,
        unicast_peers: Vec::new(),
        known_speakers: None,
        garp: Garp { repeat: 1, delay: Duration::ZERO, refresh: Duration::ZERO },
        probe_before_promote: true,
        promote_grace: None,
    }
}

pub fn version_2() -> Settings {
    Settings { version: Version::V2, ..settings() }
}

/// Version 3 over IPv6: the link-local address first, and one that clients use.
pub fn over_ipv6() -> Settings {
    let addresses = vec![(ip("fe80::100"), 128), (ip("2001:db8::100"), 128)];
    Settings { family: Family::V6, addresses, ..settings() }
}

/// A router of each kind: both versions, both families.
pub fn kinds() -> [Settings; 3] {
    [version_2(), settings(), over_ipv6()]
}

/// The address of a host in this family: the last part of its IPv4 address makes its link-local one.
pub fn host(family: Family, v4: &str) -> IpAddr {
    match (family, v4.rsplit_once('.')) {
        (Family::V6, Some((_, last))) => ip(&format!("fe80::{last}")),
        _ => ip(v4),
    }
}

pub fn owner() -> Settings {
    Settings { priority: OWNER, ..settings() }
}

/// What another router of the same settings would send.
pub fn heard(settings: &Settings, priority: u8, source: &str) -> Advert {
    advert(settings, priority, host(settings.family, source))
}

pub struct Bench {
    pub router: Router,
    pub now: Instant,
    /// Claims and releases are confirmed at once.
    pub obliging: bool,
    /// Sockets are empty when a timer is handled.
    pub drained: bool,
}

impl Bench {
    /// A router whose interface is not known yet.
    pub fn unplugged(settings: Settings) -> Self {
        let now = Instant::ZERO + Duration::from_secs(1000);
        Self { router: Router::new(now, settings), now, obliging: true, drained: true }
    }

    /// A router that has just begun to listen (or, as an owner, to speak).
    pub fn new(settings: Settings) -> Self {
        let ours = host(settings.family, OURS);
        let mut bench = Self::unplugged(settings);
        bench.tell(Event::Interface(Some(ours)));
        bench
    }

    /// A router that has become master.
    pub fn master(settings: Settings) -> Self {
        let mut bench = Self::new(settings);
        bench.pass(4 * SECOND);
        assert!(bench.router.holds());
        bench
    }

    pub fn state(&self) -> State {
        self.router.state()
    }

    /// Feeds one event; the answer is what the router wanted done, as in [`brief`].
    pub fn tell(&mut self, event: Event<'_>) -> String {
        self.router.handle(self.now, event);
        brief(&self.drain())
    }

    /// Feeds an advert of the router's own kind.
    pub fn hear(&mut self, priority: u8, source: &str) -> String {
        let advert = heard(self.router.settings(), priority, source);
        self.tell(Event::Advert(&advert))
    }

    /// Lets time pass, and every timer fire in time.
    pub fn pass(&mut self, duration: Duration) -> String {
        let end = self.now + duration;
        let mut actions = Vec::new();
        while let Some(at) = self.router.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            actions.extend(self.fire());
            assert!(self.router.poll_timeout() != Some(at), "a timer stands still at {at:?}");
        }
        self.now = end;
        brief(&actions)
    }

    /// Lets time pass without a turn of the loop, and then handles what is due.
    pub fn stall(&mut self, duration: Duration) -> String {
        self.now += duration;
        brief(&self.fire())
    }

    fn fire(&mut self) -> Vec<Action> {
        self.router.handle_timeout(Turn { now: self.now, drained: self.drained });
        self.drain()
    }

    fn drain(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        while let Some(action) = self.router.poll_action() {
            match action {
                Action::Claim if self.obliging => self.router.handle(self.now, Event::Claimed),
                Action::Release if self.obliging => self.router.handle(self.now, Event::Released),
                _ => {}
            }
            actions.push(action);
        }
        actions
    }

    /// Until the next timer.
    pub fn due_in(&self) -> Duration {
        self.router.poll_timeout().expect("a timer").since(self.now)
    }
}

/// Actions in a few words: `claim, advert 100, announce, -> master`.
fn brief(actions: &[Action]) -> String {
    let word = |action: &Action| match action {
        Action::Advertise { priority } => format!("advert {priority}"),
        Action::Claim => "claim".into(),
        Action::Release => "release".into(),
        Action::Announce => "announce".into(),
        Action::Entered { to, .. } => format!("-> {to:?}").to_lowercase(),
        Action::Ask { question: Question { thorough: false, .. }, .. } => "ask".into(),
        Action::Ask { .. } => "ask thoroughly".into(),
        Action::Alarm(_) => "alarm".into(),
    };
    actions.iter().map(word).collect::<Vec<_>>().join(", ")
}
