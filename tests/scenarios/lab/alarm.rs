//! The way from a vipwarden to the pager: Prometheus and Alertmanager with the files of `alerts/`, and who is called.
//!
//! Two things are not as in those files: everything is scraped and evaluated every second, and what waits for minutes or asks for
//! company waits for seconds.

use super::{Node, Process, Prometheus, http_get, until};
use jiff::Timestamp;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use vipwarden::sys::clock;

/// Where the example sends its pages.
const RECEIVER: &str = "127.0.0.1:5001";
const ALERTMANAGER: &str = "127.0.0.1:9093";

/// One alert, as it came to the receiver.
#[derive(Clone, Debug)]
pub struct Page {
    /// When.
    pub at: Timestamp,
    /// `/pager` or `/tickets`.
    pub path: String,
    /// With `status`, `labels` and `annotations`.
    pub alert: Value,
}

impl Page {
    /// Its `alertname`.
    pub fn name(&self) -> &str {
        self.alert["labels"]["alertname"].as_str().unwrap_or_default()
    }

    /// True if it tells of the end.
    pub fn is_resolved(&self) -> bool {
        self.alert["status"] == "resolved"
    }
}

/// All three, on one host.
pub struct Alarm {
    pub prometheus: Prometheus,
    node: Node,
    alertmanager: Process,
    pages: Arc<Mutex<Vec<Page>>>,
    ends: Arc<AtomicBool>,
    receiver: Option<JoinHandle<()>>,
}

impl Alarm {
    /// Starts them on `node`, to watch the vipwardens of `targets`; waits until all are ready and every target is up.
    pub fn start(node: &Node, targets: &[&Node]) -> Self {
        let directory = node.scratch().expect("a scratch directory");
        let write = |name: &str, text: String| std::fs::write(directory.join(name), text).expect("the file is written");
        for rules in ["vipwarden.rules.yml", "keepalived-exporter.rules.yml"] {
            write(rules, impatient(&example(rules)));
        }
        write("alertmanager.yml", impatient(&example("alertmanager.yml")));
        let targets: Vec<String> = targets.iter().map(|target| format!("\"{}:10112\"", target.ipv4())).collect();
        let config = impatient(&example("prometheus.yml"))
            .replace("\"lb01:10112\", \"lb02:10112\"", &targets.join(", "))
            .replace("- vipwarden.rules.yml", "- \"*.rules.yml\"");
        let (pages, ends) = (Arc::default(), Arc::default());
        let receiver = Some(receive(node, Arc::clone(&pages), Arc::clone(&ends)));
        let alertmanager = alertmanager(node, &directory);
        let prometheus = Prometheus::start_with(node, &config);
        let this = Self { prometheus, node: node.clone(), alertmanager, pages, ends, receiver };
        // A rise is one from scrape to scrape.
        let scraped = "min(count_over_time(up[1m])) or vector(9)";
        until("all are scraped thrice", || this.prometheus.query(scraped).is_some_and(|times| times >= 3.0));
        until("every target is up", || this.prometheus.query("sum(up) or vector(0)") == Some(targets.len() as f64));
        this
    }

    /// Every page so far.
    pub fn pages(&self) -> Vec<Page> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a page that satisfies `condition`, not counting the first `after`, and answers it.
    pub fn expect(&self, what: &str, after: usize, condition: impl Fn(&Page) -> bool) -> Page {
        let mut found = None;
        until(&format!("{what} comes to the pager"), || {
            found = self.pages().into_iter().skip(after).find(&condition);
            found.is_some()
        });
        found.expect("it was waited for")
    }

    /// Waits until Prometheus says that an alert fires, and Alertmanager that it is inhibited.
    pub fn expect_inhibited(&self, name: &str) {
        let fires = format!("count(ALERTS{{alertname=\"{name}\",alertstate=\"firing\"}})");
        until(&format!("{name} fires"), || self.prometheus.query(&fires).is_some());
        until(&format!("{name} is inhibited"), || {
            let listed = self.alerts();
            let mut ours = listed.iter().filter(|alert| alert["labels"]["alertname"] == name);
            ours.any(|alert| alert["status"]["inhibitedBy"].as_array().is_some_and(|by| !by.is_empty()))
        });
    }

