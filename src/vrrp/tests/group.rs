//! Groups: two or three nodes with as many routers each.

use proptest::prelude::*;

use super::super::group::{Exclusive, Synced, exclusive_priorities, sync_allows, sync_state};
use super::super::*;
use super::bench::{SECOND, ip, settings};
use super::network::{Group, Network};

/// `priorities[node][router]`.
fn network<const ROUTERS: usize>(group: Group, priorities: &[[u8; ROUTERS]]) -> Network {
    let router = |(priority, vrid): (&u8, u8)| Settings {
        priority: *priority,
        vrid,
        addresses: vec![(ip(&format!("10.9.9.1{vrid}")), 32)],
        ..settings()
    };
    let node = |priorities: &[u8; ROUTERS]| priorities.iter().zip(1..).map(router).collect();
    Network::new(group, priorities.iter().map(node).collect())
}

/// Priorities under which addresses should spread out: the usual ones, equal ones, one node best in all, and odd ones.
const EXCLUSIVE: [[[u8; 2]; 2]; 5] = [
    [[100, 50], [50, 100]],
    [[100, 100], [100, 100]],
    [[50, 50], [100, 100]],
    [[254, 2], [2, 254]],
    [[100, 90], [99, 91]],
];

/// The second node starts this much after the first, or before it.
const STARTS: [(usize, usize, u64); 9] = [
    (0, 1, 0),
    (0, 1, 1),
    (1, 0, 1),
    (0, 1, 200_000),
    (1, 0, 200_000),
    (0, 1, 3_500_000),
    (1, 0, 3_500_000),
    (0, 1, 20_000_000),
    (1, 0, 20_000_000),
];

fn assert_one_each(network: &mut Network, what: &str) {
    network.run(15 * SECOND);
    let holders = (network.holders(0), network.holders(1));
    assert!(holders == (vec![0], vec![1]) || holders == (vec![1], vec![0]), "{what}: {holders:?}");
    network.assert_rest(120 * SECOND);
}

#[test]
fn exclusive_members_spread_out_whatever_the_priorities_and_the_order_of_start() {
    for priorities in EXCLUSIVE {
        for (first, second, micros) in STARTS {
            let mut network = network(Group::Exclusive, &priorities);
            network.start(first);
            network.run(Duration::from_micros(micros));
            network.start(second);
            assert_one_each(&mut network, &format!("{priorities:?} {first} {micros}"));
        }
    }
}

#[test]
fn the_survivor_holds_all_exclusive_members_and_gives_one_back() {
    for priorities in EXCLUSIVE {
        for dead in [0, 1] {
            let mut network = network(Group::Exclusive, &priorities);
            network.start(0);
            network.start(1);
            network.run(15 * SECOND);
            for _ in 0..3 {
                network.crash(dead);
                network.run(5 * SECOND);
                assert_eq!((network.holders(0), network.holders(1)), (vec![1 - dead], vec![1 - dead]));
                network.assert_rest(60 * SECOND);
                network.start(dead);
                assert_one_each(&mut network, &format!("{priorities:?} {dead}"));
            }
        }
    }
}

#[test]
fn three_exclusive_members_spread_out_over_three_nodes_and_over_those_that_are_left() {
    for priorities in [[[100; 3]; 3], [[100, 90, 80], [80, 100, 90], [90, 80, 100]], [[100; 3], [90; 3], [80; 3]]] {
        let mut network = network(Group::Exclusive, &priorities);
        (0..3).for_each(|node| network.start(node));
        for dead in [0, 1, 2] {
            network.run(60 * SECOND);
            let mut holders: Vec<usize> = (0..3).flat_map(|router| network.holders(router)).collect();
            holders.sort_unstable();
            assert_eq!(holders, [0, 1, 2], "{priorities:?}");
            network.assert_rest(60 * SECOND);
            network.crash(dead);
            network.run(60 * SECOND);
            let held: Vec<usize> = (0..3).map(|router| network.holders(router).len()).collect();
            assert_eq!(held, [1, 1, 1], "{priorities:?} without {dead}");
            network.assert_rest(60 * SECOND);
            network.start(dead);
        }
    }
}

