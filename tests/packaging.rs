//! The files of a package, held by the tools that read them.

use std::process::Command;

#[test]
fn the_watching_unit_is_exposed_below_2_0() {
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/vipwarden.service");
    // The threshold is in tenths; above it the command fails.
    let output = Command::new("systemd-analyze").args(["security", "--offline=true", "--threshold=20", unit]).output();
    let output = output.expect("systemd-analyze (package systemd)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
