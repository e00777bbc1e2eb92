//! One thing that was looked at, and how findings are printed.

use serde::Serialize;
use serde_json::json;

use crate::cli::terminal::{plain, say};

/// How bad it is. Sorts from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// Looked at, and as it should be.
    Ok,
    /// Worth knowing; nothing has to be done.
    Info,
    /// It will hurt, or hurts under conditions.
    Warning,
    /// It hurts now, or at the next failover.
    Critical,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Finding {
    /// Which check has found it.
    pub check: &'static str,
    pub severity: Severity,
    /// An interface, a file or a router; empty is the host.
    pub subject: String,
    /// What was seen.
    pub seen: String,
    /// Why that matters; empty where all is well.
    pub why: String,
    /// The command that mends it, or the first step towards that.
    pub mend: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn ok(check: &'static str, subject: impl Into<String>, seen: impl Into<String>) -> Self {
        Self::new(check, Severity::Ok, subject, seen, "")
    }

    /// Something to read.
    pub fn new(
        check: &'static str,
        severity: Severity,
        subject: impl Into<String>,
        seen: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self { check, severity, subject: subject.into(), seen: seen.into(), why: why.into(), mend: None }
    }

    /// With the command that mends it.
    pub fn mended_by(self, command: impl Into<String>) -> Self {
        Self { mend: Some(command.into()), ..self }
    }
}

/// The worst of all.
pub(super) fn worst(findings: &[Finding]) -> Severity {
    findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok)
}

/// Prints them, the worst first; what is well takes a line for all.
pub(super) fn print(node: &str, mut findings: Vec<Finding>, json: bool) {
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    if json {
        say(&format!("{:#}", json!({ "node": node, "worst": worst(&findings), "findings": findings })));
    } else {
        say(&plain(&text(&findings), true));
    }
}

fn text(findings: &[Finding]) -> String {
    let mut lines = Vec::new();
    for finding in findings.iter().filter(|finding| finding.severity > Severity::Ok) {
        let Finding { check, severity, subject, seen, why, mend } = finding;
        let word = match severity {
            Severity::Critical => "CRITICAL",
            Severity::Warning => "WARNING",
            Severity::Info | Severity::Ok => "info",
        };
        let whose = if subject.is_empty() { String::new() } else { format!(" {}", one_line(subject)) };
        lines.push(format!("{word:<8} {check}{whose}: {}", one_line(seen)));
        lines.push(format!("         why:  {}", one_line(why)));
        if let Some(mend) = mend {
            lines.push(format!("         mend: {}", one_line(mend)));
        }
        lines.push(String::new());
    }
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let mut well: Vec<&str> = findings.iter().filter(|f| f.severity == Severity::Ok).map(|f| f.check).collect();
    well.dedup();
    if !well.is_empty() {
        lines.push(format!("fine: {}", well.join(", ")));
    }
    lines.push(format!("{} critical, {} to be warned of", count(Severity::Critical), count(Severity::Warning)));
    lines.join("\n")
}

/// A stranger's line break must not look like a finding of ours.
fn one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_says_what_why_and_what_to_do_and_what_is_well_takes_one_line() {
        let bad =
            Finding::new("clock", Severity::Warning, "", "kvm-clock", "it hides\nCRITICAL pauses").mended_by("do it");
        let said = text(&[bad, Finding::ok("firewall", "eth0", "nothing"), Finding::ok("firewall", "eth1", "nothing")]);
        assert_eq!(
            said,
            "WARNING  clock: kvm-clock\n         why:  it hides CRITICAL pauses\n         mend: do it\n\nfine: firewall\n\
             0 critical, 1 to be warned of"
        );
    }
}
