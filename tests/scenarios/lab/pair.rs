//! Two nodes with a keepalived and a vipwarden each: the setup of most tests.

use super::{Daemon, Frr, History, Instance, Keepalived, Lab, Node, Slot, VIP, Watch, holds, until, vipwarden};

/// The ways to run VRRP that a fault must be told in.
#[derive(Clone, Copy, Debug)]
pub enum Flavour {
    /// Version 2, adverts every second.
    V2,
    /// Version 3 over IPv4, adverts every 100 ms.
    V3,
    /// Version 3 over IPv6, adverts every 100 ms.
    V6,
    /// Version 3 with virtual MACs.
    Vmac,
    /// Version 3 by unicast.
    Unicast,
    /// Version 3 over IPv6 by unicast, between link-local addresses.
    UnicastV6,
}

impl Flavour {
    /// The VIP that both sides contend for.
    pub fn vip(self) -> &'static str {
        match self {
            Self::V6 | Self::UnicastV6 => "2001:db8:9::100",
            _ => VIP,
        }
    }

    /// The configuration of `node`, whose peer is `peer`.
    pub fn instance(self, node: &Node, peer: &Node, priority: u8) -> Instance {
        let mut instance = match self {
            Self::V2 => Instance::new(2, 1.0, priority),
            _ => Instance::new(3, 0.1, priority),
        };
        match self {
            Self::V2 | Self::V3 => {}
            Self::V6 => instance.addresses = self.addresses_v6(),
            Self::Vmac => instance.lines = vec!["use_vmac".into()],
            Self::Unicast => {
                instance.lines =
                    vec![format!("unicast_src_ip {}", node.ipv4()), format!("unicast_peer {{\n{}\n}}", peer.ipv4())];
            }
            Self::UnicastV6 => {
                instance.addresses = self.addresses_v6();
                let own = format!("unicast_src_ip {}", node.link_local());
                instance.lines = vec![own, format!("unicast_peer {{\n{}\n}}", peer.link_local())];
            }
        }
        instance
    }

    fn addresses_v6(self) -> Vec<String> {
        vec!["fe80::100/64".into(), format!("{}/64", self.vip())]
    }
}

/// One node: its keepalived, or FRR in its place, and its vipwarden.
pub struct Side {
    pub node: Node,
    pub instance: Instance,
    pub vrrp: Option<Keepalived>,
    /// FRR is started in the place of keepalived.
    pub prefers_frr: bool,
    pub frr: Option<Frr>,
    pub watch: Watch,
}

impl Side {
    fn new(node: Node, instance: Instance, sections: &str) -> Self {
        let watch = Watch(Daemon::start(&node, vipwarden(), sections).expect("vipwarden starts"));
        Self { node, instance, vrrp: None, prefers_frr: false, frr: None, watch }
    }

    /// Starts its daemon.
    pub fn start(&mut self) {
        match &mut self.frr {
            Some(killed) => killed.restart(),
            None if self.prefers_frr => self.frr = Some(Frr::start(&self.node, &self.instance)),
            None => self.vrrp = Some(Keepalived::start(&self.node, &self.instance).expect("keepalived starts")),
        }
    }

    /// Its running keepalived.
    pub fn keepalived(&self) -> &Keepalived {
        self.vrrp.as_ref().expect("keepalived was started")
    }

    /// Stops its daemon properly.
    pub fn stop(&mut self) {
        match self.frr.take() {
            Some(frr) => frr.stop(),
            None => self.vrrp.take().expect("keepalived was started").stop().expect("keepalived stops"),
        }
    }

    /// Kills its daemon, so that its addresses stay.
    pub fn kill(&mut self) {
        match &mut self.frr {
            Some(frr) => frr.kill(),
            None => self.vrrp.take().expect("keepalived was started").kill().expect("keepalived dies"),
        }
    }

    /// What its adverts may come from.
    fn sources(&self) -> Vec<String> {
        match &self.frr {
            Some(frr) => frr.sources(),
            None if self.instance.addresses[0].contains(':') => vec![self.node.link_local()],
            None => vec![self.node.ipv4()],
        }
    }

    /// Gives its keepalived another priority.
    pub fn set_priority(&mut self, priority: u8) {
        self.instance.priority = priority;
        self.keepalived().reload(&self.instance).expect("keepalived reloads");
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        if let (true, Some(vrrp)) = (std::thread::panicking(), &self.vrrp) {
            println!("--- {}\n{}", vrrp.process().what(), vrrp.process().log());
        }
    }
}

