//! `analyze` and `decode` over capture files: real ones (`tests/captures`) and ones that are made up here.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use vipwarden::time::{Duration, Seconds};
use vipwarden::wire::{Advert, Auth, ChecksumForm, Interval, MacAddr, Version, frame};

const SECOND: u64 = 1_000_000_000;

fn vipwarden(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vipwarden"));
    command.args(args);
    command
}

fn run(args: &[&str]) -> Output {
    vipwarden(args).stdin(Stdio::null()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn capture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(name).to_str().unwrap().into()
}

/// Exit code and document of `analyze --json` over files.
fn analyze(files: &[&str]) -> (i32, Value) {
    let output = run(&[&["analyze", "--json"], files].concat());
    let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    (output.status.code().unwrap(), document)
}

/// The only router of a document.
fn router(document: &Value) -> &Value {
    let routers = document["routers"].as_array().unwrap();
    assert_eq!(routers.len(), 1, "{document:#}");
    &routers[0]
}

/// Changes of master as (from, to).
fn masters(router: &Value) -> Vec<(Option<&str>, Option<&str>)> {
    let transitions = router["transitions"].as_array().unwrap();
    transitions.iter().map(|t| (t["from"].as_str(), t["to"].as_str())).collect()
}

/// Files that are gone at the end of the test.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn add(&self, name: &str, bytes: &[u8]) -> String {
        let path: PathBuf = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().into()
    }
}

/// A pcap file with nanoseconds out of Ethernet frames.
fn pcap(frames: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut file = [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 65535, 1].map(u32::to_le_bytes).concat();
    for (nanos, frame) in frames {
        let length = frame.len() as u32;
        let header = [(nanos / SECOND) as u32, (nanos % SECOND) as u32, length, length];
        file.extend(header.map(u32::to_le_bytes).concat());
        file.extend(frame);
    }
    file
}

fn advert(host: u8, priority: u8) -> Advert {
    Advert {
        mac: Some(MacAddr(2, 0, 0, 0, 0, host)),
        source: [10, 9, 9, host].into(),
        destination: [224, 0, 0, 18].into(),
        ttl: 255,
        version: Version::V2,
        vrid: 51,
        priority,
        interval: Interval::Seconds(Seconds(1)),
        auth: Auth::None,
        checksum: ChecksumForm::Message,
        addresses: vec![[10, 9, 9, 100].into()],
    }
}

/// An advert a second from `host`, from second `from` on.
fn adverts(host: u8, priority: u8, from: u64, count: u64) -> Vec<(u64, Vec<u8>)> {
    let bytes = frame::advert(&advert(host, priority), None).unwrap();
    (from..from + count).map(|second| (second * SECOND, bytes.clone())).collect()
}

/// A frame that concerns nobody, but shows that the capture went on.
fn passing_by(second: u64) -> (u64, Vec<u8>) {
    let arp = frame::arp_request(MacAddr(2, 0, 0, 0, 0, 9), [10, 9, 9, 9].into(), [10, 9, 9, 8].into());
    (second * SECOND, arp)
}

#[test]
fn a_graceful_failover_and_its_way_back_are_no_split_in_any_file_format() {
    for (file, interface) in [
        ("failover-v2.pcap", "capture"),
        ("failover-password.pcapng", "br0"),
        ("failover-sll.pcap", "capture"),
        ("failover-sll2.pcap", "if2"),
    ] {
        let (code, document) = analyze(&[&capture(file)]);
        let router = router(&document);
        assert_eq!((code, &router["verdict"]), (0, &"healthy".into()), "{file}: {router:#}");
        assert_eq!(router["masters"], serde_json::json!(["10.9.9.1"]), "{file}");
        let (a, b) = (Some("10.9.9.1"), Some("10.9.9.2"));
        assert_eq!(masters(router), [(None, a), (a, b), (b, a)], "{file}");
        assert_eq!(router["split_brain_episodes"], serde_json::json!([]), "{file}");
        assert_eq!(router["split_brain_seconds"], 0.0, "{file}");
        assert_eq!((&router["interface"], &router["role"]), (&interface.into(), &"observer".into()), "{file}");
    }
}

