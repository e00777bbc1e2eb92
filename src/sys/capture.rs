//! AF_PACKET with a classic BPF filter: everything on one interface's wire that concerns virtual IPs.

use std::io;

use socket2::Type;

use super::reader::Reader;
use super::{bpf, socket};
use crate::observe::{IfIndex, PacketKind};
use crate::time::Instant;

/// The groups that VRRP (IPv4, IPv6), HSRP (version 1; 2 and GLBP; IPv6) speak to: an interface passes up only groups that
/// someone joined.
const GROUPS: [[u8; 6]; 5] = [
    [0x01, 0x00, 0x5e, 0, 0, 0x12],
    [0x33, 0x33, 0, 0, 0, 0x12],
    [0x01, 0x00, 0x5e, 0, 0, 0x02],
    [0x01, 0x00, 0x5e, 0, 0, 0x66],
    [0x33, 0x33, 0, 0, 0, 0x66],
];

/// What can't be done without the socket.
const PURPOSE: &str = "no adverts can be captured";

/// One interface's packet socket.
#[derive(Debug)]
pub struct Capture {
    reader: Reader,
}

/// One captured frame.
#[derive(Debug)]
pub struct Captured<'a> {
    /// Kernel receive time, never later than now.
    pub at: Instant,
    /// The VLAN tag that the kernel stripped; tag 0 is none.
    pub vlan: Option<u16>,
    /// To whom it was addressed.
    pub kind: PacketKind,
    /// From the Ethernet header on.
    pub bytes: &'a [u8],
}

/// Counts since the last call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames that passed the filter, the dropped ones included.
    pub frames: u64,
    /// Frames that passed the filter and were dropped for want of room.
    pub dropped: u64,
}

impl Capture {
    /// Opens with protocol 0, attaches the filter, binds, joins the VRRP groups. Needs CAP_NET_RAW and a tokio runtime.
    ///
    /// # Errors
    /// What the kernel says; without CAP_NET_RAW in words.
    pub fn open(interface: IfIndex) -> io::Result<Self> {
        let socket = socket::open_packet(interface, Type::RAW, libc::ETH_P_ALL, &bpf::virtual_ips(), PURPOSE)?;
        socket::set_option(&socket, libc::SOL_PACKET, libc::PACKET_AUXDATA, &1)?;
        for group in GROUPS {
            let mut request = libc::packet_mreq {
                mr_ifindex: socket::index(interface),
                mr_type: libc::PACKET_MR_MULTICAST as u16,
                mr_alen: group.len() as u16,
                mr_address: [0; 8],
            };
            request.mr_address[..group.len()].copy_from_slice(&group);
            socket::set_option(&socket, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &request)
                .map_err(|error| socket::on_interface(interface, PURPOSE, &error))?;
        }
        Ok(Self { reader: Reader::new(socket, bpf::SNAP)? })
    }

    /// Waits until frames can be read, or an error that [`Self::drain`] then returns.
    ///
    /// # Errors
    /// Only if the runtime is shutting down.
    pub async fn readable(&self) -> io::Result<()> {
        self.reader.readable().await
    }

