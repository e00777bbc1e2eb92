//! A laboratory of network namespaces: one is the switch (a bridge), the others are hosts with one cable to it.
//!
//! Everything is removed when the [`Lab`] is dropped, whatever became of the rest. What a killed run left behind is removed
//! by the next one, told by the process id in the names.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sys::netns;
use crate::time::Duration;

/// The interface that every host has.
pub const INTERFACE: &str = "eth0";

/// How long anything that must happen may take on a busy machine: only a failure waits for it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A switch and the hosts on it.
#[derive(Debug)]
pub struct Lab {
    prefix: String,
    scratch: PathBuf,
    nodes: Vec<Node>,
}

/// One host: a network namespace with `eth0`, addresses 10.9.9.N/24, 2001:db8:9::N/64 and a link-local one.
#[derive(Clone, Debug)]
pub struct Node {
    name: String,
    namespace: String,
    switch: String,
    number: u8,
    scratch: PathBuf,
}

impl Lab {
    /// Makes the switch and one host for each name (at most four characters each), numbered from 1. Needs root.
    ///
    /// # Errors
    /// The command that failed, and what it said. What was made before it is removed.
    pub fn new(names: &[&str]) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("vw{}x{}-", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        remove_stale(&prefix);
        let scratch = std::env::temp_dir().join(format!("vipwarden-{}", prefix.trim_end_matches('-')));
        std::fs::DirBuilder::new().mode(0o755).create(&scratch)?;
        let mut lab = Self { prefix, scratch, nodes: Vec::new() };
        lab.add_switch()?;
        for name in names {
            lab.add_node(name)?;
        }
        Ok(lab)
    }

    /// The host of that name.
    ///
    /// # Panics
    /// If there is none.
    pub fn node(&self, name: &str) -> &Node {
        self.nodes.iter().find(|n| n.name == name).unwrap_or_else(|| panic!("the lab has no node {name}"))
    }

    /// The namespace of the switch; its ports are called like the hosts.
    pub fn switch(&self) -> String {
        format!("{}sw", self.prefix)
    }

    /// A directory for files, gone with the lab.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    fn add_switch(&self) -> io::Result<()> {
        let switch = self.switch();
        ip(&format!("netns add {switch}"), &["link set lo up".into()], &switch)?;
        // The bridge must neither filter groups nor speak itself.
        silence_ipv6(&switch)?;
        ip(
            "",
            &["link add name br0 type bridge mcast_snooping 0 forward_delay 0".into(), "link set dev br0 up".into()],
            &switch,
        )
    }

    fn add_node(&mut self, name: &str) -> io::Result<()> {
        let number = u8::try_from(self.nodes.len() + 1).map_err(io::Error::other)?;
        let (switch, namespace) = (self.switch(), format!("{}{name}", self.prefix));
        let node = Node { name: name.into(), namespace, switch, number, scratch: self.scratch.clone() };
        let namespace = &node.namespace;
        ip(&format!("netns add {namespace}"), &["link set lo up".into()], namespace)?;
        // IPv6 addresses are usable at once, and global ones survive their link's going down as IPv4 ones do.
        netns::inside(namespace, || {
            std::fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0")?;
            std::fs::write("/proc/sys/net/ipv6/conf/default/keep_addr_on_down", "1")
        })??;
        let cable = format!("link add name {name} type veth peer name {INTERFACE} netns {namespace}");
        let port = format!("link set dev {name} addrgenmode none master br0 up");
        ip("", &[cable, port], &node.switch)?;
        ip(
            "",
            &[
                format!("link set {INTERFACE} address {}", node.mac()),
                format!("addr add {}/24 dev {INTERFACE}", node.ipv4()),
                format!("addr add {}/64 dev {INTERFACE} nodad", node.ipv6()),
                format!("link set {INTERFACE} up"),
            ],
            namespace,
        )?;
        self.nodes.push(node);
        Ok(())
    }

    fn remove(&self) -> Vec<io::Error> {
        let namespaces = named("/run/netns", |name| name.starts_with(&self.prefix));
        let mut errors: Vec<_> = namespaces.iter().flat_map(|name| remove_namespace(name)).collect();
        errors.extend(std::fs::remove_dir_all(&self.scratch).err());
        errors
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for error in self.remove() {
            // The standard streams may be gone, too.
            let _ = writeln!(io::stderr(), "laboratory {}: {error}", self.prefix);
        }
    }
}

impl Node {
    /// Its name in the lab.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of its network namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The namespace of the switch that it is plugged into; the port is called like the node.
    pub fn switch(&self) -> &str {
        &self.switch
    }

    /// Its IPv4 address.
    pub fn ipv4(&self) -> String {
        format!("10.9.9.{}", self.number)
    }

    /// Its global IPv6 address.
    pub fn ipv6(&self) -> String {
        format!("2001:db8:9::{:x}", self.number)
    }

    /// Its IPv6 link-local address, made from its MAC.
    pub fn link_local(&self) -> String {
        format!("fe80::ff:fe09:9{:02x}", self.number)
    }

