//! The sources of facts: each a local task of the core thread that opens, feeds, and opens again after a failure.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn_local, yield_now};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::observe::{Fact, Frame, IfIndex, Sensor};
use crate::sys::capture::{Capture, Captured};
use crate::sys::clock;
use crate::sys::daemon::DaemonWatch;
use crate::sys::neighbour_table;
use crate::sys::netlink::Netlink;
use crate::sys::taps::{FurtherTap, IpTap, RawTap};
use crate::time::{Duration, Instant};
use crate::wire::{self, Family, LinkLayer, Seen};

use super::backlog::{self, Turn};
use super::hub::Hub;
use super::speaker::keep_time;

/// Frames read at most before other tasks have their turn.
const BATCH: usize = 256;
/// Frames read at most before a speaker's timer is judged.
const DRAIN_MAX: usize = 4096;
const SECOND: Duration = Duration::from_secs(1);
/// The wait before a failed source is opened again doubles from a second up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// How long a further tap lets adverts gather before it reads them. Nothing is concluded from what it lacks before it has lacked it
/// for longer, and a wake for each advert on each tap would cost more than all the judging.
const TAP_REST: Duration = Duration::from_millis(100);

/// The wait before the daemons' queues are read again while it is open whether two hold: a frozen one is known by then when that is
/// proven. Two readings must not both meet an advert on its way to one that is alive: this is no multiple of the intervals in use.
const SOON: Duration = Duration::from_millis(225);

/// The wait before it is looked at again whether the kernel had room for all neighbours, unless that is asked before.
const NEIGHBOURS_EVERY: Duration = Duration::from_secs(10);

/// How a source ended: it never does but by an error.
type Ended = io::Result<Infallible>;

/// Starts the sources that belong to no interface.
pub(super) fn start(hub: &Rc<Hub>) {
    for family in [Family::V4, Family::V6] {
        let hub = hub.clone();
        spawn_local(async move {
            let serve = async || raw_tap(&hub, family).await;
            keep(&hub, Sensor::Delivered, None, raw_name(family), &Notify::new(), serve).await;
        });
    }
    let netlink_hub = hub.clone();
    spawn_local(async move {
        let serve = async || netlink(&netlink_hub).await;
        keep(&netlink_hub, Sensor::Netlink, None, "netlink", &Notify::new(), serve).await;
    });
    spawn_local(daemons(hub.clone()));
    spawn_local(neighbours(hub.clone()));
    spawn_local(keep_time(hub.clone()));
}

/// The captures of one interface. They end when this is dropped.
pub(super) struct Sniffer {
    tasks: [AbortHandle; 2],
    revived: Rc<[Notify; 2]>,
}

impl Sniffer {
    /// Starts to sniff `interface`.
    pub fn start(hub: &Rc<Hub>, interface: IfIndex) -> Self {
        let revived = Rc::new([Notify::new(), Notify::new()]);
        let (on, its) = (hub.clone(), revived.clone());
        let frames = spawn_local(async move {
            let serve = async || capture(&on, interface).await;
            keep(&on, Sensor::Capture, Some(interface), "capture", &its[0], serve).await;
        });
        let (on, its) = (hub.clone(), revived.clone());
        let delivered = spawn_local(async move {
            let serve = async || ip_tap(&on, interface).await;
            keep(&on, Sensor::Delivered, Some(interface), "ip tap", &its[1], serve).await;
        });
        Self { tasks: [frames.abort_handle(), delivered.abort_handle()], revived }
    }

    /// The interface came up: what waits for it need not wait longer.
    pub fn revive(&self) {
        self.revived.iter().for_each(Notify::notify_one);
    }
}

impl Drop for Sniffer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Keeps a source going: after a failure its sensor is blind, until it was opened again.
async fn keep(
    hub: &Hub,
    sensor: Sensor,
    interface: Option<IfIndex>,
    source: &'static str,
    revived: &Notify,
    serve: impl AsyncFn() -> Ended,
) {
    let mut wait = SECOND;
    loop {
        let opened = clock::now();
        let Err(error) = serve().await;
        hub.report(sensor, interface, source, Err(failure(hub, interface, source, &error)));
        if clock::now().since(opened) > LONGEST_WAIT {
            wait = SECOND;
        }
        tokio::select! {
            () = sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
            () = revived.notified() => wait = SECOND,
        }
    }
}

