//! What a capture has not handed over yet, or never will: it is known before anybody wonders at a silence.

use std::io;

use crate::observe::{Fact, IfIndex};
use crate::sys::capture::Counters;
use crate::time::{Duration, Instant};

/// What waits for longer than a rest of the core thread does so because there is too much of it.
const BEHIND: Duration = Duration::from_millis(50);

/// What was done with a capture when it had its turn.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    /// It was only time to ask what it has dropped.
    Unread,
    /// It was read: all that was there, or as much as is read at a time; the newest frame that was read came at `up_to`.
    Read { all: bool, up_to: Instant },
}

/// What is told of it besides its frames, before others have their turn: what came after the newest that was read may be waiting
/// still, or have found no room.
///
/// # Errors
/// The counters can't be read.
pub(super) fn facts(
    interface: IfIndex,
    turn: Turn,
    now: Instant,
    counters: impl FnOnce() -> io::Result<Counters>,
) -> io::Result<Vec<Fact>> {
    let late = match turn {
        Turn::Read { all: true, .. } => return Ok(Vec::new()),
        Turn::Read { all: false, up_to } => now.since(up_to),
        Turn::Unread => Duration::ZERO,
    };
    let Counters { frames, dropped } = counters()?;
    let late = (late > BEHIND).then_some(Fact::LoopLate(late));
    Ok(late.into_iter().chain([Fact::Capture { interface, frames, dropped }]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETH0: IfIndex = IfIndex(2);
    const NOW: Instant = Instant::from_nanos(10_000_000_000);
    const DROPPED: Fact = Fact::Capture { interface: ETH0, frames: 9, dropped: 7 };

    fn told(turn: Turn) -> Vec<Fact> {
        facts(ETH0, turn, NOW, || Ok(Counters { frames: 9, dropped: 7 })).expect("they are read")
    }

    fn read(all: bool, waiting: Duration) -> Turn {
        Turn::Read { all, up_to: NOW - waiting }
    }

    #[test]
    fn what_found_no_room_is_known_while_more_waits_and_not_only_when_its_second_is_over_fault_22() {
        assert_eq!(told(read(false, Duration::ZERO)), [DROPPED]);
        assert_eq!(told(Turn::Unread), [DROPPED]);
    }

    #[test]
    fn frames_that_wait_are_no_silence_and_those_of_a_rest_are_no_backlog_fault_22() {
        let late = Duration::from_millis(300);
        assert_eq!(told(read(false, late)), [Fact::LoopLate(late), DROPPED]);
        assert_eq!(told(read(false, BEHIND)), [DROPPED]);
    }

    /// However long ago the newest frame came.
    #[test]
    fn of_a_capture_that_was_read_to_its_end_nothing_is_told_until_its_second_is_over() {
        assert_eq!(told(read(true, Duration::from_secs(60))), []);
    }
}
