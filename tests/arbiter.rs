//! The arbiter against real etcd: one node, three nodes, with a login, with TLS. Each test has a network namespace of its own (needs root).

#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/etcd.rs"]
mod etcd;
mod netns;

use std::io;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use certificates::Authority;
use etcd::{Cluster, Tls};
use netns::in_fresh_netns;
use vipwarden::engine::arbiter::etcd::{ANSWER_MAX, Etcd, Login};
use vipwarden::engine::arbiter::register::CasRegister as _;
use vipwarden::engine::http::Client;
use vipwarden::fence::lease::{Entry, Outcome, Sighting, Value};
use vipwarden::sys::tls::{self, ClientFiles};

const KEY: &str = "/vipwarden/web";
/// As a lease with a wait of 3 s has it.
const WITHIN: Duration = Duration::from_millis(700);

fn register(urls: &[String], login: Option<(&str, &str)>) -> Etcd {
    with_client(Client::new(WITHIN, ANSWER_MAX), urls, login)
}

fn with_client(client: Client, urls: &[String], login: Option<(&str, &str)>) -> Etcd {
    let endpoints = urls.iter().map(|url| url.parse().expect("a URL")).collect();
    let login = login.map(|(user, password)| Login { user: user.into(), password: password.into() });
    Etcd::new(client, endpoints, login)
}

fn entry(holder: &str, counter: u64) -> Entry {
    let hold = Duration::from_millis(2920);
    Entry { holder: holder.into(), node: "lb01".into(), epoch: 1, counter, hold, released: false, challenger: None }
}

/// Writes, and expects it to be written.
async fn put(register: &Etcd, version: u64, entry: &Entry) -> u64 {
    let (outcome, trouble) = register.cas(KEY, version, entry).await;
    written(&outcome, entry).unwrap_or_else(|| panic!("{outcome:?} {trouble:?}"))
}

/// The version of an entry that was written: by a request that was sent twice, of which the second may be answered first.
fn written(outcome: &Outcome, entry: &Entry) -> Option<u64> {
    match outcome {
        Outcome::Done(version) => Some(*version),
        Outcome::Conflict(Sighting { version, value: Value::Entry(found) }) if found == entry => Some(*version),
        _ => None,
    }
}

#[test]
fn a_value_is_replaced_only_where_its_version_still_stands_and_a_person_can_read_it() {
    in_fresh_netns(|| async {
        let cluster = Cluster::start(1);
        let register = register(&cluster.urls(), None);
        assert_eq!(register.read(KEY).await, Ok(Sighting { version: 0, value: Value::Absent }));
        let first = put(&register, 0, &entry("a", 1)).await;
        let seen = Sighting { version: first, value: Value::Entry(entry("a", 1)) };
        assert_eq!(
            register.cas(KEY, 0, &entry("b", 1)).await,
            (Outcome::Conflict(seen.clone()), None),
            "it is not absent"
        );
        assert_eq!(register.read(KEY).await, Ok(seen));
        let second = put(&register, first, &entry("a", 2)).await;
        assert!(second > first);
        assert!(matches!(register.cas(KEY, first, &entry("b", 1)).await, (Outcome::Conflict(_), None)));

        let text = cluster.ctl(&["get", "--print-value-only", KEY], 0).expect("etcdctl reads it");
        assert_eq!(text.trim(), entry("a", 2).to_text());
        cluster.ctl(&["put", KEY, "mine!"], 0).expect("somebody writes nonsense");
        let Ok(Sighting { version, value: Value::Foreign }) = register.read(KEY).await else {
            panic!("nonsense is foreign")
        };
        put(&register, version, &entry("a", 3)).await;
        cluster.ctl(&["del", KEY], 0).expect("somebody deletes it");
        let absent = Sighting { version: 0, value: Value::Absent };
        assert_eq!(register.cas(KEY, version + 1, &entry("a", 4)).await, (Outcome::Conflict(absent), None));
    });
}

