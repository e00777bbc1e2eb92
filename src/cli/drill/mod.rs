//! `vipwarden drill`: a failover as a client sees it. Asks for each address every few milliseconds, and reports gaps and who answered.

mod report;
mod tally;

use std::net::IpAddr;
use std::process::ExitCode;

use pnet::datalink::NetworkInterface;
use pnet::ipnetwork::IpNetwork;
use tokio::time::{MissedTickBehavior, interval};

use super::terminal::complain;
use super::{CRITICAL, FAILED, USAGE};
use crate::observe::{IfIndex, Request};
use crate::sys::capture::Capture;
use crate::sys::clock;
use crate::sys::probe::Prober;
use crate::time::{Duration, Instant};
use crate::wire::{ArpOperation, LinkLayer, MacAddr, NeighbourKind, Seen, dissect};
use tally::Tally;

/// Faster asking tells nothing more, slower no drill needs; longer ones are a monitor's task.
const INTERVAL: std::ops::RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(1);
const DURATION_MAX: Duration = Duration::from_secs(3600);
const ADDRESSES_MAX: usize = 8;

/// Frames read in one go.
const TURN: usize = 64;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Virtual address to ask for; up to 8. This host has an address of the same network.
    #[arg(long = "vip", value_name = "IP", required = true)]
    vips: Vec<IpAddr>,
    /// Interface to ask on [default: the one whose network the address belongs to].
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
    } else if drills.iter().any(|drill| too_long(drill) || drill.tally.last_answerer().is_none()) {
        FAILED
    } else {
        0
    }
}

/// One address, and how it is asked for.
struct Drill {
    vip: IpAddr,
    interface: String,
    request: Request,
    tally: Tally,
    /// Who answered at the end, if two did.
    both: Option<(MacAddr, MacAddr)>,
}

impl Drill {
    /// Who answers for the address, if the frame is an answer.
    fn answerer(&self, seen: &Seen) -> Option<MacAddr> {
        match seen {
            Seen::Arp(arp) if arp.operation == ArpOperation::Reply && !arp.is_gratuitous() => {
                (IpAddr::V4(arp.sender_ip) == self.vip).then_some(arp.sender_mac)
            }
            Seen::Neighbour(said) if matches!(said.kind, NeighbourKind::Advertisement { .. }) => {
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
    let own = |link: &NetworkInterface| link.ips.iter().copied().find(|own| serves(own, vip));
    let mut fitting = links.iter().filter(|link| args.interface.as_ref().is_none_or(|name| link.name == *name));
    let found = fitting.find_map(|link| Some((link, own(link)?)));
    let (link, own) = found.ok_or_else(|| {
        format!(
            "{vip}: no interface here has an address of its network: run the drill on a client host beside the pair"
        )
    })?;
    if links.iter().any(|link| link.ips.iter().any(|ip| ip.ip() == vip)) {
        return Err(format!("{vip} is this host's own: run the drill on another host, as a client"));
    }
    let mac = link.mac.ok_or_else(|| format!("{} is no Ethernet interface", link.name))?;
    let interface = IfIndex(link.index);
    let request = match (vip, own.ip()) {
        (IpAddr::V4(target), IpAddr::V4(sender_ip)) => Request::Arp { interface, sender_mac: mac, sender_ip, target },
        (IpAddr::V6(target), IpAddr::V6(source)) => Request::Neighbour { interface, sender_mac: mac, source, target },
        _ => return Err(format!("{vip}: {} has no address of its family", link.name)),
    };
    let tally = Tally::new(clock::now(), args.interval);
    Ok(Drill { vip, interface: link.name.clone(), request, tally, both: None })
}

/// True if a host with the address `own` reaches `vip` without a router.
fn serves(own: &IpNetwork, vip: IpAddr) -> bool {
    own.contains(vip) && own.ip() != vip && own.is_ipv4() == vip.is_ipv4()
}

async fn drill(args: &Args, mut drills: Vec<Drill>) -> Result<Vec<Drill>, String> {
    let prober = Prober::open().map_err(|error| format!("no probe can be sent: {error}"))?;
    let mut indices: Vec<IfIndex> = drills.iter().map(|drill| interface_of(&drill.request)).collect();
    indices.sort();
    indices.dedup();
    let [index] = indices.as_slice() else {
        return Err("these addresses are on several interfaces: start a drill for each".into());
    };
    let capture = Capture::open(*index).map_err(|error| format!("{}: {error}", drills[0].interface))?;
    let per_second = drills.len() as f64 / args.interval.as_secs_f64();
    complain(&format!(
        "asking on {} for {} s: {per_second:.0} ARP or ND requests a second, {} at most; now make the failover",
        drills[0].interface,
        args.duration.as_secs_f64(),
        (per_second * args.duration.as_secs_f64()).round()
    ));
    let started = clock::now();
    for drill in &mut drills {
        drill.tally = Tally::new(started, args.interval);
    }
    ask(args, &prober, &capture, &mut drills, started + args.duration).await?;
    let now = clock::now();
    for drill in &mut drills {
        drill.both = drill.tally.finish(now);
    }
    Ok(drills)
}

const fn interface_of(request: &Request) -> IfIndex {
    match *request {
        Request::Arp { interface, .. }
        | Request::Neighbour { interface, .. }
        | Request::Echo { interface, .. }
        | Request::OutputTest { interface, .. } => interface,
    }
}

async fn ask(
    args: &Args,
    prober: &Prober,
    capture: &Capture,
    drills: &mut [Drill],
    end: Instant,
) -> Result<(), String> {
    let mut ticks = interval(args.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    loop {
        tokio::select! {
            _ = &mut interrupted => return Ok(()),
            _ = ticks.tick() => {
                if clock::now() >= end {
                    return Ok(());
                }
                for drill in &mut *drills {
                    // What can't be sent is not answered, and so counts as lost: a cable that is out, say.
                    let _ = prober.send(&drill.request);
                    drill.tally.on_sent();
                }
            }
            readable = capture.readable() => {
                readable.map_err(|error| error.to_string())?;
                let read = capture.drain(TURN, |frame| {
                    let seen = dissect(frame.bytes, LinkLayer::Ethernet).seen;
                    for drill in &mut *drills {
                        if let Some(mac) = drill.answerer(&seen) {
                            drill.tally.on_answer(frame.at, mac);
                        }
                    }
                });
                read.map_err(|error| format!("the answers can't be read: {error}"))?;
            }
        }
    }
}
