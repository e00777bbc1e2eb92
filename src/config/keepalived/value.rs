//! Values as keepalived writes them, and what is said of those that are wrong.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::model::Virtual;
use super::place::{Notes, Place};
use super::tree::{Item, shown};
use crate::time::Duration;

/// The first value of a line, or a note that there is none.
pub(super) fn text<'a>(item: &'a Item, notes: &mut Notes) -> Option<&'a str> {
    let value = item.values().first().map(String::as_str).filter(|value| !value.is_empty());
    if value.is_none() {
        notes.mistake(&item.place, format!("`{}` has no value: write one, or remove the line", item.word()));
    }
    value
}

/// A whole number of `range`. Digits with something glued behind them count, and the note says so.
pub(super) fn whole(item: &Item, range: RangeInclusive<i64>, notes: &mut Notes) -> Option<i64> {
    let text = text(item, notes)?;
    number(item.word(), text, &item.place, range, notes)
}

/// A whole number, the value of `word`.
pub(super) fn number(
    word: &str,
    text: &str,
    place: &Place,
    range: RangeInclusive<i64>,
    notes: &mut Notes,
) -> Option<i64> {
    let digits = digits(text, false);
    let (low, high) = range.clone().into_inner();
    match digits.parse::<i64>() {
        Ok(value) if range.contains(&value) => {
            glued(word, text, digits, place, notes);
            Some(value)
        }
        _ => {
            let text = shown(text);
            notes.mistake(
                place,
                format!("`{word} {text}` is no number from {low} to {high}: it is left out; write one"),
            );
            None
        }
    }
}

/// Seconds with fractions; keepalived counts microseconds.
pub(super) fn seconds(item: &Item, max: f64, notes: &mut Notes) -> Option<Duration> {
    let text = text(item, notes)?;
    let digits = digits(text, true);
    match digits.parse::<f64>() {
        Ok(value) if (0.0..=max).contains(&value) => {
            glued(item.word(), text, digits, &item.place, notes);
            Some(Duration::from_micros((value * 1e6).round() as u64))
        }
        _ => {
            let (word, text) = (item.word(), shown(text));
            let says = format!("`{word} {text}` is no time in seconds from 0 to {max}: it is left out; write one");
            notes.mistake(&item.place, says);
            None
        }
    }
}

/// The number that `text` begins with.
fn digits(text: &str, may_have_point: bool) -> &str {
    let sign = usize::from(text.starts_with(['-', '+']));
    let end = text[sign..].find(|c: char| !(c.is_ascii_digit() || (may_have_point && c == '.')));
    &text[..end.map_or(text.len(), |end| sign + end)]
}

/// Says that there is something behind a number.
fn glued(word: &str, text: &str, digits: &str, place: &Place, notes: &mut Notes) {
    if digits.len() < text.len() {
        let behind = shown(&text[digits.len()..]);
        let says = format!(
            "`{behind}` is glued to the value of `{word}`, so that keepalived refuses it: {digits} is taken; remove what is \
             behind it, or put a # in front of a comment"
        );
        notes.mistake(place, says);
    }
}

/// What stands behind the values that a line should have.
pub(super) fn nothing_behind(item: &Item, values: usize, notes: &mut Notes) {
    if let Some(extra) = item.values().get(values) {
        let says = format!(
            "`{}` has more than it takes, from `{}` on, which is ignored: remove it, or put a # in front of a comment",
            item.word(),
            shown(extra)
        );
        notes.mistake(&item.place, says);
    }
}

/// An address of one host. Something glued to it makes it none.
pub(super) fn address(word: &str, text: &str, place: &Place, notes: &mut Notes) -> Option<IpAddr> {
    let bare = text.trim_end_matches([';', ',']);
    let parsed = bare.parse::<IpAddr>().ok();
    match parsed {
        None => {
            let text = shown(text);
            let says =
                format!("`{text}` under `{word}` is no IP address: it is left out; write one such as 192.168.1.100");
            notes.mistake(place, says);
        }
        Some(_) => glued(word, text, bare, place, notes),
    }
    parsed
}

/// A line of `virtual_ipaddress`.
pub(super) fn virtual_address(word: &str, item: &Item, notes: &mut Notes) -> Option<Virtual> {
    let text = item.word().trim_end_matches([';', ',']);
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let Ok(address) = address.parse::<IpAddr>() else {
        let says = format!(
            "`{}` under `{word}` is no IP address: it is left out; write one such as 192.168.1.100/24",
            shown(item.word())
        );
        notes.mistake(&item.place, says);
        return None;
    };
    if text.len() < item.word().len() {
        glued(word, item.word(), text, &item.place, notes);
    }
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => longest,
        Some(prefix) => u8::try_from(number(word, prefix, &item.place, 0..=i64::from(longest), notes)?).ok()?,
    };
    let device = option(item, "dev").map(str::to_owned);
    Some(Virtual { address, prefix, device })
}

/// The word that follows `name` in a line.
pub(super) fn option<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    let values = item.values();
    let at = values.iter().position(|value| value == name)?;
    values.get(at + 1).map(String::as_str)
}