#[test]
fn two_that_write_on_one_version_never_both_succeed() {
    in_fresh_netns(|| async {
        let cluster = Cluster::start(1);
        let (a, b) = (register(&cluster.urls(), None), register(&cluster.urls(), None));
        let mut version = 0;
        for round in 1..200 {
            let (of_a, of_b) = (entry("a", round), entry("b", round));
            let (first, second) = tokio::join!(a.cas(KEY, version, &of_a), b.cas(KEY, version, &of_b));
            let (by_a, by_b) = (written(&first.0, &of_a), written(&second.0, &of_b));
            version = match (by_a, by_b, &first.0, &second.0) {
                (Some(version), None, _, Outcome::Conflict(seen)) => {
                    assert_eq!(*seen, Sighting { version, value: Value::Entry(of_a) });
                    version
                }
                (None, Some(version), Outcome::Conflict(seen), _) => {
                    assert_eq!(*seen, Sighting { version, value: Value::Entry(of_b) });
                    version
                }
                other => panic!("{other:?}"),
            };
        }
    });
}

#[test]
fn it_goes_on_when_the_leader_dies_and_says_nothing_is_written_only_if_it_isn_t() {
    in_fresh_netns(|| async {
        let mut cluster = Cluster::start(3);
        let urls = cluster.urls();
        let register = register(&urls, None);
        let mut version = put(&register, 0, &entry("a", 1)).await;
        let leader = cluster.leader();
        cluster.kill(leader);
        let mut counter = 2;
        let mut written = 0;
        while written < 5 {
            match register.cas(KEY, version, &entry("a", counter)).await.0 {
                Outcome::Done(new) => (version, written) = (new, written + 1),
                Outcome::Failed => continue,
                Outcome::Conflict(Sighting { version: new, value: Value::Entry(found) }) => {
                    // One that was unknown was written after all, or this very one, by the request that was answered later.
                    assert!(found.counter <= counter && found.holder == "a", "{found:?}");
                    version = new;
                }
                Outcome::Unknown => {}
                other @ Outcome::Conflict(_) => panic!("{other:?}"),
            }
            counter += 1;
        }
        // A second one: nobody is left to agree with.
        let other = (0..3).find(|index| *index != leader).expect("two are left");
        cluster.kill(other);
        let (outcome, trouble) = register.cas(KEY, version, &entry("a", counter)).await;
        assert!(matches!(outcome, Outcome::Unknown | Outcome::Failed), "{outcome:?}");
        assert!(trouble.expect("a reason").0.contains("127.0.0.1"));
        assert!(register.read(KEY).await.is_err(), "a minority is not believed");
        cluster.revive(leader);
        cluster.wait_for_leader();
        assert!(register.read(KEY).await.is_ok());
    });
}

#[test]
fn nobody_there_is_said_with_the_endpoint_and_nothing_is_written() {
    in_fresh_netns(|| async {
        let register = register(&["http://127.0.0.1:9".into(), "http://127.0.0.1:10".into()], None);
        let (outcome, trouble) = register.cas(KEY, 0, &entry("a", 1)).await;
        assert_eq!(outcome, Outcome::Failed);
        let trouble = trouble.expect("a reason").0;
        assert!(trouble.contains("http://127.0.0.1:"), "{trouble}");
    });
}

/// What becomes of the first request that comes to a port of ours.
#[derive(Clone, Copy, Debug)]
enum First {
    /// It is taken, and never answered: so does a member that has passed it on to a leader that is dead.
    Swallowed,
    /// It is taken, and the connection breaks.
    Broken,
}

/// The URL of a way to a member of etcd, on which the first connection leads nowhere.
fn way_to(url: &str, first: First) -> String {
    let member = url.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("it has one");
    thread::spawn(move || {
        let (mut taken, _) = listener.accept().expect("somebody asks");
        match first {
            First::Swallowed => drop(thread::spawn(move || io::copy(&mut taken, &mut io::sink()))),
            First::Broken => drop(io::Read::read(&mut taken, &mut [0; 64])),
        }
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(&member).expect("etcd is there");
            for (mut from, mut to) in [(&client, &server), (&server, &client)].map(|(a, b)| (copy(a), copy(b))) {
                thread::spawn(move || io::copy(&mut from, &mut to));
            }
        }
    });
    format!("http://{at}")
}

fn copy(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("a socket")
}

