//! `[arbiter]`.

use hyper::Uri;
use toml::Spanned;

use super::validate::{Judge, list};
use super::{Arbiter, ArbiterLogin, Config, Peer, Unreachable, cluster, files, raw};
use crate::time::Duration;

/// A shorter wait has a healthy holder fenced by a change of etcd's leader, which stalls writes for 1.0-1.3 s.
const WAIT_MIN: Duration = Duration::from_secs(2);
/// Nobody wants to wait longer for a failover.
const WAIT_MAX: Duration = Duration::from_secs(600);
/// No cluster of etcd has more members.
const ENDPOINTS_MAX: usize = 9;

/// What an `[arbiter]` says, if there is one.
pub(super) fn arbiter(judge: &mut Judge<'_>, file: &raw::File) -> Option<Arbiter> {
    let section = file.arbiter.as_ref()?;
    let raw = section.get_ref();
    judge.no_repetition(&raw.etcd);
    let etcd: Vec<Uri> = list(&raw.etcd).iter().filter_map(|url| url.0.parse().ok()).collect();
    if etcd.is_empty() && !judge.had_its_error("arbiter.etcd") {
        judge
            .error(section.span(), "this [arbiter] names no endpoint: add `etcd`, such as [\"https://10.0.0.9:2379\"]");
    }
    if let Some(given) = raw.etcd.as_ref().filter(|_| etcd.len() > ENDPOINTS_MAX) {
        judge.error(given.span(), format!("{} endpoints: {ENDPOINTS_MAX} at most", etcd.len()));
    }
    let is_secret = etcd.iter().any(|url| url.scheme_str() == Some("https"));
    let tls = cluster::tls_files(judge, [&raw.ca_file, &raw.cert_file, &raw.key_file], is_secret, "`etcd`");
    let login = login(judge, raw, &etcd);
    let mut arbiter = Arbiter { etcd, tls, login, ..Arbiter::default() };
    judge.duration(&mut arbiter.wait, &raw.wait, WAIT_MIN);
    if let Some(wait) = raw.wait.as_ref().filter(|wait| wait.get_ref().0 > WAIT_MAX) {
        judge.error(wait.span(), format!("nobody can take over for so long: write {WAIT_MAX:?} or less"));
    }
    if let Some(prefix) = &raw.key_prefix {
        arbiter.key_prefix.clone_from(prefix.get_ref());
        if prefix.get_ref().is_empty() || prefix.get_ref().chars().any(char::is_control) {
            judge.error(prefix.span(), "keys need a prefix of their own: write one such as \"/vipwarden/\"");
        }
    }
    if let Some(policy) = &raw.unreachable {
        arbiter.unreachable = *policy.get_ref();
    }
    if !file.router.iter().any(|router| router.get_ref().speaks()) {
        judge.warn(section.span(), "[arbiter] has no effect: no [[router]] has mode = \"speak\"");
    }
    Some(arbiter)
}

/// Whether the peers can be asked for their promises, where those are to count.
pub(super) fn council(judge: &mut Judge<'_>, file: &raw::File, config: &Config) {
    let policy = file.arbiter.as_ref().and_then(|section| section.get_ref().unreachable.as_ref());
    let Some(policy) = policy.filter(|policy| *policy.get_ref() == Unreachable::HoldIfUnanimous) else { return };
    if config.cluster_key.is_none() && !judge.had_its_error("cluster.key_file") {
        judge.error(
            policy.span(),
            "only what is signed counts as a promise: add [cluster] with `key_file`, the same on all nodes",
        );
    }
    for router in config.routers.iter().filter(|router| router.speak.is_some()) {
        let is_named = |peer: &&Peer| router.peers.as_ref().is_none_or(|names| names.contains(&peer.name));
        let peers: Vec<&Peer> = config.peers.iter().filter(is_named).collect();
        if peers.is_empty() && !judge.had_its_error("peer") {
            let message =
                format!("{} has no peer that could promise anything: add a [[peer]] for each other node", router.name);
            judge.error(policy.span(), message);
        }
        if let Some(mute) = peers.iter().find(|peer| peer.urls.is_empty()) {
            let message = format!("{} can't be asked for its promise: add `urls` to that [[peer]]", mute.name);
            judge.error(policy.span(), message);
        }
    }
}

fn login(judge: &mut Judge<'_>, raw: &raw::Arbiter, etcd: &[Uri]) -> Option<ArbiterLogin> {
    let (user, file) = match (&raw.user, &raw.password_file) {
        (None, None) => return None,
        (Some(user), Some(file)) => (user, file),
        (Some(alone), None) => {
            judge.error(alone.span(), "a user has a password: add `password_file`");
            return None;
        }
        (None, Some(alone)) => {
            judge.error(alone.span(), "a password belongs to a user: add `user`");
            return None;
        }
    };
    if let Some(plain) = etcd.iter().find(|url| url.scheme_str() == Some("http")) {
        let message = format!("the password goes to {plain} in clear: write https://, if that leaves this host");
        judge.warn(file.span(), message);
    }
    let path = cluster::path(judge, file);
    match read(judge, file, &path) {
        Ok(password) => Some(ArbiterLogin { user: user.get_ref().clone(), password_file: path, password }),
        Err(why) => {
            judge.error(file.span(), format!("{}: {why}", path.display()));
            None
        }
    }
}

fn read(judge: &mut Judge<'_>, file: &Spanned<String>, path: &std::path::Path) -> Result<String, String> {
    let (bytes, exposed) = files::key(path)?;
    if exposed {
        judge.warn(file.span(), format!("everyone on this host may read {}: chmod o-r", path.display()));
    }
    match String::from_utf8(bytes) {
        Ok(password) if password.is_empty() => Err("it is empty: write the password into it".into()),
        Ok(password) => Ok(password),
        Err(_) => Err("it is not UTF-8 text".into()),
    }
}
