//! [`Conf`] → vipwarden's TOML, and notes on what is lost on the way.

mod foreign;
mod program;
mod speak;

use std::fmt::Write as _;

use toml::Value;

use super::model::{Conf, Instance, Virtual};
use super::place::{At, Note, Notes};
use super::tree::shown;
use crate::config::router::default_name;
use crate::wire::{Auth, Family, Version};

/// What vipwarden is to do with the routers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Stand beside keepalived.
    Watch,
    /// Take its place.
    Speak,
}

/// vipwarden's configuration for the same virtual routers, and everything that is to be said of the way there: the mistakes of the
/// file, and each directive that can't be carried over. `script_user` is whom keepalived runs scripts as where the file names
/// nobody: `keepalived_script` where that user exists, else `root`.
pub fn import(conf: &Conf, mode: Mode, script_user: &str) -> (String, Vec<Note>) {
    let mut notes = Notes(conf.notes.clone());
    let mut out = Toml(String::new());
    if let Some(id) = &conf.globals.router_id {
        out.section("[node]", &id.place.to_string());
        out.key("name", text(&id.value));
    }
    let user = conf.globals.script_user.as_ref().map_or(script_user, |user| &user.value);
    peers(conf, &mut out);
    if mode == Mode::Speak {
        program::checks(conf, user, &mut out, &mut notes);
    }
    let mut names = Vec::new();
    for instance in &conf.instances {
        router(conf, instance, mode, user, &mut names, &mut out, &mut notes);
    }
    foreign::name_all(conf, mode, &mut notes);
    notes.0.sort_by(|a, b| (&a.place, a.kind).cmp(&(&b.place, b.kind)));
    (out.0, notes.0)
}

/// Unicast peers have addresses, and no names; of multicast peers nothing is known.
fn peers(conf: &Conf, out: &mut Toml) {
    let mut seen = Vec::new();
    for peer in conf.instances.iter().flat_map(|instance| &instance.unicast_peers) {
        if !seen.contains(&peer.value) {
            seen.push(peer.value);
            out.section("[[peer]]", &peer.place.to_string());
            out.remark(&format!("name = {}", text(peer.value)), "better: its host's name");
            out.key("address", text(peer.value));
        }
    }
    if seen.is_empty() {
        out.comment(
            "keepalived.conf doesn't name the other node. Name it here, so that it is pinged and told from a stranger:",
        );
        out.comment("[[peer]]\n# name = \"lb02\"\n# address = \"10.0.0.6\"");
    }
}

fn router(
    conf: &Conf,
    instance: &Instance,
    mode: Mode,
    user: &str,
    names: &mut Vec<String>,
    out: &mut Toml,
    notes: &mut Notes,
) {
    let name = shown(&instance.name.value);
    let (Some(interface), Some(vrid), Some(family)) = (&instance.interface, &instance.vrid, instance.family()) else {
        notes.lost(&instance.name.place, format!("{name}: without what it lacks it makes no [[router]]"));
        return;
    };
    let mode = speakable(instance, family, mode, notes);
    out.section("[[router]]", &format!("vrrp_instance {name}, {}", instance.name.place));
    let addresses: Vec<_> = instance.advertised().map(|one| (one.value.address, one.value.prefix)).collect();
    let own = if names.contains(&instance.name.value) {
        default_name(&addresses, vrid.value)
    } else {
        instance.name.value.clone()
    };
    out.key("name", text(&own));
    names.push(own);
    if mode == Mode::Speak {
        out.key("mode", text("speak"));
    }
    out.key("interface", text(&interface.value));
    out.key("vrid", Value::Integer(vrid.value.into()));
    out.key("addresses", list(instance.advertised()));
    let excluded: Vec<_> = instance.excluded.iter().filter(|one| Family::of(&one.value.address) == family).collect();
    if !excluded.is_empty() {
        out.key("excluded_addresses", list(excluded));
    }
    lost_addresses(instance, family, notes);
    let version = conf.version(instance);
    out.key("version", Value::Integer(if version == Version::V2 { 2 } else { 3 }));
    interval(conf, instance, version, out, notes);
    auth(conf, instance, version, out, notes);
    if !instance.unicast_peers.is_empty() {
        out.key("unicast_peers", instance.unicast_peers.iter().map(|peer| text(peer.value)).collect::<Vec<_>>().into());
    }
    let only_known = instance.check_unicast_source.as_ref().or(conf.globals.check_unicast_source.as_ref());
    if only_known.is_some() && !instance.unicast_peers.is_empty() {
        out.key("only_known_speakers", true.into());
    }
    if mode == Mode::Speak {
        speak::keys(conf, instance, user, out, notes);
    }
}

