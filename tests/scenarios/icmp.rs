//! A third host says by ICMP and ARP who can be reached: nothing about the pair follows from that.

use crate::lab::{Flavour, Injector, Liar, Lie, Node, Siege, until};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use vipwarden::wire::{Echo, MacAddr, frame};

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn mac(node: &Node) -> MacAddr {
    node.mac().parse().expect("a MAC")
}

/// An address of a node in the family that the pair speaks.
fn of(flavour: Flavour, node: &Node) -> IpAddr {
    let v6 = matches!(flavour, Flavour::V6 | Flavour::UnicastV6);
    address(&if v6 { node.ipv6() } else { node.ipv4() })
}

/// Echo replies that nobody asked for, in the name of the VIP and of `from`, to each of the numbers that this daemon's echoes have.
fn replies(flavour: Flavour, from: &Node, to: &Node, sequence: u16) -> Vec<Vec<u8>> {
    let sources = [address(flavour.vip()), of(flavour, from)];
    let identifiers = [0x7677, 0x7678, sequence];
    let pairs = sources.into_iter().flat_map(|source| identifiers.map(|identifier| (source, identifier)));
    let to = (mac(to), of(flavour, to));
    let reply = |source, identifier| frame::echo(Echo::Reply, (mac(from), source), to, identifier, sequence);
    pairs.map(|(source, identifier)| reply(source, identifier).expect("one family")).collect()
}

fn sum(bytes: &[u8]) -> [u8; 2] {
    let words = bytes.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w.get(1).copied().unwrap_or(0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(!sum & 0xffff).expect("16 bits").to_be_bytes()
}

/// An ICMP message in its frame; `rest` is what follows the checksum.
fn icmp((mac, source): (MacAddr, Ipv4Addr), to: (MacAddr, Ipv4Addr), [kind, code]: [u8; 2], rest: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, code, 0, 0], rest].concat();
    let checksum = sum(&message);
    message[2..4].copy_from_slice(&checksum);
    let total = u16::try_from(20 + message.len()).expect("a short message").to_be_bytes();
    let mut header = [&[0x45, 0][..], &total, &[0, 1, 0, 0, 64, 1, 0, 0], &source.octets(), &to.1.octets()].concat();
    let checksum = sum(&header);
    header[10..12].copy_from_slice(&checksum);
    [[to.0.octets(), mac.octets()].concat(), vec![8, 0], header, message].concat()
}

/// The beginning of a packet of `to`'s, as an error quotes it.
fn quoted(to: &Node, of: &Node, protocol: u8) -> Vec<u8> {
    let ends = [to.ipv4(), of.ipv4()].map(|ip| ip.parse::<Ipv4Addr>().expect("an address").octets()).concat();
    let mut header = [&[0x45, 0, 0, 84, 0, 1, 0, 0, 64, protocol, 0, 0][..], &ends].concat();
    let checksum = sum(&header);
    header[10..12].copy_from_slice(&checksum);
    [header, vec![8, 0, 0, 0, 0x76, 0x77, 0, 1]].concat()
}

/// That the peer is unreachable, that its protocol is, and that it is better reached through `x`.
fn errors(x: &Node, from: &Node, to: &Node) -> Vec<Vec<u8>> {
    let ip = |node: &Node| node.ipv4().parse::<Ipv4Addr>().expect("an address");
    let (ours, theirs, gateway) = ((mac(x), ip(from)), (mac(to), ip(to)), ip(x).octets());
    [1u8, 6, 112]
        .into_iter()
        .flat_map(|protocol| {
            let quote = quoted(to, from, protocol);
            let unreachable = |code| icmp(ours, theirs, [3, code], &[&[0; 4][..], &quote].concat());
            [unreachable(1), unreachable(2), icmp(ours, theirs, [5, 1], &[&gateway[..], &quote].concat())]
        })
        .collect()
}

/// Says all of it, as often as it can, while `work` is done.
fn while_it_says(siege: &Siege, flavour: Flavour, work: impl FnOnce()) {
    let ends = AtomicBool::new(false);
    let (a, b, x) = (&siege.pair.a.node, &siege.pair.b.node, &siege.x);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut injector = Injector::open(x);
            for sequence in (0..=u16::MAX).cycle().take_while(|_| !ends.load(Ordering::Relaxed)) {
                for (from, to) in [(a, b), (b, a)] {
                    let said = replies(flavour, from, to, sequence).into_iter().chain(errors(x, from, to));
                    said.for_each(|frame| injector.send(&frame));
                }
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        ends.store(true, Ordering::Relaxed);
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

fn changes_nothing(flavour: Flavour) {
    let mut siege = Siege::begin(flavour, false);
    let uptime = |siege: &Siege| siege.pair.a.watch.status().ok()?["uptime_seconds"].as_f64();
    let begun = uptime(&siege).expect("a number");
    while_it_says(&siege, flavour, || {
        until("it has said it for three seconds", || uptime(&siege).is_some_and(|now| now > begun + 3.0));
        siege.pair.expect_master_a();
    });
    siege.pair.a.stop();
    while_it_says(&siege, flavour, || siege.pair.expect_master_b());
    siege.pair.a.start();
    siege.pair.expect_master_a();
    siege.assert_truth_was_told(&[]);
}

#[test]
fn forged_echoes_redirects_and_errors_change_nothing() {
    changes_nothing(Flavour::V3);
}

#[test]
fn forged_echoes_over_ipv6_change_nothing() {
    changes_nothing(Flavour::V6);
}

#[test]
fn forged_echoes_beside_virtual_macs_change_nothing() {
    changes_nothing(Flavour::Vmac);
}

/// `b` is switched off; its address seems to be at its MAC still, and replies come in its name.
#[test]
fn a_peer_that_is_dead_does_not_answer_because_another_says_so() {
    let mut siege = Siege::begin(Flavour::V3, false);
    siege.pair.b.stop();
    siege.pair.b.node.exec("ip link set eth0 down").expect("the link goes down");
    let b = &siege.pair.b.node;
    let lie = Lie { at: mac(b).octets(), from: mac(b).octets(), of: Some(address(&b.ipv4())) };
    let liar = Liar::telling(&siege.x, lie);
    while_it_says(&siege, Flavour::V3, || {
        until("it is known to be away", || {
            siege.pair.a.watch.status().is_ok_and(|status| status["peers"][0]["ping"] == false)
        });
    });
    drop(liar);
    siege.assert_truth_was_told(&[]);
}
