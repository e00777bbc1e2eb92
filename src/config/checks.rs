//! `[[check]]`, and what of it and of other things a router tracks.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;

use super::raw::{self, given};
use super::speak::{CHECK_STATUS, Check, Probe, Track, Tracked, UNPRIVILEGED};
use super::validate::{Judge, Seen, text};
use crate::time::Duration;

/// Checking more often than this costs more than it tells.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// All `[[check]]`s.
pub(super) fn checks(judge: &mut Judge<'_>, raw: &[Spanned<raw::Check>]) -> Vec<Check> {
    let mut names = Seen::new();
    let mut checks = Vec::new();
    for (i, section) in raw.iter().enumerate() {
        let raw = section.get_ref();
        if let Some(name) = &raw.name {
            judge.unique(&mut names, name.get_ref().0.0.clone(), name.span(), "the name of this check");
        }
        let name = judge.required(&raw.name, "name", "check", i, section.span());
        let probe = probe(judge, raw, i, section.span());
        let Some((name, probe)) = name.zip(probe) else { continue };
        let mut check = Check::new(name.0.0, probe);
        judge.duration(&mut check.interval, &raw.interval, INTERVAL_MIN);
        judge.duration(&mut check.timeout, &raw.timeout, Duration::from_millis(1));
        check.rise = raw.rise.as_ref().map_or(check.rise, |rise| rise.get_ref().get());
        check.fall = raw.fall.as_ref().map_or(check.fall, |fall| fall.get_ref().get());
        checks.push(check);
    }
    checks
}

fn probe(judge: &mut Judge<'_>, raw: &raw::Check, index: usize, section: Range<usize>) -> Option<Probe> {
    let ways: Vec<_> = given!(raw, command http tcp);
    let way = judge.one_of("[[check]]", &["command", "http", "tcp"], &ways, section, &format!("check.{index}."))?;
    for (key, its_way, given) in [
        ("expect_status", "http", raw.expect_status.as_ref().map(Spanned::span)),
        ("user", "command", raw.user.as_ref().map(Spanned::span)),
    ] {
        if let Some(span) = given.filter(|_| way != its_way) {
            judge.error(span, format!("`{key}` goes with `{its_way}`, and this [[check]] has `{way}`: remove it"));
        }
    }
    match (&raw.command, text(&raw.http), &raw.tcp) {
        (Some(command), ..) => {
            if command.get_ref().0.is_empty() {
                judge.error(command.span(), "there is nothing to run: write a program's path, then its arguments");
            }
            let user = text(&raw.user).map_or_else(|| UNPRIVILEGED.into(), |user| user.0.clone());
            Some(Probe::Command { command: command.get_ref().0.clone(), user })
        }
        (_, Some(url), _) => {
            let statuses = raw.expect_status.as_ref();
            if let Some(empty) = statuses.filter(|list| list.get_ref().is_empty()) {
                judge.error(empty.span(), "no status would be good: name one, or leave the key out for 200");
            }
            let statuses = statuses.map(|list| list.get_ref().iter().map(|status| status.get()).collect());
            Some(Probe::Http { url: url.clone(), expect_status: statuses.unwrap_or_else(|| vec![CHECK_STATUS]) })
        }
        (.., Some(tcp)) => {
            if tcp.get_ref().0.port() == 0 {
                judge.error(tcp.span(), "nothing listens on port 0: write the port of the service");
            }
            Some(Probe::Tcp(tcp.get_ref().0))
        }
        _ => None,
    }
}

/// What the `index`th router tracks. `known` are the names of all checks, or `None` where those could not be read.
pub(super) fn tracks(judge: &mut Judge<'_>, raw: &raw::Router, index: usize, known: Option<&[&str]>) -> Vec<Track> {
    let mut seen = Seen::new();
    let mut tracks = Vec::new();
    for (i, element) in raw.track.iter().flat_map(Spanned::get_ref).enumerate() {
        let track = element.get_ref();
        let ways: Vec<_> = given!(track, check interface process file number);
        let all = ["check", "interface", "process", "file", "number"];
        let struck = format!("router.{index}.track.{i}.");
        if judge.one_of("element of `track`", &all, &ways, element.span(), &struck).is_none() {
            continue;
        }
        if let Some((name, known)) = track.check.as_ref().zip(known) {
            judge.known_name("[[check]]", &name.get_ref().0.0, name.span(), known);
        }
        let Some(what) = tracked(track) else { continue };
        judge.unique(&mut seen, what.clone(), element.span(), "what this tracks");
        let weight = track.weight.as_ref().map_or(0, |weight| weight.get_ref().get());
        let reverse = track.reverse.as_ref().is_some_and(|reverse| *reverse.get_ref());
        tracks.push(Track { what, weight, reverse });
    }
    tracks
}

fn tracked(raw: &raw::Track) -> Option<Tracked> {
    let check = text(&raw.check).map(|name| Tracked::Check(name.0.clone()));
    let interface = text(&raw.interface).map(|name| Tracked::Interface(name.0.clone()));
    let process = text(&raw.process).map(|name| Tracked::Process(name.0.clone()));
    let file = text(&raw.file).map(|path| Tracked::File(path.0.clone()));
    let number = text(&raw.number).map(|path| Tracked::Number(path.0.clone()));
    check.or(interface).or(process).or(file).or(number)
}

/// Warns of checks that no router tracks.
pub(super) fn untracked(judge: &mut Judge<'_>, raw: &raw::File) {
    let speaking = raw.router.iter().map(Spanned::get_ref).filter(|router| router.speaks());
    let tracks = speaking.flat_map(|router| &router.track).flat_map(Spanned::get_ref);
    let tracked: BTreeSet<&str> =
        tracks.filter_map(|track| text(&track.get_ref().check)).map(|name| name.0.as_str()).collect();
    for check in &raw.check {
        let name = check.get_ref().name.as_ref().filter(|name| !tracked.contains(name.get_ref().0.0.as_str()));
        if let Some(name) = name {
            judge.warn(name.span(), "this check has no effect: no [[router]] with mode = \"speak\" has it in `track`");
        }
    }
}
