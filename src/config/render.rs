//! [`Config`] → TOML that loads again to the same configuration, but for its passwords.

use std::fmt::Write as _;
use std::net::IpAddr;

use toml::Value;

use super::{Config, Router, router, secret};
use crate::time::Duration;
use crate::wire::Auth;

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
        self.watch_to_toml(defaults, &mut out);
        for peer in &self.peers {
            out.section("[[peer]]");
            out.key("name", text(&peer.name));
            out.key("address", text(peer.address));
            out.marked("vrrp_addresses", texts(&peer.vrrp_addresses), peer.vrrp_addresses.is_empty());
        }
        for witness in &self.witnesses {
            out.section("[[witness]]");
            out.key("name", text(&witness.name));
            out.key("address", text(witness.address));
        }
        for router in &self.routers {
            router.to_toml(&mut out);
        }
        out.0
    }

    fn watch_to_toml(&self, defaults: &Self, out: &mut Writer) {
        let (watch, default) = (&self.watch, &defaults.watch);
        out.section("[watch]");
        if let Some(interfaces) = &watch.interfaces {
            out.key("interfaces", texts(interfaces));
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

impl Router {
    fn to_toml(&self, out: &mut Writer) {
        out.section("[[router]]");
        out.marked("name", text(&self.name), self.name == router::default_name(&self.addresses, self.vrid));
        out.key("interface", text(&self.interface));
        out.key("vrid", number(self.vrid));
        out.key("addresses", prefixed(&self.addresses));
        out.marked("excluded_addresses", prefixed(&self.excluded_addresses), self.excluded_addresses.is_empty());
        out.marked("mode", text("watch"), true);
        if let Some(peers) = &self.peers {
            out.key("peers", texts(peers));
        }
        if let Some(version) = self.version {
            out.key("version", number(version.number()));
        }
        if let Some(interval) = self.advert_interval {
            out.key("advert_interval", duration(interval));
        }
        if let Some(Auth::Password(_)) = self.auth {
            out.key("auth_pass", text(secret::MASK));
        }
        out.marked("unicast_peers", texts(&self.unicast_peers), self.unicast_peers.is_empty());
        out.marked("only_known_speakers", self.only_known_speakers.into(), !self.only_known_speakers);
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
