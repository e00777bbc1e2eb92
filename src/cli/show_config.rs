//! `vipwarden show-config`: the effective configuration, defaults marked, secrets masked.

use std::path::PathBuf;
use std::process::ExitCode;

use super::USAGE;
use super::check_config::print_all;
use super::terminal::say;
use crate::config::{self, Config};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to read, with `conf.d/*.toml` beside it [default: /etc/vipwarden/vipwarden.toml, or none where that is missing].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Prints: 0, or 64 if the configuration is not sound.
pub fn run(args: Args) -> ExitCode {
    match config::load_or_discover(args.config.as_deref()) {
        Ok(loaded) => {
            print_all("warning", &loaded.warnings);
            say(loaded.config.to_toml(&Config::discovery(&config::hostname())).trim_end());
            ExitCode::SUCCESS
        }
        Err(errors) => {
            print_all("error", &errors);
            USAGE.into()
        }
    }
}
