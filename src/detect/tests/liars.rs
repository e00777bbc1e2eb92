//! Who answers for what is not its own is named, and nobody else is blamed for it.

use super::*;

const X: MacAddr = MacAddr(2, 0, 0, 0, 0xba, 0xd);

/// This node and lb02, which asks and answers, signed.
fn pair() -> Stage {
    let peer = Peer { name: "lb02".into(), address: ip(B), vrrp_addresses: vec![], urls: vec!["http://lb02".into()] };
    Stage::member_with(Settings { peers: vec![peer], ..Settings::default() })
}

/// Whom it names is a stranger, whatever else it says.
#[track_caller]
fn only_foreign_claims(stage: &Stage) {
    let told = |event: &&Event| event.kind == "verdict" && !event.causes.is_empty();
    assert!(stage.events.iter().filter(told).all(|e| e.causes == [Cause::ForeignClaim]), "{:#?}", stage.events);
}

/// Its last answers came before it gave way, and the liar's go on.
#[test]
fn a_master_that_steps_back_beside_a_liar_has_no_stale_address_faults_14_and_18() {
    for phase in [0, 150, 400, 700, 950] {
        let mut stage = pair();
        stage.answers = vec![mac(B), X];
        stage.own_answers = vec![(ip(B), mac(B)), (ip(B), X), (ip(A), X)];
        stage.play(10_000 + phase, &[(&advert(B, 200), 0)]);
        stage.expect(Verdict::SplitBrain, &[Cause::ForeignClaim]);
        stage.hear(&advert(B, 0));
        stage.answers = vec![X];
        stage.idle(stage.now + 600);
        stage.own(VIP);
        stage.play(stage.now + 5000, &[(&advert(A, 100), 0)]);
        stage.expect(Verdict::SplitBrain, &[Cause::ForeignClaim]);
        assert_eq!(stage.router().masters, [ip(A)]);
        only_foreign_claims(&stage);
    }
}

/// The better one takes over from it.
#[test]
fn a_master_that_is_preempted_beside_a_liar_has_no_stale_address_faults_14_and_18() {
    for phase in [0, 150, 400, 700, 950] {
        let mut stage = pair();
        stage.answers = vec![mac(B), X];
        stage.own_answers = vec![(ip(B), mac(B)), (ip(B), X), (ip(A), X)];
        stage.play(10_000 + phase, &[(&advert(B, 100), 0)]);
        stage.answers = vec![X];
        stage.own(VIP);
        stage.play(stage.now + 5000, &[(&advert(A, 200), 0)]);
        stage.expect(Verdict::SplitBrain, &[Cause::ForeignClaim]);
        only_foreign_claims(&stage);
    }
}
