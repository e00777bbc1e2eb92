use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Command, Stdio};

use super::super::address::{Addresses, Prefixed};
use super::super::capture::Capture;
use super::super::taps::{FurtherTap, IpTap};
use super::super::testing::*;
use super::*;
use crate::observe::PacketKind;
use crate::wire::{ArpOperation, LinkLayer, NeighbourKind, Seen, dissect};

const VIP_V4: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 100);
const VIP_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100);
const VIP_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100);
const NEAR_V4: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 1);
const NEAR_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const FAR_V4: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 2);
const FAR_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);

/// Makes the macvlan and puts addresses on it.
async fn hold(vmacs: &mut Vmacs, family: Family, addresses: &[Prefixed]) -> Vmac {
    let vmac = vmacs.create(index_of("near"), family, 51).await.expect("root");
    Addresses::open().expect("netlink").claim(vmac.interface, addresses, None).await.expect("root");
    vmac
}

/// The settings that are to be as before in the end.
fn settings() -> Vec<String> {
    let keys = [
        ("near", "arp_ignore"),
        ("near", "arp_announce"),
        ("near", "rp_filter"),
        ("all", "rp_filter"),
        ("all", "arp_filter"),
    ];
    keys.iter().map(|(interface, name)| sysctl::read(&conf(interface, name)).expect("sysctl")).collect()
}

/// Who answers for what, until `last` has answered the question that `frames` end with as well as the first.
async fn answers(far: &Host, frames: [Vec<u8>; 3], last: (IpAddr, MacAddr)) -> BTreeSet<(IpAddr, [u8; 6])> {
    let capture = Capture::open(index_of("near")).expect("root");
    let (mut given, mut count) = (BTreeSet::new(), 0);
    for frame in frames {
        far.send(vec![frame]);
        let asked = count;
        within_deadline(async {
            while count == asked {
                capture.readable().await.expect("a runtime");
                let look = |frame: super::super::capture::Captured<'_>| {
                    if frame.kind != PacketKind::Outgoing {
                        return;
                    }
                    let answer = match dissect(frame.bytes, LinkLayer::Ethernet).seen {
                        Seen::Arp(arp) if arp.operation == ArpOperation::Reply => {
                            (arp.sender_ip.into(), arp.sender_mac)
                        }
                        Seen::Neighbour(n) if matches!(n.kind, NeighbourKind::Advertisement { .. }) => {
                            (n.target.into(), n.link_address.unwrap_or_default())
                        }
                        _ => return,
                    };
                    count += 1;
                    given.insert((answer.0, answer.1.octets()));
                };
                capture.drain(64, look).expect("near is up");
            }
        })
        .await;
    }
    assert!(given.contains(&(last.0, last.1.octets())), "{given:?}");
    given
}

/// On a kernel that can do so. An older one doesn't mention it.
#[test]
fn a_question_by_broadcast_is_not_left_to_a_worker_of_the_kernel() {
    with_neighbour(async |_| {
        let mut vmacs = Vmacs::open().expect("netlink");
        let vmac = vmacs.create(index_of("near"), Family::V4, 51).await.expect("root");
        let made = vmacs.find(&vmac.name).await.expect("netlink").expect("it is there");
        let said = format!("{:?}", made.attributes);
        assert!(!said.contains("BcCutoff") || said.contains("BcCutoff(-1)"), "{said}");
        assert!(said.contains("MacVlan"), "{said}");
    });
}

fn ping(far: &Host, address: &str) {
    let mut command = Command::new("ping");
    command.args(["-c", "1", "-w", "5", address]).stdout(Stdio::null());
    far.run(move || assert!(command.status().expect("ping is installed").success()));
}

