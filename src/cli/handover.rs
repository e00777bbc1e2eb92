//! `vipwarden handover`: the daemon gives mastership of a router away, in order.

use std::path::Path;
use std::process::ExitCode;

use super::client;

/// What `handover` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name, VIP or VRID of a virtual router that the daemon speaks for.
    router: String,
}

/// Gives mastership away once. 1 if it is not master, or does not speak.
pub fn run(args: Args, control: &Path) -> ExitCode {
    client::tell(client::act(control, "handover", &args.router, ""))
}
