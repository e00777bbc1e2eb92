//! Blocks → [`Conf`]: everything but what an instance says.

use super::instance;
use super::model::{
    Conf, File, Foreign, Garp, Globals, Group, Instance, Notify, Process, Program, Script, Track, TrackKind,
};
use super::place::{At, Kind, Notes, Place};
use super::tree::{Item, shown};
use super::value::{self, number, seconds, text, whole};
use super::words::Context;
use crate::config::hint;
use crate::time::Duration;
use crate::wire::Version;

/// keepalived's own bound on times.
const SECONDS_MAX: f64 = 4_294.0;

/// The groups of RFC 9568 §5.1.
const GROUPS: [&str; 2] = ["224.0.0.18", "ff02::12"];

/// What the blocks say.
pub(super) fn read(items: &[Item], mut notes: Notes) -> Conf {
    let mut conf = Conf::default();
    for (i, item) in items.iter().enumerate() {
        if Context::Instance.knows(item.word()) && Context::Top.opens(item.word()).is_none_or(|_| is_use(item)) {
            stray(&mut conf, items, i, &mut notes);
        } else {
            block(&mut conf, item, &mut notes);
        }
    }
    together(&mut conf, &mut notes);
    notes.0.sort_by(|a, b| (&a.place, a.kind).cmp(&(&b.place, b.kind)));
    conf.notes = notes.0;
    conf
}

/// True if a `track_process` or `track_file` at the top is not the definition of one but a list of names, lost by its instance.
fn is_use(item: &Item) -> bool {
    item.values().is_empty()
}

fn block(conf: &mut Conf, item: &Item, notes: &mut Notes) {
    let inside = item.inside.as_deref().unwrap_or_default();
    match item.word() {
        "global_defs" => {
            for line in inside {
                globals(&mut conf.globals, &mut conf.foreign, line, notes);
            }
        }
        "vrrp_instance" => {
            let Some(name) = named(item, notes) else { return };
            let mut instance = Instance::new(name);
            for line in inside {
                instance::line(&mut instance, &mut conf.foreign, line, notes);
            }
            conf.instances.push(instance);
        }
        "vrrp_script" => conf.scripts.extend(named(item, notes).map(|name| script(name, inside, notes))),
        "vrrp_track_process" | "track_process" => {
            conf.processes.extend(named(item, notes).map(|name| process(name, inside, &mut conf.foreign, notes)));
        }
        "vrrp_track_file" | "track_file" => {
            conf.files.extend(named(item, notes).map(|name| file(name, inside, notes)));
        }
        "vrrp_sync_group" => {
            let Some(name) = named(item, notes) else { return };
            let group = group(name, inside, &mut conf.foreign, notes);
            conf.groups.push(group);
        }
        word if Context::Top.knows(word) => conf.foreign.push(foreign(item, "")),
        // What nobody knows was named already.
        _ => {}
    }
}

/// The name of a block.
fn named(item: &Item, notes: &mut Notes) -> Option<At<String>> {
    let name = text(item, notes)?;
    value::nothing_behind(item, 1, notes);
    Some(At::new(name.to_owned(), &item.place))
}

/// A word that vipwarden has nothing for.
pub(super) fn foreign(item: &Item, within: &str) -> Foreign {
    Foreign { word: item.word().into(), place: item.place.clone(), within: within.into() }
}

/// A line of an instance that stands outside of all: taken where it is clear whose it is.
fn stray(conf: &mut Conf, items: &[Item], index: usize, notes: &mut Notes) {
    let item = &items[index];
    let word = item.word();
    let of_instances = |items: &[Item]| items.iter().filter(|other| other.word() == "vrrp_instance").count();
    // Only strays lie between it and its instance, or there is one instance only.
    let before = items[..index].iter().rev().find(|other| !Context::Instance.knows(other.word()));
    let follows = before.is_some_and(|other| other.word() == "vrrp_instance");
    let owner = match of_instances(items) {
        1 if conf.instances.len() == 1 => conf.instances.last_mut(),
        _ if follows => conf.instances.last_mut(),
        _ => None,
    };
    match owner {
        Some(instance) => {
            let says = format!(
                "`{word}` stands outside of vrrp_instance, where keepalived ignores it: it is taken for {} (line {}), the \
                 only one that it can belong to; move it in",
                shown(&instance.name.value),
                instance.name.place.line
            );
            notes.mistake(&item.place, says);
            instance::line(instance, &mut conf.foreign, item, notes);
        }
        None => {
            let says = format!(
                "`{word}` stands outside of vrrp_instance, where keepalived ignores it, and it is not clear to which it \
                 belongs: it is left out; move it into its vrrp_instance"
            );
            notes.mistake(&item.place, says);
        }
    }
}

