//! What is let in, over real connections.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use vipwarden::detect::Snapshot;
use vipwarden::engine::Shared;
use vipwarden::web::{self, Guard};

use super::pki::Pki;
use super::scene;

/// Far beyond what anything here takes; only a failure waits for it.
const DEADLINE: Duration = Duration::from_secs(60);

const TLS: &str = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n";

struct Server {
    address: SocketAddr,
    shared: Shared,
    guard: Guard,
}

impl Server {
    async fn start(pki: &Pki, yaml: &str) -> Self {
        Self::showing(pki, yaml, scene::with(vec![scene::healthy()])).await
    }

    async fn showing(pki: &Pki, yaml: &str, snapshot: Snapshot) -> Self {
        let guard = Guard::load(Some(&pki.write(yaml))).unwrap();
        let shared = scene::shared(snapshot);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(web::serve(listener, web::app(shared.clone()), guard.clone()));
        let expires = shared.certificate_expires.clone();
        tokio::spawn(guard.clone().follow(move |at| expires.store(at.map(Arc::new))));
        Self { address, shared, guard }
    }

    async fn connect(&self, client: Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, String> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = "localhost".try_into().unwrap();
        TlsConnector::from(client).connect(name, stream).await.map_err(|error| error.to_string())
    }

    /// The answer's head and body over TLS.
    async fn ask(&self, client: Arc<ClientConfig>, headers: &str) -> Result<String, String> {
        exchange(self.connect(client).await?, "/metrics", headers).await
    }

    async fn ask_in_the_clear(&self, headers: &str) -> String {
        exchange(TcpStream::connect(self.address).await.unwrap(), "/metrics", headers).await.unwrap_or_default()
    }

    async fn until(&self, mut holds: impl AsyncFnMut() -> bool) {
        let waiting = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(DEADLINE, waiting).await.expect("it never came to be");
    }

    fn expires(&self) -> Option<i64> {
        self.shared.certificate_expires.load().as_deref().copied()
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    path: &str,
    headers: &str,
) -> Result<String, String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n");
    let mut answer = Vec::new();
    let talking = async {
        stream.write_all(request.as_bytes()).await?;
        stream.read_to_end(&mut answer).await
    };
    tokio::time::timeout(DEADLINE, talking).await.expect("an answer").map_err(|error| error.to_string())?;
    Ok(String::from_utf8(answer).unwrap())
}

/// Asks, and reads as far as `wanted`; the connection stays.
async fn begin<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, path: &str, headers: &str, wanted: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&read).contains(wanted) {
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "no {wanted:?} in {read:?}");
        }
    };
    tokio::time::timeout(DEADLINE, reading).await.expect("an answer");
}

/// A client that trusts the CA; with a certificate of its own where there is one.
fn client(pki: &Pki, own: Option<(&Path, &Path)>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pki.path("ca.pem")).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(vipwarden::sys::tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match own {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let chain = vec![CertificateDer::from_pem_file(cert).unwrap()];
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap()
        }
    })
}

fn basic(login: &str) -> String {
    format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode(login))
}

fn users(users: &[(&str, &str, u32)]) -> String {
    let lines =
        users.iter().map(|(name, password, cost)| format!("  {name}: {}\n", bcrypt::hash(password, *cost).unwrap()));
    format!("basic_auth_users:\n{}", lines.collect::<String>())
}

#[tokio::test]
async fn with_tls_the_metrics_come_over_tls_and_not_in_the_clear() {
    let pki = Pki::new();
    let server = Server::start(&pki, TLS).await;
    let answer = server.ask(client(&pki, None), "").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("vrrp_split_brain"), "{answer}");
    assert!(answer.contains("vipwarden_tls_certificate_expiry_timestamp_seconds 4102444800\n"), "{answer}");
    assert!(!server.ask_in_the_clear("").await.contains("vrrp_"));
}

#[tokio::test]
async fn a_client_without_a_certificate_of_the_right_authority_is_kept_out() {
    let (pki, stranger) = (Pki::new(), Pki::new());
    let yaml = format!("{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n");
    let server = Server::start(&pki, &yaml).await;
    let own = |pki: &Pki| (pki.path("cert.pem"), pki.path("key.pem"));
    let (cert, key) = own(&pki);
    let answer = server.ask(client(&pki, Some((&cert, &key))), "").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (cert, key) = own(&stranger);
    for refused in [client(&pki, None), client(&pki, Some((&cert, &key)))] {
        let answer = server.ask(refused, "").await;
        assert!(!answer.clone().unwrap_or_default().contains("vrrp_"), "{answer:?}");
    }
}

#[tokio::test]
async fn users_read_and_others_are_asked_who_they_are() {
    let pki = Pki::new();
    let yaml = format!(
        "{}http_server_config:\n  headers:\n    X-Frame-Options: deny\n",
        users(&[("alice", "ra:bbit", 4), ("bob", "hat", 5)])
    );
    let server = Server::start(&pki, &yaml).await;
    for login in ["alice:ra:bbit", "alice:ra:bbit", "bob:hat"] {
        let answer = server.ask_in_the_clear(&basic(login)).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("x-frame-options: deny"), "{answer}");
    }
    let bearer = "Authorization: Bearer abc\r\n".to_owned();
    let garbled = "Authorization: Basic ***\r\n".to_owned();
    for headers in [String::new(), bearer, garbled, basic("alice"), basic("alice:hat"), basic("carol:hat"), basic(":")]
    {
        let answer = server.ask_in_the_clear(&headers).await;
        assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("www-authenticate: Basic"), "{headers}{answer}");
        assert!(!answer.contains("vrrp_"), "{answer}");
    }
}

