//! What the rest of the house tells a router: interface, tracking, fences, handovers, the end, new settings.

use super::super::*;
use super::bench::*;

const DOWN: Duration = Duration::from_nanos(3_609_375_000);

#[test]
fn rfc9568_6_4_3_a_shutdown_gives_the_addresses_up_first_and_then_says_so() {
    for settings in kinds() {
        let mut bench = Bench { obliging: false, ..Bench::master(settings) };
        assert_eq!(bench.tell(Event::Shutdown), "release, -> init");
        assert_eq!(bench.tell(Event::Released), "advert 0");
        assert_eq!(bench.router.poll_timeout(), None);
    }
}

#[test]
fn rfc9568_6_4_2_a_backup_shuts_down_without_a_word() {
    let mut bench = Bench::new(settings());
    assert_eq!(bench.tell(Event::Shutdown), "-> init");
    assert_eq!(bench.router.poll_timeout(), None);
}

#[test]
fn nothing_wakes_what_was_shut_down() {
    let mut bench = Bench::master(settings());
    bench.tell(Event::Shutdown);
    for event in [Event::Interface(Some(ip(OURS))), Event::Unfence, Event::Priority(Some(200)), Event::Allow] {
        assert_eq!(bench.tell(event), "");
    }
    assert_eq!(bench.hear(0, HIGHER), "");
    assert_eq!(bench.pass(60 * SECOND), "");
}

#[test]
fn no_farewell_over_an_interface_that_went_down_meanwhile() {
    for event in [Event::Shutdown, Event::HandOver] {
        let mut bench = Bench { obliging: false, ..Bench::master(settings()) };
        bench.tell(event);
        bench.tell(Event::Interface(None));
        assert_eq!(bench.tell(Event::Released), "");
    }
}

#[test]
fn a_fence_holds_until_it_is_lifted() {
    let mut bench = Bench::master(settings());
    assert_eq!(bench.tell(Event::Fence("split brain".into())), "release, -> fenced, advert 0");
    assert_eq!(bench.tell(Event::Fence("still".into())), "");
    assert_eq!(bench.tell(Event::Interface(Some(ip(OURS)))), "");
    assert_eq!((bench.pass(60 * SECOND), bench.state()), (String::new(), State::Fenced));
    assert_eq!(bench.tell(Event::Unfence), "-> backup");
    assert_eq!(bench.due_in(), DOWN);
}

#[test]
fn a_fence_that_is_lifted_uncovers_a_fault() {
    let mut bench = Bench::new(settings());
    assert_eq!(bench.tell(Event::Fence("by hand".into())), "-> fenced");
    assert_eq!(bench.tell(Event::Interface(None)), "");
    assert_eq!(bench.tell(Event::Unfence), "-> fault");
}

#[test]
fn a_tracked_fault_gives_mastership_away_in_order() {
    let mut bench = Bench::master(settings());
    assert_eq!(bench.tell(Event::Priority(None)), "release, -> fault, advert 0");
    assert_eq!(bench.router.effective_priority(), None);
    assert_eq!(bench.tell(Event::Priority(Some(100))), "-> backup");
    assert_eq!(bench.due_in(), DOWN);
}

#[test]
fn an_interface_that_goes_takes_the_adverts_with_it() {
    let mut bench = Bench::master(settings());
    assert_eq!(bench.tell(Event::Interface(None)), "release, -> fault");
    assert_eq!(bench.pass(60 * SECOND), "");
    assert_eq!(bench.tell(Event::Interface(Some(ip(OURS)))), "-> backup");
    assert_eq!(bench.due_in(), DOWN);
}

#[test]
fn two_faults_end_with_the_second() {
    let mut bench = Bench::master(settings());
    bench.tell(Event::Interface(None));
    bench.tell(Event::Priority(None));
    assert_eq!(bench.tell(Event::Interface(Some(ip(OURS)))), "");
    assert_eq!(bench.tell(Event::Priority(Some(90))), "-> backup");
}

