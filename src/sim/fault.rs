//! Mishaps in words.

use super::spec::{Fault, Nodes, Wall};

impl Fault {
    /// What goes wrong; `names` are the nodes'.
    pub fn describe(&self, names: &[&str]) -> String {
        let name = |node: &usize| names.get(*node).copied().unwrap_or("?");
        let list = |nodes: Nodes| nodes.iter().map(|node| name(&node)).collect::<Vec<_>>().join(",");
        match self {
            Self::Pause(node) => format!("the daemon on {} is stopped (SIGSTOP)", name(node)),
            Self::Kill(node) => format!("the daemon on {} is killed (SIGKILL)", name(node)),
            Self::PowerOff(node) => format!("{} loses power", name(node)),
            Self::Stop(node) => format!("the daemon on {} is told to end (SIGTERM)", name(node)),
            Self::Cut { from, to } => format!("frames from {} don't reach {}", list(*from), list(*to)),
            Self::Cable(node) => format!("the cable of {} is pulled", name(node)),
            Self::Weather(weather) => format!(
                "the network: {:?} to {:?}, {} % lost, {} % twice, {} % out of order",
                weather.delay_min,
                weather.delay_max,
                f64::from(weather.loss_ppm) / 1e4,
                f64::from(weather.duplicate_ppm) / 1e4,
                f64::from(weather.reorder_ppm) / 1e4,
            ),
            Self::Firewall(node, Wall::Ingress) => format!("{} drops VRRP at its ingress", name(node)),
            Self::Firewall(node, Wall::Input) => format!("{} drops VRRP in INPUT", name(node)),
            Self::Firewall(node, Wall::Output) => format!("{} drops VRRP in OUTPUT", name(node)),
            Self::DeleteAddress(node) => format!("somebody deletes the address on {}", name(node)),
            Self::AddAddress(node) => format!("somebody adds the address on {}", name(node)),
            Self::SlowKernel(node, delay) => format!("netlink on {} takes {delay:?}", name(node)),
            Self::BrokenKernel(node) => format!("netlink on {} refuses", name(node)),
            Self::Priority(node, worth) => format!("tracking makes the priority of {} {worth}", name(node)),
            Self::ArbiterStalls => "the arbiter changes its leader: writes wait".into(),
            Self::ArbiterDown => "the arbiter answers nobody".into(),
            Self::ArbiterCut(node) => format!("{} does not reach the arbiter", name(node)),
            Self::ArbiterForgets => "somebody removes the key from the arbiter".into(),
            Self::ChannelCut(node) => format!("{} is cut from the second channel", name(node)),
            Self::Isolate(node) => format!("the switch forwards nothing from or to {}", name(node)),
            Self::HandOver(node) => format!("an operator has {} hand over", name(node)),
        }
    }
}
