//! `vipwarden clean-up`: removes what a killed daemon that spoke has left on this host. Addresses first, the gate last: no address
//! answers for a moment that is not this host's to have.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::terminal::{complain, say};
use super::{FAILED, USAGE};
use crate::config::{self, Config, DEFAULT_PATH, Router};
use crate::observe::IfIndex;
use crate::sys::address::Addresses;
use crate::sys::nft::gate;
use crate::sys::vmac::Vmacs;
use crate::sys::{accept, interface};
use crate::vrrp::OWNER;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration of the daemon that is gone.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
}

/// Cleans up: 0 if nothing is left, 1 if something could not be removed or the daemon runs, 64 for a bad configuration.
pub fn run(args: &Args, control: &Path) -> ExitCode {
    if UnixStream::connect(control).is_ok() {
        complain(&format!("{}: a daemon runs, and these are its addresses: stop it first", control.display()));
        return FAILED.into();
    }
    let loaded = match config::load(&args.config) {
        Ok(loaded) => loaded,
        Err(errors) => {
            super::check_config::print_all("error", &errors);
            return USAGE.into();
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let failures = match runtime {
        Ok(runtime) => runtime.block_on(clean(&loaded.config)),
        Err(error) => vec![error.to_string()],
    };
    failures.iter().for_each(|failure| complain(failure));
    match failures.is_empty() {
        true => say("nothing of an earlier life is left"),
        false => return FAILED.into(),
    }
    ExitCode::SUCCESS
}

/// Tries everything, and says what failed.
async fn clean(config: &Config) -> Vec<String> {
    let mut failures = Vec::new();
    for router in &config.routers {
        // An interface that is gone has taken everything with it.
        if let (true, Ok(index)) = (router.speak.is_some(), interface::index(&router.interface)) {
            failures.extend(leave(router, index).await);
        }
    }
    match accept::take_all().await {
        Ok(()) | Err(accept::AcceptError::Missing) => {}
        Err(error) => failures.push(error.to_string()),
    }
    if failures.is_empty()
        && let Err(error) = gate::remove_leftovers()
    {
        failures.push(format!("the kernel gate can't be removed: {error}"));
    }
    failures
}

async fn leave(router: &Router, index: IfIndex) -> Vec<String> {
    let mut failures = Vec::new();
    let held: Vec<_> = router.addresses.iter().chain(&router.excluded_addresses).copied().collect();
    if router.speak.as_ref().is_some_and(|speak| speak.priority != OWNER) {
        match Addresses::open() {
            Ok(addresses) => failures.extend(addresses.release(index, &held).await.err().map(|e| e.to_string())),
            Err(error) => failures.push(error.to_string()),
        }
    }
    if router.speak.as_ref().is_some_and(|speak| speak.vmac) {
        failures.extend(leave_vmac(router, index).await.err());
    }
    failures
}

/// Making the macvlan removes the one of an earlier life, with its addresses, and puts back the host's settings.
async fn leave_vmac(router: &Router, index: IfIndex) -> Result<(), String> {
    let mut vmacs = Vmacs::open().map_err(|error| error.to_string())?;
    let vmac = vmacs.create(index, router.family, router.vrid).await.map_err(|error| error.to_string())?;
    vmacs.remove(vmac).await.map_err(|error| error.to_string())
}
