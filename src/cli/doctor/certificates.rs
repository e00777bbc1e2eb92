//! Certificates of the web server, of the side that asks peers and the arbiter, and of the CAs that are trusted there: when they end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::finding::{Finding, Severity};
use crate::config::{Config, web_file};
use crate::engine::describe;
use crate::sys::{clock, tls};

const CHECK: &str = "certificate";
const DAY: i64 = 24 * 3600;
/// Renewals come a month ahead; one that is nearer has failed.
const WARN_DAYS: i64 = 14;

/// The findings on all certificates that the configuration names.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let mut files: BTreeSet<PathBuf> = BTreeSet::new();
    let mut found = Vec::new();
    match config.web.config_file.as_deref().map(web_file::read) {
        Some(Ok(file)) => files.extend(file.tls.map(|tls| tls.cert_file)),
        Some(Err(errors)) => {
            let why = "the daemon would not start with it";
            found.push(Finding::new(CHECK, Severity::Critical, "", describe(&errors), why));
        }
        None => {}
    }
    let asking = config.peers.iter().map(|peer| &peer.tls).chain(config.arbiter.iter().map(|arbiter| &arbiter.tls));
    files.extend(asking.flat_map(|tls| tls.ca.iter().chain(&tls.cert)).cloned());
    let now = clock::wall().unix_nanos(clock::now()) / 1_000_000_000;
    found.extend(files.iter().map(|file| judge(file, now)));
    found
}

fn judge(file: &Path, now: i64) -> Finding {
    let name = file.display().to_string();
    let look = format!("openssl x509 -noout -subject -enddate -in {name}   # then renew it");
    let ends = match tls::certificates(file).and_then(|chain| tls::expires(file, &chain)) {
        Ok(ends) => ends,
        Err(error) => {
            return Finding::new(
                CHECK,
                Severity::Critical,
                name,
                error.to_string(),
                "no connection can be made with it",
            )
            .mended_by(look);
        }
    };
    let days = (ends - now).div_euclid(DAY);
    let why = "from then on peers, scrapers and browsers refuse the connection: nothing is seen of this node";
    match ends - now {
        left if left <= 0 => {
            Finding::new(CHECK, Severity::Critical, name, format!("it has expired {} days ago", -days), why)
                .mended_by(look)
        }
        left if left < WARN_DAYS * DAY => {
            Finding::new(CHECK, Severity::Warning, name, format!("it expires in {days} days"), why).mended_by(look)
        }
        _ => Finding::ok(CHECK, name, format!("good for {days} days")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_told_by_how_long_it_is_good() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("web.pem");
        let key = rcgen::KeyPair::generate().expect("a key");
        let made =
            rcgen::CertificateParams::new(vec!["lb01".into()]).expect("a name").self_signed(&key).expect("signed");
        std::fs::write(&path, made.pem()).expect("a file");
        let ends = tls::expires(&path, &tls::certificates(&path).expect("one")).expect("a date");
        assert_eq!(judge(&path, ends - 30 * DAY).severity, Severity::Ok);
        assert_eq!(judge(&path, ends - 3 * DAY).severity, Severity::Warning);
        assert_eq!(judge(&path, ends + DAY).severity, Severity::Critical);
        std::fs::write(&path, "nothing").expect("a file");
        assert_eq!(judge(&path, 0).severity, Severity::Critical);
    }
}
