//! This host's nftables rules, followed as an advert would go through them: which rule drops it, and the command that lets it pass.

mod matching;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::Command;

use serde_json::Value;

use super::finding::{Finding, Severity};
use crate::sys::nft::gate;
use crate::wire::Family;
use matching::{Answer, Packet};

const CHECK: &str = "firewall";
/// Chains that jump to one another, at most: the kernel allows no more.
const DEPTH_MAX: usize = 16;
/// Where adverts pass, and whether they come in there.
const HOOKS: [(&str, bool); 6] = [
    ("ingress", true),
    ("prerouting", true),
    ("input", true),
    ("output", false),
    ("postrouting", false),
    ("egress", false),
];

/// The findings for these interfaces and families.
pub(super) fn check(interfaces: &[String], families: &[Family]) -> Vec<Finding> {
    let listed = match Command::new("nft").args(["-j", "list", "ruleset"]).output() {
        Ok(listed) if listed.status.success() => listed.stdout,
        Ok(failed) => {
            let said = String::from_utf8_lossy(&failed.stderr).trim().to_owned();
            return vec![unread(format!("nft -j list ruleset fails: {said}"), "sudo nft -j list ruleset")];
        }
        Err(error) => {
            return vec![unread(format!("nft can't be run ({error})"), "apt install nftables")];
        }
    };
    let Ok(document) = serde_json::from_slice::<Value>(&listed) else {
        return vec![unread("nft prints no JSON".into(), "nft -j list ruleset")];
    };
    let found = judge(&document, interfaces, families);
    if found.is_empty() { vec![Finding::ok(CHECK, "", "no rule of nftables drops adverts")] } else { found }
}

fn unread(seen: String, mend: &str) -> Finding {
    let why = "a rule that drops protocol 112 makes both nodes master, and nothing here looks for it";
    Finding::new(CHECK, Severity::Info, "", seen, why).mended_by(mend)
}

/// What becomes of the packet at the end of a chain or a rule.
enum End<'r> {
    /// The next rule or chain decides.
    Goes,
    Accepted,
    /// By this rule, or by the policy of the base chain.
    Dropped(Option<&'r Value>),
}

struct Walk<'r> {
    rules: Vec<&'r Value>,
    packet: Packet<'r>,
    /// A rule on the way may match, and decides if it does.
    unsure: bool,
}

/// Which rules of a listing drop adverts.
fn judge(document: &Value, interfaces: &[String], families: &[Family]) -> Vec<Finding> {
    let objects: Vec<&Value> = document["nftables"].as_array().into_iter().flatten().collect();
    let rules: Vec<&Value> = objects.iter().filter_map(|object| object.get("rule")).collect();
    let mut found: Vec<Finding> = Vec::new();
    for chain in objects.iter().filter_map(|object| object.get("chain")) {
        let Some((hook, inward)) = HOOKS.into_iter().find(|(hook, _)| chain["hook"] == *hook) else { continue };
        if chain["table"] == gate::TABLE {
            continue;
        }
        for (interface, family) in interfaces.iter().flat_map(|i| families.iter().map(move |f| (i, *f))) {
            if !is_passed(chain, interface, family) {
                continue;
            }
            let destination = match family {
                Family::V4 => IpAddr::from(Ipv4Addr::new(224, 0, 0, 18)),
                Family::V6 => IpAddr::from(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12)),
            };
            let packet = Packet { family, interface, inward, destination };
            let mut walk = Walk { rules: rules.clone(), packet, unsure: false };
            let end = match walk.chain(chain, chain["name"].as_str().unwrap_or_default(), 0) {
                End::Goes if chain["policy"] == "drop" => End::Dropped(None),
                end => end,
            };
            if let End::Dropped(rule) = end {
                let finding = describe(chain, hook, rule, &packet, walk.unsure);
                // Both families may meet the same rule.
                if !found.iter().any(|known| known.mend == finding.mend && known.subject == finding.subject) {
                    found.push(finding);
                }
            }
        }
    }
    found
}

/// Whether a base chain sees packets of this family on this interface.
fn is_passed(chain: &Value, interface: &str, family: Family) -> bool {
    let device = &chain["dev"];
    let on_device = match device {
        Value::String(name) => name == interface,
        Value::Array(names) => names.iter().any(|name| name == interface),
        _ => true,
    };
    on_device
        && match chain["family"].as_str() {
            Some("inet" | "netdev") => true,
            Some("ip") => family == Family::V4,
            Some("ip6") => family == Family::V6,
            _ => false,
        }
}

