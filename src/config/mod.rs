//! Raw TOML → a validated [`Config`], or errors that name file, line, column and key.
//!
//! [`load`] goes in three steps: `read` parses all files into one tree and that into `raw` structs, key by key; `validate`
//! judges how the values go together; [`Config::to_toml`] is the way back.

mod arbiter;
mod checks;
mod cluster;
mod files;
mod hint;
pub mod keepalived;
mod later;
mod place;
mod raw;
mod read;
mod render;
mod router;
mod secret;
mod source;
mod speak;
mod speaker;
mod validate;
mod value;
pub mod web_file;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use hyper::Uri;
use serde::Deserialize;

pub use speak::{Check, Fence, Notify, Probe, Speak, Track, Tracked};

use crate::observe::Settings;
use crate::time::Duration;
use crate::wire::{Auth, Family, Version};

/// The validated configuration of this version: watching and speaking.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[node]`.
    pub node: Node,
    /// `[web]`.
    pub web: Web,
    /// `[watch]`.
    pub watch: Watch,
    /// `[cluster]`: its key, if there is one.
    pub cluster_key: Option<ClusterKey>,
    /// `[[peer]]`.
    pub peers: Vec<Peer>,
    /// `[[witness]]`.
    pub witnesses: Vec<Witness>,
    /// `[[check]]`.
    pub checks: Vec<Check>,
    /// `[[router]]`.
    pub routers: Vec<Router>,
    /// `[arbiter]`, if there is one.
    pub arbiter: Option<Arbiter>,
}

/// `[node]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Default: the hostname.
    pub name: String,
    /// Where learned routers survive a restart.
    pub state_dir: PathBuf,
}

/// `[web]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Web {
    /// Addresses to serve on.
    pub listen: Vec<SocketAddr>,
    /// TLS, users and headers, in the format of [`web_file`].
    pub config_file: Option<PathBuf>,
}

/// `[watch]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// Interfaces to sniff; `None` picks them.
    pub interfaces: Option<Vec<String>>,
    /// What the local keepalived is told.
    pub keepalived_conf: Option<PathBuf>,
    /// Never send anything.
    pub passive: bool,
    /// Follow routers that no `[[router]]` names.
    pub discover: bool,
    /// Between two probes of one VIP; zero is off.
    pub probe_interval: Duration,
    /// ARP and ND requests a second and interface.
    pub probe_budget: u32,
    /// Learned routers at most.
    pub max_routers: usize,
    /// Speakers a router at most.
    pub max_speakers: usize,
    /// When silent learned routers are forgotten.
    pub forget_after: Duration,
}

/// `[[peer]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// Unique.
    pub name: String,
    /// Pinged.
    pub address: IpAddr,
    /// Further sources of its adverts.
    pub vrrp_addresses: Vec<IpAddr>,
    /// Where its vipwarden is asked.
    pub urls: Vec<Uri>,
    /// Who is trusted there, and who we are.
    pub tls: TlsFiles,
}

/// PEM files of the side that asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The CAs that are trusted; the system's if there is none.
    pub ca: Option<PathBuf>,
    /// The certificate that is shown.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
}

/// The key that the vipwardens of one cluster share. Its content is in no output.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterKey {
    /// Where it was read.
    pub path: PathBuf,
    /// Its bytes.
    pub secret: Vec<u8>,
}

impl fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterKey").field("path", &self.path).finish_non_exhaustive()
    }
}

/// `[arbiter]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arbiter {
    /// The endpoints of the etcd cluster; at least one.
    pub etcd: Vec<Uri>,
    /// What the names of the routers' keys begin with.
    pub key_prefix: String,
    /// How long an entry must stand unchanged before another takes over.
    pub wait: Duration,
    /// What is done while it does not answer.
    pub unreachable: Unreachable,
    /// Who is trusted there, and who we are.
    pub tls: TlsFiles,
    /// How to log in, if it wants that.
    pub login: Option<ArbiterLogin>,
}

impl Default for Arbiter {
    fn default() -> Self {
        Self {
            etcd: Vec::new(),
            key_prefix: "/vipwarden/".into(),
            wait: Duration::from_secs(3),
            unreachable: Unreachable::Drop,
            tls: TlsFiles::default(),
            login: None,
        }
    }
}

/// User and password of an arbiter. The password is in no output.
#[derive(Clone, PartialEq, Eq)]
pub struct ArbiterLogin {
    /// The user.
    pub user: String,
    /// Where the password was read.
    pub password_file: PathBuf,
    /// The password.
    pub password: String,
}

impl fmt::Debug for ArbiterLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, password_file, .. } = self;
        f.debug_struct("ArbiterLogin").field("user", user).field("password_file", password_file).finish_non_exhaustive()
    }
}

/// What is done while an arbiter does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unreachable {
    /// The addresses go when the lease ends.
    Drop,
    /// They stay while every peer promises not to take them.
    HoldIfUnanimous,
    /// It is as if there were none, with an alarm.
    Ignore,
}

/// `[[witness]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Witness {
    /// Unique.
    pub name: String,
    /// Pinged.
    pub address: IpAddr,
}

