//! `vipwarden status`: the daemon's view as a monitoring plugin shows it, one line first, then a line a router, and below it
//! what keeps this node from doing its full part.

use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use crate::web::document::{RouterDoc, StatusDoc};

use super::client::Door;
use super::select::{blindness, fence, part, place, select, sense, vip};
use super::terminal::say;
use super::{CRITICAL, FAILED, UNKNOWN, client};

/// What `status` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name, VIP or VRID of one virtual router; all by default. Where several are meant: with @eth0 behind it, or @eth0/100 on VLAN 100.
    router: Option<String>,
    /// Print the daemon's JSON document instead.
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Elsewhere")]
    remote: client::Remote,
}

/// Prints the view. 0 healthy, 1 degraded, 2 split brain or no master, 3 unknown, also if there is no daemon.
pub fn run(args: Args, control: &Path) -> ExitCode {
    match view(&args, control) {
        Ok((text, verdict)) => {
            say(&text);
            exit_code(&verdict).into()
        }
        Err(why) => {
            // On standard output: it is the one that monitoring shows.
            say(&format!("VRRP UNKNOWN - {why}"));
            UNKNOWN.into()
        }
    }
}

fn view(args: &Args, control: &Path) -> Result<(String, String), String> {
    let mut value = client::get(Door::new(control, &args.remote), "/api/v1/status")?;
    let mut document: StatusDoc = client::read(value.clone())?;
    if let Some(wanted) = &args.router {
        let one = select(&document, wanted)?.clone();
        if let Some(Value::Array(routers)) = value.get_mut("routers") {
            let index = document.routers.iter().position(|router| *router == one);
            *routers = index.map(|index| routers.swap_remove(index)).into_iter().collect();
        }
        document.verdict.clone_from(&one.verdict);
        document.routers = vec![one];
    }
    let text = if args.json { format!("{value:#}") } else { text(&document) };
    Ok((text, document.verdict))
}

fn exit_code(verdict: &str) -> u8 {
    match verdict {
        "healthy" => 0,
        "degraded" => FAILED,
        "split_brain" | "no_master" => CRITICAL,
        _ => UNKNOWN,
    }
}

fn text(document: &StatusDoc) -> String {
    let word = match exit_code(&document.verdict) {
        0 => "OK",
        FAILED => "WARNING",
        CRITICAL => "CRITICAL",
        _ => "UNKNOWN",
    };
    // A bar would begin the performance data.
    let mut text = format!("VRRP {word} - {}\n", headline(document).replace('|', "/"));
    let rows: Vec<[String; 6]> = document.routers.iter().map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    for (row, router) in rows.iter().zip(&document.routers) {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
        for line in fence(router).into_iter().chain(router.not_up().map(ToString::to_string)) {
            text.push_str(&format!("  {line}\n"));
        }
    }
    for blind in &document.sensors.blind {
        text.push_str(&format!("blind: {}\n", blindness(blind)));
    }
    text.trim_end().into()
}

/// Everything that is not healthy or from which this node is fenced, worst first; or how many are.
fn headline(document: &StatusDoc) -> String {
    let ails = |router: &&RouterDoc| router.verdict != "healthy" || router.fenced().is_some();
    let mut ailing: Vec<&RouterDoc> = document.routers.iter().filter(ails).collect();
    ailing.sort_by_key(|router| std::cmp::Reverse(severity(&router.verdict)));
    let mut said: Vec<String> = ailing.into_iter().map(complaint).collect();
    said.extend(document.sensors.blind.first().map(|blind| format!("blind: {}", sense(blind))));
    match document.routers.len() {
        _ if !said.is_empty() => said.join(", "),
        0 => "no virtual router was seen yet".into(),
        1 => format!("{} healthy", vip(&document.routers[0])),
        n => format!("{n} virtual routers healthy"),
    }
}

/// The higher, the worse; what this version does not know is the worst.
pub(super) fn severity(verdict: &str) -> u8 {
    crate::detect::Verdict::ALL.iter().find(|known| known.as_str() == verdict).map_or(u8::MAX, |known| known.severity())
}

fn complaint(router: &RouterDoc) -> String {
    let causes = if router.causes.is_empty() { String::new() } else { format!(" ({})", router.causes.join(", ")) };
    let fence = if router.fenced().is_some() { " and fenced here" } else { "" };
    format!("{} {}{causes}{fence}", vip(router), router.verdict)
}

fn row(router: &RouterDoc) -> [String; 6] {
    let masters: Vec<String> = router.masters.iter().map(ToString::to_string).collect();
    let masters = if masters.is_empty() { "no master".into() } else { format!("master {}", masters.join(" and ")) };
    [router.verdict.clone(), router.name.clone(), vip(router), place(router), format!("here {}", part(router)), masters]
}

#[cfg(test)]
mod tests {
    use super::super::select::tests::{document, fenced};
    use super::*;

    #[test]
    fn the_first_line_is_what_a_monitoring_plugin_says_worst_first() {
        let mut sick = document(
            "split_brain",
            &[
                ("web", "10.0.0.3", 51, "healthy"),
                ("db", "10.0.0.4", 52, "degraded"),
                ("fw", "10.0.0.5", 53, "split_brain"),
            ],
        );
        sick.routers[2].causes = vec!["firewall_drop".into()];
        let said = text(&sick);
        assert!(
            said.starts_with("VRRP CRITICAL - 10.0.0.5 split_brain (firewall_drop), 10.0.0.4 degraded\n"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 4, "a line a router follows");
    }

    #[test]
    fn each_verdict_has_the_exit_code_of_its_severity_and_an_unheard_one_is_unknown() {
        let codes = ["healthy", "degraded", "split_brain", "no_master", "unknown", "later_word"].map(exit_code);
        assert_eq!(codes, [0, 1, 2, 2, 3, 3]);
    }

    #[test]
    fn a_fence_is_in_the_first_line_and_what_is_down_below_the_router() {
        let mut document =
            document("healthy", &[("web", "10.0.0.3", 51, "healthy"), ("db", "10.0.0.4", 52, "healthy")]);
        document.routers[0] = fenced(&document.routers[0]);
        let expected = "\
VRRP OK - 10.0.0.3 healthy and fenced here
healthy  web  10.0.0.3  VRID 51, eth0, IPv4  here fenced, speaks, priority 100 → 80  no master
  fenced: lb02 holds 10.0.0.3 too
  check nginx is down: priority -20
healthy  db   10.0.0.4  VRID 52, eth0, IPv4  here master, watches                    no master";
        assert_eq!(text(&document), expected);
    }

    #[test]
    fn blindness_is_in_the_first_line() {
        let mut blind = document("unknown", &[]);
        blind.sensors.blind = vec![
            serde_json::from_value(serde_json::json!({
                "sensor": "capture", "interface": "eth0", "since": "2026-11-20T10:00:00.000Z", "says": "down | out",
            }))
            .expect("the form of version 1"),
        ];
        assert!(text(&blind).starts_with("VRRP UNKNOWN - blind: capture eth0\nblind: "));
    }
}
