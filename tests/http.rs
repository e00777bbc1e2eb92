//! The HTTP client against real servers: over TCP, TLS and a Unix socket, and against those that don't behave.

#[path = "support/certificates.rs"]
mod certificates;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;
use vipwarden::engine::http::{Client, Error};
use vipwarden::sys::tls::{self, ClientFiles};

use certificates::{Authority, Pair};

/// Longer than anything takes that comes at all.
const LONG: Duration = Duration::from_secs(20);
const ANSWER_MAX: usize = 64;

/// Reads one request's head and what follows it so far.
async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Answers every request of a connection with which connection it is, and how often it was asked there.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, connection: usize) {
    let mut asked = 0;
    while let Some(head) = request(&mut stream).await {
        asked += 1;
        let auth = head.lines().find(|line| line.to_lowercase().starts_with("authorization")).unwrap_or("");
        let body = format!("{connection}.{asked} {auth}");
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A server with TLS; it asks for clients' certificates if it is given a CA for them.
async fn secret_server(pair: &Pair, clients: Option<&Path>) -> SocketAddr {
    let builder = ServerConfig::builder_with_provider(tls::provider()).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let roots = Arc::new(tls::roots(ca).unwrap());
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, tls::provider()).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config = builder
        .with_single_cert(tls::certificates(&pair.cert).unwrap(), tls::private_key(&pair.key).unwrap())
        .expect("a pair");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        let mut connection = 0;
        while let Ok((stream, _)) = listener.accept().await {
            connection += 1;
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(answer(stream, connection));
            }
        }
    });
    address
}

/// A server that sends these bytes to whoever asks, and closes.
async fn crude_server(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            request(&mut stream).await;
            let _ = stream.write_all(bytes).await;
        }
    });
    address
}

fn client(files: ClientFiles) -> Client {
    Client::new(LONG, ANSWER_MAX).with_tls(tls::Client::load(files).expect("good files"))
}

fn trusting(ca: &Authority) -> ClientFiles {
    ClientFiles { ca: Some(ca.file()), ..ClientFiles::default() }
}

fn url(host: &str, server: SocketAddr) -> Uri {
    format!("https://{host}:{}/x", server.port()).parse().expect("a URL")
}

async fn body(client: &Client, url: &Uri) -> Result<String, String> {
    let answer = client.get(url).await.map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&answer.body).trim().to_owned())
}

#[tokio::test]
async fn it_speaks_tls_with_a_name_or_an_address_and_keeps_the_connection() {
    let ca = Authority::new();
    let server = secret_server(&ca.sign("server", &["localhost", "127.0.0.1"]), None).await;
    let client = client(trusting(&ca));
    assert_eq!(body(&client, &url("127.0.0.1", server)).await.as_deref(), Ok("1.1"));
    assert_eq!(body(&client, &url("127.0.0.1", server)).await.as_deref(), Ok("1.2"));
    assert_eq!(body(&client, &url("localhost", server)).await.as_deref(), Ok("2.1"), "another name is another server");
}

