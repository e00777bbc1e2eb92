//! `vipwarden drill`: a failover as a client sees it. Asks for each address every few milliseconds, and reports gaps and who answered.

mod report;
mod routed;
mod tally;

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::process::ExitCode;

use pnet::datalink::NetworkInterface;
use pnet::ipnetwork::IpNetwork;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::terminal::complain;
use super::{CRITICAL, FAILED, USAGE};
use crate::observe::{IfIndex, Request};
use crate::sys::capture::Capture;
use crate::sys::clock;
use crate::sys::probe::Prober;
use crate::time::{Duration, Instant};
use crate::wire::{ArpOperation, LinkLayer, MacAddr, NeighbourKind, Seen, dissect};
use routed::Routed;
use tally::{Answerer, Tally};

/// Faster asking tells nothing more, slower no drill needs; longer ones are a monitor's task.
const INTERVAL: std::ops::RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(1);
const DURATION_MAX: Duration = Duration::from_secs(3600);
const ADDRESSES_MAX: usize = 8;

/// Frames read in one go.
const TURN: usize = 64;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Virtual address to ask for; up to 8. By ARP, this host has an address of the same network.
    #[arg(long = "vip", value_name = "IP", required = true)]
    vips: Vec<IpAddr>,
    /// How to ask: by ARP (neighbour solicitation for IPv6) on the segment, which tells who answers; or across routers.
    #[arg(long, value_enum, default_value_t = By::Arp)]
    by: By,
    /// The port to connect to by TCP. A refusal counts as an answer.
    #[arg(long, value_name = "PORT", required_if_eq("by", "tcp"), value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Interface to ask on by ARP [default: the one whose network the address belongs to].
    #[arg(long, value_name = "IF")]
    interface: Option<String>,
    /// Exit with 1 if a gap is longer than this.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    expect_gap: Option<Duration>,
    /// Between two questions, 1ms to 1s.
    #[arg(long, value_name = "TIME", default_value = "10ms", value_parser = humantime::parse_duration)]
    interval: Duration,
    /// How long, an hour at most; Ctrl-C ends it earlier.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// The ways to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum By {
    Arp,
    Icmp,
    Tcp,
}

