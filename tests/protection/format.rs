//! The format, by the word of promtool: what it refuses we refuse, and what we refuse beyond that is named here.

use std::process::Command;

use vipwarden::config::web_file;
use vipwarden::web::Guard;

use super::pki::Pki;

const HASH: &str = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";
const PAIR: &str = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n";

/// What becomes of a file.
#[derive(Clone, Copy)]
enum Fate {
    /// Both take it.
    Taken,
    /// Both refuse it; ours with these words.
    Refused(&'static str),
    /// promtool takes it, and we refuse it with these words.
    OursAlone(&'static str),
}
use Fate::{OursAlone, Refused, Taken};

/// Files, each with its fate.
fn table() -> Vec<(String, Fate)> {
    let with = |more: &str| format!("{PAIR}{more}");
    let user = |hash: &str| format!("basic_auth_users:\n  alice: {hash}\n");
    let header = |line: &str| format!("http_server_config:\n  headers:\n    {line}\n");
    let mut table = vec![
        (String::new(), Taken),
        ("# nothing\n".into(), Taken),
        ("tls_server_config:\n".into(), Taken),
        ("tls_server_config: {}\n".into(), Taken),
        ("tls_server_config: text\n".into(), Refused("want keys with values")),
        ("tls_server: {}\n".into(), Refused("no key `tls_server`")),
        ("[]\n".into(), Refused("not a list")),
        ("text\n".into(), Refused("not a text")),
        ("a: b: c\n".into(), Refused("not YAML")),
        ("tls_server_config: {}\n---\nfoo: bar\n".into(), OursAlone("second document")),
        (PAIR.into(), Taken),
        ("tls_server_config:\n  cert_file: cert.pem\n".into(), Refused("`key_file` is missing")),
        ("tls_server_config:\n  key_file: key.pem\n".into(), Refused("`cert_file` is missing")),
        ("tls_server_config:\n  min_version: TLS13\n".into(), OursAlone("`cert_file` is missing")),
        (PAIR.replace("cert.pem", "nope.pem"), Refused("nope.pem")),
        (PAIR.replace("cert.pem", "key.pem"), Refused("holds no certificate")),
        (PAIR.replace("key.pem", "other.key"), Refused("belongs together")),
        (with("  unknown_key: 1\n"), Refused("no key `unknown_key`")),
        (with("  cert_fil: 1\n"), Refused("did you mean `cert_file`?")),
        (with("  cert_file: cert.pem\n"), Refused("stands here twice")),
    ];
    table.extend(tls(&with));
    table.extend([
        (user(HASH), Taken),
        (user(&HASH.replace("2y", "2a")), Taken),
        (user(&HASH.replace("2y", "2b")), Taken),
        (user(&HASH.replace("$10$", "$03$")), Refused("is 3, and 4 to 16 are taken")),
        (user(&HASH.replace("$10$", "$31$")), OursAlone("is 31, and 4 to 16 are taken")),
        (user("hunter2"), Refused("no bcrypt hash")),
        (user("\"\""), Refused("no bcrypt hash")),
        (user(""), Refused("no bcrypt hash")),
        (format!("{}  alice: {HASH}\n", user(HASH)), Refused("stands here twice")),
        (format!("basic_auth_users:\n  \"a:b\": {HASH}\n"), OursAlone("has no colon")),
        ("basic_auth_users:\n  - alice\n".into(), Refused("not a list")),
        ("basic_auth_users: {}\n".into(), OursAlone("no user is named")),
        ("http_server_config:\n  http2: false\n".into(), Taken),
        ("http_server_config:\n  http2: true\n".into(), Taken),
        ("http_server_config:\n  http2: perhaps\n".into(), Refused("true or false")),
        (header("X-Frame-Options: deny"), Taken),
        (header("X-Frame-Options: allow"), Refused("deny or sameorigin")),
        (header("X-Content-Type-Options: sniff"), Refused("nosniff")),
        (header("x-frame-options: deny"), Refused("no key `x-frame-options`")),
        (header("Server: x"), Refused("no key `Server`")),
        (header("Strict-Transport-Security: max-age=31536000"), Taken),
        (header("X-XSS-Protection: 1; mode=block"), Taken),
        (header("Content-Security-Policy: \"a\\nb\""), OursAlone("printable")),
    ]);
    table
}

fn tls(with: &dyn Fn(&str) -> String) -> Vec<(String, Fate)> {
    let ca = "  client_ca_file: ca.pem\n";
    [
        ("  client_auth_type: NoClientCert\n".to_owned(), Taken),
        (format!("  client_auth_type: RequireAndVerifyClientCert\n{ca}"), Taken),
        (format!("  client_auth_type: VerifyClientCertIfGiven\n{ca}"), Taken),
        ("  client_auth_type: RequireAndVerifyClientCert\n".into(), OursAlone("client_ca_file is missing")),
        (ca.into(), Refused("no certificate is asked for")),
        (format!("  client_auth_type: NoClientCert\n{ca}"), Refused("no certificate is asked for")),
        ("  client_auth_type: Nonsense\n".into(), Refused("no such client_auth_type")),
        ("  client_auth_type: RequestClientCert\n".into(), OursAlone("keeps nobody out")),
        ("  client_auth_type: RequireAnyClientCert\n".into(), OursAlone("keeps nobody out")),
        ("  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: nope.pem\n".into(), Refused("nope.pem")),
        (
            "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: key.pem\n".into(),
            OursAlone("holds no certificate"),
        ),
        ("  min_version: TLS12\n".into(), Taken),
        ("  min_version: TLS13\n".into(), Taken),
        ("  max_version: TLS12\n".into(), Taken),
        ("  min_version: TLS10\n".into(), OursAlone("no TLS before 1.2")),
        ("  min_version: TLS14\n".into(), Refused("no such version")),
        ("  min_version: TLS13\n  max_version: TLS12\n".into(), OursAlone("no version is left")),
        ("  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n".into(), Taken),
        ("  cipher_suites: [TLS_AES_128_GCM_SHA256]\n".into(), Taken),
        ("  cipher_suites: []\n".into(), Taken),
        ("  cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]\n".into(), OursAlone("forward secret")),
        ("  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n".into(), Refused("forward secret")),
        ("  cipher_suites: TLS_AES_128_GCM_SHA256\n".into(), Refused("want a list")),
        ("  curve_preferences: [X25519, CurveP256]\n".into(), Taken),
        ("  curve_preferences: [CurveP521]\n".into(), OursAlone("rustls has not")),
        ("  curve_preferences: [P256]\n".into(), Refused("rustls has not")),
        ("  prefer_server_cipher_suites: yes\n".into(), Taken),
        ("  prefer_server_cipher_suites: maybe\n".into(), Refused("true or false")),
    ]
    .into_iter()
    .map(|(more, fate)| (with(&more), fate))
    .collect()
}

#[test]
fn what_promtool_refuses_is_refused_and_what_it_takes_is_taken_but_for_what_is_named() {
    let pki = Pki::new();
    pki.sign("other.pem", "other.key", 2100);
    for (yaml, fate) in table() {
        let path = pki.write(&yaml);
        let ours = Guard::load(Some(&path)).map(drop);
        match (fate, &ours) {
            (Taken, Ok(())) => {}
            (Refused(words) | OursAlone(words), Err(why)) if why.contains(words) => {}
            _ => panic!("{yaml}\n{ours:?}"),
        }
        let oracle = Command::new("promtool").args(["check", "web-config"]).arg(&path).output();
        let oracle = oracle.expect("promtool (package prometheus)");
        let says = String::from_utf8_lossy(&[oracle.stdout, oracle.stderr].concat()).into_owned();
        assert_eq!(oracle.status.success(), !matches!(fate, Refused(_)), "{yaml}\n{says}");
    }
}

#[test]
fn every_error_is_told_with_its_place_and_no_password_in_it() {
    let pki = Pki::new();
    let path =
        pki.write("basic_auth_users:\n  alice: hunter2\n  bob: swordfish # really\ntls_server_config:\n  key: x\n");
    let errors = web_file::read(&path).unwrap_err();
    let places: Vec<_> = errors.iter().map(|error| (error.line, error.column)).collect();
    assert_eq!(places, [(2, 3), (3, 3), (5, 3)]);
    let said = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(said.contains("2 |   alice: ********\n  |   ^^^^^") && said.contains("web.yml:5:3: "), "{said}");
    assert!(!said.contains("hunter2") && !said.contains("swordfish"), "{said}");
    let file = web_file::read(&pki.write(&format!("basic_auth_users:\n  alice: {HASH}\n"))).unwrap();
    assert!(!format!("{file:?}").contains("2y"), "{file:?}");
}

#[test]
fn http2_is_taken_as_promtool_takes_it_and_it_is_said_that_there_is_none() {
    let pki = Pki::new();
    let warnings = |yaml: &str| web_file::read(&pki.write(yaml)).unwrap().warnings;
    assert_eq!(warnings("http_server_config:\n  http2: false\n"), []);
    let said = warnings("http_server_config:\n  http2: true\n");
    assert_eq!((said.len(), said[0].line, said[0].column), (1, 2, 10));
    assert!(said[0].message.contains("HTTP/1.1"), "{}", said[0].message);
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("vipwarden.toml");
    std::fs::write(&config, format!("[web]\nconfig_file = {:?}\n", pki.path("web.yml"))).unwrap();
    let checked = Command::new(env!("CARGO_BIN_EXE_vipwarden")).arg("check-config").arg(&config).output().unwrap();
    let told = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success() && told.contains("warning: ") && told.contains("HTTP/2 is not served"), "{told}");
}
