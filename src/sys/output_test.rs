//! Whether this host's own firewall lets protocol 112 out, tried with a packet that nobody gets to see.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV4, SocketAddrV6};

use socket2::Socket;

use super::socket;
use super::taps::{GROUP_V4, GROUP_V6, VRRP, join_group, open_raw};
use crate::observe::IfIndex;
use crate::wire::Family;

/// A v3 advertisement of VRID 0, priority 0 and no addresses: should anyone see it after all, no router is meant.
const MESSAGE: [u8; 8] = [0x31, 0, 0, 0, 0, 100, 0, 0];

/// Tries whether this host's firewall lets protocol 112 out of `interface`, by a multicast packet with TTL 0 that never leaves
/// the host and that no socket on it receives. True if it is blocked (EPERM).
///
/// What drops later, in postrouting or on egress, is not found. Where nobody on this host has joined the group yet, joining it
/// for a moment sends an IGMP or MLD report: keep a [`super::taps::RawTap`] joined.
///
/// # Errors
/// Any other error than EPERM: the test says nothing. Without CAP_NET_RAW in words.
pub fn output_blocked(interface: IfIndex, family: Family) -> io::Result<bool> {
    let socket = open_raw(family, "whether the firewall lets adverts out can't be tried")?;
    // The kernel looks at a TTL of 0 only if it is a member of the group itself.
    join_group(&socket, family, interface)?;
    let sent = match family {
        Family::V4 => send_v4(&socket, interface),
        Family::V6 => send_v6(&socket, interface),
    };
    match sent {
        Ok(_) => Ok(false),
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => Ok(true),
        Err(error) => Err(error),
    }
}

fn send_v4(socket: &Socket, interface: IfIndex) -> io::Result<usize> {
    let none = libc::in_addr { s_addr: 0 };
    let through = libc::ip_mreqn { imr_multiaddr: none, imr_address: none, imr_ifindex: socket::index(interface) };
    socket::set_option(socket, libc::IPPROTO_IP, libc::IP_MULTICAST_IF, &through)?;
    socket.set_multicast_ttl_v4(0)?;
    socket.set_multicast_loop_v4(false)?;
    socket.send_to(&MESSAGE, &SocketAddrV4::new(GROUP_V4, 0).into())
}

/// IPv6 looks at a hop limit of 0 only where it also loops the packet back to the host's own sockets. So the loop stays on,
/// and the header says version 0: firewalls don't look at it, and the looped copy is thrown away before anyone receives it.
fn send_v6(socket: &Socket, interface: IfIndex) -> io::Result<usize> {
    let group = SocketAddrV6::new(GROUP_V6, 0, 0, interface.0);
    socket.connect(&group.into())?;
    let source = socket.local_addr()?.as_socket_ipv6().map_or(Ipv6Addr::UNSPECIFIED, |address| *address.ip());
    socket.set_header_included_v6(true)?;
    socket.send(&v6_packet(source))
}

fn v6_packet(source: Ipv6Addr) -> Vec<u8> {
    let (version, length, hop_limit) = (0, MESSAGE.len() as u8, 0);
    let mut packet = vec![version << 4, 0, 0, 0, 0, length, VRRP, hop_limit];
    packet.extend(source.octets());
    packet.extend(GROUP_V6.octets());
    packet.extend(MESSAGE);
    packet
}

#[cfg(test)]
mod tests {
    use super::super::capture::Capture;
    use super::super::taps::{FurtherTap, RawTap};
    use super::super::testing::*;
    use super::*;
    use crate::wire::Family::{V4, V6};
    use crate::wire::{LinkLayer, Seen, dissect};

    /// The VRIDs of the adverts, readable or not, that were on the wire of `near`.
    async fn until_vrid(capture: &mut Capture, last: u8) -> Vec<Option<u8>> {
        let mut vrids = Vec::new();
        within_deadline(async {
            while vrids.last() != Some(&Some(last)) {
                capture.readable().await.expect("a runtime");
                let look =
                    |frame: crate::sys::capture::Captured<'_>| match dissect(frame.bytes, LinkLayer::Ethernet).seen {
                        Seen::Advert(advert) => vrids.push(Some(advert.vrid)),
                        Seen::Rejected(rejected) => vrids.push(rejected.vrid),
                        _ => {}
                    };
                capture.drain(64, look).expect("near is up");
            }
        })
        .await;
        vrids
    }

    async fn first_vrid(tap: &mut RawTap) -> u8 {
        let mut vrids = Vec::new();
        within_deadline(async {
            while vrids.is_empty() {
                tap.readable().await.expect("a runtime");
                tap.drain(1, |_, delivered| vrids.push(delivered.vrid)).expect("a socket");
            }
        })
        .await;
        vrids[0]
    }

    #[test]
    fn the_output_test_leaves_nothing_on_the_wire_and_no_daemon_receives_it() {
        with_neighbour(async |far| {
            let interface = index_of("near");
            let mut capture = Capture::open(interface).expect("root");
            for (family, advert) in
                [(V4, advert_v4(51, [10, 9, 9, 2])), (V6, advert_v6(51, Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2)))]
            {
                assert!(!output_blocked(interface, family).expect("near is up"), "{family:?}, nobody has joined");
                let mut daemon = RawTap::open(family).expect("root");
                daemon.join(interface).expect("near is there");
                assert!(!output_blocked(interface, family).expect("near is up"), "{family:?}");
                far.send(vec![advert]);
                assert_eq!(until_vrid(&mut capture, 51).await, [Some(51)], "{family:?}: only what was sent after it");
                assert_eq!(first_vrid(&mut daemon).await, 51, "{family:?}: only what was sent after it");
            }
        });
    }

    #[test]
    fn a_firewall_that_lets_no_adverts_out_is_found_fault_26() {
        let drops = ["meta l4proto 112 drop", "oifname near ip daddr 224.0.0.18 reject", "ip6 daddr ff02::12 reject"];
        with_neighbour(async |_| {
            firewall("inet", "output", &drops[..1]);
            for family in [V4, V6] {
                assert!(output_blocked(index_of("near"), family).expect("near is up"), "{family:?}");
            }
        });
        with_neighbour(async |_| {
            firewall("inet", "output", &drops[1..]);
            for family in [V4, V6] {
                assert!(output_blocked(index_of("near"), family).expect("near is up"), "{family:?}");
            }
        });
    }

    #[test]
    fn a_firewall_that_lets_only_adverts_out_is_not_blamed() {
        with_neighbour(async |_| {
            let rules = [
                "ct state invalid drop",
                "oifname near ip saddr 10.9.9.1 ip daddr 224.0.0.18 ip protocol 112 accept",
                "oifname near ip6 saddr fe80::/10 ip6 daddr ff02::12 ip6 nexthdr 112 accept",
                "drop",
            ];
            firewall("inet", "output", &rules);
            for family in [V4, V6] {
                assert!(!output_blocked(index_of("near"), family).expect("near is up"), "{family:?}");
            }
        });
    }

    #[test]
    fn an_interface_that_is_not_there_says_nothing_about_the_firewall() {
        with_neighbour(async |_| {
            for family in [V4, V6] {
                assert!(output_blocked(IfIndex(4000), family).is_err(), "{family:?}");
            }
        });
    }
}
