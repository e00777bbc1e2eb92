//! The story that the demo tells: healthy, failover, failback, split brain, healing.

use std::io::{self, Write};
use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;

use super::daemon::Daemon;
use super::keepalived::{Instance, Keepalived};
use super::lab::{Lab, PATIENCE, nft, wait_until};
use super::{Interrupt, page};
use crate::time::Duration;

/// What both hosts contend for.
const VIP: &str = "10.9.9.100";
/// The better host, and the other.
const NAMES: [&str; 2] = ["lb01", "lb02"];

/// Two hosts, each with a keepalived and a vipwarden.
pub struct Story {
    pause: Duration,
    interrupt: Interrupt,
    vrrp: [Keepalived; 2],
    watch: [Daemon; 2],
    // Dropped last: everything runs in it.
    lab: Lab,
}

impl Story {
    /// Builds the laboratory and starts everything in it.
    pub fn begin(program: &Path, pause: Duration, listener: TcpListener, interrupt: Interrupt) -> io::Result<Self> {
        say("Building two hosts and a switch out of network namespaces ...")?;
        let lab =
            Lab::new(&NAMES).map_err(|e| io::Error::new(e.kind(), format!("no laboratory (are you root?): {e}")))?;
        let [one, two] = NAMES.map(|name| lab.node(name).clone());
        let peer = |name: &str, address: String| format!("[[peer]]\nname = \"{name}\"\naddress = \"{address}\"\n");
        let watch = [
            Daemon::start(&one, program, &peer(two.name(), two.ipv4()))?,
            Daemon::start(&two, program, &peer(one.name(), one.ipv4()))?,
        ];
        say(&format!("The page of {}, while this runs: http://{}/", two.name(), listener.local_addr()?))?;
        page::forward(listener, two.clone());
        let vrrp = [Keepalived::start(&one, &instance(0))?, Keepalived::start(&two, &instance(1))?];
        Ok(Self { pause, interrupt, vrrp, watch, lab })
    }

    /// Tells it to its end.
    pub fn tell(mut self) -> io::Result<()> {
        step(1, "Healthy", "lb01 (priority 200) and lb02 (priority 100) run keepalived and share 10.9.9.100.")?;
        self.until_all("healthy with lb01 as master", |router| is_healthy(router, "10.9.9.1"))?;
        self.show()?;

        step(
            2,
            "Failover",
            "keepalived on lb01 is stopped: lb02 takes over. That is no split brain, and is not called one.",
        )?;
        self.vrrp[0].stop()?;
        self.until_all("healthy with lb02 as master", |router| is_healthy(router, "10.9.9.2"))?;
        self.show()?;

        step(3, "Failback", "keepalived on lb01 is started again and preempts.")?;
        self.vrrp[0] = Keepalived::start(self.lab.node(NAMES[0]), &instance(0))?;
        self.until_all("healthy with lb01 as master", |router| is_healthy(router, "10.9.9.1"))?;
        self.show()?;

        step(
            4,
            "Split brain",
            "Someone switches on a firewall on lb02 that forgets protocol 112. lb02 hears lb01 no more.",
        )?;
        let drop = "table inet demo { chain c { type filter hook input priority 0; meta l4proto 112 drop\n}\n}";
        nft(self.lab.node(NAMES[1]).namespace(), drop)?;
        self.until_all("a split brain", |router| router["verdict"] == "split_brain")?;
        self.until(1, "its cause on lb02", |router| names(router, "firewall_drop"))?;
        self.show()?;
        self.explain()?;

        step(5, "Healing", "The firewall is corrected. lb02 hears lb01 again and gives way.")?;
        nft(self.lab.node(NAMES[1]).namespace(), "delete table inet demo")?;
        self.until_all("healthy with lb01 as master", |router| is_healthy(router, "10.9.9.1"))?;
        self.show()?;
        say("\nThe end. Everything that was made for this is removed.")
    }

    /// What lb02, where the fault is, says at 3 a.m.
    fn explain(&self) -> io::Result<()> {
        say(&format!("\n  lb02$ vipwarden explain {VIP}"))?;
        let explained = self.watch[1].ask(&["explain", VIP])?;
        for line in String::from_utf8_lossy(&explained.stdout).lines() {
            say(&format!("  | {line}"))?;
        }
        self.interrupt.rest(self.pause)
    }

    /// One line a host, and a rest.
    fn show(&self) -> io::Result<()> {
        for watch in &self.watch {
            let router = self.router(watch).unwrap_or_default();
            let list = |key: &str| {
                let words = router[key].as_array().into_iter().flatten().filter_map(Value::as_str);
                words.collect::<Vec<_>>().join(", ")
            };
            let verdict = router["verdict"].as_str().unwrap_or("unknown");
            let causes = if list("causes").is_empty() { String::new() } else { format!("; cause: {}", list("causes")) };
            say(&format!("  {} says: {verdict}; master: {}{causes}", watch.node().name(), list("masters")))?;
        }
        self.interrupt.rest(self.pause)
    }

    fn until_all(&self, what: &str, condition: impl Fn(&Value) -> bool) -> io::Result<()> {
        (0..self.watch.len()).try_for_each(|i| self.until(i, what, &condition))
    }

    fn until(&self, which: usize, what: &str, condition: impl Fn(&Value) -> bool) -> io::Result<()> {
        let watch = &self.watch[which];
        let what = format!("vipwarden on {} sees: {what}", watch.node().name());
        wait_until(&what, PATIENCE, || match self.interrupt.rest(Duration::ZERO) {
            Ok(()) => self.router(watch).filter(&condition).map(|_| Ok(())),
            Err(interrupted) => Some(Err(interrupted)),
        })?
    }

    fn router(&self, watch: &Daemon) -> Option<Value> {
        watch.status().ok()?["routers"].as_array()?.iter().find(|router| router["vip"] == VIP).cloned()
    }
}

fn instance(which: usize) -> Instance {
    Instance::new(2, 1.0, [200, 100][which])
}

fn is_healthy(router: &Value, master: &str) -> bool {
    router["verdict"] == "healthy" && router["masters"] == serde_json::json!([master])
}

fn names(router: &Value, cause: &str) -> bool {
    router["causes"].as_array().is_some_and(|causes| causes.iter().any(|c| c == cause))
}

fn step(number: u8, title: &str, text: &str) -> io::Result<()> {
    say(&format!("\n{number}. {title}\n  {text}"))
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}
