//! `vipwarden status`: The daemon's view as a monitoring plugin shows it.

use std::path::Path;
use std::process::ExitCode;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(_args: Args, _control: &Path) -> ExitCode {
    ExitCode::SUCCESS
}
