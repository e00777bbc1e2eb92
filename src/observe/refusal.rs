//! Refused adverts, counted by interface, VRID and reason.

use std::collections::BTreeMap;

use crate::wire::RejectReason;

use super::IfIndex;

/// Rows at most: a stranger chooses the VRIDs.
const MAX_ROWS: usize = 1024;

/// The table of refused adverts.
#[derive(Debug, Default)]
pub struct Refusals {
    rows: BTreeMap<(IfIndex, Option<u8>, RejectReason), u64>,
}

impl Refusals {
    /// Counts one. When the table is full, a new row's count goes to the row without a VRID, and the answer is false.
    pub fn count(&mut self, interface: IfIndex, vrid: Option<u8>, reason: RejectReason) -> bool {
        let key = (interface, vrid, reason);
        let fits = self.rows.len() < MAX_ROWS || self.rows.contains_key(&key);
        let key = if fits { key } else { (interface, None, reason) };
        *self.rows.entry(key).or_default() += 1;
        fits
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = (IfIndex, Option<u8>, RejectReason, u64)> {
        self.rows.iter().map(|((interface, vrid, reason), count)| (*interface, *vrid, *reason, *count))
    }
}
