//! Every setup in use, on its way from keepalived to vipwarden: read, checked, watched beside the same keepalived, and then in its
//! place, while the other host's keepalived goes on.

use crate::lab::{Daemon, Flavour, Keepalived, Node, Process, Stage, Watch, holds, until, vipwarden};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One of `tests/keepalived/setups`, with what the other host of the pair needs.
struct Setup {
    file: &'static str,
    /// What stands in the other host's file, and what for.
    peer: &'static [(&'static str, &'static str)],
    /// Every virtual address, and whether `a` has it when both hosts do their work.
    addresses: &'static [(&'static str, bool)],
    /// Who has got them keeps them.
    nopreempt: bool,
}

const NGINX: Setup = Setup {
    file: "1-nginx.conf",
    peer: &[("priority 100", "priority 90"), ("state MASTER", "state BACKUP")],
    addresses: &[("10.9.9.100", true)],
    nopreempt: false,
};
const RESTART_FIRST: Setup = Setup {
    file: "2-restart-first.conf",
    peer: &[("priority 99", "priority 100"), ("mcast_src_ip 10.9.9.1", "mcast_src_ip 10.9.9.2")],
    addresses: &[("10.9.9.100", false)],
    nopreempt: false,
};
const NOPREEMPT: Setup = Setup {
    file: "3-nopreempt.conf",
    peer: &[("priority 150", "priority 100")],
    addresses: &[("10.9.9.200", true)],
    nopreempt: true,
};
const PREEMPT: Setup = Setup {
    file: "4-preempt.conf",
    peer: &[("priority 100", "priority 150")],
    addresses: &[("10.9.9.200", false)],
    nopreempt: false,
};
const TWO_VIPS: Setup = Setup {
    file: "5-two-vips.conf",
    peer: &[("priority 100", "priority 49"), ("priority 50", "priority 100")],
    addresses: &[("10.9.9.101", true), ("10.9.9.102", false)],
    nopreempt: false,
};
const HOT_STANDBY: Setup = Setup {
    file: "6-hot-standby.conf",
    peer: &[
        ("priority 200", "priority 100"),
        ("unicast_src_ip 10.9.9.1\n", "unicast_src_ip 10.9.9.2\n"),
        ("        10.9.9.2\n", "        10.9.9.1\n"),
    ],
    addresses: &[("10.9.9.100", true)],
    nopreempt: false,
};
const VMAC_IPV6: Setup = Setup {
    file: "7-vmac-ipv6.conf",
    peer: &[("priority 150", "priority 140")],
    addresses: &[
        ("10.9.9.100", true),
        ("10.9.9.101", true),
        ("10.9.9.110", true),
        ("fe80::a", true),
        ("2001:db8:9::100", true),
    ],
    nopreempt: false,
};

/// The setups' own addresses and programs, and what stands for them in the laboratory.
fn conf(setup: &Setup, node: &Node) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keepalived/setups").join(setup.file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let scripts = scripts(node);
    let text = text.replace("192.168.1.11\n", "10.9.9.1\n").replace("192.168.1.", "10.9.9.");
    text.replace("/etc/keepalived/", &scripts).replace("/usr/local/bin/", &scripts)
}

/// A directory with every script that the setups name; all of them are content.
fn scripts(node: &Node) -> String {
    let directory = node.scratch().expect("a scratch directory");
    for name in ["check_nginx", "nginx_check", "nginx_or_stop_keepalived", "other", "promote", "demote"] {
        let script = directory.join(format!("{name}.sh"));
        fs::write(&script, "#!/bin/sh\nexit 0\n").expect("the script is written");
        fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("it may run");
    }
    format!("{}/", directory.display())
}

/// The process that the last setup looks for.
fn haproxy(node: &Node) -> Process {
    let program: PathBuf = node.scratch().expect("a scratch directory").join("haproxy");
    fs::copy("/bin/sleep", &program).expect("coreutils are installed");
    let mut command = node.command(&program);
    command.arg("3600");
    Process::spawn(node, "haproxy", command).expect("it starts")
}

/// What the import prints, which `check-config` finds nothing wrong with. Without its `[node]`: the laboratory has its own names.
fn imported(node: &Node, conf: &str, mode: &str) -> String {
    let directory = node.scratch().expect("a scratch directory");
    let (from, to) = (directory.join("from.conf"), directory.join("to.toml"));
    fs::write(&from, conf).expect("the file is written");
    let run = |command: &mut Command| {
        let output = command.output().expect("vipwarden runs");
        assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), conf);
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let sections = run(Command::new(vipwarden()).arg("import-keepalived").arg(&from).args(["--mode", mode]));
    fs::write(&to, &sections).expect("the file is written");
    run(Command::new(vipwarden()).arg("check-config").arg(&to));
    let node = sections.find("\n\n[").expect("more than the node");
    sections[node..].to_owned()
}

