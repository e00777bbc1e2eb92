//! A real keepalived on a host of the laboratory.

use std::fmt::Write;
use std::io;
use std::path::PathBuf;

use super::lab::{INTERFACE, Node, PATIENCE, wait_until};
use super::process::Process;
use crate::sys::netns;

/// One `vrrp_instance`.
#[derive(Clone, Debug)]
pub struct Instance {
    /// 2 or 3.
    pub version: u8,
    /// 1-255.
    pub vrid: u8,
    /// 1-255.
    pub priority: u8,
    /// Whole seconds in v2, from 0.01 in v3.
    pub advert_int: f64,
    /// With prefix lengths; IPv6: the first is link-local.
    pub addresses: Vec<String>,
    /// Further lines of the instance, as they are.
    pub lines: Vec<String>,
    /// Further blocks beside it, as they are.
    pub blocks: Vec<String>,
}

impl Instance {
    /// VRID 51 with the VIP 10.9.9.100.
    pub fn new(version: u8, advert_int: f64, priority: u8) -> Self {
        let addresses = vec!["10.9.9.100/24".into()];
        Self { version, vrid: 51, priority, advert_int, addresses, lines: Vec::new(), blocks: Vec::new() }
    }

    /// The configuration file.
    pub fn conf(&self, router_id: &str) -> String {
        let mut conf = format!(
            "global_defs {{\n  router_id {router_id}\n  vrrp_version {}\n}}\n{}\n\
             vrrp_instance vip {{\n  state BACKUP\n  interface {INTERFACE}\n  virtual_router_id {}\n  priority {}\n  advert_int {}\n",
            self.version,
            self.blocks.join("\n"),
            self.vrid,
            self.priority,
            self.advert_int
        );
        // Writing to a String never fails.
        for line in &self.lines {
            let _ = writeln!(conf, "  {line}");
        }
        let _ = writeln!(conf, "  virtual_ipaddress {{\n    {}\n  }}\n}}", self.addresses.join("\n    "));
        conf
    }
}

/// keepalived: a parent and its VRRP child.
#[derive(Debug)]
pub struct Keepalived {
    parent: Process,
    directory: PathBuf,
    router_id: String,
}

impl Keepalived {
    /// Starts it and waits for its VRRP child.
    ///
    /// # Errors
    /// If it can't be started, or ends at once: with what it said.
    pub fn start(node: &Node, instance: &Instance) -> io::Result<Self> {
        Self::start_with(node, &instance.conf(node.name()))
    }

    /// The same, with a configuration file of these words.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(node: &Node, conf: &str) -> io::Result<Self> {
        let directory = node.scratch()?;
        let path = |name: &str| directory.join(name);
        std::fs::write(path("keepalived.conf"), conf)?;
        // A pid file left by a killed one would be taken for ours.
        let _ = std::fs::remove_file(path("vrrp.pid"));
        let mut command = node.command("keepalived");
        command.args(["--dont-fork", "--log-console", "--log-detail", "--no-syslog", "--vrrp"]);
        command.arg("--use-file").arg(path("keepalived.conf"));
        command.arg("--pid").arg(path("keepalived.pid"));
        command.arg("--vrrp_pid").arg(path("vrrp.pid"));
        let parent = Process::spawn(node, "keepalived", command)?;
        let mut this = Self { parent, directory, router_id: node.name().into() };
        let child = wait_until("keepalived has a VRRP process", PATIENCE, || {
            if !this.parent.is_running() {
                return Some(Err(io::Error::other(format!("keepalived ended: {}", this.parent.log()))));
            }
            this.child().map(Ok)
        });
        child??;
        Ok(this)
    }

    fn child(&self) -> Option<u32> {
        std::fs::read_to_string(self.directory.join("vrrp.pid")).ok()?.trim().parse().ok()
    }

    /// The process, for its log.
    pub fn process(&self) -> &Process {
        &self.parent
    }

    /// Stops it properly: priority 0, addresses removed.
    ///
    /// # Errors
    /// If it doesn't end.
    pub fn stop(&mut self) -> io::Result<()> {
        self.parent.stop().map(drop)
    }

    /// Gives it another configuration.
    ///
    /// # Errors
    /// If the file can't be written or the process is gone.
    pub fn reload(&self, instance: &Instance) -> io::Result<()> {
        std::fs::write(self.directory.join("keepalived.conf"), instance.conf(&self.router_id))?;
        self.parent.signal(libc::SIGHUP)
    }

    /// Signals the VRRP child: SIGSTOP freezes it, SIGCONT thaws it.
    ///
    /// # Errors
    /// If there is none.
    pub fn signal_child(&self, signal: i32) -> io::Result<()> {
        netns::signal(self.child().ok_or(io::ErrorKind::NotFound)?, signal)
    }

    /// Kills it so that it can't clean up: its addresses stay. The parent is stopped first, or it would start another child;
    /// it dies last, for its end would ask the child to end properly.
    ///
    /// # Errors
    /// If it is gone already.
    pub fn kill(mut self) -> io::Result<()> {
        self.parent.signal(libc::SIGSTOP)?;
        self.signal_child(libc::SIGKILL)?;
        self.parent.signal(libc::SIGKILL)?;
        self.parent.wait(PATIENCE).map(drop)
    }
}
