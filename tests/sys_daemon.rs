//! `sys::daemon` against keepalived: alive, stopped, continued, dead.

mod netns;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use netns::{Neighbour, in_fresh_netns, ip, run, wait_for};
use vipwarden::observe::DaemonState;
use vipwarden::sys::daemon::DaemonWatch;
use vipwarden::wire::Family;

/// A keepalived with one virtual router of each family.
struct Keepalived {
    main: Child,
    dir: tempfile::TempDir,
}

impl Keepalived {
    fn start(enter: &str, interface: &str, priority: u8) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name).display().to_string();
        let instance = |vrid: u8, more: &str| {
            format!(
                "vrrp_instance v{vrid} {{\n interface {interface}\n virtual_router_id {vrid}\n priority {priority}\n \
                 version 3\n advert_int 0.1\n {more}\n}}\n"
            )
        };
        let config = instance(7, "virtual_ipaddress {\n 192.0.2.100/24\n }")
            + &instance(8, "native_ipv6\n virtual_ipaddress {\n fe80::100/64\n }");
        fs::write(file("conf"), config).unwrap();
        let line = format!(
            "{enter}keepalived --dont-fork --log-console --vrrp -f {} -p {} -r {}",
            file("conf"),
            file("main.pid"),
            file("vrrp.pid")
        );
        let mut words = line.split_ascii_whitespace();
        let log = fs::File::create(file("log")).unwrap();
        let main = Command::new(words.next().unwrap()).args(words).stdout(log).stderr(Stdio::null()).spawn().unwrap();
        Self { main, dir }
    }

    /// The process that speaks VRRP: a child of the one that was started.
    fn speaker(&self) -> Option<u32> {
        let file: PathBuf = self.dir.path().join("vrrp.pid");
        fs::read_to_string(file).ok()?.trim().parse().ok()
    }

    fn signal(&self, signal: &str) {
        run(&format!("kill -{signal} {}", self.speaker().unwrap()));
    }
}

impl Drop for Keepalived {
    fn drop(&mut self) {
        // The parent first: it would start another speaker.
        self.main.kill().ok();
        self.main.wait().ok();
        if let Some(pid) = self.speaker() {
            Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status().ok();
        }
    }
}

async fn until(watch: &mut DaemonWatch, family: Family, state: DaemonState) {
    wait_for(&format!("{family:?} is {state:?}"), || watch.read(family) == state).await;
}

async fn until_both(watch: &mut DaemonWatch, state: DaemonState) {
    until(watch, Family::V4, state).await;
    until(watch, Family::V6, state).await;
}

#[test]
fn a_backup_is_alive_then_frozen_then_alive_then_absent_faults_14_and_15() {
    in_fresh_netns(|| async {
        ip("link add vip0 type veth peer name vip1");
        ip("link set vip0 up");
        ip("addr add 192.0.2.1/24 dev vip0");
        let neighbour = Neighbour::with_link("vip1").await;
        run(&(neighbour.enter() + "ip link set vip1 up"));
        run(&(neighbour.enter() + "ip addr add 192.0.2.2/24 dev vip1"));

        let mut watch = DaemonWatch::new(Vec::new());
        assert_eq!(watch.read(Family::V4), DaemonState::Absent);
        assert_eq!(watch.read(Family::V6), DaemonState::Absent);

        let _master = Keepalived::start(&neighbour.enter(), "vip1", 200);
        let backup = Keepalived::start("", "vip0", 100);
        until_both(&mut watch, DaemonState::Alive).await;
        backup.signal("STOP");
        until_both(&mut watch, DaemonState::Frozen).await;
        assert_eq!(watch.look(Family::V4), DaemonState::Frozen, "a look in between says what the reading said");
        backup.signal("CONT");
        until_both(&mut watch, DaemonState::Alive).await;
        assert_eq!(watch.look(Family::V6), DaemonState::Alive);
        drop(backup);
        wait_for("a look finds it gone", || watch.look(Family::V4) == DaemonState::Absent).await;
        until_both(&mut watch, DaemonState::Absent).await;
    });
}

#[test]
fn a_stopped_master_that_hears_nobody_is_not_proven_frozen() {
    in_fresh_netns(|| async {
        ip("link add vip0 type veth peer name vip1");
        ip("link set vip0 up");
        ip("link set vip1 up");
        ip("addr add 192.0.2.1/24 dev vip0");
        let mut watch = DaemonWatch::new(Vec::new());
        let master = Keepalived::start("", "vip0", 200);
        wait_for("it is master", || netns::output("ip", "addr show dev vip0").contains("192.0.2.100")).await;
        master.signal("STOP");
        for _ in 0..5 {
            assert_eq!(watch.read(Family::V4), DaemonState::Alive);
        }
    });
}
