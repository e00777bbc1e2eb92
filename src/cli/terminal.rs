//! What goes to a terminal: strangers' text made harmless, and lines whose reader may have left.

use std::io::{Write, stderr, stdout};

/// Prints lines to standard output. A reader that left early, as `head` does, is no error.
pub fn say(lines: &str) {
    let _ = writeln!(stdout().lock(), "{lines}");
}

/// Prints lines to standard error, if anybody reads it.
pub fn complain(lines: &str) {
    let _ = writeln!(stderr().lock(), "{lines}");
}

/// `text` without what could steer a terminal: control characters, and those that turn the direction of writing.
pub fn plain(text: &str, keep_lines: bool) -> String {
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) && !(keep_lines && c == '\n') { '\u{fffd}' } else { c }).collect()
}
