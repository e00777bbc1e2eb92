//! One table of families; one collector over the snapshot; and the two text formats that they are printed in.

mod collector;
mod encode;
mod family;
mod table;

pub use collector::{SnapshotCollector, registry};
pub use encode::{Format, encode};
pub use family::{Family, Kind};
pub use table::FAMILIES;
