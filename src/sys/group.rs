//! On which interfaces this host has joined VRRP's multicast groups.

use std::fs;
use std::io;

use crate::wire::Family;

/// Names of the interfaces that have joined, in this thread's network namespace.
///
/// # Errors
/// `/proc/thread-self/net/igmp` or `igmp6` can't be read.
pub fn joined(family: Family) -> io::Result<Vec<String>> {
    match family {
        Family::V4 => fs::read_to_string("/proc/thread-self/net/igmp").map(|text| joined_v4(&text)),
        Family::V6 => fs::read_to_string("/proc/thread-self/net/igmp6").map(|text| joined_v6(&text)),
    }
}

/// A line for each interface, and below it, indented, one for each group, in this machine's byte order.
fn joined_v4(text: &str) -> Vec<String> {
    let group = format!("{:08X}", u32::from_ne_bytes([224, 0, 0, 18]));
    let (mut interface, mut found) = ("", Vec::new());
    for line in text.lines().skip(1) {
        if line.starts_with(char::is_whitespace) {
            if line.split_ascii_whitespace().next() == Some(&group) {
                found.push(interface.to_owned());
            }
        } else {
            interface = line.split_ascii_whitespace().nth(1).unwrap_or_default().trim_end_matches(':');
        }
    }
    found
}

/// A line for each interface and group.
fn joined_v6(text: &str) -> Vec<String> {
    let words = text.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let ours = words.filter(|words| words.get(2) == Some(&"ff020000000000000000000000000012"));
    ours.map(|words| words[1].to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_interfaces_that_have_joined_are_told_from_the_kernels_tables() {
        let igmp = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n\
                    1\tlo        :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n\
                    2\teth0      :     2      V3\n\t\t\t\t120000E0     1 0:00000000\t\t0\n\t\t\t\t010000E0     1 0:00000000\t\t0\n\
                    3\tvrrp.51@eth1:     1      V3\n\t\t\t\t120000E0     1 0:00000000\t\t0\n";
        assert_eq!(joined_v4(igmp), ["eth0", "vrrp.51@eth1"]);
        let igmp6 = "1    lo              ff020000000000000000000000000001     1 0000000C 0\n\
                     2    eth0            ff020000000000000000000000000012     1 00000004 0\n";
        assert_eq!(joined_v6(igmp6), ["eth0"]);
        assert!(joined_v4("").is_empty() && joined_v6("x").is_empty());
    }
}
