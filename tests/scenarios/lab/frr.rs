//! A real FRR (zebra and vrrpd) on a host of the laboratory: VRID 51, VRRPv3, adverts every 100 ms.

use super::{INTERFACE, Node, Process, VIP};
use std::path::Path;
use vipwarden::sys::netns;

/// FRR's daemons.
pub struct Frr {
    vrrpd: Process,
    _zebra: Process,
}

impl Frr {
    /// Makes the macvlan that FRR wants to find, and starts zebra and vrrpd, for IPv4.
    pub fn start(node: &Node, priority: u8) -> Self {
        run(node, &MACVLAN_V4);
        Self::start_with(node, priority, &[&format!("ip {VIP}")])
    }

    /// The same for IPv6.
    pub fn start_v6(node: &Node, priority: u8) -> Self {
        run(node, &MACVLAN_V6);
        Self::start_with(node, priority, &["ipv6 fe80::100", "ipv6 2001:db8:9::100"])
    }

    fn start_with(node: &Node, priority: u8, addresses: &[&str]) -> Self {
        let directory = node.scratch().expect("a scratch directory").join("frr");
        std::fs::create_dir_all(&directory).expect("a directory");
        // FRR's daemons give up being root, and make their sockets after that.
        node.exec(&format!("chown frr:frr {}", directory.display())).expect("there is a user frr");
        let addresses: String = addresses.iter().map(|address| format!(" vrrp 51 {address}\n")).collect();
        let vrrp = format!(
            "interface {INTERFACE}\n vrrp 51 version 3\n vrrp 51 priority {priority}\n vrrp 51 advertisement-interval 100\n{addresses}"
        );
        let zebra = daemon(node, &directory, "zebra", "");
        super::until("zebra listens", || directory.join("zserv.api").exists());
        Self { vrrpd: daemon(node, &directory, "vrrpd", &vrrp), _zebra: zebra }
    }

    /// Freezes or kills vrrpd.
    pub fn signal(&self, signal: i32) {
        netns::signal(self.vrrpd.pid(), signal).expect("vrrpd runs");
    }
}

impl Drop for Frr {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- {}\n{}", self.vrrpd.what(), self.vrrpd.log());
        }
    }
}

const MACVLAN_V4: [&str; 5] = [
    "ip link add name vrrp4-51 link eth0 type macvlan mode bridge",
    "ip link set dev vrrp4-51 addrgenmode none",
    "ip link set dev vrrp4-51 address 00:00:5e:00:01:33",
    "ip addr add 10.9.9.100/24 dev vrrp4-51",
    "ip link set dev vrrp4-51 up",
];

/// Its adverts come from the link-local address that the kernel makes up.
const MACVLAN_V6: [&str; 6] = [
    "ip link add name vrrp6-51 link eth0 type macvlan mode bridge",
    "ip link set dev vrrp6-51 addrgenmode random",
    "ip link set dev vrrp6-51 address 00:00:5e:00:02:33",
    "ip link set dev vrrp6-51 up",
    "ip addr add fe80::100/64 dev vrrp6-51 nodad",
    "ip addr add 2001:db8:9::100/64 dev vrrp6-51 nodad",
];

fn run(node: &Node, lines: &[&str]) {
    for line in lines {
        node.exec(line).expect("the macvlan is made");
    }
}

fn daemon(node: &Node, directory: &Path, name: &str, config: &str) -> Process {
    let file = |suffix: &str| directory.join(format!("{name}.{suffix}"));
    std::fs::write(file("conf"), config).expect("the configuration is written");
    let mut command = node.command(format!("/usr/lib/frr/{name}"));
    command.args(["--log", "stdout", "--vty_port", "0"]);
    command.arg("--vty_socket").arg(directory).arg("--socket").arg(directory.join("zserv.api"));
    command.arg("--config_file").arg(file("conf")).arg("--pid_file").arg(file("pid"));
    Process::spawn(node, name, command).expect("FRR starts")
}
