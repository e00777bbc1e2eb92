//! RFC 9568 §6.4.1, RFC 3768 §6.4.1: the initial state.

use super::super::*;
use super::bench::*;

#[test]
fn rfc9568_6_4_1_a_router_waits_for_its_interface() {
    for settings in kinds() {
        let ours = host(settings.family, OURS);
        let mut bench = Bench::unplugged(settings);
        assert_eq!((bench.state(), bench.router.poll_timeout()), (State::Init, None));
        assert_eq!(bench.tell(Event::Interface(Some(ours))), "-> backup");
    }
}

#[test]
fn rfc9568_6_4_1_it_becomes_backup_with_a_whole_master_down_interval() {
    for settings in kinds() {
        let bench = Bench::new(settings);
        assert_eq!(bench.state(), State::Backup);
        assert_eq!(bench.due_in(), Duration::from_nanos(3_609_375_000));
    }
}

#[test]
fn rfc9568_6_4_1_the_owner_becomes_master_at_once_and_claims_nothing() {
    for settings in kinds() {
        let ours = host(settings.family, OURS);
        let mut bench = Bench::unplugged(Settings { priority: OWNER, ..settings });
        assert_eq!(bench.tell(Event::Interface(Some(ours))), "-> master, advert 255, announce");
        assert_eq!(bench.due_in(), SECOND);
    }
}

#[test]
fn a_startup_delay_only_listens() {
    let mut bench = Bench::new(Settings { startup_delay: 10 * SECOND, ..settings() });
    assert_eq!((bench.state(), bench.due_in()), (State::Init, 10 * SECOND));
    assert_eq!(bench.hear(50, LOWER), "");
    assert_eq!(bench.pass(10 * SECOND), "-> backup");
    assert_eq!(bench.due_in(), Duration::from_nanos(3_609_375_000));
}

#[test]
fn a_startup_delay_counts_from_the_start_and_not_from_the_interface() {
    let mut bench = Bench::unplugged(Settings { startup_delay: 10 * SECOND, ..owner() });
    bench.pass(4 * SECOND);
    assert_eq!(bench.tell(Event::Interface(Some(ip(OURS)))), "");
    assert_eq!(bench.due_in(), 6 * SECOND);
    assert_eq!(bench.pass(6 * SECOND), "-> master, advert 255, announce");
}

#[test]
fn an_interface_that_is_down_from_the_start_is_a_fault_until_it_comes() {
    let mut bench = Bench::unplugged(settings());
    assert_eq!(bench.tell(Event::Interface(None)), "-> fault");
    assert_eq!(bench.router.poll_timeout(), None);
    assert_eq!(bench.tell(Event::Interface(Some(ip(OURS)))), "-> backup");
}

#[test]
fn what_tracking_says_before_the_interface_is_known_is_kept() {
    let mut bench = Bench::unplugged(settings());
    assert_eq!(bench.tell(Event::Priority(Some(80))), "");
    bench.tell(Event::Interface(Some(ip(OURS))));
    assert_eq!((bench.state(), bench.router.effective_priority()), (State::Backup, Some(80)));
    assert_eq!(bench.due_in(), Duration::from_nanos(3_687_500_000));
}

#[test]
fn a_fence_before_the_interface_is_known_leads_back_to_where_it_was() {
    let mut bench = Bench::unplugged(settings());
    assert_eq!(bench.tell(Event::Fence("by hand".into())), "-> fenced");
    assert_eq!(bench.tell(Event::Unfence), "-> init");
    assert_eq!(bench.tell(Event::Interface(Some(ip(OURS)))), "-> backup");
}
