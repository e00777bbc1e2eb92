//! Lines → tokens, as keepalived's own reader does it: comments, quotes, escapes, continued lines, `include`, definitions
//! (`$NAME=…`) and conditional lines (`@node …`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::place::{Notes, Place};

/// Files that one configuration may consist of, and how deep they may lie in each other.
const FILES_MAX: usize = 256;
const DEPTH_MAX: usize = 16;

/// Lines in all files, after definitions were put in.
const LINES_MAX: usize = 100_000;

/// A line after definitions were put in; keepalived's own limit is 8 KiB with them and without.
const LINE_MAX_BYTES: usize = 16_384;

/// Where `include` finds files.
pub trait Files {
    /// The names and texts of the files that `pattern`, named in the file `from`, stands for; none if there are none.
    ///
    /// # Errors
    /// Which file can't be read, and why.
    fn include(&mut self, pattern: &str, from: &str) -> Result<Vec<(String, String)>, String>;
}

/// No file includes another.
pub struct Alone;

impl Files for Alone {
    fn include(&mut self, pattern: &str, _: &str) -> Result<Vec<(String, String)>, String> {
        Err(format!("{pattern}: included files are not at hand"))
    }
}

/// One statement's worth of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A word, its quotes removed.
    Word(String),
    /// `{`
    Open,
    /// `}`
    Close,
}

/// The tokens of one line; at least one.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) place: Place,
    pub(super) tokens: Vec<Token>,
}

/// All lines of `text`, which is called `name`, and of what it includes. `node` is what `@node` is compared with.
pub(super) fn lines(name: &str, text: &str, node: &str, files: &mut dyn Files, notes: &mut Notes) -> Vec<Line> {
    let mut reader =
        Reader { node, files, notes, definitions: BTreeMap::new(), lines: Vec::new(), opened: 0, depth: 0 };
    reader.file(name, text);
    reader.lines
}

struct Reader<'a> {
    node: &'a str,
    files: &'a mut dyn Files,
    notes: &'a mut Notes,
    definitions: BTreeMap<String, String>,
    lines: Vec<Line>,
    opened: usize,
    depth: usize,
}

