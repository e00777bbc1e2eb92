//! What `docs/fencing.md` promises of how long two answer.

use std::fmt;
use std::time::Duration;

use crate::case::{Beside, Case, Fault};

/// One promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    Never,
    /// Never, if the holder's last adverts arrived.
    IfHeard,
    /// Until an advert of the better one has arrived.
    OneAdvert,
    /// It can't be told from the holder's death.
    Undecidable,
    /// It is a keepalived's to end.
    NotOurs,
}

impl Case {
    /// While what happens lasts, and after that.
    pub fn promises(self) -> (Promise, Promise) {
        use Fault::{
            Added, BetterReturns, Deleted, Frozen, InputDrop, Killed, OutputDrop, Partition, Spinning, SuccessorDeaf,
        };
        let meanwhile = match (self.fault, self.beside) {
            (_, Beside::Arbiter) => Promise::Never,
            (Killed | Frozen | Spinning, Beside::Keepalived) => Promise::IfHeard,
            (SuccessorDeaf | Partition, _) => Promise::Undecidable,
            (InputDrop | Added, Beside::Keepalived) => Promise::NotOurs,
            (BetterReturns, _) => Promise::OneAdvert,
            _ => Promise::Never,
        };
        let after = match (self.fault, self.beside) {
            (_, Beside::Arbiter) | (Killed | OutputDrop | Deleted, _) => Promise::Never,
            (Added | Fault::HolderDeaf, _) => Promise::Never,
            (_, Beside::Keepalived) => Promise::NotOurs,
            (InputDrop, Beside::Vipwarden) => Promise::Never,
            (_, Beside::Vipwarden) => Promise::OneAdvert,
        };
        (meanwhile, after)
    }
}

impl Promise {
    /// Whether two may have answered for so long. `missed`: so many of the holder's adverts had not been heard when the next one took over.
    pub fn allows(self, overlap: Duration, interval: Duration, missed: u32) -> bool {
        match self {
            Self::Never => overlap.is_zero(),
            Self::IfHeard => overlap <= interval * missed,
            Self::OneAdvert => overlap <= interval,
            Self::Undecidable | Self::NotOurs => true,
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Never => "never",
            Self::IfHeard => "never, if heard",
            Self::OneAdvert => "one advert",
            Self::Undecidable => "undecidable",
            Self::NotOurs => "not ours",
        })
    }
}
