//! Whatever happens in whatever order, some things never do.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::super::*;
use super::bench::{HIGHER, LOWER, OURS, ip, millis, settings, version_2};
use crate::wire::{Advert, MacAddr};

#[derive(Clone, Debug)]
enum Step {
    Hear {
        priority: u8,
        source: &'static str,
        interval: u64,
    },
    Tell(Event<'static>),
    /// The kernel answers its oldest question; a claim perhaps with no.
    Answer {
        yes: bool,
    },
    Wait {
        millis: u64,
    },
    /// Handles the next timer, this much too late.
    Timer {
        late: u64,
        drained: bool,
    },
    Reconfigure {
        priority: u8,
        more: bool,
    },
}

fn event() -> impl Strategy<Value = Event<'static>> {
    prop_oneof![
        prop::option::weighted(0.8, Just(ip(OURS))).prop_map(Event::Interface),
        Just(Event::AddressLost),
        prop::option::weighted(0.8, 1u8..=254).prop_map(Event::Priority),
        Just(Event::Fence("split".into())),
        Just(Event::Unfence),
        Just(Event::Forbid("no lease".into())),
        Just(Event::Allow),
        Just(Event::HandOver),
        Just(Event::Yield(ip(LOWER))),
        Just(Event::Unyield),
        (0u16..200, any::<bool>()).prop_map(|(number, thorough)| Event::Answered(Question { number, thorough })),
        (0u64..10_000).prop_map(|until| Event::Successor(Some(Instant::ZERO + millis(1_000_000 + until)))),
        (0u64..10_000).prop_map(|until| Event::MasterLives(Instant::ZERO + millis(1_000_000 + until))),
        Just(Event::AnnounceAgain),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let source = prop::sample::select(vec![LOWER, OURS, HIGHER]);
    let priority = prop_oneof![Just(0u8), 1u8..=255, Just(100u8)];
    prop_oneof![
        4 => (priority, source, prop::sample::select(vec![10u64, 1000, 40_950]))
            .prop_map(|(priority, source, interval)| Step::Hear { priority, source, interval }),
        3 => event().prop_map(Step::Tell),
        4 => any::<bool>().prop_map(|yes| Step::Answer { yes }),
        1 => (0u64..5000).prop_map(|millis| Step::Wait { millis }),
        6 => (prop_oneof![4 => Just(0u64), 1 => 0u64..100_000], prop::bool::weighted(0.9))
            .prop_map(|(late, drained)| Step::Timer { late, drained }),
        1 => (1u8..=254, any::<bool>()).prop_map(|(priority, more)| Step::Reconfigure { priority, more }),
    ]
}

/// What the world knows of the router.
struct World {
    router: Router,
    now: Instant,
    questions: VecDeque<Action>,
    /// The kernel confirmed the addresses, and nothing has happened to them since.
    held: bool,
    /// The kernel confirmed that the addresses are gone, and nothing was asked since.
    released: bool,
    link: bool,
    /// As it has told.
    state: State,
    ended: bool,
}

impl World {
    fn new(settings: Settings) -> Self {
        let now = Instant::ZERO + millis(1_000_000);
        let router = Router::new(now, settings);
        let (held, released, link, ended) = (false, false, false, false);
        Self { router, now, questions: VecDeque::new(), held, released, link, state: State::Init, ended }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Hear { priority, source, interval } => {
                let like = Settings { advert_interval: millis(*interval), ..self.router.settings().clone() };
                let mac = Some(MacAddr(2, 0, 0, 0, 0, 9));
                let advert = Advert { mac, ..advert(&like, *priority, ip(source)) };
                self.router.handle(self.now, Event::Advert(&advert));
            }
            Step::Tell(event) => {
                if let Event::Interface(primary) = event {
                    self.link = primary.is_some();
                }
                if *event == Event::AddressLost {
                    self.held = false;
                }
                self.router.handle(self.now, event.clone());
            }
            Step::Answer { yes } => self.answer(*yes),
            Step::Wait { millis: pause } => self.now += millis(*pause),
            Step::Timer { late, drained } => self.fire(millis(*late), *drained),
            Step::Reconfigure { priority, more } => self.reconfigure(*priority, *more),
        }
        self.drain();
        self.check();
    }

    fn answer(&mut self, yes: bool) {
        match self.questions.pop_front() {
            Some(Action::Claim) if yes => {
                self.held = !self.questions.contains(&Action::Release);
                self.router.handle(self.now, Event::Claimed);
            }
            Some(Action::Claim) => self.router.handle(self.now, Event::ClaimFailed("busy".into())),
            Some(_) => {
                self.released = true;
                self.router.handle(self.now, Event::Released);
            }
            None => {}
        }
    }

