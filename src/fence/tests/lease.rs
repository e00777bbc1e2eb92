//! The rules of the lease, one by one.

use super::at;
use crate::fence::lease::*;
use crate::time::{Duration, Instant};

pub(super) const WAIT: Duration = Duration::from_secs(3);

/// One node's lease with what it has asked for.
pub(super) struct Node {
    pub lease: Lease,
    pub now: Instant,
}

pub(super) fn entry(holder: &str, counter: u64) -> Entry {
    let hold = Timing::for_wait(WAIT).hold;
    Entry {
        holder: holder.into(),
        node: format!("node-{holder}"),
        epoch: 7,
        counter,
        hold,
        released: false,
        challenger: None,
    }
}

pub(super) fn sighting(version: u64, entry: Entry) -> Sighting {
    Sighting { version, value: Value::Entry(entry) }
}

const ABSENT: Sighting = Sighting { version: 0, value: Value::Absent };

impl Node {
    pub fn new() -> Self {
        let me = Holder { id: "me".into(), node: "lb01".into() };
        Self { lease: Lease::new(at(0), me, Timing::for_wait(WAIT)), now: at(0) }
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.lease.poll_action()).collect()
    }

    /// Lets time pass, with everything that is due in it, and gives back what was asked for.
    pub fn pass(&mut self, time: Duration) -> Vec<Action> {
        let end = self.now + time;
        let mut actions = self.actions();
        while let Some(due) = self.lease.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.lease.handle_timeout(self.now);
            actions.extend(self.actions());
            for action in &actions.clone() {
                if let Action::Refresh { serial, .. } = action {
                    self.lease.handle_gate(self.now, *serial, true);
                }
            }
        }
        self.now = end;
        actions
    }

    /// Answers the read that it waits for, or will.
    pub fn read(&mut self, sighting: &Sighting) {
        let mut actions = self.actions();
        while !actions.iter().any(|action| matches!(action, Action::Read { .. })) {
            let due = self.lease.poll_timeout().expect("it will read");
            actions = self.pass(due.since(self.now));
        }
        let Some(Action::Read { serial }) = actions.pop() else { panic!("{actions:?}") };
        self.lease.handle_read(self.now, serial, Some(sighting.clone()));
    }

    /// Answers the next read, and gives back all that was asked for until then and after it.
    pub fn read_on(&mut self, sighting: &Sighting) -> Vec<Action> {
        let mut actions = self.actions();
        let serial = loop {
            let read = |action: &Action| if let Action::Read { serial } = action { Some(*serial) } else { None };
            if let Some(serial) = actions.iter().rev().find_map(read) {
                break serial;
            }
            let due = self.lease.poll_timeout().expect("it will read");
            actions.extend(self.pass(due.since(self.now)));
        };
        self.lease.handle_read(self.now, serial, Some(sighting.clone()));
        actions.extend(self.actions());
        actions
    }

    /// Makes the permit that is asked for, and gives back the request that then goes out.
    pub fn permit(&mut self) -> (u64, u64, Entry, u64) {
        let actions = self.actions();
        let [Action::Permit { serial: permit, lifetime }] = actions[..] else { panic!("{actions:?}") };
        let Timing { hold, slice, .. } = Timing::for_wait(WAIT);
        assert_eq!(lifetime, hold - slice * 2);
        self.lease.handle_gate(self.now, permit, true);
        let actions = self.actions();
        let [Action::Cas { serial, version, entry }] = &actions[..] else { panic!("{actions:?}") };
        (*serial, *version, entry.clone(), permit)
    }

    /// Holds, by the release of another one.
    pub fn holding() -> Self {
        let mut node = Self::new();
        node.lease.want(node.now, true);
        node.read(&sighting(10, Entry { released: true, ..entry("other", 3) }));
        let (serial, version, entry, permit) = node.permit();
        assert_eq!((version, entry.epoch, entry.counter, entry.released), (10, 8, 4, false));
        node.lease.handle_cas(node.now, serial, Outcome::Done(11));
        let actions = node.actions();
        let [Action::Open { serial, permit: used, .. }] = actions[..] else { panic!("{actions:?}") };
        assert_eq!(used, permit, "G4: the permit was made for this very request");
        node.lease.handle_gate(node.now, serial, true);
        assert_eq!(node.actions(), [Action::Granted]);
        node
    }

    /// The renewal that comes next.
    fn renewal(&mut self) -> (u64, u64, Entry) {
        let actions = self.pass(Timing::for_wait(WAIT).renew);
        let cas = actions.into_iter().find_map(|action| match action {
            Action::Cas { serial, version, entry } => Some((serial, version, entry)),
            _ => None,
        });
        cas.expect("a renewal")
    }
}

