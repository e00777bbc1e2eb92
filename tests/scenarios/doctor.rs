//! `doctor` on hosts where the fault is made for real: it names the fault, and the very command that it prints mends it.

use crate::lab::{Firewall, Flavour, Hook, Keepalived, Lab, Node, Pair, Slot, until, vipwarden};
use serde_json::Value;

/// A pair of keepaliveds without vipwardens: `a` is master.
struct Stand {
    a: Keepalived,
    _b: Keepalived,
    lab: Lab,
    flavour: Flavour,
    _slot: Slot,
}

impl Stand {
    fn settled(flavour: Flavour) -> Self {
        let slot = Slot::take();
        let lab = Lab::new(&["a", "b"]).expect("the laboratory is made (needs root)");
        let (a, b) = (lab.node("a").clone(), lab.node("b").clone());
        let start = |node: &Node, peer: &Node, priority| {
            Keepalived::start(node, &flavour.instance(node, peer, priority)).expect("keepalived starts")
        };
        let stand = Self { a: start(&a, &b, 200), _b: start(&b, &a, 100), lab, flavour, _slot: slot };
        stand.expect_holders(true, false);
        stand
    }

    fn expect_holders(&self, a: bool, b: bool) {
        let holds = |name| crate::lab::holds(self.lab.node(name), self.flavour.vip());
        until(&format!("a holds the VIP: {a}, b holds it: {b}"), || holds("a") == a && holds("b") == b);
    }

    fn examine(&self, name: &str) -> Report {
        Report::of(self.lab.node(name), "")
    }
}

/// What it printed, and its exit code.
struct Report(Value, Option<i32>);

impl Report {
    fn of(node: &Node, sections: &str) -> Self {
        let file = node.scratch().expect("a directory").join("doctor.toml");
        // A veth is none that is sniffed by default.
        std::fs::write(&file, format!("[watch]\ninterfaces = [\"eth0\"]\n{sections}")).expect("a file");
        let mut command = node.command(vipwarden());
        let output = command.args(["doctor", "--json", "--config"]).arg(&file).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let document = serde_json::from_str(&text);
        let complaint = || format!("{text}{}", String::from_utf8_lossy(&output.stderr));
        Self(document.unwrap_or_else(|error| panic!("{error}: {}", complaint())), output.status.code())
    }

    fn of_check(&self, check: &str) -> impl Iterator<Item = &Value> {
        let findings = self.0["findings"].as_array().expect("a list");
        findings.iter().filter(move |finding| finding["check"] == check)
    }

    /// The critical finding of a check, whose text has `word` in it.
    fn critical(&self, check: &str, word: &str) -> &Value {
        let found = self.of_check(check).find(|f| f["severity"] == "critical" && f["seen"].to_string().contains(word));
        assert_eq!(self.1, Some(2), "{:#}", self.0);
        found.unwrap_or_else(|| panic!("no critical {check} with {word}: {:#}", self.0))
    }

    fn assert_clean_of(&self, check: &str) {
        let bad = self.of_check(check).find(|finding| finding["severity"] != "ok");
        assert!(bad.is_none() && self.of_check(check).next().is_some(), "{:#}", self.0);
    }
}

