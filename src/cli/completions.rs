//! `vipwarden completions`: what a shell wants to know.

use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use super::Cli;
use super::terminal::say;

/// What `completions` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which shell.
    shell: Shell,
}

/// Prints them.
pub fn run(args: &Args) -> ExitCode {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "vipwarden", &mut script);
    say(String::from_utf8_lossy(&script).trim_end());
    ExitCode::SUCCESS
}
