//! Probe before promote: the addresses of a master that fell silent are not taken while its host still answers for them. And
//! who may hurry after a farewell.

use super::super::*;
use super::bench::*;
use crate::wire::MacAddr;

const HOST: MacAddr = MacAddr(2, 0, 0, 0, 0, 9);
const SKEW: Duration = Duration::from_nanos(609_375_000);
const INTERVAL: Duration = SECOND;

/// A backup that has just heard its master, and what its host makes of questions from then on.
struct Silence {
    router: Router,
    now: Instant,
    /// Answers after this time; `None` not at all.
    answers: [Option<Duration>; 2],
    taken_at: Option<Instant>,
    asked: Vec<(Instant, Question)>,
    alarms: Vec<String>,
}

impl Silence {
    fn begin(settings: Settings) -> Self {
        let now = Instant::ZERO + Duration::from_secs(1000);
        let mut router = Router::new(now, settings);
        router.handle(now, Event::Interface(Some(ip(OURS))));
        let mut this = Self {
            router,
            now,
            answers: [Some(Duration::from_micros(100)); 2],
            taken_at: None,
            asked: Vec::new(),
            alarms: Vec::new(),
        };
        this.hear(200);
        this
    }

    fn hear(&mut self, priority: u8) {
        let advert = Advert { mac: Some(HOST), ..heard(self.router.settings(), priority, HIGHER) };
        self.router.handle(self.now, Event::Advert(&advert));
    }

    fn silent() -> [Option<Duration>; 2] {
        [None, None]
    }

    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut answers: Vec<(Instant, Question)> = Vec::new();
        while self.taken_at.is_none() {
            answers.sort_by_key(|(at, _)| *at);
            let timer = self.router.poll_timeout().unwrap();
            let answer = answers.first().map(|(at, _)| *at).filter(|at| *at <= timer);
            let next = answer.unwrap_or(timer);
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            match answer {
                Some(_) => {
                    let (_, question) = answers.remove(0);
                    self.router.handle(self.now, Event::Answered(question));
                }
                None => self.router.handle_timeout(Turn { now: self.now, drained: true }),
            }
            while let Some(action) = self.router.poll_action() {
                match action {
                    Action::Ask { host, question } => {
                        assert_eq!(host, HOST);
                        self.asked.push((self.now, question));
                        let delay = self.answers[usize::from(question.thorough)];
                        answers.extend(delay.map(|delay| (self.now + delay, question)));
                    }
                    Action::Claim => self.taken_at = Some(self.now),
                    Action::Alarm(alarm) => self.alarms.push(alarm),
                    _ => {}
                }
            }
        }
        self.now = if self.taken_at.is_some() { self.now } else { end };
    }

    /// Takes over after this much silence.
    fn takes_after(&mut self, heard: Instant) -> Duration {
        self.pass(100 * INTERVAL);
        self.taken_at.expect("it takes over in the end").since(heard)
    }
}

#[test]
fn a_silent_host_is_taken_over_from_when_the_timer_runs_out_and_not_later() {
    for priority in [1, 100, 200, 254] {
        let mut silence = Silence::begin(Settings { priority, ..settings() });
        silence.hear(255);
        silence.answers = Silence::silent();
        let timer = timer::master_down(Version::V3, priority, INTERVAL);
        let heard = silence.now;
        assert_eq!(silence.takes_after(heard), timer, "priority {priority}");
    }
}

#[test]
fn at_the_shortest_interval_and_skew_the_host_has_a_millisecond_to_answer() {
    let advert_interval = millis(10);
    let mut silence = Silence::begin(Settings { priority: 254, advert_interval, ..settings() });
    silence.hear(255);
    silence.answers = Silence::silent();
    let heard = silence.now;
    assert_eq!(silence.takes_after(heard), millis(31), "30.08 ms without a probe");
}

#[test]
fn questions_begin_after_two_intervals_and_thorough_ones_after_three() {
    let mut silence = Silence::begin(settings());
    let heard = silence.now;
    silence.pass(2 * INTERVAL - millis(1));
    assert_eq!(silence.asked, []);
    silence.answers = Silence::silent();
    silence.takes_after(heard);
    let first = |thorough| silence.asked.iter().find(|(_, question)| question.thorough == thorough).unwrap().0;
    assert_eq!((first(false).since(heard), first(true).since(heard)), (2 * INTERVAL, 3 * INTERVAL));
    let steps = silence.asked.windows(2).map(|pair| pair[1].0.since(pair[0].0));
    assert!(steps.max().unwrap() <= millis(5), "every few milliseconds");
}

