//! What a virtual router's speaker adds to its document, with the words that people read of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::detect::{Leased, Speaking, Tracked};
use crate::time::Instant;

/// The priority of a router that speaks; `100`, `100 → 80` or `100 → none` in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorityDoc {
    /// As configured, 1-255.
    pub base: u8,
    /// What tracking left of it; null is a fault.
    pub effective: Option<u8>,
}

impl From<&Speaking> for PriorityDoc {
    fn from(speaking: &Speaking) -> Self {
        Self { base: speaking.base, effective: speaking.effective }
    }
}

impl fmt::Display for PriorityDoc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.effective {
            Some(effective) if effective == self.base => write!(f, "{effective}"),
            Some(effective) => write!(f, "{} → {effective}", self.base),
            None => write!(f, "{} → none", self.base),
        }
    }
}

/// Something on which the priority depends; like `check nginx is down: priority -20` or `number /run/adjust says: priority +5` in
/// words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackDoc {
    /// Its name.
    pub name: String,
    /// `check`, `interface`, `process`, `file` or `number`.
    pub kind: String,
    /// Whether it is up; null until that is known.
    pub up: Option<bool>,
    /// Added to the priority: below zero while it is down, above zero while it is up. Zero is a fault while it is down. A number
    /// always adds this, unless it is down.
    pub weight: i16,
}

impl From<&Tracked> for TrackDoc {
    fn from(tracked: &Tracked) -> Self {
        Self {
            name: tracked.name.clone(),
            kind: tracked.kind.clone().into_owned(),
            up: tracked.up,
            weight: tracked.weight,
        }
    }
}

impl fmt::Display for TrackDoc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.kind, self.name)?;
        match (self.up, self.weight) {
            (None, _) => f.write_str("is not known yet"),
            (Some(true), _) if self.kind == "number" => write!(f, "says: priority {:+}", self.weight),
            (Some(true), 1..) => write!(f, "is up: priority {:+}", self.weight),
            (Some(true), _) => f.write_str("is up"),
            (Some(false), 0) => f.write_str("is down: a fault"),
            (Some(false), 1..) => write!(f, "is down: priority without its {:+}", self.weight),
            (Some(false), _) => write!(f, "is down: priority {:+}", self.weight),
        }
    }
}

/// Whether a router that speaks has taken itself out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FenceDoc {
    /// True while it is out.
    pub fenced: bool,
    /// Why, in words; null while it is not out.
    pub reason: Option<String>,
    /// After how many seconds it takes part again if nobody else is heard or seen holding until then; null while that can't be told.
    #[serde(default)]
    pub back_in_seconds: Option<f64>,
    /// Whether the kernel lets the addresses answer; null where no gate stands before them.
    pub gate_open: Option<bool>,
    /// What the gate lacks on this host, in words; null if nothing.
    #[serde(default)]
    pub gate_lacks: Option<String>,
    /// For how many seconds the kernel keeps the addresses unless this daemon says so again; null is for ever.
    #[serde(default)]
    pub address_lifetime_seconds: Option<u64>,
}

impl FenceDoc {
    /// The document of a fence as it was at `now`.
    pub fn new(speaking: &Speaking, now: Instant) -> Self {
        Self {
            fenced: speaking.fenced.is_some(),
            reason: speaking.fenced.clone(),
            back_in_seconds: speaking.back_at.map(|at| at.since(now).as_secs_f64()),
            gate_open: speaking.gate_open,
            gate_lacks: speaking.gate_lacks.clone(),
            address_lifetime_seconds: speaking.address_lifetime.map(|lifetime| lifetime.as_secs()),
        }
    }
}

impl FenceDoc {
    /// How long a fence lasts, and what stands behind it in the kernel, in words.
    fn guards(&self) -> Vec<String> {
        let back = self.back_in_seconds.map(|seconds| {
            format!("takes part again in {seconds:.1} s, unless somebody else is heard or seen holding until then")
        });
        let gate = self.gate_open.map(|is_open| match is_open {
            true => "kernel gate open: the addresses answer".into(),
            false => "kernel gate closed: the addresses are silent here".into(),
        });
        let lifetime = self.address_lifetime_seconds.filter(|_| !self.fenced).map(|seconds| {
            format!("the kernel drops the addresses {seconds} s after this daemon's last word, should it hang")
        });
        [back, gate, self.gate_lacks.clone(), lifetime].into_iter().flatten().collect()
    }
}

/// What an arbiter says; like `the arbiter grants it for 2.1 s` in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArbiterDoc {
    /// Whether it answers.
    pub up: bool,
    /// Whether this node holds by its leave.
    pub holding: bool,
    /// For how long without another word from it, in seconds; null while this node doesn't.
    pub hold_remaining_seconds: Option<f64>,
    /// The node that holds, or did last, as the arbiter has it; null if nobody does.
    pub holder: Option<String>,
    /// Whether this node may hold although the arbiter can't be asked.
    pub ignored: bool,
    /// Whether it holds because every peer promises not to take the addresses, while the arbiter can't be asked.
    pub promised: bool,
    /// What is wrong, and what to do; null if nothing is.
    pub trouble: Option<String>,
}

