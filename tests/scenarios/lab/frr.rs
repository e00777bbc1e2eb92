//! A real FRR (zebra and vrrpd) on a host of the laboratory: VRID 51, VRRPv3 over IPv4, adverts every 100 ms.

use super::{INTERFACE, Node, Process, VIP};
use std::path::Path;
use vipwarden::sys::netns;

/// FRR's daemons.
pub struct Frr {
    vrrpd: Process,
    _zebra: Process,
}

impl Frr {
    /// Makes the macvlan that FRR wants to find, and starts zebra and vrrpd.
    pub fn start(node: &Node, priority: u8) -> Self {
        add_macvlan(node);
        let directory = node.scratch().expect("a scratch directory").join("frr");
        std::fs::create_dir_all(&directory).expect("a directory");
        // FRR's daemons give up being root, and make their sockets after that.
        node.exec(&format!("chown frr:frr {}", directory.display())).expect("there is a user frr");
        let vrrp = format!(
            "interface {INTERFACE}\n vrrp 51 version 3\n vrrp 51 priority {priority}\n vrrp 51 advertisement-interval 100\n \
             vrrp 51 ip {VIP}\n"
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

fn add_macvlan(node: &Node) {
    for line in [
        "ip link add name vrrp4-51 link eth0 type macvlan mode bridge",
        "ip link set dev vrrp4-51 addrgenmode none",
        "ip link set dev vrrp4-51 address 00:00:5e:00:01:33",
        "ip addr add 10.9.9.100/24 dev vrrp4-51",
        "ip link set dev vrrp4-51 up",
    ] {
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
