//! [`Config`] → TOML that loads again to the same configuration, but for its passwords.

use std::fmt::Write as _;
use std::net::IpAddr;

use toml::Value;

use super::speak::{ADVERT_INTERVAL, CHECK_STATUS, UNPRIVILEGED};
use super::{
    Arbiter, Check, Config, Fence, Notify, Probe, Router, Speak, TlsFiles, Track, Tracked, Unreachable, router, secret,
};
use crate::fence::Lifetime;
use crate::time::Duration;
use crate::wire::{Auth, ChecksumForm};

impl Config {
    /// The effective configuration as TOML. What equals `defaults` is marked; passwords are masked, so that a file with one
    /// loads again, but to another password.
    pub fn to_toml(&self, defaults: &Self) -> String {
        let mut out = Writer(String::new());
        out.section("[node]");
        out.marked("name", text(&self.node.name), self.node.name == defaults.node.name);
        let state_dir = self.node.state_dir.display().to_string();
        out.marked("state_dir", text(&state_dir), self.node.state_dir == defaults.node.state_dir);
        out.section("[web]");
        out.marked("listen", texts(&self.web.listen), self.web.listen == defaults.web.listen);
        if let Some(file) = &self.web.config_file {
            out.key("config_file", text(file.display()));
        }
        self.watch_to_toml(defaults, &mut out);
        if let Some(key) = &self.cluster_key {
            out.section("[cluster]");
            out.key("key_file", text(key.path.display()));
        }
        for peer in &self.peers {
            out.section("[[peer]]");
            out.key("name", text(&peer.name));
            out.key("address", text(peer.address));
            out.marked("vrrp_addresses", texts(&peer.vrrp_addresses), peer.vrrp_addresses.is_empty());
            out.marked("urls", texts(&peer.urls), peer.urls.is_empty());
            peer.tls.to_toml(&mut out);
        }
        for witness in &self.witnesses {
            out.section("[[witness]]");
            out.key("name", text(&witness.name));
            out.key("address", text(witness.address));
        }
        for check in &self.checks {
            check.to_toml(&mut out);
        }
        for router in &self.routers {
            router.to_toml(&mut out);
        }
        if let Some(arbiter) = &self.arbiter {
            arbiter.to_toml(&mut out);
        }
        out.0
    }

    fn watch_to_toml(&self, defaults: &Self, out: &mut Writer) {
        let (watch, default) = (&self.watch, &defaults.watch);
        out.section("[watch]");
        if let Some(interfaces) = &watch.interfaces {
            out.key("interfaces", texts(interfaces));
        }
        if let Some(path) = &watch.keepalived_conf {
            out.key("keepalived_conf", text(path.display()));
        }
        out.marked("passive", watch.passive.into(), watch.passive == default.passive);
        out.marked("discover", watch.discover.into(), watch.discover == default.discover);
        let probe_interval = duration(watch.probe_interval);
        out.marked("probe_interval", probe_interval, watch.probe_interval == default.probe_interval);
        out.marked("probe_budget", number(watch.probe_budget), watch.probe_budget == default.probe_budget);
        out.marked("max_routers", number(watch.max_routers), watch.max_routers == default.max_routers);
        out.marked("max_speakers", number(watch.max_speakers), watch.max_speakers == default.max_speakers);
        out.marked("forget_after", duration(watch.forget_after), watch.forget_after == default.forget_after);
    }
}

impl TlsFiles {
    fn to_toml(&self, out: &mut Writer) {
        for (key, file) in [("ca_file", &self.ca), ("cert_file", &self.cert), ("key_file", &self.key)] {
            if let Some(file) = file {
                out.key(key, text(file.display()));
            }
        }
    }
}

impl Arbiter {
    fn to_toml(&self, out: &mut Writer) {
        let default = Self::default();
        out.section("[arbiter]");
        out.key("etcd", texts(&self.etcd));
        out.marked("key_prefix", text(&self.key_prefix), self.key_prefix == default.key_prefix);
        out.marked("wait", duration(self.wait), self.wait == default.wait);
        let unreachable = match self.unreachable {
            Unreachable::Drop => "drop",
            Unreachable::HoldIfUnanimous => "hold-if-unanimous",
            Unreachable::Ignore => "ignore",
        };
        out.marked("unreachable", text(unreachable), self.unreachable == default.unreachable);
        self.tls.to_toml(out);
        if let Some(login) = &self.login {
            out.key("user", text(&login.user));
            out.key("password_file", text(login.password_file.display()));
        }
    }
}

