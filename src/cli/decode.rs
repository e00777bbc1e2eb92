//! `vipwarden decode`: a capture file as one line an advert.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::wire::dissect;

use super::capture_file::{CaptureFile, interface_name, packet_kind};
use super::line::Line;
use super::terminal::{complain, plain};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Capture file, pcap or pcapng; - for standard input.
    #[arg(value_name = "PCAP")]
    file: PathBuf,
}

/// Runs it: 0 if the file was read to its end, 1 if not.
pub fn run(args: Args) -> ExitCode {
    match CaptureFile::open(&args.file).and_then(decode) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            complain(&plain(&message, false));
            super::FAILED.into()
        }
    }
}

fn decode(mut file: CaptureFile) -> Result<(), String> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    while let Some(packet) = file.next_packet()? {
        let dissected = dissect(packet.bytes, packet.link);
        let line = Line {
            unix_nanos: packet.unix_nanos,
            interface: &interface_name(&packet),
            vlan: dissected.vlan.filter(|vlan| *vlan != 0),
            kind: packet_kind(&packet),
            seen: &dissected.seen,
        };
        // Whoever reads us may have seen enough (`| head`).
        if line.is_worth_it() && writeln!(out, "{line}").is_err() {
            return Ok(());
        }
    }
    let _ = out.flush();
    Ok(())
}
