//! A third host sends more than anybody can remember: tables, memory and metrics keep their bounds, and what is said of the pair stays true.

use crate::lab::{Flavour, Injector, Node, Pair, Siege, second, stranger, until};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use vipwarden::time::{CentiSeconds, Seconds};
use vipwarden::wire::{Advert, Auth, ChecksumForm, Interval, MacAddr, Version, frame};

fn is_v6(flavour: Flavour) -> bool {
    matches!(flavour, Flavour::V6 | Flavour::UnicastV6)
}

/// The `n`th of ever new sources.
fn source(flavour: Flavour, n: u32) -> IpAddr {
    let [_, high, middle, low] = n.to_be_bytes();
    match is_v6(flavour) {
        true => Ipv6Addr::new(0xfe80, 0, 0, 0, 0xbad, 0, u16::from(high), u16::from_be_bytes([middle, low])).into(),
        false => Ipv4Addr::new(10, high.wrapping_add(100), middle, low).into(),
    }
}

fn mac(n: u32) -> MacAddr {
    let [_, high, middle, low] = n.to_be_bytes();
    MacAddr(2, 0xee, 0, high, middle, low)
}

/// An advert of the pair's own kind, from ever new sources and MACs.
fn advert(flavour: Flavour, n: u32, vrid: u8, priority: u8, addresses: Vec<IpAddr>) -> Advert {
    let (version, interval, checksum) = match flavour {
        Flavour::V2 => (Version::V2, Interval::Seconds(Seconds(1)), ChecksumForm::Message),
        _ => (Version::V3, Interval::CentiSeconds(CentiSeconds(10)), ChecksumForm::PseudoHeader),
    };
    Advert {
        mac: Some(mac(n)),
        source: source(flavour, n),
        destination: if is_v6(flavour) { "ff02::12" } else { "224.0.0.18" }.parse().expect("an address"),
        ttl: 255,
        version,
        vrid,
        priority,
        interval,
        auth: Auth::None,
        checksum,
        addresses,
    }
}

fn vips(flavour: Flavour) -> Vec<IpAddr> {
    let vip = flavour.vip().parse().expect("an address");
    if is_v6(flavour) { vec!["fe80::100".parse().expect("an address"), vip] } else { vec![vip] }
}

/// Few routers are remembered beside the pair's own, which is named.
fn few(flavour: Flavour) -> impl Fn(&Node, &Node) -> String {
    let length = if is_v6(flavour) { 64 } else { 24 };
    let addresses: Vec<String> = vips(flavour).iter().map(|vip| format!("\"{vip}/{length}\"")).collect();
    let addresses = addresses.join(", ");
    move |node, peer| {
        let asks = second::asks(node, peer);
        let router = format!("name = \"web\"\ninterface = \"eth0\"\nvrid = 51\naddresses = [{addresses}]\n");
        format!("[watch]\nmax_routers = 32\n{asks}[[router]]\n{router}")
    }
}

/// That the address is at a MAC, unasked.
fn announcement(vip: IpAddr, at: MacAddr) -> Vec<Vec<u8>> {
    match vip {
        IpAddr::V4(vip) => frame::gratuitous_arp(at, vip).to_vec(),
        IpAddr::V6(vip) => vec![frame::unsolicited_na(at, vip, false)],
    }
}

/// Who has it, from one that is not on the link.
fn question(flavour: Flavour, n: u32) -> Vec<u8> {
    match (source(flavour, n), flavour.vip().parse().expect("an address")) {
        (IpAddr::V4(from), IpAddr::V4(vip)) => frame::arp_request(mac(n), from, vip),
        (IpAddr::V6(from), IpAddr::V6(vip)) => frame::neighbour_solicitation(mac(n), from, vip),
        (from, vip) => panic!("{from} and {vip} are of two families"),
    }
}

struct Flood {
    siege: Siege,
    flavour: Flavour,
    injector: Injector,
    memory: [u64; 2],
}

impl Flood {
    fn begin(flavour: Flavour, frr: bool) -> Self {
        let siege = Siege::of(Pair::alone(flavour, &["x"], few(flavour)), flavour, frr);
        let injector = Injector::open(&siege.x);
        let mut flood = Self { siege, flavour, injector, memory: [0; 2] };
        // What is full once grows no more.
        flood.others_vrids(0..30_000);
        flood.memory = flood.resident();
        flood
    }

    fn resident(&mut self) -> [u64; 2] {
        let pair = &mut self.siege.pair;
        [&mut pair.a, &mut pair.b].map(|side| side.watch.resident_kib())
    }

    /// Sends the `n`th, some 7000 a second: the daemons of the pair must read all of them, too, and would be silent for lack of time.
    fn send(&mut self, n: u32, frame: &[u8]) {
        if n.is_multiple_of(8) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        self.injector.send(frame);
    }