impl Router {
    fn to_toml(&self, out: &mut Writer) {
        out.section("[[router]]");
        out.marked("name", text(&self.name), self.name == router::default_name(&self.addresses, self.vrid));
        out.key("interface", text(&self.interface));
        out.key("vrid", number(self.vrid));
        out.key("addresses", prefixed(&self.addresses));
        out.marked("excluded_addresses", prefixed(&self.excluded_addresses), self.excluded_addresses.is_empty());
        let speaks = self.speak.is_some();
        out.marked("mode", text(if speaks { "speak" } else { "watch" }), !speaks);
        if let Some(peers) = &self.peers {
            out.key("peers", texts(peers));
        }
        if let Some(version) = self.version {
            out.key("version", number(version.number()));
        }
        if let Some(interval) = self.advert_interval {
            out.marked("advert_interval", duration(interval), speaks && interval == ADVERT_INTERVAL);
        }
        if let Some(Auth::Password(_)) = self.auth {
            out.key("auth_pass", text(secret::MASK));
        }
        out.marked("unicast_peers", texts(&self.unicast_peers), self.unicast_peers.is_empty());
        out.marked("only_known_speakers", self.only_known_speakers.into(), !self.only_known_speakers);
        if let Some(speak) = &self.speak {
            if self.has_choice_of_checksum() {
                let message_only = speak.checksum == ChecksumForm::MessageOnly;
                out.marked("checksum", text(if message_only { "message" } else { "pseudo-header" }), !message_only);
            }
            speak.to_toml(out);
        }
    }
}

impl Speak {
    fn to_toml(&self, out: &mut Writer) {
        let default = Self::default();
        out.marked("priority", number(self.priority), self.priority == default.priority);
        out.marked("preempt", self.preempt.into(), self.preempt == default.preempt);
        out.marked("preempt_delay", duration(self.preempt_delay), self.preempt_delay == default.preempt_delay);
        out.marked("startup_delay", duration(self.startup_delay), self.startup_delay == default.startup_delay);
        out.marked("accept", self.accept.into(), self.accept == default.accept);
        out.marked("vmac", self.vmac.into(), self.vmac == default.vmac);
        out.marked("vmac_xmit_base", self.vmac_xmit_base.into(), self.vmac_xmit_base == default.vmac_xmit_base);
        if let Some(source) = self.source {
            out.key("source", text(source));
        }
        if let Some(group) = &self.sync_group {
            out.key("sync_group", text(group));
        }
        if let Some(group) = &self.exclusive_group {
            out.key("exclusive_group", text(group));
        }
        out.marked("track", self.track.iter().map(track).collect::<Vec<_>>().into(), self.track.is_empty());
        out.section("[router.garp]");
        out.marked("repeat", number(self.garp.repeat), self.garp.repeat == default.garp.repeat);
        out.marked("delay", duration(self.garp.delay), self.garp.delay == default.garp.delay);
        out.marked("refresh", duration(self.garp.refresh), self.garp.refresh == default.garp.refresh);
        self.notify.to_toml(out);
        self.fence.to_toml(out);
    }
}

fn track(track: &Track) -> Value {
    let (key, what) = match &track.what {
        Tracked::Check(name) => ("check", text(name)),
        Tracked::Interface(name) => ("interface", text(name)),
        Tracked::Process(name) => ("process", text(name)),
        Tracked::File(path) => ("file", text(path.display())),
        Tracked::Number(path) => ("number", text(path.display())),
    };
    let reverse = track.reverse.then(|| ("reverse".to_owned(), true.into()));
    let known = [(key.to_owned(), what), ("weight".to_owned(), number(track.weight))];
    Value::Table(known.into_iter().chain(reverse).collect())
}

