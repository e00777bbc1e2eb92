//! Network namespaces by the names that `ip netns` gives them, and signals to the processes started in them.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

/// Does `work` on a thread of its own that has entered the namespace `name`. Sockets opened there stay there, and may be
/// used from anywhere afterwards. Needs CAP_SYS_ADMIN.
///
/// # Errors
/// If there is no such namespace, or the kernel doesn't let us in.
pub fn inside<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    let namespace = File::open(Path::new("/run/netns").join(name))?;
    let enter_and_work = move || {
        // SAFETY: the descriptor is open for the length of the call, and setns moves the calling thread only.
        match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } {
            0 => Ok(work()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    let joined = std::thread::scope(|scope| scope.spawn(enter_and_work).join());
    joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Sends `signal` to one process.
///
/// # Errors
/// `InvalidInput` unless `pid` names exactly one process; else what the kernel says.
pub fn signal(pid: u32, signal: i32) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).ok().filter(|p| *p > 1).ok_or(io::ErrorKind::InvalidInput)?;
    // SAFETY: kill takes plain numbers; a positive pid addresses one process and no group.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
