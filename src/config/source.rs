//! The files that were read, laid end to end on one line of positions: a span alone says in which file it is.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{Diagnostic, secret};

/// Characters of a line that a snippet shows at most.
const SNIPPET_MAX_CHARS: usize = 120;

/// All files of one configuration.
#[derive(Default)]
pub(super) struct Sources(Vec<Source>);

struct Source {
    path: PathBuf,
    text: String,
    /// The position of its first byte.
    start: usize,
    /// What may be a password and is never shown.
    secrets: Vec<Range<usize>>,
}

impl Sources {
    /// Adds a file and answers the position of its first byte.
    pub(super) fn add(&mut self, path: &Path, text: String) -> usize {
        let secrets = secret::find(&text);
        self.push(path, text, secrets)
    }

    /// Adds a web-config file.
    pub(super) fn add_web(&mut self, path: &Path, text: String) {
        let secrets = secret::find_users(&text);
        self.push(path, text, secrets);
    }

    fn push(&mut self, path: &Path, text: String, secrets: Vec<Range<usize>>) -> usize {
        // One position more than bytes, so that "at the end of this file" isn't the start of the next.
        let start = self.0.last().map_or(0, |last| last.start + last.text.len() + 1);
        self.0.push(Source { path: path.into(), text, start, secrets });
        start
    }

    /// The file and 1-based line of a position, in words.
    pub(super) fn place(&self, position: usize) -> String {
        let diagnostic = self.diagnostic(position..position, String::new());
        format!("{}:{}", diagnostic.file.display(), diagnostic.line)
    }

    /// Puts diagnostics into the order of files and lines.
    pub(super) fn sort(&self, diagnostics: &mut [Diagnostic]) {
        diagnostics.sort_by_key(|d| (self.0.iter().position(|s| s.path == d.file), d.line, d.column));
    }

    /// The directory of the file that holds the position.
    pub(super) fn directory(&self, position: usize) -> &Path {
        self.source(position).and_then(|s| s.path.parent()).unwrap_or(Path::new(""))
    }

    /// Says `message` about a place.
    pub(super) fn diagnostic(&self, span: Range<usize>, message: String) -> Diagnostic {
        let Some(source) = self.source(span.start) else {
            return Diagnostic::of_file(Path::new(""), message);
        };
        let text = &source.text;
        let start = char_boundary(text, span.start - source.start);
        let end = char_boundary(text, span.end.saturating_sub(source.start));
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count() + 1;
        let column = text[line_start..start].chars().count() + 1;
        let snippet = source.snippet(line, line_start, start..end.max(start));
        Diagnostic { file: source.path.clone(), line, column, message, snippet }
    }

    fn source(&self, position: usize) -> Option<&Source> {
        self.0.iter().rev().find(|source| source.start <= position)
    }
}

/// The last place between two characters that is not beyond `at`.
fn char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

impl Source {
    /// The line with carets under what `mark` has of it: secrets starred, control characters dotted, long lines cut.
    fn snippet(&self, number: usize, line_start: usize, mark: Range<usize>) -> String {
        let line = self.text[line_start..].lines().next().unwrap_or("");
        let mut shown = Vec::new();
        let (mut from, mut to) = (None, None);
        let mut starred = None;
        for (offset, c) in line.char_indices().map(|(i, c)| (line_start + i, c)) {
            if offset >= mark.start {
                from.get_or_insert(shown.len());
            }
            if offset >= mark.end {
                to.get_or_insert(shown.len());
            }
            match self.secrets.iter().position(|secret| secret.contains(&offset)) {
                Some(secret) if starred == Some(secret) => {}
                Some(secret) => {
                    shown.extend(secret::MASK.chars());
                    starred = Some(secret);
                }
                None => shown.push(if c.is_control() { if c == '\t' { ' ' } else { '·' } } else { c }),
            }
        }
        let from = from.unwrap_or(shown.len());
        let to = to.unwrap_or(shown.len()).max(from + 1);
        let cut = from.saturating_sub(SNIPPET_MAX_CHARS / 2).min(shown.len().saturating_sub(SNIPPET_MAX_CHARS));
        let window: String = shown.iter().skip(cut).take(SNIPPET_MAX_CHARS).collect();
        let carets = (to - from).min(SNIPPET_MAX_CHARS.saturating_sub(from - cut).max(1));
        let gutter = number.to_string();
        let mut snippet = String::new();
        // Writing to a String can't fail.
        let _ = writeln!(snippet, "{gutter} | {}", window.trim_end());
        let _ = write!(snippet, "{:w$} | {:indent$}{:^<carets$}", "", "", "", w = gutter.len(), indent = from - cut);
        snippet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(text: &str) -> Sources {
        let mut sources = Sources::default();
        sources.add(Path::new("first.toml"), "a = 1\n".into());
        sources.add(Path::new("x.toml"), text.into());
        sources
    }

    #[test]
    fn a_place_is_counted_in_characters_from_one_in_its_own_file() {
        let sources = sources("grüße = 1\nfläche = 2");
        let start = "a = 1\n".len() + 1;
        let value = start + "grüße = 1\nfläche = ".len();
        let found = sources.diagnostic(value..value + 1, "m".into());
        assert_eq!((found.file.to_str(), found.line, found.column), (Some("x.toml"), 2, 10));
        assert_eq!(found.snippet, "2 | fläche = 2\n  |          ^");
        let end = sources.diagnostic(value + 1..value + 1, "m".into());
        assert_eq!((end.line, end.column), (2, 11));
        assert_eq!(sources.place(0), "first.toml:1");
    }

    #[test]
    fn a_snippet_shows_no_password_and_its_carets_stay_below_the_line() {
        let text = r#"[{ vrid = 300, auth_pass = "hunter2", x = 1 }]"#;
        let sources = sources(text);
        let start = "a = 1\n".len() + 1;
        for at in 0..text.len() {
            let snippet = sources.diagnostic(start + at..start + at + 2, String::new()).snippet;
            assert!(!snippet.contains("hunter2"), "{snippet}");
            let (line, carets) = snippet.split_once('\n').expect("two lines");
            assert!(carets.len() <= line.len() + 2, "{snippet}");
        }
    }

    #[test]
    fn a_snippet_is_bounded_and_has_no_control_characters() {
        let text = format!("{}\u{1b}[31m{}", "x".repeat(5000), "y".repeat(5000));
        let sources = sources(&text);
        let start = "a = 1\n".len() + 1;
        for at in [0, 60, 5000, 9000, text.len()] {
            let snippet = sources.diagnostic(start + at..start + text.len(), String::new()).snippet;
            assert!(snippet.chars().count() < 2 * SNIPPET_MAX_CHARS + 30, "{snippet}");
            assert!(!snippet.contains('\u{1b}'));
        }
    }
}
