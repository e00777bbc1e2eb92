//! Where a file may hold a password: what is found here is starred in every snippet.
//!
//! This looks at the bare text, because it must also work for files that can't be parsed and for misspelled keys. It errs
//! on the side of hiding.

use std::ops::Range;

/// What stands in place of a secret. Its length says nothing, and it is itself a valid password.
pub(super) const MASK: &str = "********";

/// Byte ranges of `text` that follow a word like `auth_pass`, to the end of the line or of a multi-line string; and the
/// user and password of a URL.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = in_urls(text);
    let mut at = 0;
    while let Some(start) = text[at..].find(is_word).map(|i| at + i) {
        let end = text[start..].find(|c| !is_word(c)).map_or(text.len(), |i| start + i);
        at = end;
        if names_a_secret(&text[start..end]) {
            let rest = &text[end..];
            let value = end + rest.find(|c| !matches!(c, ' ' | '\t' | '=' | '"' | '\'')).unwrap_or(rest.len());
            at = end_of_value(text, end);
            found.push(value.min(at)..at);
        }
    }
    found
}

/// Byte ranges of a web-config file that may be hashes, or passwords by mistake: what follows a colon below
/// `basic_auth_users`, up to the next section.
pub(super) fn find_users(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut at, mut is_inside) = (0, false);
    for line in text.split_inclusive('\n') {
        if line.starts_with(|c: char| is_word(c) || c == '"' || c == '\'') {
            is_inside = line.contains("basic_auth") || line.contains("users");
        }
        if is_inside {
            let start = line.find(':').map_or(0, |colon| colon + 1);
            let start = start + line[start..].find(|c| c != ' ').unwrap_or(0);
            found.push(at + start..at + line.trim_end().len().max(start));
        }
        at += line.len();
    }
    found
}

fn in_urls(text: &str) -> Vec<Range<usize>> {
    let starts = text.match_indices("://").map(|(at, slashes)| at + slashes.len());
    let ends_authority = |c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'');
    starts
        .filter_map(|start| {
            let rest = &text[start..];
            let authority = &rest[..rest.find(ends_authority).unwrap_or(rest.len())];
            authority.rfind('@').map(|at| start..start + at)
        })
        .collect()
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// True for `auth_pass`, `password` and whatever looks like a misspelling of them; not for a `…_file`, which names a path.
fn names_a_secret(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    if word.ends_with("_file") || word == "passive" {
        return false;
    }
    // A long word is no misspelling, and the distance takes time in its length.
    word.contains("pas") || (word.len() < 16 && strsim::damerau_levenshtein(&word, "auth_pass") <= 3)
}

fn end_of_value(text: &str, from: usize) -> usize {
    let line_end = text[from..].find('\n').map_or(text.len(), |i| from + i);
    let opening = ["\"\"\"", "'''"].into_iter().filter_map(|q| Some((text[from..line_end].find(q)?, q))).min();
    match opening {
        Some((i, quotes)) => {
            let inside = from + i + quotes.len();
            let close = text[inside..].find(quotes).map_or(text.len(), |i| inside + i);
            text[close..].find('\n').map_or(text.len(), |i| close + i)
        }
        None => line_end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visible(text: &str) -> String {
        let mut shown = text.to_owned();
        for range in find(text).into_iter().rev() {
            shown.replace_range(range, "*");
        }
        shown
    }

    #[test]
    fn passwords_are_found_under_misspelled_keys_and_in_keepalived_s_own_syntax() {
        for text in [
            "auth_pass = \"hunter2\"",
            "auth_pas = \"hunter2\"",
            "auth-pass='hunter2'",
            "atuh_psas = 'hunter2'",
            "\"auth_pass\" = 'hunter2' # hunter2",
            "  auth_pass hunter2",
            "AUTH_PASS = hunter2",
            "auth_pass = \"\"\"\nhunter2\n\"\"\"",
            "auth_pass = '''\nhunter2",
            "http = 'http://me:hunter2@[::1]/'",
            "http = http://hunter2@10.0.0.1",
        ] {
            assert!(!visible(text).contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_stays_readable() {
        for text in [
            "auth_pass_file = \"x\"",
            "passive = true",
            "addresses = [\"10.0.0.1\"]",
            "auth_type = 1",
            "http://10.0.0.1/a@b",
        ] {
            assert_eq!(visible(text), text);
        }
        assert_eq!(visible("auth_pass = 'x'\nvrid = 1"), "auth_pass = '*\nvrid = 1");
    }

    #[test]
    fn nothing_below_the_users_of_a_web_config_file_is_shown() {
        let shown = |text: &str| {
            let mut shown = text.to_owned();
            for range in find_users(text).into_iter().rev() {
                shown.replace_range(range, "*");
            }
            shown
        };
        for (text, visible) in [
            (
                "basic_auth_users:\n  alice: hunter2\nhttp_server_config: {}\n",
                "basic_auth_users:*\n  alice: *\nhttp_server_config: {}\n",
            ),
            ("basic_auth_users: {alice: hunter2,\n hunter3}\n", "basic_auth_users: *\n *\n"),
            ("'basic_auth_users':\n  'a': |\n    hunter2\n", "'basic_auth_users':*\n  'a': *\n    *\n"),
            ("basic_auth_user:\n\ta: hunter2", "basic_auth_user:*\n\ta: *"),
        ] {
            assert_eq!(shown(text), visible);
        }
    }
}
