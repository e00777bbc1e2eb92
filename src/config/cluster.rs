//! `[cluster]`, and how a `[[peer]]`'s vipwarden is asked: trust between vipwardens.

use std::path::PathBuf;

use hyper::Uri;
use toml::Spanned;

use super::raw::{self, Key};
use super::validate::{Judge, list};
use super::{ClusterKey, TlsFiles, files};

/// Below this a key can be guessed.
const KEY_MIN_BYTES: usize = 16;

/// Ways to one peer: more networks than that lead to nobody.
const URLS_MAX: usize = 8;

/// The cluster's key, if one is named.
pub(super) fn key(judge: &mut Judge<'_>, raw: &raw::Cluster) -> Option<ClusterKey> {
    let file = raw.key_file.as_ref()?;
    let path = path(judge, file);
    match files::key(&path) {
        Ok((secret, _)) if secret.len() < KEY_MIN_BYTES => {
            let message = format!(
                "{}: a key of {} bytes can be guessed: make one with `openssl rand -hex 32`, the same on all nodes",
                path.display(),
                secret.len()
            );
            judge.error(file.span(), message);
            None
        }
        Ok((secret, exposed)) => {
            if exposed {
                judge.warn(file.span(), format!("everyone on this host may read {}: chmod o-r", path.display()));
            }
            Some(ClusterKey { path, secret })
        }
        Err(why) => {
            judge.error(file.span(), format!("{}: {why}", path.display()));
            None
        }
    }
}

/// Where a peer's vipwarden is asked, and whom to trust there.
pub(super) fn channel(judge: &mut Judge<'_>, peer: &raw::Peer) -> (Vec<Uri>, TlsFiles) {
    judge.no_repetition(&peer.urls);
    let urls: Vec<Uri> = list(&peer.urls).iter().filter_map(|url| url.0.parse().ok()).collect();
    if let Some(given) = peer.urls.as_ref().filter(|_| urls.len() > URLS_MAX) {
        judge.error(given.span(), format!("{} URLs for one peer: {URLS_MAX} at most", urls.len()));
    }
    let is_secret = urls.iter().any(|url| url.scheme_str() == Some("https"));
    let tls = tls_files(judge, [&peer.ca_file, &peer.cert_file, &peer.key_file], is_secret, "this peer's `urls`");
    (urls, tls)
}

/// The files `ca_file`, `cert_file` and `key_file`, which have an effect only if some of `urls` is secret.
pub(super) fn tls_files(
    judge: &mut Judge<'_>,
    [ca, cert, key]: [&Key<String>; 3],
    is_secret: bool,
    urls: &str,
) -> TlsFiles {
    let file = |file: &Key<String>| file.as_ref().map(|file| path(judge, file));
    let files = TlsFiles { ca: file(ca), cert: file(cert), key: file(key) };
    match (cert, key) {
        (Some(alone), None) => judge.error(alone.span(), "a certificate goes with its key: add `key_file`"),
        (None, Some(alone)) => judge.error(alone.span(), "a key goes with its certificate: add `cert_file`"),
        _ => {}
    }
    if let Some(idle) = ca.as_ref().or(cert.as_ref()).filter(|_| !is_secret) {
        judge.warn(idle.span(), format!("this has no effect: none of {urls} begins with https://"));
    }
    files
}

/// A file that is named, relative to the one that names it.
pub(super) fn path(judge: &Judge<'_>, file: &Spanned<String>) -> PathBuf {
    judge.sources.directory(file.span().start).join(file.get_ref())
}
