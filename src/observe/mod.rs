//! The model of the segment: who speaks, who owns, who answers, who is reachable, where we are blind.
//!
//! [`Model::handle`] takes facts in; nothing here reads a clock, sends a packet or has an opinion. Every table has a
//! bound, and hitting it is counted.

mod claim;
mod fact;
mod host;
mod model;
mod probe;
mod reach;
mod refusal;
mod report;
mod router;
mod settings;
mod sight;
mod speaker;

pub use claim::*;
pub use fact::*;
pub use host::*;
pub use model::*;
pub use probe::{ECHO_IDENTIFIER, PROMOTION_ECHO_IDENTIFIER, Planner};
pub use reach::*;
pub use refusal::*;
pub use report::*;
pub use router::*;
pub use settings::*;
pub use sight::*;
pub use speaker::*;
