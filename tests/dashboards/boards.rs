//! The two boards: the fleet, worst first, and one node.

use super::board::{Panel, board};
use serde_json::Value;

const BAD: &[(&str, &str, &str)] = &[("0", "no", "green"), ("1", "YES", "red")];
const GOOD: &[(&str, &str, &str)] = &[("0", "NO", "red"), ("1", "yes", "green")];
const STATES: &[(&str, &str, &str)] = &[
    ("1", "backup", "blue"),
    ("2", "master", "green"),
    ("3", "FAULT", "orange"),
    ("4", "FENCED", "purple"),
    ("0", "init", "text"),
];
const VERDICTS: &[(&str, &str, &str)] = &[
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

/// Every board with its file's name.
pub fn all() -> [(&'static str, Value); 2] {
    [
        (
            "fleet.json",
            board(
                "vipwarden-fleet",
                "vipwarden / Fleet",
                "Every virtual IP: who holds it, and why that is wrong.",
                FLEET,
            ),
        ),
        (
            "node.json",
            board("vipwarden-node", "vipwarden / Node", "What one vipwarden sees, and what it doesn't.", NODE),
        ),
    ]
}

const FLEET: &[Panel] = &[
    Panel {
        kind: "stat",
        title: "Split brain",
        description: "Virtual IPs that two nodes hold, proven.",
        unit: "short",
        targets: &[("count(max by (job, vip) (vrrp_split_brain{R}) == 1) or vector(0)", "split")],
        mappings: &[("0", "none", "green")],
        width: 6,
        height: 4,
    },
    Panel {
        kind: "stat",
        title: "Nobody serves",
        description: "Virtual IPs without a master.",
        unit: "short",
        targets: &[("count(max by (job, vip) (vrrp_no_master{R}) == 1) or vector(0)", "no master")],
        mappings: &[("0", "none", "green")],
        width: 6,
        height: 4,
    },
    Panel {
        kind: "stat",
        title: "Blind sensors",
        description: "Sensors that see nothing: verdicts that need them are unknown.",
        unit: "short",
        targets: &[("count(vrrp_sensor_up{N} == 0) or vector(0)", "blind")],
        mappings: &[("0", "none", "green")],
        width: 6,
        height: 4,
    },
    Panel {
        kind: "stat",
        title: "Vipwardens",
        description: "Daemons that are scraped now.",
        unit: "short",
        targets: &[("count(vipwarden_build_info{N}) or vector(0)", "scraped")],
        mappings: &[("0", "NONE", "red")],
        width: 6,
        height: 4,
    },
    Panel {
        kind: "table",
        title: "Worst first",
        description: "Each virtual IP with the worst verdict of its nodes.",
        unit: "short",
        targets: &[(SEVERITY, "{{vip}}")],
        mappings: VERDICTS,
        width: 8,
        height: 9,
    },
    Panel {
        kind: "table",
        title: "Causes",
        description: "What is wrong, on the node where the remedy applies. On that node: vipwarden explain VIP.",
        unit: "short",
        targets: &[("max by (vip, cause, instance) (vrrp_cause{R}) == 1", "{{cause}}")],
        mappings: &[("1", "mend here", "red")],
        width: 8,
        height: 9,
    },
    Panel {
        kind: "table",
        title: "Who holds what",
        description: "Nodes whose kernel has the address now.",
        unit: "short",
        targets: &[("max by (vip, address, instance) (vrrp_vip_owned{R}) == 1", "{{instance}}")],
        mappings: &[("1", "holds", "blue")],
        width: 8,
        height: 9,
    },
    Panel {
        kind: "state-timeline",
        title: "Verdicts",
        description: "The worst verdict of its nodes on each virtual IP, over time.",
        unit: "short",
        targets: &[(SEVERITY, "{{vip}}")],
        mappings: VERDICTS,
        width: 24,
        height: 8,
    },
    Panel {
        kind: "state-timeline",
        title: "Who was master",
        description: "Each node's own state: two masters in one row of time are a split.",
        unit: "short",
        targets: &[(STATE, "{{vip}} {{instance}}")],
        mappings: STATES,
        width: 24,
        height: 8,
    },
    Panel {
        kind: "timeseries",
        title: "Changes of master",
        description: "Changes of master in each interval; more than a few are flapping.",
        unit: "short",
        targets: &[("max by (vip) (increase(vrrp_master_transitions_total{R}[$__rate_interval]))", "{{vip}}")],
        mappings: &[],
        width: 12,
        height: 8,
    },
    Panel {
        kind: "timeseries",
        title: "Time split",
        description: "Share of the time for which two nodes held it, splits shorter than a scrape included.",
        unit: "percentunit",
        targets: &[("max by (vip) (rate(vrrp_split_brain_seconds_total{R}[$__rate_interval]))", "{{vip}}")],
        mappings: &[],
        width: 12,
        height: 8,
    },
];

const NODE: &[Panel] = &[
    Panel {
        kind: "state-timeline",
        title: "Own state",
        description: "What this node is for each virtual IP, by its own adverts and its daemon.",
        unit: "short",
        targets: &[(STATE, "{{vip}} {{instance}}")],
        mappings: STATES,
        width: 24,
        height: 7,
    },
    Panel {
        kind: "stat",
        title: "VRRP daemon runs",
        description: "Some process on the host has a VRRP socket.",
        unit: "short",
        targets: &[("max by (instance, family) (vrrp_local_daemon_up{N})", "{{instance}} {{family}}")],
        mappings: GOOD,
        width: 8,
        height: 5,
    },
    Panel {
        kind: "stat",
        title: "Sensors",
        description: "The worst sensor of each kind: no means blind.",
        unit: "short",
        targets: &[("min by (instance, sensor) (vrrp_sensor_up{N})", "{{instance}} {{sensor}}")],
        mappings: GOOD,
        width: 16,
        height: 5,
    },
    Panel {
        kind: "timeseries",
        title: "Adverts on the wire",
        description: "Adverts of other nodes a second, by source, before any firewall.",
        unit: "pps",
        targets: &[(
            "sum by (instance, vip, source) (rate(vrrp_adverts_received_total{R}[$__rate_interval]))",
            "{{vip}} from {{source}}",
        )],
        mappings: &[],
        width: 8,
        height: 8,
    },
    Panel {
        kind: "timeseries",
        title: "Adverts past the firewall",
        description: "The same, behind ingress (ip) and behind netfilter (raw). Less than on the wire: something drops them.",
        unit: "pps",
        targets: &[(
            "sum by (instance, vip, source, tap) (rate(vrrp_adverts_delivered_total{R}[$__rate_interval]))",
            "{{vip}} from {{source}} {{tap}}",
        )],
        mappings: &[],
        width: 8,
        height: 8,
    },
    Panel {
        kind: "timeseries",
        title: "Adverts sent",
        description: "Adverts that left this host a second, whoever sent them.",
        unit: "pps",
        targets: &[(
            "sum by (instance, vip) (rate(vrrp_adverts_sent_total{R}[$__rate_interval]))",
            "{{vip}} {{instance}}",
        )],
        mappings: &[],
        width: 8,
        height: 8,
    },
    Panel {
        kind: "timeseries",
        title: "Lateness of adverts, 99th percentile",
        description: "Time between adverts as a multiple of the advertised interval; at 3 and a bit the backup takes over.",
        unit: "short",
        targets: &[(
            "histogram_quantile(0.99, sum by (le, instance, vip) (rate(vrrp_advert_gap_intervals_bucket{R}[$__rate_interval])))",
            "{{vip}} {{instance}}",
        )],
        mappings: &[],
        width: 8,
        height: 8,
    },
    Panel {
        kind: "timeseries",
        title: "Hosts that answer",
        description: "Hosts that answer ARP or neighbour requests for the address; more than one is a conflict. Absent where it is not probed.",
        unit: "short",
        targets: &[("max by (instance, vip, address) (vrrp_vip_claimants{R})", "{{address}} as seen by {{instance}}")],
        mappings: &[],
        width: 8,
        height: 8,
    },
    Panel {
        kind: "table",
        title: "Misdirected clients",
        description: "Addresses that another than the master announced last: clients' caches point there.",
        unit: "short",
        targets: &[("max by (vip, address, instance) (vrrp_vip_misdirected{R}) == 1", "{{address}}")],
        mappings: BAD,
        width: 8,
        height: 8,
    },
    Panel {
        kind: "timeseries",
        title: "This daemon's own lateness, 99th percentile",
        description: "How late its timers ran: a late loop is blind.",
        unit: "s",
        targets: &[(
            "histogram_quantile(0.99, sum by (le, instance) (rate(vipwarden_loop_lag_seconds_bucket{N}[$__rate_interval])))",
            "{{instance}}",
        )],
        mappings: &[],
        width: 12,
        height: 7,
    },
    Panel {
        kind: "timeseries",
        title: "Frames dropped by the kernel",
        description: "Frames a second that the capture was blind to.",
        unit: "pps",
        targets: &[(
            "sum by (instance, interface) (rate(vipwarden_capture_dropped_total{N}[$__rate_interval]))",
            "{{instance}} {{interface}}",
        )],
        mappings: &[],
        width: 12,
        height: 7,
    },
];
