//! From a fault to the pager, with real Prometheus and Alertmanager and the files of `alerts/`.

use crate::etcd::{Cluster, Site};
use crate::lab::{Alarm, Firewall, Flavour, History, Hook, Pair, Stage, until};
use serde_json::json;

#[test]
fn a_split_makes_one_page_with_its_cause_and_healing_ends_it_fault_2() {
    let mut pair = Pair::with_nodes(Flavour::V2, &["m"], |_, _| String::new());
    let history = History::record(&pair.b.node, pair.vip);
    pair.start();
    pair.expect_master_a();
    let alarm = Alarm::start(pair.lab.node("m"), &[&pair.a.node, &pair.b.node]);
    let fault = Firewall::block(&pair.b.node, Hook::Input);
    let page = alarm.expect("the split", 0, |page| page.name() == "VrrpSplitBrain");
    let split = history.last_start().to_zoned(jiff::tz::TimeZone::UTC).expect("a date").timestamp();
    println!(
        "from split (b's kernel has the address) to webhook: {:.3} s, scraped and evaluated every 1 s",
        page.at.duration_since(split).as_secs_f64()
    );
    let (labels, annotations) = (&page.alert["labels"], &page.alert["annotations"]);
    assert_eq!(
        (page.path.as_str(), &labels["severity"], &labels["vip"]),
        ("/pager", &json!("critical"), &json!(pair.vip))
    );
    let description = annotations["description"].as_str().unwrap_or_default();
    assert!(description.contains("firewall_drop (mend it on b)"), "{description}");
    assert_eq!(annotations["runbook_url"], "docs/runbooks/VrrpSplitBrain.md");
    for muted in ["VrrpVipHeldByMultipleNodes", "VrrpArpConflict"] {
        alarm.expect_inhibited(muted);
    }
    alarm.assert_rules_evaluate();
    fault.heal();
    pair.expect_master_a();
    alarm.expect("the end of the split", 0, |page| page.name() == "VrrpSplitBrain" && page.is_resolved());
    let others: Vec<_> = alarm.pages().into_iter().filter(|page| page.name() != "VrrpSplitBrain").collect();
    assert!(others.is_empty(), "one fault is one page: {others:#?}");
}

#[test]
fn nobody_serving_makes_one_page_and_a_master_ends_it_fault_20() {
    let mut pair = Pair::with_nodes(Flavour::V2, &["m"], |_, _| String::new());
    pair.start();
    pair.expect_master_a();
    let alarm = Alarm::start(pair.lab.node("m"), &[&pair.a.node, &pair.b.node]);
    pair.b.stop();
    pair.a.kill();
    pair.a.node.exec("ip addr del 10.9.9.100/24 dev eth0").expect("the address goes");
    let page = alarm.expect("the outage", 0, |page| page.name() == "VrrpNoMaster");
    assert_eq!((page.path.as_str(), &page.alert["labels"]["vip"]), ("/pager", &json!(pair.vip)));
    let description = page.alert["annotations"]["description"].as_str().unwrap_or_default();
    assert!(description.contains("a is init"), "{description}");
    alarm.expect_inhibited("VrrpVipUnowned");
    pair.start();
    pair.expect_master_a();
    alarm.expect("the end of the outage", 0, |page| page.name() == "VrrpNoMaster" && page.is_resolved());
    let paged: Vec<_> =
        alarm.pages().into_iter().filter(|p| p.path == "/pager" && p.name() != "VrrpNoMaster").collect();
    assert!(paged.is_empty(), "one fault is one page: {paged:#?}");
}

#[test]
fn a_fence_by_hand_makes_one_page_that_says_where_and_why_and_unfencing_ends_it() {
    let stage = Stage::new(Flavour::V3);
    let a = stage.speaker(&stage.a, 200, &[]);
    let b = stage.speaker(&stage.b, 100, &[]);
    a.expect("it is master", |router| router["state"] == "master");
    b.expect("it is backup", |router| router["state"] == "backup" && router["verdict"] == "healthy");
    let alarm = Alarm::start(&stage.b, &[&stage.a, &stage.b]);
    let fenced = a.ask(&["fence", "web", "--force"]).expect("it runs");
    assert!(fenced.status.success(), "{fenced:?}");
    stage.expect_holders(false, true);
    let page = alarm.expect("the fence", 0, |page| page.name() == "VrrpFenced");
    let labels = &page.alert["labels"];
    assert_eq!(page.path, "/pager");
    assert_eq!(labels["instance"], format!("{}:10112", stage.a.ipv4()));
    assert_eq!(labels["vip"], stage.flavour.vip());
    let description = page.alert["annotations"]["description"].as_str().unwrap_or_default();
    assert!(description.contains("Cause: operator"), "{description}");
    alarm.expect_inhibited("VrrpRedundancyLost");
    assert!(a.ask(&["unfence", "web"]).expect("it runs").status.success());
    stage.expect_holders(true, false);
    alarm.expect("the end of the fence", 0, |page| page.name() == "VrrpFenced" && page.is_resolved());
    let others: Vec<_> = alarm.pages().into_iter().filter(|page| page.name() != "VrrpFenced").collect();
    assert!(others.is_empty(), "one fault is one page: {others:#?}");
}

