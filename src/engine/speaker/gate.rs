//! The kernel gates of the speakers: one table for all of them, and for each speaker what it does with its own.
//!
//! What happens here is done when the call returns: nothing stands between a verdict and a closed gate.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use crate::observe::{Host, IfIndex, LinkKind};
use crate::sys::nft::gate::{Gate, Hooks, Key, NftError, Permit, Rank, Router};
use crate::time::{Duration, Instant};

/// How long a permit to open again lives: long enough to read what is in the sockets, and no longer.
const PERMIT: Duration = Duration::from_millis(100);

/// Between two questions whether a gate is still open, of which nothing tells that it has closed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// All gates of this process.
#[derive(Debug, Default)]
pub(in crate::engine) struct Gates(RefCell<State>);

#[derive(Debug, Default)]
struct State {
    gate: Option<Gate>,
    /// What the kernel lacks.
    lacks: Option<String>,
    interfaces: BTreeMap<IfIndex, String>,
    /// Those that are to have a gate when the table is put up.
    wanted: BTreeMap<Key, Router>,
}

impl Gates {
    /// This one will want a gate. The first one that gets its own has all the others have theirs too: no address that an earlier
    /// life has left behind is without one for a moment.
    fn want(&self, router: Router) {
        self.0.borrow_mut().wanted.insert(router.key, router);
    }

    /// Puts up a gate, closed unless it is there already.
    ///
    /// # Errors
    /// In words. What the kernel can't do is none, but told by [`Self::lacks`].
    pub fn install(&self, router: &Router) -> Result<(), String> {
        let mut state = self.0.borrow_mut();
        let state = &mut *state;
        state.wanted.remove(&router.key);
        if state.gate.is_none() && state.lacks.is_none() {
            let all: Vec<_> = state.wanted.values().chain([router]).cloned().collect();
            match Gate::open(&all, &state.interfaces) {
                Ok(gate) => {
                    state.lacks = lack_of(&gate);
                    state.gate = Some(gate);
                }
                Err(error) if is_lack(&error) => state.lacks = Some(format!("there is no kernel gate: {error}")),
                Err(error) => return Err(format!("the kernel gate can't be put up: {error}")),
            }
        }
        match &mut state.gate {
            Some(gate) => gate.install(router.clone()).map_err(|error| format!("the kernel gate: {error}")),
            None => Ok(()),
        }
    }

    /// Takes a gate away. Addresses first!
    pub fn uninstall(&self, key: Key) {
        let mut state = self.0.borrow_mut();
        state.wanted.remove(&key);
        if let Some(gate) = &mut state.gate
            && let Err(error) = gate.uninstall(key)
        {
            tracing::error!("the kernel gate of VRID {} can't be taken away: {error}", key.vrid);
        }
    }

    /// Takes the whole table away. Addresses first!
    pub fn take_down(&self) {
        let gate = self.0.borrow_mut().gate.take();
        if let Some(Err(error)) = gate.map(Gate::take_down) {
            tracing::error!("the kernel gate can't be taken down: {error}");
        }
    }

    /// Follows the host's interfaces: a virtual address answers through others than its own.
    pub fn follow(&self, host: &Host) {
        let through = |link: &&crate::observe::Link| link.kind != LinkKind::Loopback && link.master.is_none();
        let interfaces: BTreeMap<_, _> =
            host.links().filter(through).map(|link| (link.index, link.name.clone())).collect();
        let mut state = self.0.borrow_mut();
        if state.interfaces == interfaces {
            return;
        }
        if let Some(gate) = &mut state.gate
            && let Err(error) = gate.follow(&interfaces)
        {
            tracing::warn!("the kernel gate is not on every interface: {error}");
        }
        state.interfaces = interfaces;
    }

    /// The gates, if the kernel has any.
    pub(super) fn gate(&self) -> Option<RefMut<'_, Gate>> {
        RefMut::filter_map(self.0.borrow_mut(), |state| state.gate.as_mut()).ok()
    }

    fn lacks(&self) -> Option<String> {
        self.0.borrow().lacks.clone()
    }
}

