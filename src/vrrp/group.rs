//! Groups of routers on one node. Pure: what the members are goes in, what they are to be told comes out.

use super::State;

/// The priority of an exclusive group's member that any other node may take. No member is configured with it.
const YIELDING: u8 = 1;

/// A member of a sync group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synced {
    /// [`super::Router::state`].
    pub state: State,
    /// [`super::Router::is_ready`].
    pub ready: bool,
}

/// Whether the members of a sync group may be master: all of them, when each is master or its timer has run out; or none.
///
/// Feed every member [`super::Event::Allow`] or [`super::Event::Forbid`] accordingly, after each event and before the
/// first. So all become master together, and as soon as one has to leave, for a fault, a fence or a better advert, all do.
///
/// Two nodes must rank all members alike (the same priorities throughout a group), or each wins a part and none the whole.
pub fn sync_allows(members: &[Synced]) -> bool {
    members.iter().all(|member| member.state == State::Master || member.ready)
}

/// The state that a sync group is said to have, by those of its members: a fault and a fence show through, it is master once all
/// are, and backup otherwise. `None` before all have begun.
pub fn sync_state(members: &[State]) -> Option<State> {
    let any = |state: State| members.contains(&state);
    if members.is_empty() || any(State::Init) {
        return None;
    }
    if let Some(state) = [State::Fault, State::Fenced].into_iter().find(|state| any(*state)) {
        return Some(state);
    }
    let all = members.iter().all(|state| *state == State::Master);
    Some(if all { State::Master } else { State::Backup })
}

/// A member of an exclusive group: of several addresses, each on another node while there are nodes enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exclusive {
    /// [`super::Router::state`].
    pub state: State,
    /// What tracking makes of its priority, 2-254; `None` is a fault.
    pub priority: Option<u8>,
}

/// The effective priority for each member, to be fed as [`super::Event::Priority`] after each change.
///
/// A node that is master of one member keeps that one (of several the best, then the first) and yields the others: their
/// priority falls to 1. So another node that is master of none preempts what is yielded, and one that already has its own
/// doesn't. Where no other node is left the timers run out all the same, and the survivor holds them all. The members
/// preempt (`preempt = true`), and none is configured below 2.
pub fn exclusive_priorities(members: &[Exclusive]) -> Vec<Option<u8>> {
    let masters = members.iter().enumerate().filter(|(_, member)| member.state == State::Master);
    let kept =
        masters.max_by_key(|(index, member)| (member.priority, std::cmp::Reverse(*index))).map(|(index, _)| index);
    let worth = |(index, member): (usize, &Exclusive)| match kept {
        Some(kept) if kept != index => member.priority.map(|priority| priority.min(YIELDING)),
        _ => member.priority,
    };
    members.iter().enumerate().map(worth).collect()
}
