//! What a `vrrp_instance` says.

use std::net::IpAddr;

use super::model::{Foreign, Instance};
use super::place::{At, Notes};
use super::read::{foreign, garp, notify, track, version};
use super::tree::{Item, shown};
use super::value::{address, nothing_behind, seconds, text, virtual_address, whole};
use super::words::Context;
use crate::wire::{Auth, Family};

/// keepalived's own bounds (`vrrp_parser.c` names them so in its messages).
const INTERVAL_MAX: f64 = 255.0;
const PREEMPT_DELAY_MAX: f64 = 1000.0;

/// A VRRPv2 password has 8 bytes on the wire (RFC 2338 §5.3.10).
const PASSWORD_MAX_BYTES: usize = 8;

/// The groups of RFC 9568 §5.1.
const GROUPS: [&str; 2] = ["224.0.0.18", "ff02::12"];

/// Takes in one line, or one block, of an instance.
pub(super) fn line(instance: &mut Instance, others: &mut Vec<Foreign>, item: &Item, notes: &mut Notes) {
    if identity(instance, item, notes)
        || election(instance, item, notes)
        || transmission(instance, item, notes)
        || blocks(instance, item, notes)
        || track(&mut instance.track, item, notes)
        || notify(&mut instance.notify, item, notes)
        || garp(&mut instance.garp, item.word(), item, notes)
    {
        if is_single(item.word()) {
            nothing_behind(item, 1, notes);
        }
        return;
    }
    if Context::Instance.knows(item.word()) {
        let name = shown(&instance.name.value);
        others.push(foreign(item, &format!("vrrp_instance {name}")));
    }
}

/// What an instance lacks, and what of it goes not together.
pub(super) fn complete(instance: &Instance, notes: &mut Notes) {
    let name = shown(&instance.name.value);
    let place = &instance.name.place;
    if instance.vrid.is_none() {
        let says = format!("{name} has no usable `virtual_router_id`: keepalived refuses it; write one from 1 to 255");
        notes.mistake(place, says);
    }
    if instance.interface.is_none() {
        let says = format!("{name} has no `interface`: write the one that its addresses go to");
        notes.mistake(place, says);
    }
    if instance.addresses.is_empty() {
        let says = format!("{name} has no usable address under `virtual_ipaddress`: write at least one");
        notes.mistake(place, says);
    }
    let starts_as_master = instance.starts_as_master.as_ref().is_some_and(|state| state.value);
    if let Some(nopreempt) = instance.nopreempt.as_ref().filter(|_| starts_as_master) {
        let says = "`nopreempt` has no effect beside `state MASTER`, and keepalived clears it: write `state BACKUP` on all \
                    nodes, or remove it; it is left out";
        notes.mistake(nopreempt, says);
    }
    let family = instance.family();
    for other in instance.addresses.iter().filter(|one| Some(Family::of(&one.value.address)) != family) {
        let says = format!(
            "{} is not of the family of the first address, and an advert has one family only: move it to an instance of its \
             own",
            other.value.address
        );
        notes.mistake(&other.place, says);
    }
}

/// True for words with exactly one value.
fn is_single(word: &str) -> bool {
    matches!(
        word,
        "state"
            | "interface"
            | "virtual_router_id"
            | "priority"
            | "advert_int"
            | "version"
            | "mcast_src_ip"
            | "unicast_src_ip"
            | "preempt_delay"
            | "mcast_dst_ip"
    )
}

fn identity(instance: &mut Instance, item: &Item, notes: &mut Notes) -> bool {
    match item.word() {
        "interface" => {
            once(&instance.interface, item, notes);
            instance.interface = text(item, notes).map(|name| At::new(name.to_owned(), &item.place));
        }
        "virtual_router_id" => {
            once(&instance.vrid, item, notes);
            instance.vrid = byte(item, notes);
        }
        "version" => instance.version = version(item, notes),
        "advert_int" => {
            once(&instance.advert_interval, item, notes);
            let interval = seconds(item, INTERVAL_MAX, notes);
            instance.advert_interval = interval.map(|interval| At::new(interval, &item.place));
        }
        _ => return false,
    }
    true
}

fn election(instance: &mut Instance, item: &Item, notes: &mut Notes) -> bool {
    let here = || Some(item.place.clone());
    match item.word() {
        "state" => {
            let state = text(item, notes);
            let known =
                state.and_then(|state| match state.trim_end_matches([';', ',']).to_ascii_uppercase().as_str() {
                    "MASTER" => Some(true),
                    "BACKUP" => Some(false),
                    _ => None,
                });
            if let (Some(state), None) = (state, known) {
                let says = format!("`state {}`: keepalived knows MASTER and BACKUP; write one", shown(state));
                notes.mistake(&item.place, says);
            }
            instance.starts_as_master = known.map(|known| At::new(known, &item.place));
        }
        "priority" => {
            once(&instance.priority, item, notes);
            instance.priority = byte(item, notes);
        }
        "nopreempt" => instance.nopreempt = here(),
        "preempt" => instance.nopreempt = None,
        "preempt_delay" => {
            let delay = seconds(item, PREEMPT_DELAY_MAX, notes);
            instance.preempt_delay = delay.map(|delay| At::new(delay, &item.place));
        }
        "accept" => instance.accept = Some(At::new(true, &item.place)),
        "no_accept" => instance.accept = Some(At::new(false, &item.place)),
        _ => return false,
    }
    true
}

