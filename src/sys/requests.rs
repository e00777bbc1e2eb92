//! Questions and orders to rtnetlink, each awaited until the kernel has answered.

use std::io;

use futures_util::StreamExt;
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::{Handle, new_connection};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::time::Duration;

/// How long the kernel may take. It takes microseconds; an answer that was lost never comes.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Requests under way at once: their answers fit into the smallest usual receive buffer (212 kB) with room to spare.
const UNDER_WAY_MAX: usize = 64;

/// How often a dump is tried: the kernel flags one that a change interrupted.
const DUMP_ATTEMPTS: u32 = 5;

/// A connection of its own: no flood of notifications delays an answer.
#[derive(Debug)]
pub(super) struct Requests {
    handle: Handle,
    under_way: Semaphore,
    driver: JoinHandle<()>,
}

impl Requests {
    /// Connects to the network namespace of this thread. Needs a tokio runtime with I/O and time.
    pub fn open() -> io::Result<Self> {
        let (mut connection, handle, _) = new_connection()?;
        // Without these the end of an answer could not be told from the end of the connection.
        connection.set_forward_ack(true);
        connection.set_forward_done(true);
        Ok(Self { handle, under_way: Semaphore::new(UNDER_WAY_MAX), driver: tokio::spawn(connection) })
    }

    /// One request that is no dump. Done when the kernel has acknowledged it.
    pub async fn ask(&self, message: RouteNetlinkMessage, flags: u16) -> io::Result<Vec<RouteNetlinkMessage>> {
        let (answers, _) = self.exchange(message, NLM_F_REQUEST | NLM_F_ACK | flags).await?;
        Ok(answers)
    }

    /// A dump of everything of the kind.
    pub async fn dump(&self, message: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
        for _ in 0..DUMP_ATTEMPTS {
            if let (answers, true) = self.exchange(message.clone(), NLM_F_REQUEST | NLM_F_DUMP).await? {
                return Ok(answers);
            }
        }
        Err(io::Error::new(io::ErrorKind::Interrupted, "it changes faster than it can be read"))
    }

    /// The answers, and whether the kernel calls them a consistent whole.
    async fn exchange(&self, message: RouteNetlinkMessage, flags: u16) -> io::Result<(Vec<RouteNetlinkMessage>, bool)> {
        let mut message = NetlinkMessage::from(message);
        message.header.flags = flags;
        let _permit = self.under_way.acquire().await.map_err(io::Error::other)?;
        let mut answers = self.handle.clone().request(message).map_err(io::Error::other)?;
        let (mut collected, mut whole) = (Vec::new(), true);
        loop {
            let answer = tokio::time::timeout(ANSWER_TIMEOUT, answers.next()).await?;
            let answer = answer.ok_or_else(|| io::Error::other("the netlink socket was closed"))?;
            whole &= answer.header.flags & NLM_F_DUMP_INTR == 0;
            match answer.payload {
                NetlinkPayload::InnerMessage(inner) => collected.push(inner),
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                NetlinkPayload::Error(_) | NetlinkPayload::Done(_) => return Ok((collected, whole)),
                _ => {}
            }
        }
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The same error in words where the kernel's are too few.
pub(super) fn in_words(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            io::Error::new(error.kind(), format!("{error}; the process lacks CAP_NET_ADMIN, grant it"))
        }
        io::ErrorKind::TimedOut => io::Error::new(error.kind(), "the kernel didn't answer within two seconds"),
        _ => error,
    }
}
