//! `sniff` on a wire with a real keepalived, in a network namespace of its own. Needs root.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A namespace with a cable from `near` to `far`; it and all who were started in it are gone at the end of the test.
struct Lan {
    namespace: String,
    children: Vec<Child>,
}

impl Lan {
    fn new() -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let lan = Self { namespace: format!("sniff-{}-{number}", std::process::id()), children: Vec::new() };
        ip(&["netns", "add", &lan.namespace]);
        ip(&["-n", &lan.namespace, "link", "add", "near", "type", "veth", "peer", "name", "far"]);
        ip(&["-n", &lan.namespace, "address", "add", "10.9.9.1/24", "dev", "far"]);
        for end in ["near", "far"] {
            ip(&["-n", &lan.namespace, "link", "set", end, "up"]);
        }
        lan
    }

    fn start(&mut self, program: &str, args: &[&str]) -> &mut Child {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, program]).args(args);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        self.children.push(child);
        self.children.last_mut().unwrap()
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = Command::new("ip").args(["netns", "delete", &self.namespace]).status();
    }
}

fn ip(args: &[&str]) {
    let status = Command::new("ip").args(args).status().unwrap();
    assert!(status.success(), "ip {args:?}: {status}");
}

fn signal(which: &str, pid: u32) {
    let status = Command::new("kill").args([which, &pid.to_string()]).status().unwrap();
    assert!(status.success(), "kill {which} {pid}: {status}");
}

#[test]
fn sniff_prints_each_advert_as_it_passes_and_counts_when_it_is_interrupted() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let configuration = "vrrp_instance web {\n interface far\n virtual_router_id 51\n priority 255\n state MASTER\n \
                         authentication {\n auth_type PASS\n auth_pass secret12\n }\n virtual_ipaddress {\n 10.9.9.100\n }\n}\n";
    std::fs::write(file("keepalived.conf"), configuration).unwrap();

    let mut lan = Lan::new();
    // Under a deadline: without any advert the lines below would be waited for in vain. `timeout` passes signals on.
    let sniff = lan.start("timeout", &["60", env!("CARGO_BIN_EXE_vipwarden"), "sniff", "--interface", "near"]);
    let (pid, mut stderr) = (sniff.id(), sniff.stderr.take().unwrap());
    let mut lines = BufReader::new(sniff.stdout.take().unwrap()).lines();
    let (conf, pid_file, vrrp_pid) = (file("keepalived.conf"), file("pid"), file("vrrp"));
    let keepalived = ["-n", "-P", "-f", &conf, "-p", &pid_file, "-r", &vrrp_pid];
    let keepalived = lan.start("keepalived", &keepalived).id();

    let expected = " near 10.9.9.1 -> 224.0.0.18 VRRPv2 vrid 51 priority 255 interval 1s auth password checksum message \
                    addresses 10.9.9.100";
    for _ in 0..2 {
        let line = lines.next().expect("an advert").unwrap();
        assert!(line.ends_with(expected), "{line}");
    }

    signal("-TERM", keepalived);
    let last = lines.by_ref().map(Result::unwrap).find(|line| line.contains("priority 0 "));
    assert!(last.is_some(), "a graceful leave");
    signal("-INT", pid);
    let status = lan.children[0].wait().unwrap();
    let mut text = String::new();
    stderr.read_to_string(&mut text).unwrap();
    assert_eq!(status.code(), Some(0), "{text}");
    assert!(text.trim_end().ends_with(" adverts, 0 rejected, 0 of other protocols"), "{text}");
    assert!(!text.starts_with('0'), "{text}");
}

#[test]
fn sniff_names_an_interface_that_is_missing() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_vipwarden")).args(["sniff", "--interface", "none0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "none0: no such interface; `ip link` lists them\n");
}
