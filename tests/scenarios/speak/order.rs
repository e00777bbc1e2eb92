//! Who follows whom among many, and who stays where he is under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::lab::{Daemon, Flavour, INTERFACE, Lab, Node, Slot, Stage, Watch, holds, until, vipwarden};

const VIP: &str = "10.9.9.100";

fn speaker(node: &Node, priority: u8) -> Watch {
    let section = format!(
        "[[router]]\nname = \"web\"\nmode = \"speak\"\ninterface = \"eth0\"\nvrid = 51\nversion = 3\n\
         advert_interval = \"100ms\"\npriority = {priority}\naddresses = [\"{VIP}\"]\n"
    );
    Watch(Daemon::start(node, vipwarden(), &section).expect("vipwarden starts"))
}

/// RFC 9568 §6.1: neighbouring priorities are 0.4 ms apart in their skew.
#[test]
fn of_five_backups_with_neighbouring_priorities_the_best_one_left_holds_each_time() {
    let _slot = Slot::take();
    let names = ["a", "b", "c", "d", "e", "f"];
    let lab = Lab::new(&names).expect("the laboratory is made (needs root)");
    let nodes = names.map(|name| lab.node(name));
    let holders = || nodes.map(|node| holds(node, VIP));
    let _speakers: Vec<_> = nodes.iter().zip([154_u8, 153, 152, 151, 150, 149]).map(|(n, p)| speaker(n, p)).collect();
    for (best, node) in nodes.iter().enumerate() {
        let mut expected = [false; 6];
        expected[best] = true;
        until(&format!("{} holds alone", node.name()), || holders() == expected);
        node.exec(&format!("ip link set {INTERFACE} down")).expect("it is there");
    }
    until("nobody holds", || holders() == [false; 6]);
}

/// Busy loops, until this is dropped.
struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    /// Two for each core.
    fn begin() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let spin = |stop: Arc<AtomicBool>| move || while !stop.load(Ordering::Relaxed) {};
        let threads = (0..2 * cores).map(|_| std::thread::spawn(spin(stop.clone()))).collect();
        Self { stop, threads }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Invariant 4: a loop that is late is not taken for a master that is silent.
#[test]
fn a_busy_host_makes_no_second_master_at_the_shortest_interval() {
    let stage = Stage::alone(Flavour::V3);
    let fast = |node: &Node, priority| {
        let section = format!(
            "[[router]]\nname = \"web\"\nmode = \"speak\"\ninterface = \"eth0\"\nvrid = 51\nversion = 3\n\
             advert_interval = \"10ms\"\npriority = {priority}\naddresses = [\"{VIP}/24\"]\n"
        );
        Watch(Daemon::start(node, vipwarden(), &section).expect("vipwarden starts"))
    };
    let a = fast(&stage.a, 200);
    a.expect("it is master", |router| router["state"] == "master");
    let b = fast(&stage.b, 100);
    b.expect("it is backup", |router| router["state"] == "backup");
    let sent = || a.metric("vrrp_adverts_sent_total", &[]);
    let (before, load) = (sent(), Load::begin());
    until("it has advertised for a while under load", || sent() >= before + 300.0);
    drop(load);
    assert_eq!(b.metric("vrrp_state_transitions_total", &["to=\"master\""]), 0.0);
    assert_eq!(a.metric("vrrp_state_transitions_total", &["to=\"backup\""]), 1.0, "only at its start");
}
