//! Before a speaker takes the addresses of a silent master it asks that master's host whether it still has them.

use std::net::IpAddr;

use super::Speaker;
use crate::engine::speaker::outlet::Way;
use crate::engine::speaker::report::Told;
use crate::observe::{Host, PROMOTION_ECHO_IDENTIFIER};
use crate::time::Instant;
use crate::vrrp::{Event, Question};
use crate::wire::{Arp, ArpOperation, EchoReply, MacAddr, Neighbour, NeighbourKind, Seen};

impl Speaker {
    /// The address by which a master's host is asked whether it has them all.
    pub fn asked(&self) -> Option<IpAddr> {
        self.router.settings().addresses.first().map(|(address, _)| *address)
    }

    /// Asks. A question that can't be sent has no answer: the addresses of a master that nobody can ask are taken.
    pub(super) fn ask_host(&mut self, now: Instant, silent: MacAddr, question: Question, host: &Host, told: &mut Told) {
        if question.thorough {
            self.question = Some((silent, question));
        }
        let (Some(source), Some(target)) = (self.primary, self.asked()) else { return };
        let Some((interface, (outlet, mac))) = self.interface().zip(self.way_out(host)) else { return };
        let sent = outlet.ask(silent, question, Way { interface, mac, source }, target);
        self.note(now, sent, told);
    }

    /// Takes in a frame in which some host says that it has the address that was asked for.
    pub fn on_claim(&mut self, now: Instant, seen: &Seen, host: &Host, told: &mut Told) {
        let question = match seen {
            Seen::EchoReply(EchoReply { identifier: PROMOTION_ECHO_IDENTIFIER, sequence, .. }) => {
                Some(Question { number: *sequence, thorough: false })
            }
            Seen::Arp(Arp { operation: ArpOperation::Reply, sender_mac, .. }) => self.thorough_question(*sender_mac),
            Seen::Neighbour(Neighbour {
                kind: NeighbourKind::Advertisement { .. },
                link_address,
                frame_source,
                ..
            }) => self.thorough_question(link_address.unwrap_or(*frame_source)),
            _ => None,
        };
        if let Some(question) = question {
            self.handle(now, Event::Answered(question), host, told);
        }
    }

    /// The last thorough question to this host.
    fn thorough_question(&self, from: MacAddr) -> Option<Question> {
        self.question.filter(|(silent, _)| *silent == from).map(|(_, question)| question)
    }
}