fn lost(actions: &[Action]) -> Option<&Loss> {
    let close = actions.iter().position(|action| matches!(action, Action::Close { .. }));
    let lost = actions.iter().position(|action| matches!(action, Action::Lost(_)));
    assert!(close <= lost, "the gate is closed first: {actions:?}");
    actions.iter().find_map(|action| if let Action::Lost(loss) = action { Some(loss) } else { None })
}

#[test]
fn hold_and_wait_fit_with_clocks_that_differ_and_timers_that_are_late() {
    for wait_ms in 2000..20_000 {
        let wait = Duration::from_millis(wait_ms);
        let Timing { hold, slice, .. } = Timing::for_wait(wait);
        assert!(hold.as_secs_f64() / 0.99 + 0.02 <= wait.as_secs_f64() / 1.01, "{wait:?}");
        assert!(slice * 4 < hold);
        assert!(Timing::for_wait(wait).wait_for(hold) < wait + Duration::from_millis(1));
    }
    assert_eq!(Timing::for_wait(WAIT).hold, Duration::from_millis(2920));
}

/// etcd elects a leader within twice its election timeout, which is one second unless somebody sets it.
#[test]
fn with_the_usual_wait_what_is_left_when_a_renewal_is_due_outlives_an_election() {
    let timing = Timing::for_wait(WAIT);
    assert!(timing.usable() - timing.renew > Duration::from_secs(2), "{timing:?}");
}

#[test]
fn a_candidate_waits_from_the_answer_that_first_showed_a_version() {
    let mut node = Node::new();
    node.lease.want(node.now, true);
    node.pass(Duration::from_millis(400));
    node.now = at(400);
    let mut seen = sighting(5, entry("other", 3));
    // The read that was asked for at 0 is answered at 400.
    node.lease.handle_read(node.now, 1, Some(seen.clone()));
    assert_eq!(node.lease.standing(), Standing::Waiting(at(3400)));
    for _ in 0..4 {
        node.read(&seen);
    }
    assert_eq!(node.lease.standing(), Standing::Waiting(at(3400)), "seeing it again is no news");
    seen = sighting(6, entry("other", 4));
    node.read(&seen);
    let from = node.now;
    assert_eq!(node.lease.standing(), Standing::Waiting(from + WAIT), "a renewal is");
    while node.now + Duration::from_millis(500) < from + WAIT {
        node.read(&seen);
    }
    let actions = node.pass(Duration::from_millis(500));
    assert!(actions.iter().any(|action| matches!(action, Action::Permit { .. })), "{actions:?} {:?}", node.now);
    assert!(node.now >= from + WAIT);
}

#[test]
fn a_longer_hold_is_waited_for_also_when_its_key_is_gone() {
    let mut node = Node::new();
    node.lease.want(node.now, true);
    let long = Entry { hold: Duration::from_secs(30), ..entry("other", 3) };
    node.read(&sighting(5, long));
    let Standing::Waiting(until) = node.lease.standing() else { panic!("{:?}", node.lease.standing()) };
    assert!(until.since(node.now) > Duration::from_secs(30));
    node.read(&ABSENT);
    let Standing::Waiting(until) = node.lease.standing() else { panic!("{:?}", node.lease.standing()) };
    assert!(until.since(node.now) > Duration::from_secs(30));
}

#[test]
fn where_nothing_stands_it_writes_nobody_s_entry_and_waits_from_then_as_if_somebody_held() {
    let mut node = Node::new();
    node.read(&ABSENT);
    let is_cas = |action: &Action| matches!(action, Action::Cas { .. });
    let cas = node.pass(WAIT * 4).into_iter().find(is_cas);
    let Some(Action::Cas { version: 0, entry, .. }) = cas else { panic!("{cas:?}") };
    assert!(entry.holder != "me" && !entry.released, "{entry:?}");
    // However long ago nothing was seen: it may have come and gone meanwhile, and nobody can tell.
    node.lease.want(node.now, true);
    node.read(&ABSENT);
    let serial = loop {
        let found = node.pass(Duration::from_millis(1)).into_iter().find(is_cas);
        if let Some(Action::Cas { serial, version: 0, .. }) = found {
            break serial;
        }
    };
    node.lease.handle_cas(node.now, serial, Outcome::Done(7));
    let until = node.now + Timing::for_wait(WAIT).wait_for(entry.hold);
    assert_eq!(node.lease.standing(), Standing::Waiting(until));
}

#[test]
fn a_released_entry_is_taken_at_once_and_the_grant_counts_from_before_the_request() {
    let node = Node::holding();
    assert_eq!(node.lease.standing(), Standing::Holding(at(0) + Timing::for_wait(WAIT).hold));
}

