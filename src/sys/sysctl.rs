//! Kernel settings below `/proc/sys`: read, changed, and put back.

use std::collections::BTreeMap;
use std::io;
use std::{fs, path::PathBuf};

/// Reads a setting, such as `net/ipv4/conf/eth0/arp_ignore`. Those of the network are of this thread's namespace.
pub(super) fn read(key: &str) -> io::Result<String> {
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
