//! `vipwarden run`: The daemon.

use std::path::Path;
use std::process::ExitCode;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(_args: Args, _control: &Path) -> ExitCode {
    ExitCode::SUCCESS
}