#[test]
fn exclusive_members_stay_where_their_priorities_want_them() {
    let mut network = network(Group::Exclusive, &[[100, 50], [50, 100]]);
    network.start(1);
    network.run(20 * SECOND);
    network.start(0);
    network.run(20 * SECOND);
    assert_eq!((network.holders(0), network.holders(1)), (vec![0], vec![1]));
}

#[test]
fn an_exclusive_address_is_not_without_a_holder_when_it_moves_back() {
    let mut network = network(Group::Exclusive, &[[100, 50], [50, 100]]);
    network.start(0);
    network.run(20 * SECOND);
    network.start(1);
    for _ in 0..10_000 {
        network.run(Duration::from_millis(1));
        assert!(!network.holders(0).is_empty());
        assert!(!network.holders(1).is_empty());
    }
    assert_eq!(network.holders(1), [1]);
}

#[test]
fn an_exclusive_group_keeps_the_best_it_holds_and_yields_the_others() {
    let member = |state, priority| Exclusive { state, priority };
    let (master, backup) = (State::Master, State::Backup);
    for (members, expected) in [
        (vec![member(backup, Some(100)), member(backup, Some(50))], vec![Some(100), Some(50)]),
        (vec![member(master, Some(50)), member(backup, Some(100))], vec![Some(50), Some(1)]),
        (vec![member(master, Some(50)), member(master, Some(100))], vec![Some(1), Some(100)]),
        (vec![member(master, Some(100)), member(master, Some(100))], vec![Some(100), Some(1)]),
        (vec![member(master, Some(100)), member(State::Fault, None)], vec![Some(100), None]),
        (vec![], vec![]),
    ] {
        assert_eq!(exclusive_priorities(&members), expected, "{members:?}");
    }
}

#[test]
fn a_sync_group_is_master_of_all_or_of_none() {
    let member = |state, ready| Synced { state, ready };
    let (master, waiting, ready) =
        (member(State::Master, false), member(State::Backup, false), member(State::Backup, true));
    for (members, allowed) in [
        (vec![master, master], true),
        (vec![master, ready], true),
        (vec![ready, ready], true),
        (vec![master, waiting], false),
        (vec![ready, waiting], false),
        (vec![master, member(State::Fault, false)], false),
        (vec![ready, member(State::Fenced, false)], false),
        (vec![ready, member(State::Init, false)], false),
    ] {
        assert_eq!(sync_allows(&members), allowed, "{members:?}");
    }
}

/// Both nodes live, the first holds everything.
fn synced() -> Network {
    let mut network = network(Group::Sync, &[[100, 100], [50, 50]]);
    network.start(1);
    network.run(20 * SECOND);
    network.start(0);
    network.run(10 * SECOND);
    assert_eq!((network.holders(0), network.holders(1)), (vec![0], vec![0]));
    network
}

#[test]
fn sync_members_move_together_when_one_fails_and_back() {
    let mut network = synced();
    for event in [Event::Interface(None), Event::Priority(None), Event::Fence("by hand".into())] {
        network.tell(0, 1, event);
        network.run(5 * SECOND);
        assert_eq!((network.holders(0), network.holders(1)), (vec![1], vec![1]));
        network.assert_rest(60 * SECOND);
        network.tell(0, 1, Event::Unfence);
        network.tell(0, 1, Event::Priority(Some(100)));
        network.tell(0, 1, Event::Interface(Some(Network::address(0))));
        network.run(10 * SECOND);
        assert_eq!((network.holders(0), network.holders(1)), (vec![0], vec![0]));
        network.assert_rest(60 * SECOND);
    }
}

#[test]
fn sync_members_are_taken_over_together_from_a_node_that_dies() {
    let mut network = synced();
    network.crash(0);
    network.run(5 * SECOND);
    assert_eq!((network.holders(0), network.holders(1)), (vec![1], vec![1]));
    network.start(0);
    network.run(10 * SECOND);
    assert_eq!((network.holders(0), network.holders(1)), (vec![0], vec![0]));
    network.assert_rest(60 * SECOND);
}

#[test]
fn a_wire_cut_for_one_sync_member_does_not_tear_the_group_apart() {
    let mut network = synced();
    network.loses = Box::new(|_, _, router| router == 0);
    network.assert_rest(60 * SECOND);
    assert_eq!((network.holders(0), network.holders(1)), (vec![0], vec![0]));
}