#[test]
fn a_primary_address_that_changes_is_no_reason_to_leave() {
    let mut bench = Bench::master(settings());
    assert_eq!(bench.tell(Event::Interface(Some(ip("10.9.9.6")))), "");
    assert_eq!(bench.state(), State::Master);
}

#[test]
fn a_handover_releases_says_so_and_follows_the_next_master_whatever_its_priority() {
    let mut bench = Bench { obliging: false, ..Bench::master(settings()) };
    assert_eq!(bench.tell(Event::HandOver), "release, -> backup");
    assert_eq!(bench.tell(Event::Released), "advert 0");
    for _ in 0..20 {
        bench.pass(SECOND);
        bench.hear(1, LOWER);
        assert_eq!(bench.due_in(), DOWN);
    }
    assert_eq!(bench.pass(DOWN), "claim, -> master");
}

#[test]
fn after_a_handover_a_third_master_is_preempted_as_ever() {
    let mut bench = Bench::master(settings());
    bench.tell(Event::HandOver);
    bench.hear(50, LOWER);
    bench.pass(SECOND);
    bench.hear(60, HIGHER);
    assert_eq!(bench.due_in(), DOWN - SECOND);
    assert_eq!(bench.router.takeover().unwrap().1, Takeover::Preemption(ip(HIGHER)));
    bench.hear(50, LOWER);
    assert_eq!(bench.router.takeover().unwrap().1, Takeover::Preemption(ip(LOWER)), "the first one too");
}

#[test]
fn after_a_handover_that_nobody_took_it_comes_back() {
    let mut bench = Bench::master(settings());
    assert_eq!(bench.tell(Event::HandOver), "release, -> backup, advert 0");
    assert_eq!(bench.pass(DOWN), "claim, -> master, advert 100, announce");
}

#[test]
fn who_is_not_master_has_nothing_to_hand_over() {
    let mut bench = Bench::new(settings());
    assert_eq!(bench.tell(Event::HandOver), "");
    bench.hear(50, LOWER);
    assert_eq!(bench.router.takeover().unwrap().1, Takeover::Preemption(ip(LOWER)));
}

#[test]
fn a_forbidden_backup_waits_ready_until_it_is_allowed() {
    let mut bench = Bench::new(settings());
    bench.tell(Event::Forbid("the address still answers".into()));
    assert_eq!(bench.pass(60 * SECOND), "");
    assert!(bench.router.is_ready());
    assert_eq!(bench.tell(Event::Allow), "");
    assert_eq!(bench.due_in(), Duration::ZERO);
    assert_eq!(bench.pass(Duration::ZERO), "claim, -> master, advert 100, announce");
}

#[test]
fn a_master_that_is_heard_makes_a_ready_backup_unready() {
    let mut bench = Bench::new(settings());
    bench.tell(Event::Forbid("no lease".into()));
    bench.pass(DOWN);
    assert!(bench.router.is_ready());
    bench.hear(200, HIGHER);
    assert!(!bench.router.is_ready());
    bench.tell(Event::Allow);
    assert_eq!(bench.due_in(), DOWN);
}

#[test]
fn a_forbidden_master_gives_up_in_order() {
    let mut bench = Bench::master(settings());
    assert_eq!(bench.tell(Event::Forbid("the lease ran out".into())), "release, -> backup, advert 0");
    let mut owner = Bench::new(owner());
    assert_eq!(owner.tell(Event::Forbid("the lease ran out".into())), "advert 0, -> backup");
    assert_eq!(owner.pass(60 * SECOND), "");
    owner.tell(Event::Allow);
    assert_eq!(owner.pass(Duration::ZERO), "-> master, advert 255, announce");
}