/// `[[router]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Router {
    /// Unique; default `VIP/VRID`.
    pub name: String,
    /// Interface name.
    pub interface: String,
    /// 1-255.
    pub vrid: u8,
    /// All of one family; at least one.
    pub family: Family,
    /// Addresses with their prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Held but not advertised.
    pub excluded_addresses: Vec<(IpAddr, u8)>,
    /// Names of `[[peer]]`s; `None` is all.
    pub peers: Option<Vec<String>>,
    /// What the other side is expected to speak, and what is spoken; never `None` if it speaks, nor are the next two.
    pub version: Option<Version>,
    /// What the other side is expected to advertise, and what is advertised.
    pub advert_interval: Option<Duration>,
    /// What is used by the other side for authentication, and here.
    pub auth: Option<Auth>,
    /// Unicast peers.
    pub unicast_peers: Vec<IpAddr>,
    /// Alarm others, never obey them.
    pub only_known_speakers: bool,
    /// What it is told as a speaker; `None` only watches.
    pub speak: Option<Speak>,
}

/// Errors or warnings, each ready to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// File, as the user named it.
    pub file: PathBuf,
    /// 1-based line.
    pub line: usize,
    /// 1-based column, in characters.
    pub column: usize,
    /// What is wrong and what to do.
    pub message: String,
    /// The line with a caret under the place.
    pub snippet: String,
}

/// A configuration that was read, and what is worth saying about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The validated configuration.
    pub config: Config,
    /// What is accepted but deserves a word.
    pub warnings: Vec<Diagnostic>,
    /// Every interface that is named, with what to say, and where, if the host has none of that name.
    pub interfaces: Vec<(String, Diagnostic)>,
}

impl Diagnostic {
    /// About a file as a whole.
    fn of_file(file: &Path, message: String) -> Self {
        Self { file: file.into(), line: 1, column: 1, message, snippet: String::new() }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message, snippet } = self;
        if snippet.is_empty() {
            return write!(f, "{}: {message}", file.display());
        }
        write!(f, "{}:{line}:{column}: {message}\n{snippet}", file.display())
    }
}

/// Where the configuration lies if nobody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/vipwarden/vipwarden.toml";

/// Reads `path` and `conf.d/*.toml` beside it, in the order of their names.
///
/// Sections of which there can be several are put one after the other; a key that is set in two files is an error.
///
/// # Errors
/// Every error in all files, not only the first, in the order of files and lines.
pub fn load(path: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    let (files, errors) = files::find(path);
    validate::validate(&files, errors)
}

/// [`load`]s `path`; without one, [`DEFAULT_PATH`]; if nothing is there either, discovers everything.
///
/// # Errors
/// Those of [`load`]; a path that is named must exist.
pub fn load_or_discover(path: Option<&Path>) -> Result<Loaded, Vec<Diagnostic>> {
    let default = Path::new(DEFAULT_PATH);
    match (path, default.try_exists()) {
        (Some(path), _) => load(path),
        (None, Ok(false)) => {
            Ok(Loaded { config: Config::discovery(&hostname()), warnings: Vec::new(), interfaces: Vec::new() })
        }
        // One that can't be looked at may be there: it isn't passed over in silence.
        (None, _) => load(default),
    }
}

/// This host's name, as the kernel has it.
pub fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "localhost".into() } else { name.trim().into() }
}

impl Config {
    /// The configuration without any file: discover everything.
    pub fn discovery(hostname: &str) -> Self {
        let s = Settings::default();
        Self {
            node: Node { name: hostname.into(), state_dir: "/var/lib/vipwarden".into() },
            web: Web { listen: vec![SocketAddr::from(([0u16; 8], 10112))], config_file: None },
            watch: Watch {
                interfaces: None,
                keepalived_conf: None,
                passive: s.passive,
                discover: s.discover,
                probe_interval: s.probe_interval,
                probe_budget: s.probe_budget,
                max_routers: s.max_routers,
                max_speakers: s.max_speakers,
                forget_after: s.forget_after,
            },
            cluster_key: None,
            arbiter: None,
            peers: Vec::new(),
            witnesses: Vec::new(),
            checks: Vec::new(),
            routers: Vec::new(),
        }
    }

    /// What the core needs of it.
    pub fn settings(&self) -> Settings {
        use crate::observe;
        Settings {
            node: self.node.name.clone(),
            discover: self.watch.discover,
            passive: self.watch.passive,
            probe_interval: self.watch.probe_interval,
            probe_budget: self.watch.probe_budget,
            max_routers: self.watch.max_routers,
            max_speakers: self.watch.max_speakers,
            forget_after: self.watch.forget_after,
            routers: self.routers.iter().map(Router::expected).collect(),
            peers: self
                .peers
                .iter()
                .map(|p| observe::Peer {
                    name: p.name.clone(),
                    address: p.address,
                    vrrp_addresses: p.vrrp_addresses.clone(),
                    urls: p.urls.iter().map(ToString::to_string).collect(),
                })
                .collect(),
            witnesses: self
                .witnesses
                .iter()
                .map(|w| observe::Witness { name: w.name.clone(), address: w.address })
                .collect(),
        }
    }
}

impl Router {
    fn expected(&self) -> crate::observe::Expected {
        let bare = |list: &[(IpAddr, u8)]| list.iter().map(|(a, _)| *a).collect();
        crate::observe::Expected {
            name: self.name.clone(),
            interface: self.interface.clone(),
            family: self.family,
            vrid: self.vrid,
            addresses: bare(&self.addresses),
            excluded_addresses: bare(&self.excluded_addresses),
            version: self.version,
            advert_interval: self.advert_interval,
            auth: self.auth,
            peers: self.peers.clone(),
            unicast_peers: self.unicast_peers.clone(),
            only_known_speakers: self.only_known_speakers,
        }
    }
}
