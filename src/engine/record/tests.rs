//! A recording says what was done, all of it, and nothing that is secret.

mod any;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::detect::{RouterView, Watcher};
use crate::engine::Logged;
use crate::observe::{Frame, IfIndex, PacketKind, Told};
use crate::time::Duration;
use crate::wire::{Auth, Family, Seen, Version};

const LIMIT: u64 = 64 << 20;
const START: Instant = Instant::from_nanos(3_600_000_000_000);

fn identity() -> Identity {
    Identity { node: "lb01".into(), version: "0.0.0", revision: "none", boot_id: String::new(), started: START }
}

/// A recorded watcher, driven as the core drives it.
struct Live {
    watched: Watched,
    events: Vec<Event>,
    ended: tokio::sync::oneshot::Receiver<()>,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Live {
    fn start(settings: Settings, limit: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("recording");
        let (tape, ended) = Recording::create(&path, limit).unwrap().start(&identity()).unwrap();
        let watched = Watched::start(START, WallClock::default(), settings, Vec::new(), Some(tape));
        Self { watched, events: Vec::new(), ended, path, _directory: directory }
    }

    fn take(&mut self, now: Instant, input: Input) {
        let watched = &mut self.watched;
        match input {
            Input::Start { .. } | Input::Lost(_) => {}
            Input::Fact(fact) => watched.handle(now, &fact),
            Input::Turn => {
                watched.turn(now);
                while watched.poll_request().is_some() {}
                self.events.extend(std::iter::from_fn(|| watched.poll_event()));
            }
            Input::Judge => watched.judge(now),
            Input::Settings(settings) => watched.reconfigure(now, *settings),
            Input::Clock(clock) => watched.set_clock(now, clock),
            Input::Forget(router) => drop(watched.forget(now, &router)),
            Input::Event(event) => {
                watched.note_event(now, &event);
                self.events.push(*event);
            }
        }
    }

    fn end(mut self) -> (Vec<Event>, Vec<u8>) {
        self.watched.end_recording();
        // Nothing is sent: it closes.
        let _ = self.ended.blocking_recv();
        (self.events, fs::read(&self.path).unwrap())
    }
}

fn records(bytes: &[u8]) -> Vec<Record> {
    let mut reader = Reader::new(bytes).unwrap();
    let records = std::iter::from_fn(|| reader.next_record().unwrap()).collect();
    assert!(!reader.is_cut());
    records
}

fn replay(records: Vec<Record>) -> (Vec<Logged>, Replay) {
    let mut records = records.into_iter();
    let mut replay = Replay::start(records.next().unwrap()).unwrap();
    (records.flat_map(|record| replay.take(record).unwrap()).collect(), replay)
}

proptest! {
    #[test]
    fn a_record_that_was_written_is_read_back(at in any::<u64>(), input in any::input()) {
        let record = Record { at: Instant::from_nanos(at), input };
        let line = serde_json::to_string(&record).unwrap();
        prop_assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
    }

    #[test]
    fn whatever_is_done_to_a_watcher_its_recording_says_the_same_again(
        settings in any::settings(),
        steps in prop::collection::vec((0_u64..1500, any::input(), any::<bool>()), 1..120),
    ) {
        let mut live = Live::start(settings, LIMIT);
        let mut now = START;
        for (millis, input, turns) in steps {
            now += Duration::from_millis(millis);
            live.take(now, input);
            if turns {
                live.take(now, Input::Turn);
            }
        }
        let verdicts = |routers: &[Arc<RouterView>]| -> Vec<_> {
            routers.iter().map(|r| (r.name.clone(), r.verdict, r.since, r.findings.clone(), r.state)).collect()
        };
        let views = verdicts(&live.watched.snapshot(now).routers);
        let (events, bytes) = live.end();
        let (logged, mut replay) = replay(records(&bytes));
        prop_assert_eq!(logged.iter().map(|l| l.id).collect::<Vec<_>>(), (1..=events.len() as u64).collect::<Vec<_>>());
        prop_assert_eq!(logged.into_iter().map(|l| l.event).collect::<Vec<_>>(), events);
        prop_assert_eq!(verdicts(&replay.snapshot().routers), views);
        prop_assert_eq!(replay.lost(), 0);
    }
}

/// The passwords of what holds one, in order.
fn passwords(records: &[Record]) -> Vec<[u8; 8]> {
    let auths = records.iter().flat_map(|record| match &record.input {
        Input::Start { settings, .. } | Input::Settings(settings) => {
            settings.routers.iter().filter_map(|router| router.auth).collect()
        }
        Input::Fact(fact) => match &**fact {
            Fact::Frame(Frame { seen: Seen::Advert(advert), .. }) => vec![advert.auth],
            Fact::Told(told) => told.iter().map(|told| told.auth).collect(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    });
    auths.filter_map(|auth| if let Auth::Password(password) = auth { Some(password) } else { None }).collect()
}

#[test]
fn no_password_is_in_a_recording_and_equal_ones_stay_equal() {
    let secrets = [*b"geheim11", *b"anders22"];
    let [right, wrong] = secrets.map(Auth::Password);
    let frame = |auth| {
        let advert = crate::wire::Advert { auth, ..any::advert() };
        let frame =
            Frame { interface: IfIndex(2), vlan: None, kind: PacketKind::Multicast, seen: Seen::Advert(advert) };
        Input::Fact(Box::new(Fact::Frame(frame)))
    };
    let told = Told {
        interface: None,
        family: Family::V4,
        vrid: 51,
        addresses: Vec::new(),
        version: Version::V2,
        interval: Duration::from_secs(1),
        auth: right,
        unicast: false,
    };
    let settings = Settings { routers: vec![any::expected(right)], ..Settings::default() };
    let mut live = Live::start(settings.clone(), LIMIT);
    for input in [
        frame(right),
        Input::Fact(Box::new(Fact::Told([told].into()))),
        Input::Settings(Box::new(settings)),
        frame(wrong),
    ] {
        live.take(START, input);
    }
    let (_, bytes) = live.end();
    let text = String::from_utf8(bytes.clone()).unwrap();
    for secret in secrets {
        let numbers = serde_json::to_string(&secret).unwrap();
        let clear = String::from_utf8(secret.to_vec()).unwrap();
        assert!(!text.contains(&clear) && !text.contains(&numbers), "{text}");
    }
    let masked = passwords(&records(&bytes));
    assert_eq!(masked.len(), 5, "{text}");
    assert!(masked[..4].iter().all(|password| *password == masked[0]) && masked[4] != masked[0], "{masked:?}");
}

#[test]
fn a_recording_ends_whole_at_its_limit_and_the_daemon_goes_on() {
    const LIMIT: u64 = 20_000;
    let mut live = Live::start(Settings::default(), LIMIT);
    for millis in 0..2000 {
        live.take(START + Duration::from_millis(millis), Input::Judge);
    }
    let (_, bytes) = live.end();
    let records = records(&bytes);
    assert!(bytes.len() as u64 <= LIMIT && bytes.len() as u64 > LIMIT - 100, "{} bytes", bytes.len());
    assert!(records.len() > 100 && records.len() < 2000, "{} records", records.len());
}

#[test]
fn idle_turns_are_left_out() {
    let mut live = Live::start(Settings::default(), LIMIT);
    (0..500).for_each(|millis| live.take(START + Duration::from_millis(millis), Input::Turn));
    let (_, bytes) = live.end();
    assert!(records(&bytes).len() < 10, "{}", String::from_utf8_lossy(&bytes));
}

/// A recording of a few turns.
fn some_recording() -> String {
    let mut live = Live::start(Settings::default(), LIMIT);
    (0..3).for_each(|millis| live.take(START + Duration::from_millis(millis), Input::Judge));
    String::from_utf8(live.end().1).unwrap()
}

fn failure(text: &str) -> String {
    let mut reader = match Reader::new(text.as_bytes()) {
        Ok(reader) => reader,
        Err(error) => return error.to_string(),
    };
    loop {
        match reader.next_record() {
            Ok(Some(_)) => {}
            Ok(None) => return String::new(),
            Err(error) => return error.to_string(),
        }
    }
}

#[test]
fn a_recording_that_was_cut_short_is_read_to_the_last_whole_record() {
    let whole = some_recording();
    let header = whole.find('\n').unwrap() + 1;
    for length in header..whole.len() {
        let mut reader = Reader::new(&whole.as_bytes()[..length]).unwrap();
        while reader.next_record().unwrap().is_some() {}
        assert_eq!(reader.is_cut(), whole.as_bytes()[length - 1] != b'\n');
    }
    assert!(failure(&whole[..header - 2]).contains("not a recording"));
}

#[test]
fn what_is_no_record_is_named_by_its_number_and_place() {
    let whole = some_recording();
    let offset = whole.match_indices('\n').nth(1).unwrap().0 + 1;
    for broken in ["", "{}", "{\"at\":1,\"do\":\"dance\"}", "{\"at\":1,\"do\":\"turn\",\"more\":1}", "\u{fffd}"] {
        let text = format!("{}{broken}\n{}", &whole[..offset], &whole[offset..]);
        let said = failure(&text);
        assert!(said.starts_with(&format!("record 2, at byte {offset}, can't be read: ")), "{broken}: {said}");
    }
    let endless = format!("{whole}{}", " ".repeat(LINE_MAX as usize + 1));
    assert!(failure(&endless).contains("record 5") && failure(&endless).contains("longer than"));
}

#[test]
fn another_form_is_refused_with_the_name_of_who_can_read_it() {
    let other = some_recording().replacen(":1,", ":2,", 1);
    let said = failure(&other);
    assert!(said.contains("form 2 by vipwarden 0.0.0") && said.contains("reads form 1"), "{said}");
    assert!(failure("{\"vipwarden_recording\":\"x\"}\n").contains("not a recording"));
    assert!(failure("\n").contains("not a recording"));
}

#[test]
fn a_recording_begins_with_its_one_start() {
    let start = records(some_recording().as_bytes()).remove(0);
    let turn = Record { at: START, input: Input::Turn };
    assert_eq!(Replay::start(turn).err(), Some(Misplaced::Early));
    assert_eq!(Replay::start(start.clone()).unwrap().take(start), Err(Misplaced::Again));
}

#[test]
fn a_gap_is_counted_and_a_watcher_is_read_as_such() {
    let mut records = records(some_recording().as_bytes());
    records.insert(2, Record { at: START, input: Input::Lost(7) });
    assert_eq!(replay(records).1.lost(), 7);
    let watched = Watched::start(START, WallClock::default(), Settings::default(), Vec::new(), None);
    let watcher: &Watcher = &watched;
    assert!(!watcher.is_urgent());
}