impl Notify {
    fn to_toml(&self, out: &mut Writer) {
        let default = Self::default();
        out.section("[router.notify]");
        for (key, command) in [
            ("master", &self.master),
            ("backup", &self.backup),
            ("fault", &self.fault),
            ("fenced", &self.fenced),
            ("stop", &self.stop),
        ] {
            out.marked(key, texts(command), command.is_empty());
        }
        out.marked("timeout", duration(self.timeout), self.timeout == default.timeout);
        out.marked("user", text(&self.user), self.user == default.user);
        if let Some(fifo) = &self.fifo {
            out.key("fifo", text(fifo.display()));
        }
    }
}

impl Fence {
    fn to_toml(&self, out: &mut Writer) {
        let default = Self::default();
        out.section("[router.fence]");
        out.marked("on_split_brain", self.on_split_brain.into(), self.on_split_brain == default.on_split_brain);
        out.marked("on_isolation", self.on_isolation.into(), self.on_isolation == default.on_isolation);
        out.marked("isolation_time", duration(self.isolation_time), self.isolation_time == default.isolation_time);
        let probes = self.probe_before_promote;
        out.marked("probe_before_promote", probes.into(), probes == default.probe_before_promote);
        let grace = self.promote_grace.map_or_else(|| text("never"), duration);
        out.marked("promote_grace", grace, self.promote_grace == default.promote_grace);
        out.marked("gate", self.gate.into(), self.gate == default.gate);
        let timeout = self.gate_timeout.map_or_else(|| text("auto"), duration);
        out.marked("gate_timeout", timeout, self.gate_timeout == default.gate_timeout);
        let lifetime = match self.address_lifetime {
            Lifetime::Auto => text("auto"),
            Lifetime::Off => text("off"),
            Lifetime::For(lifetime) => duration(lifetime),
        };
        out.marked("address_lifetime", lifetime, self.address_lifetime == default.address_lifetime);
        out.marked("informed_yield", number(self.informed_yield), self.informed_yield == default.informed_yield);
        out.marked("hold_down", duration(self.hold_down), self.hold_down == default.hold_down);
    }
}

impl Check {
    fn to_toml(&self, out: &mut Writer) {
        out.section("[[check]]");
        out.key("name", text(&self.name));
        match &self.probe {
            Probe::Command { command, user } => {
                out.key("command", texts(command));
                out.marked("user", text(user), user == UNPRIVILEGED);
            }
            Probe::Http { url, expect_status } => {
                out.key("http", text(url));
                let statuses = expect_status.iter().map(|status| number(*status)).collect::<Vec<_>>();
                out.marked("expect_status", statuses.into(), *expect_status == [CHECK_STATUS]);
            }
            Probe::Tcp(address) => out.key("tcp", text(address)),
        }
        let default = Self::new(self.name.clone(), self.probe.clone());
        out.marked("interval", duration(self.interval), self.interval == default.interval);
        out.marked("timeout", duration(self.timeout), self.timeout == default.timeout);
        out.marked("rise", number(self.rise), self.rise == default.rise);
        out.marked("fall", number(self.fall), self.fall == default.fall);
    }
}

struct Writer(String);

impl Writer {
    fn section(&mut self, header: &str) {
        let gap = if self.0.is_empty() { "" } else { "\n" };
        // Writing to a String can't fail, here and below.
        let _ = writeln!(self.0, "{gap}{header}");
    }

    fn key(&mut self, key: &str, value: Value) {
        self.marked(key, value, false);
    }

    fn marked(&mut self, key: &str, value: Value, is_default: bool) {
        let _ = writeln!(self.0, "{key} = {value}{}", if is_default { "  # default" } else { "" });
    }
}

fn text(value: impl std::fmt::Display) -> Value {
    Value::String(value.to_string())
}

fn texts(values: &[impl std::fmt::Display]) -> Value {
    values.iter().map(text).collect::<Vec<_>>().into()
}

fn prefixed(values: &[(IpAddr, u8)]) -> Value {
    values.iter().map(|(address, length)| text(format!("{address}/{length}"))).collect::<Vec<_>>().into()
}

fn duration(value: Duration) -> Value {
    text(humantime::format_duration(value))
}

fn number(value: impl TryInto<i64>) -> Value {
    Value::Integer(value.try_into().unwrap_or(i64::MAX))
}
