//! What the documents hold in the words of people: the page and the terminal say the same.

use super::document::{HolderDoc, RouterDoc, SpeakerDoc, StatusDoc};

/// The advertiser behind a holder: told by its name or address, else by its MAC.
pub fn speaker_of<'a>(doc: &StatusDoc, router: &'a RouterDoc, holder: &HolderDoc) -> Option<&'a SpeakerDoc> {
    let is_named = |s: &SpeakerDoc| {
        holder.node.as_ref().is_some_and(|node| {
            (s.local && *node == doc.node) || s.peer.as_ref() == Some(node) || *node == s.source.to_string()
        })
    };
    let has_mac = |s: &SpeakerDoc| holder.mac.is_some() && s.mac == holder.mac;
    router.speakers.iter().find(|s| is_named(s)).or_else(|| router.speakers.iter().find(|s| has_mac(s)))
}

/// By what evidence somebody holds; `speaker` is the advertiser behind it. Words of a later version are passed on as they are.
pub fn how(holder: &HolderDoc, speaker: Option<&SpeakerDoc>) -> String {
    let in_words = |how: &String| match (how.as_str(), speaker) {
        ("advert", Some(speaker)) => format!("advertises {}", speaker.priority),
        ("advert", None) => "advertises".into(),
        ("netlink", _) => "has the address".into(),
        ("arp", _) => "answers ARP".into(),
        ("nd", _) => "answers neighbour discovery".into(),
        ("echo", _) => "answers ping".into(),
        (later, _) => later.into(),
    };
    holder.how.iter().map(in_words).collect::<Vec<_>>().join(", ")
}

/// `text` as a value in a URL's query.
pub fn quote(text: &str) -> String {
    let quote_byte = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(quote_byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_survives_the_query() {
        assert_eq!(quote("10.0.0.3/51 é&"), "10.0.0.3%2F51%20%C3%A9%26");
    }
}
