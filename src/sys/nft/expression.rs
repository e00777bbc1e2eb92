//! What rules are made of: each expression reads packets or registers and writes registers, or ends the rule where it doesn't hold.

use super::message::Attributes;
use crate::time::Duration;

/// A register of 32 bits. Keys of several parts lie in registers that follow each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Register(pub u32);

impl Register {
    /// The register that many words further on.
    pub const fn plus(self, words: u32) -> Self {
        Self(self.0 + words)
    }
}

/// The first of sixteen.
pub(super) const R0: Register = Register(8);
/// Where a verdict stands.
const VERDICT: u32 = 0;

/// Where a part of a packet begins to be counted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Base {
    Link = 0,
    Network = 1,
    Transport = 2,
}

/// What is known of a packet beside its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meta {
    Protocol = 1,
    Mark = 3,
    InterfaceIn = 4,
    InterfaceOut = 5,
    L4Protocol = 16,
}

/// How a register has to compare with a constant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Is {
    Equal = 0,
    Above = 4,
    AtLeast = 5,
}

/// What a rule or an element of a map decides.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict<'a> {
    Accept,
    Drop,
    Jump(&'a str),
    Return,
}

/// What the rule does to a set.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// Adds an element, and leaves one alone that is there.
    Add = 0,
    /// Adds an element, or has one that is there begin its time anew.
    Update = 1,
    Delete = 2,
}

/// RTN_LOCAL.
const LOCAL: u32 = 2;

/// The expressions of a rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Rule(Attributes);

impl Rule {
    pub fn new() -> Self {
        Self::default()
    }

    fn push(self, name: &str, data: Attributes) -> Self {
        Self(self.0.nest(1, Attributes::new().text(1, name).nest(2, data)))
    }

    /// Reads bytes of the packet; the rule ends if it has not got them.
    pub fn load(self, base: Base, offset: u32, length: u32, to: Register) -> Self {
        self.push("payload", Attributes::new().u32(1, to.0).u32(2, base as u32).u32(3, offset).u32(4, length))
    }

    pub fn meta(self, key: Meta, to: Register) -> Self {
        self.push("meta", Attributes::new().u32(1, to.0).u32(2, key as u32))
    }

    /// Puts at most sixteen bytes into a register and those that follow.
    pub fn put(self, bytes: &[u8], to: Register) -> Self {
        let value = Attributes::new().bytes(1, bytes);
        self.push("immediate", Attributes::new().u32(1, to.0).nest(2, value))
    }

    /// Puts a key of several parts, each into registers of its own: so `nft list` knows them.
    pub fn put_key(self, parts: &[Vec<u8>], to: Register) -> Self {
        let mut register = to;
        parts.iter().fold(self, |rule, part| {
            let rule = rule.put(part, register);
            register = register.plus(part.len().div_ceil(4) as u32);
            rule
        })
    }

    pub fn compare(self, from: Register, is: Is, with: &[u8]) -> Self {
        self.push("cmp", Attributes::new().u32(1, from.0).u32(2, is as u32).nest(3, Attributes::new().bytes(1, with)))
    }

    /// Bytes of the packet are these.
    pub fn has(self, base: Base, offset: u32, bytes: &[u8]) -> Self {
        self.load(base, offset, bytes.len() as u32, R0).compare(R0, Is::Equal, bytes)
    }

    pub fn is(self, key: Meta, bytes: &[u8]) -> Self {
        self.meta(key, R0).compare(R0, Is::Equal, bytes)
    }

    /// Goes on if the key is in the set.
    pub fn within(self, set: &str, key: Register) -> Self {
        self.push("lookup", Attributes::new().text(1, set).u32(2, key.0))
    }

    /// Goes on if it isn't.
    pub fn outside(self, set: &str, key: Register) -> Self {
        self.push("lookup", Attributes::new().text(1, set).u32(2, key.0).u32(5, 1))
    }

    /// Does what the map says of the key.
    pub fn map(self, map: &str, key: Register) -> Self {
        self.push("lookup", Attributes::new().text(1, map).u32(2, key.0).u32(3, VERDICT))
    }

    /// Changes a set. `lifetime` is that of what is added.
    pub fn change(self, set: &str, change: Change, key: Register, lifetime: Option<Duration>) -> Self {
        let what = Attributes::new().text(1, set).u32(3, change as u32).u32(4, key.0);
        let what = match lifetime {
            Some(lifetime) => what.u64(6, milliseconds(lifetime)),
            None => what,
        };
        self.push("dynset", what)
    }

    /// The source (or else the destination) is an address of this host's.
    pub fn local(self, source: bool) -> Self {
        let side = if source { 1 } else { 2 };
        let kind = Attributes::new().u32(1, R0.0).u32(2, 3).u32(3, side);
        self.push("fib", kind).compare(R0, Is::Equal, &LOCAL.to_ne_bytes())
    }

    pub fn then(self, verdict: Verdict<'_>) -> Self {
        self.push("immediate", Attributes::new().u32(1, VERDICT).nest(2, verdict.attributes()))
    }

    pub fn expressions(self) -> Attributes {
        self.0
    }
}

impl Verdict<'_> {
    /// As the data of an expression or an element.
    pub fn attributes(self) -> Attributes {
        let code = match self {
            Self::Drop => 0,
            Self::Accept => 1,
            Self::Jump(_) => -3_i32,
            Self::Return => -5,
        };
        let verdict = Attributes::new().u32(1, code.cast_unsigned());
        let verdict = match self {
            Self::Jump(chain) => verdict.text(2, chain),
            _ => verdict,
        };
        Attributes::new().nest(2, verdict)
    }
}

/// As nf_tables counts. Never 0, which would be for ever.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}