#[test]
fn rfc9568_8_1_2_arp_for_a_virtual_address_is_answered_with_the_virtual_mac_and_no_other() {
    with_neighbour(async |far| {
        let mut vmacs = Vmacs::open().expect("netlink");
        let vmac = hold(&mut vmacs, Family::V4, &[(VIP_V4.into(), 32)]).await;
        assert_eq!(vmac.mac, MacAddr(0, 0, 0x5e, 0, 1, 51));
        let ask = |target| frame::arp_request(FAR_MAC.into(), FAR_V4, target);
        let given = answers(far, [ask(VIP_V4), ask(NEAR_V4), ask(VIP_V4)], (VIP_V4.into(), vmac.mac)).await;
        let expected = [(VIP_V4.into(), vmac.mac.octets()), (NEAR_V4.into(), NEAR_MAC)];
        assert_eq!(given, BTreeSet::from(expected));
        ping(far, "10.9.9.100");
        let neighbour = far.run(|| ip("neighbour show 10.9.9.100"));
        assert!(neighbour.contains("00:00:5e:00:01:33"), "{neighbour}");
    });
}

#[test]
fn rfc9568_8_2_2_a_solicitation_of_a_virtual_address_is_answered_with_the_virtual_mac_and_no_other() {
    with_neighbour(async |far| {
        far.run(|| ip("address add 2001:db8::2/64 dev far nodad"));
        ip("address add 2001:db8::1/64 dev near nodad");
        let mut vmacs = Vmacs::open().expect("netlink");
        let vmac = hold(&mut vmacs, Family::V6, &[(VIP_LINK_LOCAL.into(), 128), (VIP_V6.into(), 128)]).await;
        assert_eq!(vmac.mac, MacAddr(0, 0, 0x5e, 0, 2, 51));
        let shown = ip(&format!("-6 address show dev {}", vmac.name));
        assert_eq!(shown.matches("inet6").count(), 2, "no address but the virtual ones: {shown}");
        ping(far, "2001:db8::100");
        ping(far, "fe80::100%far");
        let ask = |target| frame::neighbour_solicitation(FAR_MAC.into(), FAR_V6, target);
        let given = answers(far, [ask(VIP_V6), ask(NEAR_V6), ask(VIP_V6)], (VIP_V6.into(), vmac.mac)).await;
        let expected = [(VIP_V6.into(), vmac.mac.octets()), (NEAR_V6.into(), NEAR_MAC)];
        assert_eq!(given, BTreeSet::from(expected));
    });
}

#[test]
fn a_packet_from_the_virtual_address_makes_nobody_learn_another_mac_for_it() {
    with_neighbour(async |_| {
        let mut vmacs = Vmacs::open().expect("netlink");
        let vmac = hold(&mut vmacs, Family::V4, &[(VIP_V4.into(), 32)]).await;
        let capture = Capture::open(index_of("near")).expect("root");
        ip("neighbour flush dev near");
        let status = Command::new("ping")
            .args(["-c", "1", "-w", "5", "-I", "10.9.9.100", "10.9.9.2"])
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("ping is installed").success());
        let mut senders = Vec::new();
        let look = |captured: super::super::capture::Captured<'_>| match dissect(captured.bytes, LinkLayer::Ethernet)
            .seen
        {
            Seen::Arp(arp) if captured.kind == PacketKind::Outgoing => senders.push((arp.sender_ip, arp.sender_mac)),
            _ => {}
        };
        capture.drain(1000, look).expect("near is up");
        assert!(senders.contains(&(NEAR_V4, NEAR_MAC.into())), "{senders:?}");
        assert!(senders.iter().all(|(ip, mac)| *ip != VIP_V4 || *mac == vmac.mac), "{senders:?}");
    });
}

#[test]
fn a_rivals_adverts_from_the_same_virtual_mac_still_reach_the_interface_below() {
    with_neighbour(async |far| {
        let mut vmacs = Vmacs::open().expect("netlink");
        let vmac = hold(&mut vmacs, Family::V4, &[(VIP_V4.into(), 32)]).await;
        let mut tap = IpTap::open(index_of("near")).expect("root");
        let mut advert = advert_v4(51, [10, 9, 9, 2]);
        advert[6..12].copy_from_slice(&vmac.mac.octets());
        far.send(vec![advert]);
        let mut delivered = 0;
        within_deadline(async {
            while delivered == 0 {
                tap.readable().await.expect("a runtime");
                tap.drain(64, |_, _| delivered += 1).expect("near is up");
            }
        })
        .await;
    });
}

