//! Files → one [`raw::File`]: parsed, put together, and checked key by key.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::source::Sources;
use super::{Diagnostic, hint, raw};

/// Wrong keys and values of which each costs one more reading: who has more of them hears of the first so many.
const MAX_WRONG_VALUES: usize = 100;

/// The sections that are written as `[[name]]`.
const LISTS: [&str; 4] = ["check", "peer", "router", "witness"];

/// The sections that are written as `[name]`.
const TABLES: [&str; 6] = ["arbiter", "cluster", "fence", "node", "watch", "web"];

/// What was read of all files.
#[derive(Default)]
pub(super) struct Read {
    /// Without the keys that were wrong.
    pub file: raw::File,
    /// The paths (like `router.0.vrid`) of keys that were struck out as wrong: they were not forgotten by the user.
    pub struck: BTreeSet<String>,
    /// True if a whole file or section is missing, so that what others say of it can't be judged.
    pub incomplete: bool,
    /// What was wrong.
    pub errors: Vec<Diagnostic>,
}

/// Reads files, given as path and bytes, and adds them to `sources`.
pub(super) fn read(files: &[(PathBuf, Vec<u8>)], sources: &mut Sources) -> Read {
    let mut read = Read::default();
    let mut whole = DeTable::new();
    for (path, bytes) in files {
        let start = sources.add(path, String::from_utf8_lossy(bytes).into_owned());
        match parse(bytes) {
            Ok(table) => merge(&mut whole, shift_table(table, start), true, sources, &mut read.errors),
            Err((at, message)) => {
                read.errors.push(sources.diagnostic(shifted(&at, start), message));
                read.incomplete = true;
            }
        }
    }
    let whole = well_shaped(whole, sources, &mut read);
    deserialize(whole, sources, &mut read);
    read
}

fn parse(bytes: &[u8]) -> Result<DeTable<'_>, (Range<usize>, String)> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        (e.valid_up_to()..e.valid_up_to(), "this is not UTF-8: save the file in that encoding".to_owned())
    })?;
    DeTable::parse(text)
        .map(Spanned::into_inner)
        .map_err(|e| (e.span().unwrap_or(0..0), format!("this is not TOML: {}", e.message())))
}

/// The same table `by` positions further on.
fn shift_table(table: DeTable<'_>, by: usize) -> DeTable<'_> {
    table.into_iter().map(|(k, v)| (Spanned::new(shifted(&k.span(), by), k.into_inner()), shift(v, by))).collect()
}

fn shift(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = shifted(&value.span(), by);
    let value = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(shift_table(table, by)),
        DeValue::Array(array) => DeValue::Array(array.into_iter().map(|v| shift(v, by)).collect()),
        scalar => scalar,
    };
    Spanned::new(span, value)
}

fn shifted(span: &Range<usize>, by: usize) -> Range<usize> {
    span.start + by..span.end + by
}

/// Puts `from` into `into`: tables grow together, lists of sections grow longer, anything else may be set only once.
fn merge<'i>(into: &mut DeTable<'i>, from: DeTable<'i>, top: bool, sources: &Sources, errors: &mut Vec<Diagnostic>) {
    for (key, value) in from {
        let Some((first, known)) = into.get_key_value(&key).map(|(k, _)| k.span()).zip(into.get_mut(&key)) else {
            into.insert(key, value);
            continue;
        };
        match (known.get_mut(), value.into_inner()) {
            (DeValue::Table(known), DeValue::Table(more)) => merge(known, more, false, sources, errors),
            (DeValue::Array(known), DeValue::Array(more)) if top => more.into_iter().for_each(|v| known.push(v)),
            _ => {
                let place = sources.place(first.start);
                let message = format!("`{}` is already set at {place}: keep one of the two", key.get_ref());
                errors.push(sources.diagnostic(key.span(), message));
            }
        }
    }
}

/// Leaves out sections that are written with the wrong number of brackets.
fn well_shaped<'i>(whole: DeTable<'i>, sources: &Sources, read: &mut Read) -> DeTable<'i> {
    let mut keep = |key: &str, value: &Spanned<DeValue<'_>>| {
        let is_list = matches!(value.get_ref(), DeValue::Array(a) if a.iter().all(|v| v.get_ref().is_table()));
        let message = if LISTS.contains(&key) && !is_list {
            format!("there can be several of these: write [[{key}]], with two brackets")
        } else if TABLES.contains(&key) && !value.get_ref().is_table() {
            format!("there is only one of these: write [{key}], with one bracket")
        } else {
            return true;
        };
        read.errors.push(sources.diagnostic(value.span(), message));
        read.incomplete = true;
        false
    };
    whole.into_iter().filter(|(key, value)| keep(key.get_ref(), value)).collect()
}

