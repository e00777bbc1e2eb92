//! The files of a package, held by the tools that read them.

use std::process::Command;

fn exposure_is_below(unit: &str, tenths: u32) {
    let path = format!("{}/packaging/{unit}", env!("CARGO_MANIFEST_DIR"));
    // Above the threshold the command fails.
    let threshold = format!("--threshold={tenths}");
    let output = Command::new("systemd-analyze").args(["security", "--offline=true", &threshold, &path]).output();
    let output = output.expect("systemd-analyze (package systemd)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_watching_unit_is_exposed_below_2_0() {
    exposure_is_below("vipwarden.service", 20);
}

#[test]
fn the_speaking_unit_is_exposed_below_2_7() {
    exposure_is_below("vipwarden-speak.service", 27);
}

/// The program is not installed where tests run: another one takes its place.
#[test]
fn systemd_finds_no_fault_with_the_units() {
    let directory = tempfile::tempdir().expect("a directory");
    for unit in ["vipwarden.service", "vipwarden-speak.service"] {
        let text = std::fs::read_to_string(format!("{}/packaging/{unit}", env!("CARGO_MANIFEST_DIR"))).expect("a unit");
        let path = directory.path().join(unit);
        std::fs::write(&path, text.replace("/usr/bin/vipwarden", "/bin/true")).expect("a file");
        let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output();
        let output = output.expect("systemd-analyze (package systemd)");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains(unit), "{said}");
    }
}

/// One that was killed leaves addresses and its kernel gate behind.
#[test]
fn the_speaking_unit_cleans_up_whatever_ended_it() {
    let unit = format!("{}/packaging/vipwarden-speak.service", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(unit).expect("a unit");
    let line =
        text.lines().find_map(|line| line.strip_prefix("ExecStopPost=/usr/bin/vipwarden ")).expect("it cleans up");
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_vipwarden")).args([line, "--help"]).output();
    assert!(help.expect("it runs").status.success(), "vipwarden {line} is a command");
}
