//! Two hosts that share an address, a third that asks for it, and the ways in which the first one ends.

use std::fmt;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use vipwarden::cli::demo::daemon::Daemon;
use vipwarden::cli::demo::keepalived::{Instance, Keepalived};
use vipwarden::cli::demo::lab::{Lab, Node, PATIENCE, wait_until};

/// The address that both want.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 100);
/// The cluster's key of these pairs.
const KEY: &str = "6f2d1c3b4a5968778695a4b3c2d1e0f0";
const PRIORITIES: [u8; 2] = [200, 100];

/// What both hosts run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Vipwarden,
    Keepalived,
}

/// How the holder ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its cable is cut.
    Cut,
    /// It is asked to stop.
    Stop,
    /// An operator has it hand over.
    Handover,
    /// An operator fences it.
    Fence,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::Vipwarden, Self::Keepalived];
}

impl End {
    pub const ALL: [Self; 4] = [Self::Cut, Self::Stop, Self::Handover, Self::Fence];

    /// keepalived has no operator's hand.
    pub fn fits(self, kind: Kind) -> bool {
        kind == Kind::Vipwarden || matches!(self, Self::Cut | Self::Stop)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Vipwarden => "vipwarden",
            Self::Keepalived => "keepalived",
        })
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cut => "cut",
            Self::Stop => "stop",
            Self::Handover => "handover",
            Self::Fence => "fence",
        })
    }
}

enum Running {
    Vipwarden(Daemon),
    Keepalived(Keepalived),
}

/// Two hosts and their client.
pub struct Pair {
    kind: Kind,
    interval: Duration,
    // Ends before the network does.
    running: [Option<Running>; 2],
    nodes: [Node; 2],
    client: Node,
    lab: Lab,
}

impl Pair {
    pub fn new(kind: Kind, interval: Duration) -> Self {
        let lab = Lab::new(&["a", "b", "c"]).expect("the laboratory is made (needs root)");
        let nodes = ["a", "b"].map(|name| lab.node(name).clone());
        let client = lab.node("c").clone();
        let mut pair = Self { kind, interval, running: [None, None], nodes, client, lab };
        pair.start(0);
        pair.start(1);
        pair
    }

    pub fn client(&self) -> &Node {
        &self.client
    }

    fn start(&mut self, index: usize) {
        let node = &self.nodes[index];
        self.running[index] = Some(match self.kind {
            Kind::Keepalived => {
                let instance = Instance::new(3, self.interval.as_secs_f64(), PRIORITIES[index]);
                Running::Keepalived(Keepalived::start(node, &instance).expect("keepalived starts"))
            }
            Kind::Vipwarden => {
                let program = Path::new(env!("CARGO_BIN_EXE_vipwarden"));
                let daemon = Daemon::start(node, program, &self.sections(index));
                Running::Vipwarden(daemon.expect("vipwarden starts"))
            }
        });
    }

    fn sections(&self, index: usize) -> String {
        let peer = &self.nodes[1 - index];
        let key = self.nodes[index].scratch().expect("a scratch directory").join("cluster.key");
        std::fs::write(&key, KEY).expect("the key is written");
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).expect("nobody else may read it");
        format!(
            "[cluster]\nkey_file = \"{}\"\n[[peer]]\nname = \"{}\"\naddress = \"{}\"\n\
             urls = [\"http://{}:10112\"]\n[[router]]\nname = \"web\"\nmode = \"speak\"\ninterface = \"eth0\"\nvrid = 51\nversion = 3\n\
             advert_interval = \"{:?}\"\npriority = {}\naddresses = [\"{ADDRESS}/24\"]\n",
            key.display(),
            peer.name(),
            peer.ipv4(),
            peer.ipv4(),
            self.interval,
            PRIORITIES[index]
        )
    }

    fn daemon(&self) -> &Daemon {
        match &self.running[0] {
            Some(Running::Vipwarden(daemon)) => daemon,
            _ => unreachable!("only vipwarden obeys an operator"),
        }
    }

    fn holds(&self, index: usize) -> bool {
        let listed = self.nodes[index].exec("ip -o -4 addr show up").expect("ip lists addresses");
        listed.contains(&format!(" {ADDRESS}/"))
    }

    fn expect_holders(&self, holders: [bool; 2]) {
        let what = format!("{} holds: {holders:?}", self.kind);
        wait_until(&what, PATIENCE, || ([self.holds(0), self.holds(1)] == holders).then_some(()))
            .unwrap_or_else(|error| panic!("{error}"));
    }

    /// Waits until the first one holds the address, and the second one waits.
    pub fn settle(&self) {
        self.expect_holders([true, false]);
        for running in self.running.iter().flatten() {
            let Running::Vipwarden(daemon) = running else { continue };
            let trusts = || daemon.status().is_ok_and(|status| status["peers"][0]["trusted"] == true);
            wait_until("each trusts the other's reports", PATIENCE, || trusts().then_some(()))
                .unwrap_or_else(|error| panic!("{error}"));
        }
        // Twice the time between two questions: what they know of each other is what is so now.
        std::thread::sleep(Duration::from_secs(1));
    }

    /// Ends the holder, and waits until the other one holds.
    pub fn end(&mut self, end: End) {
        match end {
            End::Cut => self.cable("down"),
            End::Stop => self.stop(0),
            End::Handover => self.order(&["handover", "web"]),
            End::Fence => self.order(&["fence", "web", "--force"]),
        }
        self.expect_holders([false, true]);
    }

    /// Has the first one hold again.
    pub fn mend(&mut self, end: End) {
        match end {
            End::Cut => self.cable("up"),
            End::Stop => self.start(0),
            // Who has handed over follows the other one until that gives up.
            End::Handover => {
                self.stop(1);
                self.expect_holders([true, false]);
                self.start(1);
            }
            End::Fence => self.order(&["unfence", "web"]),
        }
    }

    fn stop(&mut self, index: usize) {
        match self.running[index].take().expect("it runs") {
            Running::Vipwarden(mut daemon) => drop(daemon.process().stop().expect("it ends")),
            Running::Keepalived(mut keepalived) => keepalived.stop().expect("it ends"),
        }
    }

    fn order(&self, words: &[&str]) {
        let done = self.daemon().ask(words).expect("it runs");
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// At the switch's end.
    fn cable(&self, state: &str) {
        let port = self.nodes[0].name();
        let done = Command::new("ip").args(["-n", &self.lab.switch(), "link", "set", "dev", port, state]).status();
        assert!(done.expect("iproute2 is installed").success());
    }
}