/// `a` has priority 200, `b` 100.
pub struct Pair {
    pub a: Side,
    pub b: Side,
    pub vip: &'static str,
    // Fields are dropped in this order: the network goes last, and then the next test may come.
    pub lab: Lab,
    _slot: Slot,
}

impl Pair {
    /// A pair that has settled: `a` is master and everyone says healthy. The vipwardens discover.
    pub fn settled(flavour: Flavour) -> Self {
        let mut pair = Self::idle(flavour);
        pair.start();
        pair.expect_master_a();
        pair
    }

    /// A pair whose vipwardens run and whose keepaliveds don't.
    pub fn idle(flavour: Flavour) -> Self {
        Self::with_nodes(flavour, &[], |_, _| String::new())
    }

    /// The same with further nodes, and with configuration sections by (node, peer).
    pub fn with_nodes(flavour: Flavour, more: &[&str], sections: impl Fn(&Node, &Node) -> String) -> Self {
        Self::by(Slot::take(), flavour, more, sections)
    }

    /// The same for what leaves little of the machine to other scenarios.
    pub fn alone(flavour: Flavour, more: &[&str], sections: impl Fn(&Node, &Node) -> String) -> Self {
        Self::by(Slot::alone(), flavour, more, sections)
    }

    fn by(slot: Slot, flavour: Flavour, more: &[&str], sections: impl Fn(&Node, &Node) -> String) -> Self {
        let names: Vec<_> = ["a", "b"].iter().chain(more).copied().collect();
        let lab = Lab::new(&names).expect("the laboratory is made (needs root)");
        let (a, b) = (lab.node("a").clone(), lab.node("b").clone());
        let side = |node: &Node, peer: &Node, priority| {
            Side::new(node.clone(), flavour.instance(node, peer, priority), &sections(node, peer))
        };
        Self { a: side(&a, &b, 200), b: side(&b, &a, 100), vip: flavour.vip(), lab, _slot: slot }
    }

    /// Begins to record when either has the VIP, or FRR's macvlan its carrier. Neither may have it yet.
    pub fn histories(&self) -> [History; 2] {
        [&self.a, &self.b].map(|side| match (side.prefers_frr, self.vip.contains(':')) {
            (false, _) => History::record(&side.node, self.vip),
            (true, false) => History::record_carrier(&side.node, "vrrp4-51"),
            (true, true) => History::record_carrier(&side.node, "vrrp6-51"),
        })
    }

    /// Starts both keepaliveds.
    pub fn start(&mut self) {
        self.a.start();
        self.b.start();
    }

    /// Waits until `a` alone holds the VIP and both vipwardens say so.
    pub fn expect_master_a(&self) {
        self.expect_holders(true, false);
        self.expect_healthy(&self.a, "a");
    }

    /// Waits until `b` alone holds the VIP and both vipwardens say so.
    pub fn expect_master_b(&self) {
        self.expect_holders(false, true);
        self.expect_healthy(&self.b, "b");
    }

    fn expect_healthy(&self, master: &Side, name: &str) {
        for side in [&self.a, &self.b] {
            side.watch.expect(&format!("it is healthy with {name} as master"), |router| {
                let is_master = |source| router["masters"] == serde_json::json!([source]);
                router["verdict"] == "healthy" && master.sources().into_iter().any(is_master)
            });
        }
    }

    /// Waits until the kernels of `a` and `b` hold the VIP, or don't: the truth that verdicts are measured by.
    pub fn expect_holders(&self, a: bool, b: bool) {
        until(&format!("a holds the VIP: {a}, b holds it: {b}"), || {
            holds(&self.a.node, self.vip) == a && holds(&self.b.node, self.vip) == b
        });
    }

    /// Asserts that neither ever counted a moment of split brain.
    pub fn assert_never_split(&self) {
        for side in [&self.a, &self.b] {
            for metric in ["vrrp_split_brain_seconds_total", "vrrp_split_brain_episodes_total"] {
                assert_eq!(side.watch.metric(metric, &["vrid=\"51\""]), 0.0, "{metric} on {}", side.node.name());
            }
            // A split that is shorter than a takeover is not counted.
            let events = side.watch.get("/api/v1/events").expect("events are served");
            let parsed: serde_json::Value = serde_json::from_str(&events).expect("JSON");
            let splits = |e: &serde_json::Value| e["kind"] == "verdict" && e["to"] == "split_brain";
            assert!(!parsed.as_array().expect("a list").iter().any(splits), "{events}");
        }
    }
}
