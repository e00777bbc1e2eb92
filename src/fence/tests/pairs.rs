//! Two honest nodes with a crude VRRP between them, and any faults on the way.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const NODES: [&str; 2] = [A, B];
/// Steps of the world in an interval.
const STEPS: u64 = 10;
const STEP_MS: u64 = INTERVAL_MS / STEPS;

/// What the network does to them at present. `adverts[i]`: node i hears the other's; `answers[i]`: it gets its answers.
#[derive(Clone, Copy, Debug)]
struct Paths {
    adverts: [bool; 2],
    answers: [bool; 2],
}

/// A phase of a run: for so many intervals the paths are these; then one node's priority may change.
type Phase = (u64, Paths, Option<(usize, u8)>);

struct World {
    now: u64,
    guards: [Guard; 2],
    priorities: [u8; 2],
    master: [bool; 2],
    /// When a backup promotes.
    down_at: [u64; 2],
    /// Whether they accept each other's adverts: a mismatch is mutual.
    agree: bool,
    fences: [u32; 2],
}

impl World {
    fn new(priorities: [u8; 2], agree: bool) -> Self {
        let guard = |peer| Guard::new(Policy::default(), scope(&[peer]));
        Self {
            now: 0,
            guards: [guard(B), guard(A)],
            priorities,
            master: [false; 2],
            down_at: [0, STEPS],
            agree,
            fences: [0; 2],
        }
    }

    fn clock(&self) -> Instant {
        at(self.now * STEP_MS)
    }

    fn run(&mut self, phases: &[Phase], check: impl Fn(&Self)) {
        for (intervals, paths, change) in phases {
            for _ in 0..intervals * STEPS {
                self.step(paths);
                check(self);
                self.now += 1;
            }
            if let Some((node, priority)) = change {
                self.priorities[*node] = *priority;
            }
        }
    }

    fn step(&mut self, paths: &Paths) {
        let now = self.clock();
        for node in 0..2 {
            if !self.master[node] && self.guards[node].fenced().is_none() && self.now >= self.down_at[node] {
                self.master[node] = true;
            }
            // Each has its own place in the interval.
            let speaks = self.now % STEPS == 4 * node as u64;
            if self.master[node] && speaks {
                self.guards[node].handle_sent(now, self.priorities[node], ip(NODES[node]));
                if paths.adverts[1 - node] {
                    self.hear(1 - node);
                }
            }
            if self.now % STEPS == 6 && self.master[1 - node] && paths.answers[node] {
                self.guards[node].handle_announcement(now, mac(NODES[1 - node]));
                self.obey(node);
            }
            if self.now % STEPS == 7 {
                let answers: &[_] =
                    if self.master[1 - node] && paths.answers[node] { &[(mac(NODES[1 - node]), now)] } else { &[] };
                self.guards[node].handle_answers(now, answers);
            }
            self.guards[node].handle_timeout(now);
            self.obey(node);
        }
    }

    /// What VRRP does with the other's advert, and then the guard.
    fn hear(&mut self, node: usize) {
        let other = 1 - node;
        let better = (self.priorities[other], NODES[other]) > (self.priorities[node], NODES[node]);
        if self.agree && better {
            self.stop(node);
        }
        let advert = advert(NODES[other], self.priorities[other]);
        self.guards[node].handle_advert(self.clock(), &advert, self.agree);
        self.obey(node);
    }

    fn obey(&mut self, node: usize) {
        for act in acts(&mut self.guards[node]) {
            self.stop(node);
            self.fences[node] += u32::from(matches!(act, Act::Drop { .. }));
        }
    }

    fn stop(&mut self, node: usize) {
        self.master[node] = false;
        self.guards[node].handle_stopped(self.clock());
        let skew = STEPS * (256 - u64::from(self.priorities[node])) / 256;
        self.down_at[node] = self.now + 3 * STEPS + skew;
    }

    fn both_fenced(&self) -> bool {
        self.guards.iter().all(|guard| guard.fenced().is_some())
    }
}

fn paths() -> impl Strategy<Value = Paths> {
    (any::<[bool; 2]>(), any::<[bool; 2]>()).prop_map(|(adverts, answers)| Paths { adverts, answers })
}

fn phases(change: bool) -> impl Strategy<Value = Vec<Phase>> {
    let changes = proptest::option::of((0..2usize, 1..255u8)).prop_map(move |c| c.filter(|_| change));
    vec((1..12u64, paths(), changes), 1..8)
}

const OPEN: Paths = Paths { adverts: [true; 2], answers: [true; 2] };

