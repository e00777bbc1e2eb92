//! What `analyze` prints.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::net::IpAddr;

use crate::cli::terminal::plain;
use crate::web::document::{AnalyzeDoc, AnalyzedDoc, EpisodeDoc};

/// Prints the document. Whoever reads us may have seen enough (`| head`): that is no error.
pub fn print(document: &AnalyzeDoc, json: bool) {
    let mut out = io::stdout().lock();
    let _ = if json {
        serde_json::to_writer_pretty(&mut out, document).map_err(io::Error::from).and_then(|()| writeln!(out))
    } else {
        text(document).lines().try_for_each(|line| writeln!(out, "{}", plain(line, false)))
    };
}

/// The document for people.
fn text(document: &AnalyzeDoc) -> String {
    let mut text = format!("{} frames, {} adverts", document.frames, document.adverts);
    for (reason, count) in &document.rejected {
        let _ = write!(text, ", {count} rejected: {reason}");
    }
    text.push('\n');
    for router in &document.routers {
        // Writing to a string can't fail.
        let _ = write_router(&mut text, router);
    }
    text
}

fn write_router(text: &mut String, analyzed: &AnalyzedDoc) -> fmt::Result {
    let router = &analyzed.router;
    let vlan = router.vlan.map_or(String::new(), |vlan| format!("/{vlan}"));
    writeln!(text, "\n{} on {}{vlan} ({}, VRID {})", router.name, router.interface, router.family, router.vrid)?;
    if let Some(vip) = router.vip {
        writeln!(text, "  virtual IP   {vip}")?;
    }
    writeln!(text, "  at the end   {} since {}", router.verdict, router.since)?;
    let masters: Vec<String> = router.masters.iter().map(IpAddr::to_string).collect();
    writeln!(text, "  masters      {}", if masters.is_empty() { "none".into() } else { masters.join(", ") })?;
    for transition in &analyzed.transitions {
        let name = |side: &Option<String>| side.clone().unwrap_or_else(|| "nobody".into());
        writeln!(text, "  master       {}  {} -> {}", transition.at, name(&transition.from), name(&transition.to))?;
    }
    for episode in &analyzed.split_brain_episodes {
        write_episode(text, episode)?;
    }
    if !analyzed.split_brain_episodes.is_empty() {
        writeln!(text, "  split for    {:.3} s in all", analyzed.split_brain_seconds)?;
    }
    for finding in &router.findings {
        let node = finding.node.as_deref().map_or(String::new(), |node| format!(" on {node}"));
        writeln!(text, "  cause        {}{node}: {}; {}", finding.cause, finding.local, finding.remote)?;
        writeln!(text, "  remedy       {}", finding.remedy)?;
    }
    for evidence in &router.evidence {
        writeln!(text, "  evidence     {}  {}: {}", evidence.at, evidence.kind, evidence.says)?;
    }
    Ok(())
}

fn write_episode(text: &mut String, episode: &EpisodeDoc) -> fmt::Result {
    write!(text, "  SPLIT BRAIN  {}", episode.start)?;
    match episode.end {
        Some(end) => write!(text, "  to {end}")?,
        None => write!(text, "  to the end of the capture")?,
    }
    if !episode.causes.is_empty() {
        write!(text, ": {}", episode.causes.join(", "))?;
    }
    writeln!(text)
}
