//! The command line: one file a subcommand.
//!
//! Exit codes, everywhere: 0 fine, 1 failed or degraded, 2 critical finding, 3 unknown (`status` alone), 64 usage.

mod analyze;
mod capture_file;
mod check_config;
mod clean_up;
mod client;
mod completions;
mod control;
mod decode;
pub mod demo;
mod diff_config;
mod doctor;
mod drill;
mod events;
mod explain;
mod fence;
mod forget;
mod handover;
mod import_keepalived;
mod line;
mod listen;
mod logging;
mod man;
mod reload;
mod run;
mod select;
mod show_config;
mod simulate;
mod sniff;
mod status;
mod terminal;
mod top;
mod unfence;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

/// Something failed, or a warning.
pub const FAILED: u8 = 1;
/// A critical finding: a split brain, or nobody serves.
pub const CRITICAL: u8 = 2;
/// Nothing can be said (`status` alone).
pub const UNKNOWN: u8 = 3;
/// A usage or configuration error (`EX_USAGE`).
pub const USAGE: u8 = 64;

/// Watches VRRP on a segment and says, for every virtual IP, who holds it, whether that is one node only, and if not, why.
#[derive(Debug, Parser)]
#[command(name = "vipwarden", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(flatten, next_help_heading = "Everywhere")]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options that every subcommand takes.
#[derive(Debug, clap::Args)]
struct Global {
    #[command(flatten)]
    logging: logging::Args,
    /// Control socket of the daemon.
    #[arg(long, global = true, value_name = "PATH", default_value = "/run/vipwarden/control.sock")]
    control: PathBuf,
}

// In the order of the help: the daemon, its readers, the operator's hand, then what needs no daemon.
#[derive(Debug, Subcommand)]
enum Command {
    /// Watch, and serve metrics, JSON and a status page.
    Run(run::Args),
    /// The running daemon's view, as a monitoring plugin: 0 healthy, 1 degraded, 2 split brain or no master, 3 unknown.
    Status(status::Args),
    /// Verdict, holders, cause and what to do about it, for one virtual router.
    Explain(explain::Args),
    /// What happened.
    Events(events::Args),
    /// All virtual routers, worst first, kept fresh on the whole screen.
    Top(top::Args),
    /// Have the daemon read its configuration again.
    Reload(reload::Args),
    /// Have the daemon give mastership of a router away, in order.
    Handover(handover::Args),
    /// Have the daemon drop a router's addresses and stay out, over restarts too.
    Fence(fence::Args),
    /// Have the daemon take part again for a fenced router.
    Unfence(unfence::Args),
    /// Have the daemon drop a learned router.
    Forget(forget::Args),
    /// Remove what a killed daemon that spoke has left behind: addresses first, the kernel gate last (systemd's ExecStopPost).
    CleanUp(clean_up::Args),
    /// Parse and validate a configuration: every error, with file, line and column.
    CheckConfig(check_config::Args),
    /// The effective configuration: defaults marked, secrets masked.
    ShowConfig(show_config::Args),
    /// What a reload with another file would change, and which routers would start anew.
    DiffConfig(diff_config::Args),
    /// Print vipwarden TOML for a keepalived.conf, and name its mistakes and what can't be carried over.
    ImportKeepalived(import_keepalived::Args),
    /// Judge capture files: 2 if a split brain is in them.
    Analyze(analyze::Args),
    /// Check this host: each finding with why it matters and the command that mends it.
    Doctor(doctor::Args),
    /// A failover drill from a client's side: every gap, who answered before and after, how long both did.
    Drill(drill::Args),
    /// Print a capture file as one line an advert.
    Decode(decode::Args),
    /// Print the wire as one line an advert.
    Sniff(sniff::Args),
    /// What if: nodes, timers and faults in, who answers for the address when out. Nothing is sent, nothing is changed.
    Simulate(simulate::Args),
    /// A two-node laboratory on this host with real traffic: healthy, failover, split brain, healing, told step by step.
    Demo(demo::Args),
    /// Print what makes a shell complete this command's words.
    Completions(completions::Args),
    /// Print the manual page of this command, or of one of its subcommands.
    Man(man::Args),
}

impl Command {
    fn run(self, global: &Global) -> ExitCode {
        match self {
            Self::Run(args) => run::run(args, &global.control),
            Self::Status(args) => status::run(args, &global.control),
            Self::Explain(args) => explain::run(args, &global.control),
            Self::Events(args) => events::run(args, &global.control),
            Self::Top(args) => top::run(&args, &global.control),
            Self::Reload(args) => reload::run(args, &global.control),
            Self::Handover(args) => handover::run(args, &global.control),
            Self::Fence(args) => fence::run(args, &global.control),
            Self::Unfence(args) => unfence::run(args, &global.control),
            Self::Forget(args) => forget::run(args, &global.control),
            Self::CleanUp(args) => clean_up::run(&args, &global.control),
            Self::CheckConfig(args) => check_config::run(args),
            Self::ShowConfig(args) => show_config::run(args),
            Self::DiffConfig(args) => diff_config::run(&args),
            Self::ImportKeepalived(args) => import_keepalived::run(args),
            Self::Analyze(args) => analyze::run(args),
            Self::Doctor(args) => doctor::run(&args),
            Self::Drill(args) => drill::run(&args),
            Self::Decode(args) => decode::run(args),
            Self::Sniff(args) => sniff::run(args),
            Self::Simulate(args) => simulate::run(&args),
            Self::Demo(args) => demo::run(&args),
            Self::Completions(args) => completions::run(&args),
            Self::Man(args) => man::run(&args),
        }
    }
}

/// Parses the arguments and runs the subcommand.
pub fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => {
            let _log = logging::init(&cli.global.logging, matches!(cli.command, Command::Run(_)));
            cli.command.run(&cli.global)
        }
        Err(error) => {
            // Nothing is left to be done if even the terminal refuses the message.
            let _ = error.print();
            match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ if asked_for_status() => UNKNOWN.into(),
                _ => USAGE.into(),
            }
        }
    }
}

/// A typo in a monitoring check must be "unknown", never an alarm.
fn asked_for_status() -> bool {
    let lenient = Cli::command().ignore_errors(true).try_get_matches();
    lenient.is_ok_and(|matches| matches.subcommand_name() == Some("status"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
