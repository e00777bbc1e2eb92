//! From two holders to the cause: the first row that matches wins.

use std::net::IpAddr;

use crate::observe::{DaemonState, Expected, Model, Router, Speaker, Tap, Told};
use crate::time::{Duration, Instant};
use crate::wire::{Auth, ChecksumForm, Family, MacAddr, Version};

use super::conflict::Conflict;
use super::party::Party;
use super::rules::Row;
use super::{Cause, Finding, remote};

/// What one side speaks: its last advert, or what the configuration says that it should.
#[derive(Clone, Debug, PartialEq)]
struct Dialect {
    version: Option<Version>,
    auth: Option<Auth>,
    interval: Option<Duration>,
    checksum: Option<ChecksumForm>,
    addresses: Vec<IpAddr>,
    ttl: u8,
    multicast: bool,
}

impl Dialect {
    fn of(speaker: &Speaker) -> Self {
        let advert = &speaker.advert;
        let mut addresses = advert.addresses.clone();
        addresses.sort_unstable();
        Self {
            version: Some(advert.version),
            auth: Some(advert.auth),
            interval: Some(speaker.interval()),
            checksum: Some(advert.checksum),
            addresses,
            ttl: advert.ttl,
            multicast: advert.is_multicast(),
        }
    }

    fn told(told: &Told) -> Self {
        let mut addresses = told.addresses.clone();
        addresses.sort_unstable();
        Self {
            version: Some(told.version),
            auth: Some(told.auth),
            interval: Some(told.interval),
            checksum: None,
            addresses,
            ttl: 255,
            multicast: !told.unicast,
        }
    }

    fn expected(expected: &Expected) -> Self {
        let mut addresses = expected.addresses.clone();
        addresses.sort_unstable();
        Self {
            version: expected.version,
            auth: expected.auth,
            interval: expected.advert_interval,
            checksum: None,
            addresses,
            ttl: 255,
            multicast: expected.unicast_peers.is_empty(),
        }
    }
}

/// The findings on two parties that both hold.
pub fn of_conflict(
    model: &Model,
    router: &Router,
    conflict: Conflict,
    [a, b]: [&Party<'_>; 2],
    now: Instant,
) -> Vec<Finding> {
    let (one, two) = if b.here { (b, a) } else { (a, b) };
    let mut findings: Vec<Finding> = mismatch(model, router, one, two).into_iter().collect();
    let mismatched = !findings.is_empty();
    if mismatched && one.here && one.speaker.is_none_or(|s| is_muted(s, now)) {
        findings.push(muted(model, one));
    }
    if mismatched {
        let admitted = remote::admitted(model, conflict, [one, two]);
        findings.extend(admitted.into_iter().filter(|finding| finding.cause == Cause::MutedMaster));
    }
    if findings.is_empty() {
        findings.extend(tie(model, router, one, two));
    }
    if findings.is_empty() && one.here && one.active.is_none() {
        findings.push(silent_here(model, router, one, two, now));
    }
    if findings.is_empty() {
        findings.extend(dropped_here(model, router, now));
    }
    if findings.is_empty() {
        findings.extend(remote::admitted(model, conflict, [one, two]));
    }
    if findings.is_empty() {
        findings.extend(remote::path(model, router, one, two));
    }
    if findings.is_empty() {
        findings.extend(remote::admitted_path(model, conflict, [one, two]));
    }
    if findings.is_empty() {
        findings.extend(
            [one, two]
                .into_iter()
                .filter(|p| !p.here && p.active.is_none() && !p.claims.is_empty())
                .map(|p| silent_there(model, router, p)),
        );
    }
    if findings.is_empty() {
        findings.push(undetermined(model, one, two));
    }
    findings
}

/// Two who refuse each other's adverts skip some in turn, and on a busy host more than a few; muted is who sends none.
fn is_muted(speaker: &Speaker, now: Instant) -> bool {
    const LULL: Duration = Duration::from_secs(1);
    now > speaker.gone_at().max(speaker.last + LULL)
}

/// The two sides' last adverts (or this node's expectation) differ in what makes a receiver refuse the other.
fn mismatch(model: &Model, router: &Router, one: &Party<'_>, two: &Party<'_>) -> Option<Finding> {
    let dialect = |p: &Party<'_>| match p.speaker {
        Some(speaker) => Some(Dialect::of(speaker)),
        None if p.here => here(model, router),
        None => None,
    };
    let (x, y) = (dialect(one)?, dialect(two)?);
    let (row, local, remote) = difference(&x, &y)?;
    Some(Finding {
        cause: row.rule().cause,
        node: Some(two.name(model)),
        here: one.here,
        local: format!("{} {local}", one.name(model)),
        remote: format!("{} {remote}", two.name(model)),
        remedy: row.remedy(&[]),
    })
}

