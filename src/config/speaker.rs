//! The keys of a `[[router]]` that speaks, and how those that speak go together.

use std::collections::BTreeSet;
use std::net::IpAddr;

use toml::Spanned;

use super::raw::{self, Key, TextKey};
use super::speak::{ADVERT_INTERVAL, Fence, Notify, OWNER, Speak};
use super::validate::{Judge, Known, Seen, set, text};
use super::value::{Command, Name, Text, WordOrDuration};
use super::{Router, checks, hint};
use crate::fence::Lifetime;
use crate::time::Duration;
use crate::vrrp::Garp;
use crate::wire::{Auth, ChecksumForm, Family, Version};

/// Makes `router`, which is the `index`th, one that speaks.
pub(super) fn speak(judge: &mut Judge<'_>, raw: &raw::Router, index: usize, known: &Known<'_>, router: &mut Router) {
    router.advert_interval.get_or_insert(ADVERT_INTERVAL);
    router.auth.get_or_insert(Auth::None);
    let mut speak = Speak::default();
    speak.priority = raw.priority.as_ref().map_or(speak.priority, |priority| priority.get_ref().get());
    set(&mut speak.preempt, &raw.preempt);
    judge.duration(&mut speak.preempt_delay, &raw.preempt_delay, Duration::ZERO);
    judge.duration(&mut speak.startup_delay, &raw.startup_delay, Duration::ZERO);
    set(&mut speak.accept, &raw.accept);
    set(&mut speak.vmac, &raw.vmac);
    set(&mut speak.vmac_xmit_base, &raw.vmac_xmit_base);
    speak.source = text(&raw.source).copied();
    let name = |key: &TextKey<Name>| text(key).map(|name| name.0.clone());
    speak.sync_group = name(&raw.sync_group);
    speak.exclusive_group = name(&raw.exclusive_group);
    garp(judge, &raw.garp, &mut speak.garp);
    speak.track = checks::tracks(judge, raw, index, known.checks.as_deref());
    notify(judge, &raw.notify, &mut speak.notify);
    speak.fence = known.fence.clone();
    fence(judge, &raw.fence, known.has_witness, &mut speak.fence);
    heard_and_seen(judge, raw, router, known);
    election(judge, raw, &speak);
    owner(judge, raw, known, &speak);
    addresses(judge, raw, router, &speak);
    frames(judge, raw, router, &mut speak);
    router.speak = Some(speak);
}

fn garp(judge: &mut Judge<'_>, raw: &Key<raw::Garp>, garp: &mut Garp) {
    let Some(raw) = raw.as_ref().map(Spanned::get_ref) else { return };
    garp.repeat = raw.repeat.as_ref().map_or(garp.repeat, |repeat| repeat.get_ref().get());
    judge.duration(&mut garp.delay, &raw.delay, Duration::ZERO);
    judge.duration(&mut garp.refresh, &raw.refresh, Duration::ZERO);
}

fn notify(judge: &mut Judge<'_>, raw: &Key<raw::Notify>, notify: &mut Notify) {
    let Some(raw) = raw.as_ref().map(Spanned::get_ref) else { return };
    let command = |key: &Key<Command>| key.as_ref().map(|command| command.get_ref().0.clone()).unwrap_or_default();
    notify.master = command(&raw.master);
    notify.backup = command(&raw.backup);
    notify.fault = command(&raw.fault);
    notify.fenced = command(&raw.fenced);
    notify.stop = command(&raw.stop);
    judge.duration(&mut notify.timeout, &raw.timeout, Duration::from_millis(1));
    if let Some(user) = text(&raw.user) {
        notify.user.clone_from(&user.0);
    }
    notify.fifo = text(&raw.fifo).map(|path| path.0.clone());
}

/// Puts a table of fences over what `fence` says already.
pub(super) fn fence(judge: &mut Judge<'_>, raw: &Key<raw::Fence>, has_witness: bool, fence: &mut Fence) {
    let Some(raw) = raw.as_ref().map(Spanned::get_ref) else { return };
    set(&mut fence.on_split_brain, &raw.on_split_brain);
    set(&mut fence.on_isolation, &raw.on_isolation);
    if let Some(isolation) = raw.on_isolation.as_ref().filter(|on| *on.get_ref() && !has_witness) {
        let message = "without a [[witness]] the survivor of an ordinary failover takes its peer's death for its own \
                       isolation, and drops the VIP for ever: add one, such as the gateway";
        judge.error(isolation.span(), message);
    }
    judge.duration(&mut fence.isolation_time, &raw.isolation_time, Duration::from_millis(1));
    set(&mut fence.probe_before_promote, &raw.probe_before_promote);
    if let Some(grace) = text(&raw.promote_grace) {
        fence.promote_grace = grace.0;
    }
    kernel(judge, raw, fence);
    fence.informed_yield = raw.informed_yield.as_ref().map_or(fence.informed_yield, |adverts| adverts.get_ref().get());
    judge.duration(&mut fence.hold_down, &raw.hold_down, Duration::ZERO);
}

