//! Nodes and times as they are given on the command line.

use crate::sim::{MAX_NODES, NodeSpec, worlds};
use crate::time::Duration;
use crate::vrrp;

const INTERVAL_MIN: Duration = Duration::from_millis(10);
const INTERVAL_MAX: Duration = Duration::from_secs(40);
const WAIT_MIN: Duration = Duration::from_secs(2);
const LENGTH_MAX: Duration = Duration::from_secs(3600);
/// Of the first of several nodes, and by how much the next one's is lower.
const PRIORITY_FIRST: u8 = 200;
const PRIORITY_STEP: u8 = 10;

/// A node by name and priority.
#[derive(Clone, Debug)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// 1-254.
    pub priority: u8,
}

impl Named {
    /// As the simulator wants it.
    pub fn spec(&self, interval: Duration, preempt: bool, probe_before_promote: bool) -> NodeSpec {
        let settings = vrrp::Settings { preempt, probe_before_promote, ..worlds::settings(self.priority, interval) };
        NodeSpec { name: self.name.clone(), settings, drift_ppm: 0, starts_at: Duration::ZERO }
    }
}

/// Reads `NAME:PRIORITY`.
pub fn parse(text: &str) -> Result<Named, String> {
    let want = "want a name and a priority from 1 to 254, like lb01:150";
    let (name, priority) = text.split_once(':').ok_or(want)?;
    let priority = priority.parse().ok().filter(|priority| (1..=254).contains(priority)).ok_or(want)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err("a name has letters, digits, - _ and . in it".into());
    }
    Ok(Named { name: name.into(), priority })
}

/// So many ordinary ones.
pub fn count(nodes: u8) -> Vec<Named> {
    let node = |i: u8| Named { name: format!("lb{:02}", i + 1), priority: PRIORITY_FIRST - PRIORITY_STEP * i };
    (0..nodes).map(node).collect()
}

/// # Errors
/// In words: too few, too many, or two of one name.
pub fn check(nodes: &[Named]) -> Result<(), String> {
    if !(2..=MAX_NODES).contains(&nodes.len()) {
        return Err(format!("{} nodes: want 2 to {MAX_NODES}", nodes.len()));
    }
    let twice = nodes.iter().enumerate().find(|(i, node)| nodes[..*i].iter().any(|other| other.name == node.name));
    twice.map_or(Ok(()), |(_, node)| Err(format!("two nodes are called {}", node.name)))
}

/// A time, with its unit.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("want a time like 500ms or 2s: {error}"))
}

/// An advert interval.
pub fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    if !(INTERVAL_MIN..=INTERVAL_MAX).contains(&interval) || interval.as_millis() % 10 != 0 {
        return Err("adverts are sent every 10ms to 40s, in steps of 10ms".into());
    }
    Ok(interval)
}

/// The wait of a lease.
pub fn wait(text: &str) -> Result<Duration, String> {
    let wait = duration(text)?;
    if wait < WAIT_MIN {
        Err("2s is the least: an arbiter's change of leader takes longer than less".into())
    } else {
        Ok(wait)
    }
}

/// How long to look.
pub fn length(text: &str) -> Result<Duration, String> {
    let length = duration(text)?;
    if length > LENGTH_MAX { Err("an hour is the most".into()) } else { Ok(length) }
}
