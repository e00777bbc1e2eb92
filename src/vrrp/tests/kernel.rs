//! What needs the kernel: claims that fail, addresses that vanish, releases that take their time.

use super::super::*;
use super::bench::*;

const DOWN: Duration = Duration::from_nanos(3_609_375_000);

/// A router that has asked for its addresses and has no answer.
fn claiming(settings: Settings) -> Bench {
    let mut bench = Bench { obliging: false, ..Bench::new(settings) };
    assert_eq!(bench.pass(DOWN), "claim, -> master");
    bench
}

#[test]
fn no_advert_before_the_kernel_has_confirmed_the_addresses() {
    let mut bench = claiming(settings());
    assert!(!bench.router.holds());
    assert_eq!(bench.hear(0, HIGHER), "");
    assert_eq!(bench.hear(50, HIGHER), "");
    assert_eq!(bench.tell(Event::AnnounceAgain), "");
    assert_eq!(bench.tell(Event::Claimed), "advert 100, announce");
    assert!(bench.router.holds());
}

#[test]
fn a_better_advert_ends_a_claim_that_is_on_its_way() {
    let mut bench = claiming(settings());
    assert_eq!(bench.hear(200, HIGHER), "release, -> backup");
    assert_eq!(bench.tell(Event::Claimed), "");
    assert_eq!(bench.tell(Event::Released), "");
}

#[test]
fn a_refused_claim_is_repeated_three_times_an_interval_apart() {
    let mut bench = claiming(settings());
    for _ in 0..3 {
        assert_eq!(bench.tell(Event::ClaimFailed("no such device".into())), "");
        assert_eq!(bench.due_in(), SECOND);
        assert_eq!(bench.pass(SECOND), "claim");
    }
    assert_eq!(bench.tell(Event::ClaimFailed("no such device".into())), "release, -> fault");
    assert_eq!(bench.tell(Event::Released), "", "who never advertised owes no farewell");
    assert_eq!(bench.due_in(), DOWN);
    assert_eq!(bench.pass(DOWN), "-> backup");
    assert_eq!(bench.due_in(), DOWN);
}

#[test]
fn a_fault_of_another_kind_outlasts_the_pause_after_refused_claims() {
    let mut bench = claiming(settings());
    bench.pass(SECOND);
    bench.tell(Event::Released);
    assert_eq!(bench.tell(Event::Priority(None)), "");
    assert_eq!((bench.pass(60 * SECOND), bench.state()), (String::new(), State::Fault));
    assert_eq!(bench.tell(Event::Priority(Some(100))), "-> backup");
}

#[test]
fn a_claim_that_succeeds_later_counts() {
    let mut bench = claiming(settings());
    bench.tell(Event::ClaimFailed("busy".into()));
    bench.pass(SECOND);
    assert_eq!(bench.tell(Event::Claimed), "advert 100, announce");
}

#[test]
fn a_kernel_that_does_not_answer_makes_no_master() {
    let mut bench = claiming(settings());
    assert_eq!(bench.pass(SECOND), "release, -> fault");
    assert_eq!(bench.tell(Event::Claimed), "");
    assert_eq!(bench.tell(Event::Released), "");
    assert_eq!(bench.state(), State::Fault);
}

/// Many routers on a busy host: the kernel answers, but each time later than anybody waited before.
#[test]
fn a_kernel_that_is_slow_to_answer_is_waited_for_longer_each_time_and_makes_a_master() {
    const SLOW: Duration = Duration::from_secs(10);
    let mut bench = claiming(settings());
    let mut given_up = 0;
    loop {
        let did = bench.pass(SLOW);
        if did.is_empty() {
            break;
        }
        assert_eq!(did.split(", ").take(2).collect::<Vec<_>>(), ["release", "-> fault"]);
        given_up += 1;
        bench.tell(Event::Claimed);
        bench.tell(Event::Released);
        while bench.state() != State::Master {
            let due = bench.due_in();
            bench.pass(due);
        }
    }
    assert_eq!((given_up, bench.tell(Event::Claimed)), (4, "advert 100, announce".into()));
    // Once it has succeeded the next one is given up as soon as the first.
    bench.tell(Event::AddressLost);
    assert_eq!(bench.pass(SECOND), "release, -> fault");
    assert_eq!(bench.due_in(), DOWN);
}

