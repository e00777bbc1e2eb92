//! Links and addresses, as they are and as they change.

pub(super) mod parse;
mod table;

use std::io;
use std::pin::Pin;

use futures_util::{FutureExt, Stream, StreamExt};
use rtnetlink::packet_core::{NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::AddressMessage;
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::proto::Connection;
use rtnetlink::sys::{AsyncSocket, SocketAddr};
use rtnetlink::{Handle, MulticastGroup, new_multicast_connection};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::observe::{Fact, Sensor};
use crate::time::Duration;
use parse::Change;
use table::Table;

/// Asked of the kernel for the subscription, in bytes. It gives `net.core.rmem_max` at most and says nothing if that is
/// less; an overrun is survived in any case.
const RECEIVE_BUFFER_BYTES: u32 = 4 << 20;

/// Batches that wait for [`Netlink::next`]. When they are full, further messages wait in the kernel's buffer.
const BATCHES_MAX: usize = 16;

/// How often a dump is tried: the kernel flags one that a change interrupted, and refuses one while it has no room.
const DUMP_ATTEMPTS: u32 = 5;

/// How long the kernel may take for each piece of a dump. It takes microseconds; an answer that was lost never comes.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// A subscription to links and addresses of the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Netlink {
    batches: mpsc::Receiver<io::Result<Vec<Fact>>>,
    follower: JoinHandle<()>,
}

impl Netlink {
    /// Subscribes, then dumps: [`Self::next`] yields everything that is there, then what changes. Needs a tokio runtime
    /// with I/O and time; no capability.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn open() -> io::Result<Self> {
        Self::open_with_buffer(RECEIVE_BUFFER_BYTES).await
    }

    /// [`Self::open`] with a receive buffer of this many bytes; a small one overruns early.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn open_with_buffer(bytes: u32) -> io::Result<Self> {
        let mut follower = Follower::subscribe(bytes)?;
        let first = follower.resync().await?;
        let (sender, batches) = mpsc::channel(BATCHES_MAX);
        let follower = tokio::spawn(follower.run(first, sender));
        Ok(Self { batches, follower })
    }

    /// The next batch of facts: `Link`, `LinkGone`, `Address`, `AddressGone`, and `Sensor { Netlink, .. }` around an
    /// overrun, after which everything is dumped again and the difference is yielded. The first batch is everything that
    /// is there. `Link::sniffed` is left false: which interfaces are captured is the engine's decision. Cancel-safe.
    ///
    /// # Errors
    /// What the kernel says; the subscription is then dead.
    pub async fn next(&mut self) -> io::Result<Vec<Fact>> {
        self.batches.recv().await.unwrap_or_else(|| Err(closed()))
    }
}

impl Drop for Netlink {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the netlink socket was closed; links and addresses are followed no more")
}

type Message = NetlinkMessage<RouteNetlinkMessage>;

/// The task behind a [`Netlink`]. It polls the connection itself, and only when it has room for the result: so nothing
/// piles up in this process, and what is too much for the kernel's buffer is an overrun that both sides know of.
struct Follower {
    connection: Connection<RouteNetlinkMessage>,
    handle: Handle,
    notifications: Pin<Box<dyn Stream<Item = (Message, SocketAddr)> + Send>>,
    table: Table,
}

impl Follower {
    fn subscribe(buffer_bytes: u32) -> io::Result<Self> {
        let groups = [MulticastGroup::Link, MulticastGroup::Ipv4Ifaddr, MulticastGroup::Ipv6Ifaddr];
        let (mut connection, handle, notifications) = new_multicast_connection(&groups)?;
        connection.socket_mut().socket_mut().set_rx_buf_sz(buffer_bytes)?;
        // The end of a dump says, too, whether it was interrupted.
        connection.set_forward_done(true);
        Ok(Self { connection, handle, notifications: Box::pin(notifications), table: Table::default() })
    }

    async fn run(mut self, first: Vec<Fact>, out: mpsc::Sender<io::Result<Vec<Fact>>>) {
        let mut batch = Ok(first);
        loop {
            let dead = batch.is_err();
            if out.send(batch).await.is_err() || dead {
                return;
            }
            batch = self.follow(&out).await;
        }
    }

