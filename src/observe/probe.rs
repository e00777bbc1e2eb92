//! When to ask who answers: one budget an interface, configured addresses first, the rest in turn.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use crate::time::{Duration, Instant};
use crate::wire::MacAddr;

use super::{Host, IfIndex, Request, Router, Vip, Vipness};

/// ICMP identifier of directed echoes; the sequence number tells them apart.
pub const ECHO_IDENTIFIER: u16 = 0x7677;

/// The same of those by which a backup asks whether a silent master's host still has the addresses.
pub const PROMOTION_ECHO_IDENTIFIER: u16 = 0x7678;

/// Tokens of one interface: `budget` a second, saved up for at most one second.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

/// Plans probes.
#[derive(Debug, Default)]
pub struct Planner {
    buckets: BTreeMap<IfIndex, Bucket>,
    due: Option<Instant>,
    sequence: u16,
}

impl Planner {
    /// When [`Self::plan`] has something to do.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Something is to be asked at `at`.
    pub fn wake(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// An interface is gone.
    pub fn remove_interface(&mut self, interface: IfIndex) {
        self.buckets.remove(&interface);
    }

    /// Begins the rounds that are due and within the budget, `pace` being the interval of one address and the budget of an
    /// interface. `gateways` are asked through each interface, too. Returns what to send.
    pub fn plan<'a>(
        &mut self,
        now: Instant,
        host: &Host,
        routers: impl Iterator<Item = &'a mut Router>,
        gateways: &mut BTreeMap<IfIndex, Vec<Vip>>,
        pace: (Duration, u32),
    ) -> Vec<Request> {
        self.due = None;
        let mut by_interface: BTreeMap<IfIndex, Vec<&mut Router>> = BTreeMap::new();
        for router in routers {
            if let Some(interface) = router.interface {
                by_interface.entry(interface).or_default().push(router);
            }
        }
        let mut requests = Vec::new();
        for (interface, mut routers) in by_interface {
            let gateways = gateways.get_mut(&interface).map(Vec::as_mut_slice).unwrap_or_default();
            self.plan_interface(now, host, interface, (&mut routers, gateways), pace, &mut requests);
        }
        requests
    }

    fn plan_interface(
        &mut self,
        now: Instant,
        host: &Host,
        interface: IfIndex,
        (routers, gateways): (&mut [&mut Router], &mut [Vip]),
        (interval, budget): (Duration, u32),
        requests: &mut Vec<Request>,
    ) {
        let bucket = self.buckets.entry(interface).or_insert(Bucket { tokens: f64::from(budget), filled: now });
        let earned = now.since(bucket.filled).as_secs_f64() * f64::from(budget);
        bucket.tokens = (bucket.tokens + earned).min(f64::from(budget));
        bucket.filled = bucket.filled.max(now);
        let refilled = |tokens: f64| now + Duration::from_secs_f64((1.0 - tokens).max(0.0) / f64::from(budget.max(1)));
        if bucket.tokens < 1.0 {
            let at = refilled(bucket.tokens);
            return self.wake(at);
        }
        let vips = vipness(host, routers);
        let mut turn: Vec<(u8, Instant, usize, usize)> = Vec::new();
        for (r, router) in routers.iter().enumerate() {
            for (v, vip) in router.all_asked().enumerate() {
                turn.push((router.rank(vip), vip.next_probe, r, v));
            }
        }
        turn.extend(gateways.iter().enumerate().map(|(v, gateway)| (1, gateway.next_probe, routers.len(), v)));
        turn.sort_unstable();
        let mut next: Option<Instant> = None;
        for (_, due, r, v) in turn {
            let vip = match routers.get_mut(r) {
                Some(router) => router.asked().nth(v),
                None => gateways.get_mut(v),
            };
            let Some(vip) = vip else { continue };
            if due > now {
                next = Some(next.map_or(due, |n| n.min(due)));
                continue;
            }
            let Some(request) = ask(host, interface, vip.address, &vips) else {
                vip.reset();
                vip.next_probe = now + interval;
                continue;
            };
            if bucket.tokens < 1.0 {
                let at = refilled(bucket.tokens);
                next = Some(next.map_or(at, |n| n.min(at)));
                break;
            }
            bucket.tokens -= 1.0;
            vip.begin_round(now, interval);
            let after = vip.next_probe;
            next = Some(next.map_or(after, |n| n.min(after)));
            requests.push(request);
        }
        if let Some(next) = next {
            self.wake(next);
        }
    }

    /// A directed echo to the host that claims `target`, if this host has an address to send it from.
    pub fn echo(&mut self, host: &Host, interface: IfIndex, target: IpAddr, mac: MacAddr) -> Option<Request> {
        let (sender_mac, source) =
            host.source_for(interface, target, |a| if a == target { Vipness::Ours } else { Vipness::None })?;
        self.sequence = self.sequence.wrapping_add(1);
        Some(Request::Echo {
            interface,
            sender_mac,
            source,
            target,
            destination_mac: mac,
            identifier: ECHO_IDENTIFIER,
            sequence: self.sequence,
        })
    }
}

/// Those of this host's addresses that are VIPs of these routers, and how sure that is.
fn vipness(host: &Host, routers: &[&mut Router]) -> BTreeMap<IpAddr, Vipness> {
    let mut vips = BTreeMap::new();
    for router in routers {
        for vip in router.vips.iter().filter(|vip| host.has_address(vip.address)) {
            let said_here = router.local().is_some_and(|s| s.advert.addresses.contains(&vip.address));
            let sure = if vip.configured || said_here { Vipness::Ours } else { Vipness::Claimed };
            let known = vips.entry(vip.address).or_insert(sure);
            *known = sure.max(*known);
        }
    }
    vips
}

fn ask(host: &Host, interface: IfIndex, target: IpAddr, vips: &BTreeMap<IpAddr, Vipness>) -> Option<Request> {
    let vipness = |address| vips.get(&address).copied().unwrap_or(Vipness::None);
    let (sender_mac, source) = host.source_for(interface, target, vipness)?;
    // Asking for its own address by ARP it gives none (RFC 5227 §2.1.1): what asks under its own announces itself.
    let source = if source == target && source.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { source };
    Request::to_all(interface, sender_mac, source, target)
}
