//! `vipwarden forget`: the daemon drops a router that it learned.

use std::path::Path;
use std::process::ExitCode;

use super::client;

/// What `forget` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name, VIP or VRID of a learned virtual router.
    router: String,
}

/// Asks for it. 1 if there is none such, or if it is configured.
pub fn run(args: Args, control: &Path) -> ExitCode {
    client::tell(client::act(control, "forget", &args.router, ""))
}