impl ArbiterDoc {
    /// The document of a lease as it was at `now`.
    pub fn new(leased: &Leased, now: Instant) -> Self {
        let remaining = leased.until.map(|until| until.since(now).as_secs_f64());
        Self {
            up: leased.up,
            holding: remaining.is_some(),
            hold_remaining_seconds: remaining,
            holder: leased.holder.clone(),
            ignored: leased.excused,
            promised: leased.promised,
            trouble: leased.trouble.clone(),
        }
    }
}

impl fmt::Display for ArbiterDoc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.hold_remaining_seconds, &self.holder) {
            _ if self.ignored => f.write_str("the arbiter can't be asked and is ignored: two nodes may hold")?,
            (Some(remaining), _) if self.promised => {
                write!(f, "the arbiter can't be asked, and all peers let this node hold for {remaining:.1} s more")?;
            }
            (Some(remaining), _) => write!(f, "the arbiter lets this node hold for {remaining:.1} s more")?,
            (None, _) if !self.up => f.write_str("the arbiter can't be asked: this node may not hold")?,
            (None, Some(holder)) => write!(f, "the arbiter says that {holder} holds, or did last")?,
            (None, None) => f.write_str("the arbiter says that nobody holds")?,
        }
        match &self.trouble {
            Some(trouble) => write!(f, " ({trouble})"),
            None => Ok(()),
        }
    }
}

impl super::RouterDoc {
    /// The tracked things that are not known to be up.
    pub fn not_up(&self) -> impl Iterator<Item = &TrackDoc> {
        self.tracks.iter().filter(|track| track.up != Some(true))
    }

    /// What the fence, the kernel and an arbiter have to say about its addresses, in words.
    pub fn guarded(&self) -> Vec<String> {
        let fence = self.fence.iter().flat_map(FenceDoc::guards);
        fence.chain(self.arbiter.as_ref().map(ToString::to_string)).collect()
    }

    /// Why it is fenced, in words; `None` if it is not.
    pub fn fenced(&self) -> Option<&str> {
        let fence = self.fence.as_ref().filter(|fence| fence.fenced)?;
        Some(fence.reason.as_deref().unwrap_or("it is not told why"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_says_what_became_of_it() {
        for (effective, words) in [(Some(100), "100"), (Some(80), "100 → 80"), (None, "100 → none")] {
            assert_eq!(PriorityDoc { base: 100, effective }.to_string(), words);
        }
    }

    #[test]
    fn a_fence_says_when_it_is_over_and_what_the_kernel_does_meanwhile() {
        let mut fence = FenceDoc {
            fenced: true,
            reason: None,
            back_in_seconds: Some(7.26),
            gate_open: Some(false),
            gate_lacks: Some("the kernel has no egress hook".into()),
            address_lifetime_seconds: Some(4),
        };
        let expected = [
            "takes part again in 7.3 s, unless somebody else is heard or seen holding until then",
            "kernel gate closed: the addresses are silent here",
            "the kernel has no egress hook",
        ];
        assert_eq!(fence.guards(), expected);
        (fence.fenced, fence.back_in_seconds, fence.gate_open, fence.gate_lacks) = (false, None, Some(true), None);
        let expected = [
            "kernel gate open: the addresses answer",
            "the kernel drops the addresses 4 s after this daemon's last word, should it hang",
        ];
        assert_eq!(fence.guards(), expected);
    }

    #[test]
    fn a_track_says_what_it_does_to_the_priority() {
        for (up, weight, words) in [
            (Some(false), -20, "check nginx is down: priority -20"),
            (Some(false), 20, "check nginx is down: priority without its +20"),
            (Some(false), 0, "check nginx is down: a fault"),
            (Some(true), 20, "check nginx is up: priority +20"),
            (Some(true), -20, "check nginx is up"),
            (None, -20, "check nginx is not known yet"),
        ] {
            let track = TrackDoc { name: "nginx".into(), kind: "check".into(), up, weight };
            assert_eq!(track.to_string(), words);
        }
        for (up, adds, words) in [
            (Some(true), -20, "number /run/adjust says: priority -20"),
            (Some(true), 20, "number /run/adjust says: priority +20"),
            (Some(false), 0, "number /run/adjust is down: a fault"),
            (None, 1, "number /run/adjust is not known yet"),
        ] {
            let track = TrackDoc { name: "/run/adjust".into(), kind: "number".into(), up, weight: adds };
            assert_eq!(track.to_string(), words);
        }
    }
}
