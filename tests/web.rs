//! Pages and API over real connections.

#[path = "support/snapshot.rs"]
mod scene;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use vipwarden::detect::{Snapshot, Verdict};
use vipwarden::engine::Shared;
use vipwarden::sys::clock;
use vipwarden::web;

/// Far beyond what anything here takes; only a failure waits for it.
const DEADLINE: Duration = Duration::from_secs(60);

struct Server {
    address: SocketAddr,
    shared: Shared,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)))
            .map(|h| h.1)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Lets everybody read.
fn open() -> web::Guard {
    web::Guard::load(None).unwrap()
}

impl Server {
    async fn start(snapshot: Snapshot) -> Self {
        Self::start_at(snapshot, (Ipv4Addr::LOCALHOST, 0).into()).await
    }

    async fn start_at(snapshot: Snapshot, address: SocketAddr) -> Self {
        let shared = scene::shared(snapshot);
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(web::serve(listener, web::app(shared.clone()), open()));
        Self { address, shared }
    }

    async fn open(&self, method: &str, path: &str, headers: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: lb01\r\n{headers}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        let mut text = String::new();
        let mut stream = self.open(method, path, headers).await;
        tokio::time::timeout(DEADLINE, stream.read_to_string(&mut text)).await.unwrap().unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Answer { status: head[9..12].parse().unwrap(), head: head.into(), body: body.into() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "").await
    }

    /// Lets the loop seem to have turned last `ago`.
    fn stall(&self, ago: Duration) {
        let mut view = (**self.shared.view.load()).clone();
        view.last_turn = view.last_turn - ago;
        self.shared.view.store(Arc::new(view));
    }
}

/// Reads until `wanted` has come.
async fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut text = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&text).contains(wanted) {
            assert_ne!(stream.read_buf(&mut text).await.unwrap(), 0, "closed before {wanted:?}");
        }
    };
    let finished = tokio::time::timeout(DEADLINE, reading).await;
    let text = String::from_utf8_lossy(&text).into_owned();
    finished.unwrap_or_else(|_| panic!("no {wanted:?} in {text:?}"));
    text
}

const STREAM: &str = "Accept: text/event-stream\r\n";

#[tokio::test]
async fn the_status_is_the_snapshot_as_json() {
    let server = Server::start(scene::rich()).await;
    let answer = server.get("/api/v1/status").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let status = answer.json();
    assert_eq!(status["verdict"], "split_brain");
    let router = &status["routers"][0];
    assert_eq!(router["name"], "web");
    assert_eq!(router["vlan"], Value::Null);
    assert_eq!(router["causes"], serde_json::json!(["firewall_drop"]));
    assert_eq!(router["addresses"][0]["claimants"][1], "02:00:00:00:00:bb");
    assert_eq!(router["fence"], Value::Null);
    assert_eq!(status["sensors"]["blind"][0]["interface"], "eth1");
    let date = status["generated_at"].as_str().unwrap();
    assert!(date.ends_with('Z') && date.len() == "2026-11-20T10:00:00.123Z".len(), "{date}");
}

#[tokio::test]
async fn the_status_reads_back_into_the_same_document() {
    let server = Server::start(scene::rich()).await;
    let body = server.get("/api/v1/status").await.body;
    let document: web::document::StatusDoc = serde_json::from_str(&body).unwrap();
    assert_eq!(document.routers.len(), 7);
    assert_eq!(serde_json::to_string(&document).unwrap(), body);
}

