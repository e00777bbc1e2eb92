//! The parts of the format that this version only checks, and what is said of keys that change nothing.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::raw::{self, Key, Mode, TextKey, given};
use super::validate::Judge;
use crate::time::Duration;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Arbiter {
    etcd: Key<Vec<String>>,
    key_prefix: Key<String>,
    wait: TextKey<Duration>,
    unreachable: Key<Unreachable>,
    ca_file: Key<String>,
    cert_file: Key<String>,
    key_file: Key<String>,
    user: Key<String>,
    password_file: Key<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Unreachable {
    Drop,
    HoldIfUnanimous,
    Ignore,
}

type Places = Vec<(&'static str, Range<usize>)>;

/// Warns of every key that is given and changes nothing. An arbiter for a router that speaks is an error.
pub(super) fn without_effect(judge: &mut Judge<'_>, file: &raw::File) {
    let (speaking, watching): (Vec<_>, Vec<_>) = file.router.iter().map(Spanned::get_ref).partition(|r| r.speaks());
    if let Some(arbiter) = file.arbiter.as_ref().filter(|_| !speaking.is_empty()) {
        let message = "this version asks no arbiter, and it doesn't start rather than speak without the one that was \
                       asked for: remove [arbiter], or write mode = \"watch\" into every [[router]]";
        judge.error(arbiter.span(), message);
    }
    for (key, span) in unbuilt(file, &speaking) {
        judge.warn(span, format!("`{key}` has no effect yet: this version doesn't act upon it"));
    }
    for (key, span) in watching.into_iter().flat_map(idle) {
        judge.warn(
            span,
            format!("`{key}` has no effect on a router that only watches: write mode = \"speak\" too, or remove it"),
        );
    }
    if let Some(fence) = file.fence.as_ref().filter(|_| speaking.is_empty()) {
        judge.warn(fence.span(), "[fence] has no effect: no [[router]] has mode = \"speak\"");
    }
}

/// What only later versions act upon.
fn unbuilt(file: &raw::File, speaking: &[&raw::Router]) -> Places {
    let mut found: Places = given!(file.watch, keepalived_conf);
    if speaking.is_empty() {
        found.extend::<Places>(given!(file, arbiter));
        return found;
    }
    found
}

/// What only a router that speaks acts upon.
fn idle(router: &raw::Router) -> Places {
    given!(
        router,
        source priority preempt preempt_delay startup_delay accept vmac vmac_xmit_base checksum
        sync_group exclusive_group garp track notify fence
    )
}

impl raw::Router {
    /// True if it is to speak.
    pub(super) fn speaks(&self) -> bool {
        self.mode.as_ref().is_some_and(|mode| *mode.get_ref() == Mode::Speak)
    }
}
