//! A cluster of real etcd, in directories of its own, ended with the value.
#![allow(dead_code)]

use std::fs::File;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use vipwarden::cli::demo::lab::wait_until;

/// How long a cluster may take until it has a leader: on a busy machine it takes some seconds.
const START_MAX: Duration = Duration::from_secs(60);

/// The files of a server's TLS, and the CA that its clients' certificates must have, if they must have one.
pub struct Tls<'a> {
    pub cert: &'a Path,
    pub key: &'a Path,
    pub clients: Option<&'a Path>,
}

/// Where a cluster runs.
pub struct Site {
    /// The address of all members.
    pub host: String,
    /// A command there.
    pub command: Box<dyn Fn(&str) -> Command + Send>,
}

impl Site {
    /// The loopback of this network namespace, in which nothing else has etcd's ports.
    pub fn here() -> Self {
        Self { host: "127.0.0.1".into(), command: Box::new(|program| Command::new(program)) }
    }
}

/// Members of one cluster.
pub struct Cluster {
    site: Site,
    directory: TempDir,
    members: Vec<Member>,
    scheme: &'static str,
}

struct Member {
    child: Option<Child>,
    arguments: Vec<String>,
    port: u16,
}

impl Cluster {
    /// Starts so many members, and waits until each knows a leader.
    pub fn start(count: usize) -> Self {
        Self::start_at(Site::here(), count)
    }

    /// The same, elsewhere.
    pub fn start_at(site: Site, count: usize) -> Self {
        let cluster = Self::launch(site, count, None);
        cluster.wait_for_leader();
        cluster
    }

    /// One member with TLS. It is there when its port is open.
    pub fn start_secret(tls: &Tls<'_>) -> Self {
        let cluster = Self::launch(Site::here(), 1, Some(tls));
        wait("the port of etcd", || TcpStream::connect(("127.0.0.1", cluster.members[0].port)).is_ok());
        cluster
    }

    fn launch(site: Site, count: usize, tls: Option<&Tls<'_>>) -> Self {
        let host = &site.host;
        let directory = tempfile::tempdir().expect("a directory");
        let scheme = if tls.is_some() { "https" } else { "http" };
        // etcd's own, and those after them: no system gives them to whoever asks for any port.
        let ports: Vec<(u16, u16)> = (0..count as u16).map(|index| (2379 + 10 * index, 2380 + 10 * index)).collect();
        let peers = ports.iter().enumerate().map(|(index, (_, peer))| format!("m{index}=http://{host}:{peer}"));
        let peers = peers.collect::<Vec<_>>().join(",");
        let member = |(index, (client, peer)): (usize, &(u16, u16))| {
            let data = directory.path().join(format!("m{index}"));
            let mut arguments = vec![
                format!("--name=m{index}"),
                format!("--data-dir={}", data.display()),
                format!("--listen-client-urls={scheme}://{host}:{client}"),
                format!("--advertise-client-urls={scheme}://{host}:{client}"),
                format!("--listen-peer-urls=http://{host}:{peer}"),
                format!("--initial-advertise-peer-urls=http://{host}:{peer}"),
                format!("--initial-cluster={peers}"),
            ];
            if let Some(Tls { cert, key, clients }) = tls {
                arguments.push(format!("--cert-file={}", cert.display()));
                arguments.push(format!("--key-file={}", key.display()));
                if let Some(ca) = clients {
                    arguments.push("--client-cert-auth".into());
                    arguments.push(format!("--trusted-ca-file={}", ca.display()));
                }
            }
            Member { child: None, arguments, port: *client }
        };
        let members = ports.iter().enumerate().map(member).collect();
        let mut cluster = Self { site, directory, members, scheme };
        (0..count).for_each(|index| cluster.revive(index));
        cluster
    }

    /// Starts a member, the first time or again.
    pub fn revive(&mut self, index: usize) {
        let log = self.directory.path().join(format!("m{index}.log"));
        let log = File::options().create(true).append(true).open(log).expect("a log");
        let child = (self.site.command)("etcd")
            .args(&self.members[index].arguments)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("etcd runs: apt-get install etcd-server");
        self.members[index].child = Some(child);
    }

    /// Kills a member at once.
    pub fn kill(&mut self, index: usize) {
        if let Some(mut child) = self.members[index].child.take() {
            child.kill().and_then(|()| child.wait()).expect("killed");
        }
    }

    /// Who leads.
    pub fn leader(&self) -> usize {
        let leads = |index: &usize| {
            let status = self.ctl(&["endpoint", "status", "--write-out=json"], *index).unwrap_or_default();
            let status: serde_json::Value = serde_json::from_str(&status).unwrap_or_default();
            let status = &status[0]["Status"];
            !status["leader"].is_null() && status["leader"] == status["header"]["member_id"]
        };
        (0..self.members.len()).find(leads).expect("somebody leads")
    }

    /// The URL of one member.
    pub fn url(&self, index: usize) -> String {
        format!("{}://{}:{}", self.scheme, self.site.host, self.members[index].port)
    }

    /// The URLs of all members.
    pub fn urls(&self) -> Vec<String> {
        (0..self.members.len()).map(|index| self.url(index)).collect()
    }

    /// What etcdctl says.
    ///
    /// # Errors
    /// What it complains of.
    pub fn ctl(&self, arguments: &[&str], index: usize) -> Result<String, String> {
        let output = (self.site.command)("etcdctl")
            .env("ETCDCTL_API", "3")
            .arg(format!("--endpoints={}", self.url(index)))
            .args(arguments)
            .output()
            .expect("etcdctl runs: apt-get install etcd-client");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Waits until a majority answers.
    pub fn wait_for_leader(&self) {
        wait("a leader", || {
            (0..self.members.len()).all(|index| {
                self.members[index].child.is_none()
                    || self.ctl(&["get", "nothing", "--command-timeout=1s"], index).is_ok()
            })
        });
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        (0..self.members.len()).for_each(|index| self.kill(index));
        if std::thread::panicking() {
            for index in 0..self.members.len() {
                let log = self.directory.path().join(format!("m{index}.log"));
                println!("--- etcd {index}\n{}", std::fs::read_to_string(log).unwrap_or_default());
            }
        }
    }
}

fn wait(what: &str, is_there: impl Fn() -> bool) {
    wait_until(what, START_MAX, || is_there().then_some(())).unwrap_or_else(|error| panic!("{error}"));
}
