//! The two boards: the fleet, worst first, and one node.

use super::board::{Panel, Row, Words, board};
use serde_json::Value;

const BAD: Words = &[("0", "no", "green"), ("1", "YES", "red")];
const GOOD: Words = &[("0", "NO", "red"), ("1", "yes", "green")];
const STATES: Words = &[
    ("1", "backup", "blue"),
    ("2", "master", "green"),
    ("3", "FAULT", "orange"),
    ("4", "FENCED", "purple"),
    ("0", "init", "text"),
];
const VERDICTS: Words = &[
    ("0", "healthy", "green"),
    ("1", "degraded", "yellow"),
    ("2", "unknown", "text"),
    ("3", "NO MASTER", "orange"),
    ("4", "SPLIT BRAIN", "red"),
];

const SEVERITY: &str = r#"max by (vip) (
  vrrp_verdict{R, verdict="degraded"}
  or 2 * vrrp_verdict{R, verdict="unknown"}
  or 3 * vrrp_verdict{R, verdict="no_master"}
  or 4 * vrrp_verdict{R, verdict="split_brain"}
)"#;
const STATE: &str = r#"sum by (instance, vip) (
  vrrp_state{R, state="backup"}
  or 2 * vrrp_state{R, state="master"}
  or 3 * vrrp_state{R, state="fault"}
  or 4 * vrrp_state{R, state="fenced"}
)"#;
/// Of several series of a family the first counts.
const DAEMON: &str = r#"max by (instance, family) (
  vrrp_local_daemon_up{N} == 0 and on (job, instance, family) vrrp_router_info{R, mode="watch", role="member"}
  or on (job, instance, family) vrrp_router_info{R, mode="speak"}
  or on (job, instance, family) vrrp_local_daemon_up{N} == 1
  or vrrp_local_daemon_up{N} unless on (job, instance) vrrp_router_info{R, mode="speak"}
)"#;