    fn fire(&mut self, late: Duration, drained: bool) {
        let Some(at) = self.router.poll_timeout() else { return };
        self.now = self.now.max(at) + late;
        let was_backup = self.router.state() == State::Backup;
        self.router.handle_timeout(Turn { now: self.now, drained });
        if drained || !was_backup {
            assert!(self.router.poll_timeout().is_none_or(|next| next > self.now), "a timer stands still");
        } else {
            assert_eq!(self.router.state(), State::Backup, "a promotion before the socket was drained");
        }
    }

    fn reconfigure(&mut self, priority: u8, more: bool) {
        let mut new = Settings { priority, ..self.router.settings().clone() };
        if more {
            let last = u8::try_from(new.addresses.len()).unwrap_or(0);
            new.addresses.push((IpAddr::from([10, 9, 10, last]), 32));
        }
        if self.router.reconfigure(self.now, new) == Reconfigured::Applied && more {
            self.held = false;
        }
    }

    fn drain(&mut self) {
        while let Some(action) = self.router.poll_action() {
            match &action {
                Action::Advertise { priority: 0 } => {
                    assert!(self.released && self.link, "a farewell without a confirmed release");
                    self.released = false;
                }
                Action::Advertise { priority } => {
                    assert_eq!(self.state, State::Master, "an advert timer outside of its state");
                    assert!(self.held && self.link, "an advert without addresses");
                    assert_eq!(Some(*priority), self.router.effective_priority());
                }
                Action::Announce => assert!(self.held, "an announcement without addresses"),
                Action::Claim => {
                    assert!(
                        matches!(self.state, State::Backup | State::Master),
                        "a master-down timer outside of its state"
                    );
                    assert!(!self.questions.contains(&Action::Release), "a claim before the release is confirmed");
                    assert!(!self.questions.contains(&Action::Claim), "two claims");
                    (self.released, self.held) = (false, false);
                    self.questions.push_back(action.clone());
                }
                Action::Release => {
                    assert!(!self.questions.contains(&Action::Release), "two releases");
                    (self.released, self.held) = (false, false);
                    self.questions.push_back(action.clone());
                }
                Action::Entered { from, to, .. } => {
                    assert!(from != to && *from == self.state);
                    self.state = *to;
                }
                Action::Ask { .. } => {
                    let silence = matches!(self.router.takeover(), Some((_, Takeover::Silence(_))));
                    assert!(silence || self.router.state() == State::Master, "nobody else is asked");
                }
                Action::Alarm(_) => {}
            }
            let farewell = matches!(action, Action::Advertise { priority: 0 });
            assert!(!self.ended || farewell, "after the end: {action:?}");
        }
    }

    fn check(&self) {
        let router = &self.router;
        assert_eq!(router.state(), self.state, "a change of state that it has not told");
        match router.state() {
            State::Master | State::Backup => assert!(router.poll_timeout().is_some(), "no timer"),
            State::Fenced => assert_eq!(router.poll_timeout(), None),
            State::Init | State::Fault => {}
        }
        assert_eq!(router.takeover().is_some(), router.state() == State::Backup, "one timer, of the state it is in");
        if router.holds() {
            let next = router.poll_timeout().unwrap_or(Instant::ZERO);
            assert!(next <= self.now + router.settings().advert_interval, "a master whose next timer is no advert's");
        }
        assert!(!router.holds() || self.held, "it believes in addresses that are not there");
        assert!(!self.ended || (router.state(), router.poll_timeout()) == (State::Init, None));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_advert_without_addresses_no_farewell_before_their_release_and_always_a_next_timer(
        steps in prop::collection::vec(step(), 1..120),
        preempt: bool,
        old: bool,
        grace in prop::option::of(0u64..10_000),
        delays in (0u64..3000, 0u64..3000),
    ) {
        let base = if old { version_2() } else { settings() };
        let mut world = World::new(Settings {
            preempt,
            promote_grace: grace.map(millis),
            preempt_delay: millis(delays.0),
            startup_delay: millis(delays.1),
            garp: Garp { repeat: 2, delay: millis(delays.0), refresh: millis(delays.1) },
            ..base
        });
        world.take(&Step::Tell(Event::Interface(Some(ip(OURS)))));
        for step in &steps {
            world.take(step);
        }
        world.take(&Step::Tell(Event::Shutdown));
        world.ended = true;
        for step in &steps {
            world.take(step);
        }
    }

    #[test]
    fn the_skew_keeps_the_order_of_priorities_at_every_interval(centiseconds in 1u64..=4095, lower in 1u8..=254) {
        let skew = |priority| timer::skew(Version::V3, priority, millis(10 * centiseconds));
        prop_assert!(skew(lower + 1) < skew(lower));
        prop_assert!(skew(lower) < millis(10 * centiseconds));
    }
}
