//! Netlink attributes and messages as bytes, and the transactions of nf_tables made of them.

/// The tables of nf_tables among the subsystems of nfnetlink.
const SUBSYSTEM: u16 = 10;
/// Begins and ends a transaction.
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
/// Marks an attribute that contains attributes.
const NESTED: u16 = 1 << 15;
/// The length of a netlink header with the nfnetlink header behind it, in bytes.
const HEADER: usize = 20;

const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_CREATE: u16 = 0x400;
const NLM_F_APPEND: u16 = 0x800;

/// The kinds of messages that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Kind {
    NewTable = 0,
    DeleteTable = 2,
    NewChain = 3,
    DeleteChain = 5,
    NewRule = 6,
    DeleteRule = 8,
    NewSet = 9,
    NewElement = 12,
    GetElement = 13,
    DeleteElement = 14,
}

/// Attributes, one after the other. What doesn't fit into 64 kB is not written by anyone here.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes(Vec<u8>);

impl Attributes {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        self.push(kind, value);
        self
    }

    /// A string, with the zero at its end.
    pub fn text(self, kind: u16, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(kind, &bytes)
    }

    pub fn u32(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    pub fn u64(self, kind: u16, value: u64) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    pub fn nest(self, kind: u16, inner: Self) -> Self {
        self.bytes(kind | NESTED, &inner.0)
    }

    fn push(&mut self, kind: u16, value: &[u8]) {
        self.0.extend(((value.len() + 4) as u16).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }
}

/// The attributes in `bytes`, by kind without the mark of nesting. Ends at the first that doesn't fit.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (head, _) = bytes.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let kind = u16::from_ne_bytes([head[2], head[3]]) & !NESTED;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The first attribute of that kind.
pub(super) fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// One question outside a transaction.
pub(super) fn question(family: u8, kind: Kind, sequence: u32, attributes: &Attributes) -> Vec<u8> {
    let mut bytes = Vec::new();
    message(&mut bytes, SUBSYSTEM << 8 | kind as u16, NLM_F_REQUEST, sequence, [family, 0, 0, 0], &attributes.0);
    bytes
}

/// Messages that come true together or not at all. Each has a few words on what it does, for errors.
#[derive(Debug)]
pub(super) struct Batch {
    family: u8,
    first: u32,
    bytes: Vec<u8>,
    said: Vec<String>,
    /// Where the last message begins.
    last: usize,
}

impl Batch {
    /// An empty one. Its messages are numbered from `first` on.
    pub fn new(family: u8, first: u32) -> Self {
        let mut bytes = Vec::new();
        message(&mut bytes, BATCH_BEGIN, NLM_F_REQUEST, first, subsystem(), &[]);
        Self { family, first, bytes, said: Vec::new(), last: 0 }
    }

    /// Adds a message; one that makes something makes it only if it isn't there.
    pub fn add(&mut self, kind: Kind, attributes: &Attributes, what: impl Into<String>) {
        let making = match kind {
            Kind::NewRule => NLM_F_CREATE | NLM_F_APPEND,
            Kind::NewTable | Kind::NewChain | Kind::NewSet | Kind::NewElement => NLM_F_CREATE,
            _ => 0,
        };
        self.last = self.bytes.len();
        self.said.push(what.into());
        let (flags, sequence) = (NLM_F_REQUEST | making, self.first + self.said.len() as u32);
        let kind = SUBSYSTEM << 8 | kind as u16;
        message(&mut self.bytes, kind, flags, sequence, [self.family, 0, 0, 0], &attributes.0);
    }

    pub fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    /// The whole as bytes; the last message asks for an answer. There has to be one.
    pub fn finish(mut self) -> Sealed {
        let last = self.first + self.said.len() as u32;
        let flags = self.last + 6;
        let asking = u16::from_ne_bytes([self.bytes[flags], self.bytes[flags + 1]]) | NLM_F_ACK;
        self.bytes[flags..flags + 2].copy_from_slice(&asking.to_ne_bytes());
        message(&mut self.bytes, BATCH_END, NLM_F_REQUEST, last + 1, subsystem(), &[]);
        Sealed { bytes: self.bytes, first: self.first, last, said: self.said }
    }
}

/// A transaction that is ready to go.
#[derive(Debug)]
pub(super) struct Sealed {
    pub bytes: Vec<u8>,
    pub last: u32,
    first: u32,
    said: Vec<String>,
}

impl Sealed {
    /// What the message of that number does, in words.
    pub fn what(&self, sequence: u32) -> &str {
        let index = sequence.checked_sub(self.first + 1).map(|index| index as usize);
        index.and_then(|index| self.said.get(index)).map_or("the transaction", String::as_str)
    }
}

/// What stands in the place of a family in front of a transaction: the subsystem.
const fn subsystem() -> [u8; 4] {
    let number = SUBSYSTEM.to_be_bytes();
    [0, 0, number[0], number[1]]
}

fn message(bytes: &mut Vec<u8>, kind: u16, flags: u16, sequence: u32, extra: [u8; 4], payload: &[u8]) {
    bytes.extend(((HEADER + payload.len()) as u32).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(extra);
    bytes.extend(payload);
}

/// One answer of the kernel.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub sequence: u32,
    pub body: Body<'a>,
}

/// What it says.
#[derive(Debug)]
pub(super) enum Body<'a> {
    /// 0 is a yes; else an error number.
    Done(i32),
    /// The attributes of an object.
    Object(&'a [u8]),
}

const NLMSG_ERROR: u16 = 2;

/// The answers in one datagram. Ends at the first that doesn't fit.
pub(super) fn answers(mut bytes: &[u8]) -> impl Iterator<Item = Answer<'_>> {
    std::iter::from_fn(move || {
        let head = bytes.get(..16)?;
        let length = u32::from_ne_bytes(head[..4].try_into().ok()?) as usize;
        let kind = u16::from_ne_bytes(head[4..6].try_into().ok()?);
        let sequence = u32::from_ne_bytes(head[8..12].try_into().ok()?);
        let payload = bytes.get(16..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        let body = match kind {
            NLMSG_ERROR => Body::Done(-i32::from_ne_bytes(payload.get(..4)?.try_into().ok()?)),
            _ => Body::Object(payload.get(4..)?),
        };
        Some(Answer { sequence, body })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_that_are_written_are_read_again() {
        let inner = Attributes::new().text(1, "abc").u32(2, 7);
        let outer = Attributes::new().nest(9, inner).u64(3, 5);
        let nested = find(&outer.0, 9).expect("it was written");
        assert_eq!(find(nested, 1), Some(&b"abc\0"[..]));
        assert_eq!(find(nested, 2), Some(&[0, 0, 0, 7][..]));
        assert_eq!(find(&outer.0, 3), Some(&[0, 0, 0, 0, 0, 0, 0, 5][..]));
        assert_eq!(find(&outer.0, 4), None);
    }

    #[test]
    fn cut_bytes_are_no_panic() {
        let whole = Attributes::new().nest(9, Attributes::new().text(1, "abc")).0;
        for length in 0..whole.len() {
            assert!(attributes(&whole[..length]).count() <= 1);
        }
        let mut batch = Batch::new(5, 1);
        batch.add(Kind::NewTable, &Attributes::new().text(1, "t"), "the table");
        let sealed = batch.finish();
        assert_eq!((sealed.what(2), sealed.last), ("the table", 2));
        for length in 0..sealed.bytes.len() {
            assert!(answers(&sealed.bytes[..length]).count() <= 3);
        }
    }
}