/// What the local daemon should speak: as its own configuration says, or else ours.
fn here(model: &Model, router: &Router) -> Option<Dialect> {
    let told = model.told_of(router).map(Dialect::told);
    told.or_else(|| router.expected.as_ref().map(Dialect::expected))
}

/// What this daemon itself speaks, where it does. Nothing validated is without a version and an interval.
fn spoken(router: &Router) -> Option<Dialect> {
    let expected = router.expected.as_ref().filter(|_| router.speaking.is_some())?;
    let dialect = Dialect::expected(expected);
    let auth = dialect.auth.or(Some(Auth::None).filter(|_| dialect.version == Some(Version::V2)));
    Some(Dialect { auth, ..dialect })
}

/// The local daemon is no master, and was told something that makes it refuse the master's adverts: it will take over beside it, or
/// did, and was fenced.
pub fn latent_told(model: &Model, router: &Router, master: &Party<'_>) -> Option<Finding> {
    let speaker = master.active.filter(|_| !master.here)?;
    let told = model.told_of(router).map(Dialect::told).or_else(|| spoken(router))?;
    let (row, local, remote) = difference(&told, &Dialect::of(speaker))?;
    let node = &model.settings.node;
    Some(Finding {
        cause: row.rule().cause,
        node: Some(node.clone()),
        here: true,
        local: format!("{node}, as its daemon was told, {local}"),
        remote: format!("{} {remote}", master.name(model)),
        remedy: row.remedy(&[]),
    })
}

/// In what the adverts of two differ first, in the order in which a receiver checks them.
fn row_of(x: &Speaker, y: &Speaker) -> Option<Row> {
    difference(&Dialect::of(x), &Dialect::of(y)).map(|(row, ..)| row)
}

/// True if a receiver that compares everything refuses what one of them sends.
pub fn differ(x: &Speaker, y: &Speaker) -> bool {
    row_of(x, y).is_some()
}

/// True if one must refuse what the other sends: they differ in more than their lists of addresses, which not everyone compares.
pub fn refuse_each_other(x: &Speaker, y: &Speaker) -> bool {
    row_of(x, y).is_some_and(|row| row != Row::Lists)
}

/// True if each must refuse what the other sends, whoever made it: some accept any form of the checksum, and a router on the way may
/// lie on the way of one.
pub fn each_refuses(x: &Speaker, y: &Speaker) -> bool {
    let mutual = [Row::Versions, Row::AuthKinds, Row::Intervals, Row::Passwords];
    row_of(x, y).is_some_and(|row| mutual.contains(&row))
}

/// True if no election between them ends: equal priority and equal source, and both were on time at once.
pub fn is_tie(x: &Speaker, y: &Speaker) -> bool {
    let met = x.spell <= y.overdue_at() && y.spell <= x.overdue_at();
    met && x.advert.priority == y.advert.priority && x.advert.source == y.advert.source
}

/// The first difference, in the order in which a receiver checks, with both values in words.
fn difference(x: &Dialect, y: &Dialect) -> Option<(Row, String, String)> {
    let differ = |a: Option<Version>, b: Option<Version>| a.zip(b).is_some_and(|(a, b)| a != b);
    if differ(x.version, y.version) {
        let say = |d: &Dialect| format!("speaks VRRP version {}", d.version.map_or(0, Version::number));
        return Some((Row::Versions, say(x), say(y)));
    }
    let v2 = x.version == Some(Version::V2) || y.version == Some(Version::V2);
    let auth = |d: &Dialect| d.auth.map_or("unknown", |a| a.kind());
    if let (Some(a), Some(b)) = (x.auth, y.auth)
        && a.kind() != b.kind()
    {
        let say = |d: &Dialect| format!("authenticates with {}", auth(d));
        return Some((Row::AuthKinds, say(x), say(y)));
    }
    if v2 && x.interval.zip(y.interval).is_some_and(|(a, b)| a != b) {
        let say = |d: &Dialect| format!("advertises every {} s", d.interval.unwrap_or_default().as_secs_f64());
        return Some((Row::Intervals, say(x), say(y)));
    }
    if x.checksum.zip(y.checksum).is_some_and(|(a, b)| a != b) {
        let say = |d: &Dialect| d.checksum.map_or(String::new(), |c| format!("computes the checksum over {}", form(c)));
        return Some((Row::Checksums, say(x), say(y)));
    }
    if (x.multicast && x.ttl != 255) || (y.multicast && y.ttl != 255) {
        let say = |d: &Dialect| format!("is heard with TTL {}", d.ttl);
        return Some((Row::Ttl, say(x), say(y)));
    }
    if x.addresses != y.addresses {
        let say = |d: &Dialect| format!("advertises {}", list(&d.addresses));
        return Some((Row::Lists, say(x), say(y)));
    }
    if x.auth.zip(y.auth).is_some_and(|(a, b)| a != b) {
        let say = |d: &Dialect| format!("authenticates with {}", auth(d));
        return Some((Row::Passwords, say(x), format!("{}, and not the same secret", say(y))));
    }
    None
}

