//! The two further taps: what got past ingress (ETH_P_IP/ETH_P_IPV6), and what got past netfilter (raw protocol 112).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use super::reader::{Packet, Reader};
use super::{bpf, socket};
use crate::observe::{Delivered, IfIndex, PacketKind, Tap};
use crate::time::Instant;
use crate::wire::Family;

/// IP protocol number of VRRP.
pub(super) const VRRP: u8 = 112;
/// The groups that adverts are sent to.
pub(super) const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
pub(super) const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// Bytes kept of a packet: only source and VRID are read, behind an IPv4 header of at most 60 bytes.
const SNAP: usize = 128;

/// The ETH_P_IP and ETH_P_IPV6 tap of one interface.
#[derive(Debug)]
pub struct IpTap {
    v4: Reader,
    v6: Reader,
}

impl IpTap {
    /// Opens both protocols on one interface. Needs CAP_NET_RAW and a tokio runtime.
    ///
    /// # Errors
    /// What the kernel says; without CAP_NET_RAW in words.
    pub fn open(interface: IfIndex) -> io::Result<Self> {
        let open = |protocol| {
            let purpose = "what ingress filters drop can't be told";
            let socket = socket::open_packet(interface, Type::DGRAM, protocol, &bpf::adverts(), purpose)?;
            Reader::new(socket, SNAP)
        };
        Ok(Self { v4: open(libc::ETH_P_IP)?, v6: open(libc::ETH_P_IPV6)? })
    }

    /// Has it see adverts, or nothing.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn admit(&self, adverts: bool) -> io::Result<()> {
        let filter = if adverts { bpf::adverts() } else { bpf::nothing() };
        [&self.v4, &self.v6].iter().try_for_each(|reader| reader.socket().attach_filter(&filter))
    }

    /// Waits until something can be read.
    ///
    /// # Errors
    /// Only if the runtime is shutting down.
    pub async fn readable(&self) -> io::Result<()> {
        tokio::select! {
            ready = self.v4.readable() => ready,
            ready = self.v6.readable() => ready,
        }
    }
}

/// The raw protocol-112 socket of one family, for all interfaces.
///
/// It also sees what another process has joined the group for: IP_MULTICAST_ALL and IPV6_MULTICAST_ALL are left on, as they
/// are by default.
#[derive(Debug)]
pub struct RawTap {
    reader: Reader,
    family: Family,
    inode: u64,
}

impl RawTap {
    /// Opens the socket. Needs CAP_NET_RAW and a tokio runtime.
    ///
    /// # Errors
    /// What the kernel says; without CAP_NET_RAW in words.
    pub fn open(family: Family) -> io::Result<Self> {
        let socket = open_raw(family, "what this host's firewall drops of the adverts can't be told")?;
        socket::raise_receive_buffer(&socket)?;
        match family {
            Family::V4 => socket::set_option(&socket, libc::IPPROTO_IP, libc::IP_PKTINFO, &1)?,
            Family::V6 => socket::set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, &1)?,
        }
        let inode = inode(&socket)?;
        Ok(Self { reader: Reader::new(socket, SNAP)?, family, inode })
    }

    /// Has it see adverts, or nothing. Memberships stay.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn admit(&self, adverts: bool) -> io::Result<()> {
        let socket = self.reader.socket();
        match adverts {
            true => socket.detach_filter().or_else(|error| match error.raw_os_error() {
                Some(libc::ENOENT) => Ok(()),
                _ => Err(error),
            }),
            false => socket.attach_filter(&bpf::nothing()),
        }
    }

    /// Its inode, as `/proc/net/raw` shows it: to tell our own socket from a daemon's.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// Joins the VRRP group on an interface (this also sends IGMP or MLD, which a packet socket's membership does not).
    /// An interface that was deleted and made again has another index: join anew.
    ///
    /// # Errors
    /// What the kernel says; beyond `net.ipv4.igmp_max_memberships` (20) interfaces in words.
    pub fn join(&self, interface: IfIndex) -> io::Result<()> {
        match join_group(self.reader.socket(), self.family, interface) {
            Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                let message = format!(
                    "interface index {}: no room to join the VRRP group on one more: raise net.ipv4.igmp_max_memberships \
                     or net.core.optmem_max, and restart",
                    interface.0
                );
                Err(io::Error::new(error.kind(), message))
            }
            joined => joined,
        }
    }

    /// Forgets the membership of an interface, also of one that is gone: its place is then free for another.
    ///
    /// # Errors
    /// What the kernel says; EADDRNOTAVAIL if it never joined there.
    pub fn leave(&self, interface: IfIndex) -> io::Result<()> {
        let (socket, index) = (self.reader.socket(), interface.0);
        match self.family {
            Family::V4 => socket.leave_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(index)),
            Family::V6 => socket.leave_multicast_v6(&GROUP_V6, index),
        }
    }

    /// Waits until something can be read.
    ///
    /// # Errors
    /// Only if the runtime is shutting down.
    pub async fn readable(&self) -> io::Result<()> {
        self.reader.readable().await
    }
}

