//! The one door from words to HTML.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};

use crate::time::Duration;

use super::document::Date;

/// Text as it may stand between tags and in quoted attributes. Control characters, and those that turn the direction of
/// writing so that a name reads as another, are replaced.
pub(super) struct Text<'a>(pub &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    f.write_char(char::REPLACEMENT_CHARACTER)?;
                }
                c if c.is_control() => f.write_char(char::REPLACEMENT_CHARACTER)?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Stands around each part while a page is put together. No text has one: [`Text`] lets none through.
pub(super) const EDGE: char = '\u{1e}';

/// A part of the page, in which there are no others. The script knows it again by its key, and leaves it alone as long as its mark is
/// the same: what only grows older is no news.
pub(super) fn part(tag: &str, key: &str, attributes: &str, inner: &str) -> String {
    debug_assert!(!inner.contains(EDGE), "a part in a part: {inner}");
    let mut hasher = DefaultHasher::new();
    for text in [key, attributes].into_iter().chain(lasting(inner)) {
        hasher.write(text.as_bytes());
        hasher.write_u8(0);
    }
    let space = if attributes.is_empty() { "" } else { " " };
    format!(
        r#"{EDGE}<{tag} data-mark="{:x}" data-key="{}"{space}{attributes}>{inner}</{tag}>{EDGE}"#,
        hasher.finish(),
        Text(key)
    )
}

/// The mark of a part.
pub(super) fn mark(part: &str) -> &str {
    part.split('"').nth(1).unwrap_or_default()
}

/// What stands for a part that its reader has already: its key, its mark, and its ages.
pub(super) fn stub(part: &str) -> String {
    let names = part.match_indices('"').nth(3).map_or(part, |(end, _)| &part[..=end]);
    let tag = names.trim_start_matches('<').split(' ').next().unwrap_or_default();
    let ages: Vec<_> = part.split(AGE).skip(1).map(how_old).collect();
    let ages = if ages.is_empty() { String::new() } else { format!(r#" data-ages="{}""#, ages.join("|")) };
    format!("{names} data-same{ages}></{tag}>")
}

/// The class of what only grows older, as it stands in the tag: before all that changes.
const AGE: &str = r#"class="age""#;

/// What an age says: since when, or else its text.
fn how_old(age: &str) -> &str {
    let (attributes, rest) = age.split_once('>').unwrap_or_default();
    let text = rest.split('<').next().unwrap_or_default();
    attributes.split('"').nth(1).unwrap_or(text)
}

/// What stands around the ages.
fn lasting(html: &str) -> impl Iterator<Item = &str> {
    let mut pieces = html.split(AGE);
    let first = pieces.next();
    first.into_iter().chain(pieces.map(|piece| piece.find('<').map_or("", |end| &piece[end..])))
}

/// An instant to the second; its date only where that is not today's. The script puts it into the viewer's zone.
pub(super) fn moment(now: Date, then: Date) -> String {
    let full = then.to_string();
    let is_today = full.get(..10) == now.to_string().get(..10);
    let short = match (full.get(..10), full.get(11..19)) {
        (Some(_), Some(time)) if is_today => format!("{time}Z"),
        (Some(date), Some(time)) => format!("{date} {time}Z"),
        _ => full.clone(),
    };
    format!(r#"<time datetime="{full}" title="{full}">{short}</time>"#)
}

/// An instant that moves on as time does, like the age of something.
pub(super) fn moving(now: Date, then: Date) -> String {
    moment(now, then).replacen("<time", &format!("<time {AGE}"), 1)
}

/// An instant and how long ago that is; the script keeps the age right.
pub(super) fn since(now: Date, then: Date) -> String {
    format!("{}, {}", moment(now, then), age(now, then))
}

/// How long ago something is.
pub(super) fn age(now: Date, then: Date) -> String {
    format!(r#"<span class="age" data-since="{then}">{}</span>"#, span(now.since(then)))
}

/// A length of time in two units.
pub(super) fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Instant, WallClock};

    #[test]
    fn nothing_opens_a_tag_or_leaves_an_attribute() {
        let evil = "<script>\"'&\u{0}\n\u{202e}";
        assert_eq!(Text(evil).to_string(), "&lt;script&gt;&quot;&#39;&amp;\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(Text("lb01 – Zürich").to_string(), "lb01 – Zürich");
    }

    #[test]
    fn a_part_has_another_mark_when_it_says_something_else_and_not_when_it_is_older() {
        let mark = |key: &str, inner: &str| {
            let html = part("p", key, "", inner);
            html.split('"').nth(1).expect("a mark").to_owned()
        };
        let date = |seconds| Date::new(WallClock::default(), Instant::ZERO + Duration::from_secs(seconds));
        let told = |now, what: &str| format!("{what} since {}, says lb01", since(date(now), date(10)));
        assert_eq!(mark("a", &told(20, "split")), mark("a", &told(90, "split")));
        assert_ne!(mark("a", &told(20, "split")), mark("a", &told(20, "healthy")));
        assert_ne!(mark("a", &told(20, "split")), mark("b", &told(20, "split")));
        assert_ne!(
            mark("a", &told(20, "split")),
            mark("a", &told(20, "split").replace("lb01", "lb02")),
            "behind an age"
        );
    }

    #[test]
    fn what_stands_for_a_part_has_its_key_its_mark_and_its_ages_in_the_order_of_the_part() {
        let date = |seconds| Date::new(WallClock::default(), Instant::ZERO + Duration::from_secs(seconds));
        let inner = format!(
            r#"<svg class="age" viewBox="3 0 9 20"></svg><span class="age">0.4 s</span> {} {}"#,
            since(date(90), date(10)),
            moving(date(90), date(20))
        );
        let html = part("div", "a \" b", r#"class="c""#, &inner).replace(EDGE, "");
        let expected = format!(
            r#"<div data-mark="{}" data-key="a &quot; b" data-same data-ages="3 0 9 20|0.4 s|{}|{}"></div>"#,
            mark(&html),
            date(10),
            date(20)
        );
        assert_eq!(stub(&html), expected);
        assert!(!stub(&part("p", "a", "", "no age").replace(EDGE, "")).contains("ages"));
    }

    #[test]
    fn lengths_are_told_in_two_units() {
        for (seconds, text) in [(0, "0 s"), (59, "59 s"), (252, "4 min 12 s"), (3600, "1 h 0 min"), (93_600, "1 d 2 h")]
        {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn the_date_is_told_when_it_was_another_day() {
        let date = |seconds| Date::new(WallClock::default(), Instant::ZERO + Duration::from_secs(seconds));
        assert!(moment(date(86_500), date(86_440)).ends_with(">00:00:40Z</time>"));
        assert!(since(date(86_500), date(10)).contains(">1970-01-01 00:00:10Z</time>, <span"));
        assert!(since(date(86_500), date(10)).ends_with(">1 d 0 h</span>"));
    }
}
