//! `vipwarden top`: the status on the whole screen, worst first, kept fresh. `q` leaves, `j` and `k` or the arrows choose a router,
//! Enter explains it; there they scroll.

use std::io::{self, IsTerminal as _, Write as _, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::thread;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers, poll, read};
use crossterm::style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use crossterm::{execute, queue};
use tokio::signal::unix::{SignalKind, signal};

use crate::sys::clock;
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

/// What a shell says of a program that a signal has ended, with the signal's number added.
const BY_SIGNAL: i32 = 128;

/// Shows it until `q`. 1 without a terminal, or if the daemon can't be asked in the beginning.
pub fn run(args: &Args, control: &Path) -> ExitCode {
    let door = Door::new(control, &args.remote);
    if !stdout().is_terminal() {
        complain("top wants a terminal: without one, see `vipwarden status`");
        return FAILED.into();
    }
    // What can't be asked at all is told where it can be read.
    let shown = client::status(door).and_then(|first| {
        let shown = leave_on_signals().and_then(|()| show(door, first));
        give_back(&mut stdout().lock());
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

/// Makes the terminal what it was.
fn give_back(out: &mut impl io::Write) {
    let _ = execute!(out, Show, LeaveAlternateScreen);
    let _ = disable_raw_mode();
}

/// Has a signal end this process as it would have, but for the terminal, which is given back first.
fn leave_on_signals() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let inside = runtime.enter();
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    drop(inside);
    thread::spawn(move || {
        let kind = runtime.block_on(async {
            tokio::select! {
                _ = hangup.recv() => SignalKind::hangup(),
                _ = interrupt.recv() => SignalKind::interrupt(),
                _ = terminate.recv() => SignalKind::terminate(),
            }
        });
        // While this is held nothing is drawn any more.
        let mut out = stdout().lock();
        give_back(&mut out);
        std::process::exit(BY_SIGNAL + kind.as_raw_value())
    });
    Ok(())
}

/// What is on the screen.
struct Screen {
    /// Its routers are sorted, the worst first.
    document: StatusDoc,
    /// Why the document is an old one.
    stale: Option<String>,
    /// The key of the chosen router: its place may change at any time. The first one without.
    chosen: Option<String>,
    explains: bool,
    /// So many lines of the explanation have gone up.
    scrolled: usize,
}

/// One line: its colour, whether it stands out, and what it says.
type Line = (Option<Color>, bool, String);

fn show(door: Door<'_>, document: StatusDoc) -> io::Result<()> {
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, Hide)?;
    let mut screen = Screen { document, stale: None, chosen: None, explains: false, scrolled: 0 };
    screen.sort();
    let mut look_at = clock::now() + LOOK_EVERY;
    loop {
        screen.draw()?;
        let rest = look_at.since(clock::now());
        // Who leans on a key sees what is new all the same.
        if rest > Duration::ZERO && poll(rest)? {
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
        screen.sort();
        look_at = clock::now() + LOOK_EVERY;
    }
}

impl Screen {
    fn sort(&mut self) {
        let badness = |router: &RouterDoc| (status::severity(&router.verdict), router.fenced().is_some());
        self.document.routers.sort_by_key(|router| std::cmp::Reverse(badness(router)));
    }

    /// The place of the chosen router.
    fn place(&self) -> usize {
        let is_chosen = |router: &RouterDoc| self.chosen.as_ref() == Some(&router.key());
        self.document.routers.iter().position(is_chosen).unwrap_or(0)
    }

    fn choose(&mut self, place: usize) {
        self.chosen = self.document.routers.get(place).map(RouterDoc::key).or(self.chosen.take());
    }

    /// False if that was a good-bye.
    fn obey(&mut self, key: KeyCode) -> bool {
        match key {
            KeyCode::Char('q') => return false,
            KeyCode::Esc if !self.explains => return false,
            KeyCode::Esc => self.explains = false,
            KeyCode::Enter => {
                self.choose(self.place());
                (self.explains, self.scrolled) = (!self.explains, 0);
            }
            KeyCode::Down | KeyCode::Char('j') if self.explains => self.scrolled += 1,
            KeyCode::Up | KeyCode::Char('k') if self.explains => self.scrolled = self.scrolled.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.choose(self.place() + 1),
            KeyCode::Up | KeyCode::Char('k') => self.choose(self.place().saturating_sub(1)),
            _ => {}
        }
        true
    }

    /// All lines but the last one, which tells the keys.
    fn lines(&mut self, width: usize, height: usize) -> Vec<Line> {
        let mut lines = self.head();
        let room = height.saturating_sub(lines.len());
        let place = self.place();
        if let (true, Some(router)) = (self.explains, self.document.routers.get(place)) {
            let text = explain::text(&self.document, router);
            let mut explanation: Vec<Line> =
                text.lines().flat_map(|line| wrap(line, width)).map(|line| (None, false, line)).collect();
            if let Some((colour, ..)) = explanation.first_mut() {
                *colour = Some(self.tone(&router.verdict));
            }
            self.scrolled = self.scrolled.min(explanation.len().saturating_sub(room));
            lines.extend(explanation.into_iter().skip(self.scrolled));
        } else {
            // The chosen one is always in sight.
            let first = (place + 1).saturating_sub(room);
            let rows = rows(&self.document.routers).into_iter().zip(&self.document.routers).enumerate().skip(first);
            lines.extend(rows.map(|(i, (row, router))| (Some(self.tone(&router.verdict)), i == place, row)));
        }
        lines.truncate(height);
        lines
    }

    fn draw(&mut self) -> io::Result<()> {
        let (width, height) = size()?;
        let (width, height) = (usize::from(width), usize::from(height).saturating_sub(1));
        let mut lines = self.lines(width, height);
        lines.resize(height, (None, false, String::new()));
        let keys =
            if self.explains { "q leave   j k scroll   Enter back" } else { "q leave   j k choose   Enter explain" };
        lines.push((None, false, keys.into()));
        let mut out = stdout().lock();
        for (y, (colour, is_chosen, line)) in lines.iter().enumerate() {
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
        out.flush()
    }

    /// Never green while unknown: an old picture has no verdict.
    fn tone(&self, verdict: &str) -> Color {
        if self.stale.is_some() { Color::Grey } else { colour(verdict) }
    }

    fn head(&self) -> Vec<Line> {
        let document = &self.document;
        let verdict = document.verdict.replace('_', " ").to_uppercase();
        let word = if document.routers.is_empty() { "NOTHING SEEN YET" } else { &verdict };
        let head = format!(
            "{word}  {}  {} virtual routers  as of {}",
            document.node,
            document.routers.len(),
            document.generated_at
        );
        let mut lines = vec![(Some(self.tone(&document.verdict)), false, head)];
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

/// A line a router, in columns.
fn rows(routers: &[RouterDoc]) -> Vec<String> {
    let rows: Vec<[String; 6]> = routers.iter().map(row).collect();
    let widths: [usize; 6] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let line = |row: &[String; 6]| row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}  ")).collect();
    rows.iter().map(line).map(|line: String| line.trim_end().to_owned()).collect()
}

fn row(router: &RouterDoc) -> [String; 6] {
    let holders: Vec<&str> =
        router.holders.iter().map(|h| h.node.as_deref().or(h.mac.as_deref()).unwrap_or("?")).collect();
    let held = if holders.is_empty() { "nobody".into() } else { holders.join(", ") };
    let state = if router.fenced().is_some() { "FENCED" } else { &router.state };
    [
        router.verdict.replace('_', " ").to_uppercase(),
        super::select::vip(router),
        router.interface.clone(),
        format!("held by {held}"),
        format!("here {state}"),
        router.causes.join(", "),
    ]
}

/// Where the words of an explanation begin, behind its headings.
const INDENT: usize = 12;

/// A line of an explanation in lines of at most `width`, broken between words where that can be.
fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest: Vec<char> = line.chars().collect();
    while rest.len() > width && width > 2 * INDENT {
        let at = rest[..=width].iter().rposition(|c| *c == ' ').filter(|at| *at > INDENT).unwrap_or(width);
        let tail = rest.split_off(at);
        lines.push(rest.iter().collect());
        let words = tail.into_iter().skip_while(|c| *c == ' ');
        rest = std::iter::repeat_n(' ', INDENT).chain(words).collect();
    }
    lines.push(rest.into_iter().collect());
    lines
}

fn colour(verdict: &str) -> Color {
    match verdict {
        "healthy" => Color::Green,
        "degraded" => Color::Yellow,
        "split_brain" | "no_master" => Color::Red,
        _ => Color::Grey,
    }
}

#[cfg(test)]
mod tests {
    use super::super::select::tests::{document, fenced};
    use super::*;

    fn screen(routers: &[(&str, &str, u8, &str)]) -> Screen {
        let document = document("split_brain", routers);
        let mut screen = Screen { document, stale: None, chosen: None, explains: false, scrolled: 0 };
        screen.sort();
        screen
    }

    fn said(screen: &mut Screen, width: usize, height: usize) -> String {
        screen
            .lines(width, height)
            .into_iter()
            .map(|(_, is_chosen, line)| format!("{}{line}\n", if is_chosen { ">" } else { "" }))
            .collect()
    }

    #[test]
    fn the_chosen_router_stays_chosen_when_the_order_changes_under_the_hand() {
        let mut screen = screen(&[("web", "10.0.0.3", 51, "healthy"), ("db", "10.0.0.4", 52, "healthy")]);
        assert!(screen.obey(KeyCode::Char('j')));
        assert!(said(&mut screen, 80, 24).contains("\n>HEALTHY  10.0.0.4"));
        screen.document =
            document("split_brain", &[("web", "10.0.0.3", 51, "healthy"), ("db", "10.0.0.4", 52, "split_brain")]);
        screen.sort();
        let text = said(&mut screen, 80, 24);
        assert!(
            text.contains("\n>SPLIT BRAIN  10.0.0.4")
                && text.ends_with("\nHEALTHY      10.0.0.3  eth0  held by nobody  here master\n"),
            "{text}"
        );
        assert!(screen.obey(KeyCode::Enter));
        screen.document.routers.reverse();
        assert!(
            said(&mut screen, 80, 24).contains("SPLIT BRAIN  10.0.0.4  (db"),
            "an explanation stays with its router"
        );
    }

    #[test]
    fn a_fenced_router_goes_before_its_like_and_nothing_stale_is_green() {
        let mut screen = screen(&[("web", "10.0.0.3", 51, "healthy"), ("db", "10.0.0.4", 52, "healthy")]);
        screen.document.routers[1] = fenced(&screen.document.routers[1]);
        screen.stale = Some("nobody answers".into());
        screen.sort();
        let lines = screen.lines(80, 24);
        assert!(lines[1].2.starts_with("STALE: nobody answers"));
        assert!(lines[3].2.contains("10.0.0.4") && lines[3].2.ends_with("here FENCED"), "{lines:?}");
        assert!(lines.iter().all(|(colour, ..)| *colour != Some(Color::Green)));
    }

    #[test]
    fn a_long_explanation_is_broken_between_words_and_scrolls_to_its_end_and_no_further() {
        assert_eq!(
            wrap("  do        on lb02: nft insert rule inet filter", 30),
            ["  do        on lb02: nft", "            insert rule inet", "            filter"]
        );
        assert_eq!(wrap(&"x".repeat(40), 30), ["x".repeat(30), format!("{}{}", " ".repeat(12), "x".repeat(10))]);
        let mut screen = screen(&[("web", "10.0.0.3", 51, "split_brain")]);
        assert!(screen.obey(KeyCode::Enter));
        for _ in 0..100 {
            assert!(screen.obey(KeyCode::Down));
            let text = said(&mut screen, 40, 6);
            assert_eq!(text.lines().count(), 6, "{text}");
        }
        assert!(said(&mut screen, 40, 6).contains("evidence  none"));
        assert!(screen.obey(KeyCode::Esc) && !screen.explains && !screen.obey(KeyCode::Esc));
    }
}
