//! Holds the rooms to their floors, as `ARCHITECTURE.md` draws them: reads every path in `src` and fails where one leads
//! upwards, or sideways without leave.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every room with its floor. A room uses rooms below its own floor.
const FLOORS: [(&str, u8); 15] = [
    ("time", 1),
    ("wire", 1),
    ("vrrp", 2),
    ("observe", 2),
    ("detect", 3),
    ("fence", 3),
    ("sim", 3),
    ("sys", 4),
    ("config", 4),
    ("engine", 5),
    ("metrics", 5),
    ("web", 6),
    ("cli", 7),
    ("main", 7),
    ("lib", 8),
];

/// Who may use whom on the same floor.
const NEIGHBOURS: [(&str, &str); 5] =
    [("wire", "time"), ("sim", "detect"), ("sim", "fence"), ("metrics", "engine"), ("main", "cli")];

/// The rooms that are handed time, and know nothing of the machine they run on.
const PURE: [&str; 7] = ["time", "wire", "vrrp", "observe", "detect", "fence", "sim"];

/// Words that no pure room says.
const IMPURE_WORDS: [&str; 6] = ["SystemTime", "TcpListener", "TcpStream", "UdpSocket", "rand", "tokio"];

const FILE_MAX_LINES: usize = 600;

#[test]
fn every_room_uses_only_the_rooms_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&root);
    assert!(files.len() > 20, "the sources are not where they were: {files:?}");
    let modules: BTreeSet<String> =
        files.iter().map(|f| f.strip_prefix(&root).unwrap().with_extension("").display().to_string()).collect();
    let mut violations = Vec::new();
    for file in &files {
        let name = file.strip_prefix(&root).unwrap().display().to_string();
        let text = fs::read_to_string(file).unwrap();
        violations.extend(check(&name, &text, &modules).into_iter().map(|v| format!("src/{name}:{v}")));
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn no_file_holds_more_than_one_idea_s_worth_of_lines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for directory in ["src", "tests"] {
        for file in rust_files(&root.join(directory)) {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            assert!(lines <= FILE_MAX_LINES, "{} has {lines} lines: split it by idea", file.display());
        }
    }
}

#[test]
fn the_map_shows_every_room_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let map = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    for file in rust_files(&root.join("src")) {
        let room = room_of(&file.strip_prefix(root.join("src")).unwrap().display().to_string());
        if !["lib", "main"].contains(&room.as_str()) {
            assert!(map.contains(&format!("`src/{room}")), "ARCHITECTURE.md doesn't show the room {room}");
        }
    }
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The room of a file, named relative to `src`.
fn room_of(file: &str) -> String {
    file.split(['/', '.']).next().unwrap_or_default().to_owned()
}

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// What is wrong with a file, each with its line. `modules` are all files of `src`, without their ending.
fn check(file: &str, text: &str, modules: &BTreeSet<String>) -> Vec<String> {
    let room = room_of(file);
    let Some(own_floor) = floor(&room) else {
        return vec![format!("1: the room {room} has no floor: give it one in ARCHITECTURE.md and in this test")];
    };
    let tokens = lex(text);
    let mut violations = Vec::new();
    for (line, path) in paths(&tokens) {
        if let Some(used) = used_room(&room, &path, modules) {
            let allowed = used == room
                || floor(&used).is_some_and(|f| f < own_floor)
                || NEIGHBOURS.contains(&(room.as_str(), used.as_str()));
            if !allowed {
                violations.push(format!("{line}: {room} may not use {used} ({})", path.join("::")));
            }
        }
        if PURE.contains(&room.as_str()) && is_impure(&path) {
            violations.push(format!("{line}: {room} is pure, and {} is not", path.join("::")));
        }
        if room != "sys" && path.iter().any(|word| word == "unsafe") {
            violations.push(format!("{line}: unsafe belongs into sys"));
        }
    }
    violations
}

