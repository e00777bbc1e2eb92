//! Where the log goes and how it looks.

mod queue;

use std::io::{IsTerminal, stderr};

use clap::ValueEnum;
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use queue::Queue;
pub use queue::Writer;

/// How the daemon logs, to standard error.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// How log lines look: for people, or one JSON object each.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    log_format: Format,
    /// The least severe level that is logged: error, warn, info, debug or trace.
    #[arg(long, global = true, value_name = "LEVEL", default_value = "info")]
    log_level: Level,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Starts logging. A daemon's lines are written by a thread of its own, for as long as what this returns lives.
pub fn init(args: &Args, is_daemon: bool) -> Option<Writer> {
    // Where there can't be a thread everybody writes.
    let apart = is_daemon.then(|| Queue::start(stderr()).ok()).flatten();
    let (to, writer) = match apart {
        Some((queue, writer)) => (BoxMakeWriter::new(move || queue.clone()), Some(writer)),
        None => (BoxMakeWriter::new(stderr), None),
    };
    start(args, to);
    writer
}

fn start(args: &Args, to: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) {
    // Whoever read the log may have left: to complain of that on the same standard error would end the daemon.
    let log = tracing_subscriber::fmt().log_internal_errors(false);
    let log = log.with_max_level(args.log_level).with_writer(to).with_target(false);
    match args.log_format {
        Format::Text => log.with_ansi(stderr().is_terminal()).init(),
        Format::Json => log.json().flatten_event(true).init(),
    }
}