#[tokio::test]
async fn a_changed_file_is_taken_without_a_restart_and_a_broken_one_is_not() {
    let pki = Pki::new();
    let server = Server::start(&pki, TLS).await;
    server.until(async || server.expires() == Some(4_102_444_800)).await;
    pki.sign("cert.pem", "key.pem", 2050);
    server.until(async || server.expires() == Some(2_524_608_000)).await;
    assert!(server.ask(client(&pki, None), "").await.unwrap().starts_with("HTTP/1.1 200"));

    pki.write("tls_server_config: {");
    // Who looks first is told; the other one finds nothing new.
    let _ = server.guard.look();
    assert!(!server.guard.look().unwrap(), "a file that was refused is not tried again");
    assert!(server.ask(client(&pki, None), "").await.unwrap().starts_with("HTTP/1.1 200"), "the old one is in force");
    pki.write(&format!("{TLS}{}", users(&[("alice", "rabbit", 4)])));
    server.until(async || server.ask(client(&pki, None), "").await.unwrap().starts_with("HTTP/1.1 401")).await;
    assert!(server.ask(client(&pki, None), &basic("alice:rabbit")).await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_stream_ends_when_others_may_read() {
    let pki = Pki::new();
    let server = Server::start(&pki, &users(&[("alice", "rabbit", 4), ("bob", "hat", 4)])).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let headers = format!("Accept: text/event-stream\r\n{}", basic("alice:rabbit"));
    begin(&mut stream, "/api/v1/events", &headers, "HTTP/1.1 200").await;
    pki.write(&users(&[("bob", "hat", 4)]));
    let mut rest = Vec::new();
    tokio::time::timeout(DEADLINE, stream.read_to_end(&mut rest)).await.expect("the stream ends").unwrap();
    assert!(server.ask_in_the_clear(&headers).await.starts_with("HTTP/1.1 401"));
    assert!(server.ask_in_the_clear(&basic("bob:hat")).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_connection_that_an_authority_has_let_in_ends_with_that_authority() {
    let (pki, next) = (Pki::new(), Pki::new());
    let yaml = format!("{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n");
    let server = Server::start(&pki, &yaml).await;
    let own = client(&pki, Some((&pki.path("cert.pem"), &pki.path("key.pem"))));
    let mut kept = server.connect(own.clone()).await.unwrap();
    begin(&mut kept, "/-/healthy", "", "the loop turns").await;
    std::fs::copy(next.path("ca.pem"), pki.path("next.pem")).unwrap();
    pki.write(&yaml.replace("ca.pem", "next.pem"));
    server.until(async || server.ask(own.clone(), "").await.is_err()).await;
    let answer = exchange(kept, "/-/healthy", "").await;
    assert!(answer.as_ref().map_or(true, String::is_empty), "{answer:?}");
}

/// A connection whose buffer takes little, on which `/metrics` was asked for.
async fn scraper_that_does_not_read(server: &Server) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    tokio::time::timeout(DEADLINE, stream.peek(&mut [0])).await.expect("an answer begins").unwrap();
    stream
}

/// True if the rest of an answer comes, to its last line, within a deadline.
async fn comes_to_its_end(stream: &mut TcpStream, last: &str) -> bool {
    let mut rest = Vec::new();
    let reading = async {
        while !rest.ends_with(last.as_bytes()) && stream.read_buf(&mut rest).await.is_ok_and(|read| read > 0) {}
    };
    tokio::time::timeout(DEADLINE, reading).await.expect("it ends in one way or the other");
    rest.ends_with(last.as_bytes())
}

/// More than two mebibytes of metrics, and their last line.
async fn large(pki: &Pki) -> (Server, String) {
    let server = Server::showing(pki, "", scene::with((0..1000).map(scene::observed).collect())).await;
    let answer = server.ask_in_the_clear("").await;
    assert!(answer.len() > 2 << 20, "{} bytes", answer.len());
    let last = answer.lines().next_back().unwrap();
    (server, format!("{last}\n"))
}

#[tokio::test]
async fn answers_that_nobody_reads_do_not_pile_up() {
    let (server, last) = large(&Pki::new()).await;
    let mut readers = Vec::new();
    for _ in 0..40 {
        readers.push(scraper_that_does_not_read(&server).await);
    }
    assert!(!comes_to_its_end(&mut readers[0], &last).await, "the first one had to go");
    assert!(comes_to_its_end(&mut readers[39], &last).await, "the last one is answered");
}

#[tokio::test]
async fn who_reads_a_large_answer_drop_by_drop_is_dismissed() {
    let (server, last) = large(&Pki::new()).await;
    let mut slow = scraper_that_does_not_read(&server).await;
    // Longer than an answer may take, and never so long without reading that TCP itself gives up.
    for _ in 0..400 {
        let _ = slow.read(&mut [0; 1024]).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!comes_to_its_end(&mut slow, &last).await);
}

#[tokio::test]
async fn who_holds_connections_open_and_says_nothing_keeps_nobody_out() {
    let pki = Pki::new();
    let server = Server::start(&pki, "").await;
    let mut silent = Vec::new();
    for _ in 0..600 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    assert!(server.ask_in_the_clear("").await.starts_with("HTTP/1.1 200"));
    // The first ones had to go; the last one is still heard.
    assert_eq!(silent[0].read(&mut [0; 1]).await.unwrap_or(0), 0);
    let last = silent.pop().unwrap();
    assert!(exchange(last, "/-/healthy", "").await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_endless_head_is_refused() {
    let pki = Pki::new();
    let server = Server::start(&pki, "").await;
    let long = format!("X-Long: {}\r\n", "x".repeat(64 << 10));
    let many = "X-Many: x\r\n".repeat(200);
    for headers in [long, many] {
        let answer = server.ask_in_the_clear(&headers).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    assert!(server.ask_in_the_clear("").await.starts_with("HTTP/1.1 200"));
}
