//! A real Prometheus beside a vipwarden.

use super::{Node, Process, until};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

const LISTEN: &str = "127.0.0.1:9090";

/// A running one.
pub struct Prometheus {
    node: Node,
    _process: Process,
}

impl Prometheus {
    /// Starts it, to scrape the vipwarden of its own host every second, and waits until it is ready.
    pub fn start(node: &Node) -> Self {
        Self::start_with(
            node,
            "global: { scrape_interval: 1s }\nscrape_configs:\n  - job_name: vipwarden\n    static_configs: [ { targets: ['127.0.0.1:10112'] } ]\n",
        )
    }

    /// Starts it with a configuration, and waits until it is ready.
    pub fn start_with(node: &Node, text: &str) -> Self {
        let directory = node.scratch().expect("a scratch directory");
        let config = directory.join("prometheus.yml");
        std::fs::write(&config, text).expect("the configuration is written");
        let mut command = node.command("prometheus");
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", directory.join("tsdb").display()));
        command.arg(format!("--web.listen-address={LISTEN}"));
        let process = Process::spawn(node, "prometheus", command).expect("prometheus starts");
        let this = Self { node: node.clone(), _process: process };
        until("prometheus is ready", || this.get("/-/ready").is_ok());
        this
    }

    /// The value of the first series that `query` yields, if there is one.
    pub fn query(&self, query: &str) -> Option<f64> {
        let answer = self.ask(query);
        answer["data"]["result"].as_array()?.first()?["value"][1].as_str()?.parse().ok()
    }

    /// What it answers to `query`, errors too.
    pub fn ask(&self, query: &str) -> serde_json::Value {
        self.answer(&format!("/api/v1/query?query={}", escaped(query)))
    }

    /// The same for each second from one to the other.
    pub fn ask_range(&self, query: &str, from: i64, to: i64) -> serde_json::Value {
        self.answer(&format!("/api/v1/query_range?query={}&start={from}&end={to}&step=1", escaped(query)))
    }

    fn answer(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&self.get(path).unwrap_or_default()).unwrap_or_default()
    }

    /// GETs a path.
    pub fn get(&self, path: &str) -> std::io::Result<String> {
        http_get(&self.node, LISTEN, path)
    }
}

fn escaped(query: &str) -> String {
    query.bytes().map(|b| format!("%{b:02x}")).collect()
}

/// GETs a path of a server on a host.
pub fn http_get(node: &Node, address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = node.inside(|| TcpStream::connect(address))??;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    if head.contains(" 200 ") { Ok(body.into()) } else { Err(std::io::Error::other(format!("{head}\n{body}"))) }
}

/// What `promtool check metrics` says of a text; empty if it is content.
pub fn promtool(metrics: &str) -> String {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool starts");
    child.stdin.take().expect("a pipe").write_all(metrics.as_bytes()).expect("promtool reads");
    let output = child.wait_with_output().expect("promtool ends");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if output.status.success() || !said.is_empty() { said } else { format!("promtool: {}", output.status) }
}
