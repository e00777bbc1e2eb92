//! `tls_server_config`, in what rustls has.

use std::path::{Path, PathBuf};

use rustls::SupportedCipherSuite;
use rustls::crypto::SupportedKxGroup;
use rustls::crypto::ring::{cipher_suite as suite, kx_group};
use toml::Spanned;

use super::Judge;
use super::yaml::Node;

/// What the server shows, and what it wants to see.
#[derive(Clone, Debug)]
pub struct WebTls {
    /// Its certificate, and those that lead to its authority: PEM.
    pub cert_file: PathBuf,
    /// The key of that: PEM.
    pub key_file: PathBuf,
    /// What is asked of clients.
    pub client_auth: ClientAuth,
    /// Whether TLS 1.2 is spoken.
    pub tls12: bool,
    /// Whether TLS 1.3 is spoken.
    pub tls13: bool,
    /// In the order of preference; empty is all.
    pub cipher_suites: Vec<SupportedCipherSuite>,
    /// In the order of preference; empty is all.
    pub curves: Vec<&'static dyn SupportedKxGroup>,
    /// Whether the server's order counts, or the client's.
    pub prefers_own_order: bool,
}

/// What is asked of clients; certificates are verified by the authorities in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// No certificate.
    None,
    /// One, if the client has one.
    IfGiven(PathBuf),
    /// One, or there is no connection.
    Required(PathBuf),
}

const KEYS: [&str; 9] = [
    "cert_file",
    "key_file",
    "client_auth_type",
    "client_ca_file",
    "cipher_suites",
    "curve_preferences",
    "min_version",
    "max_version",
    "prefer_server_cipher_suites",
];

/// By the names that Go gives them.
const SUITES: [(&str, SupportedCipherSuite); 9] = [
    ("TLS_AES_128_GCM_SHA256", suite::TLS13_AES_128_GCM_SHA256),
    ("TLS_AES_256_GCM_SHA384", suite::TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", suite::TLS13_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

const CURVES: [(&str, &dyn SupportedKxGroup); 3] =
    [("X25519", kx_group::X25519), ("CurveP256", kx_group::SECP256R1), ("CurveP384", kx_group::SECP384R1)];

/// Reads the section; `None` where it asks for nothing, or is wrong.
pub(super) fn read(judge: &mut Judge, node: &Spanned<Node>, directory: &Path) -> Option<WebTls> {
    let section = judge.section(node, &KEYS);
    if section.is_empty() {
        return None;
    }
    let given = |key: &str| section.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    let path = |judge: &mut Judge, key: &str| given(key).and_then(|value| judge.path(value, directory));
    let (cert_file, key_file) = (path(judge, "cert_file"), path(judge, "key_file"));
    for (key, file) in [("cert_file", &cert_file), ("key_file", &key_file)] {
        if file.is_none() {
            judge.error(node.span(), format!("`{key}` is missing: without it there is no TLS, and nothing is served"));
        }
    }
    let client_auth = client_auth(judge, given("client_auth_type"), given("client_ca_file"), directory);
    let min = given("min_version").map_or(Some(2), |value| version(judge, value));
    let max = given("max_version").map_or(Some(3), |value| version(judge, value));
    if let (Some(3), Some(2), Some(value)) = (min, max, given("max_version")) {
        judge.error(value.span(), "no version is left: min_version is TLS13");
    }
    let cipher_suites = given("cipher_suites").map_or_else(Vec::new, |value| {
        choices(judge, value, &SUITES, "has not, as it is not forward secret or not authenticated (or unknown)")
    });
    let curves = given("curve_preferences").map_or_else(Vec::new, |value| choices(judge, value, &CURVES, "has not"));
    Some(WebTls {
        cert_file: cert_file?,
        key_file: key_file?,
        client_auth: client_auth?,
        tls12: min? == 2,
        tls13: max? == 3,
        cipher_suites,
        curves,
        prefers_own_order: given("prefer_server_cipher_suites").is_none_or(|value| judge.flag(value) != Some(false)),
    })
}

fn client_auth(
    judge: &mut Judge,
    kind: Option<&Spanned<Node>>,
    ca_file: Option<&Spanned<Node>>,
    directory: &Path,
) -> Option<ClientAuth> {
    let ca = ca_file.and_then(|value| judge.path(value, directory));
    let word = kind.and_then(|value| judge.text(value)).unwrap_or_default();
    let at = kind.or(ca_file).map_or(0..0, Spanned::span);
    match (word.as_str(), ca) {
        ("" | "NoClientCert", None) => return Some(ClientAuth::None),
        ("RequireAndVerifyClientCert", Some(ca)) => return Some(ClientAuth::Required(ca)),
        ("VerifyClientCertIfGiven", Some(ca)) => return Some(ClientAuth::IfGiven(ca)),
        ("" | "NoClientCert", Some(_)) => judge.error(
            at,
            "client_ca_file is given, and no certificate is asked for: write client_auth_type: \
             RequireAndVerifyClientCert, or remove it",
        ),
        ("RequireAndVerifyClientCert" | "VerifyClientCertIfGiven", None) => judge.error(
            at,
            "client_ca_file is missing: name the authority whose certificates are taken (the system's own would let in \
             everybody who has a certificate of theirs)",
        ),
        ("RequestClientCert" | "RequireAnyClientCert" | "RequireClientCert", _) => judge.error(
            at,
            format!(
                "{word} takes every certificate without verifying it, which keeps nobody out: write \
                 RequireAndVerifyClientCert or VerifyClientCertIfGiven"
            ),
        ),
        _ => judge.error(
            at,
            "there is no such client_auth_type: write NoClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert",
        ),
    }
    None
}

/// 2 or 3, behind the point.
fn version(judge: &mut Judge, node: &Spanned<Node>) -> Option<u8> {
    match judge.text(node)?.as_str() {
        "TLS12" => return Some(2),
        "TLS13" => return Some(3),
        "TLS10" | "TLS11" => judge.error(node.span(), "rustls has no TLS before 1.2: write TLS12 or TLS13"),
        _ => judge.error(node.span(), "there is no such version: write TLS12 or TLS13"),
    }
    None
}

fn choices<T: Copy>(judge: &mut Judge, node: &Spanned<Node>, table: &[(&str, T)], lacks: &str) -> Vec<T> {
    let mut chosen = Vec::new();
    for item in judge.list(node) {
        let Some(name) = judge.text(item) else { continue };
        match table.iter().find(|(known, _)| *known == name) {
            Some((_, choice)) => chosen.push(*choice),
            None => {
                let all = table.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
                judge.error(item.span(), format!("one that rustls {lacks}; there are: {all}"));
            }
        }
    }
    chosen
}
