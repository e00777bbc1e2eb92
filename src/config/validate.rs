//! [`raw::File`] → [`Config`]: how the values go together.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;

use super::raw::{self, Key, TextKey, TextList};
use super::read::{self, Read};
use super::source::Sources;
use super::value::FromText;
use super::{
    Config, Diagnostic, Fence, Loaded, Node, Peer, Watch, Web, Witness, arbiter, checks, cluster, hint, hostname,
    later, place, router, speaker, web_file,
};
use crate::time::Duration;

/// Switches that limit ARP shut a port that exceeds 15 requests a second.
const PROBE_BUDGET_SAFE: u32 = 15;

/// Probing faster than this tells nothing more: hosts take longer to answer.
const PROBE_INTERVAL_MIN: Duration = Duration::from_millis(10);

/// A learned router must outlive a few of the longest advert intervals.
const FORGET_AFTER_MIN: Duration = Duration::from_secs(1);

/// The configuration that the files say, after `errors` that are known already.
pub(super) fn validate(files: &[(PathBuf, Vec<u8>)], mut errors: Vec<Diagnostic>) -> Result<Loaded, Vec<Diagnostic>> {
    let mut sources = Sources::default();
    let read = read::read(files, &mut sources);
    let mut judge = Judge::new(&sources, &read, !errors.is_empty());
    let config = judge.config(&read.file);
    later::without_effect(&mut judge, &read.file);
    let Judge { errors: found, mut warnings, .. } = judge;
    errors.extend(read.errors);
    errors.extend(found);
    if errors.is_empty() {
        sources.sort(&mut warnings);
        let interfaces = place::interfaces(&read.file, &sources);
        Ok(Loaded { config, warnings, interfaces })
    } else {
        sources.sort(&mut errors);
        Err(errors)
    }
}

/// Where each name (or address, or identity) was given first.
pub(super) type Seen<K> = BTreeMap<K, Range<usize>>;

/// What the keys of a router refer to.
pub(super) struct Known<'a> {
    /// All but its routers.
    pub(super) config: &'a Config,
    /// The names of all `[[peer]]`s, or `None` where those could not be read.
    pub(super) peers: Option<Vec<&'a str>>,
    /// The names of all `[[check]]`s, or `None` where those could not be read.
    pub(super) checks: Option<Vec<&'a str>>,
    /// `[fence]`.
    pub(super) fence: Fence,
    /// False only if there is surely no `[[witness]]`.
    pub(super) has_witness: bool,
}