fn transmission(instance: &mut Instance, item: &Item, notes: &mut Notes) -> bool {
    let one = |notes: &mut Notes| -> Option<At<IpAddr>> {
        let address = address(item.word(), text(item, notes)?, &item.place, notes)?;
        Some(At::new(address, &item.place))
    };
    match item.word() {
        "mcast_src_ip" | "unicast_src_ip" => {
            once(&instance.source, item, notes);
            instance.source = one(notes);
        }
        "mcast_dst_ip" => {
            instance.other_group = one(notes).filter(|group| !GROUPS.contains(&group.value.to_string().as_str()));
        }
        "check_unicast_src" => instance.check_unicast_source = Some(item.place.clone()),
        "use_vmac" => {
            instance.vmac = Some(item.place.clone());
            if let Some(name) = item.values().first() {
                let says = format!(
                    "`use_vmac {}`: the virtual MAC's interface gets a name of vipwarden's own, and its MAC is that of the RFC",
                    shown(name)
                );
                notes.lost(&item.place, says);
            }
        }
        "vmac_xmit_base" => instance.vmac_xmit_base = Some(item.place.clone()),
        _ => return false,
    }
    true
}

fn blocks(instance: &mut Instance, item: &Item, notes: &mut Notes) -> bool {
    let lines = item.inside.as_deref().unwrap_or_default();
    match item.word() {
        "virtual_ipaddress" | "virtual_ipaddress_excluded" => {
            let found = lines.iter().filter_map(|line| {
                let address = virtual_address(item.word(), line, notes)?;
                Some(At::new(address, &line.place))
            });
            let found: Vec<_> = found.collect();
            let list =
                if item.word() == "virtual_ipaddress" { &mut instance.addresses } else { &mut instance.excluded };
            for one in found {
                if list.iter().any(|other| other.value.address == one.value.address) {
                    let says = format!("{} stands here twice: remove one", one.value.address);
                    notes.mistake(&one.place, says);
                } else {
                    list.push(one);
                }
            }
        }
        "unicast_peer" => {
            for line in lines {
                let peer = address(item.word(), line.word(), &line.place, notes);
                instance.unicast_peers.extend(peer.map(|peer| At::new(peer, &line.place)));
            }
        }
        "authentication" => authentication(instance, lines, notes),
        // Outside of their block, where keepalived ignores them.
        "auth_type" | "auth_pass" => {
            let says = format!(
                "`{}` stands outside of `authentication {{ }}`, where keepalived ignores it: it is left out; put the block \
                 around it",
                item.word()
            );
            notes.mistake(&item.place, says);
        }
        _ => return false,
    }
    true
}

/// No note says anything of the password but its length.
fn authentication(instance: &mut Instance, lines: &[Item], notes: &mut Notes) {
    let mut kind = None;
    let mut password = None;
    for item in lines {
        match item.word() {
            "auth_type" => kind = text(item, notes).map(|kind| (kind.to_ascii_uppercase(), &item.place)),
            "auth_pass" => password = text(item, notes).map(|password| (password, &item.place)),
            _ => {}
        }
    }
    let auth = match (kind, password) {
        (Some((kind, place)), _) if kind == "AH" => Some((Auth::Header, place)),
        (Some((kind, place)), Some((password, _))) if kind == "PASS" => Some((simple(password, place, notes), place)),
        (Some((kind, place)), None) if kind == "PASS" => {
            notes.mistake(place, "`auth_type PASS` without `auth_pass`: write one, the same on all nodes");
            None
        }
        (Some((_, place)), _) => {
            notes.mistake(place, "this `auth_type` is none of PASS and AH: it is left out; write PASS");
            None
        }
        (None, Some((password, place))) => {
            notes.hint(place, "`auth_pass` without `auth_type`: keepalived takes it as PASS");
            Some((simple(password, place, notes), place))
        }
        (None, None) => None,
    };
    instance.auth = auth.map(|(auth, place)| At::new(auth, place)).or(instance.auth.take());
}

fn simple(password: &str, place: &super::place::Place, notes: &mut Notes) -> Auth {
    let bytes = password.as_bytes();
    if bytes.len() > PASSWORD_MAX_BYTES {
        let says = format!(
            "the password has {} bytes, of which VRRPv2 sends {PASSWORD_MAX_BYTES}: the first {PASSWORD_MAX_BYTES} are taken",
            bytes.len()
        );
        notes.hint(place, says);
    }
    let mut field = [0; PASSWORD_MAX_BYTES];
    field.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    Auth::Password(field)
}

/// 1 to 255.
fn byte(item: &Item, notes: &mut Notes) -> Option<At<u8>> {
    let number = whole(item, 1..=255, notes)?;
    u8::try_from(number).ok().map(|number| At::new(number, &item.place))
}

/// Says that a word stands in an instance twice: keepalived takes the last.
fn once<T>(before: &Option<At<T>>, item: &Item, notes: &mut Notes) {
    if let Some(before) = before {
        let says = format!(
            "`{}` stands already in line {}: the last one counts; remove the other",
            item.word(),
            before.place.line
        );
        notes.mistake(&item.place, says);
    }
}
