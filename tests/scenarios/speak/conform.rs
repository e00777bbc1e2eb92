//! What the RFC asks of a router and only the kernel can show.

use vipwarden::time::CentiSeconds;
use vipwarden::wire::{Advert, Auth, ChecksumForm, Interval, MacAddr, Version, frame};

use crate::lab::{Flavour, Injector, Recording, Stage, until};

/// The backup's own cable shows what it says: nothing, to who asks for an address that the master has.
#[test]
fn rfc9568_6_4_2_a_backup_answers_neither_arp_nor_a_solicitation_for_the_address() {
    for flavour in [Flavour::V3, Flavour::V6, Flavour::Vmac] {
        let stage = Stage::of(flavour, &["a", "b", "c"]);
        let client = stage.node("c");
        let first = stage.speaker(&stage.a, 200, &[]);
        first.expect("it is master", |router| router["state"] == "master");
        let second = stage.speaker(&stage.b, 100, &[]);
        second.expect("it is backup", |router| router["state"] == "backup" && router["verdict"] == "healthy");
        let mut recording = Recording::start(&stage.b);
        until("the master answers", || {
            client.exec("ip neigh flush all").expect("ip runs");
            client.exec(&format!("ping -c 1 -W 0.5 {}", flavour.vip())).is_ok()
        });
        let asked = match flavour {
            Flavour::V6 => format!("icmpv6.type == 135 && icmpv6.nd.ns.target_address == {}", flavour.vip()),
            _ => format!("arp.opcode == 1 && arp.dst.proto_ipv4 == {}", flavour.vip()),
        };
        let asked = recording.packets(&format!("{asked} && eth.src == {}", client.mac()), &["frame.number"]);
        assert!(!asked.is_empty(), "{flavour:?}: it was asked nothing");
        let to_client = format!("eth.dst == {} && (arp.opcode == 2 || icmpv6.type == 136)", client.mac());
        assert_eq!(recording.packets(&to_client, &["eth.src"]), [""; 0], "{flavour:?}");
    }
}

#[test]
fn rfc9568_7_2_an_advert_leaves_with_the_addresses_and_the_time_to_live_that_the_rfc_names() {
    for flavour in [Flavour::V2, Flavour::V3, Flavour::V6, Flavour::Vmac] {
        let stage = Stage::new(flavour);
        let mut recording = Recording::start(&stage.b);
        let vipwarden = stage.speaker(&stage.b, 100, &[]);
        until("it has advertised twice", || vipwarden.metric("vrrp_adverts_sent_total", &[]) >= 2.0);
        let (fields, group, source, destination) = match flavour {
            Flavour::V6 => {
                let fields = ["eth.src", "eth.dst", "ipv6.src", "ipv6.dst", "ipv6.hlim", "ipv6.nxt"];
                (fields, "33:33:00:00:00:12", stage.b.link_local(), "ff02::12")
            }
            _ => {
                let fields = ["eth.src", "eth.dst", "ip.src", "ip.dst", "ip.ttl", "ip.proto"];
                (fields, "01:00:5e:00:00:12", stage.b.ipv4(), "224.0.0.18")
            }
        };
        let mac = if matches!(flavour, Flavour::Vmac) { "00:00:5e:00:01:33".into() } else { stage.b.mac() };
        let expected = [mac.as_str(), group, &source, destination, "255", "112"].join("\t");
        let sent = recording.packets("vrrp", &fields);
        assert!(sent.len() >= 2 && sent.iter().all(|line| *line == expected), "{expected}\n{sent:#?}");
    }
}

/// Two routers with one VRID and one link-local address, on an interface each.
#[test]
fn rfc9568_7_1_an_advert_counts_for_the_interface_that_it_came_in_by() {
    let stage = Stage::new(Flavour::V6);
    for line in [
        "ip link add eth1 type veth peer name far1",
        "ip link set far1 up",
        "ip addr add fe80::2/64 dev eth1 nodad",
        "ip link set eth1 up",
    ] {
        stage.b.exec(line).expect("root");
    }
    let other = "[[router]]\nname = \"other\"\nmode = \"speak\"\ninterface = \"eth1\"\nvrid = 51\nversion = 3\n\
                 advert_interval = \"100ms\"\naddresses = [\"fe80::100/64\"]";
    let vipwarden = stage.speaker(&stage.b, 100, &[other]);
    let state = |name: &str| {
        let status = vipwarden.status().expect("it answers");
        let routers = status["routers"].as_array().expect("a list");
        routers.iter().find(|router| router["name"] == name).map(|router| router["state"].clone())
    };
    until("both are master", || state("web") == Some("master".into()) && state("other") == Some("master".into()));
    let mut injector = Injector::on(&stage.b, "far1");
    let better = better_advert();
    until("the one that hears it is backup", || {
        injector.send(&better);
        state("other") == Some("backup".into())
    });
    assert_eq!(state("web"), Some("master".into()));
    let mut injector = Injector::open(&stage.a);
    until("so is the one that hears it now", || {
        injector.send(&better);
        state("web") == Some("backup".into())
    });
}

/// Of VRID 51 over IPv6, from a host that nobody is.
fn better_advert() -> Vec<u8> {
    let address = |text: &str| text.parse().expect("an address");
    let advert = Advert {
        mac: Some(MacAddr(2, 0, 0, 0xf0, 0, 7)),
        source: address("fe80::ff07"),
        destination: address("ff02::12"),
        ttl: 255,
        version: Version::V3,
        vrid: 51,
        priority: 200,
        interval: Interval::CentiSeconds(CentiSeconds(10)),
        auth: Auth::None,
        checksum: ChecksumForm::PseudoHeader,
        addresses: vec![address("fe80::100")],
    };
    frame::advert(&advert, None).expect("a frame")
}