/// What the kernel does when this daemon can't.
fn kernel(judge: &mut Judge<'_>, raw: &raw::Fence, fence: &mut Fence) {
    set(&mut fence.gate, &raw.gate);
    if let Some(timeout) = &raw.gate_timeout {
        match timeout.get_ref().0 {
            WordOrDuration::Auto => fence.gate_timeout = None,
            WordOrDuration::For(duration) if !duration.is_zero() => fence.gate_timeout = Some(duration),
            WordOrDuration::For(_) | WordOrDuration::Off => judge.error(
                timeout.span(),
                "a gate that no advert keeps open is always shut: write \"auto\" or a duration, or gate = false to have none",
            ),
        }
    }
    if let Some(lifetime) = &raw.address_lifetime {
        match lifetime.get_ref().0 {
            WordOrDuration::Auto => fence.address_lifetime = Lifetime::Auto,
            WordOrDuration::Off => fence.address_lifetime = Lifetime::Off,
            WordOrDuration::For(duration) if !duration.is_zero() => fence.address_lifetime = Lifetime::For(duration),
            WordOrDuration::For(_) => {
                judge
                    .error(lifetime.span(), "an address can't live for no time: write \"auto\", \"off\" or a duration");
            }
        }
    }
}

/// Whether it may send at all, and obeys somebody.
fn heard_and_seen(judge: &mut Judge<'_>, raw: &raw::Router, router: &Router, known: &Known<'_>) {
    if let Some(mode) = raw.mode.as_ref().filter(|_| known.config.watch.passive) {
        let message =
            "passive = true in [watch] promises that nothing is ever sent: remove it, or write mode = \"watch\"";
        judge.error(mode.span(), message);
    }
    let obeys_nobody = known.peers.is_some() && known.config.known_speakers(router).is_some_and(|all| all.is_empty());
    if let Some(only) = raw.only_known_speakers.as_ref().filter(|_| obeys_nobody) {
        let message = format!(
            "nobody is known over {}, so this router would obey nobody and always be master: add a [[peer]] with its \
             `vrrp_addresses`, or `unicast_peers`",
            router.family.as_str()
        );
        judge.error(only.span(), message);
    }
}

/// What decides who is master.
fn election(judge: &mut Judge<'_>, raw: &raw::Router, speak: &Speak) {
    if let Some(preempt) = raw.preempt.as_ref().filter(|preempt| !preempt.get_ref()) {
        if speak.priority == OWNER {
            let message = "the owner of the addresses (priority 255) always takes over (RFC 9568 §6.1): remove this, or \
                           write a priority below 255";
            judge.error(preempt.span(), message);
        }
        if let Some(delay) = raw.preempt_delay.as_ref().filter(|delay| !delay.get_ref().0.is_zero()) {
            judge.warn(delay.span(), "`preempt_delay` has no effect: with preempt = false nothing is taken over");
        }
    }
}

/// What is there to silence an owner, whose addresses nobody takes away.
fn owner(judge: &mut Judge<'_>, raw: &raw::Router, known: &Known<'_>, speak: &Speak) {
    let is_unfenced = known.config.arbiter.is_some() && speak.priority == OWNER && !speak.fence.gate;
    if let Some(priority) = raw.priority.as_ref().filter(|_| is_unfenced) {
        let message = "the addresses of an owner (priority 255) are never removed, so only the kernel gate can end the \
                       arbiter's lease, and gate = false: remove that, or [arbiter], or write a priority below 255";
        judge.error(priority.span(), message);
    }
}

/// Where adverts come from and go to, and which addresses can be advertised.
fn addresses(judge: &mut Judge<'_>, raw: &raw::Router, router: &Router, speak: &Speak) {
    let own =
        |address: &IpAddr| router.addresses.iter().chain(&router.excluded_addresses).any(|(held, _)| held == address);
    for peer in raw.unicast_peers.iter().flat_map(Spanned::get_ref) {
        let address = peer.get_ref().0;
        if own(&address) || speak.source == Some(address) {
            judge.error(peer.span(), format!("{address} is this router's own: write the other node's address"));
        }
    }
    if let Some(source) = &raw.source {
        let address = source.get_ref().0;
        if own(&address) && speak.priority != OWNER {
            let message =
                format!("{address} moves with the router, and a backup hasn't got it: write this node's own address");
            judge.error(source.span(), message);
        }
        if router.family == Family::V6 && !link_local(&address) && router.unicast_peers.is_empty() {
            let message = "IPv6 adverts to the group come from a link-local address (RFC 9568 §5.1.2.1): write that of \
                           the interface, or leave it out";
            judge.error(source.span(), message);
        }
    }
    let first = raw.addresses.as_ref().and_then(|list| list.get_ref().first());
    if let Some(first) = first.filter(|first| router.family == Family::V6 && !link_local(&first.get_ref().0.0)) {
        let advice = match router.addresses.iter().find(|(address, _)| link_local(address)) {
            Some((address, _)) => format!("move {address} to the front"),
            None => format!("put one in front that nobody has yet, such as \"fe80::{:x}\", on all nodes", router.vrid),
        };
        judge.error(
            first.span(),
            format!("the first IPv6 address of an advert is link-local (RFC 9568 §5.2.9): {advice}"),
        );
    }
}