fn globals(globals: &mut Globals, others: &mut Vec<Foreign>, item: &Item, notes: &mut Notes) {
    let at = |seconds: Option<Duration>| seconds.map(|seconds| At::new(seconds, &item.place));
    match item.word() {
        "router_id" => globals.router_id = text(item, notes).map(|id| At::new(id.to_owned(), &item.place)),
        "vrrp_version" => globals.version = version(item, notes),
        "vrrp_startup_delay" => globals.startup_delay = at(seconds(item, SECONDS_MAX, notes)),
        "vrrp_strict" => globals.strict = Some(item.place.clone()),
        "vrrp_check_unicast_src" => globals.check_unicast_source = Some(item.place.clone()),
        "vrrp_mcast_group4" | "vrrp_mcast_group6" => {
            let group = text(item, notes).and_then(|text| value::address(item.word(), text, &item.place, notes));
            let group = group.filter(|group| !GROUPS.contains(&group.to_string().as_str()));
            globals.other_group.extend(group.map(|group| At::new(group, &item.place)));
        }
        "script_user" => globals.script_user = text(item, notes).map(|user| At::new(user.to_owned(), &item.place)),
        "vrrp_notify_fifo" | "notify_fifo" => {
            globals.fifo = text(item, notes).map(|fifo| At::new(fifo.to_owned(), &item.place));
        }
        word => {
            let is_garp = word.strip_prefix("vrrp_").is_some_and(|word| garp(&mut globals.garp, word, item, notes));
            if !is_garp && Context::Globals.knows(word) {
                others.push(foreign(item, "global_defs"));
            }
        }
    }
}

/// Takes in a `garp_master_…`; false if it is none.
pub(super) fn garp(garp: &mut Garp, word: &str, item: &Item, notes: &mut Notes) -> bool {
    match word {
        "garp_master_repeat" => {
            let repeat = whole(item, 0..=100, notes).and_then(|repeat| u8::try_from(repeat).ok());
            garp.repeat = repeat.map(|repeat| At::new(repeat, &item.place));
        }
        "garp_master_delay" => garp.delay = seconds(item, SECONDS_MAX, notes).map(|time| At::new(time, &item.place)),
        "garp_master_refresh" => {
            garp.refresh = seconds(item, SECONDS_MAX, notes).map(|time| At::new(time, &item.place));
        }
        _ => return false,
    }
    true
}

/// `version` or `vrrp_version`.
pub(super) fn version(item: &Item, notes: &mut Notes) -> Option<At<Version>> {
    let version = whole(item, 2..=3, notes)?;
    Some(At::new(if version == 2 { Version::V2 } else { Version::V3 }, &item.place))
}

fn script(name: At<String>, lines: &[Item], notes: &mut Notes) -> Script {
    let interval = Duration::from_secs(1);
    let mut script = Script {
        name,
        program: None,
        interval,
        timeout: None,
        weight: 0,
        reverse: false,
        rise: 1,
        fall: 1,
        user: None,
    };
    for item in lines {
        match item.word() {
            "script" => script.program = text(item, notes).map(|_| At::new(item.values().join(" "), &item.place)),
            "interval" => script.interval = seconds(item, SECONDS_MAX, notes).unwrap_or(script.interval),
            "timeout" => script.timeout = seconds(item, SECONDS_MAX, notes),
            "weight" => (script.weight, script.reverse) = weight(item, notes),
            "rise" => script.rise = count(item, notes),
            "fall" => script.fall = count(item, notes),
            "user" => script.user = text(item, notes).map(str::to_owned),
            "init_fail" => {
                let says = "`init_fail`: a check counts neither way until its first run, which comes at once";
                notes.lost(&item.place, says);
            }
            _ => {}
        }
        if matches!(item.word(), "interval" | "timeout" | "rise" | "fall") {
            value::nothing_behind(item, 1, notes);
        }
    }
    if script.program.is_none() {
        let says = format!("vrrp_script {} has no `script`: it checks nothing; write one", shown(&script.name.value));
        notes.mistake(&script.name.place, says);
    }
    script
}

