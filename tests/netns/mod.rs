//! A network namespace for one test: made by its thread, gone with it, invisible to every other test.
#![allow(unsafe_code, dead_code, reason = "unshare(2) has no safe wrapper; not every test file uses every helper")]

use std::fs;
use std::future::Future;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// How long a condition may take to come true on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a test on its own thread, in a fresh network namespace with the loopback up, on its own tokio runtime.
pub fn in_fresh_netns<T: Future<Output = ()>>(test: impl FnOnce() -> T + Send + 'static) {
    let body = move || {
        // SAFETY: unshare touches no memory; it moves this thread alone into a new network namespace.
        let result = unsafe { libc::unshare(libc::CLONE_NEWNET) };
        assert_eq!(result, 0, "unshare: {} (network tests need root)", std::io::Error::last_os_error());
        ip("link set lo up");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test());
    };
    if let Err(panic) = thread::spawn(body).join() {
        std::panic::resume_unwind(panic);
    }
}

/// A neighbouring namespace that lives as long as this value, or as the test's process if that dies first.
pub struct Neighbour {
    holder: Child,
}

impl Neighbour {
    /// Makes the namespace and moves `link` into it.
    pub async fn with_link(link: &str) -> Self {
        // `cat` ends when the other end of its input is closed, whatever becomes of this process.
        let holder = Command::new("unshare").args(["-n", "cat"]).stdin(Stdio::piped()).spawn().unwrap();
        let namespace = |of: &str| fs::read_link(format!("/proc/{of}/ns/net")).ok();
        let pid = holder.id().to_string();
        wait_for("the neighbour has its namespace", || namespace(&pid) != namespace("thread-self")).await;
        ip(&format!("link set {link} netns {pid}"));
        Self { holder }
    }

    /// The words before a command that is to run there.
    pub fn enter(&self) -> String {
        format!("nsenter -t {} -n ", self.holder.id())
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.holder.kill().ok();
        self.holder.wait().ok();
    }
}

/// Runs a command line without quoting.
pub fn run(line: &str) {
    let mut words = line.split_ascii_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs `ip` with these words, in the namespace of the calling thread.
pub fn ip(words: &str) {
    run(&format!("ip {words}"));
}

/// What a program prints, whether it succeeds or not.
pub fn output(program: &str, words: &str) -> String {
    let output = Command::new(program).args(words.split(' ')).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Polls until a condition of the outside world holds.
pub async fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let poll = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, poll).await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

/// Runs a batch of `ip` commands in one process.
pub fn ip_batch(lines: &str) {
    use std::io::Write;
    let mut child = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "ip -batch failed");
}