    /// Waits for notifications and applies all that are there. An overrun is reported at once, before the dump.
    async fn follow(&mut self, out: &mpsc::Sender<io::Result<Vec<Fact>>>) -> io::Result<Vec<Fact>> {
        let mut facts = Vec::new();
        while facts.is_empty() {
            let mut next = drive(&mut self.connection, self.notifications.next()).await?;
            while let Some((message, _)) = next {
                match message.payload {
                    NetlinkPayload::Overrun(_) => {
                        facts.push(sensor(Err(
                            "netlink notifications were lost (receive buffer overrun); reading all \
                             links and addresses again. If this repeats, raise net.core.rmem_max"
                                .into(),
                        )));
                        out.send(Ok(facts)).await.map_err(|_| closed())?;
                        return self.resync().await;
                    }
                    NetlinkPayload::InnerMessage(inner) => facts.extend(self.apply(&inner)),
                    _ => {}
                }
                next = self.notifications.next().now_or_never().flatten();
            }
        }
        Ok(facts)
    }

    fn apply(&mut self, message: &RouteNetlinkMessage) -> Vec<Fact> {
        parse::change(message).map(|change| self.table.apply(change)).unwrap_or_default()
    }

    /// Dumps everything and yields what differs from the table.
    async fn resync(&mut self) -> io::Result<Vec<Fact>> {
        self.discard_stale().await?;
        let mut changes = self.dump(RouteNetlinkMessage::GetLink(LinkMessage::default())).await?;
        changes.extend(self.dump(RouteNetlinkMessage::GetAddress(AddressMessage::default())).await?);
        let mut facts = self.table.replace(changes);
        facts.push(sensor(Ok(())));
        Ok(facts)
    }

    /// Drops the notifications from before the dump to come: in an overrun the one that took them back may be lost, and
    /// they would put a thing into the table that is gone. The socket is a queue, so when the answer to a request has been read,
    /// all that was queued before it has been read too.
    async fn discard_stale(&mut self) -> io::Result<()> {
        let mut loopback = LinkMessage::default();
        loopback.header.index = 1;
        self.request(RouteNetlinkMessage::GetLink(loopback), NLM_F_REQUEST).await.ok();
        while let Some(item) = self.notifications.next().now_or_never() {
            item.ok_or_else(closed)?;
        }
        Ok(())
    }

    async fn dump(&mut self, request: RouteNetlinkMessage) -> io::Result<Vec<Change>> {
        let mut attempt = 1;
        loop {
            match self.request(request.clone(), NLM_F_REQUEST | NLM_F_DUMP).await {
                Ok((changes, whole)) if whole || attempt == DUMP_ATTEMPTS => return Ok(changes),
                Err(error) if attempt == DUMP_ATTEMPTS => return Err(error),
                _ => attempt += 1,
            }
        }
    }

    /// One request with its answers, and whether the kernel calls them a consistent whole.
    async fn request(&mut self, request: RouteNetlinkMessage, flags: u16) -> io::Result<(Vec<Change>, bool)> {
        let mut message = NetlinkMessage::from(request);
        message.header.flags = flags;
        let mut answers = self.handle.request(message).map_err(io::Error::other)?;
        let mut changes = Vec::new();
        let mut whole = true;
        loop {
            let answer = tokio::time::timeout(ANSWER_TIMEOUT, drive(&mut self.connection, answers.next())).await??;
            let Some(answer) = answer else { return Ok((changes, whole)) };
            whole &= answer.header.flags & NLM_F_DUMP_INTR == 0;
            match answer.payload {
                NetlinkPayload::InnerMessage(inner) => changes.extend(parse::change(&inner)),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                _ => {}
            }
        }
    }
}

/// Moves messages between the socket and its channels until `wanted` is there.
async fn drive<T>(connection: &mut Connection<RouteNetlinkMessage>, wanted: impl Future<Output = T>) -> io::Result<T> {
    tokio::select! {
        biased;
        () = connection => Err(closed()),
        got = wanted => Ok(got),
    }
}

fn sensor(state: Result<(), String>) -> Fact {
    Fact::Sensor { sensor: Sensor::Netlink, interface: None, state }
}
