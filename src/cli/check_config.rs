//! `vipwarden check-config`: parses and validates, opens nothing.

use std::path::PathBuf;
use std::process::ExitCode;

use super::USAGE;
use super::terminal::{complain, say};
use crate::config::{self, DEFAULT_PATH, Diagnostic, Loaded};
use crate::web::Guard;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to check, with `conf.d/*.toml` beside it.
    #[arg(value_name = "FILE", default_value = DEFAULT_PATH)]
    file: PathBuf,
}

/// Checks: 0 if the file is sound, perhaps with warnings; 64 if not.
pub fn run(args: Args) -> ExitCode {
    match config::load(&args.file) {
        Ok(loaded) => {
            print_all("warning", &loaded.warnings);
            if let Err(why) = Guard::load(loaded.config.web.config_file.as_deref()) {
                complain(&format!("error: {why}"));
                return USAGE.into();
            }
            say(&format!("OK: {}: {}", args.file.display(), summary(&loaded)));
            ExitCode::SUCCESS
        }
        Err(errors) => {
            print_all("error", &errors);
            complain(&format!("{}: {}", args.file.display(), count(errors.len(), "error")));
            USAGE.into()
        }
    }
}

/// Prints diagnostics to stderr, each with what it is.
pub(super) fn print_all(kind: &str, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        complain(&format!("{kind}: {diagnostic}"));
    }
}

fn summary(loaded: &Loaded) -> String {
    let Loaded { config, warnings, .. } = loaded;
    let discovering = if config.watch.discover { ", and what is discovered" } else { "" };
    let counts = [
        count(config.routers.len(), "router"),
        count(config.peers.len(), "peer"),
        count(config.witnesses.len(), "witness"),
        count(warnings.len(), "warning"),
    ];
    format!("{}{discovering}", counts.join(", "))
}

fn count(n: usize, what: &str) -> String {
    let ending = match (n, what.ends_with('s')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{n} {what}{ending}")
}
