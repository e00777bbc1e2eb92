//! Finding and reading the files themselves.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::Diagnostic;

/// Nobody writes so large a configuration; a device or a log by mistake is.
const FILE_MAX_BYTES: u64 = 1 << 20;

/// A VRRP password has 8 bytes; room for blanks around it.
const PASSWORD_FILE_MAX_BYTES: u64 = 64;

/// A cluster's key has 32 or 64 bytes; nobody's is larger than this.
const KEY_FILE_MAX_BYTES: u64 = 4096;

/// The configuration file and those in `conf.d` beside it, by name, with their bytes; and what could not be read.
pub(super) fn find(main: &Path) -> (Vec<(PathBuf, Vec<u8>)>, Vec<Diagnostic>) {
    let mut errors = Vec::new();
    let mut paths = vec![main.to_owned()];
    let conf_d = main.parent().unwrap_or(Path::new("")).join("conf.d");
    match toml_files(&conf_d) {
        Ok(found) => paths.extend(found),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => errors.push(Diagnostic::of_file(&conf_d, format!("can't be read: {e}; mend its owner or mode"))),
    }
    let mut files = Vec::new();
    for path in paths {
        match read_at_most(&path, FILE_MAX_BYTES) {
            Ok(bytes) => files.push((path, bytes)),
            Err(e) => errors.push(Diagnostic::of_file(&path, unreadable(&e))),
        }
    }
    (files, errors)
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file: create it, or name another one".into(),
        io::ErrorKind::PermissionDenied => "may not be read by this user: mend its owner or mode".into(),
        _ => format!("can't be read: {error}"),
    }
}

fn toml_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        // Hidden ones are an editor's.
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|e| e == "toml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read_at_most(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::other(format!("it has more than {max} bytes")));
    }
    Ok(bytes)
}

/// The text of a configuration file; what is no UTF-8 in it, as in an old comment, is replaced.
pub(super) fn text(path: &Path) -> Result<String, String> {
    let bytes = read_at_most(path, FILE_MAX_BYTES).map_err(|e| unreadable(&e))?;
    Ok(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

/// The bytes of a key file without the blanks around them, and whether everyone on this host may read it.
pub(super) fn key(path: &Path) -> Result<(Vec<u8>, bool), String> {
    let meta = fs::metadata(path).map_err(|e| unreadable(&e))?;
    if !meta.is_file() {
        return Err("is no regular file".into());
    }
    let bytes = read_at_most(path, KEY_FILE_MAX_BYTES).map_err(|e| unreadable(&e))?;
    Ok((bytes.trim_ascii().to_vec(), meta.permissions().mode() & 0o004 != 0))
}

/// A password file's first line, and whether everyone on this host may read it.
pub(super) fn password(path: &Path) -> Result<(String, bool), String> {
    let meta = fs::metadata(path).map_err(|e| unreadable(&e))?;
    if !meta.is_file() {
        return Err("is no regular file".into());
    }
    let bytes = read_at_most(path, PASSWORD_FILE_MAX_BYTES).map_err(|e| unreadable(&e))?;
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())?;
    let line = text.lines().next().unwrap_or("").to_owned();
    Ok((line, meta.permissions().mode() & 0o004 != 0))
}