proptest! {
    #[test]
    fn whatever_is_lost_on_the_way_the_better_of_two_never_drops(
        priorities in any::<[u8; 2]>().prop_map(|p| p.map(|p| p.clamp(1, 254))),
        agree: bool,
        phases in phases(false),
    ) {
        let mut world = World::new(priorities, agree);
        let better = usize::from((priorities[1], NODES[1]) > (priorities[0], NODES[0]));
        world.run(&phases, |_| ());
        prop_assert_eq!(world.fences[better], 0);
    }

    #[test]
    fn two_who_hear_each_other_never_both_drop_whatever_becomes_of_their_priorities(
        priorities in any::<[u8; 2]>().prop_map(|p| p.map(|p| p.clamp(1, 254))),
        agree: bool,
        phases in phases(true),
    ) {
        let phases: Vec<Phase> = phases.into_iter().map(|(n, _, change)| (n, OPEN, change)).collect();
        world_without_double_fence(priorities, agree, &phases)?;
    }

    #[test]
    fn two_who_know_each_other_only_by_answers_never_both_drop_whatever_becomes_of_their_priorities(
        priorities in any::<[u8; 2]>().prop_map(|p| p.map(|p| p.clamp(1, 254))),
        together in phases(true),
        apart in phases(true),
    ) {
        let open = |(n, _, change): Phase| (n, OPEN, change);
        let deaf = |(n, paths, change): Phase| (n, Paths { adverts: [false; 2], ..paths }, change);
        let phases: Vec<Phase> = together.into_iter().map(open).chain(apart.into_iter().map(deaf)).collect();
        world_without_double_fence(priorities, true, &phases)?;
    }

    #[test]
    fn a_stranger_never_makes_a_node_with_peers_drop_nor_keeps_it_out(
        frames in vec((0..400u64, any::<u8>(), any::<bool>(), any::<bool>()), 0..300),
        fenced_before: bool,
    ) {
        let mut guard = Guard::new(Policy { informed_yield: 3, ..Policy::default() }, scope(&[B]));
        guard.handle_sent(at(0), 100, ip(A));
        let mut now = 0;
        if fenced_before {
            for second in 0..3 {
                now = second * 1000;
                guard.handle_advert(at(now), &advert(B, 150), false);
            }
            prop_assert_eq!(acts(&mut guard).len(), 1);
        }
        let release = guard.poll_timeout(at(now));
        prop_assert_eq!(release.is_some(), fenced_before);
        for (gap, priority, obeyed, answers) in frames {
            now += gap;
            if release.is_some_and(|release| at(now) >= release) {
                break;
            }
            if !fenced_before {
                guard.handle_sent(at(now), 100, ip(A));
            }
            guard.handle_advert(at(now), &advert(STRANGER, priority), obeyed);
            if answers {
                guard.handle_announcement(at(now), mac(STRANGER));
                guard.handle_answers(at(now), &[(mac(STRANGER), at(now))]);
            }
            prop_assert_eq!(acts(&mut guard), []);
            prop_assert_eq!(guard.poll_timeout(at(now)), release);
        }
    }
}

fn world_without_double_fence(priorities: [u8; 2], agree: bool, phases: &[Phase]) -> Result<(), TestCaseError> {
    let mut world = World::new(priorities, agree);
    let both = std::cell::Cell::new(false);
    world.run(phases, |world| both.set(both.get() || world.both_fenced()));
    prop_assert!(!both.get());
    Ok(())
}

#[test]
fn a_mismatch_between_two_ends_with_one_holder_and_stays_so() {
    let mut world = World::new([100, 200], false);
    world.run(&[(600, OPEN, None)], |_| ());
    assert_eq!((world.master, world.fences), ([false, true], [1, 0]), "one fence in ten minutes: no flapping");
}

#[test]
fn when_the_winner_falls_silent_the_loser_takes_over_after_hold_down() {
    let mut world = World::new([100, 200], false);
    world.run(&[(20, OPEN, None)], |_| ());
    world.master[1] = false;
    world.down_at[1] = u64::MAX;
    world.run(&[(20, OPEN, None)], |_| ());
    assert_eq!(world.master, [true, false]);
}

#[test]
fn a_path_that_lost_its_multicast_in_one_direction_ends_with_one_holder() {
    let mut world = World::new([100, 200], true);
    let one_way = Paths { adverts: [false, true], answers: [true; 2] };
    world.run(&[(20, OPEN, None), (60, one_way, None)], |_| ());
    assert_eq!(world.master, [false, true], "the lower one hears nothing, and is told by the other's answers");
}

#[test]
fn of_two_who_both_believe_a_better_past_of_the_other_only_one_drops() {
    let deaf = Paths { adverts: [false; 2], answers: [true; 2] };
    let mut world = World::new([200, 100], true);
    world.run(&[(5, OPEN, Some((1, 201))), (8, OPEN, Some((0, 50))), (0, OPEN, Some((1, 60)))], |_| ());
    assert_eq!(world.master, [false, true]);
    world.run(&[(30, deaf, None)], |world| assert!(!world.both_fenced()));
    assert_eq!((world.master, world.fences), ([false, true], [1, 0]));
}
