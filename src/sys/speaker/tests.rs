use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::Command;

use super::super::capture::Capture;
use super::super::taps::{FurtherTap, RawTap};
use super::super::testing::*;
use super::*;
use crate::time::{CentiSeconds, Seconds};
use crate::wire::{Auth, ChecksumForm, Family, Interval, LinkLayer, Seen, Version, dissect};

const NEAR_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 9, 1));
const FAR_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 9, 2));
const GROUP_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
const NEAR_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
const FAR_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2));
const GROUP_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));
const VIP_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 9, 100));
const VIP_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100));

fn of_vrid_51(version: Version, checksum: ChecksumForm, destination: IpAddr) -> Advert {
    let (source, vip) = if destination.is_ipv4() { (NEAR_V4, VIP_V4) } else { (NEAR_V6, VIP_V6) };
    Advert {
        mac: Some(NEAR_MAC.into()),
        source,
        destination,
        ttl: 255,
        version,
        vrid: 51,
        priority: 200,
        interval: match version {
            Version::V2 => Interval::Seconds(Seconds(1)),
            Version::V3 => Interval::CentiSeconds(CentiSeconds(10)),
        },
        auth: Auth::None,
        checksum,
        addresses: vec![vip],
    }
}

/// The adverts that a speaker sends, with the MAC of the peer where they are unicast.
fn adverts() -> Vec<(Advert, Option<MacAddr>)> {
    let plain = of_vrid_51(Version::V2, ChecksumForm::Message, GROUP_V4);
    let virtual_mac = Advert { mac: None, ..of_vrid_51(Version::V3, ChecksumForm::PseudoHeader, GROUP_V4) };
    vec![
        (plain.clone(), None),
        (Advert { auth: Auth::Password(*b"secret12"), ..plain }, None),
        (of_vrid_51(Version::V3, ChecksumForm::PseudoHeader, GROUP_V4), None),
        (virtual_mac, None),
        (of_vrid_51(Version::V3, ChecksumForm::PseudoHeader, FAR_V4), Some(FAR_MAC.into())),
        (of_vrid_51(Version::V3, ChecksumForm::PseudoHeader, GROUP_V6), None),
        (of_vrid_51(Version::V3, ChecksumForm::PseudoHeader, FAR_V6), Some(FAR_MAC.into())),
        // Those who check the other form call this one wrong, so it comes last.
        (of_vrid_51(Version::V3, ChecksumForm::MessageOnly, GROUP_V4), None),
    ]
}

/// What passes `near`, until `count` adverts have.
async fn frames_of(capture: &mut Capture, count: usize) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    within_deadline(async {
        while frames.len() < count {
            capture.readable().await.expect("a runtime");
            let look = |frame: super::super::capture::Captured<'_>| {
                if let Seen::Advert(_) = dissect(frame.bytes, LinkLayer::Ethernet).seen {
                    frames.push(frame.bytes.to_vec());
                }
            };
            capture.drain(64, look).expect("near is up");
        }
    })
    .await;
    frames
}

