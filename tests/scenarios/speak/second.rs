//! Two vipwardens that speak and are cut from each other, with a second network between them.

use crate::lab::{Firewall, Flavour, Stage, any_of, holds, second, until, verdict};

/// The switch forwards nothing between the two any more: each takes the other for dead.
#[test]
fn fault_4_cut_from_each_other_the_lower_one_drops_by_the_others_word_and_never_both() {
    let stage = Stage::new(Flavour::V3);
    second::join(&stage.a, &stage.b);
    // Announced once: what corrects b's segment after the cut is nothing that was due anyhow.
    let once = ["garp = { delay = \"0s\" }"];
    let (a, b) = (stage.asking_speaker(&stage.a, 200, &once), stage.asking_speaker(&stage.b, 100, &[]));
    stage.expect_holders(true, false);
    let trusted = |watch: &crate::lab::Watch| watch.status().is_ok_and(|s| s["peers"][0]["trusted"] == true);
    until("each trusts the other's reports", || trusted(&a) && trusted(&b));
    let cuts = [("a", "b"), ("b", "a")].map(|(from, to)| Firewall::cut(stage.lab(), from, to));
    stage.expect_holders(true, true);
    a.expect("it is called a partition", |r| verdict(r) == "split_brain" && any_of(r, &["partition"]));
    until("one has dropped", || {
        let held = [holds(&stage.a, stage.flavour.vip()), holds(&stage.b, stage.flavour.vip())];
        assert_ne!(held, [false, false], "never both");
        held == [true, false]
    });
    let fenced = b.expect("it says that it is fenced, and why", |r| r["state"] == "fenced");
    assert!(fenced["fence"].to_string().contains("second channel"), "{fenced:#}");
    a.expect("one holder is left", |r| verdict(r) == "healthy" && r["state"] == "master");
    cuts.into_iter().for_each(Firewall::heal);
    b.expect("it is a backup again, and a has announced anew", |r| r["state"] == "backup" && verdict(r) == "healthy");
    stage.expect_holders(true, false);
}

/// Without the cluster's key the reports are shown and alarmed, and nobody drops for them.
#[test]
fn fault_4_nobody_drops_for_an_unsigned_report() {
    let stage = Stage::new(Flavour::V3);
    second::join(&stage.a, &stage.b);
    let (a, b) = (stage.unsigned_speaker(&stage.a, 200, &[]), stage.unsigned_speaker(&stage.b, 100, &[]));
    stage.expect_holders(true, false);
    let cuts = [("a", "b"), ("b", "a")].map(|(from, to)| Firewall::cut(stage.lab(), from, to));
    for watch in [&a, &b] {
        watch.expect("it is called a partition", |r| verdict(r) == "split_brain" && any_of(r, &["partition"]));
    }
    let heard = Firewall::count_adverts(stage.lab(), "b");
    until("b goes on for longer than a signed report would have let it", || heard.counted() > 60);
    assert!(holds(&stage.a, stage.flavour.vip()) && holds(&stage.b, stage.flavour.vip()));
    cuts.into_iter().for_each(Firewall::heal);
    stage.expect_holders(true, false);
}
