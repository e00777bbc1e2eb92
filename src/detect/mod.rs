//! Evidence → verdict with causes, and the snapshot that everyone else reads.

mod snapshot;
mod watcher;

pub use snapshot::*;
pub use watcher::*;