#[test]
fn the_pause_after_giving_up_doubles_up_to_half_a_minute() {
    let mut bench = claiming(settings());
    let mut pauses = Vec::new();
    for _ in 0..5 {
        // A claim, and three times the same again.
        for _ in 0..3 {
            bench.tell(Event::ClaimFailed("busy".into()));
            bench.pass(SECOND);
        }
        bench.tell(Event::ClaimFailed("busy".into()));
        assert_eq!(bench.state(), State::Fault);
        pauses.push(bench.due_in());
        bench.tell(Event::Released);
        while bench.state() != State::Master {
            let due = bench.due_in();
            bench.pass(due);
        }
    }
    let longest = Duration::from_secs(30);
    assert_eq!(pauses, [DOWN, DOWN * 2, DOWN * 4, DOWN * 8, DOWN * 16].map(|pause| pause.min(longest)));
}

#[test]
fn a_lost_address_is_claimed_again_and_adverts_wait_for_it() {
    let mut bench = Bench { obliging: false, ..Bench::master(settings()) };
    assert_eq!(bench.tell(Event::AddressLost), "alarm, claim");
    assert_eq!(bench.tell(Event::AddressLost), "");
    assert_eq!(bench.pass(millis(900)), "");
    assert_eq!(bench.tell(Event::Claimed), "advert 100, announce");
}

#[test]
fn the_fourth_loss_within_ten_intervals_is_the_last() {
    let mut bench = Bench { obliging: false, ..Bench::master(settings()) };
    for _ in 0..3 {
        bench.pass(millis(3300));
        assert_eq!(bench.tell(Event::AddressLost), "alarm, claim");
        bench.tell(Event::Claimed);
    }
    assert_eq!(bench.tell(Event::AddressLost), "release, -> fault");
    assert_eq!(bench.tell(Event::Released), "advert 0");
    assert_eq!(bench.due_in(), DOWN);
}

#[test]
fn losses_that_are_further_apart_are_each_repaired() {
    let mut bench = Bench::master(settings());
    for _ in 0..10 {
        bench.pass(millis(3400));
        assert_eq!(bench.tell(Event::AddressLost), "alarm, claim, advert 100, announce");
    }
}

#[test]
fn no_claim_while_a_release_is_on_its_way() {
    let mut bench = Bench { obliging: false, ..Bench::master(settings()) };
    assert_eq!(bench.hear(200, HIGHER), "release, -> backup");
    assert_eq!(bench.pass(DOWN), "alarm");
    assert_eq!((bench.state(), bench.due_in()), (State::Backup, SECOND));
    assert_eq!(bench.pass(SECOND), "", "one alarm is enough");
    bench.tell(Event::Released);
    assert_eq!(bench.pass(SECOND), "claim, -> master");
}

#[test]
fn a_farewell_is_not_sent_when_another_has_become_master_meanwhile() {
    let forbid = Event::Forbid("no lease".into());
    for event in [Event::HandOver, Event::Fence("split".into()), Event::Priority(None), forbid] {
        let mut bench = Bench { obliging: false, ..Bench::master(settings()) };
        assert!(bench.tell(event).starts_with("release"));
        bench.hear(50, LOWER);
        assert_eq!(bench.tell(Event::Released), "");
    }
}

#[test]
fn an_owner_neither_claims_nor_releases() {
    let mut bench = Bench::new(owner());
    assert_eq!(bench.tell(Event::AddressLost), "");
    assert_eq!(bench.tell(Event::Fence("split".into())), "advert 0, -> fenced");
    assert_eq!(bench.tell(Event::Unfence), "-> master, advert 255, announce");
    assert_eq!(bench.tell(Event::Shutdown), "advert 0, -> init");
}
