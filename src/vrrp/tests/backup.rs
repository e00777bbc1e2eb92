//! RFC 9568 §6.4.2, RFC 3768 §6.4.2: the backup state.

use super::super::*;
use super::bench::*;

const DOWN: Duration = Duration::from_nanos(3_609_375_000);
const SKEW: Duration = Duration::from_nanos(609_375_000);

#[test]
fn rfc9568_6_4_2_becomes_master_when_the_master_down_timer_runs_out() {
    for settings in kinds() {
        let mut bench = Bench::new(settings);
        assert_eq!(bench.pass(DOWN - Duration::from_nanos(1)), "");
        assert_eq!(bench.pass(Duration::from_nanos(1)), "claim, -> master, advert 100, announce");
        assert_eq!(bench.due_in(), SECOND, "the next advert");
    }
}

#[test]
fn rfc9568_6_4_2_every_accepted_advert_arms_the_timer_anew() {
    for settings in kinds() {
        for (priority, source) in [(200, LOWER), (101, LOWER), (100, HIGHER), (255, LOWER)] {
            let mut bench = Bench::new(settings.clone());
            bench.pass(3 * SECOND);
            assert_eq!(bench.hear(priority, source), "");
            assert_eq!(bench.due_in(), DOWN, "{priority} from {source}");
        }
    }
}

#[test]
fn rfc9568_6_4_2_equal_priority_is_accepted_whatever_the_address() {
    for settings in kinds() {
        let mut bench = Bench::new(settings);
        bench.pass(SECOND);
        bench.hear(100, LOWER);
        assert_eq!(bench.due_in(), DOWN);
    }
}

#[test]
fn rfc9568_6_4_2_priority_zero_leaves_the_skew() {
    for settings in kinds() {
        let higher = host(settings.family, HIGHER);
        let mut bench = Bench::new(settings);
        bench.hear(200, HIGHER);
        bench.hear(0, HIGHER);
        assert_eq!(bench.due_in(), SKEW);
        assert_eq!(bench.router.takeover().unwrap().1, Takeover::Resigned(higher));
        assert_eq!(bench.pass(SKEW), "claim, -> master, advert 100, announce");
        assert_eq!(bench.router.counters().priority_zero_received, 1);
    }
}

#[test]
fn farewells_without_end_do_not_put_the_takeover_off() {
    let mut bench = Bench::new(settings());
    bench.hear(0, HIGHER);
    bench.pass(millis(600));
    bench.hear(0, HIGHER);
    assert_eq!(bench.due_in(), SKEW - millis(600));
}

#[test]
fn rfc9568_6_4_2_a_lower_priority_is_preempted_when_the_timer_runs_out() {
    for settings in kinds() {
        let higher = host(settings.family, HIGHER);
        let mut bench = Bench::new(settings);
        for _ in 0..3 {
            bench.pass(SECOND);
            assert_eq!(bench.hear(99, HIGHER), "");
        }
        assert_eq!(bench.due_in(), SKEW, "what is discarded leaves the timer as it is");
        assert_eq!(bench.router.takeover().unwrap().1, Takeover::Preemption(higher));
        assert_eq!(bench.pass(SKEW), "claim, -> master, advert 100, announce");
    }
}

/// Or it would be master for as long as the better one needs to say so, and two would answer.
#[test]
fn rfc9568_6_4_2_who_is_worse_by_now_does_not_preempt_by_the_priority_that_it_had() {
    for settings in kinds() {
        let higher = host(settings.family, HIGHER);
        let mut bench = Bench::new(settings);
        bench.tell(Event::Priority(Some(250)));
        bench.hear(200, HIGHER);
        assert_eq!(bench.router.takeover().unwrap().1, Takeover::Preemption(higher));
        bench.pass(SECOND);
        assert_eq!(bench.tell(Event::Priority(Some(201))), "");
        assert_eq!(bench.router.takeover().unwrap().1, Takeover::Preemption(higher), "it is better still");
        assert_eq!(bench.tell(Event::Priority(Some(100))), "");
        assert_eq!(bench.router.takeover().unwrap().1, Takeover::Silence(higher));
        assert_eq!(bench.due_in(), DOWN - SECOND, "as if it had been worse when it heard that advert");
    }
}

#[test]
fn rfc9568_6_1_without_preemption_a_lower_priority_is_followed() {
    for settings in kinds() {
        let mut bench = Bench::new(Settings { preempt: false, ..settings });
        for _ in 0..10 {
            bench.pass(SECOND);
            assert_eq!(bench.hear(1, LOWER), "");
            assert_eq!(bench.due_in(), DOWN);
        }
        assert_eq!(bench.pass(DOWN), "claim, -> master, advert 100, announce");
    }
}

