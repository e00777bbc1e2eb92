//! A host with a gate, and a neighbour that asks for its addresses.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Command, Stdio};

use crate::observe::IfIndex;
use crate::sys::clock;
use crate::sys::nft::gate::{Gate, Key, Rank, Router};
use crate::sys::speaker::Sender;
use crate::sys::testing::{Host, index_of, ip};
use crate::time::Duration;
use crate::vrrp::Settings;
use crate::wire::{Auth, ChecksumForm, Family, Version};

pub const VRID: u8 = 51;
pub const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 9, 100));
pub const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100));
pub const LINK_LOCAL: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100));
pub const NEAR4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 9, 1));
pub const NEAR6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
pub const FAR4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 9, 2));
pub const FAR6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2));
/// Far longer than any test, where an expiry is not what it is about.
pub const LONG: Duration = Duration::from_secs(600);
const PATIENCE: Duration = Duration::from_secs(60);

pub fn key(family: Family) -> Key {
    Key { family, vrid: VRID, interface: index_of("near") }
}

/// A router on `near` with priority 100, whose peer is the far host.
pub fn router(family: Family) -> Router {
    let (addresses, peer, own) = match family {
        Family::V4 => (vec![V4], FAR4, NEAR4),
        Family::V6 => (vec![LINK_LOCAL, V6], FAR6, NEAR6),
    };
    Router {
        key: key(family),
        addresses,
        vmac: false,
        version: Version::V3,
        auth: Auth::None,
        interval: LONG / 3,
        timeout: LONG,
        peers: vec![peer],
        rank: Rank { priority: 100, source: Some(own) },
        leased: false,
    }
}

pub fn near() -> BTreeMap<IfIndex, String> {
    [(index_of("near"), "near".into())].into()
}

/// Puts the addresses of a router on the near host, reachable for the far one.
pub fn hold(far: &Host, addresses: &[IpAddr]) {
    for address in addresses {
        match address {
            IpAddr::V4(_) => ip(&format!("address add {address}/32 dev near")),
            IpAddr::V6(_) => ip(&format!("address add {address}/128 dev near nodad")),
        };
    }
    far.run(|| ip("-6 route replace 2001:db8::/64 dev far"));
}

/// Sends an advert of ours.
pub fn advertise(family: Family, priority: u8) {
    let settings = settings(family);
    let source = if family == Family::V4 { NEAR4 } else { NEAR6 };
    let mut advert = crate::vrrp::advert(&settings, priority, source);
    advert.mac = Some(crate::wire::MacAddr::new(2, 0, 0, 0, 0, 1));
    Sender::open(index_of("near")).expect("root").advert(&advert, None).expect("near is up");
}

pub fn settings(family: Family) -> Settings {
    let addresses = if family == Family::V4 { vec![(V4, 32)] } else { vec![(LINK_LOCAL, 128), (V6, 128)] };
    Settings {
        name: "web".into(),
        family,
        version: Version::V3,
        vrid: VRID,
        priority: 100,
        advert_interval: Duration::from_secs(1),
        preempt: true,
        preempt_delay: Duration::ZERO,
        startup_delay: Duration::ZERO,
        addresses,
        excluded_addresses: Vec::new(),
        auth: Auth::None,
        checksum: ChecksumForm::PseudoHeader,
        unicast_peers: Vec::new(),
        known_speakers: None,
        probe_before_promote: true,
        promote_grace: None,
        garp: crate::vrrp::Garp { repeat: 1, delay: Duration::ZERO, refresh: Duration::ZERO },
    }
}

/// Whether the far host, which knows nothing of the address yet, gets an answer to a ping within some attempts.
pub fn answers(far: &Host, address: IpAddr) -> bool {
    far.run(move || {
        ip("neighbour flush all");
        ping(address, 10)
    })
}

/// Whether it gets none.
pub fn is_silent(far: &Host, address: IpAddr) -> bool {
    far.run(move || {
        ip("neighbour flush all");
        !ping(address, 2)
    })
}

/// The same for one that knows the MAC already, and asks nobody for it.
pub fn is_silent_to_whom_knows_it(far: &Host, address: IpAddr) -> bool {
    far.run(move || {
        ip(&format!("neighbour replace {address} lladdr 02:00:00:00:00:01 dev far"));
        let silent = !ping(address, 2);
        ip(&format!("neighbour delete {address} dev far"));
        silent
    })
}

pub fn ping(address: IpAddr, times: u32) -> bool {
    let target = match address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => format!("{address}%far"),
        _ => address.to_string(),
    };
    (0..times).any(|_| {
        let mut command = Command::new("ping");
        command.args(["-c", "1", "-W", "0.2", &target]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().expect("ping is installed").success()
    })
}

/// A table with this router's gate, closed. One that was let go just before has its owner a moment longer: a program that another test
/// starts has all sockets of this process until it is executed.
pub fn gate(router: &Router) -> Gate {
    let deadline = clock::now() + PATIENCE;
    loop {
        match Gate::open(std::slice::from_ref(router), &near()) {
            Err(error) if error.code() == Some(libc::EPERM) && clock::now() < deadline => std::thread::yield_now(),
            opened => return opened.expect("root and nf_tables"),
        }
    }
}

/// Whether the gate is open.
pub fn is_open(gate: &mut Gate, family: Family) -> bool {
    gate.standing(key(family)).expect("the kernel answers").is_open()
}

/// Whether an address answers through that interface, by an ARP entry and a route that lead there.
pub fn ping_by(interface: &str, address: IpAddr) -> bool {
    ip(&format!("neighbour replace {address} lladdr 02:00:00:00:00:03 dev {interface}"));
    let mut command = Command::new("ping");
    command.args(["-c", "1", "-W", "0.3", "-I", interface, &address.to_string()]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("ping is installed").success()
}
