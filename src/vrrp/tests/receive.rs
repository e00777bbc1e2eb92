//! RFC 9568 §7.1, RFC 3768 §7.1: receiving adverts.

use super::super::*;
use super::bench::*;
use crate::wire::{Advert, Interval, RejectReason};

/// Feeds a better advert, altered; it must not be obeyed. The answer is the reason counted.
fn refused(settings: Settings, alter: impl Fn(&mut Advert)) -> RejectReason {
    let mut bench = Bench::master(settings);
    let mut advert = heard(bench.router.settings(), 200, HIGHER);
    alter(&mut advert);
    assert_eq!(bench.tell(Event::Advert(&advert)), "alarm");
    assert_eq!(bench.tell(Event::Advert(&advert)), "", "an alarm is raised once");
    assert_eq!(bench.state(), State::Master);
    let counters = bench.router.counters();
    assert_eq!((counters.refused.values().sum::<u64>(), counters.adverts_received), (2, 0));
    *counters.refused.keys().next().unwrap()
}

fn password(text: &[u8; 8]) -> Settings {
    Settings { auth: Auth::Password(*text), ..version_2() }
}

#[test]
fn rfc9568_7_1_a_time_to_live_below_255_is_refused() {
    for settings in kinds() {
        assert_eq!(refused(settings, |advert| advert.ttl = 254), RejectReason::Ttl);
    }
}

/// Who sends to one host may stand behind a router, and some send with 64 (keepalived 2.3.3 over IPv6).
#[test]
fn rfc9568_5_1_a_unicast_advert_may_have_any_time_to_live() {
    for settings in kinds() {
        let peer = host(settings.family, OURS);
        let mut bench = Bench::master(settings);
        let better = heard(bench.router.settings(), 200, HIGHER);
        let advert = Advert { ttl: 64, destination: peer, ..better };
        assert_eq!(bench.tell(Event::Advert(&advert)), "release, -> backup");
    }
}

#[test]
fn rfc9568_7_1_a_wrong_checksum_is_refused() {
    for settings in kinds() {
        assert_eq!(refused(settings, |advert| advert.checksum = ChecksumForm::Invalid), RejectReason::Checksum);
    }
}

#[test]
fn rfc9568_7_1_every_right_form_of_the_checksum_is_accepted() {
    for form in [ChecksumForm::PseudoHeader, ChecksumForm::MessageOnly, ChecksumForm::MulticastPseudoHeader] {
        let mut bench = Bench::master(settings());
        let advert = Advert { checksum: form, ..heard(&settings(), 200, HIGHER) };
        assert_eq!(bench.tell(Event::Advert(&advert)), "release, -> backup");
    }
}

#[test]
fn rfc9568_7_1_another_version_is_refused() {
    assert_eq!(refused(settings(), |advert| *advert = heard(&version_2(), 200, HIGHER)), RejectReason::Version);
    assert_eq!(refused(version_2(), |advert| *advert = heard(&settings(), 200, HIGHER)), RejectReason::Version);
}

#[test]
fn rfc9568_7_1_another_virtual_router_is_refused() {
    for settings in kinds() {
        assert_eq!(refused(settings, |advert| advert.vrid = 52), RejectReason::Vrid);
    }
}

#[test]
fn erratum_8301_an_interval_of_zero_is_refused() {
    let zero = Interval::CentiSeconds(crate::time::CentiSeconds(0));
    for settings in [settings(), over_ipv6()] {
        assert_eq!(refused(settings, |advert| advert.interval = zero), RejectReason::Interval);
    }
}

#[test]
fn rfc9568_7_1_another_interval_is_obeyed_in_version_3_and_alarmed_once() {
    for settings in [settings(), over_ipv6()] {
        let slow = heard(&Settings { advert_interval: 2 * SECOND, ..settings.clone() }, 200, HIGHER);
        let mut bench = Bench::new(settings);
        assert_eq!(bench.tell(Event::Advert(&slow)), "alarm");
        assert_eq!(bench.tell(Event::Advert(&slow)), "");
        assert_eq!(bench.due_in(), Duration::from_nanos(7_218_750_000));
        assert_eq!(bench.hear(200, HIGHER), "");
        assert_eq!(bench.tell(Event::Advert(&slow)), "alarm", "after it was right once, a difference is news");
    }
}

#[test]
fn rfc3768_7_1_another_interval_is_refused_in_version_2() {
    let two = Interval::Seconds(crate::time::Seconds(2));
    assert_eq!(refused(version_2(), |advert| advert.interval = two), RejectReason::Interval);
}

