//! The rules as data: symptoms → cause, how sure it is, and what to do. Findings take their remedies from here, and `docs/causes.md`
//! is written from here (`cargo run --example causes`); a test holds the two together.
//!
//! The rows stand in the order in which they are tried: the first that matches wins.

use std::fmt::Write as _;

use super::{Cause, rules_text};

/// How sure a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// Seen at first hand, or admitted by the node that it concerns in a signed report.
    Proven,
    /// The only thing that explains what is seen from here.
    Likely,
    /// One of several things that look alike from here.
    Possible,
}

impl Confidence {
    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Likely => "likely",
            Self::Possible => "possible",
        }
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Row {
    /// One address under two VRIDs.
    TwoVrids,
    /// Two masters with no address in common.
    Strangers,
    /// Versions differ.
    Versions,
    /// One authenticates and the other doesn't, or otherwise.
    AuthKinds,
    /// v2 intervals differ.
    Intervals,
    /// v3 checksum forms differ.
    Checksums,
    /// Adverts come through a router.
    Ttl,
    /// Address lists differ.
    Lists,
    /// Passwords differ.
    Passwords,
    /// Mismatched, and this node sends nothing.
    Muted,
    /// Equal priority and equal source.
    Tie,
    /// The address is here, and no daemon.
    DeadHere,
    /// The address is here, and the daemon is frozen.
    FrozenHere,
    /// The host's own firewall refuses what the daemon sends.
    OutputHere,
    /// The host's neighbour table is full, and nothing that the daemon sends leaves.
    CrowdedHere,
    /// The address is here, and the adverts are for a neighbour that nobody is.
    UnresolvedHere,
    /// The address is here, and the daemon never advertised since.
    StrayHere,
    /// The address is here, and whether there is a daemon can't be told.
    SilentHere,
    /// Ingress drops adverts.
    IngressHere,
    /// INPUT, prerouting or rp_filter drops adverts.
    InputHere,
    /// A peer admits one of the above.
    Admitted,
    /// One side hears the other, by unicast.
    OneWayUnicast,
    /// One side hears the other, by multicast.
    OneWayMulticast,
    /// Neither hears the other.
    Cut,
    /// A host answers with a peer's MAC for what that peer has not.
    Borrowed,
    /// A host answers for everything.
    Impostor,
    /// A former speaker answers and is silent.
    SilentThere,
    /// A peer answers that never advertised.
    StrayThere,
    /// A host answers that speaks no VRRP.
    Foreign,
    /// Advertises and does not hold.
    Hollow,
    /// A stranger advertises beside a master, and does not hold.
    IdleTalk,
    /// A node's adverts are heard that it does not send.
    PlayedBack,
    /// Another cluster's adverts under the VRID of this one.
    Unserved,
    /// Somebody else announced the address last.
    Misdirected,
    /// The election is at work.
    Settling,
    /// Nothing of all this.
    Unexplained,
}

/// What a row says.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Which.
    pub row: Row,
    /// The cause that it names.
    pub cause: Cause,
    /// What is seen.
    pub symptoms: &'static str,
    /// How sure it is.
    pub confidence: Confidence,
    /// The one thing to do. `{words}` are filled in.
    pub remedy: &'static str,
}

const fn rule(row: Row, cause: Cause, confidence: Confidence, symptoms: &'static str, remedy: &'static str) -> Rule {
    Rule { row, cause, symptoms, confidence, remedy }
}

use Confidence::{Likely, Possible, Proven};