/// Drills: 0 all well, 1 a gap beyond what was expected or no answer at all, 2 two hosts answer at the end, 64 usage.
pub fn run(args: &Args) -> ExitCode {
    let drills = match plan(args) {
        Ok(drills) => drills,
        Err(why) => {
            complain(&why);
            return USAGE.into();
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(|error| error.to_string()).and_then(|runtime| runtime.block_on(drill(args, drills)));
    match done {
        Ok(drills) => {
            report::print(&drills, args.json, args.expect_gap);
            verdict(&drills, args.expect_gap).into()
        }
        Err(why) => {
            complain(&why);
            FAILED.into()
        }
    }
}

fn verdict(drills: &[Drill], expected: Option<Duration>) -> u8 {
    let too_long = |drill: &Drill| expected.is_some_and(|expected| drill.tally.longest() > expected);
    if drills.iter().any(|drill| drill.both.is_some()) {
        CRITICAL
    } else if drills.iter().any(|drill| too_long(drill) || drill.tally.last().is_none()) {
        FAILED
    } else {
        0
    }
}

/// One address, and how it is asked for.
struct Drill {
    vip: IpAddr,
    way: Way,
    tally: Tally,
    /// Who answered at the end, if two did.
    both: Option<(Answerer, Answerer)>,
}

/// How an address is asked for.
enum Way {
    /// On the segment of that interface.
    Segment(String, Request),
    Routed(Routed),
}

impl Way {
    const fn name(&self) -> &'static str {
        match self {
            Self::Segment(_, Request::Arp { .. }) => "arp",
            Self::Segment(..) => "nd",
            Self::Routed(Routed::Icmp) => "icmp",
            Self::Routed(Routed::Tcp(_)) => "tcp",
        }
    }

    fn interface(&self) -> Option<&str> {
        match self {
            Self::Segment(interface, _) => Some(interface),
            Self::Routed(_) => None,
        }
    }
}

impl Drill {
    /// What asks for it on its segment.
    const fn request(&self) -> Option<Request> {
        match self.way {
            Way::Segment(_, request) => Some(request),
            Way::Routed(_) => None,
        }
    }

    /// Who answers for the address, if the frame is an answer.
    fn answerer(&self, seen: &Seen) -> Option<MacAddr> {
        match seen {
            Seen::Arp(arp) if arp.operation == ArpOperation::Reply && !arp.is_gratuitous() => {
                (IpAddr::V4(arp.sender_ip) == self.vip).then_some(arp.sender_mac)
            }
            Seen::Neighbour(said) if matches!(said.kind, NeighbourKind::Advertisement { solicited: true, .. }) => {
                (IpAddr::V6(said.target) == self.vip).then_some(said.link_address).flatten()
            }
            _ => None,
        }
    }
}

fn plan(args: &Args) -> Result<Vec<Drill>, String> {
    if !INTERVAL.contains(&args.interval) {
        return Err("--interval is 1ms to 1s".into());
    }
    if args.duration > DURATION_MAX || args.duration < args.interval {
        return Err("--duration is one --interval to 1h".into());
    }
    if args.vips.len() > ADDRESSES_MAX {
        return Err(format!("at most {ADDRESSES_MAX} addresses in one drill: start a second one for the others"));
    }
    let links = pnet::datalink::interfaces();
    args.vips.iter().map(|vip| one(*vip, args, &links)).collect()
}

fn one(vip: IpAddr, args: &Args, links: &[NetworkInterface]) -> Result<Drill, String> {
    if links.iter().any(|link| link.ips.iter().any(|ip| ip.ip() == vip)) {
        return Err(format!("{vip} is this host's own: run the drill on another host, as a client"));
    }
    let way = match (args.by, args.port) {
        (By::Arp, _) => on_segment(vip, args.interface.as_deref(), links)?,
        (By::Icmp, _) => Way::Routed(Routed::Icmp),
        (By::Tcp, port) => Way::Routed(Routed::Tcp(port.ok_or("--by tcp takes a --port")?)),
    };
    let is_link_local = matches!(vip, IpAddr::V6(address) if address.is_unicast_link_local());
    if is_link_local && matches!(way, Way::Routed(_)) {
        return Err(format!("{vip} is link-local, and no router leads to it: ask for it by ARP (--by arp)"));
    }
    Ok(Drill { vip, way, tally: Tally::new(clock::now(), args.interval), both: None })
}

fn on_segment(vip: IpAddr, interface: Option<&str>, links: &[NetworkInterface]) -> Result<Way, String> {
    let own = |link: &NetworkInterface| link.ips.iter().copied().find(|own| serves(own, vip));
    let mut fitting = links.iter().filter(|link| link.is_up() && interface.is_none_or(|name| link.name == name));
    let found = fitting.find_map(|link| Some((link, own(link)?)));
    let (link, own) = found.ok_or_else(|| {
        format!(
            "{vip}: no interface here has an address of its network: run the drill on a client host beside the pair, \
             or ask across routers (--by icmp, --by tcp)"
        )
    })?;
    let mac = link.mac.ok_or_else(|| format!("{} is no Ethernet interface", link.name))?;
    let request = Request::to_all(IfIndex(link.index), mac, own.ip(), vip);
    let request = request.ok_or_else(|| format!("{vip}: {} has no address of its family", link.name))?;
    Ok(Way::Segment(link.name.clone(), request))
}

/// True if a host with the address `own` reaches `vip` without a router.
fn serves(own: &IpNetwork, vip: IpAddr) -> bool {
    own.contains(vip) && own.ip() != vip && own.is_ipv4() == vip.is_ipv4()
}

async fn drill(args: &Args, mut drills: Vec<Drill>) -> Result<Vec<Drill>, String> {
    let per_second = drills.len() as f64 / args.interval.as_secs_f64();
    let on =
        drills.first().and_then(|drill| drill.way.interface()).map_or_else(String::new, |name| format!(" on {name}"));
    let mut kinds: Vec<_> = drills.iter().map(|drill| drill.way.name().to_uppercase()).collect();
    kinds.dedup();
    complain(&format!(
        "asking{on} for {} s: {per_second:.0} {} requests a second, {} at most; now make the failover",
        args.duration.as_secs_f64(),
        kinds.join(" and "),
        (per_second * args.duration.as_secs_f64()).round()
    ));
    let started = clock::now();
    for drill in &mut drills {
        drill.tally = Tally::new(started, args.interval);
    }
    let end = started + args.duration;
    match drills.first().map(|drill| &drill.way) {
        Some(Way::Routed(how)) => routed::ask(*how, args.interval, &mut drills, end).await?,
        _ => ask(args.interval, &mut drills, end).await?,
    }
    let now = clock::now();
    for drill in &mut drills {
        drill.both = drill.tally.finish(now);
    }
    Ok(drills)
}

/// When the questions are due: at a pace, until the drill is over.
struct Questions {
    ticks: Interval,
    end: Instant,
    interrupted: Pin<Box<dyn Future<Output = io::Result<()>>>>,
}

impl Questions {
    /// One that is late postpones the others.
    fn at_pace(every: Duration, end: Instant) -> Self {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, end, interrupted: Box::pin(tokio::signal::ctrl_c()) }
    }

    /// Waits for the next one. False if the time is over, or on Ctrl-C.
    async fn are_due(&mut self) -> bool {
        tokio::select! {
            _ = &mut self.interrupted => false,
            _ = self.ticks.tick() => clock::now() < self.end,
        }
    }
}

