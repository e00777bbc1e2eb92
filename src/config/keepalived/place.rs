//! Where something stands in a `keepalived.conf`, and what is worth saying about it.

use std::fmt;
use std::sync::Arc;

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as it was named or found by `include`.
    pub file: Arc<str>,
    /// 1-based.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A value with the line that it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Its line.
    pub place: Place,
}

impl<T> At<T> {
    /// `value` of the line `place`.
    pub fn new(value: T, place: &Place) -> Self {
        Self { value, place: place.clone() }
    }
}

/// What kind of thing a [`Note`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The file is wrong there, whether keepalived says so or not.
    Mistake,
    /// Sound, but vipwarden can't do it or does it in another way: something is lost.
    Lost,
    /// Carried over, and worth a word.
    Hint,
}

impl Kind {
    /// The word in front of a note.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mistake => "mistake",
            Self::Lost => "not carried over",
            Self::Hint => "note",
        }
    }
}

/// One thing to say about a line. It never holds a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The line.
    pub place: Place,
    /// What kind of thing.
    pub kind: Kind,
    /// What is so, and what to do.
    pub says: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.kind.as_str(), self.says)
    }
}

/// Notes are bounded: a file that is no keepalived.conf would have one for each of its lines.
const NOTES_MAX: usize = 1000;

/// Notes in the making.
#[derive(Debug, Default)]
pub(super) struct Notes(pub(super) Vec<Note>);

impl Notes {
    /// The file is wrong at `place`.
    pub(super) fn mistake(&mut self, place: &Place, says: impl Into<String>) {
        self.add(Kind::Mistake, place, says.into());
    }

    /// Something at `place` is lost.
    pub(super) fn lost(&mut self, place: &Place, says: impl Into<String>) {
        self.add(Kind::Lost, place, says.into());
    }

    /// Something at `place` is worth a word.
    pub(super) fn hint(&mut self, place: &Place, says: impl Into<String>) {
        self.add(Kind::Hint, place, says.into());
    }

    pub(super) fn add(&mut self, kind: Kind, place: &Place, says: String) {
        if self.0.len() < NOTES_MAX {
            self.0.push(Note { place: place.clone(), kind, says });
        }
    }
}