/// Every board with its file's name.
pub fn all() -> [(&'static str, Value); 2] {
    let fleet = "Every virtual IP: who holds it, and why that is wrong.";
    let node = "What one vipwarden sees, what it doesn't, and what it does as a router itself.";
    [
        ("fleet.json", board("vipwarden-fleet", "vipwarden / Fleet", fleet, FLEET)),
        ("node.json", board("vipwarden-node", "vipwarden / Node", node, NODE)),
    ]
}

const FLEET: &[Row] = &[
    (
        4,
        &[
            Panel::alarm(
                "Split brain",
                "Virtual IPs that two nodes hold, proven.",
                "count(max by (job, vip) (vrrp_split_brain{R}) == 1) or vector(0)",
            ),
            Panel::alarm(
                "Nobody serves",
                "Virtual IPs without a master.",
                "count(max by (job, vip) (vrrp_no_master{R}) == 1) or vector(0)",
            ),
            Panel::alarm(
                "Fenced",
                "Routers that took themselves out and stay out: they stand in for nobody.",
                "count(vrrp_fenced{R} == 1) or vector(0)",
            ),
            Panel::alarm(
                "Blind sensors",
                "Sensors that see nothing: verdicts that need them are unknown.",
                "count(vrrp_sensor_up{N} == 0) or vector(0)",
            ),
            Panel::alarm(
                "Silent peers",
                "Peers that do not answer some node, by ping or by their vipwarden.",
                "count(max by (job, instance, peer) (vrrp_peer_up{N} == 0)) or vector(0)",
            ),
            Panel::stat("Vipwardens", "Daemons that are scraped now.", "count(vipwarden_build_info{N}) or vector(0)")
                .in_words(&[("0", "NONE", "red")]),
        ],
    ),
    (
        9,
        &[
            Panel::table("Worst first", "Each virtual IP with the worst verdict of its nodes.", SEVERITY)
                .in_words(VERDICTS),
            Panel::table(
                "Causes",
                "What is wrong, on the node where the remedy applies. On that node: vipwarden explain VIP.",
                "max by (vip, cause, instance) (vrrp_cause{R}) == 1",
            )
            .in_words(&[("1", "mend here", "red")]),
            Panel::table(
                "Who holds what",
                "Nodes whose kernel has the address now.",
                "max by (vip, address, instance) (vrrp_vip_owned{R}) == 1",
            )
            .in_words(&[("1", "holds", "blue")]),
        ],
    ),
    (
        8,
        &[Panel::states("Verdicts", "The worst verdict of its nodes on each virtual IP, over time.", SEVERITY)
            .named("{{vip}}")
            .in_words(VERDICTS)],
    ),
    (
        8,
        &[Panel::states("Who was master", "Each node's own state: two masters at one time are a split.", STATE)
            .named("{{vip}} {{instance}}")
            .in_words(STATES)],
    ),
    (
        8,
        &[
            Panel::series(
                "Changes of master",
                "Changes of master in each interval; more than a few are flapping.",
                "max by (vip) (increase(vrrp_master_transitions_total{R}[$__rate_interval]))",
            )
            .named("{{vip}}"),
            Panel::series(
                "Time split",
                "Share of the time for which two nodes held it, splits shorter than a scrape included.",
                "max by (vip) (rate(vrrp_split_brain_seconds_total{R}[$__rate_interval]))",
            )
            .of_unit("percentunit")
            .named("{{vip}}"),
        ],
    ),
];

const NODE: &[Row] = &[
    (
        7,
        &[Panel::states("Own state", "What this node is for each virtual IP, by its own adverts and its daemon.", STATE)
            .named("{{vip}} {{instance}}")
            .in_words(STATES)],
    ),
    (
        5,
        &[
            Panel::stat(
                "Sensors",
                "The worst sensor of each kind: no means blind.",
                "min by (instance, sensor) (vrrp_sensor_up{N})",
            )
            .named("{{instance}} {{sensor}}")
            .in_words(GOOD),
        ],
    ),
    (
        5,
        &[
            Panel::stat(
                "VRRP daemon runs",
                "Some process on the host has a VRRP socket. Where vipwarden itself is the router no other has to run, but for those that it watches.",
                DAEMON,
            )
            .named("{{instance}} {{family}}")
            .in_words(GOOD),
            Panel::stat(
                "Peers answer",
                "Each peer, by ping and by its vipwarden's answers (api).",
                "min by (instance, peer, channel) (vrrp_peer_up{N})",
            )
            .named("{{instance}} to {{peer}}, {{channel}}")
            .in_words(GOOD),
            Panel::stat(
                "Witnesses answer",
                "Third hosts that tell a dead peer from a dead network; empty without any.",
                "min by (instance, witness) (vrrp_witness_up{N})",
            )
            .named("{{instance}} to {{witness}}")
            .in_words(GOOD),
            Panel::stat(
                "Configuration taken",
                "Whether the configuration that was read last is the one in use.",
                "min by (instance) (vipwarden_config_last_reload_successful{N})",
            )
            .named("{{instance}}")
            .in_words(GOOD),
        ],
    ),
    (
        8,
        &[
            Panel::series(
                "Adverts on the wire",
                "Adverts of other nodes a second, by source, before any firewall.",
                "sum by (instance, vip, source) (rate(vrrp_adverts_received_total{R}[$__rate_interval]))",
            )
            .of_unit("pps")
            .named("{{vip}} from {{source}}"),
            Panel::series(
                "Adverts past the firewall",
                "The same, behind ingress (ip) and behind netfilter (raw). Less than on the wire: something drops them.",
                "sum by (instance, vip, source, tap) (rate(vrrp_adverts_delivered_total{R}[$__rate_interval]))",
            )
            .of_unit("pps")
            .named("{{vip}} from {{source}} {{tap}}"),
            Panel::series(
                "Adverts sent",
                "Adverts that left this host a second, whoever sent them.",
                "sum by (instance, vip) (rate(vrrp_adverts_sent_total{R}[$__rate_interval]))",
            )
            .of_unit("pps")
            .named("{{vip}} {{instance}}"),
        ],
    ),
    (
        8,
        &[
            Panel::series(
                "Lateness of adverts, 99th percentile",
                "Time between adverts as a multiple of the advertised interval; at 3 and a bit the backup takes over.",
                "histogram_quantile(0.99, sum by (le, instance, vip) (rate(vrrp_advert_gap_intervals_bucket{R}[$__rate_interval])))",
            )
            .named("{{vip}} {{instance}}"),
            Panel::series(
                "Adverts that did not come",
                "Adverts a second that a master should have sent, by source.",
                "sum by (instance, vip, source) (rate(vrrp_adverts_missed_total{R}[$__rate_interval]))",
            )
            .of_unit("pps")
            .named("{{vip}} from {{source}}"),
            Panel::series(
                "Adverts refused",
                "Adverts a second that are broken or from afar, by reason.",
                "sum by (instance, interface, vrid, reason) (rate(vrrp_adverts_rejected_total{N}[$__rate_interval]))",
            )
            .of_unit("pps")
            .named("{{reason}}, VRID {{vrid}}, {{instance}} {{interface}}"),
        ],
    ),
    (
        8,
        &[
            Panel::series(
                "Priorities heard",
                "The priority that each speaker advertises; the highest is due to be the master.",
                "max by (instance, vip, source) (vrrp_speaker_priority{R})",
            )
            .named("{{vip}} from {{source}}"),
            Panel::series(
                "Hosts that answer",
                "Hosts that answer ARP or neighbour requests for the address; more than one is a conflict. Absent where it is not probed.",
                "max by (instance, vip, address) (vrrp_vip_claimants{R})",
            )
            .named("{{address}} as seen by {{instance}}"),
            Panel::table(
                "Misdirected clients",
                "Addresses that another than the master announced last: clients' caches point there.",
                "max by (vip, address, instance) (vrrp_vip_misdirected{R}) == 1",
            )
            .in_words(BAD),
        ],
    ),
    (
        7,
        &[
            Panel::states(
                "Fences",
                "Where this daemon is the router itself: whether it took itself out and stays out.",
                "max by (instance, vip) (vrrp_fenced{R})",
            )
            .named("{{vip}} {{instance}}")
            .in_words(&[("0", "in", "green"), ("1", "FENCED", "purple")]),
            Panel::states(
                "Kernel gate",
                "Whether the kernel lets the addresses answer; absent where no gate stands before them.",
                "max by (instance, vip) (vrrp_gate_open{R})",
            )
            .named("{{vip}} {{instance}}")
            .in_words(&[("0", "closed", "text"), ("1", "open", "green")]),
            Panel::stat(
                "The kernel keeps addresses for",
                "How long a router's addresses outlive this daemon's last word; empty where that is for ever.",
                "max by (instance, vip) (vrrp_address_lifetime_seconds{R})",
            )
            .of_unit("s")
            .named("{{vip}} {{instance}}"),
        ],
    ),
    (
        8,
        &[
            Panel::series(
                "Asked before taking over",
                "Questions a second to the host of a master that fell silent, whether it still has the addresses.",
                "sum by (instance, vip) (rate(vrrp_promotion_probes_total{R}[$__rate_interval]))",
            )
            .named("{{vip}} {{instance}}"),
            Panel::series(
                "Answered by a silent master's host",
                "Those that were answered: its VRRP daemon is dead, frozen or filtered, and the addresses are still there.",
                "sum by (instance, vip) (rate(vrrp_promotion_probes_answered_total{R}[$__rate_interval]))",
            )
            .named("{{vip}} {{instance}}"),
            Panel::series(
                "Takeovers put off",
                "How often such an answer has kept a backup from taking the addresses, in each interval.",
                "sum by (instance, vip) (increase(vrrp_promotions_held_off_total{R}[$__rate_interval]))",
            )
            .named("{{vip}} {{instance}}"),
        ],
    ),
    (
        8,
        &[
            Panel::series(
                "Fences by reason",
                "How often this daemon took itself out in each interval, and why.",
                "sum by (instance, vip, reason) (increase(vrrp_fences_total{R}[$__rate_interval]))",
            )
            .named("{{vip}} {{instance}} {{reason}}"),
            Panel::series(
                "From evidence to silence, 99th percentile",
                "How long a fence took until the kernel had the addresses no more; a curve only where there was one.",
                "histogram_quantile(0.99, sum by (le, instance, vip) (rate(vrrp_fence_duration_seconds_bucket{R}[$__rate_interval])))",
            )
            .of_unit("s")
            .named("{{vip}} {{instance}}"),
            Panel::series(
                "Priority in effect",
                "What tracking has left of the configured priority; no curve while there is none: a fault.",
                r#"max by (instance, vip) (vrrp_priority{R, kind="effective"})"#,
            )
            .named("{{vip}} {{instance}}"),
        ],
    ),
    (
        8,
        &[
            Panel::table(
                "Tracked and down",
                "What a router's priority depends on and is down now.",
                "min by (instance, vip, track, kind) (vrrp_track_up{R}) == 0",
            )
            .in_words(&[("0", "down", "red")]),
            Panel::stat(
                "Arbiter answers",
                "The third party without whose word nobody may hold; empty where none is asked.",
                "min by (instance, vip) (vrrp_arbiter_up{R})",
            )
            .named("{{vip}} {{instance}}")
            .in_words(GOOD),
            Panel::series(
                "May hold without the arbiter for",
                "How long a node may go on holding without another word from the arbiter; 0 while it may not.",
                "max by (instance, vip) (vrrp_arbiter_hold_remaining_seconds{R})",
            )
            .of_unit("s")
            .named("{{vip}} {{instance}}"),
        ],
    ),
    (
        7,
        &[
            Panel::series(
                "This daemon's own lateness, 99th percentile",
                "How late its timers ran: a late loop is blind.",
                "histogram_quantile(0.99, sum by (le, instance) (rate(vipwarden_loop_lag_seconds_bucket{N}[$__rate_interval])))",
            )
            .of_unit("s")
            .named("{{instance}}"),
            Panel::series(
                "Frames dropped by the kernel",
                "Frames a second that the capture was blind to.",
                "sum by (instance, interface) (rate(vipwarden_capture_dropped_total{N}[$__rate_interval]))",
            )
            .of_unit("pps")
            .named("{{instance}} {{interface}}"),
            Panel::series(
                "Tables without room",
                "How often a bounded table had no room, in each interval: what came then is not watched.",
                "sum by (instance, table) (increase(vrrp_table_full_total{N}[$__rate_interval]))",
            )
            .named("{{instance}} {{table}}"),
            Panel::stat(
                "Certificate runs out in",
                "Time until the served certificate expires; empty without TLS.",
                "min by (instance) (vipwarden_tls_certificate_expiry_timestamp_seconds{N}) - time()",
            )
            .of_unit("s")
            .named("{{instance}}"),
        ],
    ),
];
