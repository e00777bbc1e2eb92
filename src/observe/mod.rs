//! The model of the segment: who speaks, who owns, who answers, who is reachable, where we are blind.

mod fact;
mod settings;

pub use fact::*;
pub use settings::*;
