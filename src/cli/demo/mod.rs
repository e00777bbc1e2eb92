//! `vipwarden demo`: a two-node laboratory on this host with real traffic, told step by step.

pub mod daemon;
pub mod keepalived;
pub mod lab;
mod page;
pub mod process;
mod story;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::FAILED;
use super::terminal::complain;

/// What `demo` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How long to rest after each step, for you to read and to look at the page.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pause: Duration,
    /// Address of this host to serve the page of the backup's vipwarden on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:10112")]
    listen: SocketAddr,
}

/// Tells the story. 0 at its end or on Ctrl-C, 1 if it can't be told.
pub fn run(args: &Args) -> ExitCode {
    match tell(args) {
        Ok(()) => ExitCode::SUCCESS,
        // Stopped by the user, or nobody reads on.
        Err(e) if matches!(e.kind(), io::ErrorKind::Interrupted | io::ErrorKind::BrokenPipe) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("the demo failed: {error}"));
            FAILED.into()
        }
    }
}

fn tell(args: &Args) -> io::Result<()> {
    require_programs()?;
    let listener = TcpListener::bind(args.listen)
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}; choose another with --listen", args.listen)))?;
    let program = std::env::current_exe()?;
    story::Story::begin(&program, args.pause, listener, Interrupt::catch()?)?.tell()
}

/// What the laboratory is made of, and where Debian has it.
const PROGRAMS: [(&str, &str); 3] = [("ip", "iproute2"), ("nft", "nftables"), ("keepalived", "keepalived")];

fn require_programs() -> io::Result<()> {
    let missing: Vec<_> = PROGRAMS.iter().filter(|(program, _)| !is_installed(program)).map(|(_, p)| *p).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("it needs real daemons and tools; install them first: apt-get install {}", missing.join(" "));
    Err(io::Error::new(io::ErrorKind::NotFound, message))
}

fn is_installed(program: &str) -> bool {
    std::env::split_paths(&lab::search_path()).any(|place| place.join(program).is_file())
}

/// Ctrl-C and SIGTERM as a channel, so that what was made is also removed.
#[derive(Debug)]
pub struct Interrupt(mpsc::Receiver<()>);

impl Interrupt {
    fn catch() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (sender, receiver) = mpsc::channel();
        let (mut interrupt, mut terminate) = {
            let _context = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            });
            // If the story has ended, nobody needs to know.
            let _ = sender.send(());
        });
        Ok(Self(receiver))
    }

    /// Rests for so long.
    ///
    /// # Errors
    /// `Interrupted` as soon as the user wants to stop.
    fn rest(&self, time: Duration) -> io::Result<()> {
        match self.0.recv_timeout(time) {
            Err(mpsc::RecvTimeoutError::Timeout) => Ok(()),
            _ => Err(io::ErrorKind::Interrupted.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_nobody_has_is_not_installed() {
        assert!(is_installed("sh"));
        assert!(!is_installed("no-such-program-anywhere"));
    }
}
