//! A vipwarden that speaks, with the same words as [`super::Instance`] has for a keepalived.

use super::{Daemon, Flavour, Lab, Node, Slot, Watch, holds, until, vipwarden};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The `[[router]]` of a node whose peer is `peer`; `lines` are further keys, or other values of those that are here.
fn section(flavour: Flavour, node: &Node, peer: &Node, priority: u8, lines: &[&str]) -> String {
    let (version, interval) = if matches!(flavour, Flavour::V2) { (2, "1s") } else { (3, "100ms") };
    let addresses = match flavour {
        Flavour::V6 | Flavour::UnicastV6 => format!("\"fe80::100/64\", \"{}/64\"", flavour.vip()),
        _ => format!("\"{}/24\"", flavour.vip()),
    };
    let mut section = format!(
        "[[router]]\nname = \"web\"\nmode = \"speak\"\ninterface = \"eth0\"\nvrid = 51\nversion = {version}\n\
         advert_interval = \"{interval}\"\npriority = {priority}\naddresses = [{addresses}]\n"
    );
    // Writing to a String never fails.
    let _ = match flavour {
        Flavour::Vmac => writeln!(section, "vmac = true"),
        Flavour::Unicast => {
            writeln!(section, "source = \"{}\"\nunicast_peers = [\"{}\"]", node.ipv4(), peer.ipv4())
        }
        Flavour::UnicastV6 => {
            writeln!(section, "source = \"{}\"\nunicast_peers = [\"{}\"]", node.link_local(), peer.link_local())
        }
        Flavour::V2 | Flavour::V3 | Flavour::V6 => Ok(()),
    };
    let given = lines.iter().flat_map(|line| line.lines()).take_while(|line| !line.starts_with('['));
    for key in given.filter_map(|line| line.split_once('=')).map(|(key, _)| key) {
        section = section.split_inclusive('\n').filter(|line| !line.starts_with(&format!("{key}="))).collect();
    }
    for line in lines {
        let _ = writeln!(section, "{line}");
    }
    section
}

/// Two nodes, on which anything may run.
pub struct Stage {
    pub a: Node,
    pub b: Node,
    pub flavour: Flavour,
    // Fields are dropped in this order: the network goes last, and then the next test may come.
    lab: Lab,
    _slot: Slot,
}

impl Stage {
    /// The bare nodes.
    pub fn new(flavour: Flavour) -> Self {
        Self::of(flavour, &["a", "b"])
    }

    /// The nodes `a` and `b`, and others.
    pub fn of(flavour: Flavour, names: &[&str]) -> Self {
        Self::by(Slot::take(), flavour, names)
    }

    /// The bare nodes, for what leaves nothing of the machine to other scenarios.
    pub fn alone(flavour: Flavour) -> Self {
        Self::by(Slot::alone(), flavour, &["a", "b"])
    }

    fn by(slot: Slot, flavour: Flavour, names: &[&str]) -> Self {
        let lab = Lab::new(names).expect("the laboratory is made (needs root)");
        Self { a: lab.node("a").clone(), b: lab.node("b").clone(), flavour, lab, _slot: slot }
    }

    /// The node of that name.
    pub fn node(&self, name: &str) -> Node {
        self.lab.node(name).clone()
    }

    fn peer(&self, node: &Node) -> &Node {
        if node.name() == "a" { &self.b } else { &self.a }
    }

    /// A vipwarden that speaks on `node`.
    pub fn speaker(&self, node: &Node, priority: u8, lines: &[&str]) -> Watch {
        self.speaker_by(&[], node, priority, lines)
    }

    /// The same, with a command in front of it.
    pub fn speaker_by(&self, wrapper: &[&str], node: &Node, priority: u8, lines: &[&str]) -> Watch {
        let section = section(self.flavour, node, self.peer(node), priority, lines);
        Watch(Daemon::start_by(node, wrapper, vipwarden(), &section, &[]).expect("vipwarden starts"))
    }

    /// One that asks its peer, too.
    pub fn asking_speaker(&self, node: &Node, priority: u8, lines: &[&str]) -> Watch {
        self.speaker_that(super::second::asks, node, priority, lines, &[])
    }

    /// One that asks its peer without a key.
    pub fn unsigned_speaker(&self, node: &Node, priority: u8, lines: &[&str]) -> Watch {
        self.speaker_that(super::second::asks_unsigned, node, priority, lines, &[])
    }

    /// One that asks its peer, and records.
    pub fn recording_speaker(&self, node: &Node, priority: u8, file: &Path) -> Watch {
        let flags = ["--record", file.to_str().expect("a path in plain letters")];
        self.speaker_that(super::second::asks, node, priority, &[], &flags)
    }

    fn speaker_that(
        &self,
        asks: fn(&Node, &Node) -> String,
        node: &Node,
        priority: u8,
        lines: &[&str],
        flags: &[&str],
    ) -> Watch {
        let peer = self.peer(node);
        let sections = asks(node, peer) + &section(self.flavour, node, peer, priority, lines);
        Watch(Daemon::start_by(node, &[], vipwarden(), &sections, flags).expect("vipwarden starts"))
    }

