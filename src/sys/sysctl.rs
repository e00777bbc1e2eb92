//! Kernel settings below `/proc/sys`: read, changed, and put back.

use std::collections::BTreeMap;
use std::io;
use std::{fs, path::PathBuf};

/// Reads a setting, such as `net/ipv4/conf/eth0/arp_ignore`. Those of the network are of this thread's namespace.
///
/// # Errors
/// There is no such setting; the key is named.
pub fn read(key: &str) -> io::Result<String> {
    fs::read_to_string(path(key)).map(|text| text.trim().to_owned()).map_err(|error| at(key, &error))
}

/// Writes a setting, unless it has that value already: so a read-only `/proc/sys` is no error where it is right.
pub(super) fn ensure(key: &str, value: &str) -> io::Result<()> {
    if read(key)? == value { Ok(()) } else { write(key, value) }
}

/// Writes a setting. That counts even where it has that value already: what was written for one interface no longer follows what
/// is written for `default`.
pub(super) fn write(key: &str, value: &str) -> io::Result<()> {
    fs::write(path(key), value).map_err(|error| at(key, &error))
}

fn path(key: &str) -> PathBuf {
    PathBuf::from("/proc/sys").join(key)
}

fn at(key: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("/proc/sys/{key}: {error}"))
}

/// The settings that were changed, with what they were. Several may want the same one: the last that lets go restores it.
#[derive(Debug, Default)]
pub(super) struct Changed {
    settings: BTreeMap<String, Setting>,
}

#[derive(Debug)]
struct Setting {
    original: String,
    ours: String,
    users: usize,
}

impl Changed {
    /// Sets `key` to `value` where `is_wrong` says so of what it is now, and remembers that. True if it is held now: to be
    /// released.
    pub fn hold(&mut self, key: &str, value: &str, is_wrong: impl Fn(&str) -> bool) -> io::Result<bool> {
        if let Some(setting) = self.settings.get_mut(key) {
            setting.users += 1;
            return Ok(true);
        }
        let original = read(key)?;
        let wrong = is_wrong(&original);
        if wrong {
            write(key, value)?;
            self.settings.insert(key.to_owned(), Setting { original, ours: value.to_owned(), users: 1 });
        }
        Ok(wrong)
    }

    /// Lets go of `key`. True if nobody holds it any more. What somebody else has changed since stays as it is, and so does
    /// what is gone with its interface.
    pub fn release(&mut self, key: &str) -> io::Result<bool> {
        let Some(setting) = self.settings.get_mut(key) else { return Ok(true) };
        setting.users -= 1;
        if setting.users > 0 {
            return Ok(false);
        }
        let Some(setting) = self.settings.remove(key) else { return Ok(true) };
        match read(key) {
            Ok(current) if current == setting.ours => write(key, &setting.original)?,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(true)
    }

    /// What `key` was, if it is held.
    pub fn original(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(|setting| setting.original.as_str())
    }

    /// Puts back what an earlier life of this program has changed, unless this one holds it too.
    pub fn put_back(&self, key: &str, original: &str) -> io::Result<()> {
        match self.settings.contains_key(key) {
            true => Ok(()),
            false => write(key, original),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::with_neighbour;
    use super::*;

    const KEY: &str = "net/ipv4/conf/near/arp_ignore";

    #[test]
    fn a_setting_is_put_back_when_the_last_one_lets_go_of_it() {
        with_neighbour(async |_| {
            let mut changed = Changed::default();
            for _ in 0..2 {
                assert!(changed.hold(KEY, "1", |value| value == "0").expect("root"));
            }
            assert_eq!((read(KEY).expect("sysctl").as_str(), changed.original(KEY)), ("1", Some("0")));
            assert!(!changed.release(KEY).expect("root"), "there is another");
            assert_eq!(read(KEY).expect("sysctl"), "1");
            assert!(changed.release(KEY).expect("root"));
            assert_eq!((read(KEY).expect("sysctl").as_str(), changed.original(KEY)), ("0", None));
        });
    }

    #[test]
    fn what_is_right_already_or_was_changed_by_others_stays_as_it_is() {
        with_neighbour(async |_| {
            let mut changed = Changed::default();
            write(KEY, "8").expect("root");
            assert!(!changed.hold(KEY, "1", |value| value == "0").expect("root"));
            assert_eq!(read(KEY).expect("sysctl"), "8");
            write(KEY, "0").expect("root");
            assert!(changed.hold(KEY, "1", |value| value == "0").expect("root"));
            write(KEY, "2").expect("root");
            changed.put_back(KEY, "0").expect("it is held, so this is for later");
            changed.release(KEY).expect("root");
            assert_eq!(read(KEY).expect("sysctl"), "2", "whoever wrote that knew why");
            changed.put_back(KEY, "0").expect("root");
            assert_eq!(read(KEY).expect("sysctl"), "0");
        });
    }

    #[test]
    fn a_setting_that_went_with_its_interface_is_no_error_and_one_that_never_was_is_named() {
        with_neighbour(async |_| {
            let mut changed = Changed::default();
            assert!(changed.hold(KEY, "1", |value| value == "0").expect("root"));
            super::super::testing::ip("link delete near");
            assert!(changed.release(KEY).expect("nothing to put back"));
            let error = changed.hold(KEY, "1", |_| true).expect_err("near is gone").to_string();
            assert!(error.contains("/proc/sys/net/ipv4/conf/near/arp_ignore"), "{error}");
        });
    }
}