#[test]
fn a_renewal_moves_the_end_and_its_time_is_that_before_it_was_sent() {
    let mut node = Node::holding();
    let (serial, version, entry) = node.renewal();
    assert_eq!((version, entry.epoch, entry.counter), (11, 8, 5));
    let sent = node.now;
    node.pass(Duration::from_millis(300));
    node.lease.handle_cas(node.now, serial, Outcome::Done(12));
    assert_eq!(node.lease.standing(), Standing::Holding(sent + Timing::for_wait(WAIT).hold));
}

#[test]
fn a_conflict_with_another_holder_drops_at_once() {
    let mut node = Node::holding();
    let (serial, ..) = node.renewal();
    node.lease.handle_cas(node.now, serial, Outcome::Conflict(sighting(12, entry("other", 9))));
    assert_eq!(lost(&node.actions()), Some(&Loss::Taken(Some("node-other".into()))));
    assert!(matches!(node.lease.standing(), Standing::Waiting(_)));
}

#[test]
fn a_request_without_an_answer_moves_nothing_and_is_read_about() {
    let mut node = Node::holding();
    let until = node.lease.standing();
    let (serial, ..) = node.renewal();
    let actions = node.pass(Duration::from_millis(900));
    assert!(actions.iter().any(|action| matches!(action, Action::Read { .. })), "{actions:?}");
    // The answer comes after all: too late to be believed.
    node.lease.handle_cas(node.now, serial, Outcome::Done(12));
    assert_eq!(node.lease.standing(), until);
}

#[test]
fn a_read_that_says_it_s_me_opens_nothing() {
    let mut node = Node::new();
    node.lease.want(node.now, true);
    node.read(&sighting(10, Entry { released: true, ..entry("other", 3) }));
    let (serial, _, written, _) = node.permit();
    node.lease.handle_cas(node.now, serial, Outcome::Unknown);
    node.read(&sighting(11, written));
    let actions = node.actions();
    assert!(matches!(actions[..], [Action::Permit { .. }]), "only a new grant with a new permit: {actions:?}");
}

#[test]
fn without_answers_it_lets_go_two_slices_before_the_end() {
    let mut node = Node::holding();
    let Timing { hold, slice, .. } = Timing::for_wait(WAIT);
    let actions = node.pass(hold - slice * 2 - Duration::from_nanos(1));
    assert_eq!(lost(&actions), None);
    assert!(!node.lease.is_up());
    let actions = node.pass(Duration::from_nanos(1));
    assert_eq!(lost(&actions), Some(&Loss::Expired));
    let later = node.pass(hold);
    assert!(!later.iter().any(|action| matches!(action, Action::Refresh { .. } | Action::Open { .. })), "{later:?}");
}

#[test]
fn a_gate_that_expired_is_opened_by_a_new_grant_alone() {
    let mut node = Node::holding();
    let due = node.lease.poll_timeout().expect("a refresh is due");
    node.now = due;
    node.lease.handle_timeout(node.now);
    let actions = node.actions();
    let [Action::Refresh { serial, slice }] = actions[..] else { panic!("{actions:?}") };
    assert_eq!(slice, Timing::for_wait(WAIT).slice);
    node.lease.handle_gate(node.now, serial, false);
    assert_eq!(node.actions(), []);
    let actions = node.pass(Timing::for_wait(WAIT).retry);
    assert!(matches!(actions[..], [Action::Permit { .. }]), "{actions:?}");
    assert!(matches!(node.lease.standing(), Standing::Holding(_)), "the addresses stay");
}

#[test]
fn release_closes_first_then_writes_and_then_is_given_up() {
    let mut node = Node::holding();
    node.lease.want(node.now, false);
    let actions = node.actions();
    let [Action::Close { serial }] = actions[..] else { panic!("{actions:?}") };
    assert!(!node.lease.is_given_up());
    node.lease.handle_gate(node.now, serial, true);
    let actions = node.actions();
    let [Action::Cas { serial, version: 11, ref entry }] = actions[..] else { panic!("{actions:?}") };
    assert!(entry.released);
    node.lease.handle_cas(node.now, serial, Outcome::Done(12));
    assert!(node.lease.is_given_up());
    node.lease.want(node.now, true);
    assert!(matches!(node.actions()[..], [Action::Permit { .. }]), "who released may take it again at once");
}

#[test]
fn a_gate_that_can_t_be_closed_is_waited_for_before_the_release() {
    let mut node = Node::holding();
    node.lease.want(node.now, false);
    let actions = node.actions();
    let [Action::Close { serial }] = actions[..] else { panic!("{actions:?}") };
    node.lease.handle_gate(node.now, serial, false);
    assert_eq!(node.actions(), []);
    let actions = node.pass(Timing::for_wait(WAIT).expiry());
    assert!(matches!(actions[..], [Action::Cas { .. }]), "{actions:?}");
}