/// Writes a capture file (libpcap, Ethernet).
fn capture_file(frames: &[Vec<u8>]) -> tempfile::NamedTempFile {
    let mut bytes = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        bytes.extend(word.to_ne_bytes());
    }
    for frame in frames {
        let length = frame.len() as u32;
        bytes.extend([0, 0, length, length].map(u32::to_ne_bytes).concat());
        bytes.extend(frame);
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("a file");
    file
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("the program is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn tcpdump_and_wireshark_find_nothing_wrong_with_our_adverts() {
    with_neighbour(async |_| {
        let mut capture = Capture::open(index_of("near")).expect("root");
        let sender = Sender::open(index_of("near")).expect("root");
        let adverts = adverts();
        for (advert, peer) in &adverts {
            sender.advert(advert, *peer).expect("near is up");
        }
        let frames = frames_of(&mut capture, adverts.len()).await;
        for (frame, (advert, _)) in frames.iter().zip(&adverts) {
            let mac = advert.mac.or(Some(frame::virtual_mac(Family::of(&advert.source), 51)));
            let expected = Advert { mac, ..advert.clone() };
            assert_eq!(dissect(frame, LinkLayer::Ethernet).seen, Seen::Advert(expected));
        }
        let file = capture_file(&frames[..frames.len() - 1]);
        let path = file.path().to_str().expect("a path of text");
        let tcpdump = output("tcpdump", &["-nnvvr", path]);
        assert_eq!(tcpdump.matches("VRRPv").count(), frames.len() - 1, "{tcpdump}");
        let mut damaged = frames[0].clone();
        *damaged.last_mut().expect("bytes") ^= 1;
        let complaint = output("tcpdump", &["-nnvvr", capture_file(&[damaged]).path().to_str().expect("text")]);
        assert!(complaint.contains("bad vrrp cksum"), "it would have said so: {complaint}");
        assert!(!tcpdump.contains("bad") && !tcpdump.contains("invalid") && !tcpdump.contains("[|"), "{tcpdump}");
        let checks =
            ["-o", "ip.check_checksum:TRUE", "-T", "fields", "-e", "vrrp.checksum.status", "-e", "_ws.expert.message"];
        let tshark = output("tshark", &[&["-r", path], &checks[..]].concat());
        let statuses: Vec<_> = tshark.lines().map(str::trim).collect();
        assert_eq!(statuses, vec!["1"; frames.len() - 1], "good, and no remark");
    });
}

#[test]
fn a_gratuitous_arp_and_an_unsolicited_advertisement_move_the_address_in_a_neighbours_cache() {
    with_neighbour(async |far| {
        let near = index_of("near");
        let sender = Sender::open(near).expect("root");
        for (vip, forwarding) in [(VIP_V4, "0"), (VIP_V6, "0"), (VIP_V6, "1")] {
            std::fs::write("/proc/sys/net/ipv6/conf/near/forwarding", forwarding).expect("sysctl");
            far.run(move || ip(&format!("neighbour replace {vip} lladdr 02:00:00:00:00:99 dev far nud reachable")));
            sender.announce(vip, NEAR_MAC.into(), near).expect("near is up");
            let mut entry = String::new();
            for _ in 0..5000 {
                entry = far.run(move || ip(&format!("neighbour show {vip} dev far")));
                if entry.contains("lladdr 02:00:00:00:00:01") {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            assert!(entry.contains("lladdr 02:00:00:00:00:01"), "{vip}: {entry}");
            assert_eq!(entry.contains("router"), forwarding == "1", "{entry}");
        }
    });
}

#[test]
fn an_error_names_interface_router_and_destination() {
    with_neighbour(async |_| {
        let sender = Sender::open(index_of("near")).expect("root");
        let unicast = of_vrid_51(Version::V3, ChecksumForm::PseudoHeader, FAR_V4);
        let error = sender.advert(&unicast, None).expect_err("no MAC of the peer");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("near: the advert of VRID 51 to 10.9.9.2"), "{error}");
        ip("link set near down");
        let error = sender.advert(&unicast, Some(FAR_MAC.into())).expect_err("near is down");
        assert_eq!(error.kind(), io::ErrorKind::NetworkDown, "{error}");
        let error = sender.announce(VIP_V4, NEAR_MAC.into(), index_of("near")).expect_err("near is down");
        assert!(error.to_string().contains("near: the announcement of 10.9.9.100"), "{error}");
    });
}

/// How often this host's kernel has refused a protocol: in IPv4 as unreachable, in IPv6 as a bad header.
fn refusals(family: Family) -> u64 {
    let (file, name) = match family {
        Family::V4 => ("/proc/thread-self/net/snmp", "OutDestUnreachs"),
        Family::V6 => ("/proc/thread-self/net/snmp6", "Icmp6OutParmProblems"),
    };
    let text = std::fs::read_to_string(file).expect("procfs");
    match family {
        Family::V4 => {
            let mut lines = text.lines().filter(|line| line.starts_with("Icmp:"));
            let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
            let at = names.split(' ').position(|column| column == name).expect("a column");
            values.split(' ').nth(at).expect("a value").parse().expect("a number")
        }
        Family::V6 => {
            let line = text.lines().find(|line| line.starts_with(name)).expect("a line");
            line.split_whitespace().nth(1).expect("a value").parse().expect("a number")
        }
    }
}

#[test]
fn an_open_raw_socket_keeps_the_kernel_from_refusing_unicast_adverts() {
    with_neighbour(async |far| {
        for (family, us, peer) in [(Family::V4, NEAR_V4, FAR_V4), (Family::V6, NEAR_V6, FAR_V6)] {
            let advert = Advert { source: peer, ..of_vrid_51(Version::V3, ChecksumForm::PseudoHeader, us) };
            let frame = frame::advert(&advert, Some(NEAR_MAC.into())).expect("a sound advert");
            let before = refusals(family);
            far.send(vec![frame.clone()]);
            within_deadline(async {
                while refusals(family) == before {
                    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
                }
            })
            .await;
            let mut tap = RawTap::open(family).expect("root");
            let before = refusals(family);
            far.send(vec![frame]);
            let mut delivered = 0;
            within_deadline(async {
                while delivered == 0 {
                    tap.readable().await.expect("a runtime");
                    tap.drain(64, |_, _| delivered += 1).expect("a socket");
                }
            })
            .await;
            assert_eq!((delivered, refusals(family)), (1, before), "{family:?}");
        }
    });
}
