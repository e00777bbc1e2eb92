//! `/metrics` as Prometheus reads it.

#[path = "support/open_metrics.rs"]
mod open_metrics;
#[path = "support/snapshot.rs"]
mod scene;

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use vipwarden::detect::{Role, Snapshot};
use vipwarden::engine::Shared;
use vipwarden::metrics::{self, FAMILIES, Format, Kind};
use vipwarden::observe::{DaemonState, Sensor};
use vipwarden::time::Duration;

fn scrape_shared(shared: Shared, format: Format) -> String {
    metrics::scrape(&shared, format)
}

fn scrape(snapshot: Snapshot) -> String {
    scrape_shared(scene::shared(snapshot), Format::Text)
}

/// The samples whose line starts with `prefix`, as (series, value).
fn samples<'a>(text: &'a str, prefix: &str) -> Vec<(&'a str, f64)> {
    text.lines()
        .filter(|line| line.starts_with(prefix))
        .map(|line| line.rsplit_once(' ').map(|(series, value)| (series, value.parse().unwrap())).unwrap())
        .collect()
}

fn value(text: &str, series: &str) -> Option<f64> {
    samples(text, series).into_iter().find(|(s, _)| *s == series).map(|(_, value)| value)
}

const WEB: &str = r#"router="web",vip="192.168.1.100",interface="eth0",vlan="",family="ipv4",vrid="51""#;