#[tokio::test]
async fn a_certificate_that_is_not_as_it_should_be_is_refused_with_what_to_do() {
    let (ca, other) = (Authority::new(), Authority::new());
    let of_other = other.sign("server", &["127.0.0.1"]);
    let expired = ca.sign_until("old", &["127.0.0.1"], 2020);
    let misnamed = ca.sign("misnamed", &["elsewhere.example"]);
    for (pair, words) in [(of_other, "ca_file"), (expired, "expired"), (misnamed, "not for 127.0.0.1")] {
        let server = secret_server(&pair, None).await;
        let error = client(trusting(&ca)).get(&url("127.0.0.1", server)).await.expect_err(words);
        assert!(matches!(error, Error::Tls { .. }) && !error.may_have_arrived(), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(error.to_string().contains(&server.port().to_string()), "it names the server: {error}");
    }
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_gets_ours_and_says_so_if_there_is_none() {
    let (ca, clients) = (Authority::new(), Authority::new());
    let server = secret_server(&ca.sign("server", &["127.0.0.1"]), Some(&clients.file())).await;
    let url = url("127.0.0.1", server);
    let own = |pair: Pair| ClientFiles { cert: Some(pair.cert), key: Some(pair.key), ..trusting(&ca) };
    assert!(body(&client(own(clients.sign("client", &["lb01"]))), &url).await.is_ok());
    let error = body(&client(trusting(&ca)), &url).await.expect_err("no certificate");
    assert!(error.contains("cert_file"), "{error}");
    let stranger = Authority::new();
    let error = body(&client(own(stranger.sign("stranger", &["lb01"]))), &url).await.expect_err("a stranger's");
    assert!(error.contains("its CA has signed"), "{error}");
}

#[tokio::test]
async fn a_certificate_that_was_renewed_is_used_from_the_next_connection_on() {
    let (ca, other) = (Authority::new(), Authority::new());
    let server = secret_server(&ca.sign("server", &["127.0.0.1"]), None).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("trusted.pem");
    fs::copy(other.file(), &file).unwrap();
    let client = client(ClientFiles { ca: Some(file.clone()), ..ClientFiles::default() });
    assert!(body(&client, &url("127.0.0.1", server)).await.is_err());
    fs::write(&file, "half of").unwrap();
    assert!(body(&client, &url("127.0.0.1", server)).await.is_err(), "an unusable file changes nothing");
    let new = directory.path().join("new.pem");
    fs::copy(ca.file(), &new).unwrap();
    fs::rename(&new, &file).unwrap();
    assert!(body(&client, &url("127.0.0.1", server)).await.is_ok());
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_name_and_what_to_do() {
    let ca = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("empty"), "").unwrap();
    fs::write(path("garbage"), "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").unwrap();
    fs::write(path("encrypted"), "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
        .unwrap();
    let (one, two) = (ca.sign("one", &["a"]), ca.sign("two", &["b"]));
    let files = |ca: &Path, cert: Option<&Path>, key: Option<&Path>| ClientFiles {
        ca: Some(ca.to_owned()),
        cert: cert.map(Path::to_owned),
        key: key.map(Path::to_owned),
    };
    for (files, words) in [
        (files(&path("missing"), None, None), ["missing", "create it"]),
        (files(&path("empty"), None, None), ["empty", "BEGIN CERTIFICATE"]),
        (files(&path("garbage"), None, None), ["garbage", "PEM"]),
        (files(directory.path(), None, None), ["", "regular file"]),
        (files(&ca.file(), Some(&one.cert), None), ["key_file", "neither"]),
        (files(&ca.file(), Some(&one.cert), Some(&path("encrypted"))), ["encrypted", "passphrase"]),
        (files(&ca.file(), Some(&one.cert), Some(&two.key)), ["two.key", "belongs together"]),
    ] {
        let error = files.load().expect_err(words[1]).to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{words:?}: {error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_named_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH\r\n").await;
            request(&mut stream).await;
        }
    });
    let ca = Authority::new();
    let error = client(trusting(&ca)).get(&url("127.0.0.1", server)).await.expect_err("no TLS");
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
    assert!(!error.may_have_arrived());
}

#[tokio::test]
async fn an_answer_has_a_bound_a_time_and_an_end() {
    let long = crude_server(b"HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n01234567890123456789012345678901234567890123456789012345678901234").await;
    let plain = |server: SocketAddr| -> Uri { format!("http://{server}/").parse().unwrap() };
    let error = Client::new(LONG, ANSWER_MAX).get(&plain(long)).await.expect_err("too long");
    assert!(matches!(error, Error::TooLong { max: ANSWER_MAX, .. }), "{error}");

    let broken = crude_server(b"HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n0123").await;
    let error = Client::new(LONG, ANSWER_MAX).get(&plain(broken)).await.expect_err("half an answer");
    assert!(matches!(error, Error::Exchange { .. }) && error.may_have_arrived(), "{error}");

    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = deaf.local_addr().unwrap();
    let error = Client::new(Duration::from_millis(50), ANSWER_MAX).get(&plain(silent)).await.expect_err("silence");
    assert!(matches!(error, Error::Late { was_sent: true, .. }), "{error}");

    drop(deaf);
    let error = Client::new(LONG, ANSWER_MAX).get(&plain(silent)).await.expect_err("nobody");
    assert!(matches!(error, Error::Connect { .. }) && !error.may_have_arrived(), "{error}");
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_is_made_anew() {
    let server = crude_server(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    let client = Client::new(LONG, ANSWER_MAX);
    let url = format!("http://{server}/").parse().unwrap();
    for _ in 0..20 {
        let answer = client.get(&url).await;
        // A close that races the request is told as an error: what may have arrived is never sent twice.
        assert!(answer.as_ref().map_or_else(Error::may_have_arrived, |answer| answer.status == 204), "{answer:?}");
    }
}

#[tokio::test]
async fn a_password_is_sent_and_shown_nowhere() {
    let ca = Authority::new();
    let server = secret_server(&ca.sign("server", &["127.0.0.1"]), None).await;
    let client = client(trusting(&ca)).with_basic_auth("me", "hunter2");
    let said = body(&client, &url("127.0.0.1", server)).await.expect("an answer");
    assert!(said.ends_with("Basic bWU6aHVudGVyMg=="), "{said}");
    assert!(!format!("{client:?}").contains("hunter2"));
    let with_user: Uri = format!("https://me:hunter2@{server}/").parse().unwrap();
    let error = client.get(&with_user).await.expect_err("a password in a URL");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn it_asks_over_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        answer(stream, 7).await;
    });
    let client = Client::new(LONG, ANSWER_MAX).over_socket(path);
    assert_eq!(body(&client, &"http://localhost/".parse().unwrap()).await.as_deref(), Ok("7.1"));
}