/// All rows, in the order in which they are tried.
pub const TABLE: [Rule; 36] = [
    rule(
        Row::TwoVrids,
        Cause::VridMismatch,
        Proven,
        "two masters advertise one address under different VRIDs, and both go on",
        "give both nodes the same VRID for this address (virtual_router_id)",
    ),
    rule(
        Row::Strangers,
        Cause::VridCollision,
        Proven,
        "two masters use one VRID, and no address is in both lists",
        "give one of the two clusters another VRID",
    ),
    rule(
        Row::Versions,
        Cause::VersionMismatch,
        Proven,
        "two hold, and their last adverts (or what the local daemon was told) differ in the VRRP version",
        "set the same VRRP version (vrrp_version) on both nodes",
    ),
    rule(
        Row::AuthKinds,
        Cause::AuthMismatch,
        Proven,
        "two hold, and one authenticates and the other does not, or in another way",
        "set the same auth_type and auth_pass on both nodes",
    ),
    rule(
        Row::Intervals,
        Cause::IntervalMismatch,
        Proven,
        "two hold, one of them speaks version 2, and the intervals differ",
        "set the same advert interval (advert_int) on both nodes",
    ),
    rule(
        Row::Checksums,
        Cause::ChecksumMismatch,
        Proven,
        "two hold, and only one of them sums up the pseudo-header, too",
        "make both compute the VRRPv3 checksum alike (FRR: vrrp … checksum-with-ipv4-pseudoheader)",
    ),
    rule(
        Row::Ttl,
        Cause::TtlInvalid,
        Proven,
        "multicast adverts arrive with a TTL below 255",
        "take out the router or the TTL rewrite between the two nodes",
    ),
    rule(
        Row::Lists,
        Cause::AddressesMismatch,
        Proven,
        "two hold, and their lists of addresses differ",
        "give both nodes the same list of virtual addresses (virtual_ipaddress)",
    ),
    rule(
        Row::Passwords,
        Cause::AuthMismatch,
        Proven,
        "two hold, all else is equal, and the passwords are not",
        "set the same auth_pass on both nodes",
    ),
    rule(
        Row::Muted,
        Cause::MutedMaster,
        Proven,
        "this node holds the address, its daemon runs, and no advert leaves",
        "look at the daemon's log: it refuses the other side's adverts, or its own don't get out",
    ),
    rule(
        Row::Tie,
        Cause::PriorityTie,
        Proven,
        "two advertise the same priority from the same source address, with different MACs",
        "give the two nodes different addresses: both use the same primary address",
    ),
    rule(
        Row::DeadHere,
        Cause::StaleAddress,
        Proven,
        "this node holds the address, and no VRRP daemon runs here",
        "{delete}",
    ),
    rule(
        Row::FrozenHere,
        Cause::StaleAddress,
        Proven,
        "this node holds the address, and its daemon does not read its socket",
        "continue or kill the daemon, then {delete}",
    ),
    rule(
        Row::OutputHere,
        Cause::FirewallDrop,
        Proven,
        "this node holds the address, no advert leaves, and its firewall refuses protocol 112 (EPERM)",
        "nft insert rule inet filter output {protocol} accept",
    ),
    rule(
        Row::CrowdedHere,
        Cause::MutedMaster,
        Likely,
        "this node holds the address, no advert leaves, and its kernel's neighbour table is full",
        "look who asks in many names: tcpdump -eni {interface} {questions}; make room: sysctl -w net.{family}.neigh.default.gc_thresh3=8192",
    ),
    rule(
        Row::UnresolvedHere,
        Cause::OneWayPath,
        Likely,
        "this node holds the address, no advert leaves, the other's come by unicast, and this host asks for a neighbour that does not answer",
        "see that {to} is in this node's list of unicast peers: it asks for {sought}, and nobody answers",
    ),
    rule(
        Row::StrayHere,
        Cause::StrayAddress,
        Proven,
        "this node holds the address, its daemon runs, and did not advertise when the address appeared, nor since",
        "{delete}",
    ),
    rule(
        Row::SilentHere,
        Cause::Undetermined,
        Possible,
        "this node holds the address, no advert leaves, and whether a daemon runs can't be told",
        "{delete}",
    ),
    rule(
        Row::IngressHere,
        Cause::FirewallDrop,
        Proven,
        "adverts reach the wire's tap and not the IP stack's",
        "nft list ruleset netdev, tc filter show: take out the rule that drops protocol 112",
    ),
    rule(
        Row::InputHere,
        Cause::FirewallDrop,
        Proven,
        "adverts reach the IP stack's tap and not the daemon's kind of socket",
        "nft insert rule inet filter input {protocol} accept",
    ),
    rule(
        Row::Admitted,
        Cause::FirewallDrop,
        Proven,
        "the peer's report names what is wrong on its own node: any of the causes above",
        "on {node}: {remedy}",
    ),
    rule(
        Row::OneWayUnicast,
        Cause::OneWayPath,
        Proven,
        "both hold and send by unicast; one hears the other, and the peer's report says that it does not hear us, or the reverse",
        "on {from}: see that {to} is in its list of unicast peers; else look at the network between",
    ),
    rule(
        Row::OneWayMulticast,
        Cause::OneWayPath,
        Proven,
        "both hold and send; one hears the other, and the peer's report says that it does not hear us, or the reverse",
        "look at what lies between {from} and {to}: switch ports, VLANs, IGMP or MLD snooping, a hypervisor's port filter",
    ),
    rule(
        Row::Cut,
        Cause::Partition,
        Proven,
        "both hold and send, and neither hears the other, as the peer's report says",
        "mend the network between {from} and {to}; until then stop the VRRP daemon on the side that clients don't reach",
    ),
    rule(
        Row::Borrowed,
        Cause::ForeignClaim,
        Proven,
        "answers for the address name a peer's MAC, and that peer's report, signed, says that its host has no such address",
        "find out at the switch behind which port {mac} is: somebody answers in the name of {node} (ARP or ND spoofing), or {node} is an ARP proxy",
    ),
    rule(
        Row::Impostor,
        Cause::ForeignClaim,
        Proven,
        "a host answers for the address, and for this host's own, too: for everything that it is asked for",
        "take the host with MAC {mac} off the segment: it claims every address (ARP or ND spoofing, a proxy gone wrong)",
    ),
    rule(
        Row::SilentThere,
        Cause::StaleAddress,
        Possible,
        "a host that advertised before answers for the address and is silent: dead, frozen, filtered and muted look alike from here",
        "on {node}: see whether its VRRP daemon is dead, frozen or filtered; delete the address there",
    ),
    rule(
        Row::StrayThere,
        Cause::StrayAddress,
        Likely,
        "a [[peer]] that never advertised answers for the address",
        "on {node}: delete the address, it was added by hand or left behind",
    ),
    rule(
        Row::Foreign,
        Cause::ForeignClaim,
        Likely,
        "a host that speaks no VRRP answers for the address",
        "find the host with MAC {mac} and take the address from it",
    ),
    rule(
        Row::Hollow,
        Cause::HollowMaster,
        Proven,
        "one advertises, its host answers for its own address, and nobody for the virtual one; or its own netlink says so",
        "on {node}: restart its VRRP daemon, and find out who deletes its addresses",
    ),
    rule(
        Row::IdleTalk,
        Cause::HollowMaster,
        Proven,
        "a host that is none of the peers advertises beside the master, and does not answer for the address where it is asked",
        "find the host with MAC {mac} and stop what sends VRRP adverts there: it is none of this router's nodes",
    ),
    rule(
        Row::PlayedBack,
        Cause::HollowMaster,
        Proven,
        "adverts come with a node's own MAC, and that node holds nothing and sends none, as its signed report says",
        "on the switch, find the port besides {node}'s through which frames of {mac} come in, and stop what plays {node}'s adverts back",
    ),
    rule(
        Row::Unserved,
        Cause::VridCollision,
        Proven,
        "the only master under this VRID advertises none of this router's configured addresses",
        "give one of the two clusters another VRID",
    ),
    rule(
        Row::Misdirected,
        Cause::Misdirected,
        Proven,
        "one holds, and another was the last to announce the address",
        "{announce}",
    ),
    rule(
        Row::Settling,
        Cause::Transient,
        Proven,
        "two advertise, and not both have gone on after hearing the other",
        "nothing, if it is over within one master down interval",
    ),
    rule(
        Row::Unexplained,
        Cause::Undetermined,
        Possible,
        "two hold, and nothing above explains it",
        "see on each node whether the other's adverts reach its VRRP daemon: firewall, switch, log",
    ),
];

