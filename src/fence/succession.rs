//! The second channel before anything happens: who follows the master should it give up, and whether anybody holds at all.

use std::net::IpAddr;

use crate::observe::{State, Testimony};
use crate::time::{Duration, Instant};

/// How long a report counts. What it says here is what a configuration says, and seldom changes; where it is wrong after all,
/// the election settles it.
const LASTS: Duration = Duration::from_secs(3);

/// Until when it is known that a backup of this `priority` has the best right to follow `master`, the source of its adverts.
///
/// Each of `peers`, by name, has said so in a report that is signed: one of them is that master, speaks by vipwarden and so
/// releases before it says farewell, and all others have less right, or none.
pub fn successor_until(said: &[Testimony], peers: &[String], master: IpAddr, priority: u8) -> Option<Instant> {
    let words = words(said, peers)?;
    let is_master = |one: &&Testimony| one.sends.is_some_and(|(source, _)| source == master);
    let masters = words.iter().filter(|one| is_master(one)).count();
    let is_sound = words.iter().filter(|one| is_master(one)).all(|one| one.speaks && one.state == State::Master);
    let is_behind = |one: &Testimony| match one.state {
        State::Backup => one.speaks && one.effective.is_some_and(|theirs| theirs < priority),
        State::Fault | State::Fenced => true,
        State::Init | State::Master => false,
    };
    let all_behind = words.iter().filter(|one| !is_master(one)).all(|one| is_behind(one));
    let oldest = words.iter().map(|one| one.as_of).min()?;
    (masters == 1 && is_sound && all_behind).then(|| oldest + LASTS)
}

/// Until when it is known that the daemon of some silent master lives: it holds, and says so itself.
pub fn master_lives_until(said: &[Testimony]) -> Option<Instant> {
    let holders = said.iter().filter(|one| one.signed && one.holds && one.state == State::Master);
    holders.map(|one| one.as_of + LASTS).max()
}

/// True if each of `peers`, by name, has said since `since`, signed and not blind, that it neither holds nor is master.
pub fn nobody_holds(said: &[Testimony], peers: &[String], since: Instant) -> bool {
    let free = |one: &&Testimony| !one.blind && !one.holds && one.state != State::Master && one.as_of > since;
    words(said, peers).is_some_and(|words| words.iter().all(free))
}

/// The signed word of each peer; `None` if one is missing, or if there is no peer.
fn words<'a>(said: &'a [Testimony], peers: &[String]) -> Option<Vec<&'a Testimony>> {
    let word = |name: &String| said.iter().find(|one| one.peer == *name && one.signed);
    (!peers.is_empty()).then(|| peers.iter().map(word).collect()).flatten()
}
