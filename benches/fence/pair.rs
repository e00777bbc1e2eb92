//! Two hosts with one address between them, a third that asks for it, and a fourth for the arbiter.

use std::process::Command;

use vipwarden::sys::clock;
use vipwarden::time::Instant;

use crate::case::{Beside, Case, Fault};
use crate::etcd::{Cluster, Site};
use crate::lab::{Daemon, Firewall, Hook, INTERFACE, Instance, Keepalived, Lab, Node, until, vipwarden};
use crate::line::Line;
use crate::spin::Spin;

/// The nodes' priorities; one that returns to a holder is better than that.
pub const HOLDER: u8 = 200;
pub const SUCCESSOR: u8 = 100;
const BETTER: u8 = 250;
/// The thread of a vipwarden that speaks.
const CORE: &str = vipwarden::engine::CORE_THREAD;

enum Successor {
    Vipwarden { _daemon: Daemon },
    Keepalived { _daemon: Keepalived },
}

/// Three members of etcd, and the way to them.
struct Arbiter {
    etcd: Cluster,
    line: Line,
    urls: Vec<String>,
    gone: Vec<usize>,
}

/// A vipwarden that holds, its successor, and the host that asks.
pub struct Pair {
    case: Case,
    holder: Daemon,
    successor: Option<Successor>,
    walls: Vec<Firewall>,
    spin: Option<Spin>,
    arbiter: Option<Arbiter>,
    pub a: Node,
    pub b: Node,
    pub c: Node,
    // Goes last.
    lab: Lab,
}

impl Pair {
    pub fn new(case: Case) -> Self {
        let lab = Lab::new(&["a", "b", "c", "d"]).expect("the laboratory is made (needs root)");
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| lab.node(name).clone());
        let arbiter = (case.beside == Beside::Arbiter).then(|| Arbiter::start(d));
        let holder = start(case, [&a, &b], HOLDER, arbiter.as_ref());
        let mut pair = Self { case, holder, successor: None, walls: Vec::new(), spin: None, arbiter, a, b, c, lab };
        if case.fault != Fault::BetterReturns {
            pair.succeed(SUCCESSOR);
        }
        pair
    }

    fn succeed(&mut self, priority: u8) {
        let case = self.case;
        self.successor = Some(if case.beside == Beside::Keepalived {
            let mut instance = Instance::new(3, case.interval.as_secs_f64(), priority);
            instance.addresses = case.addresses();
            instance.lines.extend(case.vmac.then(|| "use_vmac".to_owned()));
            Successor::Keepalived { _daemon: Keepalived::start(&self.b, &instance).expect("keepalived starts") }
        } else {
            Successor::Vipwarden { _daemon: start(case, [&self.b, &self.a], priority, self.arbiter.as_ref()) }
        });
    }

    pub fn holder(&self) -> &Daemon {
        &self.holder
    }

    /// What happens begins.
    pub fn strike(&mut self) {
        let lab = &self.lab;
        match self.case.fault {
            Fault::Killed => self.signal(libc::SIGKILL),
            Fault::Frozen => self.signal(libc::SIGSTOP),
            Fault::Spinning => {
                let pid = self.holder.process().pid();
                // On a busy machine it has something to do for most of the time.
                until("it waits for something", || {
                    self.spin = Spin::start(pid, CORE).ok();
                    self.spin.is_some()
                });
            }
            Fault::BetterReturns => self.succeed(BETTER),
            Fault::InputDrop => self.walls.push(Firewall::block(&self.b, Hook::Input)),
            Fault::OutputDrop => self.walls.push(Firewall::block(&self.a, Hook::Output)),
            Fault::SuccessorDeaf => self.walls.push(Firewall::cut(lab, "a", "b")),
            Fault::HolderDeaf => self.walls.push(Firewall::cut(lab, "b", "a")),
            Fault::Partition => {
                self.walls.extend([("a", "b"), ("b", "a")].map(|(from, to)| Firewall::cut(lab, from, to)))
            }
            Fault::Unreachable => {
                self.walls.extend([("a", "d"), ("d", "a")].map(|(from, to)| Firewall::cut(lab, from, to)))
            }
            Fault::Cable => self.cable("down"),
            Fault::Deleted => self.address("del", &self.a),
            Fault::Added => self.address("add", &self.b),
            Fault::LeaderKilled => self.arbiter().lose(|leader, member| leader == member),
            Fault::Minority => self.arbiter().lose(|leader, member| leader != member),
            Fault::Slow => self.arbiter().line.slow(true),
        }
    }

    /// It is over, as far as that is possible, and since when: what a program of this host takes away stands until that has ended, and
    /// what is let go may go on before we hear of it.
    pub fn heal(&mut self) -> Instant {
        self.walls.drain(..).for_each(Firewall::heal);
        if self.case.fault == Fault::Added {
            self.address("del", &self.b);
        }
        let healed = clock::now();
        if let Some(spin) = self.spin.take() {
            spin.stop().expect("it is there");
        }
        match self.case.fault {
            Fault::Frozen => self.signal(libc::SIGCONT),
            Fault::Cable => self.cable("up"),
            Fault::LeaderKilled | Fault::Minority => self.arbiter().revive(),
            Fault::Slow => self.arbiter().line.slow(false),
            _ => {}
        }
        healed
    }

    fn arbiter(&mut self) -> &mut Arbiter {
        self.arbiter.as_mut().expect("such a case has one")
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
            "add" => Some(INTERFACE.to_owned()),
            _ => holder_of(node, address),
        };
        // By then whoever runs there may have taken it away.
        if let Some(on) = on {
            let done = node.exec(&format!("ip addr {verb} {address}/{length} dev {on}"));
            assert!(done.is_ok() || verb == "del" && holder_of(node, address).is_none(), "{done:?}");
        }
    }
}

