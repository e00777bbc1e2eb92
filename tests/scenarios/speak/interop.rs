//! Beside real daemons, as backup and as master: failover, failback, preemption, and packets that others call sound.

use crate::lab::{Flavour, Frr, Keepalived, Recording, Stage, Watch};

/// A stage, and what both sides are told beyond the flavour.
struct Match {
    stage: Stage,
    recording: Recording,
    vipwarden: Vec<&'static str>,
    keepalived: Vec<&'static str>,
}

impl Match {
    fn new(flavour: Flavour) -> Self {
        let stage = Stage::new(flavour);
        let recording = Recording::start(&stage.b);
        Self { stage, recording, vipwarden: Vec::new(), keepalived: Vec::new() }
    }

    fn keepalived(&self, priority: u8) -> Keepalived {
        let mut instance = self.stage.instance(&self.stage.a, priority);
        instance.lines.extend(self.keepalived.iter().map(|line| (*line).into()));
        Keepalived::start(&self.stage.a, &instance).expect("keepalived starts")
    }

    fn vipwarden(&self, priority: u8) -> Watch {
        self.stage.speaker(&self.stage.b, priority, &self.vipwarden)
    }

    fn expect(&self, vipwarden: &Watch, state: &str) {
        self.stage.expect_holders(state == "backup", state == "master");
        vipwarden.expect(&format!("it is {state}"), |router| {
            router["state"] == state && router["verdict"] == "healthy" && router["causes"] == serde_json::json!([])
        });
    }

    fn backup(mut self) {
        let mut keepalived = self.keepalived(200);
        self.stage.expect_holders(true, false);
        let vipwarden = self.vipwarden(100);
        self.expect(&vipwarden, "backup");
        keepalived.stop().expect("keepalived stops");
        self.expect(&vipwarden, "master");
        // Held up here until the other one is back.
        let _keepalived = self.keepalived(200);
        self.expect(&vipwarden, "backup");
        self.expect_sound_packets();
    }

    fn master(mut self) {
        let _keepalived = self.keepalived(100);
        self.stage.expect_holders(true, false);
        let mut vipwarden = self.vipwarden(200);
        self.expect(&vipwarden, "master");
        vipwarden.process().stop().expect("it ends");
        self.stage.expect_holders(true, false);
        drop(vipwarden);
        let vipwarden = self.vipwarden(200);
        self.expect(&vipwarden, "master");
        let sent = self.recording.sources_of_priority(0);
        assert!(sent.iter().any(|mac| is_ours(&self.stage, mac)), "the end was told by priority 0: {sent:?}");
        self.expect_sound_packets();
    }

    fn expect_sound_packets(&mut self) {
        match self.stage.flavour {
            Flavour::Vmac => self.recording.expect_sound("00:00:5e:00:01:33"),
            _ => self.recording.expect_sound(&self.stage.b.mac()),
        }
    }
}

fn is_ours(stage: &Stage, mac: &str) -> bool {
    mac == stage.b.mac() || mac == "00:00:5e:00:01:33"
}

macro_rules! beside_keepalived {
    ($($name:ident: $flavour:expr;)*) => { $(
        mod $name {
            use super::*;

            #[test]
            fn as_backup_it_takes_over_from_keepalived_and_hands_back() {
                Match::new($flavour).backup();
            }

            #[test]
            fn as_master_it_preempts_keepalived_and_gives_up_with_priority_0() {
                Match::new($flavour).master();
            }
        }
    )* };
}

beside_keepalived! {
    v2: Flavour::V2;
    v3: Flavour::V3;
    v6: Flavour::V6;
    vmac: Flavour::Vmac;
    unicast: Flavour::Unicast;
    unicast_v6: Flavour::UnicastV6;
}

fn with_password() -> Match {
    let mut game = Match::new(Flavour::V2);
    game.vipwarden = vec!["auth_pass = \"secret12\""];
    game.keepalived = vec!["authentication {\nauth_type PASS\nauth_pass secret12\n}"];
    game
}

#[test]
fn with_a_password_it_takes_over_from_keepalived_and_hands_back() {
    with_password().backup();
}

#[test]
fn with_a_password_it_preempts_keepalived_and_gives_up_with_priority_0() {
    with_password().master();
}

