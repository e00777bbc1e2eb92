//! The keys of a router that takes keepalived's place.

use toml::Value;
use toml::map::Map;

use super::program::{notification, texts};
use super::{Toml, text};
use crate::config::keepalived::model::{Conf, Garp, Group, Instance, Notify, PRIORITY, Program, Track, TrackKind};
use crate::config::keepalived::place::{At, Notes};
use crate::config::keepalived::tree::shown;

/// What the kernel keeps of a process's name.
const PROCESS_MAX_BYTES: usize = 15;

/// Writes them.
pub(super) fn keys(conf: &Conf, instance: &Instance, user: &str, out: &mut Toml, notes: &mut Notes) {
    priority(instance, out, notes);
    if let Some(source) = &instance.source {
        out.key("source", text(source.value));
    }
    let starts_as_master = instance.starts_as_master.as_ref().is_some_and(|state| state.value);
    let nopreempt = instance.nopreempt.as_ref().filter(|_| !starts_as_master);
    if nopreempt.is_some() {
        out.key("preempt", false.into());
    }
    if let Some(delay) = &instance.preempt_delay {
        if nopreempt.is_some() {
            notes.lost(&delay.place, "`preempt_delay` has no effect beside `nopreempt`: remove it");
        } else {
            out.key("preempt_delay", text(humantime::format_duration(delay.value)));
        }
    }
    if let Some(delay) = &conf.globals.startup_delay {
        out.key("startup_delay", text(humantime::format_duration(delay.value)));
    }
    accept(conf, instance, out);
    if instance.vmac.is_some() {
        out.key("vmac", true.into());
    }
    if let Some(base) = &instance.vmac_xmit_base {
        if instance.vmac.is_some() {
            out.key("vmac_xmit_base", true.into());
        } else {
            notes.lost(base, "`vmac_xmit_base` has no effect without `use_vmac`: remove it");
        }
    }
    let group = conf.groups.iter().find(|group| group.members.iter().any(|name| name.value == instance.name.value));
    if let Some(group) = group {
        out.key("sync_group", text(&group.name.value));
    }
    tracks(conf, instance, group, out, notes);
    garp(&conf.globals.garp, &instance.garp, out);
    notify(conf, instance, user, out, notes);
}

fn priority(instance: &Instance, out: &mut Toml, notes: &mut Notes) {
    let given = instance.priority.as_ref().map_or(PRIORITY, |priority| priority.value);
    if let Some(owner) = instance.priority.as_ref().filter(|priority| priority.value == 255) {
        let says = "priority 255 is the owner's, whose addresses are the host's own, never added or removed; keepalived adds \
                    them all the same: 254 is taken; write 255 if they are configured on the host";
        notes.lost(&owner.place, says);
    }
    out.key("priority", Value::Integer(given.min(254).into()));
}

/// `vrrp_strict` drops what is sent to the addresses, unless told otherwise.
fn accept(conf: &Conf, instance: &Instance, out: &mut Toml) {
    let accept = instance.accept.as_ref().map_or(conf.globals.strict.is_none(), |accept| accept.value);
    if !accept {
        out.key("accept", false.into());
    }
}