impl<'r> Walk<'r> {
    /// Follows the rules of the chain `name` in the table of `base`.
    fn chain(&mut self, base: &Value, name: &str, depth: usize) -> End<'r> {
        let is_ours = |rule: &&&Value| {
            rule["family"] == base["family"] && rule["table"] == base["table"] && rule["chain"] == name
        };
        let ours: Vec<&'r Value> = self.rules.iter().filter(is_ours).copied().collect();
        for rule in ours {
            match self.rule(base, rule, depth) {
                End::Goes => {}
                end => return end,
            }
        }
        End::Goes
    }

    fn rule(&mut self, base: &Value, rule: &'r Value, depth: usize) -> End<'r> {
        let mut answer = Answer::Yes;
        for statement in rule["expr"].as_array().into_iter().flatten() {
            let Some((kind, body)) = statement.as_object().and_then(|object| object.iter().next()) else { continue };
            let end = match kind.as_str() {
                "match" => {
                    answer = answer.and(self.packet.matches(body));
                    End::Goes
                }
                "limit" | "quota" | "xt" | "ct count" | "socket" => {
                    answer = answer.and(Answer::Perhaps);
                    End::Goes
                }
                "vmap" => match self.packet.maps(body) {
                    Some((matches, verdict)) => {
                        answer = answer.and(matches);
                        self.verdict(base, rule, verdict, answer, depth)
                    }
                    None => End::Goes,
                },
                _ => self.verdict(base, rule, statement, answer, depth),
            };
            match (answer, end) {
                (Answer::No, _) => return End::Goes,
                (_, End::Goes) => {}
                (_, end) => return end,
            }
        }
        End::Goes
    }

    /// What a verdict does, if it is one. One that only may be reached decides where it is about adverts by name.
    fn verdict(&mut self, base: &Value, rule: &'r Value, verdict: &Value, answer: Answer, depth: usize) -> End<'r> {
        let Some((kind, body)) = verdict.as_object().and_then(|object| object.iter().next()) else { return End::Goes };
        let end = match kind.as_str() {
            "accept" | "queue" => End::Accepted,
            "drop" | "reject" => End::Dropped(Some(rule)),
            "jump" | "goto" if depth < DEPTH_MAX => {
                self.chain(base, body["target"].as_str().unwrap_or_default(), depth + 1)
            }
            _ => End::Goes,
        };
        match (answer, end) {
            (Answer::Yes, end) => end,
            (_, End::Goes) => End::Goes,
            (_, End::Dropped(rule)) if rule.is_some_and(is_about_adverts) => {
                self.unsure = true;
                End::Dropped(rule)
            }
            // Whoever lets some adverts pass by name is taken at his word.
            (_, End::Accepted) if is_about_adverts(rule) => End::Accepted,
            (_, end) => {
                self.unsure |= matches!(end, End::Accepted);
                End::Goes
            }
        }
    }
}

fn is_about_adverts(rule: &Value) -> bool {
    let text = rule["expr"].to_string();
    text.contains("\"vrrp\"") || text.contains(":112") || text.contains("224.0.0.18") || text.contains("ff02::12")
}

fn describe(chain: &Value, hook: &str, rule: Option<&Value>, packet: &Packet<'_>, unsure: bool) -> Finding {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (family, table) = (word(&chain["family"]), word(&chain["table"]));
    let path = format!("{family} {table} {}", word(&chain["name"]));
    let direction = if packet.inward { "come in" } else { "go out" };
    let perhaps = if unsure { "may drop" } else { "drops" };
    let what = match packet.family {
        Family::V4 => "VRRP over IPv4",
        Family::V6 => "VRRP over IPv6",
    };
    let protocol = match family.as_str() {
        "ip" => "ip protocol 112",
        "ip6" => "ip6 nexthdr 112",
        _ => "meta l4proto 112",
    };
    let (seen, mend) = match rule {
        Some(rule) => {
            let (place, handle) = (format!("{family} {table} {}", word(&rule["chain"])), &rule["handle"]);
            (
                format!("the rule with handle {handle} in chain {place} (hook {hook}) {perhaps} {what}"),
                format!("nft insert rule {place} handle {handle} {protocol} accept"),
            )
        }
        None => (
            format!("the policy of chain {path} (hook {hook}) {perhaps} {what}: no rule accepts protocol 112"),
            format!("nft insert rule {path} {protocol} accept"),
        ),
    };
    let why = format!(
        "adverts that don't {direction} here make two masters; write the accepting rule into the file that these rules are loaded from, too"
    );
    let severity = if unsure { Severity::Warning } else { Severity::Critical };
    Finding::new(CHECK, severity, packet.interface, seen, why).mended_by(mend)
}

#[cfg(test)]
mod tests;
