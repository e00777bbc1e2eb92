//! Tokens → blocks, with the braces that are missing put where they belong and those that are too many left out.

use super::lex::{Line, Token};
use super::place::{Notes, Place};
use super::words::Context;
use crate::config::{hint, secret};

/// A line, or a block with its lines. `words` has at least one.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) place: Place,
    pub(super) words: Vec<String>,
    /// The lines of a block; `None` if it is none.
    pub(super) inside: Option<Vec<Item>>,
}

impl Item {
    /// The keyword.
    pub(super) fn word(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// What follows the keyword.
    pub(super) fn values(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }
}

/// A word as it may be shown: not one that has a password glued to it.
pub(super) fn shown(word: &str) -> String {
    const SHOWN_MAX_CHARS: usize = 40;
    if word != "auth_pass" && !secret::find(word).is_empty() {
        return "(not shown)".into();
    }
    let cut: String = word.chars().take(SHOWN_MAX_CHARS).map(|c| if c.is_control() { '·' } else { c }).collect();
    if cut.len() < word.len() { format!("{cut}…") } else { cut }
}

/// The blocks that `lines` make.
pub(super) fn grow(lines: Vec<Line>, notes: &mut Notes) -> Vec<Item> {
    let mut builder =
        Builder { notes, open: Vec::new(), top: Vec::new(), pending: None, after_bare: false, hide: false };
    for line in lines {
        builder.line(line);
    }
    builder.finish()
}

struct Open {
    item: Item,
    context: Context,
}

struct Builder<'a> {
    notes: &'a mut Notes,
    open: Vec<Open>,
    top: Vec<Item>,
    /// A line that should be followed by `{`.
    pending: Option<(Item, Context)>,
    /// The line before this one is an `auth_pass` whose password may have slipped into this one.
    after_bare: bool,
    /// This line may be a password.
    hide: bool,
}