/// The room that a path leads to, if it leaves its own.
fn used_room(room: &str, path: &[String], modules: &BTreeSet<String>) -> Option<String> {
    match path.first()?.as_str() {
        "crate" | "vipwarden" => match path.get(1)?.as_str() {
            "as" => Some("the whole crate under another name".into()),
            used => Some(used.into()),
        },
        "super" => {
            // How far up the tree this climbs is not worth counting: what it finds there is a room, or it isn't.
            let found = path.iter().find(|word| *word != "super")?;
            let local = ["", "/mod"].iter().any(|ending| modules.contains(&format!("{room}/{found}{ending}")));
            (!local && floor(found).is_some()).then(|| found.clone())
        }
        _ => None,
    }
}

fn is_impure(path: &[String]) -> bool {
    let pair = |a: &str, b: &str| path.windows(2).any(|w| w[0] == a && w[1] == b);
    pair("Instant", "now") || pair("std", "env") || path.iter().any(|word| IMPURE_WORDS.contains(&word.as_str()))
}

/// All paths in a token stream with their lines, `a::{b, c::d}` spelled out.
fn paths(tokens: &[(usize, String)]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        at = if is_word(&tokens[at].1) { path_at(tokens, at, &[], &mut found) } else { at + 1 };
    }
    found
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads the path that begins at `at` behind `prefix`, and answers where it ends.
fn path_at(
    tokens: &[(usize, String)],
    mut at: usize,
    prefix: &[String],
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |(_, text)| text.as_str());
    let line = tokens[at].0;
    let mut path = prefix.to_vec();
    while is_word(text(at)) || text(at) == "*" {
        path.push(text(at).to_owned());
        at += 1;
        if path.len() == 1 && path[0] == "crate" && text(at) == "as" {
            path.push("as".into());
        }
        if text(at) != "::" {
            break;
        }
        at += 1;
        if text(at) == "{" {
            at += 1;
            while at < tokens.len() && text(at) != "}" {
                at = if is_word(text(at)) || text(at) == "*" { path_at(tokens, at, &path, found) } else { at + 1 };
            }
            return at + 1;
        }
    }
    found.push((line, path));
    at
}

/// The words and signs of Rust source with their lines; comments and literals are left out.
fn lex(text: &str) -> Vec<(usize, String)> {
    let chars: Vec<char> = text.chars().collect();
    let get = |at: usize| chars.get(at).copied().unwrap_or('\0');
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let start = at;
        at = match get(at) {
            '/' if get(at + 1) == '/' => (at..chars.len()).find(|i| chars[*i] == '\n').unwrap_or(chars.len()),
            '/' if get(at + 1) == '*' => end_of_comment(&chars, at),
            '"' => end_of_string(&chars, at),
            '\'' if get(at + 1) == '\\' => {
                (at + 3..chars.len()).find(|i| chars[*i] == '\'').map_or(chars.len(), |i| i + 1)
            }
            '\'' if get(at + 2) == '\'' => at + 3,
            c if c.is_alphabetic() || c == '_' => {
                let end = (at..chars.len()).find(|i| !(chars[*i].is_alphanumeric() || chars[*i] == '_'));
                let end = end.unwrap_or(chars.len());
                let word: String = chars[at..end].iter().collect();
                match end_of_raw_string(&chars, end).filter(|_| ["r", "br", "cr"].contains(&word.as_str())) {
                    Some(end) => end,
                    None => {
                        tokens.push((line, word));
                        end
                    }
                }
            }
            ':' if get(at + 1) == ':' => {
                tokens.push((line, "::".into()));
                at + 2
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push((line, c.into()));
                }
                at + 1
            }
        };
        line += chars[start..at].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

