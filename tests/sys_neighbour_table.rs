//! `sys::neighbour_table` against the kernel. All network namespaces share the table, so that nothing else may run beside this.

use std::net::Ipv4Addr;
use std::path::Path;

use pnet::datalink::{self, Channel, DataLinkSender};
use vipwarden::cli::demo::daemon::Daemon;
use vipwarden::cli::demo::keepalived::{Instance, Keepalived};
use vipwarden::cli::demo::lab::{Lab, Node, wait_until};
use vipwarden::time::Duration;
use vipwarden::wire::{MacAddr, frame};

const PATIENCE: Duration = Duration::from_secs(60);

fn cable(node: &Node) -> Box<dyn DataLinkSender> {
    let channel = node.inside(|| {
        let found = datalink::interfaces().into_iter().find(|i| i.name == "eth0");
        datalink::channel(&found.expect("the host has its interface"), datalink::Config::default())
    });
    match channel.expect("the host's namespace is there").expect("a packet socket opens") {
        Channel::Ethernet(sender, _) => sender,
        _ => unreachable!("an Ethernet interface has an Ethernet channel"),
    }
}

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

#[test]
fn fault_28_a_master_whose_host_has_no_room_for_neighbours_is_muted_and_the_table_is_named() {
    let lab = Lab::new(&["a", "x"]).expect("a lab");
    let (a, x) = (lab.node("a"), lab.node("x"));
    let _keepalived = Keepalived::start(a, &Instance::new(3, 0.1, 200)).expect("keepalived starts");
    let program = Path::new(env!("CARGO_BIN_EXE_vipwarden"));
    let watch = Daemon::start(a, program, "").expect("vipwarden starts");
    until("it is healthy", &watch, || (), |routers| routers.contains("\"verdict\":\"healthy\""));

    let own = a.ipv4().parse().expect("an address");
    let (mut wire, mut n) = (cable(x), 0_u16);
    let ask = || {
        for _ in 0..1024 {
            wire.send_to(&question(n, own), None).expect("the socket takes frames").expect("the frame leaves");
            n = n.wrapping_add(1);
        }
    };
    let named = |routers: &str| routers.contains("muted_master") && routers.contains("neighbour table is full");
    until("the table is named", &watch, ask, named);
    until("it is healthy again", &watch, || (), |routers| routers.contains("\"verdict\":\"healthy\""));
}
