//! What survives a restart: the learned routers, in one file that is replaced as a whole.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::observe::Learned;

/// The file's name within the state directory.
const FILE: &str = "learned.json";

/// Of the form below. A file of another version is not guessed at.
const VERSION: u32 = 1;

/// The largest file that is read or written, in bytes.
const SIZE_MAX: usize = 8 << 20;

/// Why learned routers could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system refused.
    #[error("{path}: cannot {what} the learned routers: {source}; check that the directory exists and is writable by this user", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read` or `write`.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// Not what was written.
    #[error("{path}: not a file of learned routers: {source}; delete it, and they are learned anew", path = .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// Written by another version of this program.
    #[error("{path}: version {found} of the form, this program knows {VERSION}; delete it, and routers are learned anew", path = .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says of itself.
        found: u32,
    },
    /// Beyond all measure.
    #[error("{path}: larger than {SIZE_MAX} bytes; delete it, or lower watch.max_routers", path = .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
}

#[derive(Deserialize)]
struct Head {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Body<R> {
    version: u32,
    routers: R,
}

/// Reads the learned routers of an earlier run; none if there was none.
///
/// # Errors
/// If the file is there and can't be read or understood. Nothing is lost by going on without it.
pub fn load(state_dir: &Path) -> Result<Vec<Learned>, StateError> {
    let path = state_dir.join(FILE);
    let mut bytes = Vec::new();
    match File::open(&path).and_then(|file| file.take(SIZE_MAX as u64 + 1).read_to_end(&mut bytes)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(StateError::Io { path, what: "read", source }),
        Ok(_) if bytes.len() > SIZE_MAX => return Err(StateError::TooLarge { path }),
        Ok(_) => {}
    }
    match serde_json::from_slice::<Head>(&bytes) {
        Ok(head) if head.version != VERSION => return Err(StateError::Version { path, found: head.version }),
        Ok(_) => {}
        Err(source) => return Err(StateError::Corrupt { path, source }),
    }
    match serde_json::from_slice::<Body<Vec<Learned>>>(&bytes) {
        Ok(body) => Ok(body.routers),
        Err(source) => Err(StateError::Corrupt { path, source }),
    }
}

/// Replaces the learned routers. After a crash at any point the file is either the old or the new one. Blocks for the disk.
///
/// # Errors
/// If the file can't be written, or would be too large to be read again.
pub fn save(state_dir: &Path, routers: &[Learned]) -> Result<(), StateError> {
    let path = state_dir.join(FILE);
    let bytes = match serde_json::to_vec(&Body { version: VERSION, routers }) {
        Ok(bytes) => bytes,
        Err(source) => return Err(StateError::Corrupt { path, source }),
    };
    if bytes.len() > SIZE_MAX {
        return Err(StateError::TooLarge { path });
    }
    replace(state_dir, &path, &bytes).map_err(|source| StateError::Io { path, what: "write", source })
}

fn replace(dir: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("json.new");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    // The rename is in the directory: without this it may be lost with the power.
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(vrid: u8) -> Learned {
        Learned {
            interface: "eth0".into(),
            vlan: Some(12),
            family: "ipv4".into(),
            vrid,
            version: 3,
            interval_ms: 1000,
            addresses: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
            last_seen_unix: 1_700_000_000,
        }
    }

    fn with_file(content: &[u8]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), content).unwrap();
        dir
    }

    #[test]
    fn what_was_saved_is_loaded_and_nothing_else_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), &[router(1)]).unwrap();
        save(dir.path(), &[router(1), router(2)]).unwrap();
        assert_eq!(load(dir.path()).unwrap(), [router(1), router(2)]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_first_start_has_learned_nothing() {
        assert_eq!(load(tempfile::tempdir().unwrap().path()).unwrap(), []);
    }

    #[test]
    fn every_cut_of_the_file_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), &[router(7)]).unwrap();
        let whole = fs::read(dir.path().join(FILE)).unwrap();
        for end in 0..whole.len() {
            let error = load(with_file(&whole[..end]).path()).unwrap_err().to_string();
            assert!(error.contains(FILE) && error.contains("learned anew"), "{error}");
        }
    }

    #[test]
    fn a_file_of_another_version_is_not_guessed_at() {
        let error = load(with_file(br#"{"version":2,"routers":"elsewhere"}"#).path()).unwrap_err();
        assert!(matches!(error, StateError::Version { found: 2, .. }), "{error}");
    }

    #[test]
    fn a_file_beyond_all_measure_is_not_read() {
        let error = load(with_file(&vec![b' '; SIZE_MAX + 1]).path()).unwrap_err();
        assert!(matches!(error, StateError::TooLarge { .. }), "{error}");
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap().path().join("gone");
        let error = save(&dir, &[router(1)]).unwrap_err().to_string();
        assert!(error.contains("gone/learned.json") && error.contains("write"), "{error}");
    }
}