#[test]
fn a_graceful_failover_over_ipv6_is_no_split() {
    let (code, document) = analyze(&[&capture("failover-ipv6.pcap")]);
    let router = router(&document);
    assert_eq!((code, &router["verdict"]), (0, &"healthy".into()), "{router:#}");
    assert_eq!((&router["family"], &router["vip"]), (&"ipv6".into(), &"2001:db8::100".into()));
    assert_eq!(masters(router).len(), 3, "{router:#}");
}

#[test]
fn a_crash_at_100_ms_is_one_failover() {
    let (code, document) = analyze(&[&capture("crash-v3-100ms.pcap")]);
    let router = router(&document);
    assert_eq!((code, &router["verdict"]), (0, &"healthy".into()), "{router:#}");
    assert_eq!(router["masters"], serde_json::json!(["10.9.9.2"]));
    assert_eq!(router["transitions"].as_array().unwrap().last().unwrap()["to"], "10.9.9.2");
    assert_eq!(router["split_brain_episodes"], serde_json::json!([]));
}

#[test]
fn a_split_that_healed_is_critical_and_has_its_length() {
    let (code, document) = analyze(&[&capture("split-firewall.pcap")]);
    let router = router(&document);
    assert_eq!((code, &router["verdict"]), (2, &"healthy".into()), "{router:#}");
    let episodes = router["split_brain_episodes"].as_array().unwrap();
    assert_eq!(episodes.len(), 1, "{router:#}");
    assert!(episodes[0]["start"].as_str().unwrap() < episodes[0]["end"].as_str().unwrap(), "{router:#}");
    let seconds = router["split_brain_seconds"].as_f64().unwrap();
    assert!((3.0..15.0).contains(&seconds), "{seconds}");
}

#[test]
fn a_split_at_the_end_is_open_and_nobody_invents_its_end() {
    let mut frames = [adverts(1, 150, 1000, 20), adverts(2, 100, 1010, 10)].concat();
    frames.sort_by_key(|(nanos, _)| *nanos);
    let (code, document) = analyze(&[&Files::new().add("open.pcap", &pcap(&frames))]);
    let router = router(&document);
    assert_eq!((code, &router["verdict"]), (2, &"split_brain".into()), "{router:#}");
    let episodes = router["split_brain_episodes"].as_array().unwrap();
    assert_eq!((episodes.len(), &episodes[0]["end"]), (1, &Value::Null), "{router:#}");
    assert_eq!(router["masters"], serde_json::json!(["10.9.9.1", "10.9.9.2"]));
    assert_eq!(router["split_brain_seconds"], 9.0);
}

#[test]
fn two_masters_that_speak_different_versions_are_a_split_and_that_is_its_cause() {
    let (code, document) = analyze(&[&capture("split-versions.pcap")]);
    let router = router(&document);
    assert_eq!(code, 2, "{router:#}");
    let episodes = router["split_brain_episodes"].as_array().unwrap();
    let named = |episode: &Value| episode["causes"].as_array().unwrap().contains(&"version_mismatch".into());
    assert!(!episodes.is_empty() && episodes.iter().all(named), "{router:#}");
}