const fn interface_of(request: &Request) -> Option<IfIndex> {
    match *request {
        Request::Arp { interface, .. }
        | Request::Neighbour { interface, .. }
        | Request::Echo { interface, .. }
        | Request::OutputTest { interface, .. } => Some(interface),
        Request::Daemon { .. } => None,
    }
}

/// Asks for all addresses on their segment until `end`.
async fn ask(interval: Duration, drills: &mut [Drill], end: Instant) -> Result<(), String> {
    let requests: Vec<Request> = drills.iter().filter_map(|drill| drill.request()).collect();
    let prober = Prober::open().map_err(|error| format!("no probe can be sent: {error}"))?;
    let mut indices: Vec<IfIndex> = requests.iter().filter_map(interface_of).collect();
    indices.sort();
    indices.dedup();
    let [index] = indices.as_slice() else {
        return Err("these addresses are on several interfaces: start a drill for each".into());
    };
    let capture = Capture::open(*index).map_err(|error| format!("no packet socket opens: {error}"))?;
    let mut questions = Questions::at_pace(interval, end);
    loop {
        tokio::select! {
            due = questions.are_due() => {
                if !due {
                    return Ok(());
                }
                for (drill, request) in drills.iter_mut().zip(&requests) {
                    // What can't be sent is not answered, and so counts as lost: a cable that is out, say.
                    let _ = prober.send(request);
                    drill.tally.on_sent();
                }
            }
            readable = capture.readable() => {
                readable.map_err(|error| error.to_string())?;
                let read = capture.drain(TURN, |frame| {
                    let seen = dissect(frame.bytes, LinkLayer::Ethernet).seen;
                    for drill in &mut *drills {
                        if let Some(mac) = drill.answerer(&seen) {
                            drill.tally.on_answer(frame.at, Answerer::Mac(mac));
                        }
                    }
                });
                read.map_err(|error| format!("the answers can't be read: {error}"))?;
            }
        }
    }
}
