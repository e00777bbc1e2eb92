//! What a router that speaks is told, with the defaults of the format; and what the speaker itself needs of it.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use hyper::Uri;

use super::{Config, Router};
pub use crate::fence::Policy as Fence;
use crate::time::Duration;
use crate::vrrp::{Garp, Settings};
use crate::wire::{Auth, ChecksumForm, Family, Version};

/// The interval of a router that speaks and is told none.
pub(super) const ADVERT_INTERVAL: Duration = Duration::from_secs(1);

/// The priority of the address owner (RFC 9568 §6.1).
pub(super) const OWNER: u8 = 255;

/// As whom programs run unless told otherwise: never with the daemon's own rights.
pub(super) const UNPRIVILEGED: &str = "nobody";

/// The status of a sound answer unless told otherwise.
pub(super) const CHECK_STATUS: u16 = 200;

/// The keys of a `[[router]]` with `mode = "speak"`, beside those that a watched one has too.
#[derive(Clone, Debug, PartialEq)]
pub struct Speak {
    /// 1-254, or 255 for the address owner.
    pub priority: u8,
    /// Whether it takes over from a lower one that works. Always true for the address owner.
    pub preempt: bool,
    /// How long it puts that off.
    pub preempt_delay: Duration,
    /// How long it only listens after a start.
    pub startup_delay: Duration,
    /// Whether the host itself answers on the addresses.
    pub accept: bool,
    /// Whether the addresses have the virtual MAC.
    pub vmac: bool,
    /// With `vmac`: adverts come from the interface's own MAC all the same.
    pub vmac_xmit_base: bool,
    /// [`ChecksumForm::PseudoHeader`] or [`ChecksumForm::MessageOnly`]: what v3 over IPv4 sends.
    pub checksum: ChecksumForm,
    /// Source of the adverts, of the router's family; `None` takes the interface's first address.
    pub source: Option<IpAddr>,
    /// Routers with the same word move together.
    pub sync_group: Option<String>,
    /// Routers with the same word avoid each other's node.
    pub exclusive_group: Option<String>,
    /// When a master announces its addresses.
    pub garp: Garp,
    /// What its priority depends on.
    pub track: Vec<Track>,
    /// What is run and told when its state changes.
    pub notify: Notify,
    /// `[fence]` under `[router.fence]`.
    pub fence: Fence,
}

/// One element of `track`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// What is tracked.
    pub what: Tracked,
    /// -253 to 253. Below zero it is added to the priority while the tracked thing fails, above zero while it works; with
    /// zero a failure is a fault. A number is multiplied with it and added; with zero any number but zero is a fault.
    pub weight: i16,
    /// It counts as failing while it works, and the other way round; a number is subtracted.
    pub reverse: bool,
}

/// What a router can depend on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tracked {
    /// The name of a `[[check]]`.
    Check(String),
    /// The name of an interface; it fails while it is not up with carrier.
    Interface(String),
    /// The name of a process, as `/proc/PID/comm` has it; it fails while there is none.
    Process(String),
    /// A file by which an operator asks for a failure; it fails while the file exists.
    File(PathBuf),
    /// A file with a number in it, as keepalived's `track_file` has it.
    Number(PathBuf),
}

impl Tracked {
    /// `check`, `interface`, `process`, `file` or `number`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Check(_) => "check",
            Self::Interface(_) => "interface",
            Self::Process(_) => "process",
            Self::File(_) => "file",
            Self::Number(_) => "number",
        }
    }

    /// Its name, or the file's path.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Check(name) | Self::Interface(name) | Self::Process(name) => name.into(),
            Self::File(path) | Self::Number(path) => path.to_string_lossy(),
        }
    }
}

impl fmt::Display for Tracked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.kind(), self.name())
    }
}

/// Programs with their arguments, run on entering a state; an empty one is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// On becoming master.
    pub master: Vec<String>,
    /// On becoming backup.
    pub backup: Vec<String>,
    /// On a fault.
    pub fault: Vec<String>,
    /// On being fenced.
    pub fenced: Vec<String>,
    /// When the daemon ends.
    pub stop: Vec<String>,
    /// How long one may take.
    pub timeout: Duration,
    /// As whom they run.
    pub user: String,
    /// A FIFO that gets a line for each change of state.
    pub fifo: Option<PathBuf>,
}

