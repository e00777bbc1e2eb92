//! `vipwarden explain`: the 3 a.m. command. Verdict, holders, cause and what to do about it, for one virtual router.

use std::path::Path;
use std::process::ExitCode;

use crate::time::Duration;
use crate::web::document::{HolderDoc, RouterDoc, StatusDoc};
use crate::web::words::{how, speaker_of};

use super::client::{self, Door};
use super::select::{blindness, fence, part, place, select, vip};

/// What `explain` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name, VIP or VRID of a virtual router. Where several are meant: with @eth0 behind it, or @eth0/100 on VLAN 100.
    router: String,
    #[command(flatten, next_help_heading = "Elsewhere")]
    remote: client::Remote,
}

/// Prints the explanation.
pub fn run(args: Args, control: &Path) -> ExitCode {
    let explained = client::status(Door::new(control, &args.remote))
        .and_then(|document| select(&document, &args.router).map(|router| text(&document, router)));
    client::tell(explained)
}

/// The explanation.
pub(super) fn text(document: &StatusDoc, router: &RouterDoc) -> String {
    let verdict = router.verdict.replace('_', " ").to_uppercase();
    let lasts = whole_seconds(document.generated_at.since(router.since));
    let mut text =
        format!("{verdict}  {}  ({}, {})  since {}, {lasts}\n", vip(router), router.name, place(router), router.since);
    // What is not seen now may have changed since.
    let held = if router.verdict == "unknown" { "last held" } else { "held by" };
    section(
        &mut text,
        held,
        &router.holders.iter().map(|h| holder(document, router, h)).collect::<Vec<_>>(),
        "nobody that can be told",
    );
    for finding in &router.findings {
        let on = finding.node.as_deref().map(|node| format!(" on {node}")).unwrap_or_default();
        let sides: Vec<&str> =
            [&*finding.local, &*finding.remote].into_iter().filter(|side| !side.is_empty()).collect();
        section(&mut text, "cause", &[format!("{}{on}: {}", finding.cause, sides.join("; "))], "");
        section(&mut text, "do", &[format!("{}{}", prefix(&on), finding.remedy)], "");
        section(&mut text, "runbook", finding.runbook.as_slice(), "");
    }
    let tracks = router.tracks.iter().map(ToString::to_string);
    let own = [part(router)].into_iter().chain(fence(router)).chain(router.guarded()).chain(tracks);
    section(&mut text, "this node", &own.collect::<Vec<_>>(), "");
    let blind: Vec<String> =
        document.sensors.blind.iter().map(|blind| format!("blind: {}", blindness(blind))).collect();
    section(&mut text, "sensors", &blind, "all see");
    let evidence: Vec<String> = router
        .evidence
        .iter()
        .map(|evidence| format!("{}  {:9} {}", evidence.at, evidence.kind, evidence.says))
        .collect();
    section(&mut text, "evidence", &evidence, "none");
    text.trim_end().into()
}

/// Adds lines under a heading, or `otherwise` if there are none; nothing at all if that is empty too.
fn section(text: &mut String, heading: &str, lines: &[String], otherwise: &str) {
    let otherwise = [otherwise.to_owned()];
    let lines = if lines.is_empty() { &otherwise } else { lines };
    for (i, line) in lines.iter().filter(|line| !line.is_empty()).enumerate() {
        let heading = if i == 0 { heading } else { "" };
        text.push_str(&format!("  {heading:9} {line}\n"));
    }
}

fn prefix(on: &str) -> String {
    if on.is_empty() { String::new() } else { format!("{}: ", on.trim_start()) }
}

fn holder(document: &StatusDoc, router: &RouterDoc, holder: &HolderDoc) -> String {
    let speaker = speaker_of(document, router, holder);
    let source = speaker.map(|speaker| speaker.source.to_string());
    let mut who: Vec<&str> =
        [holder.node.as_deref(), source.as_deref(), holder.mac.as_deref()].into_iter().flatten().collect();
    who.dedup();
    format!("{}  {}", who.join(" "), how(holder, speaker))
}

fn whole_seconds(duration: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(duration.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::super::select::tests::{document, fenced};
    use super::*;
    use serde_json::json;

    #[test]
    fn a_split_is_explained_by_its_holders_its_cause_and_the_one_thing_to_do() {
        let mut document = document("split_brain", &[("web", "10.0.0.3", 51, "split_brain")]);
        let mut router = serde_json::to_value(&document.routers[0]).expect("it is JSON");
        router["holders"] = json!([
            { "node": "lb01", "mac": "aa:00:00:00:00:01", "how": ["netlink", "advert"] },
            { "node": "lb02", "mac": "aa:00:00:00:00:02", "how": ["advert", "arp"] },
        ]);
        let speaker = |source, peer, local, priority| {
            json!({ "source": source, "peer": peer, "mac": null, "local": local, "master": true, "version": 2,
                    "priority": priority, "advert_interval_seconds": 1.0, "last_advert_seconds": 0.3, "addresses": [] })
        };
        router["speakers"] =
            json!([speaker("10.0.0.5", None, true, 200), speaker("10.0.0.6", Some("lb02"), false, 100)]);
        router["findings"] = json!([{ "cause": "firewall_drop", "node": "lb02", "local": "252 on the wire",
            "remote": "0 delivered", "remedy": "nft insert rule inet filter input ip protocol 112 accept", "runbook": null }]);
        document.routers = vec![serde_json::from_value(router).expect("the form of version 1")];
        let expected = "\
SPLIT BRAIN  10.0.0.3  (web, VRID 51, eth0, IPv4)  since 2026-11-20T10:00:00.000Z, 4m 12s
  held by   lb01 10.0.0.5 aa:00:00:00:00:01  has the address, advertises 200
            lb02 10.0.0.6 aa:00:00:00:00:02  advertises 100, answers ARP
  cause     firewall_drop on lb02: 252 on the wire; 0 delivered
  do        on lb02: nft insert rule inet filter input ip protocol 112 accept
  this node master, watches
  sensors   all see
  evidence  none";
        assert_eq!(text(&document, &document.routers[0]), expected);
        document.routers[0].verdict = "unknown".into();
        assert!(text(&document, &document.routers[0]).contains("\n  last held lb01 10.0.0.5"));
    }

    #[test]
    fn a_speaker_is_explained_by_its_priority_its_fence_and_all_that_it_tracks() {
        let document = document("healthy", &[("web", "10.0.0.3", 51, "healthy")]);
        let said = text(&document, &fenced(&document.routers[0]));
        let expected = "
  this node fenced, speaks, priority 100 → 80
            fenced: lb02 holds 10.0.0.3 too
            check nginx is down: priority -20
            interface eth1 is up
";
        assert!(said.contains(expected), "{said}");
    }
}