#[test]
fn while_the_host_answers_its_addresses_are_not_taken_and_one_alarm_says_so() {
    for answering in [[true, true], [true, false], [false, true]] {
        let mut silence = Silence::begin(settings());
        silence.answers = answering.map(|answers| answers.then_some(Duration::from_micros(100)));
        silence.pass(60 * INTERVAL);
        assert_eq!((silence.taken_at, silence.router.state()), (None, State::Backup), "{answering:?}");
        assert_eq!(silence.alarms.len(), 1, "{:?}", silence.alarms);
        assert!(silence.alarms[0].contains(HIGHER) && silence.alarms[0].contains(&HOST.to_string()));
        let counters = silence.router.counters();
        assert_eq!((counters.probes_sent, counters.held_off), (silence.asked.len() as u64, 1));
        let was_answered = |(_, question): &&(_, Question)| answering[usize::from(question.thorough)];
        // The last ones may still be on their way.
        let answered = silence.asked.iter().filter(was_answered).count() as u64;
        assert!((answered - 2..=answered).contains(&counters.probes_answered), "{counters:?}");
        // Nobody is to shut a port for it: thorough questions are what switches count.
        let late = silence.now - 10 * INTERVAL;
        let thorough = silence.asked.iter().filter(|(at, question)| *at >= late && question.thorough).count();
        assert!(thorough <= 25, "{thorough} in ten seconds");
        // When it has fallen silent, they are.
        silence.answers = Silence::silent();
        let fell_silent = silence.now;
        assert!(silence.takes_after(fell_silent) < SECOND);
    }
}

#[test]
fn a_host_that_falls_silent_within_three_intervals_puts_nothing_off() {
    let mut silence = Silence::begin(settings());
    let heard = silence.now;
    silence.pass(3 * INTERVAL - millis(1));
    silence.answers = Silence::silent();
    assert_eq!(silence.takes_after(heard), 3 * INTERVAL + SKEW);
    assert_eq!(silence.alarms, Vec::<String>::new());
}

#[test]
fn a_gate_that_closes_a_little_late_is_waited_for_without_an_alarm() {
    let advert_interval = millis(10);
    let mut silence = Silence::begin(Settings { priority: 254, advert_interval, ..settings() });
    silence.hear(255);
    let heard = silence.now;
    silence.pass(millis(33));
    assert_eq!(silence.taken_at, None);
    silence.answers = Silence::silent();
    let taken = silence.takes_after(heard);
    assert!(taken < millis(60), "{taken:?}");
    assert_eq!(silence.alarms, Vec::<String>::new());
}

#[test]
fn a_slow_host_has_four_of_its_round_trips() {
    let mut silence = Silence::begin(Settings { priority: 254, ..settings() });
    silence.hear(255);
    silence.answers = [Some(millis(20)); 2];
    let heard = silence.now;
    silence.pass(3 * INTERVAL - millis(50));
    silence.answers = Silence::silent();
    assert_eq!(silence.takes_after(heard), 3 * INTERVAL + millis(80));
}

#[test]
fn a_master_that_speaks_again_is_followed_and_nothing_is_asked_any_more() {
    let mut silence = Silence::begin(settings());
    silence.pass(10 * INTERVAL);
    silence.hear(200);
    let asked = silence.asked.len();
    silence.pass(2 * INTERVAL - millis(1));
    assert_eq!((silence.asked.len(), silence.router.state()), (asked, State::Backup));
    // And the next silence is judged from its own beginning.
    silence.answers = Silence::silent();
    let heard = silence.now - (2 * INTERVAL - millis(1));
    assert_eq!(silence.takes_after(heard), 3 * INTERVAL + SKEW);
}

#[test]
fn nobody_is_asked_after_a_farewell_a_lower_advert_or_one_that_is_refused() {
    let mut farewell = Silence::begin(settings());
    farewell.hear(0);
    assert_eq!(farewell.takes_after(farewell.now), SKEW);
    let mut preempted = Silence::begin(settings());
    for _ in 0..3 {
        preempted.hear(50);
        preempted.pass(INTERVAL);
    }
    preempted.pass(3 * INTERVAL);
    assert!(preempted.taken_at.is_some());
    let mut refused = Silence::begin(settings());
    let like = Settings { version: Version::V2, ..settings() };
    let advert = Advert { mac: Some(HOST), ..super::super::advert(&like, 200, ip(HIGHER)) };
    refused.router.handle(refused.now, Event::Advert(&advert));
    assert_eq!(refused.takes_after(refused.now), 3 * INTERVAL + SKEW);
    for (name, silence) in [("farewell", farewell), ("preempted", preempted), ("refused", refused)] {
        assert_eq!(silence.asked, [], "{name}");
    }
}

#[test]
fn who_has_never_heard_a_master_asks_nobody() {
    let mut bench = Bench::new(settings());
    assert_eq!(bench.pass(3 * INTERVAL + SKEW), "claim, -> master, advert 100, announce");
}

#[test]
fn what_a_stranger_refused_or_answers_changes_nothing() {
    let mut silence = Silence::begin(settings());
    let like = Settings { version: Version::V2, ..settings() };
    let advert = super::super::advert(&like, 200, ip(LOWER));
    silence.router.handle(silence.now, Event::Advert(&advert));
    silence.pass(4 * INTERVAL);
    assert_eq!(silence.taken_at, None, "the master's host still answers");
    silence.answers = Silence::silent();
    for number in 0..u16::MAX {
        // Numbers of questions that are answered, or that were never asked.
        for thorough in [false, true] {
            if !silence.asked.iter().any(|(_, asked)| asked.number == number) {
                silence.router.handle(silence.now, Event::Answered(Question { number, thorough }));
            }
        }
    }
    let now = silence.now;
    assert!(silence.takes_after(now) < SECOND);
}

