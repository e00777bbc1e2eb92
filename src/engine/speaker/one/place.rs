//! Where a speaker works: its interface as it comes and goes, and the address that its adverts come from.

use std::net::IpAddr;
use std::rc::Rc;

use super::{Place, Speaker};
use crate::engine::hub::Hub;
use crate::engine::speaker::Vips;
use crate::engine::speaker::kernel::{Site, Worker};
use crate::engine::speaker::report::Told;
use crate::observe::{Host, IfIndex};
use crate::time::Instant;
use crate::vrrp::{Event, State};
use crate::wire::Family;

impl Speaker {
    /// Follows its interface as it comes and goes. `vips` are addresses that move, and are nobody's primary one.
    pub fn follow(&mut self, now: Instant, hub: &Rc<Hub>, host: &Host, vips: &Vips, told: &mut Told) {
        let interface = host.index_of(&self.config.interface);
        if self.leaving || self.after.is_some() || interface.is_none() && self.place.is_none() {
            return;
        }
        if interface != self.interface() {
            if self.place.is_some() {
                // Its addresses are still there if it was only renamed.
                self.handle(now, Event::Interface(None), host, told);
                self.primary = None;
                self.predecessor = self.place.take().map(|place| place.worker.finish());
            }
            let Some(interface) = interface else { return };
            let door = self.door(hub, interface);
            let site = Site { gate: door.as_ref().map(|door| door.router().clone()), ..self.site(interface) };
            let worker = Worker::start(hub, self.id, site, self.predecessor.take());
            self.place = Some(Place { interface, worker, outlet: None, door });
            self.latch_gate(hub);
        }
        self.look(now, host, vips, told);
    }

    fn site(&self, interface: IfIndex) -> Site {
        let settings = self.router.settings();
        Site {
            interface,
            family: settings.family,
            vrid: settings.vrid,
            vmac: self.config.speak.as_ref().is_some_and(|speak| speak.vmac),
            gate: None,
            leftovers: if self.is_owner() { Vec::new() } else { self.held_with_prefixes() },
        }
    }

    /// Tells the router whether its interface can be used.
    pub(super) fn look(&mut self, now: Instant, host: &Host, vips: &Vips, told: &mut Told) {
        let Some(Place { interface, outlet: Some(_), .. }) = self.place else { return };
        let primary = self.find_primary(host, interface, vips);
        // Init is left by the first word, whatever it is.
        if primary != self.primary || self.router.state() == State::Init {
            self.primary = primary;
            if primary.is_none() && is_usable(host, interface) {
                self.alarm(now, self.lack_of_source(), told);
            }
            self.handle(now, Event::Interface(primary), host, told);
        }
    }

    fn lack_of_source(&self) -> String {
        let (name, interface) = (&self.config.name, &self.config.interface);
        match self.config.speak.as_ref().and_then(|speak| speak.source) {
            Some(source) => format!(
                "{name}: {interface} hasn't got {source}, from which adverts are to come: add it, or mend `source`"
            ),
            None => format!("{name}: {interface} has no address of its own from which adverts could come: add one"),
        }
    }

    fn find_primary(&self, host: &Host, interface: IfIndex, vips: &Vips) -> Option<IpAddr> {
        if !is_usable(host, interface) {
            return None;
        }
        let settings = self.router.settings();
        let source = self.config.speak.as_ref().and_then(|speak| speak.source);
        let fits = |address: &IpAddr| match (source, settings.family, address) {
            (Some(source), ..) => source == *address,
            (None, Family::V4, IpAddr::V4(_)) => !vips.contains_key(address),
            (None, Family::V6, IpAddr::V6(v6)) => {
                let unicast = settings.unicast_peers.iter().any(|peer| !link_local(peer));
                !vips.contains_key(address) && v6.is_unicast_link_local() != unicast
            }
            _ => false,
        };
        let mut usable: Vec<_> = host.addresses_on(interface).filter(|(a, _)| a.usable && fits(&a.address)).collect();
        usable.sort_by_key(|(address, since)| (*since, address.address));
        // The one that others know stays, for as long as it is there.
        let known = usable.iter().find(|(a, _)| Some(a.address) == self.primary);
        known.or(usable.first()).map(|(address, _)| address.address)
    }
}

fn is_usable(host: &Host, interface: IfIndex) -> bool {
    host.link(interface).is_some_and(|link| link.up && link.carrier && link.mac.is_some())
}

fn link_local(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}
