//! Runs the user's scripts (checks, notifications) so that nothing they do can hold the daemon up or use its rights.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::{fs, path::Path};

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::capability;
use crate::time::Duration;

/// The beginning of the output that is kept, in bytes. What follows is read and thrown away.
pub const OUTPUT_MAX: usize = 64 << 10;

/// Where programs without a path are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The first descriptor behind standard input, output and error.
const FIRST_INHERITED: libc::c_uint = 3;

/// How long a killed process may take to die. One that hangs in the kernel is left to itself.
const DEATH: Duration = Duration::from_secs(1);

/// Reads of what is left when the script has ended. A daemon that it has left behind may write for ever.
const LAST_READS_MAX: usize = 32;

/// Whom a script runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group; there are no others.
    pub gid: u32,
}

impl User {
    /// Looks the user up in `/etc/passwd`. Users of directory services are not found.
    ///
    /// # Errors
    /// With the name: if the file can't be read, or has no such user.
    pub fn lookup(name: &str) -> io::Result<Self> {
        Self::lookup_in(Path::new("/etc/passwd"), name)
    }

    fn lookup_in(file: &Path, name: &str) -> io::Result<Self> {
        let explain = |kind, what: &dyn std::fmt::Display| {
            io::Error::new(kind, format!("the user {name:?} can't be looked up in {}: {what}", file.display()))
        };
        let text = fs::read(file).map_err(|error| explain(error.kind(), &error))?;
        let found = String::from_utf8_lossy(&text).lines().find_map(|line| Self::parse(line, name));
        found.ok_or_else(|| explain(io::ErrorKind::NotFound, &"there is none: add it, or name another"))
    }

    fn parse(line: &str, name: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let is_it = fields.next()? == name;
        let (_password, uid, gid) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Self { name: name.to_owned(), uid: uid.parse().ok()?, gid: gid.parse().ok()? }).filter(|_| is_it)
    }
}

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Script<'a> {
    /// Program and arguments; no shell is in between.
    pub command: &'a [String],
    /// All of its environment but PATH.
    pub environment: &'a [(&'a str, String)],
    /// Whom it runs as.
    pub user: &'a User,
    /// After this it is killed, with its process group.
    pub timeout: Duration,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Exit status; `None` if it was killed for its time.
    pub status: Option<ExitStatus>,
    /// What it wrote to standard output and error, at most [`OUTPUT_MAX`] bytes. A stranger's words: escape them.
    pub output: Vec<u8>,
    /// Whether there was more.
    pub truncated: bool,
}

/// Runs a script to its end: as `user`, without any capability and without a way to get one (`no_new_privs`: sudo and setuid programs
/// are powerless in it), in a process group of its own, in `/`, with nothing to read. What it leaves behind in the background
/// lives on, unless the time was up; whoever left its process group lives on then, too. Dropping the future kills the group.
///
/// # Errors
/// If it can't be started: no command, no such program, or no right to become `user` (CAP_SETUID, CAP_SETGID).
pub async fn run(script: Script<'_>) -> io::Result<Finished> {
    let (program, arguments) = script.command.split_first().ok_or_else(|| io::Error::other("an empty command"))?;
    let explain = |error: io::Error| {
        let advice = match error.raw_os_error() {
            Some(libc::EPERM) => {
                ": the daemon needs CAP_SETUID and CAP_SETGID for that, or let it run as the daemon's own user"
            }
            _ => "",
        };
        io::Error::new(error.kind(), format!("{program} can't be run as {}: {error}{advice}", script.user.name))
    };
    let (reader, writer) = io::pipe()?;
    let mut output = Collected { pipe: Receiver::from_owned_fd(reader.into())?, kept: Vec::new(), truncated: false };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .envs(script.environment.iter().map(|(key, value)| (key, value)));
    command.current_dir("/").process_group(0).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let (uid, gid) = (script.user.uid, script.user.gid);
    // SAFETY: between fork and exec it only makes system calls, and allocates nothing.
    unsafe { command.pre_exec(move || become_harmless(uid, gid)) };
    let mut child = command.spawn().map_err(explain)?;
    // It holds the writing ends of the pipe.
    drop(command);
    let group = Group(child.id());
    let status = tokio::select! {
        status = child.wait() => Some(status?),
        () = output.collect() => None,
        () = sleep(script.timeout) => None,
    };
    match status {
        Some(_) => group.spare(),
        None => {
            drop(group);
            let _ = timeout(DEATH, child.wait()).await;
        }
    }
    output.collect_what_is_there();
    Ok(Finished { status, output: output.kept, truncated: output.truncated })
}

/// Runs in the child: gives up other groups, the user, open files and all capabilities.
fn become_harmless(uid: u32, gid: u32) -> io::Result<()> {
    let check = |result: libc::c_int| if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    // SAFETY: these take no pointer, and no memory.
    let (now_uid, now_gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    if now_uid == 0 || (now_uid, now_gid) != (uid, gid) {
        // SAFETY: an empty list may be null.
        check(unsafe { libc::setgroups(0, std::ptr::null()) })?;
        // SAFETY: takes no pointer.
        check(unsafe { libc::setgid(gid) })?;
        // SAFETY: takes no pointer.
        check(unsafe { libc::setuid(uid) })?;
    }
    // What this process opens is closed by exec anyway; what it was started with may not be. Kernels before 5.11 can't.
    // SAFETY: takes no pointer.
    let _ =
        unsafe { libc::syscall(libc::SYS_close_range, FIRST_INHERITED, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    capability::drop_all()?;
    // SAFETY: takes no pointer.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })
}

/// A process group whose leader was not waited for yet, so that its id is still its own. Dropped, it is killed.
struct Group(Option<u32>);

impl Group {
    fn spare(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0.and_then(|id| libc::pid_t::try_from(id).ok()) {
            // SAFETY: takes no pointer. The group is that of our child.
            unsafe { libc::kill(-leader, libc::SIGKILL) };
        }
    }
}

/// The output so far.
struct Collected {
    pipe: Receiver,
    kept: Vec<u8>,
    truncated: bool,
}

impl Collected {
    /// Reads for ever: an end of the output isn't the end of the script.
    async fn collect(&mut self) {
        let mut buffer = [0; 4096];
        loop {
            match self.pipe.read(&mut buffer).await {
                Ok(length @ 1..) => self.keep(&buffer[..length]),
                _ => std::future::pending().await,
            }
        }
    }

    /// Reads without waiting: somebody else may hold the writing end for ever.
    fn collect_what_is_there(&mut self) {
        let mut buffer = [0; 4096];
        for _ in 0..LAST_READS_MAX {
            match self.pipe.try_read(&mut buffer) {
                Ok(length @ 1..) => self.keep(&buffer[..length]),
                _ => return,
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = OUTPUT_MAX - self.kept.len();
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.truncated |= bytes.len() > room;
    }
}

#[cfg(test)]
mod tests;
