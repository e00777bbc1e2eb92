//! What this process may do, what this kernel can, and what its clock is.

use std::fs;

use super::finding::{Finding, Severity};
use crate::config::Config;
use crate::sys::capability::Capabilities;
use crate::sys::sysctl;

/// Clocks that stand still or run on unnoticed while the machine is paused.
const HIDING: [&str; 3] = ["kvm-clock", "hyperv_clocksource", "jiffies"];
const CLOCKS: &str = "/sys/devices/system/clocksource/clocksource0";
/// The kernel that brought the egress hook.
const EGRESS: (u32, u32) = (5, 16);

/// Whether the configuration makes this host a VRRP router.
pub(super) fn speaks(config: &Config) -> bool {
    config.routers.iter().any(|router| router.speak.is_some())
}

/// CAP_NET_RAW, and CAP_NET_ADMIN where the configuration speaks.
pub(super) fn capabilities(config: &Config) -> Vec<Finding> {
    let check = "capabilities";
    let may = match Capabilities::effective() {
        Ok(may) => may,
        Err(error) => {
            return vec![Finding::new(check, Severity::Warning, "", error.to_string(), "nothing is known of them")];
        }
    };
    let mut found = Vec::new();
    if !may.net_raw {
        let why = "no packet socket opens: nothing on the wire is seen, and this check sees half";
        found.push(
            Finding::new(check, Severity::Critical, "", "CAP_NET_RAW is missing", why)
                .mended_by("sudo setcap cap_net_raw+ep \"$(command -v vipwarden)\""),
        );
    }
    if !may.net_admin && speaks(config) {
        let why = "mode = \"speak\" can't add or remove addresses";
        found.push(
            Finding::new(check, Severity::Critical, "", "CAP_NET_ADMIN is missing", why)
                .mended_by("sudo setcap cap_net_raw,cap_net_admin+ep \"$(command -v vipwarden)\""),
        );
    }
    if found.is_empty() {
        found.push(Finding::ok(check, "", "all that the configuration needs"));
    }
    found
}

/// Whether the kernel gate can be put up, where the configuration speaks.
pub(super) fn gate(config: &Config) -> Option<Finding> {
    if !speaks(config) {
        return None;
    }
    let release = sysctl::read("kernel/osrelease").unwrap_or_default();
    Some(match version(&release) {
        Some(version) if version >= EGRESS => {
            Finding::ok("kernel gate", "", format!("Linux {release} has the egress hook"))
        }
        _ => Finding::new(
            "kernel gate",
            Severity::Warning,
            "",
            format!("Linux {release} has no egress hook of nf_tables (5.16)"),
            "a daemon that is frozen or killed goes on answering for its addresses until it is back",
        )
        .mended_by("apt install --only-upgrade linux-image-amd64 && systemctl reboot"),
    })
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Whether the clock source shows a pause of the machine.
pub(super) fn clock(config: &Config) -> Finding {
    let read = |name: &str| fs::read_to_string(format!("{CLOCKS}/{name}")).unwrap_or_default().trim().to_owned();
    judge_clock(&read("current_clocksource"), &read("available_clocksource"), speaks(config))
}

fn judge_clock(current: &str, available: &str, speaks: bool) -> Finding {
    let check = "clock source";
    if !HIDING.iter().any(|hiding| current.starts_with(hiding)) {
        return Finding::ok(check, "", current);
    }
    let severity = if speaks { Severity::Warning } else { Severity::Info };
    let why = "it hides that the virtual machine was paused: a master that was away goes on as if it had not been, until it hears the other's advert";
    let finding = Finding::new(check, severity, "", current, why);
    let other = available.split_ascii_whitespace().find(|name| *name == "tsc");
    finding.mended_by(match other {
        Some(other) => format!("echo {other} | sudo tee {CLOCKS}/current_clocksource"),
        None => format!("cat {CLOCKS}/available_clocksource   # none here shows a pause: never suspend or snapshot this machine while it is master"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_hides_a_pause_is_named_with_the_one_that_does_not() {
        let found = judge_clock("kvm-clock", "kvm-clock tsc acpi_pm", true);
        assert_eq!(found.severity, Severity::Warning);
        assert!(found.mend.is_some_and(|command| command.starts_with("echo tsc | sudo tee /sys/")));
        assert_eq!(judge_clock("hyperv_clocksource_tsc_page", "", false).severity, Severity::Info);
        assert_eq!(judge_clock("tsc", "tsc", true).severity, Severity::Ok);
    }

    #[test]
    fn a_kernel_is_known_by_its_first_two_numbers() {
        assert_eq!(version("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(version("5.15-generic"), Some((5, 15)));
        assert_eq!(version("plan9"), None);
    }
}