impl Reader<'_> {
    fn file(&mut self, name: &str, text: &str) {
        let file: Arc<str> = name.into();
        let mut continued = String::new();
        let mut first = None;
        for (number, line) in text.lines().enumerate() {
            let place = Place { file: file.clone(), line: number + 1 };
            let (bare, goes_on, unterminated) = bare(line.trim_start_matches('\u{feff}'));
            if unterminated {
                self.notes.mistake(&place, "a quote is opened and not closed in this line: close it");
            }
            continued.push_str(&bare);
            let start = first.get_or_insert(place).clone();
            if goes_on && continued.len() <= LINE_MAX_BYTES {
                // In a definition each line stays a line; anywhere else they make one.
                continued.push(if continued.trim_start().starts_with('$') { '\n' } else { ' ' });
                continue;
            }
            first = None;
            let statement = std::mem::take(&mut continued);
            if self.lines.len() >= LINES_MAX {
                self.notes.mistake(&start, format!("more than {LINES_MAX} lines: what follows is not read"));
                return;
            }
            self.statement(&start, statement.trim());
        }
        if let Some(start) = first {
            self.statement(&start, continued.trim());
        }
    }

    fn statement(&mut self, place: &Place, text: &str) {
        let Some(text) = self.if_meant(text) else { return };
        if self.define(place, text) {
            return;
        }
        if let Some((word, pattern)) = include(text) {
            self.include(place, word, pattern);
            return;
        }
        let filled = self.fill(place, text);
        if filled.len() > LINE_MAX_BYTES {
            self.notes.mistake(place, format!("this line has more than {LINE_MAX_BYTES} bytes: it is not read"));
            return;
        }
        for line in filled.lines() {
            let tokens = tokens(line);
            if !tokens.is_empty() {
                self.lines.push(Line { place: place.clone(), tokens });
            }
        }
    }

    /// What a conditional line says to this node; any other line as it is.
    fn if_meant<'t>(&self, text: &'t str) -> Option<&'t str> {
        let Some(conditional) = text.strip_prefix('@') else { return Some(text) };
        let (condition, rest) = conditional.split_once(char::is_whitespace)?;
        let is_meant = match condition.strip_prefix('^') {
            Some(other) => other != self.node,
            None => condition == self.node,
        };
        is_meant.then(|| rest.trim_start())
    }

    /// Takes in `$NAME=value`; false if it is none.
    fn define(&mut self, place: &Place, text: &str) -> bool {
        let Some((name, value)) = text.strip_prefix('$').and_then(|rest| rest.split_once('=')) else { return false };
        let name = name.trim_end();
        if name.is_empty() || !name.chars().all(is_name) {
            return false;
        }
        let value = self.fill(place, value.trim());
        if value.len() <= LINE_MAX_BYTES {
            self.definitions.insert(name.into(), value);
        } else {
            let says = format!("the definition of ${name} grows beyond {LINE_MAX_BYTES} bytes: it is not used");
            self.notes.mistake(place, says);
        }
        true
    }

    /// `text` with definitions in place of their names. What is defined nowhere stays: it may be a password's dollar sign.
    fn fill(&mut self, place: &Place, text: &str) -> String {
        if text.contains("~SEQ(") || text.contains("~LST(") {
            let says = "~SEQ and ~LST are not expanded here: write out what they stand for, and import again";
            self.notes.mistake(place, says);
        }
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            filled.push_str(&rest[..at]);
            rest = &rest[at..];
            let (name, length) = reference(rest);
            match self.definitions.get(name) {
                Some(value) => filled.push_str(value),
                None => {
                    if rest[..length].starts_with("${") {
                        let says = format!("${{{name}}} is defined nowhere above this line: write $NAME=value there");
                        self.notes.mistake(place, says);
                    }
                    filled.push_str(&rest[..length]);
                }
            }
            rest = &rest[length..];
            if filled.len() > LINE_MAX_BYTES {
                break;
            }
        }
        filled.push_str(rest);
        filled
    }

    fn include(&mut self, place: &Place, word: &str, pattern: &str) {
        if self.depth == DEPTH_MAX || self.opened >= FILES_MAX {
            let says = format!("more than {FILES_MAX} files, or {DEPTH_MAX} in each other: this one is not read");
            self.notes.mistake(place, says);
            return;
        }
        match self.files.include(pattern, &place.file) {
            Ok(found) if found.is_empty() => {
                let says = format!("`{word}`: there is no file {pattern}: create it, or remove this line");
                self.notes.mistake(place, says);
            }
            Ok(found) => {
                self.depth += 1;
                for (name, text) in found {
                    self.opened += 1;
                    if self.opened <= FILES_MAX {
                        self.file(&name, &text);
                    }
                }
                self.depth -= 1;
            }
            Err(why) => self.notes.mistake(place, format!("`{word}`: {why}: its text is missing below")),
        }
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The name behind a dollar sign, `NAME` or `{NAME}`, and how many bytes the whole reference has; at least that sign.
fn reference(text: &str) -> (&str, usize) {
    let rest = &text[1..];
    if let Some(braced) = rest.strip_prefix('{')
        && let Some(end) = braced.find('}')
        && braced[..end].chars().all(is_name)
    {
        return (&braced[..end], end + 3);
    }
    let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
    (&rest[..end], end + 1)
}

/// The pattern of an `include` line, or of one of its stricter kin.
fn include(text: &str) -> Option<(&str, &str)> {
    let (word, pattern) = text.split_once(char::is_whitespace)?;
    let is_one = matches!(word, "include" | "includer" | "includem" | "includew" | "includeb" | "includea");
    is_one.then(|| (word, pattern.trim().trim_matches('"')))
}

/// A line without its comment; whether it goes on in the next one; whether a quote in it is left open. Only a double quote
/// guards a comment's sign, as in keepalived.
fn bare(line: &str) -> (String, bool, bool) {
    let mut quoted = false;
    let mut kept = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' => match chars.next() {
                None => return (kept, true, false),
                Some(escaped) => {
                    if quoted || !matches!(escaped, '#' | '!') {
                        kept.push('\\');
                    }
                    kept.push(escaped);
                    continue;
                }
            },
            '#' | '!' if !quoted => break,
            _ => {}
        }
        kept.push(c);
    }
    (kept, false, quoted)
}

