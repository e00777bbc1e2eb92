//! The table: each metric once, with its name, help, type, labels and where its samples come from.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Add;

use crate::detect::{FENCE_BUCKETS, GAP_BUCKETS, RTT_BUCKETS, RouterView, SpeakerView, State, Verdict};
use crate::engine::LAG_BUCKETS;
use crate::observe::{DaemonState, Reach, Tap};
use crate::sys::process::ProcessStats;
use crate::time::WallClock;

use super::family::Read::{Everywhere, Leased, Members, Node, Speaker};
use super::family::{Facts, Family, Kind, Read, Samples};

use Kind::{Counter, Gauge, Histogram};

/// Every metric that is exported.
pub static FAMILIES: &[Family] = &[
    row(
        "vrrp_router_info",
        "A virtual router that is seen: the protocol version of its master, and this node's relation to it.",
        Gauge,
        &["version", "mode", "role"],
        Everywhere(|r, _, out| {
            let version = r.version.map_or_else(String::new, |v| v.to_string());
            out.put(&[&version, r.mode(), r.role.as_str()], 1.0);
        }),
    ),
    row(
        "vrrp_state",
        "This node's own state: its speaker's; watching, told from its own adverts and the daemon's socket.",
        Gauge,
        &["state"],
        Members(|r, _, out| State::ALL.iter().for_each(|s| out.flag(&[s.as_str()], *s == r.state))),
    ),
    row(
        "vrrp_state_transitions_total",
        "Changes of this node's own state, by the state entered.",
        Counter,
        &["to"],
        Members(|r, _, out| {
            for (state, count) in State::ALL.iter().zip(r.state_transitions) {
                out.put(&[state.as_str()], count as f64);
            }
        }),
    ),
    row(
        "vrrp_verdict",
        "The verdict on the virtual router.",
        Gauge,
        &["verdict"],
        Members(|r, _, out| Verdict::ALL.iter().for_each(|v| out.flag(&[v.as_str()], *v == r.verdict))),
    ),
    row(
        "vrrp_verdict_since_timestamp_seconds",
        "Since when the verdict stands.",
        Gauge,
        &[],
        Everywhere(|r, clock, out| out.put(&[], clock.unix_seconds(r.since))),
    ),
    row(
        "vrrp_split_brain",
        "1 from the proof that two nodes hold the virtual IP until health is proven, through blindness too.",
        Gauge,
        &[],
        Everywhere(|r, _, out| out.flag(&[], r.split_brain)),
    ),
    row(
        "vrrp_cause",
        "An active cause of the verdict; 1 on the node where the remedy applies.",
        Gauge,
        &["cause"],
        Everywhere(causes),
    ),
    row(
        "vrrp_split_brain_episodes_total",
        "Splits that lasted longer than a takeover.",
        Counter,
        &[],
        Everywhere(|r, _, out| out.put(&[], r.split_brain_episodes as f64)),
    ),
    row(
        "vrrp_split_brain_seconds_total",
        "Time spent split, takeovers not counted.",
        Counter,
        &[],
        Everywhere(|r, _, out| out.put(&[], r.split_brain_time.as_secs_f64())),
    ),
    row(
        "vrrp_takeover_overlap_seconds_total",
        "Time for which two masters overlapped while a takeover settled.",
        Counter,
        &[],
        Members(|r, _, out| out.put(&[], r.takeover_overlap.as_secs_f64())),
    ),
    row(
        "vrrp_no_master",
        "1 while nobody serves the virtual IP.",
        Gauge,
        &[],
        Everywhere(|r, _, out| out.flag(&[], r.no_master)),
    ),
    row(
        "vrrp_masters",
        "Masters believed active now.",
        Gauge,
        &[],
        Everywhere(|r, _, out| out.put(&[], r.masters.len() as f64)),
    ),
    row(
        "vrrp_master_transitions_total",
        "Changes of master; frozen during a split.",
        Counter,
        &[],
        Everywhere(|r, _, out| out.put(&[], r.master_transitions as f64)),
    ),
    row(
        "vrrp_last_transition_timestamp_seconds",
        "The last change of master.",
        Gauge,
        &[],
        Members(|r, clock, out| {
            if let Some(at) = r.last_transition {
                out.put(&[], clock.unix_seconds(at));
            }
        }),
    ),
    row(
        "vrrp_speaker_master",
        "1 for a speaker that is believed to be an active master.",
        Gauge,
        &["source", "local"],
        Everywhere(|r, _, out| {
            let is_master = |s: &SpeakerView| f64::from(u8::from(s.master));
            by_source(r, out, Some("true"), f64::max, |s| s.local.then(|| is_master(s)));
            by_source(r, out, Some("false"), f64::max, |s| (!s.local).then(|| is_master(s)));
        }),
    ),
    row(
        "vrrp_speaker_priority",
        "The priority that a speaker advertises.",
        Gauge,
        &["source"],
        Everywhere(|r, _, out| by_source(r, out, None, f64::max, |s| Some(f64::from(s.priority)))),
    ),
    row(
        "vrrp_speaker_advert_interval_seconds",
        "The advertisement interval that a speaker advertises.",
        Gauge,
        &["source"],
        Members(|r, _, out| by_source(r, out, None, f64::max, |s| Some(s.interval.as_secs_f64()))),
    ),
    row(
        "vrrp_adverts_received_total",
        "Adverts of other nodes, on the wire.",
        Counter,
        &["source"],
        Everywhere(|r, _, out| by_source(r, out, None, f64::add, |s| (!s.local).then_some(s.received as f64))),
    ),
    row(
        "vrrp_adverts_delivered_total",
        "Adverts of other nodes that got past ingress (tap ip), and past netfilter (tap raw).",
        Counter,
        &["source", "tap"],
        Members(|r, _, out| {
            for tap in [Tap::Ip, Tap::Raw] {
                let count = |s: &SpeakerView| s.delivered.map(|delivered| delivered[tap as usize].1 as f64);
                by_source(r, out, Some(tap.as_str()), f64::add, count);
            }
        }),
    ),
    row(
        "vrrp_adverts_sent_total",
        "Adverts that left this host.",
        Counter,
        &[],
        Members(|r, _, out| out.put(&[], r.adverts_sent as f64)),
    ),
    row(
        "vrrp_adverts_missed_total",
        "Adverts that a master should have sent and that did not come.",
        Counter,
        &["source"],
        Everywhere(|r, _, out| by_source(r, out, None, f64::add, |s| Some(s.missed as f64))),
    ),
    row(
        "vrrp_last_advert_timestamp_seconds",
        "A speaker's last advert.",
        Gauge,
        &["source"],
        Everywhere(|r, clock, out| {
            by_source(r, out, None, f64::max, |s| Some(clock.unix_seconds(s.last_advert)));
        }),
    ),
    row(
        "vrrp_advert_gap_intervals",
        "Time between two adverts as a multiple of the advertised interval.",
        Histogram,
        &[],
        Members(|r, _, out| out.histogram(&[], &GAP_BUCKETS, &r.gaps)),
    ),
    row(
        "vrrp_priority_zero_received_total",
        "Adverts of priority 0 heard from others: a master that stepped down.",
        Counter,
        &[],
        Members(|r, _, out| out.put(&[], r.priority_zero_received as f64)),
    ),
    row(
        "vrrp_priority",
        "The configured priority, and what tracking left of it; effective is absent while there is none: a fault.",
        Gauge,
        &["kind"],
        Speaker(|s, out| {
            out.put(&["base"], f64::from(s.base));
            s.effective.iter().for_each(|effective| out.put(&["effective"], f64::from(*effective)));
        }),
    ),
    row(
        "vrrp_garp_sent_total",
        "Gratuitous ARPs and unsolicited neighbour advertisements sent.",
        Counter,
        &[],
        Speaker(|s, out| out.put(&[], s.garp_sent as f64)),
    ),
    row(
        "vrrp_priority_zero_sent_total",
        "Adverts of priority 0 sent: mastership given away.",
        Counter,
        &[],
        Speaker(|s, out| out.put(&[], s.priority_zero_sent as f64)),
    ),
    row(
        "vrrp_notify_failures_total",
        "Notify commands that failed, timed out or were dropped.",
        Counter,
        &[],
        Speaker(|s, out| out.put(&[], s.notify_failures as f64)),
    ),
    row(
        "vrrp_track_up",
        "1 if the tracked thing is up; absent until that is known.",
        Gauge,
        &["track", "kind"],
        Speaker(|s, out| {
            for track in &s.tracks {
                track.up.iter().for_each(|up| out.flag(&[&track.name, &track.kind], *up));
            }
        }),
    ),
    row(
        "vrrp_fenced",
        "1 while the router is fenced: it dropped its addresses and stays out.",
        Gauge,
        &[],
        Speaker(|s, out| out.flag(&[], s.fenced.is_some())),
    ),
    row(
        "vrrp_gate_open",
        "1 while the kernel lets the addresses answer; absent where no gate stands before them.",
        Gauge,
        &[],
        Speaker(|s, out| s.gate_open.iter().for_each(|open| out.flag(&[], *open))),
    ),
    row(
        "vrrp_fences_total",
        "Fences, by reason.",
        Counter,
        &["reason"],
        Speaker(|s, out| s.fences.iter().for_each(|(reason, count)| out.put(&[reason], *count as f64))),
    ),
    row(
        "vrrp_fence_duration_seconds",
        "From the evidence until the addresses are gone, confirmed by the kernel.",
        Histogram,
        &[],
        Speaker(|s, out| out.histogram(&[], &FENCE_BUCKETS, &s.fence_durations)),
    ),
    row(
        "vrrp_address_lifetime_seconds",
        "How long the kernel keeps the addresses after this daemon's last word; absent where it keeps them for ever.",
        Gauge,
        &[],
        Speaker(|s, out| s.address_lifetime.iter().for_each(|lifetime| out.put(&[], lifetime.as_secs_f64()))),
    ),
    row(
        "vrrp_promotion_probes_total",
        "Questions to the host of a master that fell silent, whether it still has the addresses.",
        Counter,
        &[],
        Speaker(|s, out| out.put(&[], s.promotion.asked as f64)),
    ),
    row(
        "vrrp_promotion_probes_answered_total",
        "Those questions that were answered: the host has the addresses.",
        Counter,
        &[],
        Speaker(|s, out| out.put(&[], s.promotion.answered as f64)),
    ),
    row(
        "vrrp_promotions_held_off_total",
        "Takeovers from silence that were put off because the host went on answering.",
        Counter,
        &[],
        Speaker(|s, out| out.put(&[], s.promotion.held_off as f64)),
    ),
    row(
        "vrrp_arbiter_up",
        "1 if the arbiter answers; absent where none is asked.",
        Gauge,
        &[],
        Leased(|leased, _, out| out.flag(&[], leased.up)),
    ),
    row(
        "vrrp_arbiter_hold_remaining_seconds",
        "How long this node may hold without another word from the arbiter; 0 while it may not.",
        Gauge,
        &[],
        Leased(|leased, now, out| {
            out.put(&[], leased.until.map_or(0.0, |until| until.since(now).as_secs_f64()));
        }),
    ),
    row(
        "vrrp_vip_owned",
        "1 if the address is on this node and usable.",
        Gauge,
        &["address"],
        Members(|r, _, out| r.addresses.iter().for_each(|a| out.flag(&[&a.address.to_string()], a.owned))),
    ),
    row(
        "vrrp_vip_claimants",
        "Distinct hosts that answer for the address; absent where it is not probed.",
        Gauge,
        &["address"],
        Members(|r, _, out| {
            for a in &r.addresses {
                if let Some(claimants) = &a.claimants {
                    out.put(&[&a.address.to_string()], claimants.len() as f64);
                }
            }
        }),
    ),
    row(
        "vrrp_vip_misdirected",
        "1 if the last host that announced the address is not its only advertiser: clients' caches point at the wrong node.",
        Gauge,
        &["address"],
        Members(|r, _, out| r.addresses.iter().for_each(|a| out.flag(&[&a.address.to_string()], a.misdirected))),
    ),
    row(
        "vrrp_adverts_rejected_total",
        "Adverts that were refused; vrid is empty where it could not be read.",
        Counter,
        &["interface", "vrid", "reason"],
        Node(|f, out| {
            for r in &f.snapshot.rejected {
                let vrid = r.vrid.map_or_else(String::new, |vrid| vrid.to_string());
                out.put(&[&r.interface, &vrid, r.reason.as_str()], r.count as f64);
            }
        }),
    ),
    row(
        "vrrp_local_daemon_up",
        "1 if some process on this host has a VRRP socket; absent where it can't be told.",
        Gauge,
        &["family"],
        Node(|f, out| {
            for (family, state) in &f.snapshot.daemons {
                match state {
                    DaemonState::Alive | DaemonState::Frozen => out.flag(&[family.as_str()], true),
                    DaemonState::Absent => out.flag(&[family.as_str()], false),
                    DaemonState::Unknown => {}
                }
            }
        }),
    ),
    row(
        "vrrp_peer_up",
        "1 if the peer answers on the channel; absent before the first answer or loss.",
        Gauge,
        &["peer", "channel"],
        Node(|f, out| {
            for peer in &f.snapshot.peers {
                if let Some(up) = peer.reach.up {
                    out.flag(&[&peer.reach.name, "ping"], up);
                }
                if let Some(up) = peer.api {
                    out.flag(&[&peer.reach.name, "api"], up);
                }
            }
        }),
    ),
    row(
        "vrrp_peer_rtt_seconds",
        "Round trips of pings to the peer.",
        Histogram,
        &["peer"],
        Node(|f, out| reached(f).for_each(|r| out.histogram(&[&r.name], &RTT_BUCKETS, &r.rtts))),
    ),
    row(
        "vrrp_peer_probes_total",
        "Pings sent to the peer.",
        Counter,
        &["peer"],
        Node(|f, out| reached(f).for_each(|r| out.put(&[&r.name], r.probes as f64))),
    ),
    row(
        "vrrp_peer_probes_lost_total",
        "Pings to the peer that were not answered.",
        Counter,
        &["peer"],
        Node(|f, out| reached(f).for_each(|r| out.put(&[&r.name], r.lost as f64))),
    ),
    row(
        "vrrp_witness_up",
        "1 if the witness answers; absent before the first answer or loss.",
        Gauge,
        &["witness"],
        Node(|f, out| {
            for witness in &f.snapshot.witnesses {
                if let Some(up) = witness.up {
                    out.flag(&[&witness.name], up);
                }
            }
        }),
    ),
    row(
        "vrrp_sensor_up",
        "1 if the sensor sees; 0 if it is blind.",
        Gauge,
        &["sensor", "interface"],
        Node(|f, out| {
            f.snapshot.sensors.iter().for_each(|s| out.flag(&[s.sensor.as_str(), &s.interface], s.state.is_ok()));
        }),
    ),
    row(
        "vrrp_table_full_total",
        "How often a bounded table had no room.",
        Counter,
        &["table"],
        Node(|f, out| f.snapshot.table_full.iter().for_each(|(table, count)| out.put(&[table], *count as f64))),
    ),
    row(
        "vipwarden_capture_frames_total",
        "Frames that the capture read.",
        Counter,
        &["interface"],
        Node(|f, out| f.snapshot.captures.iter().for_each(|c| out.put(&[&c.interface], c.frames as f64))),
    ),
    row(
        "vipwarden_capture_dropped_total",
        "Frames that the kernel dropped for want of room: the capture was blind to them.",
        Counter,
        &["interface"],
        Node(|f, out| f.snapshot.captures.iter().for_each(|c| out.put(&[&c.interface], c.dropped as f64))),
    ),
    row(
        "vipwarden_loop_lag_seconds",
        "How late this daemon's own timers ran.",
        Histogram,
        &[],
        Node(|f, out| out.histogram(&[], &LAG_BUCKETS, &f.view.loop_lag)),
    ),
    row(
        "vipwarden_build_info",
        "This daemon.",
        Gauge,
        &["version", "revision", "node"],
        Node(|f, out| out.put(&[f.identity.version, f.identity.revision, &f.identity.node], 1.0)),
    ),
    row(
        "vipwarden_config_last_reload_successful",
        "1 if the last configuration that was read was taken.",
        Gauge,
        &[],
        Node(|f, out| out.flag(&[], f.view.reload_ok)),
    ),
    row(
        "vipwarden_config_last_reload_success_timestamp_seconds",
        "When a configuration was last taken.",
        Gauge,
        &[],
        Node(|f, out| out.put(&[], f.snapshot.clock.unix_seconds(f.view.reloaded_at))),
    ),
    row(
        "vipwarden_tls_certificate_expiry_timestamp_seconds",
        "When the first certificate of the chain that is served expires; absent without TLS.",
        Gauge,
        &[],
        Node(|f, out| f.certificate_expires.iter().for_each(|expires| out.put(&[], *expires as f64))),
    ),
    process("process_cpu_seconds_total", "User and system CPU time spent.", Counter, |f, out| {
        put_process(f, out, |p| p.cpu_seconds);
    }),
    process("process_resident_memory_bytes", "Resident memory size.", Gauge, |f, out| {
        put_process(f, out, |p| p.resident_bytes);
    }),
    process("process_virtual_memory_bytes", "Virtual memory size.", Gauge, |f, out| {
        put_process(f, out, |p| p.virtual_bytes);
    }),
    process("process_open_fds", "Open file descriptors.", Gauge, |f, out| put_process(f, out, |p| p.open_fds)),
    process("process_max_fds", "The limit on open file descriptors.", Gauge, |f, out| {
        put_process(f, out, |p| p.max_fds);
    }),
    process("process_start_time_seconds", "Start of the process, in Unix seconds.", Gauge, |f, out| {
        put_process(f, out, |p| p.start_time_seconds);
    }),
];