#[test]
fn promtool_finds_nothing_to_say_about_a_scrape_with_one_of_everything() {
    let mut promtool = match Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: promtool is not installed");
            return;
        }
        other => other.unwrap(),
    };
    promtool.stdin.take().unwrap().write_all(scrape(scene::rich()).as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn every_family_of_the_table_is_exported_once_by_a_member() {
    let text = scrape(scene::rich());
    for family in FAMILIES {
        let heads = text.lines().filter(|l| *l == format!("# TYPE {} {}", family.name, kind(family.kind))).count();
        assert_eq!(heads, 1, "{}", family.name);
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    }
}

#[test]
fn counters_and_only_counters_end_in_total() {
    for family in FAMILIES {
        assert_eq!(family.name.ends_with("_total"), family.kind == Kind::Counter, "{}", family.name);
    }
}

#[test]
fn no_series_is_printed_twice_though_two_hosts_use_one_source_fault_13() {
    let mut router = scene::split_brain();
    let twin = router.speakers[1].clone();
    let received = 2.0 * twin.received as f64;
    let source = format!("source=\"{}\"", twin.source);
    router.speakers.push(twin);
    let text = scrape(scene::with(vec![router]));
    let sums = samples(&text, "vrrp_adverts_received_total");
    assert!(sums.iter().any(|(series, value)| series.contains(&source) && *value == received), "{sums:?}");
    let mut seen = BTreeSet::new();
    for (series, _) in samples(&text, "v") {
        assert!(seen.insert(series), "{series}");
    }
}

#[test]
fn both_formats_carry_the_same_series() {
    let shared = scene::shared(scene::rich());
    let series = |format| {
        let text = scrape_shared(shared.clone(), format);
        let lines = text.lines().filter(|l| !l.starts_with('#'));
        lines.map(|l| l.rsplit_once(' ').unwrap().0.to_string()).collect::<BTreeSet<_>>()
    };
    assert_eq!(series(Format::Text), series(Format::OpenMetrics));
    assert!(series(Format::Text).len() > 100);
}

#[test]
fn open_metrics_names_counter_families_without_suffix_and_says_where_it_ends() {
    let text = scrape_shared(scene::shared(scene::rich()), Format::OpenMetrics);
    assert!(text.ends_with("\n# EOF\n"));
    assert!(text.contains("# TYPE vrrp_split_brain_episodes counter\n"));
    assert!(text.contains("vrrp_split_brain_episodes_total{"));
    assert!(!text.contains("# TYPE vrrp_split_brain_episodes_total"));
    assert!(text.contains("le=\"1.0\"") && text.contains("le=\"+Inf\""));
}

#[test]
fn open_metrics_keeps_to_its_grammar_whatever_the_wire_says() {
    let mut hostile = scene::split_brain();
    hostile.name = "a\"b\\c\nd} 1 # {e=\"".into();
    hostile.interface = "\\".into();
    for snapshot in [scene::rich(), scene::with(vec![hostile]), scene::with(Vec::new())] {
        let text = scrape_shared(scene::shared(snapshot), Format::OpenMetrics);
        assert_eq!(open_metrics::check(&text), Ok(()));
    }
    let head = "# HELP a b\n# TYPE a";
    let histogram =
        format!("{head} histogram\na_bucket{{le=\"1.0\"}} 2\na_bucket{{le=\"+Inf\"}} 3\na_sum 4\na_count 3\n");
    let counter = format!("{head} counter\na_total{{b=\"\\\\\\\"\\n\"}} 1\n");
    for (good, bad) in [
        (&counter, "# EOF"),
        (&counter, "# TYPE"),
        (&counter, "_total"),
        (&counter, "\\"),
        (&counter, " counter"),
        (&counter, "b="),
        (&histogram, "a_bucket{le=\"+Inf\"} 3\n"),
        (&histogram, ".0"),
        (&histogram, " 3\na_sum"),
        (&histogram, "a_bucket{le=\"1.0\"} 2\na_bucket{le=\"+Inf\"} 3\n"),
    ] {
        let good = format!("{good}# EOF\n");
        assert_eq!(open_metrics::check(&good), Ok(()));
        assert!(good.contains(bad) && open_metrics::check(&good.replacen(bad, "", 1)).is_err(), "{good} without {bad}");
    }
    for twice in [format!("{counter}{counter}"), counter.clone() + "a_total{b=\"\\\\\\\"\\n\"} 1\n"] {
        assert!(open_metrics::check(&format!("{twice}# EOF\n")).is_err(), "{twice}");
    }
}

#[test]
fn observers_export_less_and_stay_below_twenty_series_a_router() {
    let count = |routers: Vec<_>| samples(&scrape(scene::with(routers)), "vrrp_").len();
    let (none, one, two) =
        (count(vec![]), count(vec![scene::observed(1)]), count(vec![scene::observed(1), scene::observed(2)]));
    assert!(one - none <= 20, "{} series", one - none);
    assert_eq!(two - one, one - none);

    let text = scrape(scene::with(vec![scene::observed(1)]));
    for family in FAMILIES.iter().filter(|f| f.is_per_router()) {
        let exported = text.contains(&format!("# TYPE {} ", family.name));
        let absent_in_health = family.name == "vrrp_cause";
        assert_eq!(exported, !family.is_for_members() && !absent_in_health, "{}", family.name);
    }
}

#[test]
fn a_state_is_one_gauge_for_each_value_and_one_of_them_is_1() {
    let text = scrape(scene::with(vec![scene::split_brain()]));
    for family in ["vrrp_state{", "vrrp_verdict{"] {
        let values = samples(&text, family);
        assert_eq!((values.len(), values.iter().map(|(_, v)| v).sum::<f64>()), (5, 1.0), "{family}");
    }
    assert_eq!(value(&text, &format!("vrrp_verdict{{{WEB},verdict=\"split_brain\"}}")), Some(1.0));
    assert_eq!(value(&text, &format!("vrrp_split_brain{{{WEB}}}")), Some(1.0));
    assert_eq!(value(&text, &format!("vrrp_masters{{{WEB}}}")), Some(2.0));
}

#[test]
fn a_cause_is_1_where_the_remedy_applies_and_where_nobody_can_tell() {
    let cause = |here, node: Option<&str>| {
        let mut router = scene::split_brain();
        (router.findings[0].here, router.findings[0].node) = (here, node.map(String::from));
        value(&scrape(scene::with(vec![router])), &format!("vrrp_cause{{{WEB},cause=\"firewall_drop\"}}"))
    };
    assert_eq!(cause(true, Some("lb01")), Some(1.0));
    assert_eq!(cause(false, Some("lb02")), Some(0.0));
    assert_eq!(cause(false, None), Some(1.0));
    assert!(!scrape(scene::with(vec![scene::healthy()])).contains("vrrp_cause"));
}

#[test]
fn this_nodes_own_adverts_are_sent_and_never_received() {
    let text = scrape(scene::with(vec![scene::healthy()]));
    assert_eq!(
        samples(&text, "vrrp_adverts_received_total{"),
        [(format!("vrrp_adverts_received_total{{{WEB},source=\"10.0.0.6\"}}").as_str(), 252.0)]
    );
    assert_eq!(value(&text, &format!("vrrp_adverts_sent_total{{{WEB}}}")), Some(250.0));
    assert_eq!(
        value(&text, &format!("vrrp_adverts_delivered_total{{{WEB},source=\"10.0.0.6\",tap=\"raw\"}}")),
        Some(0.0)
    );
}

#[test]
fn what_is_not_known_is_absent_and_not_zero() {
    let mut router = scene::healthy();
    router.last_transition = None;
    router.addresses[0].claimants = None;
    let mut snapshot = scene::with(vec![router]);
    (snapshot.peers[0].reach.up, snapshot.peers[0].api) = (None, None);
    snapshot.witnesses[0].up = None;
    snapshot.daemons[0].1 = DaemonState::Unknown;
    let text = scrape(snapshot);
    for name in ["vrrp_last_transition_timestamp_seconds", "vrrp_vip_claimants", "vrrp_peer_up", "vrrp_witness_up"] {
        assert!(!text.contains(name), "{name}");
    }
    assert_eq!(samples(&text, "vrrp_local_daemon_up"), [("vrrp_local_daemon_up{family=\"ipv6\"}", 0.0)]);
}

#[test]
fn buckets_are_cumulative_and_end_at_the_count() {
    let text = scrape(scene::with(vec![scene::healthy()]));
    let buckets: Vec<_> = samples(&text, "vrrp_advert_gap_intervals_bucket").iter().map(|(_, v)| *v).collect();
    assert_eq!(buckets, [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0]);
    assert_eq!(value(&text, &format!("vrrp_advert_gap_intervals_count{{{WEB}}}")), Some(2.0));
    assert_eq!(value(&text, &format!("vrrp_advert_gap_intervals_sum{{{WEB}}}")), Some(10.0));
}

#[test]
fn a_hostile_name_breaks_out_of_no_label() {
    let evil = "a\"} 1\nvrrp_forged{x=\"\\\u{0}\r\u{1b}";
    let text = scrape(scene::hostile(evil));
    assert!(text.contains(r#"peer="a\"} 1"#), "quotes are escaped");
    assert!(!text.lines().any(|line| line.starts_with("vrrp_forged")));
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn a_loop_that_hangs_makes_nothing_healthy() {
    let shared = scene::shared(scene::with(vec![scene::healthy()]));
    let mut view = (**shared.view.load()).clone();
    view.last_turn = view.last_turn - Duration::from_secs(6);
    shared.view.store(std::sync::Arc::new(view));
    let text = scrape_shared(shared, Format::Text);
    assert_eq!(value(&text, &format!("vrrp_verdict{{{WEB},verdict=\"healthy\"}}")), Some(0.0));
    assert_eq!(value(&text, &format!("vrrp_verdict{{{WEB},verdict=\"unknown\"}}")), Some(1.0));
    assert_eq!(value(&text, "vrrp_sensor_up{sensor=\"loop\",interface=\"\"}"), Some(0.0));
}

#[test]
fn each_sensor_says_whether_it_sees() {
    let text = scrape(scene::rich());
    let series = |sensor: Sensor, interface: &str| {
        value(&text, &format!("vrrp_sensor_up{{sensor=\"{}\",interface=\"{interface}\"}}", sensor.as_str()))
    };
    assert_eq!(series(Sensor::Carrier, "eth0"), Some(1.0));
    assert_eq!(series(Sensor::Carrier, "eth1"), Some(0.0));
}

const API: &str = r#"router="api",vip="192.168.1.103",interface="eth0",vlan="",family="ipv4",vrid="55""#;
const SHOP: &str = r#"router="shop",vip="192.168.1.104",interface="eth0",vlan="",family="ipv4",vrid="56""#;

/// What is exported of a router for being its speaker.
const SPEAKER_FAMILIES: [&str; 15] = [
    "vrrp_priority",
    "vrrp_garp_sent_total",
    "vrrp_priority_zero_sent_total",
    "vrrp_notify_failures_total",
    "vrrp_track_up",
    "vrrp_fenced",
    "vrrp_gate_open",
    "vrrp_fences_total",
    "vrrp_fence_duration_seconds",
    "vrrp_address_lifetime_seconds",
    "vrrp_promotion_probes_total",
    "vrrp_promotion_probes_answered_total",
    "vrrp_promotions_held_off_total",
    "vrrp_arbiter_up",
    "vrrp_arbiter_hold_remaining_seconds",
];

#[test]
fn a_speaker_says_what_it_tracks_sends_and_fences() {
    let text = scrape(scene::with(vec![scene::speaking()]));
    for (series, expected) in [
        (format!("vrrp_priority{{{API},kind=\"base\"}}"), Some(200.0)),
        (format!("vrrp_priority{{{API},kind=\"effective\"}}"), Some(180.0)),
        (format!("vrrp_garp_sent_total{{{API}}}"), Some(10.0)),
        (format!("vrrp_priority_zero_sent_total{{{API}}}"), Some(2.0)),
        (format!("vrrp_notify_failures_total{{{API}}}"), Some(3.0)),
        (format!("vrrp_track_up{{{API},track=\"nginx\",kind=\"check\"}}"), Some(0.0)),
        (format!("vrrp_track_up{{{API},track=\"eth1\",kind=\"interface\"}}"), Some(1.0)),
        (format!("vrrp_track_up{{{API},track=\"/run/drain\",kind=\"file\"}}"), None),
        (format!("vrrp_fenced{{{API}}}"), Some(0.0)),
        (format!("vrrp_gate_open{{{API}}}"), Some(1.0)),
        (format!("vrrp_fences_total{{{API},reason=\"split_brain\"}}"), Some(1.0)),
        (format!("vrrp_fences_total{{{API},reason=\"operator\"}}"), Some(0.0)),
        (format!("vrrp_fence_duration_seconds_bucket{{{API},le=\"0.00025\"}}"), Some(0.0)),
        (format!("vrrp_fence_duration_seconds_bucket{{{API},le=\"0.0005\"}}"), Some(1.0)),
        (format!("vrrp_fence_duration_seconds_count{{{API}}}"), Some(1.0)),
        (format!("vrrp_address_lifetime_seconds{{{API}}}"), Some(4.0)),
        (format!("vrrp_promotion_probes_total{{{API}}}"), Some(40.0)),
        (format!("vrrp_promotion_probes_answered_total{{{API}}}"), Some(30.0)),
        (format!("vrrp_promotions_held_off_total{{{API}}}"), Some(1.0)),
        (format!("vrrp_arbiter_up{{{API}}}"), Some(1.0)),
        (format!("vrrp_router_info{{{API},version=\"2\",mode=\"speak\",role=\"member\"}}"), Some(1.0)),
    ] {
        assert_eq!(value(&text, &series), expected, "{series}");
    }
    let remaining = value(&text, &format!("vrrp_arbiter_hold_remaining_seconds{{{API}}}"));
    assert!(remaining.is_some_and(|seconds| (3000.0..=3600.0).contains(&seconds)), "{remaining:?}");
}

#[test]
fn a_fenced_speaker_is_in_the_state_fenced_and_in_a_fault_has_no_effective_priority() {
    let text = scrape(scene::with(vec![scene::fenced()]));
    assert_eq!(value(&text, &format!("vrrp_fenced{{{SHOP}}}")), Some(1.0));
    assert_eq!(value(&text, &format!("vrrp_state{{{SHOP},state=\"fenced\"}}")), Some(1.0));
    assert_eq!(value(&text, &format!("vrrp_state{{{SHOP},state=\"master\"}}")), Some(0.0));
    assert_eq!(value(&text, &format!("vrrp_priority{{{SHOP},kind=\"base\"}}")), Some(200.0));
    assert_eq!(value(&text, &format!("vrrp_priority{{{SHOP},kind=\"effective\"}}")), None);
}

#[test]
fn a_watched_router_has_no_series_of_a_speaker() {
    let text = scrape(scene::with(vec![scene::healthy()]));
    for family in SPEAKER_FAMILIES {
        assert!(FAMILIES.iter().any(|f| f.name == family) && !text.contains(&format!("# TYPE {family} ")), "{family}");
    }
}

#[test]
fn roles_are_told_by_the_info_metric() {
    for (router, role) in [(scene::healthy(), Role::Member), (scene::observed(1), Role::Observer)] {
        let text = scrape(scene::with(vec![router]));
        let [(series, value)] = samples(&text, "vrrp_router_info{")[..] else { panic!("one series") };
        assert!(series.contains(&format!("version=\"2\",mode=\"watch\",role=\"{}\"", role.as_str())), "{series}");
        assert_eq!(value, 1.0);
    }
}
