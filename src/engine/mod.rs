//! The one loop: facts in, core, requests out; and what it shares with the edge.

mod shared;

pub use shared::*;