fn tracks(conf: &Conf, instance: &Instance, group: Option<&Group>, out: &mut Toml, notes: &mut Notes) {
    let mut elements: Vec<Value> = Vec::new();
    let mut seen: Vec<(&'static str, String)> = Vec::new();
    for one in instance.track.iter().chain(group.iter().flat_map(|group| &group.track)) {
        let Some((key, name, weight, reverse)) = track(conf, one) else { continue };
        if seen.contains(&(key, name.clone())) {
            notes.lost(&one.place, format!("`{}` is tracked already: remove one of the two", shown(&one.value.name)));
            continue;
        }
        // keepalived does so, because its groups have one state.
        let is_own = instance.track.contains(one);
        let weight = if group.is_some() && is_own && weight != 0 {
            let says = format!(
                "`{}`: in a vrrp_sync_group keepalived makes the weights of its members' own 0, a fault: so it is written",
                shown(&one.value.name)
            );
            notes.hint(&one.place, says);
            0
        } else {
            weight
        };
        let mut element = Map::new();
        element.insert(key.into(), text(&name));
        if weight != 0 {
            element.insert("weight".into(), Value::Integer(weight.into()));
        }
        if reverse {
            element.insert("reverse".into(), Value::Boolean(true));
        }
        seen.push((key, name));
        elements.push(Value::Table(element));
    }
    if !elements.is_empty() {
        out.key("track", elements.into());
    }
}

/// The key, the name and the weight of something tracked, and whether in reverse; if vipwarden can track it.
fn track(conf: &Conf, one: &At<Track>) -> Option<(&'static str, String, i16, bool)> {
    let Track { kind, name, weight, reverse } = &one.value;
    let (key, found, default, default_reverse) = match kind {
        TrackKind::Script => {
            // One that is not defined was named already; one without a program can't be run.
            let script = conf.scripts.iter().find(|script| script.name.value == *name)?;
            script.program.as_ref()?;
            ("check", name.clone(), script.weight, script.reverse)
        }
        TrackKind::Interface => ("interface", name.clone(), 0, false),
        TrackKind::Process => {
            let process = conf.processes.iter().find(|process| process.name.value == *name)?;
            let program = process.process.as_ref()?;
            let base = program.value.rsplit('/').next().unwrap_or_default();
            let end = (0..=base.len().min(PROCESS_MAX_BYTES)).rev().find(|end| base.is_char_boundary(*end))?;
            ("process", base[..end].to_owned(), process.weight, process.reverse)
        }
        TrackKind::File => {
            let file = conf.files.iter().find(|file| file.name.value == *name)?;
            ("number", file.path.as_ref()?.value.clone(), file.weight, file.reverse)
        }
    };
    let reverse = *reverse || (default_reverse && weight.is_none());
    Some((key, found, weight.unwrap_or(default), reverse))
}

fn garp(global: &Garp, own: &Garp, out: &mut Toml) {
    let mut table = Map::new();
    if let Some(repeat) = own.repeat.as_ref().or(global.repeat.as_ref()) {
        table.insert("repeat".into(), Value::Integer(repeat.value.into()));
    }
    for (key, own, global) in [("delay", &own.delay, &global.delay), ("refresh", &own.refresh, &global.refresh)] {
        if let Some(time) = own.as_ref().or(global.as_ref()) {
            table.insert(key.into(), text(humantime::format_duration(time.value)));
        }
    }
    if !table.is_empty() {
        out.key("garp", Value::Table(table));
    }
}

fn notify(conf: &Conf, instance: &Instance, user: &str, out: &mut Toml, notes: &mut Notes) {
    let Notify { master, backup, fault, stop, any } = &instance.notify;
    let mut table = Map::new();
    let mut users: Vec<&str> = Vec::new();
    let named = instance.name.value.as_str();
    let priority = instance.priority.as_ref().map_or(PRIORITY, |priority| priority.value).to_string();
    for (key, state, own) in
        [("master", "MASTER", master), ("backup", "BACKUP", backup), ("fault", "FAULT", fault), ("stop", "STOP", stop)]
    {
        let Some(program) = own.as_ref().or(any.as_ref()) else { continue };
        let mut command = notification(&program.value, &program.place, notes);
        match (own, any) {
            (None, _) if !command.is_empty() => {
                command.extend(["INSTANCE", named, state, priority.as_str()].map(str::to_owned));
            }
            (Some(_), Some(any)) => {
                let says =
                    format!("`notify` stands beside `notify_{key}`, and one program is run for a state: the latter is");
                notes.lost(&any.place, says);
            }
            _ => {}
        }
        users.push(runs_as(&program.value, user));
        table.insert(key.into(), texts(&command));
    }
    if let Some(fifo) = &conf.globals.fifo {
        table.insert("fifo".into(), text(&fifo.value));
    }
    if let Some(first) = users.first() {
        if users.iter().any(|user| user != first) {
            let says = format!("the `notify_…` programs run as different users: all run as {} here", shown(first));
            notes.lost(&instance.name.place, says);
        }
        table.insert("user".into(), text(first));
    }
    if !table.is_empty() {
        out.key("notify", Value::Table(table));
    }
}

fn runs_as<'a>(program: &'a Program, user: &'a str) -> &'a str {
    program.user.as_deref().unwrap_or(user)
}