fn form(checksum: ChecksumForm) -> &'static str {
    match checksum {
        ChecksumForm::Message | ChecksumForm::MessageOnly => "the message only",
        ChecksumForm::PseudoHeader => "pseudo-header and message",
        ChecksumForm::MulticastPseudoHeader => "a multicast pseudo-header and the message",
        ChecksumForm::Invalid => "nothing that fits",
    }
}

/// Addresses in words, at most eight of them.
pub fn list(addresses: &[IpAddr]) -> String {
    const SHOWN: usize = 8;
    let mut text = addresses.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if addresses.len() > SHOWN {
        text.push_str(&format!(" and {} more", addresses.len() - SHOWN));
    }
    text
}

/// Each of the two may be silent in turn: keepalived starts its advert timer anew with each advert that it hears.
fn tie(model: &Model, router: &Router, one: &Party<'_>, two: &Party<'_>) -> Option<Finding> {
    let (x, y) = (one.speaker?, two.speaker?);
    let stopped = one.here && one.active.is_none();
    let is_dead = stopped && matches!(model.daemon_of(router), DaemonState::Absent | DaemonState::Frozen);
    let mac = |s: &Speaker| s.mac().map_or("an unknown MAC".into(), |m| m.to_string());
    (is_tie(x, y) && !is_dead).then(|| Finding {
        cause: Cause::PriorityTie,
        node: Some(two.name(model)),
        here: one.here,
        local: format!("{} from {}, priority {}", x.advert.source, mac(x), x.advert.priority),
        remote: format!("{} from {}, priority {}", y.advert.source, mac(y), y.advert.priority),
        remedy: Row::Tie.remedy(&[]),
    })
}

/// This node holds an address and sends nothing.
fn silent_here(model: &Model, router: &Router, own: &Party<'_>, other: &Party<'_>, now: Instant) -> Finding {
    let held = own.held.unwrap_or(now);
    let spoke = router.has_spoken_for(held);
    let blocked = router.output.is_some_and(|(_, blocked)| blocked);
    let protocol = protocol(router);
    let finding = |row: Row, local: &str| Finding {
        cause: row.rule().cause,
        node: Some(model.settings.node.clone()),
        here: true,
        local: local.into(),
        remote: format!("{} {}", other.name(model), does(other)),
        remedy: row.remedy(&[
            ("delete", &delete(router)),
            ("protocol", protocol),
            ("interface", &router.id.interface),
            ("questions", if router.id.family == Family::V6 { "icmp6" } else { "arp" }),
            ("family", router.id.family.as_str()),
        ]),
    };
    match model.daemon_of(router) {
        DaemonState::Absent if !model.may_be_starting(router, held, now) => {
            finding(Row::DeadHere, "no VRRP daemon runs here, and the address is still there")
        }
        DaemonState::Frozen => finding(
            Row::FrozenHere,
            "the VRRP daemon is frozen: it does not read its socket, and the address is still there",
        ),
        _ if blocked => finding(Row::OutputHere, "this host's firewall refuses to let protocol 112 out (EPERM)"),
        _ if model.host.has_no_room(router.id.family, now) => finding(
            Row::CrowdedHere,
            "this host's neighbour table is full: the kernel drops the adverts and tells the daemon nothing",
        ),
        DaemonState::Alive if !spoke => unresolved_here(model, router, other, now).unwrap_or_else(|| {
            finding(Row::StrayHere, "the address was added here while this node is a backup: it never advertised since")
        }),
        DaemonState::Alive => muted(model, own),
        DaemonState::Unknown | DaemonState::Absent => finding(
            Row::SilentHere,
            "the address is held here and no advert leaves; whether a VRRP daemon runs can't be told",
        ),
    }
}