/// Who has the addresses.
#[derive(Clone, Copy, Debug)]
enum Holder {
    A,
    B,
    /// As the priorities say.
    Better,
}

struct Move {
    setup: &'static Setup,
    stage: Stage,
    _proxy: Option<Process>,
}

impl Move {
    fn new(setup: &'static Setup) -> Self {
        let stage = Stage::new(Flavour::V2);
        let proxy = setup.file.starts_with('7').then(|| haproxy(&stage.a));
        Self { setup, stage, _proxy: proxy }
    }

    fn peer(&self) -> Keepalived {
        let mut conf = conf(self.setup, &self.stage.b);
        for (own, other) in self.setup.peer {
            assert!(conf.contains(own), "{own:?} is not in {}", self.setup.file);
            conf = conf.replace(own, other);
        }
        Keepalived::start_with(&self.stage.b, &conf).expect("keepalived starts")
    }

    fn ours(&self, mode: &str) -> Watch {
        let sections = imported(&self.stage.a, &conf(self.setup, &self.stage.a), mode);
        Watch(Daemon::start(&self.stage.a, vipwarden(), &sections).expect("vipwarden starts"))
    }

    fn expect(&self, holder: Holder) {
        let wanted = |better| match holder {
            Holder::A => true,
            Holder::B => false,
            Holder::Better => better,
        };
        until(&format!("{}: the holder is {holder:?}", self.setup.file), || {
            self.setup.addresses.iter().all(|(address, better)| {
                let is_a = wanted(*better);
                holds(&self.stage.a, address) == is_a && holds(&self.stage.b, address) != is_a
            })
        });
    }

    /// The better one, unless who has the addresses keeps them.
    fn expect_better_or(&self, keeper: Holder) {
        self.expect(if self.setup.nopreempt { keeper } else { Holder::Better });
    }

    /// Waits until all routers are healthy, and their states are what the kernel says.
    fn expect_healthy(&self, watch: &Watch) {
        until(&format!("{}: all is healthy", self.setup.file), || {
            let status = watch.status().unwrap_or_default();
            let routers = status["routers"].as_array().cloned().unwrap_or_default();
            let is_right = |router: &serde_json::Value| {
                let address = router["addresses"][0]["address"].as_str().unwrap_or_default();
                let state = if holds(&self.stage.a, address) { "master" } else { "backup" };
                router["verdict"] == "healthy" && router["state"] == state
            };
            !routers.is_empty() && routers.iter().all(is_right)
        });
    }
}

fn moves(setup: &'static Setup) {
    let moving = Move::new(setup);
    let mut watch = moving.ours("watch");
    let mut own = Keepalived::start_with(&moving.stage.a, &conf(setup, &moving.stage.a)).expect("keepalived starts");
    if setup.nopreempt {
        moving.expect(Holder::A);
    }
    let mut peer = moving.peer();
    moving.expect(Holder::Better);
    moving.expect_healthy(&watch);
    own.stop().expect("keepalived stops");
    watch.process().stop().expect("vipwarden stops");
    moving.expect(Holder::B);

    let mut speaker = moving.ours("speak");
    moving.expect_better_or(Holder::B);
    moving.expect_healthy(&speaker);
    peer.stop().expect("keepalived stops");
    moving.expect(Holder::A);
    let _peer = moving.peer();
    moving.expect_better_or(Holder::A);
    moving.expect_healthy(&speaker);
    speaker.process().stop().expect("vipwarden stops");
    moving.expect(Holder::B);
}

#[test]
fn setup_1_moves_from_keepalived_to_vipwarden() {
    moves(&NGINX);
}

#[test]
fn setup_2_with_a_source_address_and_slow_checks_moves_from_keepalived_to_vipwarden() {
    moves(&RESTART_FIRST);
}

#[test]
fn setup_3_with_nopreempt_moves_from_keepalived_to_vipwarden() {
    moves(&NOPREEMPT);
}

#[test]
fn setup_4_the_worse_one_of_a_pair_moves_from_keepalived_to_vipwarden() {
    moves(&PREEMPT);
}

#[test]
fn setup_5_with_two_addresses_on_two_hosts_moves_from_keepalived_to_vipwarden() {
    moves(&TWO_VIPS);
}

#[test]
fn setup_6_with_adverts_every_30_ms_by_unicast_moves_from_keepalived_to_vipwarden() {
    moves(&HOT_STANDBY);
}

#[test]
fn setup_7_with_virtual_macs_both_families_and_a_group_moves_from_keepalived_to_vipwarden() {
    moves(&VMAC_IPV6);
}
