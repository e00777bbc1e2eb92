//! A daemon's recording: the same core, fed the same, says the same again.

use crate::cli::capture_file::Source;
use crate::cli::terminal::{complain, plain};
use crate::engine::record::{Header, Input, ReadError, Reader, Replay};
use crate::observe::Fact;
use crate::web::document::AnalyzeDoc;

use super::history::History;

/// Routers whose history is kept.
const MAX_ROUTERS: usize = 32_768;

/// What the daemon said, and what could not be read of it.
///
/// # Errors
/// Which file, and why nothing can be replayed of it.
pub fn analyze(source: Source) -> Result<(AnalyzeDoc, Vec<String>), String> {
    let Source { name, bytes, .. } = source;
    let said = |error: ReadError| format!("{name}: {error}");
    let mut reader = Reader::new(bytes).map_err(said)?;
    if let Some(note) = other_build(reader.header()) {
        complain(&plain(&format!("{name}: {note}"), false));
    }
    let first = reader.next_record().map_err(said)?;
    let first = first.ok_or_else(|| format!("{name}: the recording ends before anything was recorded"))?;
    let mut replay = Replay::start(first).map_err(|error| said(reader.misplaced(error)))?;
    let mut history = History::new(MAX_ROUTERS);
    let mut failures = Vec::new();
    if let Err(error) = play(&mut reader, &mut replay, &mut history) {
        failures.push(format!("{name}: {error}; what comes before is judged"));
    }
    if reader.is_cut() {
        complain(&plain(&format!("{name}: it ends in the middle of a record, as where the daemon was killed"), false));
    }
    if replay.lost() > 0 {
        let lost = replay.lost();
        failures.push(format!(
            "{name}: {lost} records are missing, and what follows them may be judged otherwise than it was"
        ));
    }
    let (document, omissions) = history.finish(&replay.snapshot());
    failures.extend(omissions);
    Ok((document, failures))
}

fn play<R: std::io::BufRead>(
    reader: &mut Reader<R>,
    replay: &mut Replay,
    history: &mut History,
) -> Result<(), ReadError> {
    while let Some(record) = reader.next_record()? {
        if let Input::Fact(fact) = &record.input
            && let Fact::Frame(frame) = &**fact
        {
            history.count(&frame.seen);
        }
        for logged in replay.take(record).map_err(|error| reader.misplaced(error))? {
            history.take(&logged);
        }
    }
    Ok(())
}

/// Another detector may judge otherwise.
fn other_build(header: &Header) -> Option<String> {
    let own = (env!("CARGO_PKG_VERSION"), option_env!("VIPWARDEN_REVISION").unwrap_or("unknown"));
    let (version, revision) = (header.version.as_str(), header.revision.as_str());
    ((version, revision) != own).then(|| {
        format!(
            "recorded by vipwarden {version} ({revision}), replayed by {} ({}): these may judge otherwise",
            own.0, own.1
        )
    })
}