    /// The MAC of its `eth0`.
    pub fn mac(&self) -> String {
        format!("02:00:00:09:09:{:02x}", self.number)
    }

    /// A directory of its own for files, gone with the lab.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn scratch(&self) -> io::Result<PathBuf> {
        let path = self.scratch.join(&self.name);
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// A command that will run on this host.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = ip_command();
        command.args(["netns", "exec", &self.namespace]).arg(program).stdin(Stdio::null());
        command
    }

    /// Runs a command line (split at spaces) on this host to its end, and answers what it printed.
    ///
    /// # Errors
    /// If it can't be started or fails: the command line and what it said.
    pub fn exec(&self, line: &str) -> io::Result<String> {
        let mut words = line.split_whitespace();
        run(self.command(words.next().unwrap_or_default()).args(words), line)
    }

    /// Does `work` on a thread inside this host's network namespace.
    ///
    /// # Errors
    /// If the namespace is gone.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        netns::inside(&self.namespace, work)
    }
}

/// Asks for `condition` every few milliseconds until it answers, at most for `limit`.
///
/// # Errors
/// `TimedOut`, naming what was waited for.
pub fn wait_until<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> io::Result<T> {
    let deadline = crate::sys::clock::now() + limit;
    loop {
        if let Some(answer) = condition() {
            return Ok(answer);
        }
        if crate::sys::clock::now() > deadline {
            let message = format!("waited {} s in vain until {what}", limit.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Feeds `nft` with a ruleset inside a namespace.
///
/// # Errors
/// What nft said.
pub fn nft(namespace: &str, ruleset: &str) -> io::Result<()> {
    let mut command = ip_command();
    feed(command.args(["netns", "exec", namespace, "nft", "-f", "-"]), ruleset)
}

/// Where programs are looked for: in PATH, and where Debian keeps those for root.
pub fn search_path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}

fn ip_command() -> Command {
    let mut command = Command::new("ip");
    command.env("PATH", search_path());
    command
}

/// Runs `first` outside, unless it is empty, and then each of `lines` inside `namespace`, all by `ip`.
fn ip(first: &str, lines: &[String], namespace: &str) -> io::Result<()> {
    if !first.is_empty() {
        run(ip_command().args(first.split_whitespace()), first)?;
    }
    feed(ip_command().args(["-n", namespace, "-batch", "-"]), &lines.join("\n"))
}

fn silence_ipv6(namespace: &str) -> io::Result<()> {
    netns::inside(namespace, || std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1"))?
}

fn run(command: &mut Command, what: &str) -> io::Result<String> {
    // Not to be reached by a Ctrl-C: it is also what clears up after one.
    let output = command.process_group(0).output().map_err(|e| io::Error::new(e.kind(), format!("{what}: {e}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(io::Error::other(format!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

fn feed(command: &mut Command, input: &str) -> io::Result<()> {
    let mut child =
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{input}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

/// Removes a namespace and ends the processes in it; tries everything and reports all that failed.
fn remove_namespace(name: &str) -> Vec<io::Error> {
    let mut errors = Vec::new();
    match run(ip_command().args(["netns", "pids", name]), &format!("ip netns pids {name}")) {
        Ok(pids) => {
            for pid in pids.lines().filter_map(|pid| pid.trim().parse().ok()) {
                // One that ended in between is what we want.
                let gone = |e: &io::Error| e.raw_os_error() == Some(libc::ESRCH);
                errors.extend(netns::signal(pid, libc::SIGKILL).err().filter(|e| !gone(e)));
            }
        }
        Err(error) => errors.push(error),
    }
    errors.extend(run(ip_command().args(["netns", "del", name]), &format!("ip netns del {name}")).err());
    errors
}

/// Removes what runs that are dead by now left behind, and what carries our own prefix from an earlier life of our id.
fn remove_stale(own_prefix: &str) {
    let stale = |name: &str| name.starts_with(own_prefix) || creator(name).is_some_and(|pid| !is_alive(pid));
    for name in named("/run/netns", stale) {
        // Another run may be clearing up the same remains.
        let _ = remove_namespace(&name);
    }
    let stale_scratch = |name: &str| name.strip_prefix("vipwarden-").is_some_and(|lab| stale(&format!("{lab}-")));
    let temporary = std::env::temp_dir();
    for name in named(&temporary, stale_scratch) {
        let _ = std::fs::remove_dir_all(temporary.join(name));
    }
}

/// The process id in the name of a lab's namespace.
fn creator(name: &str) -> Option<u32> {
    name.strip_prefix("vw")?.split_once('x')?.0.parse().ok()
}

fn is_alive(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

fn named(directory: impl AsRef<Path>, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().into_string().ok()).filter(|name| wanted(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_labs_own_pattern_have_a_creator() {
        assert_eq!(creator("vw4711x3-a"), Some(4711));
        assert_eq!(creator("vwx3-a"), None);
        assert_eq!(creator("vwlan"), None);
        assert_eq!(creator("production"), None);
    }

    #[test]
    fn waiting_in_vain_names_what_was_waited_for() {
        let error = wait_until("the cows come home", Duration::ZERO, || None::<()>).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().contains("the cows come home"));
    }
}
