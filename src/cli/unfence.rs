//! `vipwarden unfence`: the daemon lets a fenced router take part again.

use std::path::Path;
use std::process::ExitCode;

use super::client;

/// What `unfence` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name, VIP or VRID of a virtual router that the daemon speaks for.
    router: String,
}

/// Lifts the fence. 1 if it is not fenced, or does not speak.
pub fn run(args: Args, control: &Path) -> ExitCode {
    client::tell(client::act(control, "unfence", &args.router, ""))
}
