//! Whether a router that speaks has to drop its addresses: a policy over plain values.
//!
//! VRRP is unauthenticated: whoever is on the segment can forge an advert or an ARP answer, and can take mastership with it,
//! for the election obeys. What the fence must not add is a *new* way to take a service down. So this is which evidence
//! suffices for which act. "Known" means: from the address of a configured peer, or of anyone if no peer is configured.
//!
//! | evidence | act | why a forged packet alone never does |
//! |---|---|---|
//! | a better advert that the election obeys | none: VRRP settles it, and the router is backup | what a forger gets here, VRRP gives |
//! | adverts of a better rival that the election refuses (password, version, interval): two or more after our own went out, over more than one interval, from a configured peer's address | drop, [`Reason::SplitBrain`] | one is not enough, and who can keep forging a peer's adverts can forge ones that the election obeys |
//! | the same where no peer is configured | drop, if the host with that MAC also answers two probes for an address | two independent channels; a stream of adverts is one |
//! | no adverts, but an announcement (gratuitous ARP or NA) after ours and answers to two probes and for four intervals, from the MAC of a known speaker whose last advert was a better one | drop | an answer gives no rank: without adverts of the same MAC it decides nothing |
//! | the same without an announcement | none: its daemon may be dead, and clients whose caches point at us would reach nobody, for the dead don't announce | |
//! | adverts or answers of a stranger where peers are configured | none; the watcher alarms | it is nobody's rival, and keeps nobody out either |
//! | adverts of a lower rival, or one of equal rank | none: the other one has to drop; but see the next row | |
//! | adverts of a known lower rival, of a kind that the election obeys, which go on after `informed_yield` of ours | yield ([`Act::Yield`]), opt-in | the loss is mastership, not the service: without an obeyed master the election gives it back |
//! | a witness has answered once, and for `isolation_time` neither it nor any peer does | drop, [`Reason::Isolation`], opt-in | silence can't be forged from afar |
//! | two reports over the second channel, half an interval apart, asked for after our claim was confirmed and signed with the cluster's key: a peer holds *and advertises*, what is between us the election does not settle, and it is the better one (reaches a witness through the address's interface, then priority, then address) | drop, [`Reason::SplitBrain`] | the key is needed to forge them, and a nonce keeps old ones from being played back |
//! | the same unsigned, or of a peer that holds and does not advertise | none | anyone could say so; the dead don't serve |
//! | adverts with a TTL below 255, a wrong checksum, our own source, or no address of ours | none | they came through a router, are broken, looped back, or are about something else |
//!
//! Who drops is the lower one by priority, then by address, and so never both:
//! - Adverts are compared with the priority that ours carried, and count only from when both ranks are what they are: who
//!   became worse a moment ago waits for what the other makes of it.
//! - Answers say nothing of today's rank. They are compared with the best rank that we ever advertised, which is at least
//!   what the other believes of us. So of two who know each other only by answers at most one finds itself the lower. And
//!   they have to last longer than adverts, for a rival that hears us has dropped by then.
//!
//! Nobody stays out for nobody: when every peer says over the second channel, signed, that it holds nothing, a fence is over at
//! once, and priorities decide.
//!
//! Who was fenced stays out while any known rival goes on without being obeyed, and for `hold_down` after the *end* of
//! the evidence: a standing split does not flap, and when the winner falls silent the ordinary way to mastership is open.
//!
//! What the fence needs from nobody else, it decides at once. With an arbiter the [`lease`] stands above all of this.

mod guard;
pub mod lease;
mod ledger;
mod succession;
mod testimony;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

pub use guard::Guard;
pub use succession::{master_lives_until, successor_until};

use crate::time::Duration;
use crate::{observe, vrrp};

/// When a router that speaks drops its addresses of itself: `[fence]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The loser by the deterministic rule drops.
    pub on_split_brain: bool,
    /// Drops when no peer and no witness answers. There is a `[[witness]]` then.
    pub on_isolation: bool,
    /// For how long nobody must have answered.
    pub isolation_time: Duration,
    /// Adverts after which a master that hears a lower master yields; 0 is never, and fewer than 3 are 3: the lower one
    /// has to have had the time to drop first.
    pub informed_yield: u32,
    /// How long it stays out, counted from the end of the evidence.
    pub hold_down: Duration,
    /// The addresses of a silent master are not taken while its host still answers for them.
    pub probe_before_promote: bool,
    /// How long at most, if its daemon shows no sign of life; `None` is for as long as it answers.
    pub promote_grace: Option<Duration>,
    /// The kernel lets the addresses answer only while our own adverts leave.
    pub gate: bool,
    /// For how long after each; `None` is three advertisement intervals.
    pub gate_timeout: Option<Duration>,
    /// How long the kernel keeps the addresses without being told again.
    pub address_lifetime: Lifetime,
}

/// How long addresses outlive whoever has claimed them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// A little longer than the gate stays open; without a gate as short as can be.
    Auto,
    /// For ever.
    Off,
    /// So long, in whole seconds.
    For(Duration),
}

impl Lifetime {
    /// In whole seconds, for adverts every `interval`; `None` is for ever. `gated` if there is a gate, which is the faster one.
    pub fn seconds(self, interval: Duration, gated: bool) -> Option<u32> {
        let whole = |duration: Duration| u32::try_from(duration.as_millis().div_ceil(1000)).unwrap_or(u32::MAX - 1);
        match self {
            Self::Off => None,
            Self::For(duration) => Some(whole(duration).max(1)),
            Self::Auto if gated => Some(whole(interval * 3) + 1),
            Self::Auto => Some(whole(interval * 3).saturating_sub(1).max(1)),
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            on_split_brain: true,
            on_isolation: false,
            isolation_time: Duration::from_secs(5),
            informed_yield: 0,
            hold_down: Duration::from_secs(10),
            probe_before_promote: true,
            promote_grace: None,
            gate: true,
            gate_timeout: None,
            address_lifetime: Lifetime::Auto,
        }
    }
}

/// What a router's rivals are told by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The addresses that it advertises.
    pub addresses: Vec<IpAddr>,
    /// Every address from which a configured peer may advertise; empty if there are no peers.
    pub peers: Vec<IpAddr>,
    /// The names of those peers.
    pub names: Vec<String>,
    /// Its advertisement interval.
    pub interval: Duration,
}

/// Why a fence fell; the `reason` label of `vrrp_fences_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Somebody else holds too, and is the better one.
    SplitBrain,
    /// Nobody answers.
    Isolation,
}

impl Reason {
    /// The label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SplitBrain => "split_brain",
            Self::Isolation => "isolation",
        }
    }
}

/// What has to be done. Nothing is hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Drop the addresses, and stay out until [`Act::Release`].
    Drop {
        /// For the metric.
        reason: Reason,
        /// In words, with the address of whom it was about.
        why: String,
    },
    /// The fence is lifted: be a backup.
    Release,
    /// Give mastership to this lower one, which doesn't hear us, and follow it until it falls silent.
    Yield {
        /// The source of its adverts.
        to: IpAddr,
        /// In words.
        why: String,
    },
}

/// A router's state as others are told of it.
pub const fn shown(state: vrrp::State) -> observe::State {
    match state {
        vrrp::State::Init => observe::State::Init,
        vrrp::State::Backup => observe::State::Backup,
        vrrp::State::Master => observe::State::Master,
        vrrp::State::Fault => observe::State::Fault,
        vrrp::State::Fenced => observe::State::Fenced,
    }
}