/// The same words for the same trouble, whoever noticed it first.
fn failure(hub: &Hub, interface: Option<IfIndex>, source: &'static str, error: &io::Error) -> String {
    let name = interface.map(|interface| hub.name_of(interface));
    match name {
        Some(name) if error.kind() == io::ErrorKind::NetworkDown => format!("{name} is down: ip link set {name} up"),
        Some(name) => format!("{source} of {name}: {error}"),
        None => format!("{source}: {error}"),
    }
}

async fn netlink(hub: &Rc<Hub>) -> Ended {
    let mut netlink = Netlink::open().await?;
    hub.unlearn_links();
    hub.report(Sensor::Netlink, None, "netlink", Ok(()));
    loop {
        hub.learn(netlink.next().await?);
    }
}

/// The open capture of an interface. Its own task reads it, and so does the speakers' timer.
#[derive(Debug)]
pub(super) struct Tap {
    interface: IfIndex,
    capture: Capture,
    /// When the newest frame came that was read.
    read_up_to: Cell<Instant>,
    /// What the timer met, for the task to act upon.
    failure: RefCell<Option<io::Error>>,
    failed: Notify,
}

impl Tap {
    /// Reads at most `max` frames. True if none is left.
    fn drain(&self, hub: &Rc<Hub>, max: usize) -> io::Result<bool> {
        self.capture.drain(max, |captured| {
            self.read_up_to.set(captured.at);
            feed_frame(hub, self.interface, &captured);
        })
    }

    /// Reads all frames; false if it can't be done, or if they come faster than that.
    pub fn drain_for_timer(&self, hub: &Rc<Hub>) -> bool {
        self.drain(hub, DRAIN_MAX).unwrap_or_else(|error| {
            self.failure.replace(Some(error));
            self.failed.notify_one();
            false
        })
    }
}

/// Has the hub know a tap, for as long as it is served.
struct Known<'a> {
    hub: &'a Rc<Hub>,
    tap: Rc<Tap>,
}

impl<'a> Known<'a> {
    fn new(hub: &'a Rc<Hub>, interface: IfIndex, capture: Capture) -> Self {
        let tap = Rc::new(Tap {
            interface,
            capture,
            read_up_to: Cell::new(clock::now()),
            failure: RefCell::default(),
            failed: Notify::new(),
        });
        hub.set_tap(interface, Some(tap.clone()));
        Self { hub, tap }
    }
}

impl Drop for Known<'_> {
    fn drop(&mut self) {
        self.hub.set_tap(self.tap.interface, None);
    }
}

async fn capture(hub: &Rc<Hub>, interface: IfIndex) -> Ended {
    hub.require_up(interface)?;
    let known = Known::new(hub, interface, Capture::open(interface)?);
    let tap = &known.tap;
    tracing::info!(interface = %hub.name_of(interface), "sniffing");
    hub.report(Sensor::Capture, Some(interface), "capture", Ok(()));
    let mut second = interval(SECOND);
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_readable = tokio::select! {
            ready = tap.capture.readable() => ready.map(|()| true)?,
            () = tap.failed.notified() => false,
            _ = second.tick() => false,
        };
        if let Some(error) = tap.failure.take() {
            return Err(error);
        }
        let turn = match is_readable {
            true => Turn::Read { all: tap.drain(hub, BATCH)?, up_to: tap.read_up_to.get() },
            false => Turn::Unread,
        };
        let facts = backlog::facts(interface, turn, clock::now(), || tap.capture.counters())?;
        if !facts.is_empty() {
            facts.iter().for_each(|fact| hub.feed(clock::now(), fact));
            yield_now().await;
        }
    }
}

fn feed_frame(hub: &Rc<Hub>, interface: IfIndex, captured: &Captured<'_>) {
    let dissected = wire::dissect(captured.bytes, LinkLayer::Ethernet);
    if dissected.seen == Seen::Irrelevant {
        return;
    }
    let vlan = captured.vlan.or(dissected.vlan);
    hub.on_frame(captured.at, Frame { interface, vlan, kind: captured.kind, seen: dissected.seen });
}

async fn ip_tap(hub: &Hub, interface: IfIndex) -> Ended {
    hub.require_up(interface)?;
    let mut tap = IpTap::open(interface)?;
    hub.report(Sensor::Delivered, Some(interface), "ip tap", Ok(()));
    let mut tapped = hub.tapped();
    loop {
        tokio::select! {
            ready = tap.readable() => ready?,
            _ = tapped.changed() => tap.admit(*tapped.borrow_and_update())?,
        }
        sleep(TAP_REST).await;
        hand_over(hub, &mut tap, Some(interface)).await?;
    }
}