#[test]
fn a_parent_that_is_made_anew_gets_another_macvlan() {
    with_neighbour(async |far| {
        let mut vmacs = Vmacs::open().expect("netlink");
        let old = hold(&mut vmacs, Family::V4, &[(VIP_V4.into(), 32)]).await;
        far.rewire();
        vmacs.remove(old).await.expect("it went with its parent");
        let before = settings();
        let new = hold(&mut vmacs, Family::V4, &[(VIP_V4.into(), 32)]).await;
        ping(far, "10.9.9.100");
        vmacs.remove(new).await.expect("root");
        assert_eq!(settings(), before);
    });
}

#[test]
fn a_strict_reverse_path_filter_and_an_arp_filter_for_all_are_moved_out_of_the_way_and_back() {
    with_neighbour(async |far| {
        for key in [conf("all", "rp_filter"), conf("all", "arp_filter")] {
            sysctl::write(&key, "1").expect("sysctl");
        }
        let before = settings();
        let mut vmacs = Vmacs::open().expect("netlink");
        let vmac = hold(&mut vmacs, Family::V4, &[(VIP_V4.into(), 32)]).await;
        ping(far, "10.9.9.100");
        assert_eq!(sysctl::read(&conf("near", "rp_filter")).expect("sysctl"), "1", "it keeps what it had");
        vmacs.remove(vmac).await.expect("root");
        assert_eq!(settings(), before);
    });
}

#[test]
fn the_last_macvlan_that_goes_puts_the_settings_back() {
    with_neighbour(async |_| {
        let before = settings();
        let mut vmacs = Vmacs::open().expect("netlink");
        let first = hold(&mut vmacs, Family::V4, &[(VIP_V4.into(), 32)]).await;
        let during = settings();
        let second = hold(&mut vmacs, Family::V6, &[(VIP_LINK_LOCAL.into(), 128)]).await;
        assert_ne!(during, before);
        let name = first.name.clone();
        vmacs.remove(first).await.expect("root");
        assert!(!ip("link show").contains(&name));
        assert_eq!(settings(), during, "the second still needs them");
        ip(&format!("link delete {}", second.name));
        vmacs.remove(second).await.expect("somebody else has removed it");
        assert_eq!(settings(), before);
    });
}

#[test]
fn what_an_earlier_life_has_left_is_removed_and_its_settings_are_put_back_in_the_end() {
    with_neighbour(async |_| {
        let before = settings();
        for family in [Family::V4, Family::V6] {
            let vip = if family == Family::V4 { (VIP_V4.into(), 32) } else { (VIP_LINK_LOCAL.into(), 128) };
            let died = hold(&mut Vmacs::open().expect("netlink"), family, &[vip]).await;
            drop(died);
        }
        assert_ne!(settings(), before);
        let mut vmacs = Vmacs::open().expect("netlink");
        let v4 = vmacs.create(index_of("near"), Family::V4, 51).await.expect("a leftover is no obstacle");
        let v6 = vmacs.create(index_of("near"), Family::V6, 51).await.expect("a leftover is no obstacle");
        assert_ne!(settings(), before, "putting back what the second remembers does not disturb the first");
        assert!(!ip("address show").contains("10.9.9.100"), "its addresses went with it");
        vmacs.remove(v4).await.expect("root");
        vmacs.remove(v6).await.expect("root");
        assert_eq!(settings(), before);
    });
}

#[test]
fn what_others_have_made_is_named_and_left_alone() {
    with_neighbour(async |_| {
        let (before, near) = (settings(), index_of("near"));
        let mut vmacs = Vmacs::open().expect("netlink");
        ip(&format!("link add vw4.{}.51 type veth peer name other", near.0));
        let error = vmacs.create(near, Family::V4, 51).await.expect_err("the name is taken").to_string();
        assert!(error.contains("near: ") && error.contains("VRID 51") && error.contains("rename it"), "{error}");
        ip("link add keepalived link near address 00:00:5e:00:02:33 type macvlan mode private");
        ip("link set keepalived up");
        let error = vmacs.create(near, Family::V6, 51).await.expect_err("the MAC is taken").to_string();
        assert!(error.contains("00:00:5e:00:02:33") && error.contains("another VRRP daemon"), "{error}");
        assert!(ip("link show").contains("keepalived") && !ip("link show").contains("vw6."));
        assert_eq!(settings(), before);
    });
}
