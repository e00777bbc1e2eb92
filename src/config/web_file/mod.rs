//! The web-config format of Prometheus's exporter-toolkit: TLS, client certificates, users and headers, in YAML.
//!
//! What `promtool check web-config` refuses is refused here too, and some of what it takes: what rustls has not (TLS 1.0 and
//! 1.1, ciphers without forward secrecy), what would be served openly although it was meant to be closed, and what asks for a client
//! certificate without looking at it.

mod tls;
mod users;
mod yaml;

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;

use self::yaml::Node;
use super::source::Sources;
use super::{Diagnostic, files, hint};

pub use tls::{ClientAuth, WebTls};
pub use users::{COST_MAX, User};

/// A validated web-config file.
#[derive(Clone, Debug, Default)]
pub struct WebFile {
    /// TLS; without it HTTP is served.
    pub tls: Option<WebTls>,
    /// Who may read; empty is everybody.
    pub users: Vec<User>,
    /// Headers that go with each answer, beside and before our own.
    pub headers: Vec<(&'static str, String)>,
    /// What is taken and worth saying.
    pub warnings: Vec<Diagnostic>,
}

/// The headers that may be set, each with the values that it takes; without any, all.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
    ("Content-Security-Policy", &[]),
];

/// Reads and validates `path`; files that it names lie beside it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(path: &Path) -> Result<WebFile, Vec<Diagnostic>> {
    let text = files::text(path).map_err(|why| vec![Diagnostic::of_file(path, why)])?;
    let mut sources = Sources::default();
    sources.add_web(path, text.clone());
    let mut judge = Judge { sources, errors: Vec::new(), warnings: Vec::new() };
    let mut file = match yaml::parse(&text) {
        Ok(root) => judge.file(&root, path.parent().unwrap_or(Path::new(""))),
        Err((at, message)) => {
            judge.error(at, message);
            WebFile::default()
        }
    };
    if judge.errors.is_empty() {
        file.warnings = judge.warnings;
        return Ok(file);
    }
    judge.sources.sort(&mut judge.errors);
    Err(judge.errors)
}

/// What is said of a file while it is read.
struct Judge {
    sources: Sources,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Judge {
    fn error(&mut self, at: Range<usize>, message: impl Into<String>) {
        self.errors.push(self.sources.diagnostic(at, message.into()));
    }

    fn file(&mut self, root: &Spanned<Node>, directory: &Path) -> WebFile {
        let mut file = WebFile::default();
        let known = ["tls_server_config", "http_server_config", "basic_auth_users"];
        for (key, value) in self.section(root, &known) {
            match key {
                "tls_server_config" => file.tls = tls::read(self, value, directory),
                "http_server_config" => file.headers = self.http(value),
                _ => file.users = users::read(self, value),
            }
        }
        file
    }

    fn http(&mut self, node: &Spanned<Node>) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        for (key, value) in self.section(node, &["http2", "headers"]) {
            if key == "http2" {
                if self.flag(value) == Some(true) {
                    let message = "HTTP/2 is not served, HTTP/1.1 is, which every client of HTTP/2 speaks too: write false, or remove it";
                    self.warnings.push(self.sources.diagnostic(value.span(), message.into()));
                }
                continue;
            }
            for (name, value) in self.section(value, &HEADERS.map(|(name, _)| name)) {
                let text = self.text(value).unwrap_or_default();
                let Some((name, allowed)) = HEADERS.iter().find(|(known, _)| *known == name) else { continue };
                if !allowed.is_empty() && !allowed.contains(&text.as_str()) {
                    self.error(value.span(), format!("{name} is {}", allowed.join(" or ")));
                }
                if !text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
                    self.error(value.span(), "a header has printable ASCII characters alone");
                }
                found.push((*name, text));
            }
        }
        found
    }

    /// The keys and values of a mapping; those that are not `known`, or stand twice, are errors.
    fn section<'n, 'k>(&mut self, node: &'n Spanned<Node>, known: &[&'k str]) -> Vec<(&'k str, &'n Spanned<Node>)> {
        let map = match node.get_ref() {
            Node::Map(map) => map,
            Node::Null => return Vec::new(),
            other => {
                self.error(node.span(), format!("want keys with values here, not {}", other.kind()));
                return Vec::new();
            }
        };
        let mut found: Vec<(&str, _)> = Vec::new();
        for (key, value) in map {
            let name = key.get_ref().as_str();
            match known.iter().find(|known| **known == name) {
                Some(known) if found.iter().any(|(had, _)| had == known) => {
                    self.error(key.span(), format!("`{name}` stands here twice: remove one of the two"));
                }
                Some(known) => found.push((known, value)),
                None => self.error(key.span(), unknown(name, known)),
            }
        }
        found
    }

    /// A scalar's text; empty where nothing is given.
    fn text(&mut self, node: &Spanned<Node>) -> Option<String> {
        match node.get_ref() {
            Node::Text(text) => Some(text.clone()),
            Node::Null => Some(String::new()),
            other => {
                self.error(node.span(), format!("want a text, not {}", other.kind()));
                None
            }
        }
    }

    fn path(&mut self, node: &Spanned<Node>, directory: &Path) -> Option<PathBuf> {
        self.text(node).filter(|text| !text.is_empty()).map(|text| directory.join(text))
    }

    /// A truth, in the words that YAML 1.1 has for it.
    fn flag(&mut self, node: &Spanned<Node>) -> Option<bool> {
        let text = self.text(node)?.to_ascii_lowercase();
        match text.as_str() {
            "true" | "yes" | "on" | "y" => Some(true),
            "false" | "no" | "off" | "n" | "" => Some(false),
            _ => {
                self.error(node.span(), "want true or false");
                None
            }
        }
    }

    fn list<'n>(&mut self, node: &'n Spanned<Node>) -> &'n [Spanned<Node>] {
        match node.get_ref() {
            Node::List(list) => list,
            Node::Null => &[],
            other => {
                self.error(node.span(), format!("want a list, like [a, b], not {}", other.kind()));
                &[]
            }
        }
    }
}

fn unknown(name: &str, known: &[&str]) -> String {
    let nearest = hint::nearest(name, known.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
    let nearest = nearest.unwrap_or_else(|| format!("; there are: {}", known.join(", ")));
    format!("there is no key `{}` here{nearest}", name.escape_debug())
}