#[test]
fn rfc3768_7_1_another_authentication_is_refused_in_version_2() {
    for (ours, theirs) in [
        (password(b"secret12"), Auth::None),
        (password(b"secret12"), Auth::Password(*b"secret13")),
        (password(b"secret12"), Auth::Header),
        (version_2(), Auth::Password(*b"secret12")),
        (version_2(), Auth::HmacTrailer),
    ] {
        assert_eq!(refused(ours, |advert| advert.auth = theirs), RejectReason::Auth);
    }
    assert_eq!(refused(settings(), |advert| advert.auth = Auth::Header), RejectReason::Auth);
}

#[test]
fn rfc2338_the_right_password_is_accepted_and_none_is_ever_shown() {
    let mut bench = Bench::master(password(b"secret12"));
    let mut advert = heard(bench.router.settings(), 200, HIGHER);
    advert.auth = Auth::Password(*b"hunter22");
    bench.router.handle(bench.now, Event::Advert(&advert));
    let alarm = format!("{:?}{:?}", bench.router.poll_action(), bench.router);
    assert!(alarm.contains("Alarm") && !alarm.contains("secret12") && !alarm.contains("hunter22"), "{alarm}");
    assert_eq!(bench.hear(200, HIGHER), "release, -> backup");
}

#[test]
fn a_signature_behind_a_version_3_message_is_no_reason_for_a_second_master() {
    let mut bench = Bench::master(settings());
    let advert = Advert { auth: Auth::HmacTrailer, ..heard(&settings(), 200, HIGHER) };
    assert_eq!(bench.tell(Event::Advert(&advert)), "release, -> backup");
}

#[test]
fn rfc9568_7_1_disjoint_addresses_are_a_collision_and_not_obeyed() {
    let foreign = |advert: &mut Advert| advert.addresses = vec![ip("10.9.9.200")];
    assert_eq!(refused(settings(), foreign), RejectReason::Addresses);
    assert_eq!(refused(version_2(), foreign), RejectReason::Addresses);
    let foreign = |advert: &mut Advert| advert.addresses = vec![ip("fe80::200")];
    assert_eq!(refused(over_ipv6(), foreign), RejectReason::Addresses);
}

#[test]
fn rfc9568_7_1_intersecting_addresses_are_obeyed_and_alarmed_once() {
    let mut bench = Bench::new(settings());
    bench.pass(SECOND);
    let mut advert = heard(&settings(), 200, HIGHER);
    advert.addresses.push(ip("10.9.9.101"));
    assert_eq!(bench.tell(Event::Advert(&advert)), "alarm");
    assert_eq!(bench.tell(Event::Advert(&advert)), "");
    assert_eq!(bench.due_in(), Duration::from_nanos(3_609_375_000));
    assert_eq!(bench.hear(200, HIGHER), "");
    assert_eq!(bench.tell(Event::Advert(&advert)), "alarm", "after it was right once, a difference is news");
}

#[test]
fn the_order_of_the_addresses_does_not_matter() {
    let two = vec![(ip("10.9.9.100"), 32), (ip("10.9.9.101"), 24)];
    let mut bench = Bench::new(Settings { addresses: two, ..settings() });
    let mut advert = heard(bench.router.settings(), 200, HIGHER);
    advert.addresses.reverse();
    assert_eq!(bench.tell(Event::Advert(&advert)), "");
}

#[test]
fn a_stranger_is_alarmed_and_not_obeyed_where_the_speakers_are_known() {
    let mut bench = Bench::master(Settings { known_speakers: Some(vec![ip(LOWER)]), ..settings() });
    assert_eq!(bench.hear(255, HIGHER), "alarm");
    assert_eq!(bench.hear(255, HIGHER), "");
    assert_eq!((bench.state(), bench.router.counters().strangers), (State::Master, 2));
    assert_eq!(bench.hear(255, LOWER), "release, -> backup");
}

#[test]
fn sources_without_end_cost_neither_memory_nor_a_flood_of_alarms() {
    let mut bench = Bench::master(settings());
    let mut alarms = 0;
    for last in 10..=255 {
        let advert = Advert { vrid: 9, ..heard(&settings(), 200, &format!("10.9.9.{last}")) };
        alarms += bench.tell(Event::Advert(&advert)).matches("alarm").count();
    }
    assert_eq!((alarms, bench.router.counters().alarms_suppressed), (32, 246 - 32));
}

#[test]
fn the_last_master_heard_is_remembered() {
    let mut bench = Bench::new(settings());
    assert_eq!(bench.router.heard(), None);
    bench.hear(200, HIGHER);
    let known = Heard { source: ip(HIGHER), priority: 200, interval: SECOND, at: bench.now };
    assert_eq!(bench.router.heard(), Some(&known));
    assert_eq!(bench.router.takeover().unwrap().1, Takeover::Silence(ip(HIGHER)));
}