#[tokio::test]
async fn filters_choose_routers_and_a_wrong_filter_is_refused() {
    let server = Server::start(scene::rich()).await;
    for (query, names) in [
        ("router=db", vec!["db"]),
        ("vip=192.168.1.101", vec!["db"]),
        ("verdict=degraded", vec!["mail"]),
        ("verdict=split_brain&router=db", vec![]),
    ] {
        let status = server.get(&format!("/api/v1/status?{query}")).await.json();
        let found: Vec<_> = status["routers"].as_array().unwrap().iter().map(|r| r["name"].clone()).collect();
        assert_eq!(found, names, "{query}");
        assert_eq!(status["verdict"], "split_brain", "the node's verdict is not filtered");
    }
    for query in ["verdict=splitbrain", "vip=web", "verdct=healthy"] {
        assert_eq!(server.get(&format!("/api/v1/status?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn metrics_come_in_the_format_that_is_asked_for() {
    let server = Server::start(scene::rich()).await;
    let text = server.get("/metrics").await;
    assert_eq!(text.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(text.body.contains("vrrp_split_brain{router=\"web\""));
    let open = server.ask("GET", "/metrics", "Accept: application/openmetrics-text;version=1.0.0\r\n").await;
    assert_eq!(open.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(open.body.ends_with("# EOF\n"));
}

#[tokio::test]
async fn events_are_listed_from_a_number_on_newest_last() {
    let server = Server::start(scene::empty()).await;
    for reason in ["one", "two", "three"] {
        server.shared.events.push(scene::event(reason), clock::wall());
    }
    let reasons = |answer: Answer| {
        answer.json().as_array().unwrap().iter().map(|e| e["reason"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(reasons(server.get("/api/v1/events").await), ["one", "two", "three"]);
    assert_eq!(reasons(server.get("/api/v1/events?after=2").await), ["three"]);
    assert_eq!(reasons(server.get("/api/v1/events?after=3").await), Vec::<String>::new());
    // A number from before a restart.
    let ahead = server.get(&format!("/api/v1/events?after={}", u64::MAX)).await;
    assert_eq!(reasons(ahead), ["one", "two", "three"]);
}

#[tokio::test]
async fn a_stream_tells_what_was_and_then_what_happens() {
    let server = Server::start(scene::empty()).await;
    server.shared.events.push(scene::event("before"), clock::wall());
    let mut stream = server.open("GET", "/api/v1/events", STREAM).await;
    let head = read_until(&mut stream, "\"before\"").await;
    assert!(head.contains("content-type: text/event-stream") && head.contains("id: 1\n"), "{head}");
    server.shared.events.push(scene::event("after"), clock::wall());
    assert!(read_until(&mut stream, "\"after\"").await.contains("id: 2\n"));
}

#[tokio::test]
async fn a_reconnecting_reader_goes_on_where_it_was() {
    let server = Server::start(scene::empty()).await;
    for reason in ["one", "two", "three"] {
        server.shared.events.push(scene::event(reason), clock::wall());
    }
    let headers = format!("{STREAM}Last-Event-ID: 2\r\n");
    let mut stream = server.open("GET", "/api/v1/events?after=0", &headers).await;
    let text = read_until(&mut stream, "\"three\"").await;
    assert!(!text.contains("\"two\"") && !text.contains("event: lost"), "{text}");
}

#[tokio::test]
async fn a_reader_is_told_when_the_ring_ran_over() {
    let server = Server::start(scene::empty()).await;
    for number in 1..=20 {
        server.shared.events.push(scene::event(&format!("number {number}")), clock::wall());
    }
    let headers = format!("{STREAM}Last-Event-ID: 5\r\n");
    let mut stream = server.open("GET", "/api/v1/events", &headers).await;
    let text = read_until(&mut stream, "\"number 20\"").await;
    let (marker, first) = (text.find("event: lost\ndata: {\"after\":5}").unwrap(), text.find("\"number 13\"").unwrap());
    assert!(marker < first && !text.contains("\"number 12\""), "{text}");
    assert_eq!(text.matches("event: lost").count(), 1);
}

#[tokio::test]
async fn a_reader_from_before_a_restart_is_told_so_and_hears_on() {
    let server = Server::start(scene::empty()).await;
    let headers = format!("{STREAM}Last-Event-ID: 4711\r\n");
    let mut stream = server.open("GET", "/api/v1/events", &headers).await;
    read_until(&mut stream, "event: lost").await;
    server.shared.events.push(scene::event("first of a new life"), clock::wall());
    read_until(&mut stream, "\"first of a new life\"").await;
}

#[tokio::test]
async fn streams_are_bounded_and_leave_the_metrics_reachable_and_a_stream_to_others() {
    let server = Server::start(scene::empty()).await;
    let mut streams = Vec::new();
    for _ in 0..64 {
        let mut stream = server.open("GET", "/api/v1/events", STREAM).await;
        read_until(&mut stream, "200 OK").await;
        streams.push(stream);
    }
    assert_eq!(server.ask("GET", "/api/v1/events", STREAM).await.status, 503);
    assert_eq!(server.get("/metrics").await.status, 200);
    let other = TcpSocket::new_v4().unwrap();
    other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = other.connect(server.address).await.unwrap();
    other.write_all(format!("GET /api/v1/events HTTP/1.1\r\nHost: lb01\r\n{STREAM}\r\n").as_bytes()).await.unwrap();
    read_until(&mut other, "200 OK").await;
    let mut rest = Vec::new();
    tokio::time::timeout(DEADLINE, streams[0].read_to_end(&mut rest)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_with_a_thread_of_its_own_answers_and_tells_events_and_ends() {
    let shared = scene::shared(scene::empty());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let thread = web::Server::start(vec![listener], web::app(shared.clone()), open()).unwrap();
    let server = Server { address, shared };
    assert_eq!(server.get("/metrics").await.status, 200);
    let mut stream = server.open("GET", "/api/v1/events", STREAM).await;
    read_until(&mut stream, "200 OK").await;
    server.shared.events.push(scene::event("told later"), clock::wall());
    read_until(&mut stream, "told later").await;
    drop(thread);
    let is_closed = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, is_closed).await.unwrap();
}

#[tokio::test]
async fn liveness_follows_the_loop_and_readiness_what_is_seen() {
    let server = Server::start(scene::with(vec![scene::healthy()])).await;
    assert_eq!((server.get("/-/healthy").await.status, server.get("/-/ready").await.status), (200, 200));
    server.stall(Duration::from_secs(6));
    assert_eq!((server.get("/-/healthy").await.status, server.get("/-/ready").await.status), (503, 503));

    let blind = Server::start(scene::rich()).await;
    let ready = blind.get("/-/ready").await;
    assert_eq!((blind.get("/-/healthy").await.status, ready.status), (200, 503));
    assert_eq!(ready.json()["blind"][0]["sensor"], "carrier");

    let mut snapshot = scene::empty();
    snapshot.captures.clear();
    assert_eq!(Server::start(snapshot).await.get("/-/ready").await.status, 503);
}

#[tokio::test]
async fn a_peer_is_answered_only_once_this_hosts_addresses_are_known() {
    let mut snapshot = scene::empty();
    assert_eq!(Server::start(snapshot.clone()).await.get("/api/v1/peer?nonce=n").await.status, 200);
    snapshot.addresses.clear();
    assert_eq!(Server::start(snapshot).await.get("/api/v1/peer?nonce=n").await.status, 503);
}

#[tokio::test]
async fn a_loop_that_hangs_leaves_no_healthy_router_on_page_or_api() {
    let server = Server::start(scene::with(vec![scene::healthy()])).await;
    assert_eq!(server.get("/api/v1/status").await.json()["verdict"], "healthy");
    server.stall(Duration::from_secs(6));
    let status = server.get("/api/v1/status").await.json();
    assert_eq!((&status["verdict"], &status["routers"][0]["verdict"]), (&"unknown".into(), &"unknown".into()));
    let page = server.get("/").await.body;
    assert!(page.contains("UNKNOWN") && !page.contains("HEALTHY"));
}

#[tokio::test]
async fn the_page_puts_the_worst_first_and_carries_it_in_title_and_icon() {
    let server = Server::start(scene::with(vec![scene::healthy(), scene::no_master(), scene::split_brain()])).await;
    let page = server.get("/").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.body.contains("<title>SPLIT BRAIN · lb01 · vipwarden</title>"));
    assert!(page.body.contains("fill='%23cf222e'"));
    let place = |text: &str| page.body.find(text).unwrap_or_else(|| panic!("{text}"));
    assert!(place("<article class=\"card split_brain\"") < place("<article class=\"card no_master\""));
    assert!(
        place("nft insert rule inet filter input ip protocol 112 accept") < place("<article class=\"card no_master\"")
    );
    assert!(page.body.contains("advertises 200, answers ARP"));
}

#[tokio::test]
async fn a_speaker_tells_its_mode_priority_tracks_and_fence() {
    let server = Server::start(scene::with(vec![scene::speaking(), scene::fenced()])).await;
    let status = server.get("/api/v1/status").await.json();
    let [api, shop] = [&status["routers"][0], &status["routers"][1]];
    assert_eq!((&api["mode"], &shop["state"]), (&"speak".into(), &"fenced".into()));
    assert_eq!(api["priority"], serde_json::json!({ "base": 200, "effective": 180 }));
    assert_eq!(shop["priority"]["effective"], Value::Null);
    let nginx = serde_json::json!({ "name": "nginx", "kind": "check", "up": false, "weight": -20 });
    assert_eq!((&api["tracks"][0], &api["tracks"][2]["up"]), (&nginx, &Value::Null));
    assert_eq!(
        api["fence"],
        serde_json::json!({
            "fenced": false, "reason": null, "back_in_seconds": null, "gate_open": true, "gate_lacks": null, "address_lifetime_seconds": 4
        })
    );
    assert_eq!(shop["fence"]["fenced"], true);
    assert!(shop["fence"]["reason"].as_str().unwrap().starts_with("split brain: lb02"));
}

#[tokio::test]
async fn a_fence_has_a_card_and_the_header_although_another_node_serves() {
    let server = Server::start(scene::with(vec![scene::healthy(), scene::fenced()])).await;
    let page = server.get("/").await.body;
    assert!(page.contains("<title>FENCED 192.168.1.104 · lb01 · vipwarden</title>"));
    assert!(
        page.contains("data-key=\"head\" class=\"fenced\">")
            && page.contains("2 virtual routers, 2 healthy, 1 fenced here")
    );
    let card = page.split_once("<article class=\"card fenced\"").unwrap().1.split_once("</article>").unwrap().0;
    for said in [
        "FENCED</span>",
        "priority 200 → none",
        "<li>split brain: lb02 holds 192.168.1.104 too, and has the higher priority</li>",
        "check nginx is down: priority -20",
        "interface eth1 is down: a fault",
        "file /run/drain is not known yet",
        "takes part again in",
        "kernel gate closed: the addresses are silent",
    ] {
        assert!(card.contains(said), "{said}: {card}");
    }
    assert_eq!(page.matches("<article").count(), 1, "the other router needs no card");
}

#[tokio::test]
async fn a_speaker_that_is_well_has_its_priority_in_the_list() {
    let page = Server::start(scene::with(vec![scene::healthy(), scene::speaking()])).await.get("/").await.body;
    assert!(page.contains("data-head=\"this node\">master <span class=\"how\">priority 200 → 180</span></td>"));
    assert_eq!(page.matches("priority 200").count(), 1, "who only watches has none");
    assert!(!page.contains("<article") && !page.contains("FENCED"));
}

#[tokio::test]
async fn one_ill_router_is_named_in_the_title() {
    let server = Server::start(scene::with(vec![scene::healthy(), scene::no_master()])).await;
    assert!(server.get("/").await.body.contains("<title>NO MASTER 192.168.1.101 · lb01 · vipwarden</title>"));
}

#[tokio::test]
async fn a_blind_node_says_so_and_nothing_is_green() {
    let mut snapshot = scene::rich();
    snapshot.routers.retain(|r| r.verdict == Verdict::Unknown);
    let page = Server::start(snapshot).await.get("/").await.body;
    assert!(page.contains("This node is partly blind") && page.contains("eth1 has no carrier"));
    assert!(!page.contains("class=\"healthy\"") && !page.contains("verdict healthy"));
    assert!(page.contains("last held by"));
}

#[tokio::test]
async fn with_nothing_to_watch_the_page_does_not_claim_health() {
    let page = Server::start(scene::empty()).await.get("/").await.body;
    assert!(page.contains("NOTHING SEEN YET") && !page.contains("HEALTHY"));
}

#[tokio::test]
async fn hostile_names_stay_text_on_the_page_and_strings_in_the_json() {
    let evil = "\"><script>alert(1)</script>'&\u{0}\u{1b}[31m\n";
    let server = Server::start(scene::hostile(evil)).await;
    server.shared.events.push(vipwarden::detect::Event { router: evil.into(), ..scene::event(evil) }, clock::wall());
    let page = server.get("/").await.body;
    assert_eq!(page.matches("<script").count(), 1, "only the page's own");
    assert!(!page.contains("\"><script>") && !page.contains('\u{0}') && !page.contains('\u{1b}'));
    assert!(page.contains("&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;&amp;"));
    let status = server.get("/api/v1/status").await;
    assert_eq!(status.json()["routers"][0]["name"], evil);
    assert!(!status.body.chars().any(char::is_control));
    let mut stream = server.open("GET", "/api/v1/events", STREAM).await;
    let text = read_until(&mut stream, "evidence").await;
    assert!(text.lines().any(|line| line.starts_with("data: {\"id\":1,")), "{text}");
}

#[tokio::test]
async fn everything_is_hardened_and_unknown_paths_lead_home() {
    let server = Server::start(scene::empty()).await;
    for (path, status) in [("/", 200), ("/app.js", 200), ("/app.css", 200), ("/metrics", 200), ("/nowhere", 404)] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
    }
    assert!(server.get("/nowhere").await.body.contains("<a href=\"/\">"));
}

#[tokio::test]
async fn only_get_and_head_are_answered() {
    let server = Server::start(scene::empty()).await;
    for path in ["/", "/metrics", "/api/v1/status", "/api/v1/events", "/-/ready"] {
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let answer = server.ask(method, path, "Content-Length: 0\r\n").await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert!(answer.header("allow").unwrap().contains("GET"));
        }
    }
    let head = server.ask("HEAD", "/metrics", "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[tokio::test]
async fn a_reader_who_has_a_version_of_the_page_is_sent_what_is_new_since_and_all_others_everything() {
    let server = Server::start(scene::with((0..40).map(scene::observed).collect())).await;
    let alter = |verdict| {
        let mut view = (**server.shared.view.load()).clone();
        Arc::make_mut(&mut view.snapshot.routers[7]).verdict = verdict;
        server.shared.view.store(Arc::new(view));
    };
    let rows = |page: &str| {
        let rows = page.split_once("<tbody id=\"routers\"").unwrap().1.split_once("</tbody>").unwrap().0;
        (rows.matches("<tr ").count(), rows.matches(" data-same></tr>").count())
    };
    let version = |page: &str| page.split_once("data-version=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
    let first = server.get("/").await.body;
    assert_eq!(rows(&first), (40, 0));
    let ask = async |known: &str| server.get(&format!("/?known={known}")).await.body;
    let same = ask(&version(&first)).await;
    assert_eq!((rows(&same), version(&same)), ((40, 40), version(&first)), "the same snapshot is the same version");
    alter(Verdict::NoMaster);
    let fresh = ask(&version(&first)).await;
    assert_eq!(rows(&fresh), (40, 39));
    let card = |page: &str| page.split_once("<article").unwrap().1.split_once("</article>").unwrap().0.to_owned();
    assert!(card(&fresh).contains("<table data-mark=") && !card(&fresh).contains("data-same"));
    let later = ask(&version(&fresh)).await;
    assert!(!card(&later).contains("<tr>") && card(&later).contains("data-ages=\""));
    // One that was as it is now, and another in between, can't be taken to have been kept.
    alter(Verdict::Healthy);
    assert_eq!(rows(&ask(&version(&first)).await), (40, 39));
    for unknown in ["", "1", "another.1", &format!("{}0", version(&first))] {
        assert_eq!(rows(&ask(unknown).await), (40, 0), "{unknown:?}");
    }
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere_and_no_inline_script_or_style() {
    let server = Server::start(scene::rich()).await;
    for path in ["/", "/app.css", "/app.js", "/nowhere"] {
        let body = server.get(path).await.body.replace("http://www.w3.org/2000/svg", "");
        assert!(!body.contains("http://") && !body.contains("https://") && !body.contains(" style="), "{path}");
        assert!(!body.contains("<style") && !body.contains(" onclick="), "{path}");
    }
}

/// Runs the test of this name once more, in a network namespace of its own; true inside it.
fn is_in_own_namespace(name: &str) -> bool {
    const INSIDE: &str = "VIPWARDEN_TEST_NAMESPACE";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let output = std::process::Command::new("unshare")
        .args(["--map-root-user", "--net"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output();
    match output {
        Ok(output) if String::from_utf8_lossy(&output.stderr).contains("unshare failed") => {
            eprintln!("skipped: no network namespace can be had");
        }
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => eprintln!("skipped: unshare: {error}"),
    }
    false
}

#[test]
fn a_connection_that_arrives_on_a_vip_is_refused() {
    if !is_in_own_namespace("a_connection_that_arrives_on_a_vip_is_refused") {
        return;
    }
    let ip = |arguments: &str| {
        assert!(std::process::Command::new("ip").args(arguments.split(' ')).status().unwrap().success());
    };
    let (node, vip, claimed) = ("10.0.0.5", "192.168.1.100", "10.0.0.77");
    ip("link set lo up");
    for address in [node, vip, claimed] {
        ip(&format!("address add {address}/32 dev lo"));
    }
    let mut stranger = scene::observed(1);
    stranger.addresses[0].address = scene::ip(claimed);
    stranger.speakers[0].addresses = vec![scene::ip(claimed)];
    let snapshot = scene::with(vec![scene::healthy(), stranger]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Server::start_at(snapshot, (Ipv6Addr::UNSPECIFIED, 0).into()).await;
        let status = async |address: &str| {
            let address: IpAddr = address.parse().unwrap();
            let mut stream = TcpStream::connect((address, server.address.port())).await.unwrap();
            let _ = stream.write_all(b"GET /-/healthy HTTP/1.0\r\n\r\n").await;
            let mut answer = Vec::new();
            let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await.unwrap();
            String::from_utf8(answer).unwrap()
        };
        assert!(status(node).await.starts_with("HTTP/1.0 200"));
        assert_eq!(status(vip).await, "");
        assert!(status(claimed).await.starts_with("HTTP/1.0 200"), "a stranger's word closes nothing");
    });
}

#[tokio::test]
async fn a_cause_leads_to_what_to_do_about_it_on_a_page_of_this_daemon() {
    let server = Server::start(scene::with(vec![scene::split_brain()])).await;
    let page = server.get("/").await.body;
    assert!(page.contains(r#"href="/docs/runbooks/causes.md#firewall_drop">runbook</a>"#), "{page}");
    let runbook = server.ask("GET", "/docs/runbooks/causes.md", "Accept: text/html,*/*;q=0.8\r\n").await.body;
    assert!(runbook.contains(r#"<strong id="firewall_drop">firewall_drop</strong>"#), "{runbook}");
    let plain = server.get("/docs/runbooks/causes.md").await.body;
    assert!(plain.starts_with("# Causes") && plain.contains("### firewall_drop"), "{plain}");
}