/// By unicast, to a neighbour that nobody is: its adverts don't leave, and look like those of a backup.
fn unresolved_here(model: &Model, router: &Router, other: &Party<'_>, now: Instant) -> Option<Finding> {
    other.active.filter(|s| !s.advert.is_multicast())?;
    let sought = model.sought_in_vain(router.interface?, now)?.to_string();
    let to = other.name(model);
    Some(Finding {
        cause: Cause::OneWayPath,
        node: Some(model.settings.node.clone()),
        here: true,
        local: format!("no advert leaves this host, and it asks in vain for {sought}"),
        remote: format!("{to} {}", does(other)),
        remedy: Row::UnresolvedHere.remedy(&[("to", &to), ("sought", &sought)]),
    })
}

/// VRRP in nft's words.
fn protocol(router: &Router) -> &'static str {
    if router.id.family == Family::V6 { "ip6 nexthdr 112" } else { "ip protocol 112" }
}

fn muted(model: &Model, own: &Party<'_>) -> Finding {
    Finding {
        cause: Cause::MutedMaster,
        node: Some(own.name(model)),
        here: own.here,
        local: "holds the address, its VRRP daemon runs, and no advert leaves".into(),
        remote: String::new(),
        remedy: Row::Muted.remedy(&[]),
    }
}

fn delete(router: &Router) -> String {
    let held = router.vips.iter().filter(|v| v.held.is_some()).map(|v| v.address);
    let commands = held.take(4).map(|address| {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        format!("ip addr del {address}/{prefix} dev {}", router.id.interface)
    });
    commands.collect::<Vec<_>>().join("; ")
}

/// A host that answers for the address and does not advertise. From here its death, its freezing and its filters look alike.
fn silent_there(model: &Model, router: &Router, party: &Party<'_>) -> Finding {
    if let Some(borrowed) = party.borrowed {
        return in_anothers_name(model, party, borrowed);
    }
    let name = party.name(model);
    let mac = party.mac.map_or_else(String::new, |mac| format!(" ({mac})"));
    let is_peer = party.word.is_some() || party.mac.is_some_and(|mac| model.peer_by_mac(mac).is_some());
    let (row, says) = if party.mac.is_some_and(|mac| router.is_impostor(mac)) {
        (
            Row::Impostor,
            "answers for the address and for everything else that it is asked for, this host's own address too",
        )
    } else if party.speaker.is_some() {
        (Row::SilentThere, "answers for the address and does not advertise any more")
    } else if is_peer {
        (Row::StrayThere, "answers for the address and never advertised")
    } else {
        (Row::Foreign, "answers for the address and is no VRRP speaker")
    };
    let known = party.mac.map_or_else(|| "that is not known".into(), |mac| mac.to_string());
    let remedy = row.remedy(&[("node", &name), ("mac", &known)]);
    Finding {
        cause: row.rule().cause,
        node: Some(name.clone()),
        here: false,
        local: String::new(),
        remote: format!("{name}{mac} {says}"),
        remedy,
    }
}

/// Who it is can be told only if its frames come from a MAC of its own.
fn in_anothers_name(model: &Model, party: &Party<'_>, borrowed: MacAddr) -> Finding {
    let owner = model.owner_of(borrowed).and_then(|peer| model.settings.peers.get(peer));
    let owner = owner.map_or_else(|| borrowed.to_string(), |peer| format!("{} ({borrowed})", peer.name));
    let from = party.mac.filter(|mac| *mac != borrowed);
    let who = from.map_or_else(|| "somebody".into(), |mac| mac.to_string());
    Finding {
        cause: Cause::ForeignClaim,
        node: from.map(|mac| mac.to_string()),
        here: false,
        local: String::new(),
        remote: format!(
            "{who} answers for the address in the name of {owner}, whose host has no such address, as it says"
        ),
        remedy: Row::Borrowed.remedy(&[("mac", &from.unwrap_or(borrowed).to_string()), ("node", &owner)]),
    }
}