fn lack_of(gate: &Gate) -> Option<String> {
    match (gate.hooks(), gate.is_guarded()) {
        (Hooks::IngressOnly, _) => Some(
            "the kernel has no egress hook (Linux 5.16): only what comes in is gated, and this daemon itself has to keep \
             the gate open"
                .into(),
        ),
        (Hooks::Both, false) => {
            Some("the kernel guards no tables (Linux 6.9): a flush of all rules removes the gate until the next advert".into())
        }
        (Hooks::Both, true) => None,
    }
}

/// Without nf_tables, or what it needs, waiting helps nothing.
fn is_lack(error: &NftError) -> bool {
    const LACKS: [i32; 6] =
        [libc::EOPNOTSUPP, libc::EPROTONOSUPPORT, libc::EAFNOSUPPORT, libc::EINVAL, libc::ENOENT, libc::ENOPROTOOPT];
    error.code().is_some_and(|code| LACKS.contains(&code))
}

/// One speaker's hand on its gate.
#[derive(Debug)]
pub(super) struct Door {
    gates: Rc<Gates>,
    router: Router,
    /// As far as is known.
    open: bool,
    /// No advert has left since it was closed: nothing can have opened it.
    shut: bool,
    /// When the kernel was last asked whether it is.
    looked_at: Instant,
    /// Leave to open a gate again that the kernel has closed, once all that was received is read.
    reopening: Option<Permit>,
    reopen_at: Option<Instant>,
}

impl Door {
    /// One of which nothing is put up yet.
    pub fn new(gates: Rc<Gates>, router: Router) -> Self {
        gates.want(router.clone());
        Self { gates, router, open: false, shut: true, looked_at: Instant::ZERO, reopening: None, reopen_at: None }
    }

    pub const fn router(&self) -> &Router {
        &self.router
    }

    /// Whether clients are answered; `None` if the kernel has no gate.
    pub fn is_open(&self) -> Option<bool> {
        self.gates.gate().map(|_| self.open)
    }

    /// True if it needs no closing. One that is not known to be open may: a lease that came late opens it, too.
    pub const fn is_shut(&self) -> bool {
        self.shut
    }

    /// What the gate lacks.
    pub fn lacks(&self) -> Option<String> {
        self.gates.lacks()
    }

    /// Another configuration.
    ///
    /// # Errors
    /// In words.
    pub fn change(&mut self, router: Router) -> Result<(), String> {
        self.router = Router { rank: self.router.rank, ..router };
        self.gates.install(&self.router)
    }

    /// Closes, before anything else is done.
    ///
    /// # Errors
    /// In words.
    pub fn close(&mut self) -> Result<(), String> {
        (self.open, self.shut) = (false, true);
        (self.reopening, self.reopen_at) = (None, None);
        let Some(mut gate) = self.gates.gate() else { return Ok(()) };
        gate.close(self.router.key).map_err(|error| format!("the kernel gate can't be closed: {error}"))
    }

    /// Tells whom this router gives way to.
    ///
    /// # Errors
    /// In words.
    pub fn set_rank(&mut self, priority: u8, source: Option<IpAddr>) -> Result<(), String> {
        let rank = Rank { priority, source };
        if rank == self.router.rank {
            return Ok(());
        }
        self.router.rank = rank;
        let Some(mut gate) = self.gates.gate() else { return Ok(()) };
        gate.set_rank(self.router.key, rank).map_err(|error| format!("the kernel gate: {error}"))
    }

    /// The priority of the adverts that the gate compares with.
    pub const fn priority(&self) -> u8 {
        self.router.rank.priority
    }

    /// True if the kernel has closed a gate that was open.
    pub fn was_closed(&mut self) -> bool {
        let was_closed = self.open && !self.look();
        self.open &= !was_closed;
        was_closed
    }

