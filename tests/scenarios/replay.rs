//! What a daemon recorded, `analyze` says again: the same events, with their numbers, dates, causes and evidence.
//!
//! With `WRITE_RECORDINGS=1` what is recorded here replaces what `tests/recordings` holds.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::lab::second::join;
use crate::lab::{Daemon, Firewall, Flavour, Hook, Keepalived, Node, Stage, Watch, until, vipwarden};

const PASSWORD: &str = "geheim11";

/// A daemon that records.
struct Recorded {
    watch: Watch,
    file: PathBuf,
}

impl Recorded {
    fn file(node: &Node) -> PathBuf {
        node.scratch().expect("a scratch directory").join("recording")
    }

    fn start(node: &Node, sections: &str) -> Self {
        let file = Self::file(node);
        let flags = ["--record", file.to_str().expect("a path in plain letters")];
        let watch = Watch(Daemon::start_by(node, &[], vipwarden(), sections, &flags).expect("vipwarden starts"));
        Self { watch, file }
    }

    /// Ends it, and compares what it served with what its recording says.
    fn expect_the_same(mut self, name: &str) -> Value {
        let served = self.watch.get("/api/v1/events").expect("events are served");
        assert_eq!(self.watch.process().stop().expect("vipwarden stops"), Some(0));
        let output = Command::new(vipwarden()).args(["analyze", "--json"]).arg(&self.file).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.is_empty(), "nothing is missing: {said}");
        let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
        let events: Vec<Value> = serde_json::from_str(&served).expect("a list");
        let replayed = document["events"].as_array().expect("a list");
        assert!(events.len() > 5, "{served}");
        // What was told after the question is in the recording alone.
        assert_eq!(replayed.get(..events.len()), Some(&events[..]));
        keep(name, &self.file, &events);
        document
    }

    /// Fails if a secret is in the file, as it is or as the numbers of its bytes.
    fn expect_no(&self, secret: &str) {
        let text = std::fs::read_to_string(&self.file).expect("a recording");
        let numbers = serde_json::to_string(secret.as_bytes()).expect("a list");
        assert!(!text.contains(secret) && !text.contains(numbers.trim_matches(['[', ']'])), "{secret} is in it");
    }
}

/// Writes down what was recorded, and what was served then, if that is asked for.
fn keep(name: &str, file: &Path, events: &[Value]) {
    if std::env::var_os("WRITE_RECORDINGS").is_none() {
        return;
    }
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    std::fs::copy(file, directory.join(format!("{name}.recording"))).expect("the recording is kept");
    let events = serde_json::to_string_pretty(events).expect("a list") + "\n";
    std::fs::write(directory.join(format!("{name}.events.json")), events).expect("the events are kept");
}

/// A split by `b`'s firewall, its healing, and a stale address on `a`, all with a password that must not be in the recordings.
#[test]
fn faults_3_and_14_are_replayed_as_they_were_told() {
    let stage = Stage::new(Flavour::V2);
    let instance = |node, priority| {
        let mut instance = stage.instance(node, priority);
        instance.lines.push(format!("authentication {{\n auth_type PASS\n auth_pass {PASSWORD}\n}}"));
        instance
    };
    let start = |node, priority| Keepalived::start(node, &instance(node, priority)).expect("keepalived starts");
    let (first, _second) = (start(&stage.a, 200), start(&stage.b, 100));
    let sections = |node: &Node| {
        let told = node.scratch().expect("a scratch directory").join("keepalived.conf");
        format!(
            "[watch]\nkeepalived_conf = \"{}\"\n[[router]]\nname = \"web\"\ninterface = \"eth0\"\nvrid = 51\nversion = 2\n\
             addresses = [\"{}/24\"]\nauth_pass = \"{PASSWORD}\"\n",
            told.display(),
            stage.flavour.vip()
        )
    };
    let [a, b] = [&stage.a, &stage.b].map(|node| Recorded::start(node, &sections(node)));
    let healthy = || {
        for recorded in [&a, &b] {
            recorded.watch.expect("it is healthy with a as master", |router| {
                router["verdict"] == "healthy" && router["masters"] == serde_json::json!([stage.a.ipv4()])
            });
        }
    };
    healthy();
    let fault = Firewall::block(&stage.b, Hook::Input);
    b.watch.expect_verdict("split_brain", &["firewall_drop"]);
    a.watch.expect_verdict("split_brain", &[]);
    // It stands longer than any takeover.
    let episodes = |recorded: &Recorded| recorded.watch.metric("vrrp_split_brain_episodes_total", &["vrid=\"51\""]);
    until("both count the split", || episodes(&a) == 1.0 && episodes(&b) == 1.0);
    fault.heal();
    healthy();
    first.kill().expect("keepalived dies");
    a.watch.expect_verdict("split_brain", &["stale_address"]);
    let reloaded = b.watch.ask(&["reload"]).expect("it runs");
    assert!(reloaded.status.success(), "{}", String::from_utf8_lossy(&reloaded.stdout));
    let _first = start(&stage.a, 200);
    healthy();

    for recorded in [&a, &b] {
        recorded.expect_no(PASSWORD);
    }
    for (recorded, name) in [(a, "stale-address"), (b, "split-firewall")] {
        let document = recorded.expect_the_same(name);
        let router = &document["routers"][0];
        assert_eq!((&router["name"], &router["verdict"]), (&"web".into(), &"healthy".into()), "{router:#}");
        assert!(!router["split_brain_episodes"].as_array().expect("a list").is_empty(), "{router:#}");
    }
}

/// A speaker gives mastership away, is fenced and comes back; its peer reports over a second network.
#[test]
fn what_a_speaker_sees_and_tells_of_itself_is_replayed_too() {
    let stage = Stage::new(Flavour::V3);
    join(&stage.a, &stage.b);
    let [a, b] = [(&stage.a, 200), (&stage.b, 100)].map(|(node, priority)| {
        let file = Recorded::file(node);
        Recorded { watch: stage.recording_speaker(node, priority, &file), file }
    });
    a.watch.expect("a is master", |router| router["state"] == "master" && router["verdict"] == "healthy");
    b.watch.expect("b is backup", |router| router["state"] == "backup" && router["verdict"] == "healthy");
    let fenced = a.watch.ask(&["fence", "web"]).expect("it runs");
    assert!(fenced.status.success(), "{}", String::from_utf8_lossy(&fenced.stderr));
    stage.expect_holders(false, true);
    a.watch.expect("a is fenced", |router| router["state"] == "fenced");
    assert!(a.watch.ask(&["unfence", "web"]).expect("it runs").status.success());
    stage.expect_holders(true, false);
    a.watch.expect("a is master again", |router| router["state"] == "master" && router["verdict"] == "healthy");

    let key = std::fs::read_to_string(stage.a.scratch().expect("a scratch directory").join("cluster.key"));
    for recorded in [&a, &b] {
        recorded.expect_no(key.as_ref().expect("the cluster has a key"));
    }
    let document = a.expect_the_same("speaker");
    let events = document["events"].as_array().expect("a list");
    assert!(events.iter().any(|event| event["kind"] == "state" && event["to"] == "fenced"), "{events:#?}");
    b.expect_the_same("speaker-peer");
}
