//! What a router can track on its own host: processes and files. All of it reads file systems, so it belongs on the edge.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The most that is read of a file in `/proc`, or of a tracked one, in bytes.
const READ_MAX: u64 = 4096;

/// The kernel keeps this much of a process's name, in bytes.
const COMM_MAX: usize = 15;

/// A priority moves by this at most, either way.
const WEIGHT_MAX: i16 = 254;

/// Whether a process runs that is called `name`: by what the kernel calls it, by its program file, or by the first word of its
/// command line; each with its path if `name` has a slash in it. A zombie does not run. Where `/proc` hides other users'
/// processes (`hidepid`), those are not found.
///
/// # Errors
/// If `/proc` can't be listed.
pub fn process_running(name: &str) -> io::Result<bool> {
    let name = name.as_bytes();
    for entry in fs::read_dir("/proc")? {
        // One that ends while we look isn't running.
        let Ok(entry) = entry else { continue };
        let is_process = entry.file_name().as_bytes().iter().all(u8::is_ascii_digit);
        if is_process && is_called(&entry.path(), name) == Some(true) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_called(process: &Path, name: &[u8]) -> Option<bool> {
    let stat = read(&process.join("stat")).ok()?;
    // The name, in parentheses, may hold anything: the state stands behind its last one.
    let (start, end) = (stat.iter().position(|b| *b == b'(')? + 1, stat.iter().rposition(|b| *b == b')')?);
    if matches!(stat.get(end + 2), Some(b'Z' | b'X')) {
        return Some(false);
    }
    // One that fills it may have been cut off there, and says too little.
    if name.len() < COMM_MAX && stat.get(start..end)? == name {
        return Some(true);
    }
    let command_line = read(&process.join("cmdline")).unwrap_or_default();
    let first = command_line.split(|b| *b == 0).next().unwrap_or_default();
    let program = fs::read_link(process.join("exe")).unwrap_or_default();
    Some([first, program.as_os_str().as_bytes()].iter().any(|path| is_path_of(path, name)))
}

fn is_path_of(path: &[u8], name: &[u8]) -> bool {
    match name.contains(&b'/') {
        true => path == name,
        false => Path::new(OsStr::from_bytes(path)).file_name().is_some_and(|file| file.as_bytes() == name),
    }
}

/// The weight that a file gives: `None` if there is no such file, the number in it, -254 to 254, or 0 if it is empty.
///
/// # Errors
/// With the path, if it can't be read, or if something else is in it.
pub fn file_weight(path: &Path) -> io::Result<Option<i16>> {
    let explain = |kind, what: &dyn std::fmt::Display| io::Error::new(kind, format!("{}: {what}", path.display()));
    let bytes = match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| explain(error.kind(), &error))?,
    };
    let text = String::from_utf8_lossy(&bytes);
    let weight = if text.trim().is_empty() { Some(0) } else { text.trim().parse().ok() };
    match weight.filter(|weight| (-WEIGHT_MAX..=WEIGHT_MAX).contains(weight)) {
        Some(weight) => Ok(Some(weight)),
        None => Err(explain(io::ErrorKind::InvalidData, &"write a number from -254 to 254 into it, or leave it empty")),
    }
}

/// The beginning of a file.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(READ_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};
    use std::time::Duration;

    use super::*;

    /// A program of this name that runs for long.
    fn start(directory: &Path, name: &str) -> Child {
        let program = directory.join(name);
        fs::copy("/bin/sleep", &program).expect("a file");
        loop {
            match Command::new(&program).arg("1000").spawn() {
                // Another test has forked while the file was open for writing.
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(Duration::from_millis(1))
                }
                child => return child.expect("a process"),
            }
        }
    }

    #[test]
    fn a_process_is_found_by_name_or_path_and_a_zombie_is_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let short = format!("vw{}", std::process::id());
        let long = format!("vipwarden-test-of-a-long-name-{}", std::process::id());
        let path = directory.path().join(&long).display().to_string();
        let names = [short.as_str(), long.as_str(), path.as_str()];
        for name in names {
            assert!(!process_running(name).expect("procfs"), "{name}");
        }
        let mut children = [start(directory.path(), &short), start(directory.path(), &long)];
        for name in names {
            assert!(process_running(name).expect("procfs"), "{name}");
        }
        assert!(!process_running(&long[..COMM_MAX]).expect("procfs"), "its beginning isn't its name");
        for child in &mut children {
            child.kill().expect("ours");
            let stat = format!("/proc/{}/stat", child.id());
            while !fs::read_to_string(&stat).expect("not reaped yet").contains(") Z ") {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        for name in names {
            assert!(!process_running(name).expect("procfs"), "{name} is a zombie");
        }
        for mut child in children {
            child.wait().expect("ours");
        }
    }

    #[test]
    fn a_files_weight_is_the_number_in_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("drain");
        assert_eq!(file_weight(&path).expect("no file is no error"), None);
        for (text, weight) in [("", 0), ("\n", 0), ("-50\n", -50), (" 254 ", 254)] {
            fs::write(&path, text).expect("a file");
            assert_eq!(file_weight(&path).expect("a number"), Some(weight), "{text:?}");
        }
        let long = "1".repeat(100_000);
        for text in ["255", "-300", "high", "1 2", &long] {
            fs::write(&path, text).expect("a file");
            let error = file_weight(&path).expect_err("no weight").to_string();
            assert!(error.contains("drain: ") && error.contains("-254 to 254"), "{error}");
        }
        let error = file_weight(directory.path()).expect_err("a directory").to_string();
        assert!(error.contains(&directory.path().display().to_string()), "{error}");
    }
}
