//! What stands in the register, as text that a person can read.

use serde::{Deserialize, Serialize};

use crate::time::Duration;

/// A value longer than this is none of ours, in bytes.
const TEXT_MAX: usize = 4096;
/// No id and no node's name is longer, in bytes.
const NAME_MAX: usize = 512;
/// The holder, and the node, of an entry that is nobody's.
const NOBODY: &str = "nobody";
/// No wait is so long that it makes such a hold.
const HOLD_MAX: Duration = Duration::from_secs(3600);

/// Who holds a router's addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The holder's id.
    pub holder: String,
    /// Its node's name, for people.
    pub node: String,
    /// One more with each change of holder.
    pub epoch: u64,
    /// One more with each write.
    pub counter: u64,
    /// How long it may hold without another write.
    pub hold: Duration,
    /// It gave the addresses up: anyone may take over at once.
    pub released: bool,
    /// Who asks the holder to give them up.
    pub challenger: Option<Challenger>,
}

/// Who would hold rather than the holder. It writes itself into the holder's entry, and changes nothing else there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenger {
    /// Its node's name.
    pub node: String,
    /// Its priority.
    pub priority: u8,
}

/// As JSON.
#[derive(Serialize, Deserialize)]
struct Text {
    holder: String,
    #[serde(default)]
    node: String,
    epoch: u64,
    counter: u64,
    hold_ms: u64,
    #[serde(default)]
    released: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    challenger: Option<Challenger>,
}

/// What stands there is no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what stands in the register is none of our entries")]
pub struct Unreadable;

impl Entry {
    /// Nobody's, written where nothing stands: whoever held before may hold for so long.
    pub fn vacant(hold: Duration) -> Self {
        let nobody = || NOBODY.to_owned();
        Self { holder: nobody(), node: nobody(), epoch: 0, counter: 0, hold, released: false, challenger: None }
    }

    /// As it is written: one line of JSON.
    pub fn to_text(&self) -> String {
        let hold_ms = u64::try_from(self.hold.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        let text = Text {
            holder: self.holder.clone(),
            node: self.node.clone(),
            epoch: self.epoch,
            counter: self.counter,
            hold_ms,
            released: self.released,
            challenger: self.challenger.clone(),
        };
        serde_json::to_string(&text).unwrap_or_else(|error| unreachable!("strings and numbers are JSON: {error}"))
    }

    /// Reads what stands there. Fields that a later version adds are no harm.
    ///
    /// # Errors
    /// It is no entry, or one that nobody could have written.
    pub fn from_text(text: &[u8]) -> Result<Self, Unreadable> {
        if text.len() > TEXT_MAX {
            return Err(Unreadable);
        }
        let text: Text = serde_json::from_slice(text).map_err(|_| Unreadable)?;
        let hold = Duration::from_millis(text.hold_ms);
        let is_name = |name: &str| name.len() <= NAME_MAX && !name.chars().any(char::is_control);
        let is_plausible = hold <= HOLD_MAX
            && !text.holder.is_empty()
            && [&text.holder, &text.node].into_iter().all(|name| is_name(name))
            && text.challenger.as_ref().is_none_or(|challenger| is_name(&challenger.node))
            && text.counter.max(text.epoch) < u64::MAX;
        let entry = Self {
            holder: text.holder,
            node: text.node,
            epoch: text.epoch,
            counter: text.counter,
            hold,
            released: text.released,
            challenger: text.challenger,
        };
        is_plausible.then_some(entry).ok_or(Unreadable)
    }
}
