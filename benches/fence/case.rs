//! One thing that may happen to the holder of an address, or between it and its successor.

use std::fmt;
use std::net::IpAddr;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::lab::{Daemon, Firewall, Hook, INTERFACE, Instance, Keepalived, Lab, Node, until, vipwarden};
use crate::oracle::Oracle;

/// The nodes' priorities; one that returns to a holder is better than that.
const HOLDER: u8 = 200;
const SUCCESSOR: u8 = 100;
const BETTER: u8 = 250;
/// How long what happens lasts.
const LASTS: Duration = Duration::from_secs(3);

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Killed,
    Frozen,
    InputDrop,
    OutputDrop,
    SuccessorDeaf,
    HolderDeaf,
    Partition,
    Cable,
    Deleted,
    Added,
    BetterReturns,
}

const FAULTS: [(Fault, &str); 11] = [
    (Fault::Killed, "killed"),
    (Fault::Frozen, "frozen for 3 s"),
    (Fault::InputDrop, "successor drops in INPUT"),
    (Fault::OutputDrop, "holder drops in OUTPUT"),
    (Fault::SuccessorDeaf, "nothing arrives from the holder"),
    (Fault::HolderDeaf, "nothing arrives from the successor"),
    (Fault::Partition, "partition"),
    (Fault::Cable, "cable"),
    (Fault::Deleted, "address deleted"),
    (Fault::Added, "address added by hand"),
    (Fault::BetterReturns, "better peer returns"),
];

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    fault: Fault,
    interval: Duration,
    vmac: bool,
    v6: bool,
    keepalived: bool,
}

impl Case {
    /// All, the fast ones first.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for interval in [Duration::from_millis(100), Duration::from_secs(1)] {
            for (fault, _) in FAULTS {
                for bits in 0..8 {
                    let [vmac, v6, keepalived] = [1, 2, 4].map(|bit| bits & bit != 0);
                    all.push(Self { fault, interval, vmac, v6, keepalived });
                }
            }
        }
        all
    }

    fn address(self) -> &'static str {
        if self.v6 { "2001:db8:9::100" } else { crate::lab::VIP }
    }

    fn addresses(self) -> Vec<String> {
        let first = self.v6.then(|| "fe80::100/64".to_owned());
        let length = if self.v6 { 64 } else { 24 };
        first.into_iter().chain([format!("{}/{length}", self.address())]).collect()
    }

    /// For how long both answer, and nobody does.
    pub fn measure(self, run: u32, runs: u32) -> (Duration, Duration) {
        let mut pair = Pair::new(self);
        let oracle = Oracle::start(&pair.c, [&pair.a, &pair.b], self.address().parse::<IpAddr>().expect("an address"));
        until("the holder answers", || oracle.answers(0) > 0);
        // At another phase of the adverts each time.
        sleep(self.interval * 4 + self.interval * run / runs);
        let before = oracle.answers(0);
        until("it still does", || oracle.answers(0) > before);
        pair.happen();
        sleep(self.interval * 6);
        let record = oracle.stop();
        (record.overlap(), record.gap())
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = FAULTS.iter().find(|(fault, _)| *fault == self.fault).map_or("", |(_, name)| name);
        let mac = if self.vmac { "VMAC" } else { "plain" };
        let family = if self.v6 { "IPv6" } else { "IPv4" };
        let successor = if self.keepalived { "keepalived" } else { "vipwarden" };
        write!(f, "{:?}, {mac}, {family}, {name}, {successor}", self.interval)
    }
}

enum Successor {
    Vipwarden { _daemon: Daemon },
    Keepalived { _daemon: Keepalived },
}

/// A vipwarden that holds, its successor, and the host that asks.
struct Pair {
    case: Case,
    holder: Daemon,
    successor: Option<Successor>,
    a: Node,
    b: Node,
    c: Node,
    // Goes last.
    lab: Lab,
}