    /// An advert with a priority above 0 has left. True if the gate is open now. The kernel is asked only now and then about a gate
    /// that was open: what else closes it is a late advert or a peer's, after which [`Self::was_closed`] asks at once.
    pub fn on_sent(&mut self, now: Instant) -> bool {
        self.shut = false;
        if let Some(mut gate) = self.gates.gate() {
            if gate.hooks() == Hooks::IngressOnly
                && let Err(error) = gate.feed(self.router.key)
            {
                tracing::error!("the kernel gate: {error}");
            }
        } else {
            return true;
        }
        if !self.open || now.since(self.looked_at) >= LOOK_EVERY {
            self.looked_at = now;
            self.open = self.look();
        }
        self.open
    }

    fn look(&self) -> bool {
        let Some(mut gate) = self.gates.gate() else { return true };
        gate.standing(self.router.key).is_ok_and(|standing| standing.is_open())
    }

    /// Puts the table up again, if somebody has removed it. True if that was so.
    pub fn restore(&self) -> bool {
        let Some(mut gate) = self.gates.gate() else { return false };
        gate.restore().unwrap_or_else(|error| {
            tracing::error!("the kernel gate: {error}");
            false
        })
    }

    /// Asks for leave to open again. It is used by [`Self::reopen`], after what was received has been read. False if it can't be had.
    pub fn plan_reopening(&mut self, now: Instant) -> bool {
        if self.reopen_at.is_none() {
            let permit = self.gates.gate().map(|mut gate| gate.permit(self.router.key, PERMIT));
            if let Some(Ok(permit)) = permit {
                (self.reopening, self.reopen_at) = (Some(permit), Some(now));
            }
        }
        self.reopen_at.is_some()
    }

    /// When [`Self::reopen`] is due.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.reopen_at
    }

    /// Opens again for what an advert that was `sent_at` then leaves of the gate's time, if there is any, the leave is still valid and
    /// the router still holds. True if the gate is open.
    pub fn reopen(&mut self, now: Instant, sent_at: Instant, holds: bool) -> bool {
        self.reopen_at = None;
        let left = (sent_at + self.router.timeout).since(now);
        let Some(permit) = self.reopening.take().filter(|_| holds && !left.is_zero()) else { return false };
        let opened = self.gates.gate().map(|mut gate| gate.reopen(permit, left));
        // Without leave any more it may be open all the same: an advert that has left meanwhile opens it, too.
        self.open = matches!(opened, Some(Ok(true))) || self.look();
        self.open
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration as Std;

    use super::*;
    use crate::sys::testing::{index_of, with_neighbour};
    use crate::wire::{Auth, Family, Version};

    /// Far longer than the test.
    const LONG: Duration = Duration::from_secs(600);

    fn router() -> Router {
        Router {
            key: Key { family: Family::V4, vrid: 51, interface: index_of("near") },
            addresses: vec!["10.9.9.100".parse().expect("an address")],
            vmac: false,
            version: Version::V3,
            auth: Auth::None,
            interval: LONG / 3,
            timeout: LONG,
            peers: Vec::new(),
            rank: Rank { priority: 100, source: None },
            leased: false,
        }
    }

    /// Or the addresses would be released behind a gate that is taken for a closed one.
    #[test]
    fn a_gate_that_an_advert_has_opened_is_open_although_the_leave_to_open_it_came_to_nothing() {
        with_neighbour(async |_| {
            let (gates, router, now) = (Rc::new(Gates::default()), router(), Instant::ZERO);
            gates.install(&router).expect("the kernel has nf_tables");
            let mut door = Door::new(gates.clone(), router.clone());
            let permit = gates.gate().expect("it is installed").permit(router.key, Duration::from_millis(1));
            (door.reopening, door.reopen_at) = (Some(permit.expect("leave")), Some(now));
            gates.gate().expect("it is installed").feed(router.key).expect("what an advert does");
            std::thread::sleep(Std::from_millis(50));
            assert!(door.reopen(now, now, true), "it is open");
            door.close().expect("it can be closed");
            assert!(!door.look());
        });
    }
}
