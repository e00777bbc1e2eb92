//! What happens in a month between two vipwardens that speak: neither calls anything of it a fault, nor does a bystander.

use jiff::{Timestamp, Unit};
use serde_json::Value;

use crate::lab::{Daemon, Flavour, Process, Stage, Watch, press, second, until, verdict, vipwarden};

/// The two, and whoever watches them. What was said is kept beyond a restart.
struct Two {
    stage: Stage,
    a: Watch,
    b: Watch,
    bystander: Watch,
    said: Vec<(&'static str, String)>,
}

impl Two {
    fn start(flavour: Flavour) -> Self {
        let stage = Stage::of(flavour, &["a", "b", "x"]);
        second::join(&stage.a, &stage.b);
        let bystander = Watch(Daemon::start(&stage.node("x"), vipwarden(), "").expect("vipwarden starts"));
        let a = stage.asking_speaker(&stage.a, 200, &[]);
        let b = stage.asking_speaker(&stage.b, 100, &[]);
        Self { stage, a, b, bystander, said: Vec::new() }
    }

    fn expect_master(&self, name: &str) {
        self.stage.expect_holders(name == "a", name == "b");
        let (master, backup) = if name == "a" { (&self.a, &self.b) } else { (&self.b, &self.a) };
        let is_well = |router: &Value, state: &str| verdict(router) == "healthy" && router["state"] == state;
        master.expect(&format!("{name} is master"), |router| is_well(router, "master"));
        backup
            .expect("the other is backup, or fenced", |router| is_well(router, "backup") || is_well(router, "fenced"));
        self.bystander.expect("it is healthy", |router| verdict(router) == "healthy");
    }

    fn ask(watch: &Watch, words: &[&str]) {
        let answer = watch.ask(words).expect("it runs");
        assert!(answer.status.success(), "{words:?}: {answer:?}");
    }

    /// Ends `a`'s, in this way.
    fn without_a(&mut self, end: impl FnOnce(&mut Process)) {
        self.said.push(("a", self.a.get("/api/v1/events").expect("events are served")));
        end(self.a.process());
        let (stage, b) = (&self.stage, &self.b);
        until("b is master", || b.router(51).is_some_and(|router| router["state"] == "master"));
        self.a = stage.asking_speaker(&stage.a, 200, &[]);
        self.expect_master("a");
    }
}

/// By hand, by the service manager, by the cable, and on a busy host.
fn a_months_events(two: &mut Two) {
    Two::ask(&two.a, &["handover", "web"]);
    two.stage.expect_holders(false, true);
    for watch in [&two.b, &two.a] {
        Two::ask(watch, &["fence", "web", "--force"]);
        watch.expect("it is fenced", |router| router["state"] == "fenced");
        Two::ask(watch, &["unfence", "web"]);
        Two::ask(watch, &["reload"]);
    }
    two.expect_master("a");
    for _ in 0..3 {
        two.stage.a.exec("ip link set eth0 down").expect("the link goes down");
        two.stage.a.exec("ip link set eth0 up").expect("the link comes up");
    }
    two.expect_master("a");
    let stop = |process: &mut Process| assert!(process.stop().is_ok(), "it ends");
    two.without_a(stop);
    two.without_a(|process| {
        process.signal(libc::SIGKILL).expect("it runs");
        process.wait(crate::lab::PATIENCE).expect("it dies");
    });
    let busy = press(&two.stage.b);
    two.without_a(stop);
    drop(busy);
}

/// Who said it, and when.
struct Said {
    by: &'static str,
    at: Timestamp,
    event: Value,
}

impl Said {
    fn all(by: &'static str, events: &str) -> Vec<Self> {
        let events: Vec<Value> = serde_json::from_str(events).expect("a list of events");
        let at = |event: &Value| event["at"].as_str().expect("a time").parse().expect("a time");
        events.into_iter().map(|event| Self { by, at: at(&event), event }).collect()
    }

    /// That it was held up itself for longer than an advert interval.
    fn is_stall(&self) -> bool {
        self.reason().contains("the event loop was")
    }

    /// That `name` holds, and has sent nothing for more than four intervals.
    fn is_silence_of(&self, name: &str) -> bool {
        let reason = self.reason();
        self.event["causes"] == serde_json::json!(["stale_address"])
            && reason.starts_with(&format!("{name} "))
            && reason.ends_with("does not advertise any more")
    }

    fn reason(&self) -> &str {
        self.event["reason"].as_str().expect("a reason")
    }
}

/// A busy host may hold up a master for so long that its silence is told, which is true: it says so itself.
fn is_true_silence(said: &Said, all: &[Said]) -> bool {
    let beside = |other: &Said| (other.at - said.at).abs().total(Unit::Second).is_ok_and(|apart| apart < 2.0);
    all.iter().any(|other| other.is_stall() && said.is_silence_of(other.by) && beside(other))
}

fn is_no_fault(flavour: Flavour) {
    let mut two = Two::start(flavour);
    two.expect_master("a");
    a_months_events(&mut two);
    let now = [("a", &two.a), ("b", &two.b), ("a bystander", &two.bystander)];
    let said = now.map(|(name, watch)| (name, watch.get("/api/v1/events").expect("events are served")));
    let all: Vec<Said> = two.said.iter().chain(&said).flat_map(|(by, events)| Said::all(by, events)).collect();
    for said in &all {
        let (by, event) = (said.by, &said.event);
        let causes = event["causes"].as_array().expect("a list");
        let is_well = causes.iter().all(|cause| cause == "transient") || is_true_silence(said, &all);
        assert!(is_well, "by {by}: {event:#}");
        assert!(event["to"] != "split_brain" && event["to"] != "refused", "by {by}: {event:#}");
    }
}

#[test]
fn fault_25_a_months_events_between_two_that_speak_are_no_fault() {
    is_no_fault(Flavour::V3);
}

#[test]
fn fault_25_a_months_events_over_ipv6_between_two_that_speak_are_no_fault() {
    is_no_fault(Flavour::V6);
}

#[test]
fn fault_25_a_months_events_with_virtual_macs_between_two_that_speak_are_no_fault() {
    is_no_fault(Flavour::Vmac);
}
