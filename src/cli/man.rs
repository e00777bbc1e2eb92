//! `vipwarden man`: the manual, made from what `--help` says.

use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_mangen::Man;

use super::terminal::{complain, say};
use super::{Cli, FAILED, USAGE};

/// What `man` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The subcommand that is to be described; all of them briefly without.
    command: Option<String>,
}

/// Prints it in roff: `vipwarden man | man -l -`.
pub fn run(args: &Args) -> ExitCode {
    let mut all = Cli::command();
    all.build();
    let command = match &args.command {
        None => Some(all),
        Some(name) => all.find_subcommand(name).map(|found| found.clone().display_name(format!("vipwarden-{name}"))),
    };
    let Some(command) = command else {
        complain("there is no such subcommand: see vipwarden --help");
        return USAGE.into();
    };
    let mut page = Vec::new();
    if let Err(error) = Man::new(command).render(&mut page) {
        complain(&error.to_string());
        return FAILED.into();
    }
    say(String::from_utf8_lossy(&page).trim_end());
    ExitCode::SUCCESS
}
