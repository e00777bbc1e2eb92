//! `[[router]]`: one virtual router's keys, and how they go together.

use std::net::IpAddr;
use std::ops::Range;

use toml::Spanned;

use super::raw;
use super::validate::{Judge, Known, Seen, list, text};
use super::value::Prefixed;
use super::{Router, files, speaker};
use crate::time::Duration;
use crate::wire::{Auth, Family, Version};

/// The count in an advertisement has 8 bits.
const ADDRESSES_MAX: usize = 255;

/// A VRRPv2 password has 8 bytes on the wire (RFC 2338 §5.3.10).
const PASSWORD_MAX_BYTES: usize = 8;

/// A VRRPv3 interval is 1 to 4095 centiseconds (RFC 9568 §5.2.7).
const V3_INTERVAL_MAX: Duration = Duration::from_millis(40_950);

/// All `[[router]]`s.
pub(super) fn routers(judge: &mut Judge<'_>, raw: &[Spanned<raw::Router>], known: &Known<'_>) -> Vec<Router> {
    let (mut names, mut identities) = (Seen::new(), Seen::new());
    let mut routers = Vec::new();
    for (i, section) in raw.iter().enumerate() {
        let (raw, span) = (section.get_ref(), section.span());
        check_peers(judge, raw, known.peers.as_deref());
        let Some(mut router) = router(judge, raw, i, &span) else { continue };
        if raw.speaks() {
            speaker::speak(judge, raw, i, known, &mut router);
        }
        let name_span = raw.name.as_ref().map_or(span, Spanned::span);
        let vrid_span = raw.vrid.as_ref().map_or(name_span.clone(), Spanned::span);
        let identity = (router.interface.clone(), router.family, router.vrid);
        let what = format!("VRID {} of {} on {}", router.vrid, router.family.as_str(), router.interface);
        // A default name, or an address, says nothing new when the whole router stands twice.
        if judge.unique(&mut identities, identity, vrid_span, &what) {
            judge.unique(&mut names, router.name.clone(), name_span, &format!("the router name {:?}", router.name));
            routers.push((raw, router));
        }
    }
    speaker::together(judge, &routers);
    routers.into_iter().map(|(_, router)| router).collect()
}