/// `[[check]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Unique.
    pub name: String,
    /// What is done.
    pub probe: Probe,
    /// From the start of one run to that of the next.
    pub interval: Duration,
    /// What takes longer has failed.
    pub timeout: Duration,
    /// Successes in a row after which it works.
    pub rise: u32,
    /// Failures in a row after which it fails.
    pub fall: u32,
}

/// How a `[[check]]` finds out.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    /// Works if the program exits with 0.
    Command {
        /// The program's path, then its arguments.
        command: Vec<String>,
        /// As whom it runs.
        user: String,
    },
    /// Works if a GET is answered with one of these statuses.
    Http {
        /// An `http://` URL without user and password.
        url: Uri,
        /// 100-599 each; at least one.
        expect_status: Vec<u16>,
    },
    /// Works if a connection is accepted.
    Tcp(SocketAddr),
}

impl Default for Speak {
    fn default() -> Self {
        Self {
            priority: 100,
            preempt: true,
            preempt_delay: Duration::ZERO,
            startup_delay: Duration::ZERO,
            accept: true,
            vmac: false,
            vmac_xmit_base: false,
            checksum: ChecksumForm::PseudoHeader,
            source: None,
            sync_group: None,
            exclusive_group: None,
            garp: Garp { repeat: 5, delay: Duration::from_secs(5), refresh: Duration::ZERO },
            track: Vec::new(),
            notify: Notify::default(),
            fence: Fence::default(),
        }
    }
}

impl Default for Notify {
    fn default() -> Self {
        Self {
            master: Vec::new(),
            backup: Vec::new(),
            fault: Vec::new(),
            fenced: Vec::new(),
            stop: Vec::new(),
            timeout: Duration::from_secs(10),
            user: UNPRIVILEGED.into(),
            fifo: None,
        }
    }
}

impl Check {
    /// A check with the defaults of the format.
    pub fn new(name: String, probe: Probe) -> Self {
        let time = Duration::from_secs(2);
        Self { name, probe, interval: time, timeout: time, rise: 1, fall: 1 }
    }
}

impl Config {
    /// Whom `router` obeys: its unicast peers and every `[[peer]]`, as far as they are of its family. `None` if it obeys all.
    pub fn known_speakers(&self, router: &Router) -> Option<Vec<IpAddr>> {
        let peers = self.peers.iter().flat_map(|peer| peer.vrrp_addresses.iter().chain([&peer.address]));
        let all = router.unicast_peers.iter().chain(peers).copied();
        router.only_known_speakers.then(|| all.filter(|address| Family::of(address) == router.family).collect())
    }
}

impl Router {
    /// What its speaker is told; `None` if it only watches. `known` are the sources that are obeyed, as
    /// [`Config::known_speakers`] has them.
    pub fn speaker_settings(&self, known: Option<Vec<IpAddr>>) -> Option<Settings> {
        let speak = self.speak.as_ref()?;
        Some(Settings {
            name: self.name.clone(),
            family: self.family,
            // Nothing validated is without; a hand-made router speaks the newer one.
            version: self.version.unwrap_or(Version::V3),
            vrid: self.vrid,
            priority: speak.priority,
            advert_interval: self.advert_interval.unwrap_or(ADVERT_INTERVAL),
            preempt: speak.preempt,
            preempt_delay: speak.preempt_delay,
            startup_delay: speak.startup_delay,
            addresses: self.addresses.clone(),
            excluded_addresses: self.excluded_addresses.clone(),
            auth: self.auth.unwrap_or(Auth::None),
            checksum: speak.checksum,
            unicast_peers: self.unicast_peers.clone(),
            known_speakers: known,
            garp: speak.garp,
            probe_before_promote: speak.fence.probe_before_promote,
            promote_grace: speak.fence.promote_grace,
        })
    }
}
