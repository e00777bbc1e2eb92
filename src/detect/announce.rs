//! Where clients are sent: to the last host that announced the address, whoever advertises it.

use std::net::IpAddr;

use crate::observe::{Model, Router, Speaker, Vip};
use crate::time::{Duration, Instant};
use crate::wire::MacAddr;

use super::party::Party;
use super::rules::Row;
use super::{Cause, Finding};

/// How long a new master may take to announce itself.
const GRACE: Duration = Duration::from_secs(1);

/// An address whose last announcement came from another than its only advertiser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misdirection {
    address: IpAddr,
    to: MacAddr,
    /// From when on it is more than a takeover caught in the act.
    pub sure: Instant,
}

/// The first address of the router that is misdirected beside this master, if any is, or may soon prove to be.
pub fn misdirection(model: &Model, router: &Router, master: &Speaker) -> Option<Misdirection> {
    router.vips.iter().find_map(|vip| of(model, router, vip, master))
}

/// True if clients of this address are sent elsewhere than to its only advertiser.
pub fn is_misdirected(model: &Model, router: &Router, vip: &Vip, now: Instant) -> bool {
    let [master] = router.active(now)[..] else { return false };
    of(model, router, vip, master).is_some_and(|misdirection| misdirection.sure <= now)
}

fn of(model: &Model, router: &Router, vip: &Vip, master: &Speaker) -> Option<Misdirection> {
    // Whoever does not serve is not the one to whom clients should be sent.
    let (to, at) = vip.announced.filter(|_| !router.is_idle_talk(master))?;
    let interface = router.interface?;
    // After a gap in what was seen, the right announcement may have been missed.
    let is_last = at > model.sight.clear_since(interface, master.interval());
    let is_right = master.mac() == Some(to) || to == router.virtual_mac() || master.local && model.host.has_mac(to);
    let advertised = master.advert.addresses.contains(&vip.address);
    let sure = vip.misled.unwrap_or(at).max(master.resumed) + GRACE;
    (is_last && !is_right && advertised).then_some(Misdirection { address: vip.address, to, sure })
}

/// What to say of it.
pub fn finding(model: &Model, router: &Router, master: &Party<'_>, found: Misdirection) -> Finding {
    let Misdirection { address, to, .. } = found;
    let name = master.name(model);
    // Another node's interface may have another name.
    let interface = if master.here { &router.id.interface } else { "INTERFACE" };
    let command = match address {
        IpAddr::V4(_) => format!("arping -U -c 3 -I {interface} {address}"),
        IpAddr::V6(_) => {
            format!("ndsend {address} {interface}, or restart the VRRP daemon: it announces its addresses")
        }
    };
    let peer = model.peer_by_mac(to).and_then(|i| model.settings.peers.get(i));
    let who = peer.map_or_else(|| to.to_string(), |peer| format!("{} ({to})", peer.name));
    Finding {
        cause: Cause::Misdirected,
        node: Some(name.clone()),
        here: master.here,
        local: format!("{name} advertises {address}, and {who} was the last to announce it"),
        remote: format!("clients' caches point to {who}"),
        remedy: Row::Misdirected.remedy(&[("announce", &command)]),
    }
}
