//! What a `keepalived.conf` says of VRRP, each thing with the line that says it.

use std::net::IpAddr;

use super::place::{At, Note, Place};
use crate::time::Duration;
use crate::wire::{Auth, Family, Version};

/// keepalived's default for `priority`.
pub const PRIORITY: u8 = 100;

/// keepalived's default for `advert_int`.
pub const ADVERT_INTERVAL: Duration = Duration::from_secs(1);

/// A `keepalived.conf` with all that it includes.
///
/// It holds what is clear. What is wrong is named in [`Conf::notes`]; where keepalived ignores a line that is but misspelt, the
/// line is taken as it was meant, and the note says both.
#[derive(Clone, Debug, Default)]
pub struct Conf {
    /// `global_defs`.
    pub globals: Globals,
    /// `vrrp_script`s.
    pub scripts: Vec<Script>,
    /// `vrrp_track_process`es.
    pub processes: Vec<Process>,
    /// `track_file`s.
    pub files: Vec<File>,
    /// `vrrp_sync_group`s.
    pub groups: Vec<Group>,
    /// `vrrp_instance`s.
    pub instances: Vec<Instance>,
    /// What has no counterpart in vipwarden: the words, wherever they stand.
    pub foreign: Vec<Foreign>,
    /// What is wrong, in the order of the file.
    pub notes: Vec<Note>,
}

/// `global_defs`, as far as VRRP is concerned.
#[derive(Clone, Debug, Default)]
pub struct Globals {
    /// `router_id`.
    pub router_id: Option<At<String>>,
    /// `vrrp_version`.
    pub version: Option<At<Version>>,
    /// `vrrp_startup_delay`.
    pub startup_delay: Option<At<Duration>>,
    /// `vrrp_strict`.
    pub strict: Option<Place>,
    /// `vrrp_check_unicast_src`.
    pub check_unicast_source: Option<Place>,
    /// `vrrp_mcast_group4` or `6`, if it is not the one of the RFC.
    pub other_group: Vec<At<IpAddr>>,
    /// `vrrp_garp_master_…`.
    pub garp: Garp,
    /// `script_user`.
    pub script_user: Option<At<String>>,
    /// `vrrp_notify_fifo`, or `notify_fifo`.
    pub fifo: Option<At<String>>,
}

/// When a master announces its addresses.
#[derive(Clone, Debug, Default)]
pub struct Garp {
    /// `garp_master_repeat`.
    pub repeat: Option<At<u8>>,
    /// `garp_master_delay`.
    pub delay: Option<At<Duration>>,
    /// `garp_master_refresh`.
    pub refresh: Option<At<Duration>>,
}

/// A `vrrp_instance`.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its name.
    pub name: At<String>,
    /// `state`: true for MASTER.
    pub starts_as_master: Option<At<bool>>,
    /// `interface`.
    pub interface: Option<At<String>>,
    /// `virtual_router_id`, 1-255.
    pub vrid: Option<At<u8>>,
    /// `priority`, 1-255.
    pub priority: Option<At<u8>>,
    /// `advert_int`.
    pub advert_interval: Option<At<Duration>>,
    /// `version`.
    pub version: Option<At<Version>>,
    /// `authentication`.
    pub auth: Option<At<Auth>>,
    /// `virtual_ipaddress`.
    pub addresses: Vec<At<Virtual>>,
    /// `virtual_ipaddress_excluded`.
    pub excluded: Vec<At<Virtual>>,
    /// `mcast_src_ip` or `unicast_src_ip`.
    pub source: Option<At<IpAddr>>,
    /// `unicast_peer`.
    pub unicast_peers: Vec<At<IpAddr>>,
    /// `check_unicast_src`.
    pub check_unicast_source: Option<Place>,
    /// `mcast_dst_ip`, if it is not the group of the RFC.
    pub other_group: Option<At<IpAddr>>,
    /// `use_vmac`.
    pub vmac: Option<Place>,
    /// `vmac_xmit_base`.
    pub vmac_xmit_base: Option<Place>,
    /// `nopreempt`.
    pub nopreempt: Option<Place>,
    /// `preempt_delay`.
    pub preempt_delay: Option<At<Duration>>,
    /// `accept` (true) or `no_accept`.
    pub accept: Option<At<bool>>,
    /// `garp_master_…`.
    pub garp: Garp,
    /// `track_script`, `track_interface`, `track_process`, `track_file`.
    pub track: Vec<At<Track>>,
    /// `notify_…`.
    pub notify: Notify,
}

/// A virtual address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Virtual {
    /// The address.
    pub address: IpAddr,
    /// Its prefix length; 32 or 128 where none is written.
    pub prefix: u8,
    /// `dev`.
    pub device: Option<String>,
}

/// What is tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackKind {
    /// `track_script`.
    Script,
    /// `track_interface`.
    Interface,
    /// `track_process`.
    Process,
    /// `track_file`.
    File,
}

