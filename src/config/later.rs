//! The parts of the format that this version only checks, and what is said of keys that change nothing.

use std::ops::Range;

use toml::Spanned;

use super::raw::{self, Mode, given};
use super::validate::Judge;

type Places = Vec<(&'static str, Range<usize>)>;

/// Warns of every key that is given and changes nothing.
pub(super) fn without_effect(judge: &mut Judge<'_>, file: &raw::File) {
    let (speaking, watching): (Vec<_>, Vec<_>) = file.router.iter().map(Spanned::get_ref).partition(|r| r.speaks());
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
    let mut found = Places::new();
    if speaking.is_empty() {
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
