//! How much memory a record takes, about: reckoned, and not measured by writing it down, for the core must not wait for that.

use crate::observe::Fact;
use crate::wire::Seen;

use super::{Input, Record};

/// One whose size nothing adds to, with its boxes.
const PLAIN: usize = 512;

/// Bytes, rather too many than too few. What the configuration bounds counts as plain: the settings, and what a daemon was told.
pub fn of(record: &Record) -> usize {
    let more = match &record.input {
        Input::Fact(fact) => of_fact(fact),
        Input::Event(event) => event.reason.len() + event.evidence.iter().map(String::len).sum::<usize>(),
        Input::Start { .. }
        | Input::Turn
        | Input::Judge
        | Input::Settings(_)
        | Input::Clock(_)
        | Input::Forget(_)
        | Input::Lost(_) => 0,
    };
    PLAIN + more
}

fn of_fact(fact: &Fact) -> usize {
    match fact {
        Fact::Frame(frame) => match &frame.seen {
            Seen::Advert(advert) => size_of_val(advert.addresses.as_slice()),
            _ => 0,
        },
        Fact::PeerReport { said: Ok(report), .. } => report.size(),
        _ => 0,
    }
}
