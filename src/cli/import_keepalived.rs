//! `vipwarden import-keepalived`: keepalived.conf in, vipwarden.toml out.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use super::terminal::{complain, plain, say};
use super::{FAILED, USAGE};
use crate::config::keepalived::{self, Kind, Note};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The keepalived.conf; what it includes is read too.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Stand beside keepalived and watch, or take its place and speak.
    #[arg(long, value_enum, default_value_t = Mode::Watch)]
    mode: Mode,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    Watch,
    Speak,
}

/// The user as whom keepalived runs scripts if there is one of this name.
const SCRIPT_USER: &str = "keepalived_script";

/// Prints the TOML: 0 if all was clear and nothing is lost, 1 if there is something to read on stderr, 64 if the file can't be
/// read.
pub fn run(args: Args) -> ExitCode {
    let conf = match keepalived::load(&args.file) {
        Ok(conf) => conf,
        Err(why) => {
            complain(&why);
            return USAGE.into();
        }
    };
    let mode = match args.mode {
        Mode::Watch => keepalived::Mode::Watch,
        Mode::Speak => keepalived::Mode::Speak,
    };
    let (toml, notes) = keepalived::import(&conf, mode, script_user());
    say(toml.trim_end());
    for note in &notes {
        complain(&plain(&note.to_string(), false));
    }
    let lost = count(&notes, Kind::Lost);
    let mistakes = count(&notes, Kind::Mistake);
    let routers = conf.instances.len();
    complain(&format!(
        "{}: {routers} vrrp_instance{}, {mistakes} mistake{}, {lost} not carried over. Next: vipwarden check-config FILE",
        args.file.display(),
        plural(routers),
        plural(mistakes)
    ));
    if lost + mistakes == 0 { ExitCode::SUCCESS } else { FAILED.into() }
}

fn count(notes: &[Note], kind: Kind) -> usize {
    notes.iter().filter(|note| note.kind == kind).count()
}

const fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

fn script_user() -> &'static str {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let exists = users.lines().any(|line| line.split(':').next() == Some(SCRIPT_USER));
    if exists { SCRIPT_USER } else { "root" }
}
