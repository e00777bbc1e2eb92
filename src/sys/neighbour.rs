//! Where frames to unicast peers go: the MAC of each peer's next hop, as the kernel finds it, and followed as it changes.
//!
//! A packet socket fills no header in, so what the kernel does for others has to be asked of it: the route to the peer, and the
//! neighbour entry of the next hop. The entry is used by request (NTF_USE): the kernel then resolves it, and keeps it true.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use rtnetlink::packet_core::NLM_F_CREATE;
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType, RouteVia};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::interface;
use super::requests::{Requests, in_words};
use crate::observe::IfIndex;
use crate::time::Duration;
use crate::wire::MacAddr;

/// The wait before looking again doubles from the first, which is about what an answer takes, to the second: as often as a
/// change is looked for.
const FIRST_WAIT: Duration = Duration::from_millis(2);
const STEADY_WAIT: Duration = Duration::from_secs(1);

/// The way to a unicast peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NextHop {
    /// The last MAC that the kernel knew; adverts still go there when nobody answers any more.
    pub mac: Option<MacAddr>,
    /// Why that is not known to be right: interface, peer, and what is wrong.
    pub trouble: Option<String>,
}

/// The ways to some peers, followed by a task of its own: sending never waits for it.
#[derive(Debug)]
pub struct NextHops {
    known: watch::Receiver<BTreeMap<IpAddr, NextHop>>,
    follower: JoinHandle<()>,
}

impl NextHops {
    /// Begins to follow the ways to `peers` out of an interface. Looks at once, and then about once a second. Needs
    /// CAP_NET_ADMIN, and a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn follow(interface: IfIndex, peers: &[IpAddr]) -> io::Result<Self> {
        let requests = Requests::open()?;
        let unknown = peers.iter().map(|&peer| (peer, NextHop::default())).collect();
        let (publish, known) = watch::channel(unknown);
        let follower = tokio::spawn(follow(requests, interface, publish));
        Ok(Self { known, follower })
    }

    /// What is known of the way to a peer.
    pub fn to(&self, peer: IpAddr) -> NextHop {
        self.known.borrow().get(&peer).cloned().unwrap_or_default()
    }

    /// Waits until something is known that was not known at the last call. Cancel-safe.
    pub async fn changed(&mut self) {
        if self.known.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

impl Drop for NextHops {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

async fn follow(requests: Requests, interface: IfIndex, publish: watch::Sender<BTreeMap<IpAddr, NextHop>>) {
    let peers: Vec<_> = publish.borrow().keys().copied().collect();
    let mut wait = FIRST_WAIT;
    while !publish.is_closed() {
        for &peer in &peers {
            let found = look(&requests, interface, peer).await;
            publish.send_if_modified(|known| {
                let hop = known.entry(peer).or_default();
                let next = hop.clone().after(found);
                let is_new = *hop != next;
                *hop = next;
                is_new
            });
        }
        sleep(wait).await;
        wait = (wait * 2).min(STEADY_WAIT);
    }
}

/// What one look has shown.
enum Found {
    Mac(MacAddr),
    /// The kernel is asking.
    Nothing,
    Trouble(String),
}

impl NextHop {
    fn after(self, found: Found) -> Self {
        match found {
            Found::Mac(mac) => Self { mac: Some(mac), trouble: None },
            Found::Nothing => self,
            Found::Trouble(trouble) => Self { trouble: Some(trouble), ..self },
        }
    }
}

async fn look(requests: &Requests, interface: IfIndex, peer: IpAddr) -> Found {
    let trouble = |what: String| {
        Found::Trouble(format!("{}: the unicast peer {peer} can't be reached: {what}", interface::display(interface)))
    };
    let hop = match next_hop(requests, interface, peer).await {
        Ok(hop) => hop,
        Err(error) => return trouble(format!("no route: {error}")),
    };
    let state = state(requests, interface, hop).await;
    // Afterwards, for it turns a failure into a new attempt.
    let used = use_entry(requests, interface, hop).await.map_err(in_words);
    match (state, used) {
        (Err(error), _) | (_, Err(error)) => trouble(format!("the next hop {hop}: {error}")),
        (Ok((_, Some(mac))), _) => Found::Mac(mac),
        (Ok((NeighbourState::Failed, None)), _) => trouble(format!("nobody answers for the next hop {hop}")),
        (Ok((NeighbourState::Noarp, None)), _) => trouble("the interface has no MACs".into()),
        (Ok((_, None)), _) => Found::Nothing,
    }
}

/// The address on the link that packets to `peer` are handed to.
async fn next_hop(requests: &Requests, interface: IfIndex, peer: IpAddr) -> io::Result<IpAddr> {
    let mut query = RouteMessage::default();
    query.header.address_family = family(peer);
    query.header.destination_prefix_length = if peer.is_ipv4() { 32 } else { 128 };
    query.attributes.push(RouteAttribute::Destination(peer.into()));
    query.attributes.push(RouteAttribute::Oif(interface.0));
    let answers = requests.ask(RouteNetlinkMessage::GetRoute(query), 0).await?;
    let route = answers.into_iter().find_map(|answer| match answer {
        RouteNetlinkMessage::NewRoute(route) => Some(route),
        _ => None,
    });
    let route = route.ok_or_else(|| io::Error::other("the kernel names none"))?;
    match route.header.kind {
        RouteType::Unicast => {}
        RouteType::Local => return Err(io::Error::other("it is an address of this host")),
        kind => return Err(io::Error::other(format!("it is {kind:?}"))),
    }
    let gateway = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(RouteAddress::Inet(gateway)) | RouteAttribute::Via(RouteVia::Inet(gateway)) => {
            Some(IpAddr::V4(*gateway))
        }
        RouteAttribute::Gateway(RouteAddress::Inet6(gateway)) | RouteAttribute::Via(RouteVia::Inet6(gateway)) => {
            Some(IpAddr::V6(*gateway))
        }
        _ => None,
    });
    Ok(gateway.unwrap_or(peer))
}