impl Row {
    /// What it says.
    pub fn rule(self) -> &'static Rule {
        // The table is in the order of the rows: a test holds it.
        &TABLE[self as usize]
    }

    /// Its remedy, with the words filled in.
    pub fn remedy(self, words: &[(&str, &str)]) -> String {
        words
            .iter()
            .fold(self.rule().remedy.to_owned(), |text, (word, value)| text.replace(&format!("{{{word}}}"), value))
    }
}

/// `docs/causes.md`.
pub fn document() -> String {
    let mut text = rules_text::HEAD.to_owned();
    // Writing to a String can't fail.
    for cause in Cause::ALL {
        let chapter = rules_text::chapter(cause);
        let _ = writeln!(text, "\n## {}\n\n{}\n", cause.as_str(), chapter.means);
        let _ = writeln!(text, "**What you see.** {}\n\n**Why it happens.** {}\n", chapter.sees, chapter.why);
        let _ = writeln!(text, "**How to mend it.** {}\n", chapter.mend);
        let rows = TABLE.iter().filter(|rule| rule.cause == cause).collect::<Vec<_>>();
        let _ = writeln!(text, "| symptoms | sure | remedy |\n|---|---|---|");
        for rule in rows {
            let _ = writeln!(text, "| {} | {} | {} |", rule.symptoms, rule.confidence.as_str(), code(rule.remedy));
        }
    }
    let _ = writeln!(text, "\n{}\n\n| # | symptoms | cause | sure |\n|---|---|---|---|", rules_text::ORDER);
    for (rule, number) in TABLE.iter().zip(1..) {
        let cause = if rule.row == Row::Admitted { "the one admitted" } else { rule.cause.as_str() };
        let _ = writeln!(text, "| {number} | {} | {cause} | {} |", rule.symptoms, rule.confidence.as_str());
    }
    text
}