    /// The laboratory.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Gives the vipwarden of `node` another configuration, which it does not know before a reload.
    pub fn rewrite(&self, node: &Node, priority: u8, lines: &[&str]) {
        let section = section(self.flavour, node, self.peer(node), priority, lines);
        Daemon::configure(node, &section).expect("the file is written");
    }

    /// What a keepalived on `node` is told.
    pub fn instance(&self, node: &Node, priority: u8) -> super::Instance {
        self.flavour.instance(node, self.peer(node), priority)
    }

    /// Waits until the kernels hold the VIP, or don't.
    pub fn expect_holders(&self, a: bool, b: bool) {
        until(&format!("a holds the VIP: {a}, b holds it: {b}"), || {
            holds(&self.a, self.flavour.vip()) == a && holds(&self.b, self.flavour.vip()) == b
        });
    }
}

/// What a v3 checksum over IPv4 covers, as tshark is told.
const WHOLE: &str = "vrrp.v3_checksum_as_in_v2:FALSE";
const MESSAGE_ONLY: &str = "vrrp.v3_checksum_as_in_v2:TRUE";

/// Everything on a node's cable, in a file.
pub struct Recording {
    process: super::Process,
    file: PathBuf,
}

impl Drop for Recording {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let adverts = self.dissect(WHOLE, "vrrp", &["frame.time_relative", "eth.src", "vrrp.prio"]);
            println!("--- adverts\n{}", adverts.unwrap_or_default().join("\n"));
        }
    }
}

impl Recording {
    /// Starts tcpdump on a node, and waits until it listens.
    pub fn start(node: &Node) -> Self {
        let file = node.scratch().expect("a scratch directory").join("recording.pcap");
        let mut command = node.command("tcpdump");
        command.args(["-i", super::INTERFACE, "--immediate-mode", "-U", "-w"]).arg(&file).args(["-Z", "root"]);
        let process = super::Process::spawn(node, "tcpdump", command).expect("tcpdump starts");
        until("tcpdump listens", || process.log().contains("listening on"));
        Self { process, file }
    }

    /// Stops, and asks tshark for the fields of all packets that pass `filter`, one line each.
    pub fn packets(&mut self, filter: &str, fields: &[&str]) -> Vec<String> {
        self.dissect(WHOLE, filter, fields).unwrap_or_else(|error| panic!("tshark: {error}"))
    }

    /// The same by a tshark that is told that a v3 checksum over IPv4 covers the message only: it assumes the other form.
    pub fn packets_by_message(&mut self, filter: &str, fields: &[&str]) -> Vec<String> {
        self.dissect(MESSAGE_ONLY, filter, fields).unwrap_or_else(|error| panic!("tshark: {error}"))
    }

    /// Stops, and has tcpdump print all adverts, one line each.
    pub fn printed(&mut self) -> Vec<String> {
        self.process.stop().expect("tcpdump ends");
        let mut command = Command::new("tcpdump");
        command.args(["-n", "-t", "-vv", "-r"]).arg(&self.file).arg("ip proto 112 or ip6 proto 112");
        let output = command.output().expect("tcpdump runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // A packet goes on in lines that are indented.
        let text = String::from_utf8_lossy(&output.stdout).replace("\n ", " ");
        text.lines().map(str::to_owned).collect()
    }

    fn dissect(&mut self, form: &str, filter: &str, fields: &[&str]) -> std::io::Result<Vec<String>> {
        self.process.stop()?;
        let mut command = Command::new("tshark");
        command.args(["-o", form, "-o", "ip.check_checksum:TRUE"]);
        command.arg("-r").arg(&self.file).args(["-Y", filter, "-T", "fields"]);
        for field in fields {
            command.args(["-e", field]);
        }
        let output = command.output()?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()),
            false => Err(std::io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())),
        }
    }

    /// The MACs that sent adverts with this priority.
    pub fn sources_of_priority(&mut self, priority: u8) -> Vec<String> {
        self.packets(&format!("vrrp.prio == {priority}"), &["eth.src"])
    }

    /// Fails if tshark calls any packet that `mac` sent malformed, or its checksum bad; there are some.
    pub fn expect_sound(&mut self, mac: &str) {
        let sent = self.packets(&format!("vrrp && eth.src == {mac}"), &["frame.number"]);
        assert!(!sent.is_empty(), "{mac} sent no advert");
        let bad =
            "_ws.malformed || _ws.expert.severity >= 6291456 || vrrp.checksum.status == 0 || ip.checksum.status == 0";
        let bad = self.packets(&format!("vrrp && eth.src == {mac} && ({bad})"), &["frame.number", "_ws.col.Info"]);
        assert!(bad.is_empty(), "{bad:?}");
    }
}
