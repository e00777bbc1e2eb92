//! `vipwarden simulate`: what if, without touching anything; and the many worlds in which the rules are tried.

mod campaign;
mod fault;
mod node;
mod story;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::fence::Policy;
use crate::sim::{self, Hazards, MAX_NODES, Rules, Spec, Weather, worlds};
use crate::time::Duration;
use crate::wire::pcap::write;

use super::terminal::{complain, plain};

/// From when on the frames of a written capture are dated: 2001-09-09, so that nobody takes them for real ones.
const EPOCH_NANOS: u64 = 1_000_000_000_000_000_000;

const EXAMPLES: &str = "\
Examples:
  vipwarden simulate                                          two nodes from cold, 30 s
  vipwarden simulate --advert-interval 100ms --fault 'sigstop lb01 at 2s for 3s' --for 8s
  vipwarden simulate --advert-interval 100ms --fault 'sigstop lb01 at 2s for 3s' --for 8s --gate off
  vipwarden simulate --node lb01:150 --node lb02:100 --fault 'partition lb01 at 10s for 20s'
  vipwarden simulate --arbiter on --fault 'partition lb01 at 10s for 20s'
  vipwarden simulate --arbiter on --unreachable hold-if-unanimous --fault 'arbiter-down at 10s for 10s'
  vipwarden simulate --seeds 0..100000 --world election       worlds full of faults, and the rules they broke
  vipwarden simulate --seed 4711 --world election             one of them, told step by step

Faults, each with a time and most with `for HOW LONG` (for ever without):
  sigstop, sigkill, sigterm, power, cable NODE    input-drop, output-drop, ingress-drop NODE
  partition NODE[,NODE...]                        one-way NODE to NODE
  loss PERCENT%, delay TIME                       netlink-slow NODE TIME, netlink-broken NODE
  delete-address, add-address, handover NODE      priority NODE WORTH
  arbiter-stalls, arbiter-down, arbiter-forgets   arbiter-cut, channel-cut NODE
  isolate NODE (from all others and the witness)";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// How many nodes: lb01 with priority 200, lb02 with 190, and so on.
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u8).range(2..=MAX_NODES as i64), conflicts_with = "node")]
    nodes: u8,
    /// A node by name and priority, instead of --nodes; once for each.
    #[arg(long, value_name = "NAME:PRIORITY", value_parser = node::parse)]
    node: Vec<node::Named>,
    /// Between two adverts: 10ms to 40s.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = node::interval)]
    advert_interval: Duration,
    /// Whether a better priority takes over from a lower one that works.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    preempt: bool,
    /// The kernel gate, which makes a dead or frozen node answer for the address no more.
    #[arg(long, value_name = "ON|OFF", default_value = "on")]
    gate: Switch,
    /// Whether a backup asks the host of a silent master before it takes the address.
    #[arg(long, value_name = "ON|OFF", default_value = "on")]
    probe: Switch,
    /// An arbiter: a node is master only with a lease, and two holders are impossible.
    #[arg(long, value_name = "ON|OFF", default_value = "off")]
    arbiter: Switch,
    /// The wait of the arbiter's lease, 2s or more.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = node::wait)]
    wait: Duration,
    /// What a holder does that does not reach the arbiter.
    #[arg(long, value_name = "POLICY", default_value = "drop")]
    unreachable: Unreachable,
    /// Nodes tell each other over a second channel what they hold.
    #[arg(long, value_name = "ON|OFF", default_value = "off")]
    second_channel: Switch,
    /// Adverts after which a master yields to a lower one that does not hear it; 0 is never, and fewer than 3 are 3.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    informed_yield: u32,
    /// A witness on the wire: a node drops the addresses when neither it nor any other node has answered for so long.
    #[arg(long, value_name = "TIME", value_parser = node::duration)]
    isolation: Option<Duration>,
    /// How long to look.
    #[arg(long = "for", value_name = "TIME", default_value = "30s", value_parser = node::length)]
    length: Duration,
    /// What goes wrong and when, like 'sigstop lb01 at 2s for 3s'; may be given several times. See below.
    #[arg(long, value_name = "WHAT", value_parser = fault::parse)]
    fault: Vec<fault::Told>,
    /// Seed of all chance, like delays on the wire.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Tell what the nodes' own watchers say, too.
    #[arg(long)]
    watch: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Write every frame to a capture file.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Run the worlds of these seeds, and report the rules that they broke.
    #[arg(long, value_name = "FROM..TO", value_parser = campaign::range, conflicts_with_all = ["seed", "fault", "node", "pcap"])]
    seeds: Option<std::ops::Range<u64>>,
    /// Which kind of random world: election, watch, faultless, lease, second or council. With --seed, one of them is told step by step.
    #[arg(long, value_name = "KIND", value_parser = campaign::theme)]
    world: Option<worlds::Theme>,
    /// Worlds at a time; default: one for each processor.
    #[arg(long, value_name = "COUNT", requires = "seeds")]
    threads: Option<usize>,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    On,
    Off,
}