/// This host's own firewall keeps adverts from the local daemon.
pub fn dropped_here(model: &Model, router: &Router, now: Instant) -> Option<Finding> {
    // Our own speaker sends and receives on packet sockets: no rule on protocol 112 makes it deaf or mute.
    let deaf_ears = router.member && router.speaking.is_none() && model.daemon_of(router) != DaemonState::Absent;
    if !deaf_ears {
        return None;
    }
    let heard = router.cluster().filter(|s| !s.local && s.is_fresh(now));
    let (speaker, tap) = heard.filter_map(|s| model.dropped_before(s, now).map(|tap| (s, tap))).next()?;
    let (row, place) = match tap {
        Tap::Ip => (Row::IngressHere, "ingress (netdev or tc)"),
        Tap::Raw => (Row::InputHere, "INPUT, prerouting or rp_filter"),
    };
    let remedy = row.remedy(&[("protocol", protocol(router))]);
    let (wire, [ip, raw]) = (speaker.received, speaker.delivered);
    Some(Finding {
        cause: Cause::FirewallDrop,
        node: Some(model.settings.node.clone()),
        here: true,
        local: format!(
            "adverts from {} reach {}, {place} drops them (wire {wire}, past ingress {ip}, delivered {raw})",
            speaker.advert.source, router.id.interface
        ),
        remote: format!("{} advertises priority {}", speaker.advert.source, speaker.advert.priority),
        remedy,
    })
}

fn undetermined(model: &Model, one: &Party<'_>, two: &Party<'_>) -> Finding {
    Finding {
        cause: Cause::Undetermined,
        node: None,
        here: false,
        local: format!("{} {}", one.name(model), does(one)),
        remote: format!("{} {}", two.name(model), does(two)),
        remedy: Row::Unexplained.remedy(&[]),
    }
}

/// What a party does, in words.
pub fn does(party: &Party<'_>) -> String {
    let mut acts = Vec::new();
    if let Some(speaker) = party.active {
        acts.push(format!("advertises {}", speaker.advert.priority));
    }
    if party.held.is_some() {
        acts.push("holds the address".into());
    }
    if !party.claims.is_empty() {
        acts.push(format!("answers for {}", party.claims[0].0));
    }
    if let Some(word) = party.word.filter(|_| party.active.is_none()) {
        let sent = word.said.sends.as_ref().filter(|_| word.said.advertises());
        acts.extend(sent.map(|sent| format!("advertises {}, as it says", sent.priority)));
        acts.extend(word.said.held.first().map(|address| format!("holds {address}, as it says")));
    }
    acts.join(", ")
}

/// Two clusters that share nothing but a VRID.
pub fn collision(model: &Model, a: &Party<'_>, b: &Party<'_>) -> Option<Finding> {
    let (x, y) = (a.active?, b.active?);
    let shared = x.advert.addresses.iter().any(|address| y.advert.addresses.contains(address));
    (!shared).then(|| Finding {
        cause: Cause::VridCollision,
        node: None,
        here: a.here || b.here,
        local: format!("{} advertises {}", a.name(model), list(&x.advert.addresses)),
        remote: format!("{} advertises {}", b.name(model), list(&y.advert.addresses)),
        remedy: Row::Strangers.remedy(&[]),
    })
}

/// The election is settling, or just did.
pub fn transient(model: &Model, a: &Party<'_>, b: &Party<'_>) -> Finding {
    Finding {
        cause: Cause::Transient,
        node: None,
        here: false,
        local: format!("{} {}", a.name(model), does(a)),
        remote: format!("{} {}", b.name(model), does(b)),
        remedy: Row::Settling.remedy(&[]),
    }
}

/// One holder, and nobody advertises.
pub fn silent_alone(model: &Model, router: &Router, party: &Party<'_>, now: Instant) -> Finding {
    if party.here {
        silent_here(model, router, party, party, now)
    } else {
        remote::unheard(model, party).unwrap_or_else(|| silent_there(model, router, party))
    }
}

/// A lone master whose adverts every receiver must refuse.
pub fn latent_ttl(model: &Model, party: &Party<'_>) -> Option<Finding> {
    let speaker = party.active.filter(|s| s.advert.is_multicast() && s.advert.ttl != 255)?;
    Some(Finding {
        cause: Cause::TtlInvalid,
        node: Some(party.name(model)),
        here: party.here,
        local: format!("{} is heard with TTL {}", speaker.advert.source, speaker.advert.ttl),
        remote: "every receiver refuses a TTL below 255".into(),
        remedy: Row::Ttl.remedy(&[]),
    })
}
