//! What an arbiter has to be: a register for each router that can be read and compared-and-set. Whatever else it is, a majority of it
//! must have agreed before it answers.

use crate::fence::lease::{Entry, Outcome, Sighting, Value};

/// Why there is no answer, in words, with who was asked and what to do. No password is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Trouble(pub String);

/// A store of registers, each under a key of its own.
pub trait CasRegister {
    /// What stands under a key. It may be old only if everything that is written on its ground then fails.
    ///
    /// # Errors
    /// There is no answer, or none that can be understood.
    fn read(&self, key: &str) -> impl Future<Output = Result<Sighting, Trouble>>;

    /// Writes an entry if this version still stands under the key; 0 if nothing does. It may be sent more than once, for where one was
    /// written the version stands no more; so [`Outcome::Conflict`] may show this very entry. Whoever can't know what became of all of
    /// them says so. With [`Outcome::Unknown`] and [`Outcome::Failed`] comes the reason.
    fn cas(&self, key: &str, version: u64, entry: &Entry) -> impl Future<Output = (Outcome, Option<Trouble>)>;
}

/// What the bytes under a key say.
pub(super) fn value(bytes: &[u8]) -> Value {
    Entry::from_text(bytes).map_or(Value::Foreign, Value::Entry)
}
