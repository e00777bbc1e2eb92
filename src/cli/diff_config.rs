//! `vipwarden diff-config`: what a reload with another file would change.

use std::collections::{BTreeMap, BTreeSet};
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

/// How the effective configuration marks what nobody wrote.
const DEFAULT: &str = "  # default";

/// The lines of the effective configuration that go (`-`) and come (`+`), below the section that they stand in; then what takes a
/// restart of a router, or of the daemon.
fn text(old: &Config, new: &Config) -> String {
    let defaults = Config::discovery(&config::hostname());
    let [was, is] = [old, new].map(|config| sections(&config.to_toml(&defaults)));
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let mut text = String::new();
    for name in names {
        let (before, after) = (was.get(name), is.get(name));
        let what = match (before, after) {
            (None, _) => " (new)",
            (_, None) => " (gone)",
            _ => "",
        };
        let [before, after] = [before, after].map(|lines| lines.map_or(&[][..], Vec::as_slice));
        let gone = only_in(before, after).map(|line| format!("- {line}\n"));
        let come = only_in(after, before).map(|line| format!("+ {line}\n"));
        let changes: String = gone.chain(come).collect();
        if !changes.is_empty() {
            text.push_str(&format!("{name}{what}\n{changes}"));
        }
    }
    if text.is_empty() && old != new {
        text.push_str("what is not shown here changed: a password, a key, or the order of the sections\n");
    }
    for line in engine::restarts(old, new) {
        text.push_str(&format!("{line}\n"));
    }
    text
}

/// What `others` lack of `lines`. A default that nobody wrote is told only where it stands against a value.
fn only_in<'a>(lines: &'a [String], others: &'a [String]) -> impl Iterator<Item = &'a String> {
    let setting = |line: &'a str| line.strip_suffix(DEFAULT).unwrap_or(line);
    let key = |line: &'a str| line.split_once(" = ").map(|(key, _)| key);
    lines.iter().filter(move |line| {
        let is_told = !line.ends_with(DEFAULT) || others.iter().any(|other| key(other) == key(line));
        is_told && !others.iter().any(|other| setting(other) == setting(line))
    })
}

/// The sections of a configuration's TOML. Those of a list are told apart by their names, and so is what belongs to one of them.
fn sections(toml: &str) -> BTreeMap<String, Vec<String>> {
    let mut sections = BTreeMap::new();
    let (mut list, mut owner, mut heading) = (String::new(), String::new(), String::new());
    for line in toml.lines().filter(|line| !line.is_empty()) {
        if line.starts_with("[[") {
            (list, owner) = (line.trim_matches(['[', ']']).into(), String::new());
            heading = line.into();
        } else if line.starts_with('[') {
            let is_part = line
                .strip_prefix('[')
                .and_then(|line| line.strip_prefix(&list))
                .is_some_and(|rest| rest.starts_with('.'));
            heading = if is_part { format!("{line} of {owner}") } else { line.into() };
        } else {
            if let (true, Some(name)) = (heading.starts_with("[[") && owner.is_empty(), line.strip_prefix("name = ")) {
                owner = name.into();
                heading = format!("{heading} {name}");
            }
            sections.entry(heading.clone()).or_insert_with(Vec::new).push(line.to_owned());
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
    #[test]
    fn what_belongs_to_a_router_is_told_with_its_name_and_defaults_are_not_told() {
        let router = |name: &str, vrid: u8, hold_down: &str| {
            format!(
                "[[router]]\nname = '{name}'\ninterface = 'eth0'\nvrid = {vrid}\nversion = 2\n\
                 addresses = ['10.0.0.{vrid}/24']\nmode = 'speak'\n[router.fence]\nhold_down = '{hold_down}'\n"
            )
        };
        let two = |hold_down: &str| format!("{}{}", router("web", 51, "10s"), router("db", 52, hold_down));
        let old = config(&two("10s"));
        let said = text(&old, &config(&two("30s")));
        let expected = "[router.fence] of \"db\"\n- hold_down = \"10s\"  # default\n+ hold_down = \"30s\"\n";
        assert_eq!(said, expected, "the second router's, and not lost behind the first one's");
        let said = text(&old, &config(&router("web", 51, "10s")));
        assert!(said.starts_with("[[router]] \"db\" (gone)\n- name = \"db\"\n"), "{said}");
        assert!(!said.contains("# default"), "{said}");
    }

    #[test]
    fn a_changed_password_is_a_change_although_it_is_not_shown() {
        let router = |pass: &str| {
            format!(
                "[[router]]\nname = 'web'\ninterface = 'eth0'\nvrid = 51\nversion = 2\naddresses = ['10.0.0.3/24']\n\
                 mode = 'speak'\nauth_pass = '{pass}'\n"
            )
        };
        let said = text(&config(&router("rabbit")), &config(&router("hat")));
        assert!(!said.is_empty() && !said.contains("rabbit") && !said.contains("hat\""), "{said}");
    }
}
