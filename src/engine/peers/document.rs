//! The JSON of `/api/v1/peer`, version 1: written from a snapshot, and read into a [`Report`]. `docs/schema/peer.json` says the
//! same to other languages.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::seal::Seal;
use crate::detect::{Finding, RouterView, Snapshot, SpeakerView};
use crate::engine::Identity;
use crate::observe::{DaemonState, Heard, Mute, Pledge, Pledged, Report, Reported, ReportedFinding, Sent, State};
use crate::time::{Duration, Instant};
use crate::wire::Family;

/// Version of this document. Version 1 only ever adds fields.
const VERSION: u32 = 1;

/// Routers that a report is read with, addresses and speakers of one router, and characters of one text.
const ROUTERS_MAX: usize = 4096;
const LIST_MAX: usize = 512;
const TEXT_MAX: usize = 512;

/// What `/api/v1/peer` answers: facts, and who says so.
#[derive(Debug, Serialize, Deserialize)]
pub struct AnswerDoc {
    /// 1.
    pub version: u32,
    /// What the question brought.
    pub nonce: String,
    /// Random for each start of the daemon.
    pub boot_id: String,
    /// HMAC-SHA256 over purpose, nonce, boot id and the bytes of `facts` as they stand here, in hex; null without a key.
    pub signature: Option<String>,
    /// The facts, as JSON.
    pub facts: Box<RawValue>,
}

/// What a node knows at first hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FactsDoc {
    /// What it calls itself.
    pub node: String,
    /// How old its view was when it answered: everything else is that much older than the answer.
    pub age_ms: u64,
    /// The addresses of its host.
    pub addresses: Vec<IpAddr>,
    /// Its hardware addresses.
    pub macs: Vec<String>,
    /// Its virtual routers.
    pub routers: Vec<RouterFacts>,
}

/// One virtual router.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouterFacts {
    /// Its name there.
    pub name: String,
    /// Its interface there.
    pub interface: String,
    /// VLAN, where tagged.
    pub vlan: Option<u16>,
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// VRID.
    pub vrid: u8,
    /// All its addresses that are known there.
    pub addresses: Vec<IpAddr>,
    /// `watch` or `speak`.
    pub mode: String,
    /// The node's own part.
    pub state: String,
    /// The node's verdict.
    pub verdict: String,
    /// True where the node is blind to it.
    pub blind: bool,
    /// What its host holds, by netlink.
    pub held: Vec<HeldDoc>,
    /// Where it speaks: as configured, and what tracking left of it (null is a fault).
    pub priority: Option<PriorityFacts>,
    /// What leaves its host; null if nothing ever did.
    pub sends: Option<AdvertFacts>,
    /// Whom it hears on its wire.
    pub hears: Vec<AdvertFacts>,
    /// The VRRP daemon there: `alive`, `frozen`, `absent` or `unknown`.
    pub daemon: String,
    /// Whether a witness answers through the virtual address's own interface; null where none is asked.
    pub witness: Option<bool>,
    /// What is to be mended on that node.
    pub findings: Vec<FindingFacts>,
    /// True if another host than the master was the last one that it saw announce an address.
    #[serde(default)]
    pub misdirected: bool,
    /// The arbiter's lease, where it is `unreachable = "hold-if-unanimous"`.
    #[serde(default)]
    pub lease: Option<LeaseFacts>,
}

/// An arbiter's lease, for those who promise not to take it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseFacts {
    /// Under which name the arbiter knows the router.
    pub key: String,
    /// This node holds and could not renew in time: it asks the others to take nothing.
    pub asks: bool,
    /// This node neither holds nor takes it before so long after this answer; null where it promises nothing.
    pub promise_ms: Option<u64>,
}

/// An address that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldDoc {
    /// Which.
    pub address: IpAddr,
    /// For how long.
    pub age_ms: u64,
}

/// A speaker's priority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorityFacts {
    /// As configured.
    pub base: u8,
    /// What tracking left of it; null is a fault.
    pub effective: Option<u8>,
}

/// Adverts of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvertFacts {
    /// Their source.
    pub source: IpAddr,
    /// Source of the frames.
    pub mac: Option<String>,
    /// Protocol version.
    pub version: u8,
    /// Priority.
    pub priority: u8,
    /// Advertised interval.
    pub interval_ms: u64,
    /// Kind of authentication, never the secret.
    pub auth: String,
    /// Advertised addresses.
    pub addresses: Vec<IpAddr>,
    /// True while believed to be an active master.
    pub active: bool,
    /// The last one.
    pub age_ms: u64,
    /// How many there were on the wire.
    pub count: u64,
    /// How many got past ingress, and past netfilter, to the daemon; null where that can't be told.
    pub delivered: Option<DeliveredFacts>,
}

/// How far adverts got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveredFacts {
    /// Past ingress.
    pub ip: u64,
    /// Past netfilter.
    pub raw: u64,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingFacts {
    /// The cause.
    pub cause: String,
    /// What is so on that node.
    pub local: String,
    /// What is so on the other side.
    pub remote: String,
    /// The one thing to do there.
    pub remedy: String,
}

