//! RFC 9568 §6.4.3, RFC 3768 §6.4.3: the master state.

use super::super::*;
use super::bench::*;

const DOWN: Duration = Duration::from_nanos(3_609_375_000);

#[test]
fn rfc9568_6_4_3_advertises_every_interval() {
    for settings in kinds() {
        let mut bench = Bench::master(settings);
        assert_eq!(bench.pass(3 * SECOND), "advert 100, advert 100, advert 100");
        assert_eq!(bench.router.counters().adverts_sent, 4);
    }
}

#[test]
fn a_loop_that_was_late_does_not_make_up_for_missed_adverts() {
    let mut bench = Bench::master(settings());
    assert_eq!(bench.stall(10 * SECOND), "advert 100");
    assert_eq!(bench.due_in(), SECOND);
}

#[test]
fn rfc9568_6_4_3_priority_zero_is_answered_at_once() {
    for settings in kinds() {
        let mut bench = Bench::master(settings);
        bench.pass(millis(100));
        assert_eq!(bench.hear(0, LOWER), "advert 100");
        assert_eq!(bench.due_in(), SECOND);
    }
}

#[test]
fn farewells_in_a_row_are_answered_together_before_the_best_backup_can_take_over() {
    let mut bench = Bench::master(settings());
    assert_eq!(bench.hear(0, LOWER), "advert 100");
    bench.pass(millis(1));
    assert_eq!(bench.hear(0, HIGHER), "");
    assert!(bench.due_in() < timer::skew(Version::V3, 254, SECOND));
    bench.hear(0, LOWER);
    assert_eq!(bench.pass(millis(5)), "advert 100");
}

#[test]
fn rfc9568_6_4_3_a_better_advert_makes_it_backup_without_a_farewell() {
    for (priority, source) in [(101, LOWER), (255, LOWER), (100, HIGHER)] {
        for settings in kinds() {
            let mut bench = Bench::master(settings);
            assert_eq!(bench.hear(priority, source), "release, -> backup", "{priority} from {source}");
            assert_eq!(bench.due_in(), DOWN);
        }
    }
}

#[test]
fn rfc9568_6_4_3_a_lower_advert_is_answered_at_once() {
    for (priority, source) in [(99, HIGHER), (1, HIGHER), (100, LOWER)] {
        for settings in kinds() {
            let mut bench = Bench::master(settings);
            bench.pass(millis(100));
            assert_eq!(bench.hear(priority, source), "advert 100", "{priority} from {source}");
            assert_eq!(bench.state(), State::Master);
        }
    }
}

#[test]
fn two_that_are_deaf_to_each_other_do_not_storm() {
    let mut bench = Bench::master(settings());
    assert_eq!(bench.hear(99, HIGHER), "advert 100");
    bench.pass(millis(499));
    assert_eq!(bench.hear(99, HIGHER), "");
    bench.pass(millis(1));
    assert_eq!(bench.hear(99, HIGHER), "advert 100");
}

#[test]
fn rfc9568_6_4_3_addresses_are_compared_as_unsigned_in_network_order() {
    for (ours, theirs) in [("10.9.9.5", "10.9.10.1"), ("9.255.255.255", "10.0.0.1"), ("127.0.0.1", "128.0.0.1")] {
        let mut bench = Bench::unplugged(settings());
        bench.tell(Event::Interface(Some(ip(ours))));
        bench.pass(4 * SECOND);
        assert_eq!(bench.hear(100, theirs), "release, -> backup", "{ours} {theirs}");
    }
}

#[test]
fn rfc9568_6_4_3_link_local_addresses_are_compared_likewise() {
    for (theirs, expected) in [("fe80::4", "advert 100"), ("fe80::1:0", "release, -> backup")] {
        let mut bench = Bench::master(over_ipv6());
        assert_eq!(bench.hear(100, theirs), expected);
    }
}

#[test]
fn rfc9568_6_4_3_stepping_down_adopts_the_new_masters_interval() {
    for settings in [settings(), over_ipv6()] {
        let slow = Settings { advert_interval: 10 * SECOND, ..settings.clone() };
        let mut bench = Bench::master(settings);
        bench.tell(Event::Advert(&heard(&slow, 200, LOWER)));
        assert_eq!(bench.due_in(), 10 * DOWN);
    }
}

#[test]
fn ones_own_adverts_looped_back_are_no_rival() {
    let mut bench = Bench::master(settings());
    assert_eq!(bench.hear(100, OURS), "");
    assert_eq!(bench.state(), State::Master);
}

#[test]
fn erratum_8298_an_owner_that_hears_adverts_alarms_once_and_processes_them() {
    let mut bench = Bench::new(owner());
    bench.pass(millis(100));
    assert_eq!(bench.hear(100, HIGHER), "alarm, advert 255");
    bench.pass(SECOND);
    assert_eq!(bench.hear(100, HIGHER), "advert 255");
    assert_eq!(bench.hear(255, HIGHER), "-> backup");
    assert_eq!(bench.pass(4 * SECOND), "-> master, advert 255, announce");
}

#[test]
fn a_changed_priority_goes_out_with_the_next_advert() {
    let mut bench = Bench::master(settings());
    bench.pass(millis(500));
    assert_eq!(bench.tell(Event::Priority(Some(80))), "");
    assert_eq!(bench.pass(SECOND), "advert 80");
    assert_eq!(bench.hear(90, LOWER), "release, -> backup");
}

#[test]
fn announces_in_two_rows_and_then_at_every_refresh() {
    let garp = Garp { repeat: 2, delay: 5 * SECOND, refresh: 8 * SECOND };
    let mut bench = Bench::new(Settings { garp, advert_interval: 40 * SECOND, ..settings() });
    assert_eq!(bench.stall(bench.due_in()), "claim, -> master, advert 100, announce, announce");
    assert_eq!(bench.pass(5 * SECOND), "announce, announce");
    assert_eq!(bench.pass(3 * SECOND), "announce");
    assert_eq!(bench.pass(8 * SECOND), "announce");
    assert_eq!(bench.router.counters().announcements, 6);
}

#[test]
fn the_winner_of_a_split_announces_again_when_the_other_is_silent() {
    let mut bench = Bench::master(settings());
    bench.hear(50, HIGHER);
    bench.pass(2 * SECOND);
    bench.hear(50, HIGHER);
    assert_eq!(bench.pass(DOWN), "advert 100, advert 100, advert 100, announce");
    assert_eq!(bench.pass(10 * SECOND).matches("announce").count(), 0);
}

#[test]
fn announces_again_when_told_if_it_holds_the_addresses() {
    let mut bench = Bench::new(settings());
    assert_eq!(bench.tell(Event::AnnounceAgain), "");
    bench.pass(4 * SECOND);
    assert_eq!(bench.tell(Event::AnnounceAgain), "announce");
}