/// The words and braces of a line. Braces stand for themselves wherever they are not quoted.
fn tokens(line: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (_, Some(q)) if c == q => quote = None,
            // Single quotes inside double ones belong to a script's arguments.
            ('"', None) => {
                quote = Some('"');
                word.get_or_insert_default();
            }
            ('\\', _) if chars.peek().is_some_and(|next| matches!(next, '"' | '\\')) => {
                word.get_or_insert_default().extend(chars.next());
            }
            (c, None) if c.is_whitespace() => found.extend(word.take().map(Token::Word)),
            ('{' | '}', None) if !word.as_ref().is_some_and(|w| w.ends_with('$')) => {
                found.extend(word.take().map(Token::Word));
                found.push(if c == '{' { Token::Open } else { Token::Close });
            }
            _ => word.get_or_insert_default().push(c),
        }
    }
    found.extend(word.map(Token::Word));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        let mut notes = Notes::default();
        let lines = lines("k.conf", text, "lb01", &mut Alone, &mut notes);
        let show = |token: Token| match token {
            Token::Word(word) => word,
            Token::Open => "{".into(),
            Token::Close => "}".into(),
        };
        lines.into_iter().map(|line| line.tokens.into_iter().map(show).collect()).collect()
    }

    #[test]
    fn a_comment_ends_a_value_that_it_is_glued_to_and_stays_in_quotes() {
        assert_eq!(words("priority 100#high\nadvert_int 1!x\n"), [["priority", "100"], ["advert_int", "1"]]);
        assert_eq!(words("script \"/bin/a # !\" #c"), [["script", "/bin/a # !"]]);
        assert_eq!(words(r"auth_pass a\#b\!"), [["auth_pass", "a#b!"]]);
        assert!(words("# a\n  ! b\n\n").is_empty());
    }

    #[test]
    fn braces_stand_for_themselves_wherever_they_are() {
        assert_eq!(
            words("global_defs{\nvip { 10.0.0.1 }}"),
            [vec!["global_defs", "{"], vec!["vip", "{", "10.0.0.1", "}", "}"]]
        );
        assert_eq!(words("script \"a {b}\""), [["script", "a {b}"]]);
    }

    #[test]
    fn a_line_goes_on_behind_a_backslash_and_is_named_by_its_first() {
        let mut notes = Notes::default();
        let all = lines("k.conf", "priority \\\n 100\nstate BACKUP", "n", &mut Alone, &mut notes);
        assert_eq!(all.iter().map(|line| line.place.line).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(all[0].tokens.len(), 2);
    }

    #[test]
    fn definitions_are_put_in_and_conditional_lines_are_for_their_node_only() {
        assert_eq!(words("$P=100\npriority $P\npriority ${P}1"), [["priority", "100"], ["priority", "1001"]]);
        assert_eq!(words("@lb01 priority 1\n@lb02 priority 2\n@^lb02 state A"), [["priority", "1"], ["state", "A"]]);
        assert_eq!(words("auth_pass pa$$word"), [["auth_pass", "pa$$word"]]);
        assert_eq!(words("$V=a 1\\\nb 2\n$V"), [["a", "1"], ["b", "2"]]);
    }

    #[test]
    fn definitions_that_double_each_other_stay_bounded() {
        let mut text = "$A=xxxxxxxxxxxxxxxx\n".to_owned();
        for _ in 0..64 {
            text.push_str("$A=$A$A\n");
        }
        text.push_str("priority $A\n");
        let mut notes = Notes::default();
        let all = lines("k.conf", &text, "n", &mut Alone, &mut notes);
        assert!(all.iter().all(|line| line.tokens.iter().all(|t| *t != Token::Word(String::new()))));
        assert!(notes.0.iter().any(|note| note.says.contains("grows beyond")), "{notes:?}");
    }

    #[test]
    fn a_file_that_includes_itself_ends() {
        struct Mirror;
        impl Files for Mirror {
            fn include(&mut self, pattern: &str, _: &str) -> Result<Vec<(String, String)>, String> {
                Ok(vec![(pattern.into(), format!("include {pattern}\ninclude {pattern}"))])
            }
        }
        let mut notes = Notes::default();
        let all = lines("k.conf", "include k.conf", "n", &mut Mirror, &mut notes);
        assert!(all.is_empty());
        assert!(notes.0.iter().any(|note| note.says.contains("is not read")), "{notes:?}");
    }
}