#[test]
fn promote_grace_ends_the_wait_unless_something_tells_that_the_daemon_lives() {
    let graceful = Settings { promote_grace: Some(10 * SECOND), ..settings() };
    let mut silence = Silence::begin(graceful.clone());
    let heard = silence.now;
    let taken = silence.takes_after(heard);
    let timer = 3 * INTERVAL + SKEW;
    assert!(taken >= timer + 10 * SECOND && taken < timer + 11 * SECOND, "{taken:?}");
    let mut lives = Silence::begin(graceful);
    let lives_until = lives.now + 40 * SECOND;
    lives.router.handle(lives.now, Event::MasterLives(lives_until));
    let heard = lives.now;
    assert!(lives.takes_after(heard) >= 40 * SECOND);
}

#[test]
fn without_probing_a_silent_master_is_taken_over_from_whatever_its_host_answers() {
    let without = Settings { probe_before_promote: false, ..settings() };
    let mut silence = Silence::begin(without.clone());
    assert_eq!((silence.takes_after(silence.now), silence.asked.len()), (3 * INTERVAL + SKEW, 0));
    let mut turned_off = Silence::begin(settings());
    turned_off.pass(30 * INTERVAL);
    assert_eq!(turned_off.router.reconfigure(turned_off.now, without), Reconfigured::Applied);
    turned_off.pass(INTERVAL);
    assert!(turned_off.taken_at.is_some());
}

/// A sync group's members move together: one that must not take over is not ready either.
#[test]
fn a_host_that_answers_makes_no_ready_backup() {
    let mut silence = Silence::begin(settings());
    silence.router.handle(silence.now, Event::Forbid("the group says so".into()));
    silence.pass(10 * INTERVAL);
    assert!(!silence.router.is_ready());
    silence.answers = Silence::silent();
    silence.pass(INTERVAL);
    assert!(silence.router.is_ready());
}

#[test]
fn the_known_successor_does_not_wait_the_skew_after_its_masters_farewell() {
    let mut bench = Bench::new(settings());
    bench.hear(200, HIGHER);
    bench.tell(Event::Successor(Some(bench.now + SECOND)));
    bench.hear(0, HIGHER);
    assert_eq!(bench.due_in(), millis(4));
    assert_eq!(bench.pass(millis(4)), "claim, -> master, advert 100, announce");
}

#[test]
fn a_forged_farewell_that_the_master_answers_makes_no_second_master() {
    let mut bench = Bench::new(settings());
    bench.hear(200, HIGHER);
    bench.tell(Event::Successor(Some(bench.now + SECOND)));
    bench.hear(0, HIGHER);
    bench.pass(millis(3));
    bench.hear(200, HIGHER);
    assert_eq!((bench.pass(SECOND), bench.state()), (String::new(), State::Backup));
}

#[test]
fn knowledge_that_is_old_or_about_another_master_hurries_nobody() {
    let mut old = Bench::new(settings());
    old.hear(200, HIGHER);
    old.tell(Event::Successor(Some(old.now + SECOND)));
    old.pass(SECOND);
    old.hear(0, HIGHER);
    assert_eq!(old.due_in(), SKEW);
    let mut other = Bench::new(settings());
    other.hear(200, HIGHER);
    other.tell(Event::Successor(Some(other.now + SECOND)));
    other.hear(0, LOWER);
    assert_eq!(other.due_in(), SKEW);
    let mut taken_back = Bench::new(settings());
    taken_back.hear(200, HIGHER);
    taken_back.tell(Event::Successor(Some(taken_back.now + SECOND)));
    taken_back.tell(Event::Successor(None));
    taken_back.hear(0, HIGHER);
    assert_eq!(taken_back.due_in(), SKEW);
}

#[test]
fn a_master_that_yields_follows_that_one_until_it_is_told_otherwise() {
    let mut bench = Bench::master(settings());
    assert_eq!(bench.tell(Event::Yield(ip(LOWER))), "release, -> backup, advert 0");
    for _ in 0..10 {
        bench.hear(50, LOWER);
        assert_eq!(bench.pass(SECOND), "");
    }
    assert!(bench.router.is_yielding());
    bench.tell(Event::Unyield);
    assert!(!bench.router.is_yielding());
    bench.hear(50, LOWER);
    assert_eq!(bench.pass(3 * SECOND), "claim, -> master, advert 100, announce");
}

#[test]
fn a_master_that_yields_takes_over_when_that_one_falls_silent() {
    let mut bench = Bench::master(settings());
    bench.tell(Event::Yield(ip(LOWER)));
    bench.hear(50, LOWER);
    assert_eq!(bench.pass(4 * SECOND), "claim, -> master, advert 100, announce");
}
