//! `vipwarden forget`: the daemon drops a router that it learned.

use std::path::Path;
use std::process::ExitCode;

use super::client;
use super::select::select;
use crate::web::words::quote;

/// What `forget` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name, VIP or VRID of a learned virtual router. Where several are meant: with @eth0 behind it, or @eth0/100 on VLAN 100.
    router: String,
}

/// Asks for it. 1 if there is none such, or if it is configured.
pub fn run(args: Args, control: &Path) -> ExitCode {
    client::tell(forget(&args.router, control))
}

fn forget(wanted: &str, control: &Path) -> Result<String, String> {
    let document = client::status(control)?;
    let router = select(&document, wanted)?;
    let vlan = router.vlan.map_or_else(String::new, |vlan| format!("&vlan={vlan}"));
    let (interface, family, vrid) = (quote(&router.interface), &router.family, router.vrid);
    let path = format!("/control/forget?interface={interface}&family={family}&vrid={vrid}{vlan}");
    let become_of_it = |words: String| format!("{}: {words}", router.name);
    client::post(control, &path).map(become_of_it).map_err(become_of_it)
}
