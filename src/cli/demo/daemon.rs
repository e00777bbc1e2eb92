//! A vipwarden on a host of the laboratory.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::lab::{INTERFACE, Node, PATIENCE, wait_until};
use super::process::Process;

/// Where it is asked, inside its namespace.
pub const LISTEN: &str = "127.0.0.1:10112";
/// Where it serves: its peers ask it too.
const SERVE: &str = "[::]:10112";

/// A running `vipwarden run`.
#[derive(Debug)]
pub struct Daemon {
    process: Process,
    node: Node,
    program: PathBuf,
    control: PathBuf,
}

impl Daemon {
    /// Starts it with a configuration file of `[node]` and `sections`, and waits until it answers.
    ///
    /// # Errors
    /// If it can't be started, or doesn't answer: with what it said.
    pub fn start(node: &Node, program: &Path, sections: &str) -> io::Result<Self> {
        Self::start_by(node, &[], program, sections, &[])
    }

    /// The same, with a command in front of it (`setpriv …`) and further flags behind.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_by(node: &Node, wrapper: &[&str], program: &Path, sections: &str, flags: &[&str]) -> io::Result<Self> {
        let control = node.scratch()?.join("control.sock");
        let config = Self::configure(node, sections)?;
        let mut words = wrapper.iter().map(std::ffi::OsStr::new).chain([program.as_os_str()]);
        let mut command = node.command(words.next().unwrap_or_default());
        command.args(words).arg("run").arg("--config").arg(config).arg("--control").arg(&control);
        command.args(["--interface", INTERFACE, "--listen", SERVE]).args(flags);
        let process = Process::spawn(node, "vipwarden", command)?;
        let mut daemon = Self { process, node: node.clone(), program: program.into(), control };
        let answers = wait_until("vipwarden answers", PATIENCE, || {
            if !daemon.process.is_running() {
                return Some(Err(io::Error::other("it ended")));
            }
            daemon.get("/-/healthy").ok().map(Ok)
        });
        answers.and_then(|a| a).map_err(|e| io::Error::other(format!("{e}: {}", daemon.process.log())))?;
        Ok(daemon)
    }

    /// Writes the configuration file of a node's vipwarden. One that runs takes it with the next reload.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn configure(node: &Node, sections: &str) -> io::Result<PathBuf> {
        let directory = node.scratch()?;
        let (config, state) = (directory.join("vipwarden.toml"), directory.join("state"));
        let head = format!("[node]\nname = \"{}\"\nstate_dir = \"{}\"\n", node.name(), state.display());
        std::fs::create_dir_all(state)?;
        std::fs::write(&config, format!("{head}\n{sections}"))?;
        Ok(config)
    }

    /// The host that it runs on.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// GETs a path.
    ///
    /// # Errors
    /// If it doesn't answer with 200.
    pub fn get(&self, path: &str) -> io::Result<String> {
        let mut stream = connect(&self.node)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.contains(" 200 ") => Ok(body.into()),
            _ => Err(io::Error::other(format!("{path}: {}", answer.lines().next().unwrap_or("no answer")))),
        }
    }

    /// `/api/v1/status`.
    ///
    /// # Errors
    /// If it doesn't answer, or with something else than JSON.
    pub fn status(&self) -> io::Result<serde_json::Value> {
        serde_json::from_str(&self.get("/api/v1/status")?).map_err(io::Error::other)
    }

    /// Runs a subcommand of the same program against its control socket.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn ask(&self, arguments: &[&str]) -> io::Result<Output> {
        Command::new(&self.program).args(arguments).arg("--control").arg(&self.control).output()
    }
}

/// A connection to the vipwarden on a host, usable from any namespace.
///
/// # Errors
/// If none is listening.
pub fn connect(node: &Node) -> io::Result<TcpStream> {
    node.inside(|| TcpStream::connect(LISTEN))?
}