impl Builder<'_> {
    fn line(&mut self, line: Line) {
        let mut words = Vec::new();
        for token in line.tokens {
            match token {
                Token::Word(word) => words.push(word),
                Token::Open => {
                    let words = std::mem::take(&mut words);
                    self.opening(&line.place, words);
                }
                Token::Close => {
                    let words = std::mem::take(&mut words);
                    self.statement(&line.place, words);
                    self.closing(&line.place);
                }
            }
        }
        self.statement(&line.place, words);
    }

    fn here(&self) -> Context {
        self.open.last().map_or(Context::Top, |open| open.context)
    }

    fn put(&mut self, item: Item) {
        match self.open.last_mut() {
            Some(open) => open.item.inside.get_or_insert_default().push(item),
            None => self.top.push(item),
        }
    }

    /// A line without a brace.
    fn statement(&mut self, place: &Place, words: Vec<String>) {
        if words.is_empty() {
            return;
        }
        self.open_pending();
        self.hide = std::mem::replace(&mut self.after_bare, words.len() == 1 && !secret::find(&words[0]).is_empty());
        let words = self.settle(place, words, false);
        let opens = self.here().opens(&words[0]).or_else(|| self.strays(&words[0]));
        let item = Item { place: place.clone(), words, inside: None };
        match opens {
            Some(context) => self.pending = Some((item, context)),
            None => self.put(item),
        }
    }

    /// `words {`, or a brace on a line of its own.
    fn opening(&mut self, place: &Place, words: Vec<String>) {
        if words.is_empty() {
            if let Some((item, context)) = self.pending.take() {
                self.open.push(Open { item: Item { inside: Some(Vec::new()), ..item }, context });
            } else {
                let says =
                    "a `{` without a block's name in front of it: write the name, or remove the brace and its `}`";
                self.notes.mistake(place, says);
                let item = Item { place: place.clone(), words: vec!["{".into()], inside: Some(Vec::new()) };
                self.open.push(Open { item, context: Context::Other });
            }
            return;
        }
        self.open_pending();
        let words = self.settle(place, words, true);
        let known = self.here().opens(&words[0]).or_else(|| self.strays(&words[0]));
        let context =
            known.unwrap_or_else(|| if self.here() == Context::List { Context::List } else { Context::Other });
        self.open.push(Open { item: Item { place: place.clone(), words, inside: Some(Vec::new()) }, context });
    }

    fn closing(&mut self, place: &Place) {
        self.open_pending();
        match self.open.pop() {
            Some(open) => self.put(open.item),
            None => self.notes.mistake(place, "a `}` that closes nothing: remove it, or put back the `{` that it lost"),
        }
    }

    /// A block's name whose `{` did not come.
    fn open_pending(&mut self) {
        let Some((item, context)) = self.pending.take() else { return };
        let name = shown(item.word());
        self.notes.mistake(&item.place, format!("`{name}` has no `{{`: write one behind it"));
        self.open.push(Open { item: Item { inside: Some(Vec::new()), ..item }, context });
    }

    /// What a block that stands outside its instance opens.
    fn strays(&self, word: &str) -> Option<Context> {
        (self.here() == Context::Top).then(|| Context::Instance.opens(word)).flatten()
    }

    /// Closes blocks that the line can't belong to, and mends its keyword if it is misspelt.
    fn settle(&mut self, place: &Place, mut words: Vec<String>, is_block: bool) -> Vec<String> {
        let here = self.here();
        if here == Context::Top || here.knows(&words[0]) {
            if here == Context::Top {
                self.spell(place, &mut words[0], is_block);
            }
            return words;
        }
        match self.ancestor(&words[0]) {
            Some(depth) => self.close_down_to(place, depth, &words[0]),
            None if here.is_free() => {}
            None => self.spell(place, &mut words[0], is_block),
        }
        words
    }

    /// How many blocks stay open around a line that begins with `word`, if it belongs further out.
    fn ancestor(&self, word: &str) -> Option<usize> {
        let is_other = self.here() == Context::Other;
        let contexts = self.open.iter().map(|open| open.context).rev().skip(1).chain([Context::Top]);
        let outward = contexts.enumerate().map(|(i, context)| (self.open.len() - 1 - i, context));
        // Nothing is known of what others have inside: only what can't be theirs ends them.
        let mut outward = outward.filter(|(_, context)| !is_other || *context == Context::Top);
        let fits = |context: Context| match context {
            // The few words at the top that are no blocks are also said elsewhere.
            Context::Top => context.opens(word).is_some_and(|_| word != "track_process" && word != "track_file"),
            Context::Instance if Context::Authentication.knows(word) => true,
            other => other.knows(word),
        };
        outward.find(|(_, context)| fits(*context)).map(|(depth, _)| depth)
    }

    fn close_down_to(&mut self, place: &Place, depth: usize, word: &str) {
        while self.open.len() > depth {
            let Some(open) = self.open.pop() else { return };
            let title = open.item.words.iter().take(2).map(|word| shown(word)).collect::<Vec<_>>().join(" ");
            let says = format!(
                "`{title} {{` is not closed before `{}` in line {}: write a `}}` above that line",
                shown(word),
                place.line
            );
            self.notes.mistake(&open.item.place, says);
            self.put(open.item);
        }
    }

    /// Mends a keyword that is one of the known ones but for a typo.
    fn spell(&mut self, place: &Place, word: &mut String, is_block: bool) {
        let here = self.here();
        let is_stray = match here {
            Context::Top => Context::Instance.knows(word),
            Context::Instance => Context::Authentication.knows(word),
            _ => false,
        };
        if here.knows(word) || is_stray {
            return;
        }
        let blocks = |name: &&str| !is_block || here.opens(name).is_some();
        let lower = word.to_ascii_lowercase();
        let nearest = hint::nearest(&lower, here.all().filter(blocks));
        let shown = if self.hide || here == Context::Authentication { "(not shown)".into() } else { shown(word) };
        match nearest {
            Some(near) => {
                let says =
                    format!("`{shown}` is no word of keepalived's, which ignores it: `{near}` is taken; write that");
                self.notes.mistake(place, says);
                *word = near.into();
            }
            None => {
                let says = format!("`{shown}` is no word of keepalived's here, which ignores it: remove it or mend it");
                self.notes.mistake(place, says);
            }
        }
    }

    fn finish(mut self) -> Vec<Item> {
        self.open_pending();
        while let Some(open) = self.open.pop() {
            let title = open.item.words.iter().take(2).map(|word| shown(word)).collect::<Vec<_>>().join(" ");
            let says = format!("`{title} {{` is never closed: write a `}}` at its end");
            self.notes.mistake(&open.item.place, says);
            self.put(open.item);
        }
        self.top
    }
}
