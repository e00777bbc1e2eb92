//! Strangers' text on the way to a terminal.

/// `text` without what could steer a terminal: control characters, and those that turn the direction of writing.
pub fn plain(text: &str, keep_lines: bool) -> String {
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) && !(keep_lines && c == '\n') { '\u{fffd}' } else { c }).collect()
}
