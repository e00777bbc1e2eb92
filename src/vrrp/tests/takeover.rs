//! Who takes over from whom, among several backups and over a bad wire.

use proptest::prelude::*;

use super::super::*;
use super::bench::{SECOND, settings, version_2};
use super::network::{Group, Network};

/// A node for each priority, in this order.
fn network(like: &Settings, priorities: &[u8]) -> Network {
    let settings = |priority: &u8| vec![Settings { priority: *priority, ..like.clone() }];
    let mut network = Network::new(Group::None, priorities.iter().map(settings).collect());
    for node in 0..priorities.len() {
        network.start(node);
    }
    network
}

fn every(interval: Duration) -> Settings {
    Settings { advert_interval: interval, ..settings() }
}

#[test]
fn rfc9568_6_1_among_five_backups_with_neighbouring_priorities_the_best_takes_over_each_time() {
    for like in [every(Duration::from_millis(100)), every(Duration::from_millis(10)), settings(), version_2()] {
        let mut network = network(&like, &[102, 100, 104, 101, 103, 105]);
        network.run(4 * like.advert_interval);
        let mut masters = vec![5];
        for dead in [5, 2, 4, 0, 3] {
            assert_eq!(network.holders(0), [dead]);
            network.crash(dead);
            network.run(5 * like.advert_interval);
            masters.extend(network.holders(0));
        }
        assert_eq!(masters, [5, 2, 4, 0, 3, 1]);
        assert_eq!(network.masters_since(Instant::ZERO), masters, "nobody else even tried");
    }
}

#[test]
fn rfc9568_6_4_2_after_a_farewell_the_best_backup_takes_over_within_the_skew() {
    for like in [every(Duration::from_millis(100)), every(Duration::from_millis(10)), version_2()] {
        let mut network = network(&like, &[100, 101, 102, 103, 104, 200]);
        network.run(5 * like.advert_interval);
        let start = network.now;
        network.tell(5, 0, Event::Shutdown);
        network.run(like.advert_interval);
        assert_eq!(network.holders(0), [4]);
        assert_eq!(network.masters_since(start), [4]);
    }
}

#[test]
fn of_equal_priorities_the_highest_address_is_master() {
    let mut network = network(&settings(), &[100, 100, 100, 100, 100]);
    network.run(10 * SECOND);
    assert_eq!(network.holders(0), [4]);
    network.assert_rest(60 * SECOND);
}

#[test]
fn a_better_one_that_returns_takes_over_and_without_preemption_it_does_not() {
    for preempt in [true, false] {
        let mut network = network(&Settings { preempt, ..settings() }, &[100, 200]);
        network.run(10 * SECOND);
        network.crash(1);
        network.run(10 * SECOND);
        network.start(1);
        network.run(10 * SECOND);
        assert_eq!(network.holders(0), [usize::from(preempt)]);
        network.assert_rest(60 * SECOND);
    }
}

#[test]
fn a_handover_reaches_the_next_best_and_stays_there() {
    let mut network = network(&settings(), &[100, 150, 200]);
    network.run(10 * SECOND);
    network.tell(2, 0, Event::HandOver);
    network.run(SECOND);
    assert_eq!(network.holders(0), [1]);
    network.assert_rest(60 * SECOND);
    network.crash(1);
    network.run(10 * SECOND);
    assert_eq!(network.holders(0), [2]);
}

#[test]
fn masters_of_different_intervals_are_followed_by_their_own() {
    let slow = vec![Settings { priority: 200, ..every(10 * SECOND) }];
    let mut network = Network::new(Group::None, vec![slow, vec![every(Duration::from_millis(10))]]);
    network.start(0);
    network.run(40 * SECOND);
    network.start(1);
    network.run(20 * SECOND);
    assert_eq!(network.holders(0), [0]);
    network.assert_rest(60 * SECOND);
}

#[test]
fn a_cut_that_heals_leaves_one_master_within_one_advert() {
    let mut network = network(&settings(), &[100, 200]);
    network.loses = Box::new(|_, _, _| true);
    network.run(60 * SECOND);
    assert_eq!(network.holders(0), [0, 1]);
    network.loses = Box::new(|_, _, _| false);
    network.run(SECOND + Duration::from_millis(1));
    assert_eq!(network.holders(0), [1]);
    network.assert_rest(60 * SECOND);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_was_lost_there_is_one_master_when_the_loss_has_ended(
        lost in prop::collection::vec(any::<bool>(), 1..400),
        priorities in prop::collection::vec(1u8..=254, 2..=4),
        preempt: bool,
        crash in prop::option::of(0usize..2),
    ) {
        let mut network = network(&Settings { preempt, ..every(Duration::from_millis(100)) }, &priorities);
        let mut lost = lost.into_iter().cycle();
        network.loses = Box::new(move |_, _, _| lost.next().unwrap());
        network.run(20 * SECOND);
        if let Some(node) = crash {
            network.crash(node);
            network.run(SECOND);
            network.start(node);
            network.run(5 * SECOND);
        }
        network.loses = Box::new(|_, _, _| false);
        network.run(2 * SECOND);
        let best = *priorities.iter().max().unwrap();
        let holders = network.holders(0);
        prop_assert_eq!(holders.len(), 1);
        prop_assert!(!preempt || priorities[holders[0]] == best);
        network.assert_rest(20 * SECOND);
    }
}
