//! What a service manager (systemd) wants to know of a service: datagrams of `KEY=VALUE` lines to the socket that it names
//! (sd_notify(3)). Where there is none, nothing is told.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use super::clock;
use crate::time::Duration;

/// The way to the service manager.
#[derive(Debug)]
pub struct Manager {
    way: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Manager {
    /// The one that started this process, as NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID have it.
    ///
    /// # Errors
    /// If it names a socket that can't be used.
    pub fn of_this_process() -> io::Result<Self> {
        let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|usec| is_ours && *usec > 0).map(Duration::from_micros);
        let way = std::env::var_os("NOTIFY_SOCKET").map(|name| open(&name)).transpose()?;
        Ok(Self { way, watchdog })
    }

    /// Within this time it wants a sign of life, each time.
    pub const fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The service does its work; also after a reload.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// It reads its configuration anew; [`Self::ready`] follows.
    pub fn reloading(&self) {
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", clock::now().as_nanos() / 1000));
    }

    /// It ends.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// It lives.
    pub fn lives(&self) {
        self.tell("WATCHDOG=1");
    }

    /// How it is, in a line for people.
    pub fn status(&self, status: &str) {
        let line: String = status.chars().filter(|c| !c.is_control()).collect();
        self.tell(&format!("STATUS={line}"));
    }

    /// Never blocks. A word that does not arrive is lost: the next one tells more than that one would.
    fn tell(&self, words: &str) {
        let Some((socket, address)) = &self.way else { return };
        if let Err(error) = socket.send_to_addr(words.as_bytes(), address) {
            tracing::debug!(%error, "the service manager was not told {words:?}");
        }
    }
}

/// A name that begins with @ is one of the abstract kind.
fn open(name: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes() {
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &OsStr, receiver: &UnixDatagram) -> String {
        let manager = Manager { way: Some(open(name).expect("a socket")), watchdog: None };
        manager.status("one\nREADY=1");
        let mut buffer = [0; 64];
        let length = receiver.recv(&mut buffer).expect("a word");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn it_is_told_over_a_socket_in_a_directory_or_an_abstract_one_and_no_status_is_two_lines() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let receiver = UnixDatagram::bind(&path).expect("a socket");
        assert_eq!(told(path.as_os_str(), &receiver), "STATUS=oneREADY=1");
        let name = format!("vipwarden-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let receiver = UnixDatagram::bind_addr(&address).expect("a socket");
        assert_eq!(told(OsStr::new(&format!("@{name}")), &receiver), "STATUS=oneREADY=1");
    }

    #[test]
    fn without_a_manager_or_when_it_is_gone_nothing_happens() {
        Manager { way: None, watchdog: None }.ready();
        let gone = open(OsStr::new("/nonexistent/notify")).expect("a name");
        Manager { way: Some(gone), watchdog: None }.ready();
    }
}
