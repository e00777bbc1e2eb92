//! `sys::neighbour_table` against the kernel. All network namespaces share the table, so that nothing else may run beside this.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use vipwarden::cli::demo::daemon::Daemon;
use vipwarden::cli::demo::keepalived::{Instance, Keepalived};
use vipwarden::cli::demo::lab::{Lab, Node, wait_until};
use vipwarden::sys::interface::index;
use vipwarden::sys::neighbour_table::refusals;
use vipwarden::sys::transmit::Transmitter;
use vipwarden::time::Duration;
use vipwarden::wire::{MacAddr, frame};

const PATIENCE: Duration = Duration::from_secs(60);

/// Who has it, from the `n`th of 4096 hosts that are not on the link.
fn question(n: u16, target: Ipv4Addr) -> Vec<u8> {
    let [high, low] = (n % 4096).to_be_bytes();
    frame::arp_request(MacAddr(2, 0xee, 0, 0, high, low), Ipv4Addr::new(10, 100, high, low), target)
}

/// Waits until what the daemon says of its routers is so.
fn until(what: &str, daemon: &Daemon, mut between: impl FnMut(), holds: impl Fn(&str) -> bool) {
    let said = || daemon.status().map(|status| status["routers"].to_string()).unwrap_or_default();
    let reached = wait_until(what, PATIENCE, || {
        between();
        holds(&said()).then_some(())
    });
    reached.unwrap_or_else(|error| panic!("{error}: {}", said()));
}

/// Asks `node` in ever new names, some thousand at a time.
fn crowd(from: &Node, node: &Node) -> impl FnMut() {
    let own: Ipv4Addr = node.ipv4().parse().expect("an address");
    let open = || (Transmitter::open("nobody can be asked").expect("root"), index("eth0").expect("its cable"));
    let (wire, on) = from.inside(open).expect("the host's namespace is there");
    let mut n = 0_u16;
    move || {
        for _ in 0..1024 {
            // One more or less: what finds the queue full is not sent.
            let _ = wire.send(on, &question(n, own));
            n = n.wrapping_add(1);
        }
    }
}

fn start(node: &Node, sections: &str) -> Daemon {
    Daemon::start(node, Path::new(env!("CARGO_BIN_EXE_vipwarden")), sections).expect("vipwarden starts")
}

fn is_healthy(routers: &str) -> bool {
    routers.contains("\"verdict\":\"healthy\"")
}

/// Neighbours that were turned away since the kernel started.
fn turned_away() -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(refusals()).expect("the kernel answers")[0]
}

/// One at a time: they share the table.
static TABLE: Mutex<()> = Mutex::new(());

#[test]
fn fault_28_a_master_whose_host_has_no_room_for_neighbours_is_muted_and_the_table_is_named() {
    let _alone = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    let lab = Lab::new(&["a", "x"]).expect("a lab");
    let (a, x) = (lab.node("a"), lab.node("x"));
    let _keepalived = Keepalived::start(a, &Instance::new(3, 0.1, 200)).expect("keepalived starts");
    let watch = start(a, "");
    until("it is healthy", &watch, || (), is_healthy);
    let named = |routers: &str| routers.contains("muted_master") && routers.contains("neighbour table is full");
    until("the table is named", &watch, crowd(x, a), named);
    until("it is healthy again", &watch, || (), is_healthy);
}

/// It sends whole frames, and needs no neighbour for that.
#[test]
fn fault_28_one_that_speaks_goes_on_while_its_host_has_no_room_for_neighbours() {
    let _alone = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    let lab = Lab::new(&["a", "b", "x"]).expect("a lab");
    let (a, b, x) = (lab.node("a"), lab.node("b"), lab.node("x"));
    let router = "[[router]]\nname = \"web\"\nmode = \"speak\"\ninterface = \"eth0\"\nvrid = 51\npriority = 200\n\
                  version = 3\nadvert_interval = \"100ms\"\naddresses = [\"10.9.9.100/24\"]\n";
    let (speaker, other) = (start(a, router), start(b, ""));
    for daemon in [&speaker, &other] {
        until("it is healthy", daemon, || (), is_healthy);
    }
    let before = turned_away();
    let mut ask = crowd(x, a);
    until("adverts were sent meanwhile", &other, &mut ask, |routers| {
        is_healthy(routers) && turned_away() > before + 4096
    });
    for daemon in [&speaker, &other] {
        let events = daemon.get("/api/v1/events").expect("events are served");
        assert!(!events.contains("split_brain") && !events.contains("no_master"), "{events}");
        until("it is healthy still", daemon, || (), is_healthy);
    }
}