#[test]
fn sync_members_start_on_one_node_whatever_the_order() {
    for priorities in [[[100, 100], [50, 50]], [[100, 100], [100, 100]], [[2, 254], [1, 253]]] {
        for (first, second, micros) in STARTS {
            let mut network = network(Group::Sync, &priorities);
            network.start(first);
            network.run(Duration::from_micros(micros));
            network.start(second);
            network.run(15 * SECOND);
            assert_eq!(network.holders(0), network.holders(1), "{priorities:?} {first} {micros}");
            assert_eq!(network.holders(0).len(), 1);
            network.assert_rest(60 * SECOND);
        }
    }
}

/// What befalls a router of a node, or the node.
#[derive(Clone, Debug)]
enum Trouble {
    Crash(usize),
    Start(usize),
    Tell(usize, usize, Event<'static>),
    Cut(usize, usize),
    Join,
    Pass(Duration),
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let event = prop::sample::select(vec![
        Event::Fence("by hand".into()),
        Event::Unfence,
        Event::Interface(None),
        Event::AddressLost,
        Event::AnnounceAgain,
    ]);
    prop_oneof![
        1 => (0usize..2).prop_map(Trouble::Crash),
        1 => (0usize..2).prop_map(Trouble::Start),
        3 => (0usize..2, 0usize..2, event).prop_map(|(node, router, event)| Trouble::Tell(node, router, event)),
        1 => (0usize..2, 0usize..2).prop_map(|(from, router)| Trouble::Cut(from, router)),
        1 => Just(Trouble::Join),
        2 => (0u64..6000).prop_map(|millis| Trouble::Pass(Duration::from_millis(millis))),
    ]
}

fn befall(network: &mut Network, trouble: Trouble) {
    let alive = |node: usize| !network.nodes[node].routers.is_empty();
    match trouble {
        Trouble::Crash(node) => network.crash(node),
        Trouble::Start(node) if !alive(node) => network.start(node),
        Trouble::Tell(node, router, event) if alive(node) => network.tell(node, router, event),
        Trouble::Start(_) | Trouble::Tell(..) => {}
        Trouble::Cut(from, router) => network.loses = Box::new(move |f, _, r| (f, r) == (from, router)),
        Trouble::Join => network.loses = Box::new(|_, _, _| false),
        Trouble::Pass(duration) => network.run(duration),
    }
}

/// Everything is well again.
fn mend(network: &mut Network) {
    network.loses = Box::new(|_, _, _| false);
    for node in 0..2 {
        if network.nodes[node].routers.is_empty() {
            network.start(node);
        }
        for router in 0..2 {
            network.tell(node, router, Event::Unfence);
            network.tell(node, router, Event::Interface(Some(Network::address(node))));
        }
    }
    network.run(30 * SECOND);
}

#[test]
fn a_sync_group_is_master_once_all_are_and_shows_a_fault_of_any() {
    use State::{Backup, Fault, Fenced, Init, Master};
    for (members, state) in [
        (vec![], None),
        (vec![Master, Init], None),
        (vec![Master, Master], Some(Master)),
        (vec![Master, Backup], Some(Backup)),
        (vec![Backup, Fault, Fenced], Some(Fault)),
        (vec![Fenced, Backup], Some(Fenced)),
    ] {
        assert_eq!(sync_state(&members), state, "{members:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn after_any_trouble_a_group_comes_to_rest_where_it_belongs(
        troubles in prop::collection::vec(trouble(), 1..40),
        which in 0usize..EXCLUSIVE.len(),
    ) {
        let mut exclusive = network(Group::Exclusive, &EXCLUSIVE[which]);
        let mut sync = network(Group::Sync, &[[100, 100], [50, 50]]);
        for trouble in troubles {
            befall(&mut exclusive, trouble.clone());
            befall(&mut sync, trouble);
        }
        mend(&mut exclusive);
        assert_one_each(&mut exclusive, "mended");
        mend(&mut sync);
        prop_assert_eq!((sync.holders(0), sync.holders(1)), (vec![0], vec![0]));
        sync.assert_rest(60 * SECOND);
    }
}
