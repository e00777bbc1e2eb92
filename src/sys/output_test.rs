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
/// What drops later, in postrouting or on egress, is not found.
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