    /// Adverts of every VRID but the pair's, and garbage on protocol 112.
    fn others_vrids(&mut self, frames: std::ops::Range<u32>) {
        for n in frames {
            let vrid = match n.to_be_bytes()[3] {
                0 | 51 => 52,
                vrid => vrid,
            };
            let addresses = vec![source(self.flavour, n + 1)];
            let mut frame = frame::advert(&advert(self.flavour, n, vrid, 200, addresses), None).expect("a frame");
            let body = if is_v6(self.flavour) { 54 } else { 34 };
            match n % 5 {
                3 => frame.truncate(body + (n % 8) as usize),
                4 => frame[body + (n % 12) as usize] ^= 0xff,
                _ => {}
            }
            self.send(n, &frame);
        }
    }

    /// Adverts of the pair's own VRID and address, that the election refuses, some 1700 a second: keepalived answers each of them with
    /// one of its own, and writes a line.
    fn own_vrid(&mut self, frames: std::ops::Range<u32>) {
        for n in frames {
            let forged = advert(self.flavour, n, 51, 1 + (n % 90) as u8, vips(self.flavour));
            self.send(n * 4, &frame::advert(&forged, None).expect("a frame"));
        }
    }

    /// Announcements of the address, at ever new MACs.
    fn announcements(&mut self, frames: std::ops::Range<u32>) {
        let vip = self.flavour.vip().parse().expect("an address");
        for n in frames {
            announcement(vip, mac(n)).iter().for_each(|frame| self.send(n, frame));
        }
    }

    /// Questions for the address, from few hosts: each takes a place in the neighbour table of whoever answers, of which there are 1024
    /// for all that is on this machine.
    fn questions(&mut self, frames: std::ops::Range<u32>) {
        for n in frames {
            self.send(n, &question(self.flavour, n % 50));
        }
    }

    /// Bounds hold, and the pair is well once the master has announced itself again.
    fn assert_bounds(&mut self) {
        let (before, after) = (self.memory, self.resident());
        for ((side, before), now) in self.siege.sides().into_iter().zip(before).zip(after) {
            assert!(now < before + 6 * 1024, "{}: {before} KiB became {now}", side.node.name());
            let lines = side.watch.get("/metrics").expect("metrics are served").lines().count();
            // 33 routers with 8 speakers each, and 1024 rows of refused adverts.
            assert!(lines < 6_000, "{}: {lines} lines of metrics", side.node.name());
            let routers = side.watch.status().expect("it answers")["routers"].as_array().map_or(0, Vec::len);
            assert!(routers <= 33, "{}: 32 learned and 1 configured, not {routers}", side.node.name());
        }
    }
}

fn is_borne(flavour: Flavour, frr: bool) {
    let mut flood = Flood::begin(flavour, frr);
    for side in flood.siege.sides() {
        until("the table is full", || side.watch.metric("vrrp_table_full_total", &["table=\"routers\""]) > 0.0);
    }
    flood.siege.pair.expect_master_a();
    flood.own_vrid(0..10_000);
    flood.siege.pair.expect_master_a();
    for side in flood.siege.sides() {
        let full = side.watch.metric("vrrp_table_full_total", &["table=\"speakers\""]);
        assert!(full > 0.0, "{}", side.node.name());
    }
    flood.announcements(0..10_000);
    for side in flood.siege.sides() {
        side.watch.expect("clients are misled", |router| {
            // A master that has heard a lower one announces itself once more.
            stranger::announce(&flood.siege.x, flavour, mac(0));
            router["addresses"].to_string().contains("02:ee:00:")
        });
    }
    flood.siege.announce_master();
    flood.siege.pair.expect_master_a();
    flood.questions(0..10_000);
    flood.siege.pair.expect_master_a();
    flood.others_vrids(30_000..60_000);
    flood.siege.pair.expect_master_a();
    flood.assert_bounds();
    flood.siege.assert_truth_was_told(&["02:ee:00:"]);
}

macro_rules! flooded {
    ($($name:ident: $flavour:expr, $frr:expr;)*) => {$(
        #[test]
        fn $name() {
            is_borne($flavour, $frr);
        }
    )*};
}

flooded! {
    a_flood_of_adverts_and_announcements_is_bounded_and_blames_nobody: Flavour::V3, false;
    a_flood_over_ipv6_is_bounded_and_blames_nobody: Flavour::V6, false;
    a_flood_beside_virtual_macs_is_bounded_and_blames_nobody: Flavour::Vmac, false;
    a_flood_beside_unicast_is_bounded_and_blames_nobody: Flavour::Unicast, false;
    a_flood_beside_frr_is_bounded_and_blames_nobody: Flavour::V3, true;
    a_flood_beside_frr_over_ipv6_is_bounded_and_blames_nobody: Flavour::V6, true;
    a_flood_of_version_2_is_bounded_and_blames_nobody: Flavour::V2, false;
}