/// serde stops at the first error. So each wrong key is reported and struck out, and the rest is read again.
fn deserialize(mut whole: DeTable<'_>, sources: &Sources, read: &mut Read) {
    for _ in 0..MAX_WRONG_VALUES {
        let error = match raw::File::deserialize(toml::Deserializer::from(Spanned::new(0..0, whole.clone()))) {
            Ok(file) => {
                read.file = file;
                return;
            }
            Err(error) => error,
        };
        let at = error.span().unwrap_or(0..0);
        let struck = strike(&mut whole, &at);
        let message = match &struck {
            Some(path) => explain(path, &error, &mut read.struck),
            None => error.message().to_owned(),
        };
        read.errors.push(sources.diagnostic(at, message));
        let Some(path) = struck else { break };
        read.struck.insert(path.join("."));
    }
    if let Some(last) = read.errors.last_mut() {
        last.message.push_str(" (the rest was not checked: mend these errors first)");
    }
    read.incomplete = true;
}

/// Removes the innermost key, or element of a list, around `at` and answers the path to that key.
fn strike(table: &mut DeTable<'_>, at: &Range<usize>) -> Option<Vec<String>> {
    let around = |span: Range<usize>| span.start <= at.start && at.end <= span.end;
    let mut own = None;
    for (key, value) in table.iter_mut() {
        // A section's span is that of its header alone, so what is in it must be asked first.
        let inner = match value.get_mut() {
            DeValue::Table(inner) => strike(inner, at),
            DeValue::Array(items) => strike_in_list(items, at),
            _ => None,
        };
        if let Some(path) = inner {
            return Some([vec![key.get_ref().to_string()], path].concat());
        }
        if around(key.span()) || around(value.span()) {
            own.get_or_insert_with(|| key.clone());
        }
    }
    let key = own?;
    table.remove(&key);
    Some(vec![key.into_inner().into_owned()])
}

fn strike_in_list(items: &mut DeArray<'_>, at: &Range<usize>) -> Option<Vec<String>> {
    for (i, item) in items.iter_mut().enumerate() {
        if let DeValue::Table(table) = item.get_mut() {
            if let Some(path) = strike(table, at) {
                return Some([vec![i.to_string()], path].concat());
            }
        } else if item.span().start <= at.start && at.end <= item.span().end {
            *items = std::mem::replace(items, DeArray::new())
                .into_iter()
                .enumerate()
                .filter(|(n, _)| *n != i)
                .map(|(_, v)| v)
                .collect();
            return Some(Vec::new());
        }
    }
    None
}

/// serde names what it expects as Rust does.
fn in_words(message: &str) -> String {
    const WORDS: [(&str, &str); 5] = [
        ("expected i64", "expected a whole number, without quotes"),
        ("expected a sequence", r#"expected a list, like ["one", "two"]"#),
        ("expected a string", "expected text in quotes"),
        ("expected a boolean", "expected true or false, without quotes"),
        ("invalid type: map", "invalid type: table"),
    ];
    WORDS.iter().fold(message.to_owned(), |message, (theirs, ours)| message.replace(theirs, ours))
}

/// What is wrong with the key at the end of `path`, and what to write instead.
fn explain(path: &[String], error: &toml::de::Error, struck: &mut BTreeSet<String>) -> String {
    let (key, parents) = path.split_last().map_or(("", path), |(key, parents)| (key.as_str(), parents));
    let Some(known) = error.message().strip_prefix(&format!("unknown field `{key}`, expected")) else {
        return format!("`{key}`: {}", in_words(error.message()));
    };
    // serde lists the fields in backticks: every second piece is one.
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    let section = match parents {
        [] => "at the top of the file".to_owned(),
        [list, _index] if LISTS.contains(&list.as_str()) => format!("in [[{list}]]"),
        _ => format!(
            "in [{}]",
            parents.iter().filter(|p| p.parse::<usize>().is_err()).cloned().collect::<Vec<_>>().join(".")
        ),
    };
    let key_shown: String = key.chars().take(64).flat_map(char::escape_default).collect();
    // The right key is missing then, which needs no second error.
    let mut excuse = |ours: &str| struck.insert([parents, &[ours.to_owned()]].concat().join("."));
    if let Some(advice) = hint::from_keepalived(key) {
        known.iter().filter(|ours| advice.contains(&format!("`{ours}`"))).for_each(|ours| _ = excuse(ours));
        return format!("`{key_shown}` is keepalived's word: {advice}");
    }
    match hint::nearest(key, known.iter().copied()) {
        Some(nearest) => {
            excuse(nearest);
            format!("unknown key `{key_shown}` {section}: did you mean `{nearest}`?")
        }
        None => format!("unknown key `{key_shown}` {section}: it knows {}", known.join(", ")),
    }
}
