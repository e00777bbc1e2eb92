//! Programs that keepalived runs: checks, notifications, and what is tracked by them.

use toml::Value;

use super::{Toml, text};
use crate::config::keepalived::model::{Conf, Program, Script};
use crate::config::keepalived::place::{Notes, Place};
use crate::config::keepalived::tree::shown;
use crate::time::Duration;

/// All `vrrp_script`s.
pub(super) fn checks(conf: &Conf, user: &str, out: &mut Toml, notes: &mut Notes) {
    let mut written: Vec<&str> = Vec::new();
    for script in &conf.scripts {
        if !written.contains(&script.name.value.as_str()) {
            check(script, user, out, notes);
            written.push(&script.name.value);
        }
    }
}

fn check(script: &Script, user: &str, out: &mut Toml, notes: &mut Notes) {
    let Some(program) = &script.program else { return };
    let command = command(&program.value, &program.place, notes);
    if command.is_empty() {
        return;
    }
    out.section("[[check]]", &format!("vrrp_script {}, {}", shown(&script.name.value), script.name.place));
    out.key("name", text(&script.name.value));
    out.key("command", texts(&command));
    let interval = script.interval.max(Duration::from_millis(100));
    out.key("interval", text(humantime::format_duration(interval)));
    let timeout = script.timeout.filter(|timeout| !timeout.is_zero()).unwrap_or(interval);
    out.key("timeout", text(humantime::format_duration(timeout)));
    out.key("rise", Value::Integer(script.rise.into()));
    out.key("fall", Value::Integer(script.fall.into()));
    out.key("user", text(script.user.as_deref().unwrap_or(user)));
}

/// A program with its arguments. keepalived splits at blanks that no single quote guards; what has no path, or looks like a
/// shell's, goes to the shell.
pub(super) fn command(line: &str, place: &Place, notes: &mut Notes) -> Vec<String> {
    let words = split(line);
    let is_shells = line.contains(['|', '&', ';', '<', '>', '`', '$', '*', '(']);
    match words.first() {
        Some(program) if program.starts_with('/') && !is_shells => words,
        Some(program) => {
            let why = if is_shells { "is written for a shell" } else { "has no path" };
            let says = format!("`{}` {why}: it is run by /bin/sh -c; better write a program's path", shown(program));
            notes.hint(place, says);
            vec!["/bin/sh".into(), "-c".into(), line.into()]
        }
        None => words,
    }
}

fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// A notification's program.
pub(super) fn notification(program: &Program, place: &Place, notes: &mut Notes) -> Vec<String> {
    command(&program.line, place, notes)
}

/// Strings as a list.
pub(super) fn texts(words: &[String]) -> Value {
    words.iter().map(text).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_split_as_keepalived_does() {
        assert_eq!(split("/bin/a  b 'c d' ''"), ["/bin/a", "b", "c d", ""]);
        assert!(split("  ").is_empty());
    }
}