impl Pair {
    fn new(case: Case) -> Self {
        let lab = Lab::new(&["a", "b", "c"]).expect("the laboratory is made (needs root)");
        let [a, b, c] = ["a", "b", "c"].map(|name| lab.node(name).clone());
        let holder = start(case, &a, &b, HOLDER);
        let mut pair = Self { case, holder, successor: None, a, b, c, lab };
        if case.fault != Fault::BetterReturns {
            pair.succeed(SUCCESSOR);
        }
        pair
    }

    fn succeed(&mut self, priority: u8) {
        let case = self.case;
        self.successor = Some(if case.keepalived {
            let mut instance = Instance::new(3, case.interval.as_secs_f64(), priority);
            instance.addresses = case.addresses();
            instance.lines.extend(case.vmac.then(|| "use_vmac".to_owned()));
            Successor::Keepalived { _daemon: Keepalived::start(&self.b, &instance).expect("keepalived starts") }
        } else {
            Successor::Vipwarden { _daemon: start(case, &self.b, &self.a, priority) }
        });
    }

    /// Until it is over.
    fn happen(&mut self) {
        let lab = &self.lab;
        match self.case.fault {
            Fault::Killed => self.signal(libc::SIGKILL),
            Fault::Frozen => self.signal(libc::SIGSTOP),
            Fault::BetterReturns => self.succeed(BETTER),
            Fault::InputDrop => drop(Firewall::block(&self.b, Hook::Input)),
            Fault::OutputDrop => drop(Firewall::block(&self.a, Hook::Output)),
            Fault::SuccessorDeaf => drop(Firewall::cut(lab, "a", "b")),
            Fault::HolderDeaf => drop(Firewall::cut(lab, "b", "a")),
            Fault::Partition => {
                [("a", "b"), ("b", "a")].iter().for_each(|(from, to)| drop(Firewall::cut(lab, from, to)))
            }
            Fault::Cable => self.cable("down"),
            Fault::Deleted => self.address("del", &self.a),
            Fault::Added => self.address("add", &self.b),
        }
        sleep(LASTS);
        match self.case.fault {
            Fault::Frozen => self.signal(libc::SIGCONT),
            Fault::Cable => self.cable("up"),
            _ => {}
        }
    }

    fn signal(&mut self, signal: i32) {
        self.holder.process().signal(signal).expect("it runs");
    }

    /// At the switch's end.
    fn cable(&self, state: &str) {
        let done = Command::new("ip").args(["-n", &self.lab.switch(), "link", "set", "dev", "a", state]).status();
        assert!(done.expect("iproute2 is installed").success());
    }

    fn address(&self, verb: &str, node: &Node) {
        let (address, length) = (self.case.address(), if self.case.v6 { 64 } else { 24 });
        let on = match verb {
            "del" => holder_of(node, address).expect("it holds the address"),
            _ => INTERFACE.to_owned(),
        };
        node.exec(&format!("ip addr {verb} {address}/{length} dev {on}")).expect("ip does it");
    }
}

/// The interface that has an address.
fn holder_of(node: &Node, address: &str) -> Option<String> {
    let listed = node.exec("ip -o addr show").ok()?;
    let line = listed.lines().find(|line| line.contains(&format!(" {address}/")))?;
    line.split_whitespace().nth(1).map(str::to_owned)
}

fn start(case: Case, node: &Node, peer: &Node, priority: u8) -> Daemon {
    let sections = format!(
        "[[peer]]\nname = \"{}\"\naddress = \"{}\"\n[[router]]\nname = \"web\"\nmode = \"speak\"\ninterface = \"{INTERFACE}\"\n\
         vrid = 51\nversion = 3\nadvert_interval = \"{:?}\"\npriority = {priority}\naddresses = {:?}\nvmac = {}\n",
        peer.name(),
        if case.v6 { peer.link_local() } else { peer.ipv4() },
        case.interval,
        case.addresses(),
        case.vmac
    );
    Daemon::start(node, vipwarden(), &sections).expect("vipwarden starts")
}
