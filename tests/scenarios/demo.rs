//! `vipwarden demo` tells its story to the end and leaves nothing behind.

use crate::lab::{Slot, vipwarden};
use std::process::Command;

#[test]
fn the_demo_runs_to_its_end_and_leaves_nothing_behind() {
    let _slot = Slot::take();
    let demo = Command::new(vipwarden()).args(["demo", "--pause", "0s", "--listen", "127.0.0.1:0"]).output();
    let demo = demo.expect("the demo starts");
    let (told, failed) = (String::from_utf8_lossy(&demo.stdout), String::from_utf8_lossy(&demo.stderr));
    assert!(demo.status.success(), "{told}\n{failed}");
    for word in ["healthy", "split_brain", "firewall_drop"] {
        assert!(told.contains(word), "{word} is not in the story:\n{told}");
    }
}