const fn row(
    name: &'static str,
    help: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    read: Read,
) -> Family {
    Family { name, help, kind, labels, read }
}

const fn process(name: &'static str, help: &'static str, kind: Kind, read: fn(&Facts<'_>, &mut Samples<'_>)) -> Family {
    row(name, help, kind, &[], Node(read))
}

fn put_process(facts: &Facts<'_>, out: &mut Samples<'_>, read: fn(&ProcessStats) -> f64) {
    if let Some(stats) = &facts.process {
        out.put(&[], read(stats));
    }
}

/// What pings say of each peer.
fn reached<'a>(facts: &Facts<'a>) -> impl Iterator<Item = &'a Reach> {
    facts.snapshot.peers.iter().map(|peer| &peer.reach)
}

/// One sample for each source address, behind it a label of its own if there is one. Two hosts may use one address, and one
/// series can't be printed twice: their values are joined.
fn by_source(
    router: &RouterView,
    out: &mut Samples<'_>,
    label: Option<&str>,
    join: fn(f64, f64) -> f64,
    read: impl Fn(&SpeakerView) -> Option<f64>,
) {
    let mut values: BTreeMap<IpAddr, f64> = BTreeMap::new();
    for speaker in &router.speakers {
        let Some(value) = read(speaker) else { continue };
        values.entry(speaker.source).and_modify(|known| *known = join(*known, value)).or_insert(value);
    }
    for (source, value) in values {
        let source = source.to_string();
        let labels: Vec<&str> = [source.as_str()].into_iter().chain(label).collect();
        out.put(&labels, value);
    }
}

/// A cause is 1 where the remedy applies, and where nobody can tell: better two nodes that ask to be mended than none.
fn causes(router: &RouterView, _: WallClock, out: &mut Samples<'_>) {
    for cause in router.causes() {
        let mut findings = router.findings.iter().filter(|f| f.cause == cause);
        out.flag(&[cause.as_str()], findings.any(|f| f.here || f.node.is_none()));
    }
}
