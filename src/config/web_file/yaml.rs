//! As much of YAML as the web-config format needs: mappings, lists and scalars, each with its place.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use toml::Spanned;

/// The format has three levels.
const DEPTH_MAX: usize = 8;

/// A value.
#[derive(Debug)]
pub(super) enum Node {
    /// A scalar's text.
    Text(String),
    /// Nothing, or `null`.
    Null,
    List(Vec<Spanned<Node>>),
    /// In the order of the file; keys may repeat.
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl Node {
    /// What it is, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Null => "nothing",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// Reads the one document of `text`; places are positions of bytes in it.
///
/// # Errors
/// A place, and what is wrong there: it is no YAML, or has more of it than this format takes.
pub(super) fn parse(text: &str) -> Result<Spanned<Node>, (Range<usize>, String)> {
    let mut reader = Reader { events: Parser::new_from_str(text), bytes: Bytes::new(text) };
    let mut root = None;
    loop {
        let (event, at) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(root.unwrap_or(Spanned::new(0..0, Node::Null))),
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
            _ if root.is_some() => return Err((at, "a second document: everything belongs into one".into())),
            event => root = Some(reader.node(event, at, 0)?),
        }
    }
}

struct Reader<'t> {
    events: Parser<'t, saphyr_parser::StrInput<'t>>,
    bytes: Bytes,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Range<usize>), (Range<usize>, String)> {
        match self.events.next_event() {
            Some(Ok((event, span))) => Ok((event, self.bytes.range(span))),
            Some(Err(error)) => {
                let at = self.bytes.at(error.marker().index());
                Err((at..at, format!("this is not YAML: {}", error.info())))
            }
            None => Ok((Event::StreamEnd, 0..0)),
        }
    }

    fn node(
        &mut self,
        event: Event<'t>,
        at: Range<usize>,
        depth: usize,
    ) -> Result<Spanned<Node>, (Range<usize>, String)> {
        if depth > DEPTH_MAX {
            return Err((at, "nothing in this format lies so deep".into()));
        }
        let node = match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) if matches!(&*text, "" | "~" | "null" | "Null" | "NULL") => {
                Node::Null
            }
            Event::Scalar(text, ..) => Node::Text(text.into_owned()),
            Event::SequenceStart(..) => {
                let mut list = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break Node::List(list),
                        (event, at) => list.push(self.node(event, at, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(..) => {
                let mut map = Vec::new();
                loop {
                    match self.next()? {
                        (Event::MappingEnd, _) => break Node::Map(map),
                        (Event::Scalar(key, ..), at) => {
                            let (event, value_at) = self.next()?;
                            map.push((Spanned::new(at, key.into_owned()), self.node(event, value_at, depth + 1)?));
                        }
                        (_, at) => return Err((at, "a key is a text".into())),
                    }
                }
            }
            Event::Alias(_) => return Err((at, "an alias is not taken here: write the value again".into())),
            _ => return Err((at, "a value is missing here".into())),
        };
        Ok(Spanned::new(at, node))
    }
}

/// Positions of characters → positions of bytes.
struct Bytes(Vec<usize>);

impl Bytes {
    fn new(text: &str) -> Self {
        Self(text.char_indices().map(|(at, _)| at).chain([text.len()]).collect())
    }

    fn at(&self, character: usize) -> usize {
        self.0.get(character).or(self.0.last()).copied().unwrap_or(0)
    }

    fn range(&self, span: Span) -> Range<usize> {
        self.at(span.start.index())..self.at(span.end.index())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_value_has_its_place_in_bytes() {
        let text = "ä: [ö, null]\n'b':\n  c: \"d e\"\n";
        let root = parse(text).expect("YAML");
        let Node::Map(map) = root.get_ref() else { panic!("{root:?}") };
        assert_eq!(&text[map[0].0.span()], "ä");
        let Node::List(list) = map[0].1.get_ref() else { panic!("{root:?}") };
        assert_eq!((&text[list[0].span()], list[1].get_ref().kind()), ("ö", "nothing"));
        let Node::Map(inner) = map[1].1.get_ref() else { panic!("{root:?}") };
        assert!(matches!(inner[0].1.get_ref(), Node::Text(text) if text == "d e"));
    }

    #[test]
    fn what_the_format_has_no_use_for_is_refused_in_words() {
        for (text, says) in [
            ("a: b: c", "not YAML"),
            ("a: {}\n---\nb: {}\n", "second document"),
            ("a: &x 1\nb: *x\n", "alias"),
            ("? [a]\n: b\n", "a key is a text"),
            (&"[".repeat(64), "deep"),
            (&"[".repeat(100_000), ""),
        ] {
            let (_, message) = parse(text).expect_err(text);
            assert!(message.contains(says), "{message}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-a-z:{}\\[\\]&*!|>'\"%@`#,? \\n\\täß]{0,200}") {
            let _ = parse(&text);
        }
    }
}
