//! What vipwarden has no counterpart for, each with what to do instead.

use super::Mode;
use crate::config::keepalived::model::{Conf, Foreign, Instance};
use crate::config::keepalived::place::{Notes, Place};

/// Advice by the beginning of the word; the first that fits counts.
const ADVICE: &[(&str, &str)] = &[
    ("virtual_server", "vipwarden balances no load: keep keepalived, or ipvsadm, for it"),
    ("local_address_group", "vipwarden balances no load: keep keepalived, or ipvsadm, for it"),
    ("lvs_", "vipwarden balances no load: keep keepalived, or ipvsadm, for it"),
    ("SSL", "vipwarden balances no load: keep keepalived, or ipvsadm, for it"),
    ("checker_", "vipwarden balances no load: keep keepalived, or ipvsadm, for it"),
    ("rs_init_notifies", "vipwarden balances no load: keep keepalived, or ipvsadm, for it"),
    ("static_", "let the host's own network configuration do it"),
    ("virtual_routes", "let a `notify` program set the routes"),
    ("virtual_rules", "let a `notify` program set the rules"),
    ("smtp", "let Alertmanager send mail: alerts/ has the rules"),
    ("notification_email", "let Alertmanager send mail: alerts/ has the rules"),
    ("no_email", "let Alertmanager send mail: alerts/ has the rules"),
    ("no_checker_emails", "let Alertmanager send mail: alerts/ has the rules"),
    ("bfd", "vipwarden speaks no BFD: use a shorter advert_interval with version = 3"),
    ("track_bfd", "vipwarden speaks no BFD: use a shorter advert_interval with version = 3"),
    ("net_namespace", "start vipwarden in the namespace: ip netns exec NAME vipwarden run"),
    ("use_ipvlan", "vipwarden makes macvlans only: vmac = true, or none"),
    ("enable_snmp", "vipwarden has metrics, at /metrics, and no SNMP"),
    ("snmp_socket", "vipwarden has metrics, at /metrics, and no SNMP"),
    ("enable_traps", "vipwarden has metrics, at /metrics, and no SNMP"),
    ("enable_dbus", "vipwarden answers `vipwarden status --json` and /api/v1/status"),
    ("dbus_", "vipwarden answers `vipwarden status --json` and /api/v1/status"),
    ("startup_script", "use ExecStartPre= of the systemd unit"),
    ("shutdown_script", "use ExecStopPost= of the systemd unit"),
    ("notify_deleted", "a router that is removed by a reload runs its `stop` program"),
    ("notify_master_rx_lower_pri", "read the events: `vipwarden events`"),
    ("notify_fifo_script", "start a reader of the FIFO yourself"),
    ("vrrp_notify_fifo_script", "start a reader of the FIFO yourself"),
    ("dont_track_primary", "an interface that is down is a fault always"),
    ("down_timer_adverts", "the master down timer is 3 intervals, as in the RFC: remove it on all nodes"),
    ("vrrp_down_timer_adverts", "the master down timer is 3 intervals, as in the RFC: remove it on all nodes"),
    ("unicast_ttl", "adverts are sent with TTL 255"),
    ("old_unicast_checksum", "the other node must run keepalived 1.3.7 or newer"),
    ("vrrp_strict", "vipwarden keeps to the RFC without it"),
    ("vrf", "name the interface in it"),
    ("default_interface", "write an `interface` into each vrrp_instance"),
];

/// Words that change nothing for vipwarden: what they ask for is so anyway, or is keepalived's own affair.
const WITHOUT_LOSS: &[&str] = &[
    "enable_script_security",
    "dynamic_interfaces",
    "vrrp_skip_check_adv_addr",
    "skip_check_adv_addr",
    "native_ipv6",
    "debug",
    "use_pid_dir",
    "process_names",
    "process_name",
    "vrrp_process_name",
    "unicast_fault_no_peer",
];

/// Names everything that is lost.
pub(super) fn name_all(conf: &Conf, mode: Mode, notes: &mut Notes) {
    for one in &conf.foreign {
        // Beside keepalived nothing is lost but what decides how its adverts look.
        let counts = mode == Mode::Speak || matches!(one.word.as_str(), "down_timer_adverts" | "unicast_ttl");
        if counts && !WITHOUT_LOSS.contains(&one.word.as_str()) {
            notes.lost(&one.place, says(one));
        }
    }
    for instance in &conf.instances {
        if let Some(group) = &instance.other_group {
            other_group(&group.place, &group.value.to_string(), notes);
        }
        if mode == Mode::Watch {
            left_to_keepalived(instance, notes);
        }
    }
    for group in &conf.globals.other_group {
        other_group(&group.place, &group.value.to_string(), notes);
    }
    if mode == Mode::Speak {
        if let Some(strict) = &conf.globals.strict {
            let says =
                "`vrrp_strict`: vipwarden keeps to the RFC without it; of what it implies accept = false is written";
            notes.lost(strict, says);
        }
        for group in &conf.groups {
            let notify = &group.notify;
            let given = [&notify.master, &notify.backup, &notify.fault, &notify.stop, &notify.any];
            for program in given.into_iter().flatten() {
                let says = "a `notify…` of a vrrp_sync_group: write it into one of its members, which move together";
                notes.lost(&program.place, says);
            }
        }
    }
}

fn says(one: &Foreign) -> String {
    let Foreign { word, within, .. } = one;
    let advice = ADVICE.iter().find(|(begin, _)| word.starts_with(begin)).map(|(_, advice)| *advice);
    let advice = advice.unwrap_or("vipwarden has nothing like it; see whether you need it");
    let within = if within.is_empty() { String::new() } else { format!(" of {within}") };
    format!("`{word}`{within}: {advice}")
}

fn other_group(place: &Place, group: &str, notes: &mut Notes) {
    let says = format!(
        "adverts to the group {group}: vipwarden listens and sends to 224.0.0.18 and ff02::12 only, so it would be deaf to \
         these: use those on all nodes"
    );
    notes.lost(place, says);
}

/// What only the one who speaks acts upon, in one line.
fn left_to_keepalived(instance: &Instance, notes: &mut Notes) {
    let mut words: Vec<(&str, usize)> = Vec::new();
    let mut add = |word, place: Option<&Place>| words.extend(place.map(|place| (word, place.line)));
    add("priority", instance.priority.as_ref().map(|one| &one.place));
    add("source", instance.source.as_ref().map(|one| &one.place));
    add("nopreempt", instance.nopreempt.as_ref());
    add("preempt_delay", instance.preempt_delay.as_ref().map(|one| &one.place));
    add("use_vmac", instance.vmac.as_ref());
    add("no_accept", instance.accept.as_ref().map(|one| &one.place));
    add("track_…", instance.track.first().map(|one| &one.place));
    add("notify_master", instance.notify.master.as_ref().map(|one| &one.place));
    add("notify_backup", instance.notify.backup.as_ref().map(|one| &one.place));
    add("notify_fault", instance.notify.fault.as_ref().map(|one| &one.place));
    add("notify_stop", instance.notify.stop.as_ref().map(|one| &one.place));
    add("notify", instance.notify.any.as_ref().map(|one| &one.place));
    add("garp_master_…", instance.garp.delay.as_ref().map(|one| &one.place));
    if words.is_empty() {
        return;
    }
    let list: Vec<String> = words.iter().map(|(word, line)| format!("`{word}` (line {line})")).collect();
    let says = format!(
        "left to keepalived, as only who speaks acts upon it: {}. --mode speak carries it over",
        list.join(", ")
    );
    notes.hint(&instance.name.place, says);
}