/// A socket further in than the wire: what it shows has got past something that drops.
pub trait FurtherTap {
    /// Reads what is there, at most `max` adverts of each family. True if drained.
    ///
    /// # Errors
    /// As [`super::capture::Capture::drain`].
    fn drain(&mut self, max: usize, each: impl FnMut(Instant, Delivered)) -> io::Result<bool>;

    /// True if adverts found no room since the last call.
    ///
    /// # Errors
    /// What the kernel says.
    fn has_dropped(&self) -> io::Result<bool>;
}

/// Only what is addressed to this host or to a group counts: the rest (flooded, or behind a VLAN tag) was never meant to reach the daemon.
impl FurtherTap for IpTap {
    fn drain(&mut self, max: usize, mut each: impl FnMut(Instant, Delivered)) -> io::Result<bool> {
        let mut take = |packet: Packet<'_>| {
            if !matches!(packet.kind, PacketKind::Host | PacketKind::Multicast) {
                return;
            }
            let (Some(interface), Some((source, vrid))) = (packet.interface, parse_ip(packet.bytes)) else { return };
            each(packet.at, Delivered { interface, tap: Tap::Ip, source, vrid });
        };
        let v4 = self.v4.drain(max, &mut take);
        let v6 = self.v6.drain(max, &mut take);
        Ok(v4? && v6?)
    }

    fn has_dropped(&self) -> io::Result<bool> {
        Ok(self.v4.has_dropped()? | self.v6.has_dropped()?)
    }
}

impl FurtherTap for RawTap {
    fn drain(&mut self, max: usize, mut each: impl FnMut(Instant, Delivered)) -> io::Result<bool> {
        let family = self.family;
        self.reader.drain(max, |packet| {
            // A raw IPv4 socket hands the IP header over, an IPv6 one does not.
            let advert = match family {
                Family::V4 => parse_ip(packet.bytes),
                Family::V6 => packet.source.zip(vrid(packet.bytes)),
            };
            let (Some(interface), Some((source, vrid))) = (packet.interface, advert) else { return };
            each(packet.at, Delivered { interface, tap: Tap::Raw, source, vrid });
        })
    }

    fn has_dropped(&self) -> io::Result<bool> {
        self.reader.has_dropped()
    }
}

/// A raw protocol-112 socket.
pub(super) fn open_raw(family: Family, purpose: &str) -> io::Result<Socket> {
    let domain = match family {
        Family::V4 => Domain::IPV4,
        Family::V6 => Domain::IPV6,
    };
    socket::open(domain, Type::RAW, Some(Protocol::from(i32::from(VRRP))), purpose)
}

/// Joins the VRRP group of a family on an interface.
pub(super) fn join_group(socket: &Socket, family: Family, interface: IfIndex) -> io::Result<()> {
    match family {
        Family::V4 => socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(interface.0)),
        Family::V6 => socket.join_multicast_v6(&GROUP_V6, interface.0),
    }
}

fn inode(socket: &Socket) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::File::from(OwnedFd::from(socket.try_clone()?));
    Ok(file.metadata()?.ino())
}