fn end_of_comment(chars: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (at, depth) = (at + 2, depth + 1),
            ('*', '/') => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn end_of_string(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// The end of a raw string whose `r` ends at `at`, if one begins there.
fn end_of_raw_string(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + hashes) != Some(&'"') {
        return None;
    }
    let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let inside = at + hashes + 1;
    let length = chars[inside..].windows(closing.len()).position(|w| w == closing);
    Some(length.map_or(chars.len(), |length| inside + length + closing.len()))
}

mod the_checker {
    use super::*;

    fn violations(file: &str, text: &str) -> Vec<String> {
        let modules = ["wire/vrrp", "wire/mod", "detect/mod", "time"].map(str::to_owned);
        check(file, text, &modules.into())
    }

    #[test]
    fn sees_every_way_upwards() {
        for (file, text) in [
            ("wire/mod.rs", "use crate::observe::Fact;"),
            ("wire/mod.rs", "use crate::{time::Instant, detect};"),
            ("wire/mod.rs", "use crate::{\n    time::{Duration, Instant},\n    sys::clock,\n};"),
            ("wire/mod.rs", "fn f() -> crate::detect::Snapshot { g() }"),
            ("wire/arp.rs", "use super::super::detect;"),
            ("wire/mod.rs", "use crate as everything;"),
            ("wire/mod.rs", "use crate::*;"),
            ("time.rs", "use super::wire;"),
            ("time.rs", "use crate::wire::Version;"),
            ("observe/mod.rs", "macro_rules! m { () => { $crate::detect::f() } }"),
            ("detect/mod.rs", "use crate::config::Config;"),
            ("sys/mod.rs", "use crate::config::Config;"),
            ("engine/mod.rs", "use crate::metrics::Family;"),
            ("main.rs", "fn main() { vipwarden::web::serve() }\nuse crate::unheard_of;"),
        ] {
            assert_eq!(violations(file, text).len(), 1, "{file}: {text}: {:?}", violations(file, text));
        }
    }

    #[test]
    fn lets_pass_what_is_below_beside_by_leave_or_at_home() {
        for (file, text) in [
            ("wire/mod.rs", "use crate::time::Instant; use crate::wire::Version; use self::arp::Arp;"),
            ("wire/arp.rs", "use super::vrrp::Advert; use super::super::wire;"),
            ("metrics/mod.rs", "use crate::engine::View; use crate::sys::clock;"),
            ("web/mod.rs", "use crate::metrics; use crate::{detect, engine::{Shared, View}};"),
            ("main.rs", "fn main() { vipwarden::cli::main() }"),
            ("observe/mod.rs", "pub(crate) fn f() {}"),
        ] {
            assert_eq!(violations(file, text), Vec::<String>::new(), "{file}: {text}");
        }
    }

    #[test]
    fn does_not_mind_comments_and_literals() {
        let text = r##"
            /// See [`crate::config::Config`], tokio and unsafe.
            /* use crate::web; /* nested */ use crate::cli; */
            const A: &str = "use crate::web; \" tokio";
            const B: &str = r#"crate::web " tokio"#;
            const C: char = '"'; const D: char = '\''; fn f<'a>(x: &'a str) {}
        "##;
        assert_eq!(violations("time.rs", text), Vec::<String>::new());
        assert_eq!(
            violations("time.rs", &format!("{text}\nuse crate::web;")),
            ["8: time may not use web (crate::web)"]
        );
    }

    #[test]
    fn keeps_clocks_sockets_chance_and_environment_out_of_the_pure_rooms() {
        for text in [
            "let now = Instant::now();",
            "let now = std::time::Instant::now();",
            "use std::time::{Duration, SystemTime};",
            "use tokio::sync::mpsc;",
            "use std::net::{IpAddr, UdpSocket};",
            "let s = std::net::TcpStream::connect(a);",
            "use std::{env, fmt};",
            "let x: u8 = rand::random();",
        ] {
            assert_eq!(violations("detect/mod.rs", text).len(), 1, "{text}");
            assert_eq!(violations("engine/mod.rs", text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(
            violations("detect/mod.rs", "use std::net::IpAddr; let x = env!(\"A\"); random();"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn keeps_unsafe_in_sys_and_wants_a_floor_for_every_room() {
        assert_eq!(violations("engine/mod.rs", "fn f() { unsafe { g() } }").len(), 1);
        assert_eq!(violations("sys/mod.rs", "fn f() { unsafe { g() } }"), Vec::<String>::new());
        assert_eq!(violations("lib.rs", "#[allow(unsafe_code)] pub mod sys;"), Vec::<String>::new());
        assert_eq!(violations("attic/mod.rs", "").len(), 1);
    }
}