/// Runs the command that a finding gives, in the host's shell.
fn mend(node: &Node, finding: &Value) {
    let command = finding["mend"].as_str().expect("a command");
    let done = node.command("sh").args(["-c", command]).output().expect("sh runs");
    assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn doctor_finds_nothing_wrong_with_a_healthy_pair() {
    let stand = Stand::settled(Flavour::V3);
    for name in ["a", "b"] {
        let report = stand.examine(name);
        for check in
            ["virtual router", "firewall", "output test", "rp_filter", "link", "VRRP daemon", "multicast group"]
        {
            report.assert_clean_of(check);
        }
        assert_eq!(report.1, Some(0), "{:#}", report.0);
    }
}

#[test]
fn doctor_names_the_rule_in_input_that_drops_adverts_and_its_command_mends_it_fault_2() {
    let stand = Stand::settled(Flavour::V3);
    let _fault = Firewall::block(stand.lab.node("b"), Hook::Input);
    stand.expect_holders(true, true);
    let report = stand.examine("b");
    report.critical("virtual router", "split_brain");
    mend(stand.lab.node("b"), report.critical("firewall", "input"));
    stand.expect_holders(true, false);
    let after = stand.examine("b");
    after.assert_clean_of("firewall");
    after.assert_clean_of("virtual router");
}

#[test]
fn doctor_names_the_rule_in_output_that_drops_ipv6_adverts_and_its_command_mends_it_fault_26() {
    let stand = Stand::settled(Flavour::V6);
    let _fault = Firewall::block(stand.lab.node("a"), Hook::Output);
    stand.expect_holders(true, true);
    let report = stand.examine("a");
    report.critical("output test", "refuses");
    mend(stand.lab.node("a"), report.critical("firewall", "output"));
    stand.expect_holders(true, false);
    let after = stand.examine("a");
    after.assert_clean_of("firewall");
    after.assert_clean_of("output test");
}

#[test]
fn doctor_names_the_rule_at_ingress_that_drops_adverts_and_its_command_mends_it_fault_27() {
    let stand = Stand::settled(Flavour::V3);
    let _fault = Firewall::block(stand.lab.node("b"), Hook::Ingress);
    stand.expect_holders(true, true);
    mend(stand.lab.node("b"), stand.examine("b").critical("firewall", "ingress"));
    stand.expect_holders(true, false);
    stand.examine("b").assert_clean_of("firewall");
}

#[test]
fn doctor_names_strict_reverse_path_filtering_that_drops_adverts_and_its_command_mends_it() {
    let stand = Stand::settled(Flavour::V3);
    let b = stand.lab.node("b");
    // A narrower network that has a's address in it.
    for line in [
        "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=1",
        "ip link add second type veth peer name other",
        "ip link set other up",
        "ip link set second up",
        "ip addr add 10.9.9.6/29 dev second",
    ] {
        b.exec(line).expect("the second way is made");
    }
    stand.expect_holders(true, true);
    mend(b, stand.examine("b").critical("rp_filter", "strict"));
    stand.expect_holders(true, false);
    stand.examine("b").assert_clean_of("rp_filter");
}

#[test]
fn doctor_names_a_stopped_daemon_and_its_command_wakes_it_fault_15() {
    let stand = Stand::settled(Flavour::V3);
    stand.a.signal_child(19).expect("SIGSTOP");
    stand.expect_holders(true, true);
    let report = stand.examine("a");
    mend(stand.lab.node("a"), report.critical("VRRP daemon", "stopped"));
    stand.expect_holders(true, false);
    stand.examine("a").assert_clean_of("VRRP daemon");
}

#[test]
fn doctor_is_at_peace_beside_a_daemon_of_its_own_and_asks_the_peers() {
    let sections = |_: &Node, peer: &Node| {
        format!("[[peer]]\nname = \"other\"\naddress = \"{0}\"\nurls = [\"http://{0}:10112\"]\n", peer.ipv4())
    };
    let mut pair = Pair::with_nodes(Flavour::V3, &[], sections);
    pair.start();
    pair.expect_master_a();
    let report = Report::of(&pair.a.node, &sections(&pair.a.node, &pair.b.node));
    report.assert_clean_of("virtual router");
    let peer = report.of_check("peer").next().expect("the peer is asked");
    assert!(["ok", "warning"].contains(&peer["severity"].as_str().unwrap_or_default()), "{:#}", report.0);
    pair.assert_never_split();
}

#[test]
fn doctor_refuses_a_bad_configuration() {
    let output = std::process::Command::new(vipwarden()).args(["doctor", "--config", "/nowhere.toml"]).output();
    assert_eq!(output.expect("it runs").status.code(), Some(64));
}
