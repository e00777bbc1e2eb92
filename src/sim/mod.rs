//! The simulator: a deterministic world of two to eight nodes over the real core.
//!
//! Each node runs the real `vrrp::Router`, `fence::Guard` and, where it is asked for, `detect::Watcher`; frames are real bytes,
//! made and read by `wire`. Around them the room has models of what the core never sees: the kernel with its addresses, its
//! clock and its [gate](gate), the wire with all its faults, and a process that can be stopped between any two of its acts.
//! Nothing here knows a clock or chance but the seeded one: the same [`Spec`] is the same run, to the last bit of
//! [`Report::hash`].
//!
//! [`run`] runs one world. [`worlds::random`] makes one out of a seed, so that millions can be tried; what is checked in each of
//! them stands in [`checks`].

mod chance;
mod checks;
mod clock;
mod fault;
mod frames;
mod gate;
mod journal;
mod kernel;
mod network;
mod process;
mod queue;
mod register;
mod report;
mod spec;
#[cfg(test)]
mod tests;
mod watch;
mod world;
pub mod worlds;

pub use checks::{Spans, Violation};
#[cfg(test)]
pub use gate::Gate as Model;
pub use journal::{Entry, Kind};
pub use report::Report;
pub use spec::{Fault, Hazards, MAX_NODES, Mishap, NodeSpec, Nodes, Rules, Spec, Wall, Weather, primary, vip};

use world::World;

/// Runs a world to its end. With `keeps`, the report has all that happened and every frame.
pub fn run(spec: Spec, keeps: bool) -> Report {
    World::new(spec, keeps).run()
}