#[test]
fn an_arbiter_that_is_gone_makes_a_ticket_and_ends_it_when_it_is_back() {
    let stage = Stage::of(Flavour::V3, &["a", "b", "c"]);
    let third = stage.node("c");
    let host = third.ipv4();
    let mut etcd = Cluster::start_at(Site { host, command: Box::new(move |program| third.command(program)) }, 1);
    // Held without it, or this would be an outage, which is another alert.
    let arbiter = format!("[arbiter]\netcd = {:?}\nwait = \"2s\"\nunreachable = \"ignore\"\n", etcd.urls());
    let a = stage.speaker(&stage.a, 200, &[&arbiter]);
    a.expect("it is master by the arbiter's leave", |router| router["arbiter"]["holding"] == true);
    let alarm = Alarm::start(&stage.b, &[&stage.a]);
    etcd.kill(0);
    let page = alarm.expect("the ticket", 0, |page| page.name() == "VrrpArbiterUnreachable");
    let labels = &page.alert["labels"];
    assert_eq!((page.path.as_str(), &labels["severity"]), ("/tickets", &json!("warning")));
    assert_eq!(labels["instance"], format!("{}:10112", stage.a.ipv4()));
    assert_eq!(labels["vip"], stage.flavour.vip());
    etcd.revive(0);
    alarm.expect("its end", 0, |page| page.name() == "VrrpArbiterUnreachable" && page.is_resolved());
    alarm.assert_rules_evaluate();
}

/// What the example's inhibitions silence, and what they must not: a label that is missing on both sides counts as equal.
#[test]
fn an_inhibition_silences_its_own_and_no_strangers() {
    let stage = Stage::new(Flavour::V3);
    let alarm = Alarm::start(&stage.a, &[]);
    let alert = |name: &str, labels: &[(&str, &str)]| {
        let mut all = serde_json::Map::from_iter([("alertname".to_owned(), json!(name))]);
        all.extend(labels.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
        json!({ "labels": all })
    };
    let (here, there) = (("vip", "192.0.2.1"), ("vip", "192.0.2.2"));
    let (one, two, job) = (("instance", "lb01:10112"), ("instance", "lb02:10112"), ("job", "vipwarden"));
    let sources = [
        alert("VrrpSplitBrain", &[here]),
        alert("VrrpSplitBrain", &[]),
        alert("VrrpExporterDown", &[job, one]),
        alert("VrrpExporterDown", &[job]),
        alert("VrrpFenced", &[there, two]),
    ];
    let muted = [
        alert("VrrpVipHeldByMultipleNodes", &[here]),
        alert("VrrpSplitBrainBurst", &[here]),
        alert("VrrpArpConflict", &[here]),
        alert("VrrpMasterWithoutVip", &[here, two]),
        alert("VrrpVipWithoutAdverts", &[here, two]),
        alert("VrrpVipMisdirected", &[here]),
        alert("VrrpAdvertsNotDelivered", &[here, two]),
        alert("VrrpFlapping", &[here]),
        alert("VrrpConfigMismatch", &[here]),
        alert("VrrpPeerUnreachable", &[job, one]),
        alert("VrrpMonitorBlind", &[job, one]),
        alert("VrrpRedundancyLost", &[there, two]),
    ];
    let heard = [
        alert("VrrpArpConflict", &[there]),
        alert("VrrpArpConflict", &[]),
        alert("VrrpNoMaster", &[here]),
        alert("VrrpMonitorBlind", &[job, two]),
        alert("VrrpMonitorBlind", &[job]),
        alert("DiskFull", &[here]),
        alert("DiskFull", &[job, one]),
        alert("DiskFull", &[]),
    ];
    let all = [sources.as_slice(), &muted, &heard].concat();
    alarm.post(&json!(all));
    until("Alertmanager has judged them all", || {
        let judged = alarm.alerts();
        judged.len() == all.len() && judged.iter().all(|alert| alert["status"]["state"] != "unprocessed")
    });
    let wrong = || {
        let judged = alarm.alerts();
        let inhibited = |alert: &serde_json::Value| {
            let found = judged.iter().find(|other| other["labels"] == alert["labels"]).expect("it was posted");
            found["status"]["inhibitedBy"].as_array().is_some_and(|by| !by.is_empty())
        };
        let loud = muted.iter().filter(|alert| !inhibited(alert)).cloned();
        let silenced = heard.iter().chain(&sources).filter(|alert| inhibited(alert)).cloned();
        loud.chain(silenced).collect::<Vec<_>>()
    };
    until("each is inhibited or not as it must be", || wrong().is_empty());
}
