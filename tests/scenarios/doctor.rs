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
        command.args(["doctor", "--json", "--config"]).arg(&file);
        Self::by(command)
    }

    fn by(mut command: std::process::Command) -> Self {
        let output = command.output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let document = serde_json::from_str(&text);
        let complaint = || format!("{text}{}", String::from_utf8_lossy(&output.stderr));
        Self(document.unwrap_or_else(|error| panic!("{error}: {}", complaint())), output.status.code())
    }

    fn of_check(&self, check: &str) -> impl Iterator<Item = &Value> {
        let findings = self.0["findings"].as_array().expect("a list");
        findings.iter().filter(move |finding| finding["check"] == check)
    }

    /// The finding of a check, with that severity, whose text has `word` in it.
    fn finding(&self, check: &str, severity: &str, word: &str) -> &Value {
        let found = self.of_check(check).find(|f| f["severity"] == severity && f["seen"].to_string().contains(word));
        found.unwrap_or_else(|| panic!("no {severity} {check} with {word}: {:#}", self.0))
    }

    /// The critical finding of a check, whose text has `word` in it.
    fn critical(&self, check: &str, word: &str) -> &Value {
        assert_eq!(self.1, Some(2), "{:#}", self.0);
        self.finding(check, "critical", word)
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

/// Two cards in one network: by default each answers for the other's address.
#[test]
fn doctor_names_two_cards_that_answer_for_each_other_and_its_commands_part_them_fault_32() {
    let stand = Stand::settled(Flavour::V3);
    let (a, b) = (stand.lab.node("a"), stand.lab.node("b"));
    for line in [
        "ip link add second type veth peer name other",
        "ip link set other up",
        "ip link set second up",
        "ip addr add 10.9.9.66/24 dev second",
    ] {
        b.exec(line).expect("the second card is made");
    }
    let answers = || a.exec("arping -c 1 -w 1 -I eth0 10.9.9.66").is_ok();
    assert!(answers(), "eth0 answers for the address of the other card");
    let report = stand.examine("b");
    for check in ["arp_ignore", "arp_announce"] {
        mend(b, report.finding(check, "warning", "second stands in the same network"));
    }
    assert!(!answers(), "and does so no more");
    let after = stand.examine("b");
    after.assert_clean_of("arp_ignore");
    after.assert_clean_of("arp_announce");
    stand.expect_holders(true, false);
}

#[test]
fn doctor_names_a_link_that_has_flapped_and_worse_one_that_flaps_while_it_looks_fault_25() {
    let stand = Stand::settled(Flavour::V3);
    let b = stand.lab.node("b");
    let flap = || {
        for state in ["down", "up"] {
            let plug = ["-n", b.switch(), "link", "set", "dev", b.name(), state];
            assert!(std::process::Command::new("ip").args(plug).status().expect("ip runs").success());
        }
    };
    stand.examine("b").assert_clean_of("link");
    (0..12).for_each(|_| flap());
    stand.examine("b").finding("link", "warning", "since it is there");
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                flap();
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
        });
        let report = stand.examine("b");
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        report.critical("link", "while this looked");
    });
    stand.expect_holders(true, false);
}

/// The clock of this machine can't be changed for one host; what the kernel says of it can be, in a mount namespace.
#[test]
fn doctor_names_a_clock_that_hides_pauses_and_the_one_to_take() {
    let stand = Stand::settled(Flavour::V3);
    let a = stand.lab.node("a");
    let directory = a.scratch().expect("a directory").join("clock");
    std::fs::create_dir(&directory).expect("a directory");
    std::fs::write(directory.join("available_clocksource"), "kvm-clock tsc acpi_pm \n").expect("a file");
    let config = a.scratch().expect("a directory").join("clock.toml");
    std::fs::write(&config, "[watch]\ninterfaces = [\"eth0\"]\n").expect("a file");
    for (clock, severity) in [("kvm-clock", "info"), ("tsc", "ok")] {
        std::fs::write(directory.join("current_clocksource"), format!("{clock}\n")).expect("a file");
        let mut command = a.command("unshare");
        let script = "mount --bind \"$0\" /sys/devices/system/clocksource/clocksource0 && exec \"$@\"";
        command.args(["--mount", "sh", "-c", script]).arg(&directory).arg(vipwarden());
        command.args(["doctor", "--json", "--config"]).arg(&config);
        let report = Report::by(command);
        let finding = report.finding("clock source", severity, clock);
        let mend = finding["mend"].as_str().unwrap_or_default();
        assert_eq!(mend.starts_with("echo tsc | sudo tee /sys/"), severity == "info", "{finding:#}");
    }
}

#[test]
fn doctor_names_a_certificate_that_ends_soon_and_is_content_once_it_is_renewed() {
    let stand = Stand::settled(Flavour::V3);
    let a = stand.lab.node("a");
    let file = |name: &str| a.scratch().expect("a directory").join(name);
    let (key, ca) = (file("ca.key"), file("ca.pem"));
    let sections = format!(
        "[[peer]]\nname = \"other\"\naddress = \"10.9.9.2\"\nurls = [\"https://10.9.9.2:10112\"]\nca_file = \"{}\"\n",
        ca.display()
    );
    for (days, severity, word) in [(3, "warning", "expires in 2 days"), (400, "ok", "good for 399 days")] {
        let mut openssl = std::process::Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        openssl.args(["-subj", "/CN=lab", "-days", &days.to_string(), "-keyout"]).arg(&key).arg("-out").arg(&ca);
        assert!(openssl.output().expect("openssl runs").status.success());
        let report = Report::of(a, &sections);
        let finding = report.finding("certificate", severity, word);
        assert_eq!(finding["subject"], ca.display().to_string(), "{finding:#}");
    }
}
