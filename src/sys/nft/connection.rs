//! A netlink socket to nf_tables. The kernel has done what it was told when the sending call returns, and its answer waits in
//! the socket by then: so nothing here is asynchronous, and nothing waits.

use std::io;
use std::mem::MaybeUninit;

use socket2::{Domain, Protocol, Socket, Type};

use super::message::{self, Attributes, Batch, Body, Kind};

/// NETLINK_NETFILTER.
const PROTOCOL: i32 = 12;
/// Enough for the rules of some hundred routers in one transaction.
const SEND_BUFFER_BYTES: libc::c_int = 16 << 20;
/// As much as one answer of the kernel can be: it quotes the message that it refuses.
const ANSWER_MAX: usize = 32 << 10;

/// A refusal.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct NftError {
    /// What was refused, in words.
    pub what: String,
    /// What the kernel says.
    pub source: io::Error,
}

impl NftError {
    /// The kernel's error number.
    pub fn code(&self) -> Option<i32> {
        self.source.raw_os_error()
    }
}

/// The socket. A table that has an owner belongs to it.
#[derive(Debug)]
pub(super) struct Connection {
    socket: Socket,
    family: u8,
    sequence: u32,
    /// Room for one answer.
    room: Box<[MaybeUninit<u8>]>,
}

impl Connection {
    /// Connects to the network namespace of this thread, for tables of `family`.
    pub fn open(family: u8) -> io::Result<Self> {
        let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(Protocol::from(PROTOCOL)))?;
        socket.set_nonblocking(true)?;
        let raise = |name| super::super::socket::set_option(&socket, libc::SOL_SOCKET, name, &SEND_BUFFER_BYTES);
        raise(libc::SO_SNDBUFFORCE).or_else(|_| raise(libc::SO_SNDBUF))?;
        Ok(Self { socket, family, sequence: 1, room: Box::new_uninit_slice(ANSWER_MAX) })
    }

    /// An empty transaction.
    pub fn batch(&self) -> Batch {
        Batch::new(self.family, self.sequence)
    }

    /// Has a transaction come true. One without messages always does.
    ///
    /// # Errors
    /// The first message that was refused; nothing of the transaction came true then.
    pub fn commit(&mut self, batch: Batch) -> Result<(), NftError> {
        if batch.is_empty() {
            return Ok(());
        }
        let sealed = batch.finish();
        self.sequence = sealed.last + 2;
        let fail = |what: &str, source| NftError { what: what.into(), source };
        self.send(&sealed.bytes).map_err(|error| fail("nf_tables can't be told", error))?;
        let (mut refused, mut done) = (None, false);
        self.receive(|answer| {
            if let Body::Done(code) = answer.body {
                match code {
                    0 => done |= answer.sequence == sealed.last,
                    _ => refused = refused.take().or(Some((answer.sequence, code))),
                }
            }
        })
        .map_err(|error| fail("the answer of nf_tables", error))?;
        match (refused, done) {
            (Some((sequence, code)), _) => Err(fail(sealed.what(sequence), io::Error::from_raw_os_error(code))),
            (None, true) => Ok(()),
            (None, false) => Err(fail("nf_tables gave no answer", io::ErrorKind::UnexpectedEof.into())),
        }
    }

    /// Asks for one object. Its attributes.
    ///
    /// # Errors
    /// ENOENT if it is not there.
    pub fn ask(&mut self, kind: Kind, attributes: &Attributes) -> io::Result<Vec<u8>> {
        let sequence = self.sequence;
        self.sequence += 1;
        self.send(&message::question(self.family, kind, sequence, attributes))?;
        let mut found = Err(io::ErrorKind::UnexpectedEof.into());
        self.receive(|answer| {
            if answer.sequence == sequence {
                match answer.body {
                    Body::Object(object) => found = Ok(object.to_vec()),
                    Body::Done(0) => {}
                    Body::Done(code) => found = Err(io::Error::from_raw_os_error(code)),
                }
            }
        })?;
        found
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        // Not connected, and bound by the first sending: to the kernel, whose address is all zeros.
        self.socket.send(bytes).map(drop)
    }

    /// Hands out every answer that waits.
    fn receive(&mut self, mut take: impl FnMut(message::Answer<'_>)) -> io::Result<()> {
        loop {
            match self.socket.recv(&mut self.room) {
                Ok(length) => {
                    // SAFETY: the kernel has just written this many bytes to the buffer's beginning.
                    let bytes = unsafe { std::slice::from_raw_parts(self.room.as_ptr().cast::<u8>(), length) };
                    message::answers(bytes).for_each(&mut take);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
