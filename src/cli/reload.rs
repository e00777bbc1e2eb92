//! `vipwarden reload`: the daemon reads its configuration again, and says what became of it.

use std::path::Path;
use std::process::ExitCode;

use super::client;

/// What `reload` takes.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Asks for it. 1 if the configuration is refused; the running one stays then.
pub fn run(_args: Args, control: &Path) -> ExitCode {
    client::tell(client::post(control, "/control/reload"))
}
