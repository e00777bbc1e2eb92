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
const NUMBER_MAX: i16 = 254;

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

/// The number in a file, -254 to 254; 0 if there is no such file.
///
/// # Errors
/// With the path, if it can't be read, or if something else is in it: an empty one may be just being written.
pub fn file_number(path: &Path) -> io::Result<i16> {
    let explain = |kind, what: &dyn std::fmt::Display| io::Error::new(kind, format!("{}: {what}", path.display()));
    let bytes = match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        read => read.map_err(|error| explain(error.kind(), &error))?,
    };
    let number = str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
    number.filter(|number| (-NUMBER_MAX..=NUMBER_MAX).contains(number)).ok_or_else(|| {
        explain(io::ErrorKind::InvalidData, &"write a number from -254 to 254 into it, or remove it for 0")
    })
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
    fn a_files_number_is_what_stands_in_it_and_0_without_a_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("adjust");
        assert_eq!(file_number(&path).expect("no file is no error"), 0);
        for (text, number) in [("0", 0), ("-50\n", -50), (" 254 ", 254), ("+7", 7)] {
            fs::write(&path, text).expect("a file");
            assert_eq!(file_number(&path).expect("a number"), number, "{text:?}");
        }
        let long = "1".repeat(100_000);
        for text in ["", "\n", "255", "-300", "high", "1 2", &long] {
            fs::write(&path, text).expect("a file");
            let error = file_number(&path).expect_err("no number").to_string();
            assert!(error.contains("adjust: ") && error.contains("-254 to 254"), "{error}");
        }
        let error = file_number(directory.path()).expect_err("a directory").to_string();
        assert!(error.contains(&directory.path().display().to_string()), "{error}");
    }
}
