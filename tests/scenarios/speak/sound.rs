//! Every kind of advert that we send, as tshark and tcpdump read it.

use crate::lab::{Daemon, Flavour, Recording, Stage, vipwarden};

/// The one whose checksum covers the message only, which tshark and tcpdump don't expect by themselves.
const MESSAGE_ONLY: u8 = 54;

/// VRID, and what makes its adverts differ.
const KINDS: [(u8, &str); 8] = [
    (51, "version = 3\naddresses = [\"10.9.9.51\"]"),
    (52, "version = 2\naddresses = [\"10.9.9.52\"]\nadvert_interval = \"1s\""),
    (53, "version = 2\naddresses = [\"10.9.9.53\"]\nadvert_interval = \"1s\"\nauth_pass = \"secret12\""),
    (MESSAGE_ONLY, "version = 3\naddresses = [\"10.9.9.54\"]\nchecksum = \"message\""),
    (55, "version = 3\naddresses = [\"fe80::55\", \"2001:db8:9::55\"]"),
    (56, "version = 3\naddresses = [\"10.9.9.56\"]\nunicast_peers = [\"10.9.9.2\"]"),
    (57, "version = 3\naddresses = [\"10.9.9.57\"]\nvmac = true"),
    (58, "version = 3\naddresses = [\"fe80::58\", \"2001:db8:9::58\"]\nunicast_peers = [\"fe80::ff:fe09:902\"]"),
];

/// Starts all of them on `a`, ends them in good order, and answers what `b` saw on its cable.
fn recorded(stage: &Stage) -> Recording {
    let recording = Recording::start(&stage.b);
    let router = |(vrid, lines): &(u8, &str)| {
        let interval = if lines.contains("advert_interval") { "" } else { "advert_interval = \"100ms\"\n" };
        format!("[[router]]\nmode = \"speak\"\ninterface = \"eth0\"\nvrid = {vrid}\n{interval}{lines}\n")
    };
    let routers: String = KINDS.iter().map(router).collect();
    let mut daemon = Daemon::start(&stage.a, vipwarden(), &routers).expect("vipwarden starts");
    crate::lab::until("all are master", || {
        let status = daemon.status().expect("it answers");
        let routers = status["routers"].as_array().expect("a list");
        routers.iter().filter(|router| router["state"] == "master").count() == KINDS.len()
    });
    daemon.process().stop().expect("it ends");
    recording
}

#[test]
fn tshark_and_tcpdump_find_no_advert_malformed_and_no_checksum_bad() {
    let stage = Stage::new(Flavour::V3);
    let mut recording = recorded(&stage);
    // RFC 9568 §5.2: of every kind those of a master, and the last one of priority 0.
    for (vrid, lines) in KINDS {
        for which in ["vrrp.prio == 100", "vrrp.prio == 0"] {
            let filter = format!("vrrp.virt_rtr_id == {vrid} && {which}");
            assert!(!recording.packets(&filter, &["frame.number"]).is_empty(), "{which} of {lines}");
        }
    }
    let bad = "_ws.malformed || _ws.expert.severity >= 6291456 || vrrp.checksum.status != 1 || ip.checksum.status == 0";
    let fields = ["frame.number", "vrrp.virt_rtr_id", "_ws.col.Info"];
    let whole = recording.packets(&format!("vrrp && vrrp.virt_rtr_id != {MESSAGE_ONLY} && ({bad})"), &fields);
    assert!(whole.is_empty(), "{whole:?}");
    let of_message = recording.packets_by_message(&format!("vrrp.virt_rtr_id == {MESSAGE_ONLY} && ({bad})"), &fields);
    assert!(of_message.is_empty(), "{of_message:?}");
    let printed = recording.printed();
    assert!(printed.len() > 2 * KINDS.len(), "{printed:?}");
    for line in printed.iter().filter(|line| !line.contains(&format!("vrid {MESSAGE_ONLY},"))) {
        let is_sound = !["bad", "[|", "truncated", "malformed"].iter().any(|word| line.contains(word));
        assert!(line.contains("vrid") && is_sound, "{line}");
    }
}