/// Source and VRID of an unfragmented protocol-112 packet, from its IP header on.
fn parse_ip(bytes: &[u8]) -> Option<(IpAddr, u8)> {
    match bytes.first()? >> 4 {
        4 => {
            let header = usize::from(bytes[0] & 0x0f) * 4;
            let offset = u16::from_be_bytes([*bytes.get(6)?, *bytes.get(7)?]) & 0x1fff;
            if header < 20 || offset != 0 || *bytes.get(9)? != VRRP {
                return None;
            }
            let source: [u8; 4] = bytes.get(12..16)?.try_into().ok()?;
            Some((source.into(), vrid(bytes.get(header..)?)?))
        }
        6 => {
            let source: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            (*bytes.get(6)? == VRRP).then_some((source.into(), vrid(bytes.get(40..)?)?))
        }
        _ => None,
    }
}

/// The VRID of a message that has at least the eight bytes all versions have.
fn vrid(message: &[u8]) -> Option<u8> {
    (message.len() >= 8).then(|| message[1])
}

#[cfg(test)]
mod tests {
    use super::super::capture::Capture;
    use super::super::testing::*;
    use super::*;
    use crate::wire::Family::{V4, V6};

    const V4_SOURCES: [[u8; 4]; 2] = [[10, 9, 9, 2], [10, 9, 9, 3]];

    /// What the firewalls of these tests drop.
    const DROP_51: [&str; 2] = ["ip saddr 10.9.9.2 ip protocol 112 drop", "ip6 saddr fe80::2 meta l4proto 112 drop"];