fn link_local(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// What adverts look like.
fn frames(judge: &mut Judge<'_>, raw: &raw::Router, router: &Router, speak: &mut Speak) {
    if let Some(base) = raw.vmac_xmit_base.as_ref().filter(|base| *base.get_ref() && !speak.vmac) {
        judge.error(
            base.span(),
            "without a virtual MAC all frames have the interface's own: add vmac = true, or remove this",
        );
    }
    match &raw.checksum {
        Some(checksum) if !router.has_choice_of_checksum() => {
            judge.warn(checksum.span(), "`checksum` has no effect: only VRRPv3 over IPv4 has two forms to choose from");
        }
        Some(checksum) => speak.checksum = (*checksum.get_ref()).into(),
        None => {}
    }
}

impl Router {
    /// True if receivers are known to want one form or the other.
    pub(super) fn has_choice_of_checksum(&self) -> bool {
        self.family == Family::V4 && self.version == Some(Version::V3)
    }
}

impl From<raw::Checksum> for ChecksumForm {
    fn from(raw: raw::Checksum) -> Self {
        match raw {
            raw::Checksum::PseudoHeader => Self::PseudoHeader,
            raw::Checksum::Message => Self::MessageOnly,
        }
    }
}

/// Judges all routers that speak, side by side.
pub(super) fn together(judge: &mut Judge<'_>, routers: &[(&raw::Router, Router)]) {
    let speaking: Vec<_> = routers.iter().filter(|(raw, _)| raw.speaks()).collect();
    let mut held = Seen::new();
    for (raw, router) in &speaking {
        let mut own = BTreeSet::new();
        for address in raw.addresses.iter().chain(&raw.excluded_addresses).flat_map(Spanned::get_ref) {
            let (span, address) = (address.span(), address.get_ref().0.0);
            // A link-local address may be had on each interface.
            let scope = link_local(&address).then(|| router.interface.clone());
            if own.insert(address) {
                judge.unique(&mut held, (scope, address), span, &format!("{address} of another router that speaks"));
            }
        }
    }
    let groups = |key: fn(&raw::Router) -> &TextKey<Name>| -> Vec<_> {
        speaking.iter().filter_map(|(raw, _)| key(raw).as_ref()).collect()
    };
    lonely(judge, "sync_group", &groups(|raw| &raw.sync_group));
    lonely(judge, "exclusive_group", &groups(|raw| &raw.exclusive_group));
    contradictions(judge, &speaking);
}

/// Routers that are told to move together and to avoid each other.
fn contradictions(judge: &mut Judge<'_>, speaking: &[&(&raw::Router, Router)]) {
    let mut seen = Seen::new();
    for (raw, _) in speaking {
        let Some((sync, exclusive)) = text(&raw.sync_group).zip(raw.exclusive_group.as_ref()) else { continue };
        if let Some(first) = seen.insert((&sync.0, &exclusive.get_ref().0.0), exclusive.span()) {
            let place = judge.sources.place(first.start);
            let message = format!(
                "the router at {place} has the same sync_group and the same exclusive_group: who moves together can't \
                 avoid each other, so remove one of the two"
            );
            judge.error(exclusive.span(), message);
        }
    }
}

/// Warns of groups that have one member only.
fn lonely(judge: &mut Judge<'_>, key: &str, members: &[&Spanned<Text<Name>>]) {
    let names: Vec<&str> = members.iter().map(|member| member.get_ref().0.0.as_str()).collect();
    for (i, member) in members.iter().enumerate() {
        let others = names.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, name)| *name);
        if others.clone().any(|other| other == names[i]) {
            continue;
        }
        let advice = match hint::nearest(names[i], others) {
            Some(nearest) => format!("did you mean {nearest:?}?"),
            None => "write the same word into another [[router]], or remove it".into(),
        };
        judge.warn(member.span(), format!("no other router has {key} {:?}, so it has no effect: {advice}", names[i]));
    }
}
