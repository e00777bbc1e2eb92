//! `vipwarden forget`: the daemon drops a router that it learned.

use std::path::Path;
use std::process::ExitCode;

use super::client;
use super::select::select;

/// What `forget` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name, VIP or VRID of a learned virtual router.
    router: String,
}

/// Asks for it. 1 if there is none such, or if it is configured.
pub fn run(args: Args, control: &Path) -> ExitCode {
    let name = client::status(control).and_then(|document| Ok(select(&document, &args.router)?.name.clone()));
    client::tell(
        name.and_then(|name| client::post(control, &format!("/control/forget?router={}", client::quote(&name)))),
    )
}