#[test]
fn with_nopreempt_it_leaves_a_lower_keepalived_alone_until_that_stops() {
    let mut game = Match::new(Flavour::V3);
    game.vipwarden = vec!["preempt = false"];
    let mut keepalived = game.keepalived(100);
    game.stage.expect_holders(true, false);
    let vipwarden = game.vipwarden(200);
    game.expect(&vipwarden, "backup");
    keepalived.stop().expect("keepalived stops");
    game.expect(&vipwarden, "master");
}

#[test]
fn with_the_checksum_of_the_message_two_vipwardens_agree() {
    let stage = Stage::new(Flavour::V3);
    let lines = ["checksum = \"message\""];
    let mut a = stage.speaker(&stage.a, 200, &lines);
    let b = stage.speaker(&stage.b, 100, &[]);
    a.expect("it is master", |router| router["state"] == "master");
    b.expect("it is backup", |router| router["state"] == "backup" && router["verdict"] == "healthy");
    a.process().stop().expect("it ends");
    b.expect("it is master", |router| router["state"] == "master");
}

#[test]
fn with_a_virtual_mac_over_ipv6_the_address_moves_and_its_mac_stays() {
    let stage = Stage::new(Flavour::V6);
    let mac = "00:00:5e:00:02:33";
    let probe = || {
        stage.b.exec(&format!("ping -6 -c 1 -W 5 {}", stage.flavour.vip())).expect("the master answers");
        let neighbours = stage.b.exec("ip -6 neigh show").expect("ip lists neighbours");
        let learned = |line: &str| line.starts_with(stage.flavour.vip()) && line.contains(mac);
        assert!(neighbours.lines().any(learned), "{neighbours}");
    };
    let mut a = stage.speaker(&stage.a, 200, &["vmac = true"]);
    a.expect("it is master", |router| router["state"] == "master");
    probe();
    let b = stage.speaker(&stage.b, 100, &["vmac = true"]);
    b.expect("it is backup", |router| router["state"] == "backup" && router["verdict"] == "healthy");
    probe();
    a.process().stop().expect("it ends");
    b.expect("it is master", |router| router["state"] == "master" && router["verdict"] == "healthy");
    stage.expect_holders(false, true);
}

fn as_backup_beside_frr(flavour: Flavour) {
    let stage = Stage::new(flavour);
    let frr = Frr::start(&stage.a, &stage.instance(&stage.a, 200));
    // A frozen FRR has no gate, and goes on answering for the address.
    let vipwarden = stage.speaker(&stage.b, 100, &["[router.fence]", "probe_before_promote = false"]);
    let follows = |router: &serde_json::Value| {
        router["state"] == "backup" && router["masters"].as_array().is_some_and(|masters| masters.len() == 1)
    };
    vipwarden.expect("it is backup", follows);
    frr.signal(libc::SIGSTOP);
    vipwarden.expect("it is master", |router| router["state"] == "master");
    frr.signal(libc::SIGCONT);
    vipwarden.expect("it is backup", follows);
}

fn as_master_beside_frr(flavour: Flavour) {
    let stage = Stage::new(flavour);
    let mut recording = Recording::start(&stage.b);
    let _frr = Frr::start(&stage.a, &stage.instance(&stage.a, 100));
    let mut vipwarden = stage.speaker(&stage.b, 200, &[]);
    let is_master = |router: &serde_json::Value| router["state"] == "master" && router["verdict"] == "healthy";
    vipwarden.expect("it is master", is_master);
    vipwarden.process().stop().expect("it ends");
    drop(vipwarden);
    let vipwarden = stage.speaker(&stage.b, 50, &[]);
    vipwarden.expect("FRR is master", |router| {
        router["state"] == "backup" && router["masters"].as_array().is_some_and(|masters| masters.len() == 1)
    });
    assert!(recording.sources_of_priority(0).contains(&stage.b.mac()));
    recording.expect_sound(&stage.b.mac());
}

#[test]
fn as_backup_it_takes_over_from_frr_and_hands_back() {
    as_backup_beside_frr(Flavour::V3);
}

#[test]
fn as_master_it_preempts_frr_and_gives_up_with_priority_0() {
    as_master_beside_frr(Flavour::V3);
}

#[test]
fn as_backup_it_takes_over_from_frr_over_ipv6_and_hands_back() {
    as_backup_beside_frr(Flavour::V6);
}

#[test]
fn as_master_it_preempts_frr_over_ipv6_and_gives_up_with_priority_0() {
    as_master_beside_frr(Flavour::V6);
}