/// `rise` or `fall`.
fn count(item: &Item, notes: &mut Notes) -> u32 {
    whole(item, 1..=1000, notes).and_then(|count| u32::try_from(count).ok()).unwrap_or(1)
}

/// The default weight of what is tracked.
fn weight(item: &Item, notes: &mut Notes) -> (i16, bool) {
    let weight = whole(item, -253..=253, notes).and_then(|weight| i16::try_from(weight).ok()).unwrap_or(0);
    (weight, item.values().iter().any(|word| word == "reverse"))
}

fn process(name: At<String>, lines: &[Item], others: &mut Vec<Foreign>, notes: &mut Notes) -> Process {
    let within = format!("vrrp_track_process {}", shown(&name.value));
    let mut process = Process { name, process: None, weight: 0, reverse: false };
    for item in lines {
        match item.word() {
            "process" => process.process = text(item, notes).map(|text| At::new(text.to_owned(), &item.place)),
            "weight" => (process.weight, process.reverse) = weight(item, notes),
            word if Context::Process.knows(word) => others.push(foreign(item, &within)),
            _ => {}
        }
    }
    process
}

fn file(name: At<String>, lines: &[Item], notes: &mut Notes) -> File {
    let mut file = File { name, path: None, weight: 1, reverse: false };
    for item in lines {
        match item.word() {
            "file" => file.path = text(item, notes).map(|text| At::new(text.to_owned(), &item.place)),
            "weight" => (file.weight, file.reverse) = weight(item, notes),
            "init_file" => {
                notes.lost(&item.place, "`init_file`: a file that isn't there counts as 0; write it yourself")
            }
            _ => {}
        }
    }
    if file.path.is_none() {
        let says = format!("track_file {} has no `file`: it tracks nothing; write one", shown(&file.name.value));
        notes.mistake(&file.name.place, says);
    }
    file
}

fn group(name: At<String>, lines: &[Item], others: &mut Vec<Foreign>, notes: &mut Notes) -> Group {
    let within = format!("vrrp_sync_group {}", shown(&name.value));
    let mut group = Group { name, members: Vec::new(), track: Vec::new(), notify: Notify::default() };
    for item in lines {
        if item.word() == "group" {
            let names = item.inside.iter().flatten().flat_map(|line| line.words.iter().map(|word| (word, &line.place)));
            group.members.extend(names.map(|(name, place)| At::new(name.clone(), place)));
        } else if !(track(&mut group.track, item, notes) || notify(&mut group.notify, item, notes))
            && Context::Group.knows(item.word())
        {
            others.push(foreign(item, &within));
        }
    }
    group
}

/// Takes in a `track_…` block; false if it is none.
pub(super) fn track(tracked: &mut Vec<At<Track>>, item: &Item, notes: &mut Notes) -> bool {
    let kind = match item.word() {
        "track_script" => TrackKind::Script,
        "track_interface" => TrackKind::Interface,
        "track_process" => TrackKind::Process,
        "track_file" => TrackKind::File,
        _ => return false,
    };
    for line in item.inside.iter().flatten() {
        // `chk_nginx weight -20 reverse`
        let given = value::option(line, "weight");
        let weight = given.and_then(|text| number("weight", text, &line.place, -253..=253, notes));
        let weight = weight.and_then(|weight| i16::try_from(weight).ok());
        let reverse = line.values().iter().any(|word| word == "reverse");
        let known = |word: &String| matches!(word.as_str(), "weight" | "reverse" | "noreverse" | "no_reverse");
        if let Some(odd) = line.values().iter().find(|word| !known(word) && Some(word.as_str()) != given) {
            let says = format!("`{}` behind a tracked thing says nothing: write one thing a line", shown(odd));
            notes.mistake(&line.place, says);
        }
        tracked.push(At::new(Track { kind, name: line.word().into(), weight, reverse }, &line.place));
    }
    true
}