impl Arbiter {
    fn start(node: Node) -> Self {
        let (host, there) = (node.ipv4(), node.clone());
        let etcd = Cluster::start_at(Site { host, command: Box::new(move |program| there.command(program)) }, 3);
        let (line, urls) = Line::lay(&node, &etcd.urls());
        Self { etcd, line, urls, gone: Vec::new() }
    }

    fn lose(&mut self, is_lost: impl Fn(usize, usize) -> bool) {
        let leader = self.etcd.leader();
        self.gone = (0..self.urls.len()).filter(|member| is_lost(leader, *member)).collect();
        self.gone.iter().for_each(|member| self.etcd.kill(*member));
    }

    fn revive(&mut self) {
        for member in self.gone.drain(..) {
            self.etcd.revive(member);
        }
    }
}

/// The interface that has an address.
fn holder_of(node: &Node, address: &str) -> Option<String> {
    let listed = node.exec("ip -o addr show").ok()?;
    let line = listed.lines().find(|line| line.contains(&format!(" {address}/")))?;
    line.split_whitespace().nth(1).map(str::to_owned)
}

fn start(case: Case, [node, peer]: [&Node; 2], priority: u8, arbiter: Option<&Arbiter>) -> Daemon {
    let arbiter = arbiter.map(|arbiter| format!("[arbiter]\netcd = {:?}\n", arbiter.urls)).unwrap_or_default();
    let sections = format!(
        "[[peer]]\nname = \"{}\"\naddress = \"{}\"\nvrrp_addresses = [\"{}\"]\n{}{arbiter}",
        peer.name(),
        // Link-local ones are not pinged, and of a backup in VRRP nothing else is known.
        peer.ipv4(),
        peer.link_local(),
        router(case, priority)
    );
    Daemon::start(node, vipwarden(), &sections).expect("vipwarden starts")
}

/// The section of the router.
pub fn router(case: Case, priority: u8) -> String {
    format!(
        "[[router]]\nname = \"web\"\nmode = \"speak\"\ninterface = \"{INTERFACE}\"\n\
         vrid = 51\nversion = 3\nadvert_interval = \"{:?}\"\npriority = {priority}\naddresses = {:?}\nvmac = {}\n",
        case.interval,
        case.addresses(),
        case.vmac
    )
}
