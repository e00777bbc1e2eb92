//! Sends what the core asks for: ARP and ND probes, directed echoes, and the output self-test.

use std::io;

use super::transmit::Transmitter;
use crate::observe::Request;
use crate::wire::{Echo, frame};

pub use super::output_test::output_blocked;

/// Sends probes. Answers come in by the capture.
#[derive(Debug)]
pub struct Prober {
    transmitter: Transmitter,
}

impl Prober {
    /// Opens a transmit-only packet socket (protocol 0). Needs CAP_NET_RAW.
    ///
    /// # Errors
    /// What the kernel says; without CAP_NET_RAW in words.
    pub fn open() -> io::Result<Self> {
        Ok(Self { transmitter: Transmitter::open("no ARP, ND or echo probes can be sent")? })
    }

    /// Sends one ARP, ND or echo request. Never blocks.
    ///
    /// # Errors
    /// What the kernel says; `InvalidInput` for an output test, and for an echo between two families.
    pub fn send(&self, request: &Request) -> io::Result<()> {
        send(&self.transmitter, request)
    }
}

/// Sends one ARP, ND or echo request by this transmitter. Never blocks.
///
/// # Errors
/// As [`Prober::send`].
pub(super) fn send(transmitter: &Transmitter, request: &Request) -> io::Result<()> {
    let (interface, frame) = match *request {
        Request::Arp { interface, sender_mac, sender_ip, target } => {
            (interface, frame::arp_request(sender_mac, sender_ip, target))
        }
        Request::Neighbour { interface, sender_mac, source, target } => {
            (interface, frame::neighbour_solicitation(sender_mac, source, target))
        }
        Request::Echo { interface, sender_mac, source, target, destination_mac, identifier, sequence } => {
            let (from, to) = ((sender_mac, source), (destination_mac, target));
            let frame = frame::echo(Echo::Request, from, to, identifier, sequence)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            (interface, frame)
        }
        Request::OutputTest { .. } | Request::Daemon { .. } => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it makes no frame: see output_blocked, DaemonWatch",
            ));
        }
    };
    transmitter.send(interface, &frame)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::super::capture::Capture;
    use super::super::testing::*;
    use super::*;
    use crate::observe::PacketKind;
    use crate::wire::{ArpOperation, LinkLayer, MacAddr, NeighbourKind, Seen, dissect};

    const NEAR_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    const FAR_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
    const NEAR_V4: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 1);
    const FAR_V4: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 2);

    /// Sends a request and waits for what comes back that `pick` knows for its answer.
    async fn ask<T>(request: Request, pick: impl Fn(Seen) -> Option<T>) -> T {
        let capture = Capture::open(index_of("near")).expect("root");
        Prober::open().expect("root").send(&request).expect("near is up");
        let mut answer = None;
        within_deadline(async {
            while answer.is_none() {
                capture.readable().await.expect("a runtime");
                let look = |frame: crate::sys::capture::Captured<'_>| {
                    if frame.kind == PacketKind::Host {
                        answer = answer.take().or(pick(dissect(frame.bytes, LinkLayer::Ethernet).seen));
                    }
                };
                capture.drain(64, look).expect("near is up");
            }
        })
        .await;
        answer.expect("just waited for it")
    }

    #[test]
    fn the_holder_of_an_address_answers_our_arp_request() {
        with_neighbour(async |_| {
            let interface = index_of("near");
            let request = Request::Arp { interface, sender_mac: NEAR_MAC.into(), sender_ip: NEAR_V4, target: FAR_V4 };
            let reply = ask(request, |seen| match seen {
                Seen::Arp(arp) if arp.operation == ArpOperation::Reply => Some(arp),
                _ => None,
            });
            let reply = reply.await;
            assert_eq!((reply.sender_ip, reply.sender_mac), (FAR_V4, MacAddr::from(FAR_MAC)));
        });
    }

    #[test]
    fn the_holder_of_an_address_answers_our_neighbour_solicitation() {
        with_neighbour(async |_| {
            let interface = index_of("near");
            let request =
                Request::Neighbour { interface, sender_mac: NEAR_MAC.into(), source: NEAR_V6, target: FAR_V6 };
            let answer = ask(request, |seen| match seen {
                Seen::Neighbour(n) if matches!(n.kind, NeighbourKind::Advertisement { .. }) => Some(n),
                _ => None,
            });
            let answer = answer.await;
            assert_eq!((answer.target, answer.link_address), (FAR_V6, Some(FAR_MAC.into())));
        });
    }

    #[test]
    fn a_host_answers_an_echo_that_is_directed_at_it() {
        let pairs: [(IpAddr, IpAddr); 2] = [(NEAR_V4.into(), FAR_V4.into()), (NEAR_V6.into(), FAR_V6.into())];
        with_neighbour(async |_| {
            for (source, target) in pairs {
                let request = Request::Echo {
                    interface: index_of("near"),
                    sender_mac: NEAR_MAC.into(),
                    source,
                    target,
                    destination_mac: FAR_MAC.into(),
                    identifier: 0x7677,
                    sequence: 7,
                };
                let reply = ask(request, |seen| match seen {
                    Seen::EchoReply(reply) => Some(reply),
                    _ => None,
                });
                let reply = reply.await;
                assert_eq!((reply.source, reply.frame_source), (target, MacAddr::from(FAR_MAC)));
                assert_eq!((reply.identifier, reply.sequence), (0x7677, 7));
            }
        });
    }

    #[test]
    fn nothing_is_sent_for_a_request_that_makes_no_frame() {
        with_neighbour(async |_| {
            let (prober, interface) = (Prober::open().expect("root"), index_of("near"));
            let test = Request::OutputTest { interface, family: crate::wire::Family::V4 };
            let mixed = Request::Echo {
                interface,
                sender_mac: NEAR_MAC.into(),
                source: NEAR_V4.into(),
                target: FAR_V6.into(),
                destination_mac: FAR_MAC.into(),
                identifier: 1,
                sequence: 1,
            };
            for request in [test, mixed] {
                assert_eq!(prober.send(&request).expect_err("no frame").kind(), io::ErrorKind::InvalidInput);
            }
        });
    }
}
