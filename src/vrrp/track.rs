//! Tracking: what the state of checks, interfaces, processes and files makes of a configured priority.

use super::OWNER;

/// The worst and the best priority of a router that is no owner (RFC 9568 §5.2.4).
const RANGE: (i32, i32) = (1, 254);

/// A number that takes so much is a fault: no priority is left of it.
const FAULT: i32 = -254;

/// One tracked thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// -253 to 253. Of something that is up or down, negative: subtracted while it is down. Positive: added while it is up.
    /// 0: down is a fault. Of a number: what that is multiplied with, and added; 0: any number but 0 is a fault.
    pub weight: i16,
    /// Up counts as down, and down as up; a number the other way round, and 0 as the fault.
    pub reverse: bool,
    /// What was found.
    pub found: Found,
}

/// What is known of a tracked thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Whether it is up.
    Up(bool),
    /// What it says, -254 to 254.
    Number(i16),
}

impl Tracked {
    /// What it adds to the priority; `None` is a fault.
    pub fn worth(&self) -> Option<i32> {
        let weight = i32::from(self.weight);
        match self.found {
            Found::Up(up) => match (weight, up != self.reverse) {
                (0, false) => None,
                (1.., true) | (..=-1, false) => Some(weight),
                _ => Some(0),
            },
            Found::Number(number) if weight == 0 => ((number == 0) != self.reverse).then_some(0),
            Found::Number(number) => {
                let product = weight * i32::from(number);
                Some(if self.reverse { -product } else { product }).filter(|worth| *worth > FAULT)
            }
        }
    }
}

/// The effective priority, 1-254, or `None` for a fault. An owner (255) knows nothing between 255 and a fault.
pub fn effective(configured: u8, tracked: &[Tracked]) -> Option<u8> {
    let worth = tracked.iter().map(Tracked::worth).sum::<Option<i32>>()?;
    if configured == OWNER {
        return Some(OWNER);
    }
    u8::try_from((i32::from(configured) + worth).clamp(RANGE.0, RANGE.1)).ok()
}