#[test]
fn rfc9568_6_4_2_the_masters_interval_is_learned() {
    for settings in [settings(), over_ipv6()] {
        let quick = Settings { advert_interval: millis(100), ..settings.clone() };
        let mut bench = Bench::new(settings);
        bench.tell(Event::Advert(&heard(&quick, 200, HIGHER)));
        assert_eq!(bench.due_in(), Duration::from_nanos(360_937_500));
        bench.hear(0, HIGHER);
        assert_eq!(bench.due_in(), Duration::from_nanos(60_937_500));
    }
}

#[test]
fn rfc9568_6_4_2_the_interval_of_a_master_that_is_not_followed_is_not() {
    let mut bench = Bench::new(settings());
    let quick = Settings { advert_interval: millis(10), ..settings() };
    bench.tell(Event::Advert(&heard(&quick, 50, HIGHER)));
    assert_eq!(bench.due_in(), DOWN);
}

#[test]
fn rfc9568_6_4_2_who_was_master_counts_with_its_own_interval_again() {
    let mut bench = Bench::new(settings());
    bench.tell(Event::Advert(&heard(&Settings { advert_interval: millis(100), ..settings() }, 200, HIGHER)));
    bench.pass(SECOND);
    assert!(bench.router.holds());
    bench.tell(Event::HandOver);
    assert_eq!(bench.due_in(), DOWN);
}

#[test]
fn an_interval_learned_during_a_fault_counts_afterwards() {
    let mut bench = Bench::new(Settings { advert_interval: millis(100), ..settings() });
    bench.tell(Event::Priority(None));
    bench.tell(Event::Advert(&heard(&settings(), 200, HIGHER)));
    bench.tell(Event::Priority(Some(100)));
    assert_eq!(bench.due_in(), DOWN);
}

#[test]
fn a_preemption_is_put_off_by_its_delay_from_the_moment_it_was_possible() {
    let mut bench = Bench::new(Settings { preempt_delay: 10 * SECOND, ..settings() });
    bench.hear(50, LOWER);
    for _ in 0..9 {
        assert_eq!(bench.pass(SECOND), "");
        assert_eq!(bench.hear(50, LOWER), "");
    }
    assert_eq!(bench.due_in(), SECOND);
    assert_eq!(bench.pass(SECOND), "claim, -> master, advert 100, announce");
}

#[test]
fn a_master_that_falls_silent_is_replaced_within_the_preemption_delay_too() {
    let mut bench = Bench::new(Settings { preempt_delay: 60 * SECOND, ..settings() });
    bench.hear(50, LOWER);
    assert_eq!(bench.due_in(), DOWN);
    assert_eq!(bench.pass(DOWN), "claim, -> master, advert 100, announce");
}

#[test]
fn a_better_advert_ends_a_preemption_that_was_under_way() {
    let mut bench = Bench::new(settings());
    bench.hear(50, LOWER);
    bench.pass(3 * SECOND);
    bench.hear(200, HIGHER);
    assert_eq!(bench.due_in(), DOWN);
    bench.hear(50, LOWER);
    assert_eq!(bench.due_in(), DOWN);
}

#[test]
fn ones_own_adverts_looped_back_are_ignored() {
    let mut bench = Bench::new(settings());
    bench.pass(SECOND);
    assert_eq!(bench.hear(255, OURS), "");
    assert_eq!(bench.due_in(), DOWN - SECOND);
    assert_eq!(bench.router.counters().adverts_received, 0);
}

#[test]
fn no_promotion_before_the_socket_is_drained() {
    let mut bench = Bench::new(settings());
    bench.drained = false;
    assert_eq!(bench.stall(DOWN), "");
    assert_eq!((bench.state(), bench.due_in()), (State::Backup, Duration::ZERO));
    bench.drained = true;
    assert_eq!(bench.stall(Duration::ZERO), "claim, -> master, advert 100, announce");
}

#[test]
fn a_loop_that_is_late_by_more_than_an_interval_waits_one_more_and_only_once() {
    let mut bench = Bench::new(settings());
    assert_eq!(bench.stall(DOWN + SECOND + Duration::from_nanos(1)), "");
    assert_eq!((bench.state(), bench.due_in()), (State::Backup, SECOND));
    assert_eq!(bench.stall(30 * SECOND), "claim, -> master, advert 100, announce");
}

#[test]
fn a_loop_that_is_late_by_an_interval_takes_over() {
    let mut bench = Bench::new(settings());
    assert_eq!(bench.stall(DOWN + SECOND), "claim, -> master, advert 100, announce");
}

#[test]
fn the_wait_of_a_late_loop_is_there_again_for_the_next_takeover() {
    let mut bench = Bench::new(settings());
    bench.stall(60 * SECOND);
    bench.hear(200, HIGHER);
    assert_eq!(bench.due_in(), DOWN);
    assert_eq!(bench.stall(60 * SECOND), "");
    assert_eq!(bench.due_in(), SECOND);
}
