//! What daemons recorded in `tests/scenarios/replay.rs` says today what they said then.
//!
//! Where a detector is meant to say something else, `WRITE_RECORDINGS=1 cargo test --test recordings` writes down what it says now.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use vipwarden::engine::record::{Reader, Replay};

const NAMES: [&str; 4] = ["speaker", "speaker-peer", "split-firewall", "stale-address"];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings")
}

fn recording(name: &str) -> PathBuf {
    directory().join(format!("{name}.recording"))
}

fn analyze(arguments: &[&str], files: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vipwarden"));
    command.arg("analyze").args(arguments).args(files).stdin(Stdio::null());
    command.output().unwrap()
}

fn document(name: &str) -> (Option<i32>, Value) {
    let output = analyze(&["--json"], &[&recording(name)]);
    (output.status.code(), serde_json::from_slice(&output.stdout).expect("a document"))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The causes of the verdicts to which a router went, in order, each verdict once.
fn verdicts(document: &Value) -> Vec<(String, Vec<String>)> {
    let events = document["events"].as_array().unwrap().iter().filter(|event| event["kind"] == "verdict");
    let causes = |event: &Value| serde_json::from_value(event["causes"].clone()).unwrap();
    events.map(|event| (event["to"].as_str().unwrap().to_owned(), causes(event))).collect()
}

#[test]
fn every_recording_says_again_what_its_daemon_said() {
    for name in NAMES {
        let expected = directory().join(format!("{name}.events.json"));
        let (_, document) = document(name);
        let events = document["events"].as_array().unwrap();
        if std::env::var_os("WRITE_RECORDINGS").is_some() {
            fs::write(&expected, serde_json::to_string_pretty(events).unwrap() + "\n").unwrap();
        }
        let expected: Vec<Value> = serde_json::from_slice(&fs::read(&expected).unwrap()).unwrap();
        assert!(expected.len() > 5, "{name}");
        for (event, expected) in events.iter().zip(&expected) {
            assert_eq!(event, expected, "{name}");
        }
        assert!(events.len() >= expected.len(), "{name}: {} events", events.len());
    }
}

#[test]
fn the_files_are_all_named_here_and_small() {
    let files = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let recordings: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|e| e == "recording")).collect();
    assert_eq!(recordings.len(), NAMES.len(), "{recordings:?}");
    for path in recordings {
        assert!(NAMES.contains(&path.file_stem().unwrap().to_str().unwrap()), "{}", path.display());
        assert!(fs::metadata(&path).unwrap().len() <= 200 << 10, "{}", path.display());
    }
}

#[test]
fn fault_3_is_told_with_its_cause_and_healed() {
    let (code, document) = document("split-firewall");
    assert_eq!(code, Some(2), "a split brain is in it");
    let verdicts = verdicts(&document);
    let split =
        verdicts.iter().position(|(to, causes)| to == "split_brain" && causes.contains(&"firewall_drop".into()));
    let split = split.unwrap_or_else(|| panic!("{verdicts:?}"));
    assert!(verdicts[split..].iter().any(|(to, _)| to == "healthy"), "{verdicts:?}");
    assert_eq!(document["routers"][0]["verdict"], "healthy");
}

#[test]
fn fault_14_is_told_with_its_cause_and_healed() {
    let (code, document) = document("stale-address");
    assert_eq!(code, Some(2));
    let verdicts = verdicts(&document);
    assert!(
        verdicts.iter().any(|(to, causes)| to == "split_brain" && causes.contains(&"stale_address".into())),
        "{verdicts:?}"
    );
    assert_eq!(verdicts.last().unwrap().0, "healthy", "{verdicts:?}");
}

#[test]
fn a_speaker_s_own_events_stand_among_the_watcher_s() {
    let (_, document) = document("speaker");
    let events = document["events"].as_array().unwrap();
    let states: Vec<&str> =
        events.iter().filter(|event| event["kind"] == "state").filter_map(|event| event["to"].as_str()).collect();
    let fenced = states.iter().position(|state| *state == "fenced");
    assert!(fenced.is_some_and(|at| states[at..].contains(&"master")), "{states:?}");
}