    /// Reads what is there, at most `max` frames. True if the socket was drained.
    ///
    /// # Errors
    /// What the kernel says: `NetworkDown` once when the interface goes down (or was down at the start); frames come again
    /// when it is up again. After the interface was deleted nothing comes any more: open anew on its successor.
    pub fn drain(&mut self, max: usize, mut each: impl FnMut(Captured<'_>)) -> io::Result<bool> {
        self.reader.drain(max, |packet| {
            each(Captured { at: packet.at, vlan: packet.vlan, kind: packet.kind, bytes: packet.bytes });
        })
    }

    /// Counters since the last call (`PACKET_STATISTICS`).
    ///
    /// # Errors
    /// What the kernel says.
    pub fn counters(&mut self) -> io::Result<Counters> {
        let statistics = socket::packet_statistics(self.reader.socket())?;
        Ok(Counters { frames: statistics.tp_packets.into(), dropped: statistics.tp_drops.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock;
    use super::super::testing::*;
    use super::super::transmit::Transmitter;
    use super::*;

    /// A captured frame, kept.
    #[derive(Debug)]
    struct Kept {
        at: Instant,
        vlan: Option<u16>,
        kind: PacketKind,
        bytes: Vec<u8>,
    }

    async fn capture_some(capture: &mut Capture, count: usize) -> Vec<Kept> {
        let mut kept = Vec::new();
        within_deadline(async {
            while kept.len() < count {
                capture.readable().await.expect("a runtime");
                let keep =
                    |f: Captured<'_>| kept.push(Kept { at: f.at, vlan: f.vlan, kind: f.kind, bytes: f.bytes.into() });
                capture.drain(64, keep).expect("near is up");
            }
        })
        .await;
        kept
    }

    /// Waits until so many frames have passed the filter, read or not.
    async fn passed(capture: &mut Capture, count: u64) -> Counters {
        let mut sum = Counters::default();
        within_deadline(async {
            while sum.frames < count {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                let more = capture.counters().expect("a socket");
                sum = Counters { frames: sum.frames + more.frames, dropped: sum.dropped + more.dropped };
            }
        })
        .await;
        sum
    }

    #[test]
    fn frames_come_with_their_kind_and_a_time_that_is_not_in_the_future() {
        with_neighbour(async |far| {
            let mut capture = Capture::open(index_of("near")).expect("root");
            let before = clock::now();
            // To an address of nobody, or the stack would answer.
            let packet = ipv4(112, [10, 9, 9, 2], [10, 9, 9, 77], &advert(51));
            let to = |mac| ethernet(mac, 0x0800, &packet);
            far.send(vec![advert_v4(51, [10, 9, 9, 2]), to(NEAR_MAC), to([255; 6]), to([2, 0, 0, 0, 0, 9])]);
            let frames = capture_some(&mut capture, 4).await;
            let kinds: Vec<_> = frames.iter().map(|frame| frame.kind).collect();
            use PacketKind::{Broadcast, Host, Multicast, OtherHost};
            assert_eq!(kinds, [Multicast, Host, Broadcast, OtherHost]);
            assert_eq!(frames[0].bytes, advert_v4(51, [10, 9, 9, 2]));
            assert!(frames.windows(2).all(|pair| pair[0].at <= pair[1].at));
            assert!(frames[0].at >= before && frames[3].at <= clock::now());
            assert_eq!(capture.counters().expect("a socket"), Counters { frames: 4, dropped: 0 });
            assert_eq!(capture.counters().expect("a socket"), Counters::default(), "counts since the last call");
        });
    }

    #[test]
    fn the_vlan_comes_from_the_tag_that_the_kernel_stripped_fault_23() {
        with_neighbour(async |far| {
            let mut capture = Capture::open(index_of("near")).expect("root");
            let plain = advert_v4(8, [10, 9, 9, 2]);
            let tagged = |tag: u16| {
                let mut frame = plain.clone();
                frame.splice(12..12, [[0x81, 0x00], tag.to_be_bytes()].concat());
                frame
            };
            // The priority bits in front of the VLAN id are no part of it.
            far.send(vec![tagged(0xa000 | 100), tagged(0), plain.clone(), tagged(4094)]);
            let frames = capture_some(&mut capture, 4).await;
            assert_eq!(frames.iter().map(|frame| frame.vlan).collect::<Vec<_>>(), [Some(100), None, None, Some(4094)]);
            assert!(frames.iter().all(|frame| frame.bytes == plain));
        });
    }

    #[test]
    fn what_this_host_sends_is_seen_as_outgoing() {
        with_neighbour(async |_| {
            let mut capture = Capture::open(index_of("near")).expect("root");
            let advert = advert_v6(51, "fe80::1".parse().expect("an address"));
            Transmitter::open("a test").expect("root").send(index_of("near"), &advert).expect("near is up");
            let frames = capture_some(&mut capture, 1).await;
            assert_eq!((frames[0].kind, &frames[0].bytes), (PacketKind::Outgoing, &advert));
        });
    }

    #[test]
    fn unrelated_traffic_never_arrives_and_is_not_counted() {
        with_neighbour(async |far| {
            let mut capture = Capture::open(index_of("near")).expect("root");
            let dns =
                ethernet(NEAR_MAC, 0x0800, &ipv4(17, [10, 9, 9, 2], [10, 9, 9, 77], &[0x80, 0, 0, 53, 0, 8, 0, 0]));
            let mut frames = vec![dns; 1000];
            frames.push(advert_v4(51, [10, 9, 9, 2]));
            far.send(frames);
            assert_eq!(capture_some(&mut capture, 1).await.len(), 1);
            assert_eq!(capture.counters().expect("a socket").frames, 1);
        });
    }

    #[test]
    fn frames_that_find_no_room_are_counted_as_dropped_fault_22() {
        with_neighbour(async |far| {
            let mut capture = Capture::open(index_of("near")).expect("root");
            capture.reader.socket().set_recv_buffer_size(1).expect("a socket");
            far.send(vec![advert_v4(51, [10, 9, 9, 2]); 500]);
            let counters = passed(&mut capture, 500).await;
            let mut read = 0;
            assert!(capture.drain(500, |_| read += 1).expect("near is up"));
            assert_eq!((counters.frames, counters.dropped), (500, 500 - read));
            assert!(counters.dropped > 0);
        });
    }

    #[test]
    fn a_drain_is_bounded_and_says_whether_more_is_there() {
        with_neighbour(async |far| {
            let mut capture = Capture::open(index_of("near")).expect("root");
            far.send(vec![advert_v4(51, [10, 9, 9, 2]); 150]);
            passed(&mut capture, 150).await;
            let mut drain = |max| {
                let mut read = 0;
                let drained = capture.drain(max, |_| read += 1).expect("near is up");
                (read, drained)
            };
            assert_eq!(drain(100), (100, false));
            assert_eq!(drain(100), (50, true));
            assert_eq!(drain(100), (0, true));
        });
    }

    #[test]
    fn an_advert_with_255_ipv6_addresses_is_not_cut() {
        with_neighbour(async |far| {
            ip("link set near mtu 9000");
            far.run(|| ip("link set far mtu 9000"));
            let mut capture = Capture::open(index_of("near")).expect("root");
            let mut frame = advert_v6(51, "fe80::2".parse().expect("an address"));
            frame.resize(14 + 40 + 8 + 255 * 16, 0xab);
            far.send(vec![frame.clone()]);
            assert_eq!(capture_some(&mut capture, 1).await[0].bytes, frame);
        });
    }

    #[test]
    fn an_interface_that_goes_down_is_an_error_once_and_captures_again_when_up() {
        with_neighbour(async |far| {
            let mut capture = Capture::open(index_of("near")).expect("root");
            ip("link set near down");
            within_deadline(capture.readable()).await.expect("a runtime");
            let error = capture.drain(64, |_| {}).expect_err("near is down");
            assert_eq!(error.raw_os_error(), Some(libc::ENETDOWN));
            ip("link set near up");
            far.wait_for_carrier();
            far.send(vec![advert_v4(51, [10, 9, 9, 2])]);
            assert_eq!(capture_some(&mut capture, 1).await.len(), 1);
        });
    }
}
