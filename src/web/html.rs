//! The one door from words to HTML.

use std::fmt;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_opens_a_tag_or_leaves_an_attribute() {
        let evil = "<script>\"'&\u{0}\n\u{202e}";
        assert_eq!(Text(evil).to_string(), "&lt;script&gt;&quot;&#39;&amp;\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(Text("lb01 – Zürich").to_string(), "lb01 – Zürich");
    }
}
