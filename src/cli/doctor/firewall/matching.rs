//! Whether an expression of an nftables rule matches an advert, as far as that can be told.

use std::net::IpAddr;

use serde_json::Value;

use crate::wire::Family;

/// An advert on its way in or out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub family: Family,
    pub interface: &'a str,
    /// Whether it comes in.
    pub inward: bool,
    pub destination: IpAddr,
}

/// Whether something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    /// It hangs on something that an advert alone doesn't tell: its source, or a counter of the kernel's.
    Perhaps,
}

impl Answer {
    fn of(so: bool) -> Self {
        if so { Self::Yes } else { Self::No }
    }

    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Perhaps,
        }
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::No, Self::No) => Self::No,
            _ => Self::Perhaps,
        }
    }

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Perhaps => Self::Perhaps,
        }
    }
}

/// What an advert has at the place that an expression looks at.
enum Field {
    /// One of these words.
    Word(Vec<String>),
    Number(u64),
    Address(IpAddr),
    /// The packet has no such header.
    Absent,
    Unknown,
}

impl Packet<'_> {
    /// Whether a `match` holds.
    pub fn matches(&self, condition: &Value) -> Answer {
        let field = self.field(&condition["left"]);
        let holds = holds(&field, &condition["right"]);
        match (condition["op"].as_str(), &field) {
            (_, Field::Absent) => Answer::No,
            (Some("=="), _) => holds,
            (Some("in"), _) => holds,
            (Some("!="), _) => holds.not(),
            _ => Answer::Perhaps,
        }
    }

    /// The first verdict of a verdict map that is this packet's.
    pub fn maps<'v>(&self, map: &'v Value) -> Option<(Answer, &'v Value)> {
        let field = self.field(&map["key"]);
        let pairs = map["data"]["set"].as_array()?.iter().filter_map(Value::as_array);
        let answers = pairs.filter_map(|pair| Some((holds(&field, pair.first()?), pair.get(1)?)));
        answers.filter(|(answer, _)| *answer != Answer::No).max_by_key(|(answer, _)| *answer == Answer::Yes)
    }

    fn field(&self, left: &Value) -> Field {
        let words = |list: &[&str]| Field::Word(list.iter().map(|word| (*word).to_owned()).collect());
        let v4 = self.family == Family::V4;
        if let Some(key) = left["meta"]["key"].as_str() {
            return match key {
                "l4proto" => Field::Word(vec!["vrrp".into(), "112".into()]),
                "nfproto" => words(&[if v4 { "ipv4" } else { "ipv6" }]),
                "protocol" => words(&[if v4 { "ip" } else { "ip6" }]),
                "iifname" | "iif" if self.inward => words(&[self.interface]),
                "oifname" | "oif" if !self.inward => words(&[self.interface]),
                "iifname" | "iif" | "oifname" | "oif" => Field::Absent,
                "pkttype" if self.inward && self.destination.is_multicast() => words(&["multicast"]),
                _ => Field::Unknown,
            };
        }
        // Nobody answers to a group: to the kernel each advert is the first of its connection, however long they go.
        if left["ct"]["key"] == "state" {
            return words(&["new"]);
        }
        if left["fib"]["result"] == "type" && left["fib"]["flags"] == serde_json::json!(["daddr"]) {
            return words(&[if self.destination.is_multicast() { "multicast" } else { "local" }]);
        }
        let payload = &left["payload"];
        match (payload["protocol"].as_str(), payload["field"].as_str()) {
            (Some("ip"), _) if !v4 => Field::Absent,
            (Some("ip6"), _) if v4 => Field::Absent,
            (Some("ip"), Some("protocol")) | (Some("ip6"), Some("nexthdr")) => words(&["vrrp", "112"]),
            (Some("ip"), Some("ttl")) | (Some("ip6"), Some("hoplimit")) => Field::Number(255),
            (Some("ip" | "ip6"), Some("daddr")) => Field::Address(self.destination),
            (Some("tcp" | "udp" | "icmp" | "icmpv6" | "igmp" | "sctp" | "dccp" | "udplite" | "th" | "arp"), _) => {
                Field::Absent
            }
            _ => Field::Unknown,
        }
    }
}

/// Whether a field is what stands on the right of a comparison.
fn holds(field: &Field, right: &Value) -> Answer {
    if matches!(field, Field::Unknown) {
        return Answer::Perhaps;
    }
    let list = right.as_array().or_else(|| right["set"].as_array());
    if let Some(list) = list {
        return list.iter().fold(Answer::No, |answer, one| answer.or(holds(field, one)));
    }
    match field {
        Field::Absent => Answer::No,
        Field::Unknown => Answer::Perhaps,
        Field::Number(number) => number_is(*number, right),
        Field::Word(words) => word_is(words, right),
        Field::Address(address) => address_is(*address, right),
    }
}

fn word_is(words: &[String], right: &Value) -> Answer {
    let wanted = match right {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Answer::Perhaps,
    };
    // A named set: what is in it is not told here.
    if wanted.starts_with('@') {
        return Answer::Perhaps;
    }
    match wanted.strip_suffix('*') {
        Some(beginning) => Answer::of(words.iter().any(|word| word.starts_with(beginning))),
        None => Answer::of(words.contains(&wanted)),
    }
}

fn number_is(number: u64, right: &Value) -> Answer {
    let bounds = right["range"].as_array().and_then(|ends| Some((ends.first()?.as_u64()?, ends.get(1)?.as_u64()?)));
    match (right.as_u64(), bounds) {
        (Some(wanted), _) => Answer::of(number == wanted),
        (_, Some((low, high))) => Answer::of((low..=high).contains(&number)),
        _ => Answer::Perhaps,
    }
}

fn address_is(address: IpAddr, right: &Value) -> Answer {
    let parse = |value: &Value| value.as_str().and_then(|text| text.parse::<IpAddr>().ok());
    if let Some(wanted) = parse(right) {
        return Answer::of(wanted == address);
    }
    if let Some([low, high]) = right["range"].as_array().map(Vec::as_slice) {
        let (Some(low), Some(high)) = (parse(low), parse(high)) else { return Answer::Perhaps };
        return Answer::of(low <= address && address <= high);
    }
    let prefix = &right["prefix"];
    let length = prefix["len"].as_u64().and_then(|length| u8::try_from(length).ok());
    let network = parse(&prefix["addr"]).zip(length);
    match network.and_then(|(net, length)| pnet::ipnetwork::IpNetwork::new(net, length).ok()) {
        Some(network) => Answer::of(network.contains(address)),
        None => Answer::Perhaps,
    }
}