/// Answers a question, signed if there is a key. `now` is when.
///
/// # Errors
/// The facts can't be written as JSON, which is a bug.
pub fn answer(
    identity: &Identity,
    snapshot: &Snapshot,
    now: Instant,
    nonce: &str,
    seal: Option<&Seal>,
) -> serde_json::Result<AnswerDoc> {
    let facts = serde_json::value::to_raw_value(&FactsDoc::new(&identity.node, snapshot, now))?;
    let boot_id = identity.boot_id.clone();
    let signature = seal.map(|seal| seal.sign(nonce, &boot_id, facts.get()));
    Ok(AnswerDoc { version: VERSION, nonce: nonce.into(), boot_id, signature, facts })
}

/// What is expected of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What was sent with it.
    pub nonce: &'a str,
    /// When it left.
    pub asked: Instant,
    /// The boot id of whoever asks: an answer with the same one comes from itself.
    pub own_boot_id: &'a str,
    /// The address of the peer that was asked: an answer must come from its host.
    pub peer: IpAddr,
    /// The cluster's key, if there is one.
    pub seal: Option<&'a Seal>,
}

impl Question<'_> {
    /// Reads an answer.
    ///
    /// # Errors
    /// It is none, or in answer to something else, or not by whom it should be.
    pub fn read(&self, body: &[u8]) -> Result<Report, Mute> {
        let silent = |why: String| Mute::Silent(format!("its answer can't be read: {why}"));
        let refused = |why: &str| Err(Mute::Refused(why.into()));
        let answer: AnswerDoc = serde_json::from_slice(body).map_err(|error| silent(shape(&error)))?;
        if answer.version != VERSION {
            return Err(silent(format!("it has version {}, and {VERSION} is understood", answer.version)));
        }
        if answer.nonce != self.nonce {
            return refused(
                "it answers another question: an old answer was played back, or something caches on the way",
            );
        }
        if answer.boot_id == self.own_boot_id {
            return refused("this node itself answers there: name the peer's own address in urls");
        }
        match (self.seal, &answer.signature) {
            (Some(seal), Some(signature)) => {
                if !seal.verify(self.nonce, &answer.boot_id, answer.facts.get(), signature) {
                    return refused(
                        "its signature is not made with this cluster's key: is key_file the same on both nodes?",
                    );
                }
            }
            (Some(_), None) => return refused("it carries no signature: give that node the cluster's key_file, too"),
            (None, _) => {}
        }
        let facts: FactsDoc = serde_json::from_str(answer.facts.get()).map_err(|error| silent(shape(&error)))?;
        if !facts.addresses.contains(&self.peer) {
            let whose = format!("{:?} answers there, which has not the peer's address {}", cut(&facts.node), self.peer);
            return Err(Mute::Refused(whose));
        }
        Ok(facts.report(self.asked, cut(&answer.boot_id), self.seal.is_some()))
    }
}

/// Where it went wrong; never the text itself.
fn shape(error: &serde_json::Error) -> String {
    format!("line {}, column {}: {:?}", error.line(), error.column(), error.classify())
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_MAX).collect()
}

fn millis(age: Duration) -> u64 {
    u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
}

impl FactsDoc {
    /// The facts of a snapshot, as they are told at `now`.
    pub fn new(node: &str, snapshot: &Snapshot, now: Instant) -> Self {
        let witness = |router: &RouterView| router.witness;
        let daemon = |router: &RouterView| {
            let own = router.speaking.is_some().then_some(DaemonState::Alive);
            let host = snapshot.daemons.iter().find(|(family, _)| *family == router.family).map(|(_, state)| *state);
            own.or(host).unwrap_or(DaemonState::Unknown).as_str().to_owned()
        };
        Self {
            node: node.into(),
            age_ms: millis(now.since(snapshot.at)),
            addresses: snapshot.addresses.clone(),
            macs: snapshot.macs.iter().map(ToString::to_string).collect(),
            routers: snapshot
                .routers
                .iter()
                .filter(|router| router.role == crate::detect::Role::Member)
                .map(|router| RouterFacts::new(router, (snapshot.at, now), daemon(router), witness(router)))
                .collect(),
        }
    }

    fn report(self, asked: Instant, boot_id: String, signed: bool) -> Report {
        let as_of = asked - Duration::from_millis(self.age_ms);
        let routers = self.routers.into_iter().take(ROUTERS_MAX).filter_map(|r| r.reported(asked, as_of)).collect();
        let mut report = Report::new(cut(&self.node), boot_id, signed, as_of).with_routers(routers);
        report.addresses = self.addresses.into_iter().take(LIST_MAX * 4).collect();
        report.macs = self.macs.iter().take(LIST_MAX * 4).filter_map(|mac| mac.parse().ok()).collect();
        report
    }
}

