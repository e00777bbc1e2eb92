//! Tracking: what the state of checks, interfaces, processes and files makes of a configured priority.

use super::OWNER;

/// The worst and the best priority of a router that is no owner (RFC 9568 §5.2.4).
const RANGE: (i32, i32) = (1, 254);

/// One tracked thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// -253 to 253. Negative: subtracted while it is down. Positive: added while it is up. 0: down is a fault.
    pub weight: i16,
    /// Up counts as down, and down as up.
    pub reverse: bool,
    /// Whether it is up.
    pub up: bool,
}

/// The effective priority, 1-254, or `None` for a fault. An owner (255) knows nothing between 255 and a fault.
pub fn effective(configured: u8, tracked: &[Tracked]) -> Option<u8> {
    let mut priority = i32::from(configured);
    for thing in tracked {
        let up = thing.up != thing.reverse;
        match (thing.weight, up) {
            (0, false) => return None,
            (1.., true) | (..=-1, false) => priority += i32::from(thing.weight),
            _ => {}
        }
    }
    if configured == OWNER {
        return Some(OWNER);
    }
    u8::try_from(priority.clamp(RANGE.0, RANGE.1)).ok()
}
