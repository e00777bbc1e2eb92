//! What readers of the page have been told: who has it already is sent only what is new.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crate::engine::View;

use super::html::{EDGE, mark, stub};

/// Of what a page is made: the view, and the number of the last event.
pub(super) type Moment = (Arc<View>, u64);

/// The page as it is, and since which version each of its parts has been so.
#[derive(Default)]
pub(super) struct Told {
    /// The view is not kept alive.
    moment: Option<(Weak<View>, u64)>,
    page: String,
    life: String,
    version: u64,
    born: HashMap<String, u64>,
}

impl Told {
    /// True if the page is of this moment.
    pub fn is_of(&self, (view, event): &Moment) -> bool {
        self.moment.as_ref().is_some_and(|(of, last)| of.as_ptr() == Arc::as_ptr(view) && last == event)
    }

    /// Replaces the page by what `render` makes of it, in its parts, for the version that it is given; `life` is random for each
    /// start of the daemon.
    pub fn renew(&mut self, moment: &Moment, life: &str, render: impl FnOnce(&str) -> String) {
        self.version += 1;
        life.clone_into(&mut self.life);
        self.page = render(&format!("{life}.{}", self.version));
        self.moment = Some((Arc::downgrade(&moment.0), moment.1));
        let (born, version) = (&self.born, self.version);
        let since = |part| (mark(part).to_owned(), born.get(mark(part)).copied().unwrap_or(version));
        // What is no more is forgotten: were it to come back, nobody could be taken to have kept it.
        self.born = pieces(&self.page).filter(|(is_part, _)| *is_part).map(|(_, part)| since(part)).collect();
    }

    /// The page, and instead of the parts that were so in the version `known` that they are the same.
    pub fn since(&self, known: Option<&str>) -> String {
        let Some(known) = known.and_then(|known| self.number(known)) else {
            return whole(&self.page);
        };
        let is_known = |part: &str| self.born.get(mark(part)).is_some_and(|born| *born <= known);
        pieces(&self.page)
            .map(|(is_part, piece)| if is_part && is_known(piece) { stub(piece) } else { piece.to_owned() })
            .collect()
    }

    /// The number of a version of this life.
    fn number(&self, version: &str) -> Option<u64> {
        let number = version.strip_prefix(&self.life)?.strip_prefix('.')?.parse().ok()?;
        (number <= self.version).then_some(number)
    }
}

/// The page for a reader who has none.
pub(super) fn whole(page: &str) -> String {
    page.replace(EDGE, "")
}

/// What is a part and what is around them, in turn.
fn pieces(page: &str) -> impl Iterator<Item = (bool, &str)> {
    page.split(EDGE).enumerate().map(|(index, piece)| (index % 2 == 1, piece))
}