/// A renewal must not wait for who has died with it: a lease would not outlive that.
#[test]
fn a_request_that_is_lost_on_its_way_is_sent_again_there_or_elsewhere_and_written_once() {
    in_fresh_netns(|| async {
        let cluster = Cluster::start(1);
        let member = cluster.url(0);
        // So long that none of this is over because the time is.
        let register = |urls: &[String]| with_client(Client::new(Duration::from_secs(60), ANSWER_MAX), urls, None);
        let (mut version, mut counter) = (0, 0);
        for first in [First::Swallowed, First::Broken] {
            counter += 1;
            let other = register(&[way_to(&member, first), member.clone()]);
            version = put(&other, version, &entry("a", counter)).await;
            let reading = register(&[way_to(&member, first), member.clone()]);
            let seen = Sighting { version, value: Value::Entry(entry("a", counter)) };
            assert_eq!(reading.read(KEY).await, Ok(seen), "{first:?}");
        }
        let same = register(&[way_to(&member, First::Swallowed)]);
        put(&same, version, &entry("a", counter + 1)).await;
    });
}

#[test]
fn with_a_login_it_fetches_a_token_and_another_one_when_that_is_no_good_any_more() {
    in_fresh_netns(|| async {
        let mut cluster = Cluster::start(1);
        let ctl = |cluster: &Cluster, words: &[&str]| cluster.ctl(words, 0).expect("etcdctl");
        for words in [
            &["user", "add", "root:secret"][..],
            &["user", "add", "warden:hunter2"],
            &["user", "add", "outsider:hunter3"],
            &["role", "add", "warden"],
            &["role", "grant-permission", "warden", "--prefix=true", "readwrite", "/vipwarden/"],
            &["user", "grant-role", "warden", "warden"],
            &["user", "grant-role", "root", "root"],
        ] {
            ctl(&cluster, words);
        }
        let urls = cluster.urls();
        let warden = register(&urls, Some(("warden", "hunter2")));
        let trouble = warden.read(KEY).await.expect_err("it wants no login yet").0;
        assert!(trouble.contains("remove user"), "{trouble}");
        ctl(&cluster, &["auth", "enable"]);

        let first = put(&warden, 0, &entry("a", 1)).await;
        // Tokens are forgotten with a restart.
        cluster.kill(0);
        cluster.revive(0);
        let again = loop {
            match warden.cas(KEY, first, &entry("a", 2)).await {
                // One that was unknown may have been written after all.
                (outcome, None) => break written(&outcome, &entry("a", 2)).unwrap_or_else(|| panic!("{outcome:?}")),
                (Outcome::Failed | Outcome::Unknown, Some(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
                other => panic!("{other:?}"),
            }
        };
        assert!(again > first);
        // And revoked by a change of the users.
        cluster.ctl(&["--user=root:secret", "user", "add", "another:one"], 0).expect("a new user");
        put(&warden, again, &entry("a", 3)).await;

        for (login, words) in [
            (None, "set user and password_file"),
            (Some(("warden", "hunter4")), "check user and password_file"),
            (Some(("outsider", "hunter3")), "key_prefix"),
        ] {
            let trouble = register(&urls, login).read(KEY).await.expect_err(words).0;
            assert!(trouble.contains(words) && !trouble.contains("hunter"), "{trouble}");
        }
    });
}

#[test]
fn it_speaks_tls_and_shows_a_certificate() {
    in_fresh_netns(|| async {
        // One CA for both sides: etcd's gateway is a client of etcd itself, and shows the server's certificate there.
        let ca = Authority::new();
        let server = ca.sign("etcd", &["127.0.0.1", "localhost"]);
        let cluster = Cluster::start_secret(&Tls { cert: &server.cert, key: &server.key, clients: Some(&ca.file()) });
        let own = ca.sign("lb01", &["lb01"]);
        let trusting = ClientFiles { ca: Some(ca.file()), ..ClientFiles::default() };
        let complete = ClientFiles { cert: Some(own.cert), key: Some(own.key), ..trusting.clone() };
        let with = |files: ClientFiles| {
            let client =
                Client::new(Duration::from_secs(20), ANSWER_MAX).with_tls(tls::Client::load(files).expect("files"));
            with_client(client, &cluster.urls(), None)
        };
        put(&with(complete), 0, &entry("a", 1)).await;
        let trouble = with(trusting).read(KEY).await.expect_err("it wants a certificate").0;
        assert!(trouble.contains("cert_file"), "{trouble}");
        let other = Authority::new();
        let strange = ClientFiles { ca: Some(other.file()), ..ClientFiles::default() };
        let trouble = with(strange).read(KEY).await.expect_err("another CA").0;
        assert!(trouble.contains("ca_file"), "{trouble}");
    });
}