#[test]
fn a_recording_is_printed_like_a_capture_from_a_file_and_from_standard_input() {
    let path = recording("split-firewall");
    let output = analyze(&[], &[&path]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2));
    for part in ["web on eth0 (ipv4, VRID 51)", "at the end   healthy", "SPLIT BRAIN  20", "firewall_drop"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_vipwarden"))
        .args(["analyze", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap(), text);
}

#[test]
fn a_recording_is_analyzed_alone_and_is_no_capture() {
    let [one, other] = ["split-firewall", "stale-address"].map(recording);
    let output = analyze(&[], &[&one, &other]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("it is analyzed alone"), "{}", said(&output));
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/failover-v2.pcap");
    for files in [[&one, &capture], [&capture, &one]] {
        let files = files.map(PathBuf::as_path);
        assert_eq!(analyze(&[], &files).status.code(), Some(1));
    }
    let decoded = Command::new(env!("CARGO_BIN_EXE_vipwarden")).arg("decode").arg(&one).output().unwrap();
    assert!(said(&decoded).contains("a recording of vipwarden"), "{}", said(&decoded));
}

#[test]
fn a_damaged_recording_is_judged_up_to_the_damage_and_one_with_a_gap_says_so() {
    let whole = fs::read_to_string(recording("split-firewall")).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let middle = lines.len() / 2;
    let broken = |line: &str| [&lines[..middle], &[line], &lines[middle..]].concat().join("\n") + "\n";
    let at: Value = serde_json::from_str(lines[middle]).unwrap();
    let gap = serde_json::json!({ "at": at["at"], "do": { "lost": 3 } }).to_string();
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("damaged");
    for (text, code, message) in [
        (broken("{}"), 2, format!("record {middle}, at byte ")),
        (broken(&gap), 2, "3 records are missing".into()),
        (whole[..whole.len() - 9].into(), 2, "ends in the middle of a record".into()),
        (lines[0].into(), 1, "ends before anything was recorded".into()),
        (whole.replacen(":1,", ":9,", 1), 1, "a recording of form 9".into()),
    ] {
        fs::write(&path, text).unwrap();
        let output = analyze(&[], &[&path]);
        assert_eq!(output.status.code(), Some(code), "{message}: {}", said(&output));
        assert!(said(&output).contains(&message), "{message}: {}", said(&output));
    }
}

/// The `nth` number in a line, depth first.
fn number<'a>(value: &'a mut Value, nth: &mut usize) -> Option<&'a mut Value> {
    match value {
        Value::Number(_) if *nth == 0 => Some(value),
        Value::Number(_) => {
            *nth -= 1;
            None
        }
        Value::Array(items) => items.iter_mut().find_map(|item| number(item, nth)),
        Value::Object(fields) => fields.values_mut().find_map(|field| number(field, nth)),
        _ => None,
    }
}

/// Replays lines for as long as they are records.
fn play(lines: &[String]) {
    let text = lines.concat();
    let mut reader = Reader::new(text.as_bytes()).expect("a header");
    let Ok(Some(first)) = reader.next_record() else { return };
    let mut replay = Replay::start(first).expect("a start");
    while let Ok(Some(record)) = reader.next_record() {
        replay.take(record).expect("no other start");
    }
    replay.snapshot();
}

#[test]
fn whatever_number_stands_in_a_recording_no_replay_panics() {
    for seed in ["speaker", "split-firewall"] {
        let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/recording").join(seed);
        let lines: Vec<String> = fs::read_to_string(seed).unwrap().lines().map(|line| line.to_owned() + "\n").collect();
        for (line, nth) in (1..lines.len()).flat_map(|line| (0..40).map(move |nth| (line, nth))) {
            let value: Value = serde_json::from_str(&lines[line]).unwrap();
            for edge in [0, u64::from(u32::MAX), i64::MAX as u64, u64::MAX] {
                let mut value = value.clone();
                let Some(found) = number(&mut value, &mut { nth }) else { break };
                *found = edge.into();
                let mut lines = lines.clone();
                lines[line] = value.to_string() + "\n";
                let outcome = std::panic::catch_unwind(|| play(&lines));
                assert!(outcome.is_ok(), "{}", lines[line]);
            }
        }
    }
}
