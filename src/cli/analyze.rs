//! `vipwarden analyze`: the daemon's own detector over capture files, or over what a daemon recorded.

mod history;
mod merge;
mod recording;
mod replay;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::detect::Verdict;
use crate::web::document::AnalyzeDoc;

use super::capture_file::Source;
use super::terminal::{complain, plain};
use merge::Merge;
use replay::Replay;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Capture files, pcap or pcapng, merged in order of time; or one recording of run --record; - for standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs it: 2 if a split brain is anywhere in it or nobody serves at its end, 1 if less is wrong, nothing could be judged, or
/// a file could not be read to its end.
pub fn run(args: Args) -> ExitCode {
    let analyzed = args.files.iter().map(|path| Source::open(path)).collect::<Result<Vec<_>, _>>().and_then(analyze);
    let (document, failures) = match analyzed {
        Ok(analyzed) => analyzed,
        Err(message) => {
            complain(&plain(&message, false));
            return super::FAILED.into();
        }
    };
    for failure in &failures {
        complain(&plain(failure, false));
    }
    if document.routers.is_empty() {
        complain(&format!("no virtual router to judge: {} adverts in {} frames", document.adverts, document.frames));
    }
    report::print(&document, args.json);
    exit_code(&document, !failures.is_empty()).into()
}

/// Everything that the files say, and what could not be read or judged.
fn analyze(mut files: Vec<Source>) -> Result<(AnalyzeDoc, Vec<String>), String> {
    match files.pop_if(|file| file.is_recording) {
        None => Merge::new(files).map(captures),
        Some(file) if files.is_empty() => recording::analyze(file),
        Some(file) => Err(format!("{}: a recording is one daemon's view of one time: it is analyzed alone", file.name)),
    }
}

fn captures(mut merge: Merge) -> (AnalyzeDoc, Vec<String>) {
    let mut replay = Replay::default();
    while let Some(frame) = merge.next_frame() {
        replay.take(frame);
    }
    let (document, omissions) = replay.finish();
    let mut failures = merge.into_failures();
    failures.extend(omissions);
    (document, failures)
}

fn exit_code(document: &AnalyzeDoc, failed: bool) -> u8 {
    let at_end = |verdict: Verdict| document.routers.iter().any(|r| r.router.verdict == verdict.as_str());
    let split = document.routers.iter().any(|r| !r.split_brain_episodes.is_empty());
    if split || at_end(Verdict::SplitBrain) || at_end(Verdict::NoMaster) {
        super::CRITICAL
    } else if failed || document.routers.is_empty() || at_end(Verdict::Degraded) || at_end(Verdict::Unknown) {
        super::FAILED
    } else {
        0
    }
}
