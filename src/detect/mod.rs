//! Evidence → verdict with causes, and the snapshot that everyone else reads.
//!
//! [`Watcher`] is the whole: it owns the model, judges each router whose evidence changed or whose time came, and remembers
//! between judgements only what a `Case` holds.

mod announce;
mod case;
mod cause;
mod conflict;
mod deadlines;
mod hollow;
mod party;
mod remote;
pub mod rules;
mod rules_text;
mod snapshot;
mod twins;
mod view;
mod watcher;

#[cfg(test)]
mod tests;

pub use snapshot::*;
pub use watcher::*;