    fn v6_source(host: u16) -> Ipv6Addr {
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, host)
    }

    /// Adverts of VRID 51 from .2, then of VRID 52 from .3, in both families.
    fn send_dropped_and_passed(far: &Host) {
        let v4 = [(51, V4_SOURCES[0]), (52, V4_SOURCES[1])].map(|(vrid, source)| advert_v4(vrid, source));
        let v6 = [(51, v6_source(2)), (52, v6_source(3))].map(|(vrid, source)| advert_v6(vrid, source));
        far.send([v4, v6].concat());
    }

    /// What the all-protocols tap sees of protocol 112, by VRID, in the order of arrival.
    async fn captured(capture: &mut Capture, count: usize) -> Vec<u8> {
        let mut vrids = Vec::new();
        within_deadline(async {
            while vrids.len() < count {
                capture.readable().await.expect("a runtime");
                capture
                    .drain(64, |f| vrids.extend(parse_ip(&f.bytes[14..]).map(|advert| advert.1)))
                    .expect("near is up");
            }
        })
        .await;
        vrids
    }

    async fn past_ingress(tap: &mut IpTap, count: usize) -> Vec<Delivered> {
        let mut seen = Vec::new();
        within_deadline(async {
            while seen.len() < count {
                tap.readable().await.expect("a runtime");
                tap.drain(64, |_, delivered| seen.push(delivered)).expect("near is up");
            }
        })
        .await;
        seen
    }

    async fn past_netfilter(tap: &mut RawTap, count: usize) -> Vec<Delivered> {
        let mut seen = Vec::new();
        within_deadline(async {
            while seen.len() < count {
                tap.readable().await.expect("a runtime");
                tap.drain(64, |_, delivered| seen.push(delivered)).expect("a socket");
            }
        })
        .await;
        seen
    }

    fn raw_tap(family: Family) -> RawTap {
        let tap = RawTap::open(family).expect("root");
        tap.join(index_of("near")).expect("near is there");
        tap
    }

    #[test]
    fn all_three_taps_see_an_advert_that_nothing_drops() {
        with_neighbour(async |far| {
            let interface = index_of("near");
            let mut capture = Capture::open(interface).expect("root");
            let mut ip_tap = IpTap::open(interface).expect("root");
            let (mut raw_v4, mut raw_v6) = (raw_tap(V4), raw_tap(V6));
            send_dropped_and_passed(far);
            assert_eq!(captured(&mut capture, 4).await, [51, 52, 51, 52]);
            let expected = |tap, family| {
                let sources: [IpAddr; 2] = match family {
                    V4 => V4_SOURCES.map(IpAddr::from),
                    V6 => [v6_source(2), v6_source(3)].map(IpAddr::from),
                };
                [(51, sources[0]), (52, sources[1])].map(|(vrid, source)| Delivered { interface, tap, source, vrid })
            };
            let ip = past_ingress(&mut ip_tap, 4).await;
            let (v4, v6): (Vec<_>, Vec<_>) = ip.into_iter().partition(|delivered| delivered.source.is_ipv4());
            assert_eq!((v4, v6), (expected(Tap::Ip, V4).to_vec(), expected(Tap::Ip, V6).to_vec()));
            assert_eq!(past_netfilter(&mut raw_v4, 2).await, expected(Tap::Raw, V4));
            assert_eq!(past_netfilter(&mut raw_v6, 2).await, expected(Tap::Raw, V6));
        });
    }

    #[test]
    fn adverts_that_find_no_room_in_a_tap_are_known_to_be_lost_fault_22() {
        with_neighbour(async |far| {
            let ip_tap = IpTap::open(index_of("near")).expect("root");
            let raw = raw_tap(V4);
            assert!(!ip_tap.has_dropped().expect("a socket") && !raw.has_dropped().expect("a socket"));
            for socket in [ip_tap.v4.socket(), raw.reader.socket()] {
                socket.set_recv_buffer_size(1).expect("a socket");
            }
            far.send(vec![advert_v4(51, V4_SOURCES[0]); 500]);
            within_deadline(async {
                while !ip_tap.has_dropped().expect("a socket") {
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
                while !raw.has_dropped().expect("a socket") {
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
            })
            .await;
        });
    }

    #[test]
    fn an_input_drop_leaves_the_raw_tap_blind_and_the_others_not_fault_2() {
        with_neighbour(async |far| {
            let mut capture = Capture::open(index_of("near")).expect("root");
            let mut ip_tap = IpTap::open(index_of("near")).expect("root");
            let (mut raw_v4, mut raw_v6) = (raw_tap(V4), raw_tap(V6));
            firewall("inet", "input", &DROP_51);
            send_dropped_and_passed(far);
            assert_eq!(captured(&mut capture, 4).await, [51, 52, 51, 52]);
            assert_eq!(past_ingress(&mut ip_tap, 4).await.len(), 4);
            assert_eq!(past_netfilter(&mut raw_v4, 1).await[0].vrid, 52, "VRID 51 came before it, and was dropped");
            assert_eq!(past_netfilter(&mut raw_v6, 1).await[0].vrid, 52);
        });
    }

    #[test]
    fn an_ingress_drop_leaves_only_the_all_protocols_tap_seeing_fault_27() {
        with_neighbour(async |far| {
            let mut capture = Capture::open(index_of("near")).expect("root");
            let mut ip_tap = IpTap::open(index_of("near")).expect("root");
            let (mut raw_v4, mut raw_v6) = (raw_tap(V4), raw_tap(V6));
            firewall("netdev", "ingress device near", &DROP_51);
            send_dropped_and_passed(far);
            assert_eq!(captured(&mut capture, 4).await, [51, 52, 51, 52]);
            let vrids: Vec<_> = past_ingress(&mut ip_tap, 2).await.iter().map(|delivered| delivered.vrid).collect();
            assert_eq!(vrids, [52, 52]);
            assert_eq!(past_netfilter(&mut raw_v4, 1).await[0].vrid, 52);
            assert_eq!(past_netfilter(&mut raw_v6, 1).await[0].vrid, 52);
        });
    }

    #[test]
    fn the_ip_tap_counts_nothing_that_was_never_meant_for_the_daemon_fault_32() {
        with_neighbour(async |far| {
            let mut ip_tap = IpTap::open(index_of("near")).expect("root");
            let meant = advert_v4(52, [10, 9, 9, 2]);
            let mut tagged = advert_v4(51, [10, 9, 9, 2]);
            tagged.splice(12..12, [0x81, 0, 0, 100]);
            let mut flooded = advert_v4(51, [10, 9, 9, 2]);
            flooded[..6].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
            far.send(vec![tagged, flooded, meant]);
            let seen = past_ingress(&mut ip_tap, 1).await;
            assert_eq!(seen.iter().map(|delivered| delivered.vrid).collect::<Vec<_>>(), [52]);
        });
    }

    #[test]
    fn a_tap_that_admits_nothing_wakes_nobody_and_sees_again_when_told() {
        with_neighbour(async |far| {
            let mut capture = Capture::open(index_of("near")).expect("root");
            let mut ip_tap = IpTap::open(index_of("near")).expect("root");
            let mut raw = raw_tap(V4);
            raw.admit(true).expect("admitting twice is no error");
            ip_tap.admit(false).expect("a socket");
            raw.admit(false).expect("a socket");
            far.send(vec![advert_v4(51, [10, 9, 9, 2])]);
            assert_eq!(captured(&mut capture, 1).await, [51]);
            ip_tap.admit(true).expect("a socket");
            raw.admit(true).expect("a socket");
            far.send(vec![advert_v4(52, [10, 9, 9, 3])]);
            assert_eq!(past_ingress(&mut ip_tap, 1).await[0].vrid, 52);
            assert_eq!(past_netfilter(&mut raw, 1).await[0].vrid, 52);
        });
    }

    #[test]
    fn the_raw_tap_sees_what_only_another_process_has_joined_for() {
        with_neighbour(async |far| {
            for family in [V4, V6] {
                let mut never_joined = RawTap::open(family).expect("root");
                let _daemon = raw_tap(family);
                far.send(vec![advert_v4(51, [10, 9, 9, 2]), advert_v6(51, v6_source(2))]);
                assert_eq!(past_netfilter(&mut never_joined, 1).await[0].vrid, 51);
            }
        });
    }

    #[test]
    fn the_raw_tap_joins_again_after_the_interface_was_made_anew() {
        with_neighbour(async |far| {
            for family in [V4, V6] {
                let mut tap = raw_tap(family);
                tap.join(index_of("near")).expect("joining twice is no error");
                let old = index_of("near");
                far.rewire();
                assert_ne!(index_of("near"), old);
                tap.leave(old).expect("a membership may outlive its interface");
                tap.join(index_of("near")).expect("near is there again");
                far.send(vec![advert_v4(51, [10, 9, 9, 2]), advert_v6(51, v6_source(2))]);
                let interface = index_of("near");
                assert_eq!(past_netfilter(&mut tap, 1).await[0].interface, interface);
            }
        });
    }

    #[test]
    fn the_inode_is_the_one_that_proc_shows() {
        with_neighbour(async |_| {
            for (family, file) in [(V4, "raw"), (V6, "raw6")] {
                let tap = RawTap::open(family).expect("root");
                let table = std::fs::read_to_string(format!("/proc/thread-self/net/{file}")).expect("procfs");
                let inode = tap.inode().to_string();
                assert!(table.lines().any(|line| line.split_whitespace().any(|field| field == inode)), "{table}");
            }
        });
    }

    #[test]
    fn short_foreign_and_fragmented_packets_are_no_adverts() {
        let packet = ipv4(112, [10, 9, 9, 2], [224, 0, 0, 18], &advert(51));
        assert_eq!(parse_ip(&packet), Some(([10, 9, 9, 2].into(), 51)));
        for length in 0..28 {
            assert_eq!(parse_ip(&packet[..length]), None, "{length} bytes");
        }
        let changed = |at: usize, byte: u8| {
            let mut packet = packet.clone();
            packet[at] = byte;
            parse_ip(&packet)
        };
        assert_eq!(changed(9, 51), None, "AH");
        assert_eq!(changed(7, 1), None, "a later fragment");
        assert_eq!(changed(0, 0x41), None, "a header of four bytes");
        assert_eq!(changed(0, 0x55), None, "IP version 5");
    }
}
