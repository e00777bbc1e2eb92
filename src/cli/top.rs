//! `vipwarden top`: the status on the whole screen, worst first, kept fresh. `q` leaves, `j` and `k` or the arrows choose a router,
//! Enter explains it.

use std::io::{self, IsTerminal as _, Write as _, stdout};
use std::path::Path;
use std::process::ExitCode;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers, poll, read};
use crossterm::style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use crossterm::{execute, queue};

use crate::time::Duration;
use crate::web::document::{RouterDoc, StatusDoc};

use super::client::{self, Door};
use super::terminal::complain;
use super::{FAILED, explain, status};

/// What `top` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten, next_help_heading = "Elsewhere")]
    remote: client::Remote,
}

/// Between two looks at the daemon.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Shows it until `q`. 1 without a terminal, or if the daemon can't be asked in the beginning.
pub fn run(args: &Args, control: &Path) -> ExitCode {
    let door = Door::new(control, &args.remote);
    if !stdout().is_terminal() {
        complain("top wants a terminal: without one, see `vipwarden status`");
        return FAILED.into();
    }
    // What can't be asked at all is told where it can be read.
    let shown = client::status(door).and_then(|first| {
        let shown = show(door, first);
        let _ = execute!(stdout(), Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
        shown.map_err(|error| error.to_string())
    });
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why);
            FAILED.into()
        }
    }
}

/// What is on the screen.
struct Screen {
    document: StatusDoc,
    /// Why the document is an old one.
    stale: Option<String>,
    chosen: usize,
    explains: bool,
}

fn show(door: Door<'_>, document: StatusDoc) -> io::Result<()> {
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, Hide)?;
    let mut screen = Screen { document, stale: None, chosen: 0, explains: false };
    loop {
        screen.draw()?;
        if poll(LOOK_EVERY)? {
            match read()? {
                Event::Key(key) if key.kind == KeyEventKind::Release => {}
                Event::Key(key) if key.code == KeyCode::Char('c') && key.modifiers == KeyModifiers::CONTROL => {
                    return Ok(());
                }
                Event::Key(key) if !screen.obey(key.code) => return Ok(()),
                _ => {}
            }
            continue;
        }
        match client::status(door) {
            Ok(document) => (screen.document, screen.stale) = (document, None),
            Err(why) => screen.stale = Some(why),
        }
    }
}

impl Screen {
    /// False if that was a good-bye.
    fn obey(&mut self, key: KeyCode) -> bool {
        let last = self.document.routers.len().saturating_sub(1);
        match key {
            KeyCode::Char('q') => return false,
            KeyCode::Esc if !self.explains => return false,
            KeyCode::Esc => self.explains = false,
            KeyCode::Enter => self.explains = !self.explains,
            KeyCode::Down | KeyCode::Char('j') => self.chosen = (self.chosen + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') => self.chosen = self.chosen.saturating_sub(1),
            _ => {}
        }
        true
    }

    fn draw(&mut self) -> io::Result<()> {
        let (width, height) = size()?;
        let (width, height) = (usize::from(width), usize::from(height));
        self.document.routers.sort_by_key(|router| std::cmp::Reverse(status::severity(&router.verdict)));
        self.chosen = self.chosen.min(self.document.routers.len().saturating_sub(1));
        let mut lines = self.head();
        let room = height.saturating_sub(lines.len() + 1);
        if self.explains
            && let Some(router) = self.document.routers.get(self.chosen)
        {
            lines.extend(explain::text(&self.document, router).lines().map(|line| (None, false, line.to_owned())));
        } else {
            // The chosen one is always in sight.
            let first = (self.chosen + 1).saturating_sub(room);
            let rows = self.document.routers.iter().enumerate().skip(first).take(room);
            lines.extend(rows.map(|(i, router)| (Some(colour(&router.verdict)), i == self.chosen, row(router))));
        }
        let mut out = stdout().lock();
        for (y, (colour, is_chosen, line)) in lines.iter().take(height.saturating_sub(1)).enumerate() {
            queue!(out, MoveTo(0, u16::try_from(y).unwrap_or(u16::MAX)))?;
            if *is_chosen {
                queue!(out, SetAttribute(Attribute::Reverse))?;
            }
            if let Some(colour) = colour {
                queue!(out, SetForegroundColor(*colour))?;
            }
            let line: String = line.chars().take(width).collect();
            queue!(out, Print(line), SetAttribute(Attribute::Reset), ResetColor, Clear(ClearType::UntilNewLine))?;
        }
        let end = u16::try_from(lines.len().min(height.saturating_sub(1))).unwrap_or(u16::MAX);
        queue!(out, MoveTo(0, end), Clear(ClearType::FromCursorDown))?;
        let help: String = "q leave   j k choose   Enter explain".chars().take(width).collect();
        queue!(out, MoveTo(0, u16::try_from(height.saturating_sub(1)).unwrap_or(u16::MAX)), Print(help))?;
        out.flush()
    }

    fn head(&self) -> Vec<(Option<Color>, bool, String)> {
        let document = &self.document;
        let verdict = document.verdict.replace('_', " ").to_uppercase();
        let word = if document.routers.is_empty() { "NOTHING SEEN YET" } else { &verdict };
        let head = format!(
            "{word}  {}  {} virtual routers  as of {}",
            document.node,
            document.routers.len(),
            document.generated_at
        );
        // Never green while unknown: an old picture has no verdict.
        let tone = if self.stale.is_some() { Color::Grey } else { colour(&document.verdict) };
        let mut lines = vec![(Some(tone), false, head)];
        lines.extend(
            self.stale.iter().map(|why| (Some(Color::Yellow), true, format!("STALE: {}", why.replace('\n', " ")))),
        );
        let blind = document.sensors.blind.iter().take(3);
        lines.extend(
            blind.map(|blind| (Some(Color::Yellow), false, format!("blind: {}", super::select::blindness(blind)))),
        );
        lines.push((None, false, String::new()));
        lines
    }
}

fn row(router: &RouterDoc) -> String {
    let holders: Vec<&str> =
        router.holders.iter().map(|h| h.node.as_deref().or(h.mac.as_deref()).unwrap_or("?")).collect();
    let held = if holders.is_empty() { "nobody".into() } else { holders.join(", ") };
    let causes = if router.causes.is_empty() { String::new() } else { format!("  {}", router.causes.join(", ")) };
    let fence = if router.fenced().is_some() { "  FENCED" } else { "" };
    format!(
        "{:12} {:24} {:16} held by {held}  here {}{fence}{causes}",
        router.verdict.replace('_', " ").to_uppercase(),
        super::select::vip(router),
        router.interface,
        router.state
    )
}

fn colour(verdict: &str) -> Color {
    match verdict {
        "healthy" => Color::Green,
        "degraded" => Color::Yellow,
        "split_brain" | "no_master" => Color::Red,
        _ => Color::Grey,
    }
}