impl RouterFacts {
    fn new(router: &RouterView, (at, now): (Instant, Instant), daemon: String, witness: Option<bool>) -> Self {
        let held = router.addresses.iter().filter_map(|a| Some((a.address, a.held?)));
        let advert = |speaker: &SpeakerView| AdvertFacts::new(speaker, at);
        let own = router.speakers.iter().filter(|s| s.local).max_by_key(|s| s.last_advert);
        let leased = router.speaking.as_ref().and_then(|own| own.arbiter.as_ref());
        Self {
            name: router.name.clone(),
            interface: router.interface.clone(),
            vlan: router.vlan,
            family: router.family.as_str().into(),
            vrid: router.vrid,
            addresses: router.addresses.iter().map(|a| a.address).collect(),
            mode: router.mode().into(),
            state: router.state.as_str().into(),
            verdict: router.verdict.as_str().into(),
            blind: router.blind,
            held: held.map(|(address, since)| HeldDoc { address, age_ms: millis(at.since(since)) }).collect(),
            priority: router.speaking.as_ref().map(|own| PriorityFacts { base: own.base, effective: own.effective }),
            sends: own.map(advert),
            hears: router.speakers.iter().filter(|s| !s.local).map(advert).collect(),
            daemon,
            witness,
            findings: router.findings.iter().filter(|f| f.here).map(FindingFacts::new).collect(),
            misdirected: router.addresses.iter().any(|a| a.misdirected),
            lease: leased.and_then(|leased| leased.pledge.as_ref()).map(|pledge| LeaseFacts::new(pledge, now)),
        }
    }

    /// `None` if it speaks of a family or a state that is not known here.
    fn reported(self, asked: Instant, as_of: Instant) -> Option<Reported> {
        let sends = self.sends.as_ref().map(|sent| Sent {
            source: sent.source,
            priority: sent.priority,
            active: sent.active,
            last: as_of - Duration::from_millis(sent.age_ms),
        });
        Some(Reported {
            name: cut(&self.name),
            interface: cut(&self.interface),
            family: Family::named(&self.family)?,
            vrid: self.vrid,
            addresses: self.addresses.into_iter().take(LIST_MAX).collect(),
            speaks: self.mode == "speak",
            state: State::ALL.into_iter().find(|state| state.as_str() == self.state)?,
            blind: self.blind,
            held: self.held.iter().map(|held| held.address).take(LIST_MAX).collect(),
            priority: self.priority.map(|priority| (priority.base, priority.effective)),
            sends,
            hears: self.hears.into_iter().take(LIST_MAX).map(|heard| heard.heard(as_of)).collect(),
            daemon: DaemonState::named(&self.daemon),
            witness: self.witness,
            findings: self.findings.into_iter().take(8).map(FindingFacts::reported).collect(),
            misdirected: self.misdirected,
            pledge: self.lease.map(|lease| lease.pledged(asked)),
        })
    }
}

impl LeaseFacts {
    /// A promise counts from the answer, of whatever age the view is: it is not taken back.
    fn new(pledge: &Pledge, now: Instant) -> Self {
        let left = pledge.promised_until.map(|until| until.since(now)).filter(|left| !left.is_zero());
        Self {
            key: pledge.key.clone(),
            asks: pledge.asks_from.is_some_and(|from| from <= now),
            promise_ms: left.map(millis),
        }
    }

    fn pledged(self, asked: Instant) -> Pledged {
        let promise = self.promise_ms.map(|ms| (asked, Duration::from_millis(ms)));
        Pledged { key: cut(&self.key), asks: self.asks, promise }
    }
}

impl AdvertFacts {
    fn new(speaker: &SpeakerView, at: Instant) -> Self {
        Self {
            source: speaker.source,
            mac: speaker.mac.map(|mac| mac.to_string()),
            version: speaker.version,
            priority: speaker.priority,
            interval_ms: millis(speaker.interval),
            auth: speaker.auth.into(),
            addresses: speaker.addresses.clone(),
            active: speaker.master,
            age_ms: millis(at.since(speaker.last_advert)),
            count: speaker.received,
            delivered: speaker.delivered.map(|[(_, ip), (_, raw)]| DeliveredFacts { ip, raw }),
        }
    }

    fn heard(self, as_of: Instant) -> Heard {
        Heard {
            source: self.source,
            mac: self.mac.and_then(|mac| mac.parse().ok()),
            priority: self.priority,
            active: self.active,
            last: as_of - Duration::from_millis(self.age_ms),
            counts: (self.count, self.delivered.map(|delivered| (delivered.ip, delivered.raw))),
        }
    }
}

impl FindingFacts {
    fn new(finding: &Finding) -> Self {
        Self {
            cause: finding.cause.as_str().into(),
            local: finding.local.clone(),
            remote: finding.remote.clone(),
            remedy: finding.remedy.clone(),
        }
    }

    fn reported(self) -> ReportedFinding {
        ReportedFinding {
            cause: cut(&self.cause),
            local: cut(&self.local),
            remote: cut(&self.remote),
            remedy: cut(&self.remedy),
        }
    }
}

#[cfg(test)]
mod tests;
