//! `vipwarden diff-config`: what a reload with another file would change.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use super::check_config::print_all;
use super::terminal::say;
use super::{FAILED, USAGE};
use crate::config::{self, Config};
use crate::engine;

/// What `diff-config` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The new file, with `conf.d/*.toml` beside it.
    file: PathBuf,
    /// The file that is in effect [default: /etc/vipwarden/vipwarden.toml, or none where that is missing].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Prints it: 0 if nothing would change, 1 if something would, 64 if one of the files is not sound.
pub fn run(args: &Args) -> ExitCode {
    let (old, new) = (config::load_or_discover(args.config.as_deref()), config::load(&args.file));
    match (old, new) {
        (Ok(old), Ok(new)) => {
            let said = text(&old.config, &new.config);
            say(if said.is_empty() { "a reload would change nothing" } else { said.trim_end() });
            if said.is_empty() { ExitCode::SUCCESS } else { FAILED.into() }
        }
        (old, new) => {
            for errors in [old.err(), new.err()].into_iter().flatten() {
                print_all("error", &errors);
            }
            USAGE.into()
        }
    }
}

/// The lines of the effective configuration that go (`-`) and come (`+`), below the section that they stand in; then what takes a
/// restart of a router, or of the daemon.
fn text(old: &Config, new: &Config) -> String {
    let defaults = Config::discovery(&config::hostname());
    let [was, is] = [old, new].map(|config| sections(&config.to_toml(&defaults)));
    let names: BTreeSet<&String> = was.iter().chain(&is).map(|(name, _)| name).collect();
    let mut text = String::new();
    for name in names {
        let lines = |of: &[(String, Vec<String>)]| {
            of.iter().find(|(known, _)| known == name).map_or_else(Vec::new, |(_, lines)| lines.clone())
        };
        let (before, after) = (lines(&was), lines(&is));
        let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}\n"));
        let come = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}\n"));
        let changes: String = gone.chain(come).collect();
        if !changes.is_empty() {
            text.push_str(&format!("{name}\n{changes}"));
        }
    }
    for line in engine::restarts(old, new) {
        text.push_str(&format!("{line}\n"));
    }
    text
}

/// The sections of a configuration's TOML; those of a list are told apart by their names.
fn sections(toml: &str) -> Vec<(String, Vec<String>)> {
    let mut sections: Vec<(String, Vec<String>)> = Vec::new();
    for line in toml.lines().filter(|line| !line.is_empty()) {
        match (line.starts_with('['), sections.last_mut()) {
            (false, Some((heading, lines))) => {
                if heading.starts_with("[[")
                    && heading.ends_with(']')
                    && let Some(name) = line.strip_prefix("name = ")
                {
                    heading.push_str(&format!(" {name}"));
                }
                lines.push(line.to_owned());
            }
            _ => sections.push((line.to_owned(), Vec::new())),
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("main.toml");
        std::fs::write(&path, text).expect("a file");
        config::load(&path).unwrap_or_else(|errors| panic!("{}", engine::describe(&errors))).config
    }

    #[test]
    fn what_changes_is_told_by_section_with_what_takes_a_restart() {
        let router = |vrid: u8, priority: u8| {
            format!(
                "[node]\nname = 'lb01'\n[[router]]\nname = 'web'\ninterface = 'eth0'\nvrid = {vrid}\nversion = 2\n\
                 addresses = ['10.0.0.3/24']\nmode = 'speak'\npriority = {priority}\n"
            )
        };
        let old = config(&router(51, 100));
        assert_eq!(text(&old, &old), "");
        let said = text(&old, &config(&router(51, 90)));
        assert!(said.contains("[[router]] \"web\"\n") && said.contains("\n+ priority = 90"), "{said}");
        assert!(!said.contains("anew"), "a priority is taken on the run: {said}");
        let said = text(&old, &config(&format!("[web]\nlisten = ['127.0.0.1:1']\n{}", router(52, 100))));
        assert!(said.contains("web starts anew, for its vrid changed\n"), "{said}");
        assert!(said.contains("[web] listen changed: that takes a restart"), "{said}");
    }
}