/// Reads all that is in a further tap, of one interface or of all, and tells if it lacked the room or the time to be compared with the
/// wire.
async fn hand_over(hub: &Hub, tap: &mut impl FurtherTap, interface: Option<IfIndex>) -> io::Result<()> {
    let mut read_up_to = clock::now();
    let mut is_behind = false;
    while !tap.drain(BATCH, |at, delivered| {
        read_up_to = at;
        hub.feed(at, &Fact::Delivered(delivered));
    })? {
        is_behind |= clock::now().since(read_up_to) > TAP_REST * 2;
        yield_now().await;
    }
    if tap.has_dropped()? || is_behind {
        hub.feed(clock::now(), &Fact::TapOverrun(interface));
    }
    Ok(())
}

const fn raw_name(family: Family) -> &'static str {
    match family {
        Family::V4 => "raw ipv4 tap",
        Family::V6 => "raw ipv6 tap",
    }
}

async fn raw_tap(hub: &Hub, family: Family) -> Ended {
    let mut tap = match RawTap::open(family) {
        // A host without IPv6 has nothing there to be blind to.
        Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => return std::future::pending().await,
        opened => opened?,
    };
    hub.own_socket(family, tap.inode());
    hub.report(Sensor::Delivered, None, raw_name(family), Ok(()));
    let (mut sniffed, mut tapped) = (hub.sniffed(), hub.tapped());
    let mut joined = BTreeSet::new();
    loop {
        tokio::select! {
            ready = tap.readable() => ready?,
            _ = tapped.changed() => tap.admit(*tapped.borrow_and_update())?,
            _ = sniffed.changed() => {
                let wanted = sniffed.borrow_and_update().clone();
                regroup(hub, &tap, family, &wanted, &mut joined);
                continue;
            }
        }
        sleep(TAP_REST).await;
        hand_over(hub, &mut tap, None).await?;
    }
}

/// Joins the group where it is still to be done, and leaves it where nothing is sniffed any more. A membership is a report on
/// the wire: none is made when passive.
fn regroup(hub: &Hub, tap: &RawTap, family: Family, wanted: &BTreeSet<IfIndex>, joined: &mut BTreeSet<IfIndex>) {
    for interface in joined.difference(wanted) {
        // The kernel may have forgotten it together with the interface.
        let _ = tap.leave(*interface);
    }
    joined.retain(|interface| wanted.contains(interface));
    if hub.is_passive() {
        return;
    }
    for &interface in wanted {
        if !joined.insert(interface) {
            continue;
        }
        let answer = match tap.join(interface) {
            // An interface without IPv6 has no adverts over IPv6 either.
            Err(error) if family == Family::V6 && error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            answer => answer.map_err(|error| {
                format!("{}: the VRRP group can't be joined over {}: {error}", hub.name_of(interface), family.as_str())
            }),
        };
        hub.report(Sensor::Delivered, Some(interface), raw_name(family), answer);
    }
}

async fn daemons(hub: Rc<Hub>) {
    let mut own = hub.own_sockets();
    let mut watch = DaemonWatch::new(own.clone());
    let doubted = hub.core().daemons_doubted();
    let mut read_at = Instant::ZERO;
    loop {
        let pause = if hub.core().watcher().is_contested() { SOON } else { SECOND };
        let is_due = tokio::select! {
            () = sleep((read_at + pause).since(clock::now())) => true,
            () = doubted.notified() => false,
        };
        if is_due {
            read_at = clock::now();
        }
        if own != hub.own_sockets() {
            own = hub.own_sockets();
            watch = DaemonWatch::new(own.clone());
        }
        for family in [Family::V4, Family::V6] {
            let state = if is_due { watch.read(family) } else { watch.look(family) };
            hub.feed(clock::now(), &Fact::Daemon(crate::observe::Daemon { family, state }));
        }
    }
}

/// What was refused before the first look is no news.
async fn neighbours(hub: Rc<Hub>) {
    let doubted = hub.core().neighbours_doubted();
    let mut seen = None;
    loop {
        match neighbour_table::refusals().await {
            Ok(refusals) => {
                let before = seen.replace(refusals).unwrap_or(refusals);
                for family in [Family::V4, Family::V6] {
                    if refusals[family as usize] > before[family as usize] {
                        hub.feed(clock::now(), &Fact::NeighboursFull(family));
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "whether the neighbour table is full can't be told"),
        }
        tokio::select! {
            () = sleep(NEIGHBOURS_EVERY) => {}
            () = doubted.notified() => {}
        }
    }
}