/// What is done while an arbiter can't be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Unreachable {
    /// The addresses go when the lease ends.
    Drop,
    /// They stay while every peer promises not to take them.
    HoldIfUnanimous,
}

/// Runs it: 2 if two answered for longer than an election takes, if nobody does at the end, or if a rule was broken; 64 for a
/// world that can't be.
pub fn run(args: &Args) -> ExitCode {
    if let Some(seeds) = &args.seeds {
        return campaign::run(seeds.clone(), args.world, args.threads, args.json);
    }
    let spec = match (args.world, args.seed) {
        (Some(theme), seed) => worlds::random(theme, seed.unwrap_or_default()),
        (None, _) => match build(args) {
            Ok(spec) => spec,
            Err(why) => {
                complain(&plain(&format!("vipwarden simulate: {why}"), false));
                return super::USAGE.into();
            }
        },
    };
    let told = story::Told::of(&spec);
    let report = sim::run(spec, true);
    if let Some(path) = &args.pcap {
        let frames = report.frames().map(|(at, bytes)| (EPOCH_NANOS + at.as_nanos() as u64, bytes));
        if let Err(error) = fs::write(path, write::file(frames)) {
            complain(&plain(&format!("{}: {error}", path.display()), false));
            return super::FAILED.into();
        }
    }
    story::print(&told, &report, args.json);
    story::exit_code(&told, &report).into()
}

/// The world that was asked for.
///
/// # Errors
/// In words: what of it can't be.
fn build(args: &Args) -> Result<Spec, String> {
    let nodes = if args.node.is_empty() { node::count(args.nodes) } else { args.node.clone() };
    node::check(&nodes)?;
    if args.arbiter == Switch::On && args.gate == Switch::Off {
        return Err("an arbiter's lease is held by the kernel gate: leave --gate on".into());
    }
    let unanimous = args.unreachable == Unreachable::HoldIfUnanimous;
    if unanimous && args.arbiter == Switch::Off {
        return Err("without an arbiter there is nothing to be promised: add --arbiter on".into());
    }
    let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    let mut faults = Vec::new();
    for told in &args.fault {
        faults.extend(told.resolve(&names, args.length)?);
    }
    let calm = faults.iter().map(|mishap| mishap.lasts.map_or(args.length, |lasts| mishap.at + lasts)).max();
    Ok(Spec {
        seed: args.seed.unwrap_or_default(),
        nodes: nodes
            .iter()
            .map(|node| node.spec(args.advert_interval, args.preempt, args.probe == Switch::On))
            .collect(),
        weather: Weather::CLEAR,
        gate: args.gate == Switch::On,
        arbiter: (args.arbiter == Switch::On).then_some(args.wait),
        reports: unanimous || args.second_channel == Switch::On || args.isolation.is_some(),
        witness: args.isolation.is_some(),
        unanimous,
        watch: args.watch,
        policy: Policy {
            informed_yield: args.informed_yield,
            on_isolation: args.isolation.is_some(),
            isolation_time: args.isolation.unwrap_or_default(),
            ..Policy::default()
        },
        length: args.length,
        calm_from: calm.unwrap_or_default(),
        faults,
        hazards: Hazards::NONE,
        rules: Rules::ALL,
    })
}