/// The state of a neighbour entry, and its MAC where that is valid.
async fn state(requests: &Requests, interface: IfIndex, hop: IpAddr) -> io::Result<(NeighbourState, Option<MacAddr>)> {
    let answers = match requests.ask(RouteNetlinkMessage::GetNeighbour(entry(interface, hop)), 0).await {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok((NeighbourState::None, None)),
        answer => answer?,
    };
    let found = answers.into_iter().find_map(|answer| match answer {
        RouteNetlinkMessage::NewNeighbour(entry) => Some(entry),
        _ => None,
    });
    let Some(found) = found else { return Ok((NeighbourState::None, None)) };
    let mac = found.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(bytes) => <[u8; 6]>::try_from(bytes.as_slice()).ok().map(MacAddr::from),
        _ => None,
    });
    let is_valid = !matches!(
        found.header.state,
        NeighbourState::None | NeighbourState::Incomplete | NeighbourState::Failed | NeighbourState::Noarp
    );
    Ok((found.header.state, mac.filter(|_| is_valid)))
}

/// Uses the entry as a packet to it would.
async fn use_entry(requests: &Requests, interface: IfIndex, hop: IpAddr) -> io::Result<()> {
    let mut entry = entry(interface, hop);
    entry.header.flags = NeighbourFlags::Use;
    requests.ask(RouteNetlinkMessage::NewNeighbour(entry), NLM_F_CREATE).await.map(drop)
}

fn entry(interface: IfIndex, hop: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(hop);
    message.header.ifindex = interface.0;
    message.attributes.push(NeighbourAttribute::Destination(match hop {
        IpAddr::V4(hop) => NeighbourAddress::Inet(hop),
        IpAddr::V6(hop) => NeighbourAddress::Inet6(hop),
    }));
    message
}

const fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    const PEERS: [&str; 2] = ["10.9.9.2", "fe80::2"];

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    async fn until(hops: &mut NextHops, peer: IpAddr, is_it: impl Fn(&NextHop) -> bool) -> NextHop {
        within_deadline(async {
            loop {
                let hop = hops.to(peer);
                if is_it(&hop) {
                    return hop;
                }
                hops.changed().await;
            }
        })
        .await
    }

    #[test]
    fn the_mac_of_a_peer_on_the_link_is_found_in_both_families() {
        with_neighbour(async |_| {
            let peers = PEERS.map(address);
            let mut hops = NextHops::follow(index_of("near"), &peers).expect("netlink");
            for peer in peers {
                let hop = until(&mut hops, peer, |hop| hop.mac.is_some()).await;
                assert_eq!(hop, NextHop { mac: Some(FAR_MAC.into()), trouble: None });
            }
        });
    }

    #[test]
    fn a_peer_behind_a_gateway_is_at_the_gateways_mac() {
        with_neighbour(async |_| {
            ip("route add 10.50.0.0/16 via 10.9.9.2");
            ip("route add 10.60.0.0/16 via inet6 fe80::2 dev near");
            ip("route add 2001:db8:50::/48 via fe80::2 dev near");
            let peers = ["10.50.0.1", "10.60.0.1", "2001:db8:50::1"].map(address);
            let mut hops = NextHops::follow(index_of("near"), &peers).expect("netlink");
            for peer in peers {
                let hop = until(&mut hops, peer, |hop| hop.mac.is_some()).await;
                assert_eq!(hop.mac, Some(FAR_MAC.into()));
            }
        });
    }

    #[test]
    fn a_peer_that_moves_to_another_mac_is_followed() {
        with_neighbour(async |far| {
            let peer = address(PEERS[0]);
            let mut hops = NextHops::follow(index_of("near"), &[peer]).expect("netlink");
            until(&mut hops, peer, |hop| hop.mac.is_some()).await;
            let moved = MacAddr(2, 0, 0, 0, 0, 9);
            far.run(move || ip(&format!("link set far address {moved}")));
            far.send(crate::wire::frame::gratuitous_arp(moved, "10.9.9.2".parse().expect("an address")).into());
            until(&mut hops, peer, |hop| hop.mac == Some(moved)).await;
        });
    }

    #[test]
    fn a_peer_that_nobody_answers_for_is_named_and_its_last_mac_is_kept() {
        with_neighbour(async |far| {
            let peers = [PEERS[0], "10.9.9.77", "2001:db8::77", "10.9.9.1"].map(address);
            std::fs::write("/proc/sys/net/ipv4/neigh/near/retrans_time_ms", "20").expect("sysctl");
            let mut hops = NextHops::follow(index_of("near"), &peers).expect("netlink");
            until(&mut hops, peers[0], |hop| hop.mac.is_some()).await;
            for (peer, says) in [(peers[1], "nobody answers"), (peers[2], "no route"), (peers[3], "of this host")] {
                let hop = until(&mut hops, peer, |hop| hop.trouble.is_some()).await;
                let trouble = hop.trouble.expect("just waited for it");
                assert!(
                    trouble.contains(&format!("near: the unicast peer {peer}")) && trouble.contains(says),
                    "{trouble}"
                );
                assert_eq!(hop.mac, None);
            }
            far.run(|| ip("link set far down"));
            ip("neighbour replace 10.9.9.2 dev near nud failed");
            let hop = until(&mut hops, peers[0], |hop| hop.trouble.is_some()).await;
            assert_eq!(hop.mac, Some(FAR_MAC.into()));
        });
    }
}