/// A line of a `track_…` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// In which block.
    pub kind: TrackKind,
    /// Of what.
    pub name: String,
    /// `weight`, where it is given here.
    pub weight: Option<i16>,
    /// `reverse`.
    pub reverse: bool,
}

/// A program with its arguments, as one string, and the user that it runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// As it is written.
    pub line: String,
    /// The user that is written behind it.
    pub user: Option<String>,
}

/// `notify_…`.
#[derive(Clone, Debug, Default)]
pub struct Notify {
    /// `notify_master`.
    pub master: Option<At<Program>>,
    /// `notify_backup`.
    pub backup: Option<At<Program>>,
    /// `notify_fault`.
    pub fault: Option<At<Program>>,
    /// `notify_stop`.
    pub stop: Option<At<Program>>,
    /// `notify`: for every state, with `INSTANCE NAME STATE PRIORITY` behind its arguments.
    pub any: Option<At<Program>>,
}

/// A `vrrp_script`.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its name.
    pub name: At<String>,
    /// `script`.
    pub program: Option<At<String>>,
    /// `interval`; 1 s where it is not given.
    pub interval: Duration,
    /// `timeout`; the interval where it is not given.
    pub timeout: Option<Duration>,
    /// `weight`.
    pub weight: i16,
    /// `weight … reverse`.
    pub reverse: bool,
    /// `rise`.
    pub rise: u32,
    /// `fall`.
    pub fall: u32,
    /// `user`.
    pub user: Option<String>,
}

/// A `vrrp_track_process`.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its name.
    pub name: At<String>,
    /// `process`: the program's path or name.
    pub process: Option<At<String>>,
    /// `weight`.
    pub weight: i16,
    /// `weight … reverse`.
    pub reverse: bool,
}

/// A `track_file`.
#[derive(Clone, Debug)]
pub struct File {
    /// Its name.
    pub name: At<String>,
    /// `file`: its path.
    pub path: Option<At<String>>,
    /// `weight`; 1 where it is not given.
    pub weight: i16,
    /// `weight … reverse`.
    pub reverse: bool,
}

/// A `vrrp_sync_group`.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: At<String>,
    /// Names of instances.
    pub members: Vec<At<String>>,
    /// What is tracked for all members.
    pub track: Vec<At<Track>>,
    /// `notify_…`.
    pub notify: Notify,
}

/// A word that vipwarden has nothing for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// The word.
    pub word: String,
    /// Where.
    pub place: Place,
    /// The block that it stands in: `vrrp_instance VI_1`; empty at the top.
    pub within: String,
}

impl Instance {
    /// An instance that says nothing.
    pub(super) fn new(name: At<String>) -> Self {
        Self {
            name,
            starts_as_master: None,
            interface: None,
            vrid: None,
            priority: None,
            advert_interval: None,
            version: None,
            auth: None,
            addresses: Vec::new(),
            excluded: Vec::new(),
            source: None,
            unicast_peers: Vec::new(),
            check_unicast_source: None,
            other_group: None,
            vmac: None,
            vmac_xmit_base: None,
            nopreempt: None,
            preempt_delay: None,
            accept: None,
            garp: Garp::default(),
            track: Vec::new(),
            notify: Notify::default(),
        }
    }

    /// The family of its adverts: that of its first address.
    pub fn family(&self) -> Option<Family> {
        self.addresses.first().map(|first| Family::of(&first.value.address))
    }

    /// The advertised addresses: those of the family of the first.
    pub fn advertised(&self) -> impl Iterator<Item = &At<Virtual>> {
        let family = self.family();
        self.addresses.iter().filter(move |one| Some(Family::of(&one.value.address)) == family)
    }
}

impl Conf {
    /// The version that an instance speaks: its own, that of `global_defs`, 2; over IPv6 always 3.
    pub fn version(&self, instance: &Instance) -> Version {
        if instance.family() == Some(Family::V6) {
            return Version::V3;
        }
        let given = instance.version.as_ref().or(self.globals.version.as_ref());
        given.map_or(Version::V2, |version| version.value)
    }

    /// The interval that an instance advertises: version 2 counts whole seconds, version 3 hundredths.
    pub fn advert_interval(&self, instance: &Instance) -> Duration {
        instance.advert_interval.as_ref().map_or(ADVERT_INTERVAL, |interval| interval.value)
    }

    /// The authentication that an instance uses: none in version 3.
    pub fn auth(&self, instance: &Instance) -> Auth {
        match &instance.auth {
            Some(auth) if self.version(instance) == Version::V2 && self.globals.strict.is_none() => auth.value,
            _ => Auth::None,
        }
    }

    /// The instance that a daemon with this configuration runs for a VRID on an interface.
    pub fn instance(&self, interface: &str, family: Family, vrid: u8) -> Option<&Instance> {
        self.instances.iter().find(|instance| {
            instance.vrid.as_ref().is_some_and(|own| own.value == vrid)
                && instance.interface.as_ref().is_some_and(|own| own.value == interface)
                && instance.family() == Some(family)
        })
    }
}