/// `VIP/VRID`, with the lowest address that is not link-local.
pub(super) fn default_name(addresses: &[(IpAddr, u8)], vrid: u8) -> String {
    let link_local = |a: &IpAddr| matches!(a, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let vip = addresses.iter().map(|(a, _)| *a).min_by_key(|a| (link_local(a), *a));
    vip.map_or_else(|| vrid.to_string(), |vip| format!("{vip}/{vrid}"))
}

fn router(judge: &mut Judge<'_>, raw: &raw::Router, index: usize, span: &Range<usize>) -> Option<Router> {
    let interface = judge.required(&raw.interface, "interface", "router", index, span.clone());
    let vrid = judge.required(&raw.vrid, "vrid", "router", index, span.clone());
    let given = judge.required(&raw.addresses, "addresses", "router", index, span.clone());
    check_addresses(judge, raw, index);
    let bare = |list: Vec<Prefixed>| list.into_iter().map(|p| (p.0, p.1)).collect::<Vec<_>>();
    let addresses = bare(list(&raw.addresses));
    let family = given.as_ref()?.first().map(|first| Family::of(&first.get_ref().0.0))?;
    one_family(judge, raw, family);
    let version = version(judge, raw, index, family);
    let advert_interval = interval(judge, raw, version, family);
    let auth = auth(judge, raw, version, family);
    let vrid = vrid?.get();
    Some(Router {
        name: text(&raw.name).map_or_else(|| default_name(&addresses, vrid), |name| name.0.clone()),
        interface: interface?.0.0,
        vrid,
        family,
        addresses,
        excluded_addresses: bare(list(&raw.excluded_addresses)),
        peers: raw.peers.as_ref().map(|_| list(&raw.peers).into_iter().map(|name| name.0).collect()),
        version,
        advert_interval,
        auth,
        unicast_peers: list(&raw.unicast_peers),
        only_known_speakers: raw.only_known_speakers.as_ref().is_some_and(|v| *v.get_ref()),
        speak: None,
    })
}

fn check_peers(judge: &mut Judge<'_>, raw: &raw::Router, known: Option<&[&str]>) {
    judge.no_repetition(&raw.peers);
    let Some(known) = known else { return };
    for peer in raw.peers.iter().flat_map(Spanned::get_ref) {
        judge.known_name("[[peer]]", &peer.get_ref().0.0, peer.span(), known);
    }
}

fn check_addresses(judge: &mut Judge<'_>, raw: &raw::Router, index: usize) {
    if let Some(addresses) = &raw.addresses {
        match addresses.get_ref().len() {
            0 if judge.had_its_error(&format!("router.{index}.addresses")) => {}
            0 => judge.error(addresses.span(), "a virtual router has at least one address: add it"),
            1..=ADDRESSES_MAX => {}
            n => judge.error(
                addresses.span(),
                format!("{n} addresses don't fit into an advertisement: move all above {ADDRESSES_MAX} to excluded_addresses"),
            ),
        }
    }
    let mut seen = Seen::new();
    for address in raw.addresses.iter().chain(&raw.excluded_addresses).flat_map(Spanned::get_ref) {
        judge.unique(&mut seen, address.get_ref().0.0, address.span(), "this address");
    }
    judge.no_repetition(&raw.unicast_peers);
}

/// An advertisement is of one family, and so is everything about it.
fn one_family(judge: &mut Judge<'_>, raw: &raw::Router, family: Family) {
    let prefixed = raw.addresses.iter().chain(&raw.excluded_addresses).flat_map(Spanned::get_ref);
    let prefixed = prefixed.map(|a| (a.get_ref().0.0, a.span()));
    let bare = raw.unicast_peers.iter().flat_map(Spanned::get_ref).chain(&raw.source);
    let bare = bare.map(|a| (a.get_ref().0, a.span()));
    for (address, span) in prefixed.chain(bare) {
        if Family::of(&address) != family {
            let message = format!(
                "{address} is {}, and this router's first address is {}: write a second [[router]] for the other family",
                Family::of(&address).as_str(),
                family.as_str()
            );
            judge.error(span, message);
        }
    }
}

fn version(judge: &mut Judge<'_>, raw: &raw::Router, index: usize, family: Family) -> Option<Version> {
    let Some(version) = &raw.version else {
        let mode =
            raw.mode.as_ref().filter(|_| raw.speaks() && !judge.had_its_error(&format!("router.{index}.version")));
        if let Some(mode) = mode {
            judge.error(
                mode.span(),
                "to speak, a router needs a `version`: add version = 2 (keepalived's default) or 3",
            );
        }
        return None;
    };
    if version.get_ref().get::<u8>() == 3 {
        return Some(Version::V3);
    }
    if family == Family::V6 {
        judge.error(version.span(), "VRRPv2 knows no IPv6: write version = 3");
    }
    Some(Version::V2)
}

fn interval(judge: &mut Judge<'_>, raw: &raw::Router, version: Option<Version>, family: Family) -> Option<Duration> {
    let key = raw.advert_interval.as_ref()?;
    let interval = key.get_ref().0;
    let v2 = interval.subsec_nanos() == 0 && (1..=255).contains(&interval.as_secs());
    let centiseconds = interval.as_nanos().is_multiple_of(10_000_000) && !interval.is_zero();
    let v3 = centiseconds && interval <= V3_INTERVAL_MAX;
    match version {
        Some(Version::V2) if !v2 => {
            judge.error(key.span(), "VRRPv2 counts whole seconds from 1s to 255s: write one of them, or version = 3");
        }
        Some(Version::V3) if !v3 => judge.error(key.span(), "VRRPv3 counts hundredths of a second from 10ms to 40.95s"),
        None if !v3 && (!v2 || family == Family::V6) => {
            judge.error(
                key.span(),
                "no version can advertise this: VRRPv2 has 1s to 255s, VRRPv3 10ms to 40.95s in steps of 10ms",
            );
        }
        _ => {}
    }
    Some(interval)
}

fn auth(judge: &mut Judge<'_>, raw: &raw::Router, version: Option<Version>, family: Family) -> Option<Auth> {
    let span = raw.auth_pass.as_ref().map(Spanned::span).or(raw.auth_pass_file.as_ref().map(Spanned::span))?;
    if version == Some(Version::V3) || family == Family::V6 {
        judge.error(
            span.clone(),
            "VRRPv3 has no authentication (RFC 5798 §9 removed it): remove the password, or write version = 2",
        );
    }
    let password = match (&raw.auth_pass, &raw.auth_pass_file) {
        (Some(_), Some(file)) => {
            judge.error(file.span(), "auth_pass is given too: keep one of the two");
            return None;
        }
        (Some(password), None) => password.get_ref().0.clone(),
        (None, file) => password_from(judge, file.as_ref()?)?,
    };
    let mut bytes = [0; PASSWORD_MAX_BYTES];
    match password.len() {
        0 => judge.error(span, "the password is empty: remove the key if none is used"),
        n if n > PASSWORD_MAX_BYTES => judge.error(
            span,
            format!("the password has {n} bytes, and VRRPv2 sends {PASSWORD_MAX_BYTES}: write the first {PASSWORD_MAX_BYTES}"),
        ),
        n => bytes[..n].copy_from_slice(password.as_bytes()),
    }
    Some(Auth::Password(bytes))
}

fn password_from(judge: &mut Judge<'_>, file: &Spanned<String>) -> Option<String> {
    let path = judge.sources.directory(file.span().start).join(file.get_ref());
    match files::password(&path) {
        Ok((password, exposed)) => {
            if exposed {
                judge.warn(file.span(), format!("everyone on this host may read {}: chmod o-r", path.display()));
            }
            Some(password)
        }
        Err(why) => {
            judge.error(file.span(), format!("{}: {why}", path.display()));
            None
        }
    }
}
