//! What a test asks of a running vipwarden.

use super::{Daemon, PATIENCE, wait_until};
use serde_json::Value;
use std::ops::{Deref, DerefMut};

/// A vipwarden whose log and last view are printed when its test fails.
pub struct Watch(pub Daemon);

impl Watch {
    /// The untagged virtual router of that VRID, if it is known.
    pub fn router(&self, vrid: u8) -> Option<Value> {
        let status = self.status().ok()?;
        let routers = status["routers"].as_array()?;
        routers.iter().find(|r| r["vrid"] == vrid && r["vlan"].is_null()).cloned()
    }

    /// Waits until what is said of VRID 51 satisfies `condition`, and answers it.
    pub fn expect(&self, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let met = wait_until(what, PATIENCE, || {
            last = self.router(51)?;
            condition(&last).then(|| last.clone())
        });
        met.unwrap_or_else(|error| panic!("{}: {error}\nlast seen: {last:#}", self.node().name()))
    }

    /// Waits for a verdict that names one of `causes`; with none given, any causes will do.
    pub fn expect_verdict(&self, wanted: &str, causes: &[&str]) -> Value {
        self.expect(&format!("the verdict is {wanted} {causes:?}"), |router| {
            verdict(router) == wanted && (causes.is_empty() || any_of(router, causes))
        })
    }

    /// The memory that its process has, in KiB.
    pub fn resident_kib(&mut self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process().pid()));
        let status = status.expect("the process lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
        line.split_whitespace().next().and_then(|n| n.parse().ok()).expect("a number")
    }

    /// The value of a metric of VRID 51 whose line contains all of `labels`; 0 if there is none.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let text = self.get("/metrics").expect("metrics are served");
        let series = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
        let ours = series.filter(|line| labels.iter().all(|label| line.contains(label)));
        ours.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

impl Deref for Watch {
    type Target = Daemon;
    fn deref(&self) -> &Daemon {
        &self.0
    }
}

impl DerefMut for Watch {
    fn deref_mut(&mut self) -> &mut Daemon {
        &mut self.0
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let events = self.get("/api/v1/events").unwrap_or_else(|e| e.to_string());
            let process = self.0.process();
            println!("--- {}\n{}--- its events\n{events}", process.what(), process.log());
        }
    }
}

/// The verdict on a router.
pub fn verdict(router: &Value) -> &str {
    router["verdict"].as_str().unwrap_or_default()
}

/// True if one of `causes` is among those named.
pub fn any_of(router: &Value, causes: &[&str]) -> bool {
    router["causes"]
        .as_array()
        .is_some_and(|named| named.iter().any(|c| c.as_str().is_some_and(|c| causes.contains(&c))))
}
