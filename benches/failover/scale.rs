//! As many virtual routers as one interface can have, in one process: how many the right node holds, and what that costs.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use vipwarden::cli::demo::daemon::Daemon;
use vipwarden::cli::demo::lab::{INTERFACE, Lab, Node};
use vipwarden::cli::demo::process::Process;
use vipwarden::sys::clock;

use super::pair::Kind;

const COUNT: usize = 255;
/// From the start of the second daemon on: then it is counted who holds what.
const SETTLE: Duration = Duration::from_secs(6);
/// How long a steady state is measured.
const SPAN: Duration = Duration::from_secs(10);
/// Of a second, as `/proc` counts processor time.
const TICKS: f64 = 100.0;

/// What runs on one host; it ends when this is dropped.
enum Running {
    Vipwarden(#[expect(dead_code, reason = "held for its end")] Daemon),
    Keepalived(#[expect(dead_code, reason = "held for its end")] Process),
}

/// Starts a pair, the better node last, and answers what became of it, in words.
pub fn measure(kind: Kind, interval: Duration) -> String {
    let lab = Lab::new(&["a", "b"]).expect("the laboratory is made (needs root)");
    let (a, b) = (lab.node("a"), lab.node("b"));
    let _worse = start(kind, b, interval, 100);
    let _better = start(kind, a, interval, 200);
    thread::sleep(SETTLE);
    let [right, wrong] = [a, b].map(held);
    let costs = [a, b].map(|node| {
        let (before, began) = (ticks(node), clock::now());
        thread::sleep(SPAN);
        let share = (ticks(node) - before) / TICKS / clock::now().since(began).as_secs_f64();
        format!("{:.1} % of a core, {:.1} MiB", share * 100.0, memory(node))
    });
    format!("held {right} and {wrong} of {COUNT}; master {}; backup {}", costs[0], costs[1])
}

fn start(kind: Kind, node: &Node, interval: Duration, priority: u8) -> Running {
    match kind {
        Kind::Vipwarden => {
            let program = Path::new(env!("CARGO_BIN_EXE_vipwarden"));
            Running::Vipwarden(Daemon::start(node, program, &sections(interval, priority)).expect("vipwarden starts"))
        }
        Kind::Keepalived => Running::Keepalived(keepalived(node, interval, priority)),
    }
}

fn sections(interval: Duration, priority: u8) -> String {
    (1..=COUNT).fold(String::new(), |mut text, vrid| {
        // Writing to a String never fails.
        let _ = write!(
            text,
            "[[router]]\nname = \"r{vrid}\"\nmode = \"speak\"\ninterface = \"{INTERFACE}\"\nvrid = {vrid}\nversion = 3\n\
             advert_interval = \"{interval:?}\"\npriority = {priority}\naddresses = [\"10.9.10.{vrid}\"]\n"
        );
        text
    })
}

fn keepalived(node: &Node, interval: Duration, priority: u8) -> Process {
    let mut conf = "global_defs {\n  vrrp_version 3\n}\n".to_owned();
    for vrid in 1..=COUNT {
        let _ = write!(
            conf,
            "vrrp_instance r{vrid} {{\n  state BACKUP\n  interface {INTERFACE}\n  virtual_router_id {vrid}\n  \
             priority {priority}\n  advert_int {}\n  virtual_ipaddress {{\n    10.9.10.{vrid}/32\n  }}\n}}\n",
            interval.as_secs_f64()
        );
    }
    let path = |name: &str| -> PathBuf { node.scratch().expect("a scratch directory").join(name) };
    std::fs::write(path("keepalived.conf"), conf).expect("the file is written");
    let mut command = node.command("keepalived");
    command.args(["--dont-fork", "--log-console", "--no-syslog", "--vrrp", "--use-file"]).arg(path("keepalived.conf"));
    command.arg("--pid").arg(path("keepalived.pid")).arg("--vrrp_pid").arg(path("vrrp.pid"));
    Process::spawn(node, "keepalived", command).expect("keepalived starts")
}

fn held(node: &Node) -> usize {
    node.exec("ip -o -4 addr show up").expect("ip lists addresses").matches(" 10.9.10.").count()
}

/// Every process on a host: keepalived is two.
fn processes(node: &Node, file: &str) -> Vec<String> {
    let output = std::process::Command::new("ip").args(["netns", "pids", node.namespace()]).output();
    let pids = String::from_utf8(output.expect("iproute2 is installed").stdout).expect("numbers");
    pids.lines().filter_map(|pid| std::fs::read_to_string(format!("/proc/{}/{file}", pid.trim())).ok()).collect()
}

/// Processor time in user and in kernel mode, in ticks.
fn ticks(node: &Node) -> f64 {
    let times = |stat: &String| {
        let fields: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<f64>().ok()).sum::<f64>()
    };
    processes(node, "stat").iter().map(times).sum()
}

/// Resident, in MiB.
fn memory(node: &Node) -> f64 {
    let resident = |status: &String| {
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default() / 1024.0
    };
    processes(node, "status").iter().map(resident).sum()
}
