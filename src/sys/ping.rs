//! Pings peers and witnesses, by surge-ping.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU16, Ordering};

use pnet::packet::icmp::IcmpTypes;
use pnet::packet::icmpv6::Icmpv6Types;
use surge_ping::{Client, Config, ICMP, IcmpPacket, PingIdentifier, PingSequence};

use super::interface;
use crate::time::Duration;

/// As many bytes as `ping` sends.
const PAYLOAD: [u8; 56] = *b"vipwarden: is this peer still there, and how far is it? ";

/// Pings hosts. Lives on the edge: a slow answer delays nothing.
#[derive(Debug)]
pub struct Pinger {
    v4: Option<Socket>,
    v6: Option<Socket>,
    /// Random for each pinger: with a raw socket it is all that tells our replies from those to other processes.
    identifier: PingIdentifier,
    /// Counted over all hosts, so that two pings under way at once, even of one host, never share a number.
    sequence: AtomicU16,
}

struct Socket(Client);

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Socket")
    }
}

impl Socket {
    fn open(kind: ICMP) -> io::Result<Self> {
        Client::new(&Config::builder().kind(kind).build()).map(Self)
    }
}

impl Pinger {
    /// Opens the ICMP sockets of both families, as far as the host has them. Needs a tokio runtime, and CAP_NET_RAW or a
    /// group within `net.ipv4.ping_group_range`.
    ///
    /// # Errors
    /// What the kernel says, if neither family could be opened, and what to do.
    pub fn open() -> io::Result<Self> {
        let v4 = Socket::open(ICMP::V4);
        let v6 = Socket::open(ICMP::V6);
        if let (Err(error), Err(_)) = (&v4, &v6) {
            return Err(refused(error));
        }
        let identifier = PingIdentifier(RandomState::new().hash_one(0) as u16);
        Ok(Self { v4: v4.ok(), v6: v6.ok(), identifier, sequence: AtomicU16::new(0) })
    }

    /// One echo, of a link-local address through the interface that `via` names. `None` if no *echo reply* came within `timeout` (an
    /// unreachable is not one), if the host has no such family or interface, or if a link-local address comes without one.
    pub async fn ping(&self, host: IpAddr, via: Option<&str>, timeout: Duration) -> Option<Duration> {
        let (socket, scope) = match host {
            IpAddr::V4(_) => (self.v4.as_ref()?, 0),
            IpAddr::V6(address) if address.is_unicast_link_local() => {
                (self.v6.as_ref()?, interface::index(via?).ok()?.0)
            }
            IpAddr::V6(_) => (self.v6.as_ref()?, 0),
        };
        let sequence = PingSequence(self.sequence.fetch_add(1, Ordering::Relaxed));
        let mut pinger = socket.0.pinger(host, self.identifier).await;
        let (answer, rtt) = pinger.scope_id(scope).timeout(timeout).ping(sequence, &PAYLOAD).await.ok()?;
        is_reply(&answer).then_some(rtt)
    }
}

/// surge-ping hands over any ICMP message that quotes our request, errors too.
fn is_reply(answer: &IcmpPacket) -> bool {
    match answer {
        IcmpPacket::V4(packet) => packet.get_icmp_type() == IcmpTypes::EchoReply,
        IcmpPacket::V6(packet) => packet.get_icmpv6_type() == Icmpv6Types::EchoReply,
    }
}

fn refused(error: &io::Error) -> io::Error {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; give the process CAP_NET_RAW, or put its group into the sysctl net.ipv4.ping_group_range"
        }
        _ => "",
    };
    // The library's own message has several lines; the system's says enough.
    let system = error.raw_os_error().map(io::Error::from_raw_os_error);
    let reason = system.map_or_else(|| error.kind().to_string(), |e| e.to_string());
    io::Error::new(error.kind(), format!("no ICMP socket for pinging peers and witnesses: {reason}{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_give() {
        let message = refused(&io::Error::from_raw_os_error(libc::EACCES)).to_string();
        assert!(message.contains("CAP_NET_RAW") && message.contains("ping_group_range"), "{message}");
        assert!(message.contains("Permission denied"), "{message}");
        let message = refused(&io::Error::from_raw_os_error(libc::EMFILE)).to_string();
        assert!(message.contains("Too many open files") && !message.contains("CAP_NET_RAW"), "{message}");
    }
}
