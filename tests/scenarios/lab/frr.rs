//! A real FRR (zebra and vrrpd) on a host of the laboratory: VRID 51, VRRPv3.

use super::{INTERFACE, Instance, Node, Process};
use std::path::PathBuf;
use vipwarden::sys::netns;

/// FRR's daemons.
pub struct Frr {
    node: Node,
    family: &'static Family,
    vrrpd: Process,
    _zebra: Process,
}

impl Frr {
    /// Makes the macvlan that FRR wants to find, and starts zebra and vrrpd, with the priority, the interval and the family of `instance`.
    pub fn start(node: &Node, instance: &Instance) -> Self {
        let family = if instance.addresses[0].contains(':') { &V6 } else { &V4 };
        family.make_link(node);
        let directory = directory(node);
        std::fs::create_dir_all(&directory).expect("a directory");
        // FRR's daemons give up being root, and make their sockets after that.
        node.exec(&format!("chown frr:frr {}", directory.display())).expect("there is a user frr");
        let addresses: String = family.addresses.iter().map(|address| format!(" vrrp 51 {address}\n")).collect();
        let (priority, interval) = (instance.priority, instance.advert_int * 1000.0);
        let vrrp = format!(
            "interface {INTERFACE}\n vrrp 51 version 3\n vrrp 51 priority {priority}\n vrrp 51 advertisement-interval {interval}\n{addresses}"
        );
        std::fs::write(directory.join("vrrpd.conf"), vrrp).expect("the configuration is written");
        let socket = directory.join("zserv.api");
        if socket.exists() {
            std::fs::remove_file(&socket).expect("an earlier zebra's socket goes");
        }
        std::fs::write(directory.join("zebra.conf"), "").expect("an empty configuration");
        let zebra = daemon(node, "zebra");
        super::until("zebra listens", || socket.exists());
        Self { vrrpd: daemon(node, "vrrpd"), node: node.clone(), family, _zebra: zebra }
    }

    /// Freezes or kills vrrpd.
    pub fn signal(&self, signal: i32) {
        netns::signal(self.vrrpd.pid(), signal).expect("vrrpd runs");
    }

    /// Kills vrrpd, so that its macvlan stays up.
    pub fn kill(&mut self) {
        self.vrrpd.signal(libc::SIGKILL).expect("vrrpd runs");
        self.vrrpd.wait(super::PATIENCE).expect("vrrpd dies");
    }

    /// Stops vrrpd, which hands over and leaves its macvlan protodown.
    pub fn stop(mut self) {
        self.vrrpd.stop().expect("vrrpd stops");
    }

    /// Starts vrrpd again, and makes its macvlan if that is gone.
    pub fn restart(&mut self) {
        self.family.make_link(&self.node);
        self.vrrpd = daemon(&self.node, "vrrpd");
    }

    /// Its macvlan.
    pub fn link(&self) -> &'static str {
        self.family.link
    }

    /// What its adverts may come from. By IPv6 FRR 8.4.4 leaves it to the kernel, which takes the virtual link-local address, or the one
    /// that it makes whenever the macvlan is let go.
    pub fn sources(&self) -> Vec<String> {
        if self.family.link == V4.link {
            return vec![self.node.ipv4()];
        }
        let line = format!("ip -j -6 addr show dev {} scope link", self.family.link);
        let listed = self.node.exec(&line).expect("ip lists addresses");
        let links: serde_json::Value = serde_json::from_str(&listed).expect("ip prints JSON");
        let addresses = links[0]["addr_info"].as_array().cloned().unwrap_or_default();
        addresses.iter().filter_map(|info| Some(info["local"].as_str()?.to_owned())).collect()
    }
}

impl Drop for Frr {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- {}\n{}", self.vrrpd.what(), self.vrrpd.log());
        }
    }
}

/// What FRR is told and what it wants to find, for one family.
struct Family {
    link: &'static str,
    made_by: &'static [&'static str],
    addresses: &'static [&'static str],
}

/// Held down from the start, as FRR does with a backup's: until it runs two hosts would answer for the address.
static V4: Family = Family {
    link: "vrrp4-51",
    made_by: &[
        "ip link add name vrrp4-51 link eth0 type macvlan mode bridge",
        "ip link set dev vrrp4-51 addrgenmode none",
        "ip link set dev vrrp4-51 address 00:00:5e:00:01:33",
        "ip link set dev vrrp4-51 protodown on",
        "ip addr add 10.9.9.100/24 dev vrrp4-51",
        "ip link set dev vrrp4-51 up",
    ],
    addresses: &["ip 10.9.9.100"],
};

static V6: Family = Family {
    link: "vrrp6-51",
    made_by: &[
        "ip link add name vrrp6-51 link eth0 type macvlan mode bridge",
        "ip link set dev vrrp6-51 addrgenmode random",
        "ip link set dev vrrp6-51 address 00:00:5e:00:02:33",
        "ip link set dev vrrp6-51 protodown on",
        "ip link set dev vrrp6-51 up",
        "ip addr add fe80::100/64 dev vrrp6-51 nodad",
        "ip addr add 2001:db8:9::100/64 dev vrrp6-51 nodad",
    ],
    addresses: &["ipv6 fe80::100", "ipv6 2001:db8:9::100"],
};

impl Family {
    fn make_link(&self, node: &Node) {
        if node.exec(&format!("ip link show dev {}", self.link)).is_ok() {
            return;
        }
        for line in self.made_by {
            node.exec(line).expect("the macvlan is made");
        }
    }
}

fn directory(node: &Node) -> PathBuf {
    node.scratch().expect("a scratch directory").join("frr")
}

/// Starts one of FRR's daemons, with its configuration.
fn daemon(node: &Node, name: &str) -> Process {
    let directory = directory(node);
    let file = |suffix: &str| directory.join(format!("{name}.{suffix}"));
    let mut command = node.command(format!("/usr/lib/frr/{name}"));
    command.args(["--log", "stdout", "--vty_port", "0"]);
    command.arg("--vty_socket").arg(&directory).arg("--socket").arg(directory.join("zserv.api"));
    command.arg("--config_file").arg(file("conf")).arg("--pid_file").arg(file("pid"));
    Process::spawn(node, name, command).expect("FRR starts")
}