#[test]
fn entries_say_where_from_where_to_and_why() {
    let mut bench = Bench::master(settings());
    bench.router.handle(bench.now, Event::Advert(&heard(&settings(), 200, HIGHER)));
    bench.router.poll_action();
    let reason = format!("{HIGHER} advertises priority 200 against 100");
    let expected = Action::Entered { from: State::Master, to: State::Backup, reason };
    assert_eq!(bench.router.poll_action(), Some(expected));
    assert_eq!(bench.router.counters().transitions, [(State::Backup, 2), (State::Master, 1)].into());
}

#[test]
fn new_settings_that_the_election_does_not_see_keep_a_master() {
    let mut bench = Bench::master(settings());
    let new = Settings {
        name: "shop".into(),
        priority: 120,
        preempt: false,
        preempt_delay: SECOND,
        startup_delay: SECOND,
        known_speakers: Some(vec![ip(LOWER)]),
        garp: Garp { repeat: 3, delay: SECOND, refresh: 9 * SECOND },
        advert_interval: millis(100),
        unicast_peers: vec![ip(LOWER)],
        ..settings()
    };
    assert_eq!(bench.router.reconfigure(bench.now, new.clone()), Reconfigured::Applied);
    assert_eq!((bench.state(), bench.router.settings()), (State::Master, &new));
    assert_eq!(bench.pass(millis(100)), "advert 120");
}

#[test]
fn settings_that_make_it_another_router_need_a_new_one() {
    let mut bench = Bench::master(settings());
    for (new, reason) in [
        (Settings { vrid: 52, ..settings() }, "vrid"),
        (version_2(), "version"),
        (Settings { family: Family::V6, ..settings() }, "version"),
        (owner(), "priority 255"),
        (Settings { addresses: vec![(ip("10.9.9.101"), 32)], ..settings() }, "addresses"),
        (Settings { addresses: vec![(ip("10.9.9.100"), 24)], ..settings() }, "addresses"),
    ] {
        assert_eq!(bench.router.reconfigure(bench.now, new), Reconfigured::Restart(reason));
        assert_eq!(bench.router.settings(), &settings());
    }
}

#[test]
fn added_addresses_are_claimed_before_they_are_advertised() {
    let mut bench = Bench { obliging: false, ..Bench::master(settings()) };
    let two = vec![(ip("10.9.9.100"), 32), (ip("10.9.9.101"), 32)];
    let grown = Settings { addresses: two, ..settings() };
    assert_eq!(bench.router.reconfigure(bench.now, grown.clone()), Reconfigured::Applied);
    assert_eq!(bench.tell(Event::AnnounceAgain), "claim");
    let again = Settings { excluded_addresses: vec![(ip("10.9.9.102"), 32)], ..grown };
    assert_eq!(bench.router.reconfigure(bench.now, again), Reconfigured::Restart("addresses"), "one claim at a time");
    assert_eq!(bench.tell(Event::Claimed), "advert 100, announce");
}

#[test]
fn a_forbidden_owner_starts_as_backup() {
    let mut bench = Bench::unplugged(owner());
    bench.tell(Event::Forbid("no lease".into()));
    assert_eq!(bench.tell(Event::Interface(Some(ip(OURS)))), "-> backup");
}

#[test]
fn priority_zero_is_a_farewell_and_never_what_a_master_is_worth() {
    let mut bench = Bench::master(settings());
    bench.tell(Event::Priority(Some(0)));
    assert_eq!(bench.pass(SECOND), "advert 1");
}

#[test]
fn alarms_that_stand_are_raised_again_under_new_settings() {
    let mut bench = Bench::new(settings());
    let foreign = crate::wire::Advert { addresses: vec![ip("10.9.9.200")], ..heard(&settings(), 200, HIGHER) };
    assert_eq!(bench.tell(Event::Advert(&foreign)), "alarm");
    bench.router.reconfigure(bench.now, Settings { priority: 90, ..settings() });
    assert_eq!(bench.tell(Event::Advert(&foreign)), "alarm");
}
