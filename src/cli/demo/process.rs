//! A daemon on a host of the laboratory, with its output in a file.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};

use super::lab::{Node, PATIENCE, wait_until};
use crate::sys::netns;
use crate::time::Duration;

/// A running process; ended when dropped.
#[derive(Debug)]
pub struct Process {
    what: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; its output is appended to the file `what`.log in the node's scratch directory.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn spawn(node: &Node, what: &str, mut command: Command) -> io::Result<Self> {
        let log = node.scratch()?.join(format!("{what}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        // A process group of its own: a Ctrl-C on our terminal is ours alone to handle, and in order.
        command.stdout(output.try_clone()?).stderr(output).process_group(0);
        let child = command.spawn().map_err(|e| io::Error::new(e.kind(), format!("{what}: {e}")))?;
        Ok(Self { what: format!("{what} on {}", node.name()), child, log })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it is, and on which host.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What it has printed so far.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        netns::signal(self.pid(), signal)
    }

    /// True until it has ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end (SIGTERM) and waits until it has; its exit code, if it wasn't killed.
    ///
    /// # Errors
    /// If it still runs after [`PATIENCE`].
    pub fn stop(&mut self) -> io::Result<Option<i32>> {
        if self.is_running() {
            self.signal(libc::SIGTERM)?;
        }
        self.wait(PATIENCE)
    }

    /// Waits until it has ended by itself; its exit code, if it wasn't killed.
    ///
    /// # Errors
    /// `TimedOut` after `limit`.
    pub fn wait(&mut self, limit: Duration) -> io::Result<Option<i32>> {
        let what = format!("{} ends", self.what);
        let child = &mut self.child;
        wait_until(&what, limit, || child.try_wait().transpose())?.map(|status| status.code())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended, which is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