/// The judge: collects what it finds, and goes on.
pub(super) struct Judge<'a> {
    pub(super) sources: &'a Sources,
    read: &'a Read,
    /// True if not everything could be read: then what others say of it can't be judged.
    incomplete: bool,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl<'a> Judge<'a> {
    fn new(sources: &'a Sources, read: &'a Read, unreadable: bool) -> Self {
        let incomplete = read.incomplete || unreadable;
        Self { sources, read, incomplete, errors: Vec::new(), warnings: Vec::new() }
    }

    pub(super) fn error(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.errors.push(self.sources.diagnostic(span, message.into()));
    }

    pub(super) fn warn(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.warnings.push(self.sources.diagnostic(span, message.into()));
    }

    /// The value of a key that must be given; its absence is an error at `section`, which is the `index`th `list`.
    pub(super) fn required<T>(
        &mut self,
        value: &Key<T>,
        key: &str,
        list: &str,
        index: usize,
        section: Range<usize>,
    ) -> Option<T>
    where
        T: Clone,
    {
        if value.is_none() && !self.had_its_error(&format!("{list}.{index}.{key}")) {
            self.error(section, format!("this [[{list}]] has no `{key}`: add it"));
        }
        value.as_ref().map(|v| v.get_ref().clone())
    }

    /// True if the key at `path` was there, but wrong, in whole or in part.
    pub(super) fn had_its_error(&self, path: &str) -> bool {
        self.read.struck.contains(path)
    }

    /// True if `key` is new; else says that it stands twice.
    pub(super) fn unique<K: Ord>(&mut self, seen: &mut Seen<K>, key: K, span: Range<usize>, what: &str) -> bool {
        if let Some(first) = seen.get(&key) {
            let place = self.sources.place(first.start);
            self.error(span, format!("{what} is already given at {place}: change or remove one of the two"));
            return false;
        }
        seen.insert(key, span);
        true
    }

    fn config(&mut self, file: &raw::File) -> Config {
        let mut config = Config::discovery(&hostname());
        self.node(&file.node, &mut config.node);
        self.web(&file.web, &mut config.web);
        self.watch(&file.watch, &mut config.watch);
        config.cluster_key = cluster::key(self, &file.cluster);
        config.peers = self.peers(&file.peer);
        config.witnesses = self.witnesses(&file.witness);
        config.checks = checks::checks(self, &file.check);
        config.arbiter = arbiter::arbiter(self, file);
        let known = self.known(file, &config);
        config.routers = router::routers(self, &file.router, &known);
        checks::untracked(self, file);
        arbiter::council(self, file, &config);
        config
    }

    fn known<'c>(&mut self, file: &'c raw::File, config: &'c Config) -> Known<'c> {
        let peers = file.peer.iter().filter_map(|peer| text(&peer.get_ref().name));
        let checks = file.check.iter().filter_map(|check| text(&check.get_ref().name));
        let has_witness = self.incomplete || !file.witness.is_empty();
        let mut fence = Fence::default();
        speaker::fence(self, &file.fence, has_witness, &mut fence);
        Known {
            config,
            peers: (!self.incomplete).then(|| peers.map(|name| name.0.as_str()).collect()),
            checks: (!self.incomplete).then(|| checks.map(|name| name.0.as_str()).collect()),
            fence,
            has_witness,
        }
    }

    fn node(&mut self, raw: &raw::Node, node: &mut Node) {
        if let Some(name) = text(&raw.name) {
            node.name = name.0.clone();
        }
        if let Some(directory) = text(&raw.state_dir) {
            node.state_dir.clone_from(&directory.0);
        }
    }

    fn web(&mut self, raw: &raw::Web, web: &mut Web) {
        if let Some(file) = &raw.config_file {
            let path = self.sources.directory(file.span().start).join(file.get_ref());
            match web_file::read(&path) {
                Ok(file) => self.warnings.extend(file.warnings),
                Err(errors) => self.errors.extend(errors),
            }
            web.config_file = Some(path);
        }
        if raw.listen.is_some() {
            web.listen = list(&raw.listen);
            self.no_repetition(&raw.listen);
        }
    }

    fn watch(&mut self, raw: &raw::Watch, watch: &mut Watch) {
        if let Some(interfaces) = &raw.interfaces {
            if interfaces.get_ref().is_empty() && !self.had_its_error("watch.interfaces") {
                self.error(
                    interfaces.span(),
                    "an empty list would watch nothing: name interfaces, or leave the key out to have them picked",
                );
            }
            watch.interfaces = Some(list(&raw.interfaces).into_iter().map(|i| i.0).collect());
        }
        watch.keepalived_conf = raw.keepalived_conf.as_ref().map(|file| cluster::path(self, file));
        set(&mut watch.passive, &raw.passive);
        set(&mut watch.discover, &raw.discover);
        if let Some(interval) = &raw.probe_interval {
            watch.probe_interval = interval.get_ref().0;
            if !watch.probe_interval.is_zero() && watch.probe_interval < PROBE_INTERVAL_MIN {
                self.error(
                    interval.span(),
                    "probing can't go faster than every 10ms: write a longer time, or \"0s\" to turn it off",
                );
            }
        }
        if let Some(budget) = &raw.probe_budget {
            watch.probe_budget = budget.get_ref().get();
            if watch.probe_budget > PROBE_BUDGET_SAFE {
                self.warn(budget.span(), "some switches shut a port that sends more than 15 ARP requests a second");
            }
        }
        if let Some(max) = &raw.max_routers {
            watch.max_routers = max.get_ref().get();
        }
        if let Some(max) = &raw.max_speakers {
            watch.max_speakers = max.get_ref().get();
        }
        if let Some(after) = &raw.forget_after {
            watch.forget_after = after.get_ref().0;
            if watch.forget_after < FORGET_AFTER_MIN {
                self.error(
                    after.span(),
                    "a router would be forgotten between two of its adverts: write \"1s\" or more",
                );
            }
        }
    }

    fn peers(&mut self, raw: &[Spanned<raw::Peer>]) -> Vec<Peer> {
        let (mut names, mut addresses) = (Seen::new(), Seen::new());
        let mut peers = Vec::new();
        for (i, section) in raw.iter().enumerate() {
            let peer = section.get_ref();
            let vrrp_addresses: Vec<IpAddr> = list(&peer.vrrp_addresses);
            for own in peer.address.iter().chain(peer.vrrp_addresses.iter().flat_map(Spanned::get_ref)) {
                self.unique(&mut addresses, own.get_ref().0, own.span(), "this peer address");
            }
            let named = self.named("peer", i, section.span(), &peer.name, &peer.address, &mut names);
            let (urls, tls) = cluster::channel(self, peer);
            peers.extend(named.map(|(name, address)| Peer { name, address, vrrp_addresses, urls, tls }));
        }
        peers
    }

    fn witnesses(&mut self, raw: &[Spanned<raw::Witness>]) -> Vec<Witness> {
        let mut names = Seen::new();
        let mut witnesses = Vec::new();
        for (i, section) in raw.iter().enumerate() {
            let witness = section.get_ref();
            let named = self.named("witness", i, section.span(), &witness.name, &witness.address, &mut names);
            witnesses.extend(named.map(|(name, address)| Witness { name, address }));
        }
        witnesses
    }

    /// The name, which must be unique in its list, and the address of a section that needs both.
    fn named(
        &mut self,
        list: &str,
        index: usize,
        section: Range<usize>,
        name: &TextKey<super::value::Name>,
        address: &TextKey<IpAddr>,
        names: &mut Seen<String>,
    ) -> Option<(String, IpAddr)> {
        if let Some(name) = name {
            self.unique(names, name.get_ref().0.0.clone(), name.span(), &format!("the name of this {list}"));
        }
        let name = self.required(name, "name", list, index, section.clone());
        let address = self.required(address, "address", list, index, section);
        Some((name?.0.0, address?.0))
    }

    /// Says that `name` is none of `known`, the names of all `kind`.
    pub(super) fn known_name(&mut self, kind: &str, name: &str, span: Range<usize>, known: &[&str]) {
        if !known.contains(&name) {
            let advice = match hint::nearest(name, known.iter().copied()) {
                Some(nearest) => format!("did you mean {nearest:?}?"),
                None => "add one, or remove the name here".into(),
            };
            self.error(span, format!("there is no {kind} of the name {name:?}: {advice}"));
        }
    }

    /// Which one of the keys `all` is `given`; else says at `section`, a `what`, that there must be exactly one.
    /// `path` leads to where the keys stand.
    pub(super) fn one_of(
        &mut self,
        what: &str,
        all: &[&str],
        given: &[(&'static str, Range<usize>)],
        section: Range<usize>,
        path: &str,
    ) -> Option<&'static str> {
        match given {
            [(one, _)] => Some(one),
            [] if all.iter().any(|key| self.had_its_error(&format!("{path}{key}"))) => None,
            [] => {
                self.error(section, format!("this {what} has none of {}: add one of them", all.join(", ")));
                None
            }
            [(first, _), (second, span), ..] => {
                self.error(span.clone(), format!("`{second}` stands beside `{first}`: keep one of the two"));
                None
            }
        }
    }

    /// Takes over a duration that is given and not shorter than `min`.
    pub(super) fn duration(&mut self, target: &mut Duration, key: &TextKey<Duration>, min: Duration) {
        let Some(key) = key else { return };
        *target = key.get_ref().0;
        if *target < min {
            self.error(key.span(), format!("this is too short: write \"{}\" or more", humantime::format_duration(min)));
        }
    }

    /// Says which elements of a list stand in it twice.
    pub(super) fn no_repetition<T: FromText + Ord + Clone>(&mut self, values: &TextList<T>) {
        let mut seen = Seen::new();
        for value in values.iter().flat_map(Spanned::get_ref) {
            self.unique(&mut seen, value.get_ref().0.clone(), value.span(), "this");
        }
    }
}

/// The value of a key, if it is given.
pub(super) fn text<T>(key: &TextKey<T>) -> Option<&T> {
    key.as_ref().map(|value| &value.get_ref().0)
}

/// The values of a list; none if it is not given.
pub(super) fn list<T: Clone>(key: &TextList<T>) -> Vec<T> {
    key.iter().flat_map(Spanned::get_ref).map(|value| value.get_ref().0.clone()).collect()
}

/// Takes over a value that is given.
pub(super) fn set<T: Copy>(target: &mut T, key: &Key<T>) {
    if let Some(value) = key {
        *target = *value.get_ref();
    }
}
