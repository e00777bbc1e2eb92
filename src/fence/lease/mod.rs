//! The lease on a router's addresses, held in a register that knows compare-and-set: with it there are never two holders.
//!
//! [`Lease`] is the part of one node for one router, sans-I/O as `vrrp::Router` is: `handle*` take things in, `poll_*` hand things
//! out, `now` is a parameter. It is both holder and candidate.
//!
//! # Rules
//! The register holds an [`Entry`]. The holder renews it by compare-and-set; if the one that was sent at `s` succeeds, the addresses may be
//! held until D = `s` + hold. One that is not answered is *unknown*: D stays, the register is read again, and a read that says "it's me"
//! opens nothing. A candidate that first saw a version at `o` may replace it no earlier than `o` + the longer of its own wait and
//! what the entry's hold needs; at once if the entry is released. Where nothing stands it first writes an entry that is nobody's: only what is
//! written has a version of its own, and a key that was removed looks like one that never was.
//!
//! A process may be paused anywhere, also between a look at the clock and what follows. So it is the kernel that holds the gate:
//! - G1: the gate's element for the lease has a timeout of one slice.
//! - G2: a refresh deletes and adds the element in one transaction, which fails once it has expired.
//! - G3: a refresh is asked for only if now + 2 slices ≤ D. The last one was done before that look at the clock, so whenever this one
//!   is done, the element is gone by D.
//! - G4: opening deletes a permit and adds the element in one transaction. The permit was made *before* the request was sent, lives
//!   for hold − 2 slices at most, and serves only the grant that answers that very request.
//!
//! A candidate that ranks higher writes itself into the entry as its challenger, which leaves the holder what it is: its next renewal fails,
//! and it reads there that somebody asks for the addresses. It releases them if it agrees.
//!
//! Where the register can't be asked, D may also come from promises of *all* others to take nothing: see [`Lease::handle_testimony`].
//!
//! Then the gate is closed by D, always, and there is no overlap if hold/(1−ρ) + lateness ≤ wait/(1+ρ), where clocks run at 1 ± ρ.

mod entry;
mod machine;
mod timing;

pub use entry::{Challenger, Entry, Unreadable};
pub use machine::Lease;
pub use timing::Timing;

use crate::time::{Duration, Instant};

/// Who we are: known to the register by an id, to people by a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Random, and another one for every start of the daemon. Never a host's name: cloned machines share that.
    pub id: String,
    /// The node's name.
    pub node: String,
}

/// What the register holds at one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Another one whenever the value is written; 0 if there is none.
    pub version: u64,
    /// The value.
    pub value: Value,
}

/// The register's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// There is none.
    Absent,
    /// As we write it.
    Entry(Entry),
    /// Something else. It is waited for like an entry, for it may be one of another version of this program.
    Foreign,
}

/// What became of a compare-and-set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is written, and this is its version.
    Done(u64),
    /// Another version stands there.
    Conflict(Sighting),
    /// It may or may not be written, now or later.
    Unknown,
    /// It was not sent, or is refused for good: nothing is written, nor will be.
    Failed,
}

/// What a lease wants done. The driver does the gate's actions one after the other, in their order, and answers each of them with
/// [`Lease::handle_gate`]. What concerns the register may take its time, and an answer may be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read the register: [`Lease::handle_read`].
    Read {
        /// For the answer.
        serial: u64,
    },
    /// Write the entry if this version still stands there: [`Lease::handle_cas`]. Written once at most, however often it is sent.
    Cas {
        /// For the answer.
        serial: u64,
        /// What has to stand there.
        version: u64,
        /// What is written.
        entry: Entry,
    },
    /// Make a permit of this number, and forget all others of this router.
    Permit {
        /// For the answer, and the permit's number.
        serial: u64,
        /// When the kernel lets it expire.
        lifetime: Duration,
    },
    /// In one transaction delete the permit and open the gate for one slice.
    Open {
        /// For the answer.
        serial: u64,
        /// The permit's number. There may be another one by now; then this fails.
        permit: u64,
        /// The element's timeout.
        slice: Duration,
    },
    /// In one transaction delete what holds the gate open and add it anew, for one slice.
    Refresh {
        /// For the answer.
        serial: u64,
        /// The element's timeout.
        slice: Duration,
    },
    /// Close the gate, and forget all permits. It is no failure if it is closed.
    Close {
        /// For the answer.
        serial: u64,
    },
    /// The gate is open: the addresses may be taken.
    Granted,
    /// The addresses must go, now.
    Lost(Loss),
}

/// Why a lease is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Another one stands in the register: its node's name, if it has one.
    Taken(Option<String>),
    /// It could not be renewed in time.
    Expired,
}

/// Where a lease stands, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is not wanted.
    Idle,
    /// Somebody else has it, or may have it: it can be taken at this instant, if it is not renewed.
    Waiting(Instant),
    /// It is being asked for.
    Asking,
    /// It is ours until then.
    Holding(Instant),
}