#[test]
fn the_readable_report_says_what_the_document_says() {
    let output = run(&["analyze", &capture("split-firewall.pcap")]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(2));
    for part in
        ["10.9.9.100/51 on capture", "at the end   healthy", "SPLIT BRAIN  20", "split for    1", "nobody -> 10.9.9.1"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn a_capture_in_pieces_is_judged_like_the_whole_in_whatever_order_they_are_named() {
    let mut frames = [adverts(1, 150, 1000, 30), adverts(2, 100, 1010, 10)].concat();
    frames[30..].iter_mut().for_each(|(nanos, _)| *nanos += SECOND / 2);
    let files = Files::new();
    let mut whole = frames.clone();
    whole.sort_by_key(|(nanos, _)| *nanos);
    let expected = analyze(&[&files.add("whole.pcap", &pcap(&whole))]);
    let one = files.add("one.pcap", &pcap(&frames[..30]));
    let two = files.add("two.pcap", &pcap(&frames[30..]));
    assert_eq!(expected.0, 2, "{:#}", expected.1);
    assert_eq!(analyze(&[&one, &two]), expected);
    assert_eq!(analyze(&[&two, &one]), expected);
}

#[test]
fn nobody_serving_at_the_end_is_critical_and_silence_behind_the_end_is_not_invented() {
    let files = Files::new();
    let served = adverts(1, 150, 1000, 20);
    let (code, document) = analyze(&[&files.add("served.pcap", &pcap(&served))]);
    assert_eq!((code, &router(&document)["verdict"]), (0, &"healthy".into()), "{document:#}");

    let deserted = [served, (1021..1040).map(passing_by).collect()].concat();
    let (code, document) = analyze(&[&files.add("deserted.pcap", &pcap(&deserted))]);
    assert_eq!((code, &router(&document)["verdict"]), (2, &"no_master".into()), "{document:#}");
}

#[test]
fn years_between_two_frames_are_not_walked_second_by_second() {
    let files = Files::new();
    let frames = [adverts(1, 150, 1, 5), adverts(1, 150, 4_000_000_000, 10)].concat();
    let (code, document) = analyze(&[&files.add("years.pcap", &pcap(&frames))]);
    assert_eq!((code, &document["frames"]), (0, &15.into()), "{document:#}");
    let backwards = [adverts(1, 150, 4_000_000_000, 5), adverts(1, 150, 1, 5)].concat();
    let (_, document) = analyze(&[&files.add("backwards.pcap", &pcap(&backwards))]);
    assert_eq!(document["frames"], 10);
}

#[test]
fn a_capture_without_adverts_is_a_warning_that_says_so() {
    let file = Files::new();
    let path = file.add("quiet.pcap", &pcap(&[passing_by(1000), passing_by(1001)]));
    let output = run(&["analyze", &path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no virtual router to judge: 0 adverts in 2 frames"), "{}", stderr(&output));
}

#[test]
fn refused_adverts_are_counted_by_reason_and_make_no_router() {
    let far = Advert { ttl: 254, ..advert(1, 150) };
    let files = Files::new();
    let path = files.add("far.pcap", &pcap(&[(1000 * SECOND, frame::advert(&far, None).unwrap())]));
    let (code, document) = analyze(&[&path]);
    assert_eq!((code, &document["adverts"]), (1, &0.into()), "{document:#}");
    assert_eq!(document["rejected"], serde_json::json!({ "ttl": 1 }));
    assert!(stdout(&run(&["decode", &path])).trim_end().ends_with("REJECTED: ttl"));
}

#[test]
fn a_file_that_is_cut_short_is_judged_up_to_there_and_says_where() {
    let whole = pcap(&adverts(1, 150, 1000, 20));
    let files = Files::new();
    let path = files.add("cut.pcap", &whole[..whole.len() - 7]);
    let record = (whole.len() - 24) / 20;
    let message = format!("cut.pcap: the file is cut short: the record at byte {} is not complete", 24 + 19 * record);

    let output = run(&["analyze", "--json", &path]);
    assert_eq!(output.status.code(), Some(1), "a warning");
    assert!(stderr(&output).contains(&message), "{}", stderr(&output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["adverts"], 19);

    let output = run(&["decode", &path]);
    assert_eq!((output.status.code(), stdout(&output).lines().count()), (Some(1), 19));
    assert!(stderr(&output).contains(&message), "{}", stderr(&output));
}

#[test]
fn foreign_and_missing_files_are_named_and_fail() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for command in ["analyze", "decode"] {
        let output = run(&[command, manifest]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("Cargo.toml: not a pcap or pcapng file"), "{}", stderr(&output));
        let output = run(&[command, "no/such.pcap"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).starts_with("no/such.pcap: No such file"), "{}", stderr(&output));
        assert_eq!(run(&[command]).status.code(), Some(64));
    }
}

#[test]
fn a_minus_sign_is_standard_input() {
    let bytes = std::fs::read(capture("split-versions.pcap")).unwrap();
    for (command, code) in [("analyze", 2), ("decode", 0)] {
        let mut child = vipwarden(&[command, "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{command}");
        assert!(stdout(&output).contains("10.9.9.2"), "{command}");
    }
}

#[test]
fn decode_prints_each_advert_and_never_the_password() {
    let output = run(&["decode", &capture("failover-password.pcapng")]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0));
    let first = "br0 10.9.9.1 -> 224.0.0.18 VRRPv2 vrid 51 priority 150 interval 1s auth password checksum message addresses \
                 10.9.9.100";
    assert!(text.lines().next().unwrap().ends_with(first), "{text}");
    assert!(text.lines().any(|line| line.contains("10.9.9.1 ") && line.contains(" priority 0 ")), "{text}");
    assert!(!text.contains("secret12"), "{text}");
    let analyzed = run(&["analyze", &capture("failover-password.pcapng")]);
    assert!(!stdout(&analyzed).contains("secret12"), "{}", stdout(&analyzed));
}

#[test]
fn decode_shows_what_the_capturing_host_sent_itself() {
    for file in ["failover-sll.pcap", "failover-sll2.pcap"] {
        let text = stdout(&run(&["decode", &capture(file)]));
        for line in text.lines() {
            assert_eq!(line.contains("10.9.9.2 ->"), line.ends_with("(sent by the capturing host)"), "{line}");
        }
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let files = Files::new();
    let path = files.add("long.pcap", &pcap(&adverts(1, 150, 1000, 20_000)));
    let mut child = vipwarden(&["decode", &path]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}

#[test]
fn an_advert_at_one_vlan_and_one_at_another_are_two_routers() {
    let tagged = |vlan: u8| -> Vec<(u64, Vec<u8>)> {
        let tag = |mut bytes: Vec<u8>| {
            bytes.splice(12..12, [0x81, 0x00, 0x00, vlan]);
            bytes
        };
        adverts(vlan, 150, 1000, 10).into_iter().map(|(nanos, bytes)| (nanos, tag(bytes))).collect()
    };
    let mut frames = [tagged(7), tagged(8)].concat();
    frames.sort_by_key(|(nanos, _)| *nanos);
    let (code, document) = analyze(&[&Files::new().add("vlans.pcap", &pcap(&frames))]);
    let vlans: Vec<&Value> = document["routers"].as_array().unwrap().iter().map(|router| &router["vlan"]).collect();
    assert_eq!((code, vlans), (0, vec![&7.into(), &8.into()]), "{document:#}");
    for router in document["routers"].as_array().unwrap() {
        assert_eq!(masters(router).len(), 1, "{router:#}");
    }
}

#[test]
fn the_document_has_every_field_that_the_interface_promises() {
    let (_, document) = analyze(&[&capture("split-versions.pcap")]);
    let router = router(&document);
    for field in [
        "name",
        "vip",
        "interface",
        "vlan",
        "family",
        "vrid",
        "mode",
        "role",
        "state",
        "verdict",
        "since",
        "causes",
        "findings",
        "masters",
        "holders",
        "speakers",
        "addresses",
        "priority",
        "tracks",
        "fence",
        "arbiter",
        "evidence",
        "transitions",
        "split_brain_episodes",
        "split_brain_seconds",
    ] {
        assert!(router.get(field).is_some(), "{field} is missing in {router:#}");
    }
    assert!(Duration::from_secs_f64(router["split_brain_seconds"].as_f64().unwrap()) > Duration::ZERO);
    assert!(document["frames"].as_u64() >= document["adverts"].as_u64());
}