/// An IPv6 router speaks only with a link-local address in front: until it has one, it is watched.
fn speakable(instance: &Instance, family: Family, mode: Mode, notes: &mut Notes) -> Mode {
    let first = instance.addresses.first().map(|first| (first.value.address, &first.place));
    let Some((std::net::IpAddr::V6(address), place)) = first.filter(|_| family == Family::V6 && mode == Mode::Speak)
    else {
        return mode;
    };
    if address.is_unicast_link_local() {
        return mode;
    }
    let says = "an IPv6 router advertises a link-local address first (RFC 9568 §5.2.9): written with mode = \"watch\"; put a \
                link-local address in front of its `addresses`, on all nodes, then write mode = \"speak\"";
    notes.lost(place, says);
    Mode::Watch
}

/// What of the addresses can't be carried over.
fn lost_addresses(instance: &Instance, family: Family, notes: &mut Notes) {
    let interface = instance.interface.as_ref().map(|interface| interface.value.as_str());
    for one in instance.addresses.iter().chain(&instance.excluded) {
        let Virtual { address, device, .. } = &one.value;
        if let Some(device) = device.as_deref().filter(|device| Some(*device) != interface) {
            let says = format!(
                "{address} `dev {}`: all addresses of a router go to its `interface`; write a [[router]] for that one",
                shown(device)
            );
            notes.lost(&one.place, says);
        }
        if Family::of(address) != family {
            let says = format!("{address} is of the other family: write a second [[router]] for it");
            notes.lost(&one.place, says);
        }
    }
}

fn interval(conf: &Conf, instance: &Instance, version: Version, out: &mut Toml, notes: &mut Notes) {
    let interval = conf.advert_interval(instance);
    let place = instance.advert_interval.as_ref().map_or(&instance.name.place, |interval| &interval.place);
    let fits = match version {
        Version::V2 => interval.subsec_nanos() == 0 && (1..=255).contains(&interval.as_secs()),
        Version::V3 => interval.as_millis().is_multiple_of(10) && (10..=40_950).contains(&interval.as_millis()),
    };
    if fits {
        out.key("advert_interval", text(humantime::format_duration(interval)));
        return;
    }
    let bounds = match version {
        Version::V2 => "VRRPv2 counts whole seconds from 1 to 255: write one, or `vrrp_version 3` on all nodes",
        Version::V3 => "VRRPv3 counts hundredths of a second from 0.01 to 40.95: write one of them",
    };
    notes.mistake(
        place,
        format!("`advert_int {}` can't be advertised, it is left out: {bounds}", interval.as_secs_f64()),
    );
}

/// The password goes to the TOML, which is meant to be read by its owner only, and into no note.
fn auth(conf: &Conf, instance: &Instance, version: Version, out: &mut Toml, notes: &mut Notes) {
    let Some(given) = &instance.auth else { return };
    if version == Version::V3 {
        let says = "VRRPv3 has no authentication (RFC 5798 §9), and keepalived leaves it out too: remove the block";
        notes.lost(&given.place, says);
        return;
    }
    match conf.auth(instance) {
        Auth::Password(bytes) => {
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            match std::str::from_utf8(&bytes[..end]) {
                Ok(password) => {
                    out.comment(
                        "on the wire in clear. Others may read this file? Then write auth_pass_file, and chmod 600 it",
                    );
                    out.key("auth_pass", text(password));
                }
                Err(_) => {
                    notes.lost(&given.place, "the first 8 bytes of the password end within a character: change it")
                }
            }
        }
        Auth::None => notes.lost(&given.place, "`vrrp_strict` allows no authentication, so keepalived uses none here"),
        _ => {
            let says = "`auth_type AH`: vipwarden reads such adverts and does not send them: use PASS, or none";
            notes.lost(&given.place, says);
        }
    }
}

fn list<'a>(addresses: impl IntoIterator<Item = &'a At<Virtual>>) -> Value {
    let one = |one: &At<Virtual>| text(format!("{}/{}", one.value.address, one.value.prefix));
    addresses.into_iter().map(one).collect::<Vec<_>>().into()
}

fn text(value: impl std::fmt::Display) -> Value {
    Value::String(value.to_string())
}

/// TOML in the making.
struct Toml(String);

impl Toml {
    fn section(&mut self, header: &str, origin: &str) {
        let gap = if self.0.is_empty() { "" } else { "\n" };
        // Writing to a String can't fail, here and below.
        let _ = writeln!(self.0, "{gap}{header}  # {}", one_line(origin));
    }

    fn key(&mut self, key: &str, value: Value) {
        let _ = writeln!(self.0, "{key} = {value}");
    }

    fn remark(&mut self, line: &str, remark: &str) {
        let _ = writeln!(self.0, "{line}  # {remark}");
    }

    fn comment(&mut self, text: &str) {
        let _ = writeln!(self.0, "# {text}");
    }
}

/// What may stand in a comment.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '·' } else { c }).collect()
}