#[test]
fn what_was_asked_for_and_is_wanted_no_more_is_given_back() {
    let mut node = Node::new();
    node.lease.want(node.now, true);
    node.read(&sighting(10, Entry { released: true, ..entry("other", 3) }));
    let (serial, ..) = node.permit();
    node.lease.want(node.now, false);
    assert!(!node.lease.is_given_up());
    node.lease.handle_cas(node.now, serial, Outcome::Done(11));
    let actions = node.actions();
    assert!(matches!(&actions[..], [Action::Cas { version: 11, entry, .. }] if entry.released), "{actions:?}");
}

#[test]
fn who_ranks_higher_writes_itself_into_the_holder_s_entry_and_changes_nothing_else() {
    let mut node = Node::new();
    node.lease.want(node.now, true);
    node.lease.challenge(node.now, Some(200));
    node.read(&sighting(5, entry("other", 3)));
    let actions = node.pass(Timing::for_wait(WAIT).retry);
    let [Action::Cas { serial, version: 5, entry: written }] = &actions[..] else { panic!("{actions:?}") };
    let challenger = Some(Challenger { node: "lb01".into(), priority: 200 });
    assert_eq!(*written, Entry { counter: 4, challenger, ..entry("other", 3) });
    assert_eq!(Entry::from_text(written.to_text().as_bytes()).as_ref(), Ok(written));
    node.lease.handle_cas(node.now, *serial, Outcome::Done(6));
    assert_eq!(node.lease.standing(), Standing::Waiting(node.now + WAIT), "it is no grant");
    node.read(&sighting(6, written.clone()));
    let actions = node.pass(Timing::for_wait(WAIT).retry * 4);
    assert!(!actions.iter().any(|action| matches!(action, Action::Cas { .. })), "not again at once: {actions:?}");
}

#[test]
fn a_holder_that_is_challenged_learns_it_with_its_next_renewal_and_holds_on_meanwhile() {
    let mut node = Node::holding();
    let until = node.lease.standing();
    let (serial, _, renewal) = node.renewal();
    let challenger = Challenger { node: "lb02".into(), priority: 200 };
    let challenged = Entry { challenger: Some(challenger.clone()), ..renewal };
    node.lease.handle_cas(node.now, serial, Outcome::Conflict(sighting(12, challenged)));
    assert_eq!(node.lease.poll_challenger(), Some(challenger));
    assert_eq!(node.lease.poll_challenger(), None);
    assert_eq!(node.lease.standing(), until);
    let actions = node.actions();
    let [Action::Cas { version: 12, entry, .. }] = &actions[..] else { panic!("{actions:?}") };
    assert!(entry.challenger.is_none() && !entry.released);
}

#[test]
fn entries_are_text_that_people_can_read_and_nothing_else_is_taken_for_one() {
    let text = entry("abc", 3).to_text();
    assert_eq!(text, r#"{"holder":"abc","node":"node-abc","epoch":7,"counter":3,"hold_ms":2920,"released":false}"#);
    assert_eq!(Entry::from_text(text.as_bytes()), Ok(entry("abc", 3)));
    assert!(Entry::from_text(text.replace('{', r#"{"new":1,"#).as_bytes()).is_ok(), "a later version may add to it");
    for wrong in [
        "",
        "null",
        "{}",
        r#"{"holder":"","epoch":1,"counter":1,"hold_ms":1}"#,
        r#"{"holder":"a","epoch":1,"counter":18446744073709551615,"hold_ms":1}"#,
        r#"{"holder":"a","epoch":1,"counter":1,"hold_ms":99999999999}"#,
        "{\"holder\":\"a\",\"node\":\"\\u001b[2J\",\"epoch\":1,\"counter\":1,\"hold_ms\":1}",
    ] {
        assert_eq!(Entry::from_text(wrong.as_bytes()), Err(Unreadable), "{wrong}");
    }
}

#[test]
fn a_challenge_to_a_dead_holder_is_not_repeated_and_the_addresses_are_taken_when_the_wait_is_over() {
    let mut node = Node::new();
    node.lease.want(node.now, true);
    node.lease.challenge(node.now, Some(200));
    node.read(&sighting(10, entry("other", 3)));
    let (mut version, mut challenges, mut standing) = (10, 0, entry("other", 3));
    for _ in 0..WAIT.as_millis() * 2 {
        for action in node.pass(Duration::from_millis(1)) {
            match action {
                Action::Cas { serial, entry, .. } => {
                    challenges += 1;
                    version += 1;
                    standing = entry;
                    node.lease.handle_cas(node.now, serial, Outcome::Done(version));
                }
                Action::Read { serial } => {
                    node.lease.handle_read(node.now, serial, Some(sighting(version, standing.clone())));
                }
                Action::Permit { .. } => return assert_eq!(challenges, 1),
                _ => {}
            }
        }
    }
    panic!("after {challenges} challenges nobody has taken it");
}
