//! What survives a restart: the learned routers and the operator's fences, each in one file that is replaced as a whole.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::observe::Learned;

/// One kind of file within the state directory.
#[derive(Clone, Copy, Debug)]
struct Kind {
    file: &'static str,
    what: &'static str,
    /// What to do with a broken one.
    advice: &'static str,
}

const LEARNED: Kind =
    Kind { file: "learned.json", what: "learned routers", advice: "delete it, and routers are learned anew" };
const FENCES: Kind =
    Kind { file: "fences.json", what: "fences", advice: "delete it, and fence again what is to stay out" };

/// Of the form below. A file of another version is not guessed at.
const VERSION: u32 = 1;

/// The largest file that is read or written, in bytes.
const SIZE_MAX: usize = 8 << 20;

/// Why something could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system refused.
    #[error("{path}: cannot {verb} the {what}: {source}; check that the directory exists and is writable by this user", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read` or `write`.
        verb: &'static str,
        /// What is in it.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// Not what was written.
    #[error("{path}: not a file of {what}: {source}; {advice}", path = .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        what: &'static str,
        /// What to do.
        advice: &'static str,
        /// Where and why.
        source: serde_json::Error,
    },
    /// Written by another version of this program.
    #[error("{path}: version {found} of the form, this program knows {VERSION}; {advice}", path = .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// What to do.
        advice: &'static str,
        /// What it says of itself.
        found: u32,
    },
    /// Beyond all measure.
    #[error("{path}: larger than {SIZE_MAX} bytes; {advice}, or lower watch.max_routers", path = .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What to do.
        advice: &'static str,
    },
}

#[derive(Deserialize)]
struct Head {
    version: u32,
}

/// Reads the learned routers of an earlier run; none if there was none.
///
/// # Errors
/// If the file is there and can't be read or understood. Nothing is lost by going on without it.
pub fn load(state_dir: &Path) -> Result<Vec<Learned>, StateError> {
    #[derive(Deserialize)]
    struct Body {
        routers: Vec<Learned>,
    }
    Ok(read(state_dir, LEARNED)?.map_or_else(Vec::new, |body: Body| body.routers))
}

/// Replaces the learned routers. After a crash at any point the file is either the old or the new one. Blocks for the disk.
///
/// # Errors
/// If the file can't be written, or would be too large to be read again.
pub fn save(state_dir: &Path, routers: &[Learned]) -> Result<(), StateError> {
    #[derive(Serialize)]
    struct Body<'a> {
        version: u32,
        routers: &'a [Learned],
    }
    write(state_dir, LEARNED, &Body { version: VERSION, routers })
}

/// Reads the names of the routers that an operator had fenced; none if there was none.
///
/// # Errors
/// As [`load`]; but what was to stay out would come back.
pub fn load_fences(state_dir: &Path) -> Result<BTreeSet<String>, StateError> {
    #[derive(Deserialize)]
    struct Body {
        fenced: BTreeSet<String>,
    }
    Ok(read(state_dir, FENCES)?.map_or_else(BTreeSet::new, |body: Body| body.fenced))
}

/// Replaces those names, as [`save`] does.
///
/// # Errors
/// As [`save`].
pub fn save_fences(state_dir: &Path, fenced: &BTreeSet<String>) -> Result<(), StateError> {
    #[derive(Serialize)]
    struct Body<'a> {
        version: u32,
        fenced: &'a BTreeSet<String>,
    }
    write(state_dir, FENCES, &Body { version: VERSION, fenced })
}

fn read<B: DeserializeOwned>(state_dir: &Path, kind: Kind) -> Result<Option<B>, StateError> {
    let Kind { file, what, advice } = kind;
    let path = state_dir.join(file);
    let mut bytes = Vec::new();
    match File::open(&path).and_then(|file| file.take(SIZE_MAX as u64 + 1).read_to_end(&mut bytes)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StateError::Io { path, verb: "read", what, source }),
        Ok(_) if bytes.len() > SIZE_MAX => return Err(StateError::TooLarge { path, advice }),
        Ok(_) => {}
    }
    match serde_json::from_slice::<Head>(&bytes) {
        Ok(head) if head.version != VERSION => return Err(StateError::Version { path, advice, found: head.version }),
        Ok(_) => {}
        Err(source) => return Err(StateError::Corrupt { path, what, advice, source }),
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|source| StateError::Corrupt { path, what, advice, source })
}

fn write(state_dir: &Path, kind: Kind, body: &impl Serialize) -> Result<(), StateError> {
    let Kind { file, what, advice } = kind;
    let path = state_dir.join(file);
    let bytes = match serde_json::to_vec(body) {
        Ok(bytes) => bytes,
        Err(source) => return Err(StateError::Corrupt { path, what, advice, source }),
    };
    if bytes.len() > SIZE_MAX {
        return Err(StateError::TooLarge { path, advice });
    }
    replace(state_dir, &path, &bytes).map_err(|source| StateError::Io { path, verb: "write", what, source })
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
        fs::write(dir.path().join(LEARNED.file), content).unwrap();
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
        let whole = fs::read(dir.path().join(LEARNED.file)).unwrap();
        for end in 0..whole.len() {
            let error = load(with_file(&whole[..end]).path()).unwrap_err().to_string();
            assert!(error.contains(LEARNED.file) && error.contains("learned anew"), "{error}");
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

    #[test]
    fn fences_survive_too_and_a_broken_file_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load_fences(dir.path()).unwrap(), BTreeSet::new());
        let fenced = BTreeSet::from(["web".to_owned()]);
        save_fences(dir.path(), &fenced).unwrap();
        assert_eq!(load_fences(dir.path()).unwrap(), fenced);
        fs::write(dir.path().join(FENCES.file), b"{\"version\":1").unwrap();
        let error = load_fences(dir.path()).unwrap_err().to_string();
        assert!(error.contains("fences.json") && error.contains("fence again"), "{error}");
    }
}