/// `docs/runbooks/causes.md`: the same in short, for whoever comes from an alert. The daemon serves it.
pub fn runbook() -> String {
    let mut text = rules_text::RUNBOOK_HEAD.to_owned();
    for cause in Cause::ALL {
        let chapter = rules_text::chapter(cause);
        // Writing to a String can't fail.
        let _ = writeln!(text, "\n### {}\n\n{} {}", cause.as_str(), chapter.means, chapter.mend);
    }
    text
}

/// Commands in the type of commands.
fn code(remedy: &str) -> String {
    let is_command = ["nft ", "{delete}", "{announce}"].iter().any(|start| remedy.starts_with(start));
    if is_command { format!("`{remedy}`") } else { remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_stand_in_their_order_and_every_cause_has_one() {
        for (i, rule) in TABLE.iter().enumerate() {
            assert_eq!(rule.row as usize, i, "{:?}", rule.row);
        }
        for cause in Cause::ALL {
            assert!(TABLE.iter().any(|rule| rule.cause == cause), "{cause:?}");
        }
    }

    #[test]
    fn the_words_of_a_remedy_are_filled_in() {
        let remedy = Row::OneWayUnicast.remedy(&[("from", "lb01"), ("to", "lb02")]);
        assert_eq!(remedy, "on lb01: see that lb02 is in its list of unicast peers; else look at the network between");
    }

    #[test]
    fn the_documents_are_what_the_table_says() {
        let short = include_str!("../../docs/runbooks/causes.md");
        assert!(
            short == runbook(),
            "docs/runbooks/causes.md is not what the table says: cargo run --example causes -- --short > docs/runbooks/causes.md"
        );
        let written = include_str!("../../docs/causes.md");
        assert!(
            written == document(),
            "docs/causes.md is not what the table says: cargo run --example causes > docs/causes.md"
        );
    }
}
