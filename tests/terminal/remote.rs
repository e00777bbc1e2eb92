//! A vipwarden elsewhere, asked over TLS as a user.

use std::fs;

use super::pki::Pki;
use super::server::Server;
use super::{printed, scene, vipwarden};

#[test]
fn status_explain_and_events_are_read_from_elsewhere_over_tls_and_only_by_whom_it_knows() {
    let (pki, stranger) = (Pki::new(), Pki::new());
    let hash = bcrypt::hash("ra:bbit", 4).unwrap();
    let rules =
        format!("tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\nbasic_auth_users:\n  alice: {hash}\n");
    let server = Server::start(scene::with(vec![scene::speaking(), scene::split_brain()]), Some(&pki.write(&rules)));
    let url = format!("https://localhost:{}", server.address.port());
    let file = |name: &str, text: &str| {
        fs::write(pki.path(name), text).unwrap();
        pki.path(name).to_str().unwrap().to_owned()
    };
    let (alice, mallory) = (file("alice", "alice:ra:bbit\n"), file("mallory", "alice:dormouse\n"));
    let (ca, wrong) = (pki.path("ca.pem"), stranger.path("ca.pem"));
    let (ca, wrong) = (ca.to_str().unwrap(), wrong.to_str().unwrap());
    let ask = |words: &[&str], ca: &str, login: &[&str]| {
        let output = vipwarden(&[words, &["--url", &url, "--ca", ca], login].concat());
        (output.status.code(), printed(&output))
    };
    let known = ["--user-file", alice.as_str()];
    let (code, said) = ask(&["status"], ca, &known);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.starts_with("VRRP CRITICAL - 192.168.1.100 split_brain"), "{said}");
    let (code, said) = ask(&["explain", "192.168.1.100"], ca, &known);
    assert_eq!(code, Some(0), "{said}");
    let runbook = format!("runbook   {url}/docs/runbooks/causes.md#firewall_drop");
    assert!(said.starts_with("SPLIT BRAIN  192.168.1.100") && said.contains(&runbook), "{said}");
    assert_eq!(ask(&["events"], ca, &known), (Some(0), String::new()));

    // Who is not known, and who is not who it says: each is told what is wrong, and none is told more.
    let refused: [(&str, &[&str], &str); 3] = [
        (ca, &[], "--user-file"),
        (ca, &["--user-file", &mallory], "refuses the name and password of"),
        (wrong, &known, "name its CA with ca_file (on the command line: --ca"),
    ];
    for (ca, login, hint) in refused {
        let (code, said) = ask(&["status"], ca, login);
        assert_eq!(code, Some(3), "a check that can't ask is unknown, and no alarm: {said}");
        assert!(said.starts_with("VRRP UNKNOWN - ") && said.contains(hint), "{hint}: {said}");
        assert!(!said.contains("192.168.1.100") && !said.contains("dormouse") && !said.contains("ra:bbit"), "{said}");
        assert_eq!(ask(&["explain", "51"], ca, login).0, Some(1));
        assert_eq!(ask(&["events"], ca, login).0, Some(1));
    }
}