    /// What Alertmanager knows.
    pub fn alerts(&self) -> Vec<Value> {
        let body = http_get(&self.node, ALERTMANAGER, "/api/v2/alerts").unwrap_or_default();
        serde_json::from_str(&body).unwrap_or_default()
    }

    /// Hands alerts to Alertmanager, as Prometheus does.
    pub fn post(&self, alerts: &Value) {
        let body = alerts.to_string();
        let mut stream = self.node.inside(|| TcpStream::connect(ALERTMANAGER)).expect("the namespace is there");
        let stream = stream.as_mut().expect("Alertmanager listens");
        let head = "POST /api/v2/alerts HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length:";
        write!(stream, "{head} {}\r\n\r\n{body}", body.len()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.lines().next().is_some_and(|line| line.contains(" 200 ")), "{answer}");
    }

    /// Fails if Prometheus could not evaluate some rule.
    pub fn assert_rules_evaluate(&self) {
        let answer = self.prometheus.get("/api/v1/rules").expect("Prometheus answers");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let groups = answer["data"]["groups"].as_array().cloned().unwrap_or_default();
        assert!(groups.len() >= 4, "{} groups", groups.len());
        for rule in groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()) {
            assert_eq!(rule["health"], "ok", "{rule:#}");
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // Wakes the receiver. If it can't be reached it has ended.
        let _ = self.node.inside(|| TcpStream::connect(RECEIVER));
        if let Some(receiver) = self.receiver.take() {
            let _ = receiver.join();
        }
        if std::thread::panicking() {
            println!("--- pages\n{:#?}\n--- alertmanager\n{}", self.pages(), self.alertmanager.log());
        }
    }
}

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Seconds in the place of minutes.
fn impatient(text: &str) -> String {
    let lines = text.lines().map(|line| match line.trim_start().split_once(": ") {
        Some(("scrape_interval" | "evaluation_interval" | "group_interval", old)) => line.replace(old, "1s"),
        Some(("group_wait", old)) if old != "0s" => line.replace(old, "1s"),
        Some(("keep_firing_for", old)) => line.replace(old, "10s"),
        Some(("for", "2m" | "5m")) => line.replace("2m", "4s").replace("5m", "4s"),
        Some(("for", old)) => line.replace(old, "2s"),
        _ => line.to_owned(),
    });
    lines.map(|line| line + "\n").collect()
}

fn alertmanager(node: &Node, directory: &Path) -> Process {
    let mut command = node.command("prometheus-alertmanager");
    command.arg(format!("--config.file={}", directory.join("alertmanager.yml").display()));
    command.arg(format!("--storage.path={}", directory.join("alertmanager").display()));
    command.arg(format!("--web.listen-address={ALERTMANAGER}")).arg("--cluster.listen-address=");
    let process = Process::spawn(node, "alertmanager", command).expect("alertmanager starts");
    until("alertmanager is ready", || http_get(node, ALERTMANAGER, "/-/ready").is_ok());
    process
}

/// Listens for pages until `ends`.
fn receive(node: &Node, pages: Arc<Mutex<Vec<Page>>>, ends: Arc<AtomicBool>) -> JoinHandle<()> {
    let listener = node.inside(|| TcpListener::bind(RECEIVER)).expect("the namespace is there").expect("a free port");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            if ends.load(Ordering::Relaxed) {
                return;
            }
            if let Some(new) = stream.ok().and_then(|stream| take(stream).ok()) {
                pages.lock().unwrap_or_else(PoisonError::into_inner).extend(new);
            }
        }
    })
}

/// The alerts of one request.
fn take(stream: TcpStream) -> std::io::Result<Vec<Page>> {
    let at =
        Timestamp::from_nanosecond(clock::wall().unix_nanos(clock::now()).into()).map_err(std::io::Error::other)?;
    let mut reader = BufReader::new(stream);
    let (mut request, mut length) = (String::new(), 0);
    reader.read_line(&mut request)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().map_err(std::io::Error::other)?;
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    let message: Value = serde_json::from_slice(&body)?;
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let alerts = message["alerts"].as_array().cloned().unwrap_or_default();
    Ok(alerts.into_iter().map(|alert| Page { at, path: path.clone(), alert }).collect())
}