/// Takes in a `notify_…`; false if it is none that vipwarden has.
pub(super) fn notify(notify: &mut Notify, item: &Item, notes: &mut Notes) -> bool {
    let slot = match item.word() {
        "notify_master" => &mut notify.master,
        "notify_backup" => &mut notify.backup,
        "notify_fault" => &mut notify.fault,
        "notify_stop" => &mut notify.stop,
        "notify" => &mut notify.any,
        _ => return false,
    };
    if let Some(line) = text(item, notes) {
        let program = Program { line: line.into(), user: item.values().get(1).cloned() };
        *slot = Some(At::new(program, &item.place));
    }
    true
}

/// What can be said only once everything is read.
fn together(conf: &mut Conf, notes: &mut Notes) {
    let instances: Vec<&str> = conf.instances.iter().map(|instance| instance.name.value.as_str()).collect();
    for group in &conf.groups {
        for member in &group.members {
            known("vrrp_instance", &member.value, &member.place, &instances, notes);
        }
    }
    let names = |list: &[At<String>]| list.iter().map(|name| name.value.clone()).collect::<Vec<_>>();
    let scripts: Vec<_> = conf.scripts.iter().map(|script| script.name.clone()).collect();
    let processes: Vec<_> = conf.processes.iter().map(|process| process.name.clone()).collect();
    let files: Vec<_> = conf.files.iter().map(|file| file.name.clone()).collect();
    let tracks = conf.instances.iter().flat_map(|instance| &instance.track);
    for one in tracks.chain(conf.groups.iter().flat_map(|group| &group.track)) {
        let (kind, defined) = match one.value.kind {
            TrackKind::Script => ("vrrp_script", names(&scripts)),
            TrackKind::Process => ("vrrp_track_process", names(&processes)),
            TrackKind::File => ("track_file", names(&files)),
            TrackKind::Interface => continue,
        };
        let defined: Vec<&str> = defined.iter().map(String::as_str).collect();
        if known(kind, &one.value.name, &one.place, &defined, notes)
            && let Some(script) = scripts.iter().find(|script| script.value == one.value.name)
            && one.value.kind == TrackKind::Script
            && script.place > one.place
        {
            let says = format!(
                "`{}` is defined below its use, in line {}: keepalived minds in some versions; move it up",
                shown(&script.value),
                script.place.line
            );
            notes.hint(&one.place, says);
        }
    }
    for instance in &conf.instances {
        instance::complete(instance, notes);
    }
    twice(&scripts, "vrrp_script", notes);
    let instances: Vec<_> = conf.instances.iter().map(|instance| instance.name.clone()).collect();
    twice(&instances, "vrrp_instance", notes);
}

/// Says that a name is used and not defined; true if it is.
fn known(kind: &str, name: &str, place: &Place, defined: &[&str], notes: &mut Notes) -> bool {
    if defined.contains(&name) {
        return true;
    }
    let advice = match hint::nearest(name, defined.iter().copied()).or(match defined {
        [only] => Some(only),
        _ => None,
    }) {
        Some(near) => format!("did you mean `{}`? Then write that", shown(near)),
        None => "define it, or remove this line".into(),
    };
    let says = format!("there is no {kind} `{}`, so keepalived ignores this: it is left out; {advice}", shown(name));
    notes.mistake(place, says);
    false
}

/// Says which names are defined twice.
fn twice(names: &[At<String>], kind: &str, notes: &mut Notes) {
    for (i, name) in names.iter().enumerate() {
        if let Some(first) = names[..i].iter().find(|first| first.value == name.value) {
            let says = format!("{kind} `{}` stands already at {}: rename one", shown(&name.value), first.place);
            notes.add(Kind::Mistake, &name.place, says);
        }
    }
}
