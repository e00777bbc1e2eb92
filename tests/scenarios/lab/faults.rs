//! Faults made by packet filters, and counters made by the same means.

use super::{INTERFACE, Lab, Node, nft};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where a host's own filter drops protocol 112.
#[derive(Clone, Copy, Debug)]
pub enum Hook {
    Input,
    Output,
    /// netdev ingress: before the IP stack's own taps.
    Ingress,
}

/// A table of nftables in one namespace; removed by [`Self::heal`] or with the namespace.
pub struct Firewall {
    namespace: String,
    family: &'static str,
    table: String,
}

impl Firewall {
    /// Drops adverts in a host.
    pub fn block(node: &Node, hook: Hook) -> Self {
        let (family, chain) = match hook {
            Hook::Input => ("inet", "type filter hook input priority 0".into()),
            Hook::Output => ("inet", "type filter hook output priority 0".into()),
            Hook::Ingress => ("netdev", format!("type filter hook ingress device \"{INTERFACE}\" priority 0")),
        };
        Self::install(node.namespace(), family, &format!("chain c {{ {chain}; meta l4proto 112 drop; }}"))
    }

    /// Makes the switch drop everything that goes from one host to another.
    pub fn cut(lab: &Lab, from: &str, to: &str) -> Self {
        let rule = format!("iifname \"{from}\" oifname \"{to}\" drop");
        Self::install(&lab.switch(), "bridge", &format!("chain c {{ type filter hook forward priority 0; {rule}; }}"))
    }

    /// Makes the switch lower the TTL of adverts, as a router in between would.
    pub fn rewrite_ttl(lab: &Lab) -> Self {
        let rules = "ip protocol 112 ip ttl set 64; ip6 nexthdr 112 ip6 hoplimit set 64";
        let chain = format!("chain c {{ type filter hook prerouting priority 0; {rules}; }}");
        Self::install(&lab.switch(), "bridge", &chain)
    }

    /// Counts at the switch the ARP requests that a host sends, once each.
    pub fn count_arp_requests(lab: &Lab, from: &str) -> Self {
        Self::count(lab, from, "arp operation request")
    }

    /// Counts at the switch the ARP replies that come in at a port.
    pub fn count_arp_answers(lab: &Lab, port: &str) -> Self {
        Self::count(lab, port, "arp operation reply")
    }

    /// Counts at the switch the IPv4 adverts that a host sends.
    pub fn count_adverts(lab: &Lab, from: &str) -> Self {
        Self::count(lab, from, "ip protocol 112")
    }

    fn count(lab: &Lab, from: &str, what: &str) -> Self {
        let rule = format!("iifname \"{from}\" {what} counter name seen");
        let chain = format!("chain c {{ type filter hook prerouting priority 0; {rule}; }}");
        Self::install(&lab.switch(), "bridge", &format!("counter seen {{ }}\n{chain}"))
    }

    fn install(namespace: &str, family: &'static str, body: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let table = format!("fault{}", COUNT.fetch_add(1, Ordering::Relaxed));
        nft(namespace, &format!("table {family} {table} {{\n{body}\n}}\n")).expect("nft takes the rules");
        Self { namespace: namespace.into(), family, table }
    }

    /// What [`Self::count_arp_requests`] and its like have counted.
    pub fn counted(&self) -> u64 {
        let arguments = ["netns", "exec", &self.namespace, "nft", "-j", "list", "counters", "table", self.family];
        let output = Command::new("ip").args(arguments).arg(&self.table).output().expect("nft runs");
        let listing: serde_json::Value = serde_json::from_slice(&output.stdout).expect("nft prints JSON");
        let objects = listing["nftables"].as_array().expect("a list of objects");
        objects.iter().find_map(|o| o["counter"]["packets"].as_u64()).expect("a counter")
    }

    /// Removes it.
    pub fn heal(self) {
        nft(&self.namespace, &format!("delete table {} {}", self.family, self.table)).expect("nft removes the rules");
    }
}
