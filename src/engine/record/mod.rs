//! Everything that is done to the watcher, on file: what was recorded on one host is judged again on another, with the same
//! verdicts. `docs/recording.md` describes the file.
//!
//! The seam is the watcher itself: it is pure, so whoever does the same to another watcher at the same instants hears the same
//! of it. [`Watched`] is the only way in which the daemon changes its watcher, and all of it is an [`Input`]; what the daemon sees
//! on the way there (a frame's bytes, a netlink message) is not recorded, nor what it only reads.

mod mask;
mod read;
mod replay;
mod tape;
mod watched;
mod weight;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::detect::Event;
use crate::observe::{Fact, Learned, RouterId, Settings};
use crate::time::{Instant, WallClock};

use super::Identity;

pub use read::{ReadError, Reader};
pub use replay::{Misplaced, Replay};
pub use tape::Recording;

pub(super) use tape::Tape;
pub(super) use watched::Watched;

/// The form that is written, and the only one that is read.
pub const FORMAT: u32 = 1;

/// How every recording begins, of whatever form.
pub const MAGIC: &[u8] = b"{\"vipwarden_recording\":";

/// The longest line that is written or read, in bytes, its line feed included.
const LINE_MAX: u64 = 16 << 20;

/// The first line: what this is, and who made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The form of all that follows.
    #[serde(rename = "vipwarden_recording")]
    pub format: u32,
    /// Version of the daemon.
    pub version: String,
    /// Its source revision.
    pub revision: String,
    /// Name of the node.
    pub node: String,
}

impl Header {
    fn of(identity: &Identity) -> Self {
        let Identity { node, version, revision, .. } = identity;
        Self { format: FORMAT, version: (*version).into(), revision: (*revision).into(), node: node.clone() }
    }
}

/// Every other line: one thing that was done to the watcher.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// When, on the monotonic line.
    pub at: Instant,
    /// What.
    #[serde(rename = "do")]
    pub input: Input,
}

/// One thing that is done to a watcher.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// It begins. Nothing else comes before.
    Start {
        /// With these settings.
        settings: Box<Settings>,
        /// With this clock.
        clock: WallClock,
        /// With the routers that an earlier life has learned.
        learned: Vec<Learned>,
    },
    /// It takes in a fact.
    Fact(Box<Fact>),
    /// It does what is due, and its events are logged. Left out where nothing is due.
    Turn,
    /// It does what is due; its events wait for the next turn.
    Judge,
    /// It takes other settings.
    Settings(Box<Settings>),
    /// It tells dates by another clock.
    Clock(WallClock),
    /// It forgets a learned router.
    Forget(RouterId),
    /// An event of somebody else, a speaker of this daemon, is logged among its own.
    Event(Box<Event>),
    /// So many of these were not written down, for they came faster than they could be: what follows may be judged otherwise than it was.
    Lost(u64),
}
