//! The operator's fences: which there are, beyond a restart too, and when one is refused.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::detect::Snapshot;
use crate::sys::state::{self, StateError};

/// The routers that an operator has fenced, by name.
#[derive(Debug)]
pub(super) struct Fences {
    state_dir: PathBuf,
    names: BTreeSet<String>,
}

impl Fences {
    /// Those of an earlier run. A failure is said, and is not the end.
    pub fn restore(state_dir: &Path) -> Self {
        let names = state::load_fences(state_dir).unwrap_or_else(|error| {
            tracing::error!("no fences of an earlier run: {error}");
            BTreeSet::new()
        });
        Self { state_dir: state_dir.into(), names }
    }

    /// Their names.
    pub const fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// One more.
    ///
    /// # Errors
    /// If it can't be written down.
    pub fn insert(&mut self, router: String) -> Result<(), StateError> {
        self.names.insert(router);
        self.save()
    }

    /// One less.
    ///
    /// # Errors
    /// If it can't be written down.
    pub fn remove(&mut self, router: &str) -> Result<(), StateError> {
        self.names.remove(router);
        self.save()
    }

    fn save(&self) -> Result<(), StateError> {
        // Where it can't be made, the writing says so.
        let _ = std::fs::create_dir_all(&self.state_dir);
        state::save_fences(&self.state_dir, &self.names)
    }
}

/// Whether anybody could take over: another speaker is known, or a peer answers. A backup is silent in VRRP.
///
/// # Errors
/// In words, if nobody could.
pub(super) fn replaceable(snapshot: &Snapshot, router: &str) -> Result<(), String> {
    let of_router = snapshot.routers.iter().filter(|view| view.name == router);
    let heard = of_router.flat_map(|view| &view.speakers).any(|speaker| !speaker.local);
    if heard || snapshot.peers.iter().any(|peer| peer.reach.up == Some(true)) {
        return Ok(());
    }
    Err(format!(
        "nobody is known to take {router} over: no other speaker was heard, and no [[peer]] answers ping. \
         With --force it is fenced all the same, and its addresses are then nowhere"
    ))
}
