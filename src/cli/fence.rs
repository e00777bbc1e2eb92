//! `vipwarden fence`: the daemon drops a router's addresses and stays out, over restarts too.

use std::path::Path;
use std::process::ExitCode;

use super::client;

/// What `fence` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name, VIP or VRID of a virtual router that the daemon speaks for.
    router: String,
    /// Even if nobody is known to take over.
    #[arg(long)]
    force: bool,
}

/// Fences it. 1 if nobody could take over, or if it does not speak.
pub fn run(args: Args, control: &Path) -> ExitCode {
    client::tell(client::act(control, "fence", &args.router, if args.force { "&force=true" } else { "" }))
}
