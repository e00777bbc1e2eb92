//! One table of families; one walk over the snapshot for each scrape; and the two text formats that they are printed in.

mod encode;
mod family;
mod scrape;
mod table;

pub use encode::Format;
pub use family::{Family, Kind};
pub use scrape::scrape;
pub use table::FAMILIES;

use encode::encode;
