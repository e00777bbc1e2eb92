//! Failover and failback between vipwarden and keepalived.

use crate::lab::{Flavour, Keepalived, Recording, Stage, until};

fn takes_over_and_hands_back(flavour: Flavour) {
    let stage = Stage::new(flavour);
    let recording = &mut Recording::start(&stage.b);
    let mut keepalived = Keepalived::start(&stage.a, &stage.instance(&stage.a, 200)).expect("keepalived starts");
    stage.expect_holders(true, false);
    let vipwarden = stage.speaker(&stage.b, 100, &[]);
    vipwarden.expect("it is backup", |router| router["state"] == "backup" && router["verdict"] == "healthy");
    keepalived.stop().expect("keepalived stops");
    stage.expect_holders(false, true);
    vipwarden.expect("it is master", |router| router["state"] == "master" && router["verdict"] == "healthy");
    let keepalived = Keepalived::start(&stage.a, &stage.instance(&stage.a, 200)).expect("keepalived starts");
    stage.expect_holders(true, false);
    vipwarden.expect("it is backup", |router| router["state"] == "backup" && router["verdict"] == "healthy");
    until("keepalived is master", || keepalived.process().log().contains("Entering MASTER STATE"));
    recording.expect_sound(&stage.b.mac());
}

#[test]
fn a_backup_takes_over_from_keepalived_and_hands_back_v3() {
    takes_over_and_hands_back(Flavour::V3);
}
