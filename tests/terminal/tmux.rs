//! `vipwarden top` in a terminal of tmux.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::server::Server;
use super::{printed, scene, vipwarden};

/// Far beyond what anything here takes; only a failure waits for it.
const DEADLINE: Duration = Duration::from_secs(60);

/// One window of a tmux server of its own.
struct Terminal {
    directory: TempDir,
}

impl Terminal {
    /// Runs a command line in a window of this size; what it leaves with is written to a file.
    fn start(columns: u32, lines: u32, command: &str) -> Self {
        let terminal = Self { directory: tempfile::tempdir().unwrap() };
        let line = format!("{command}; echo left with $? >{}; stty -a; exec sleep 600", terminal.left().display());
        let (columns, lines) = (columns.to_string(), lines.to_string());
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &lines, &line]);
        terminal
    }

    fn left(&self) -> PathBuf {
        self.directory.path().join("left")
    }

    fn tmux(&self, words: &[&str]) -> String {
        let socket = self.directory.path().join("socket");
        let output = Command::new("tmux").arg("-S").arg(socket).args(words).env_remove("TMUX").output();
        let output = output.expect("tmux (package tmux)");
        assert!(output.status.success(), "tmux {words:?}: {}", printed(&output));
        printed(&output)
    }

    /// Sends a signal to what runs in the window.
    fn signal(&self, signal: &str) {
        let shell = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let shell = shell.trim();
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap();
        let sent = Command::new("kill").arg(signal).arg(children.trim()).status().unwrap();
        assert!(sent.success(), "kill {signal} {children}");
    }

    fn has_left_with(&self, code: u8) -> bool {
        std::fs::read_to_string(self.left()).is_ok_and(|said| said == format!("left with {code}\n"))
    }

    fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Waits until the screen shows this, and answers the screen.
    fn until(&self, what: &str, shows: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let screen = self.tmux(&["capture-pane", "-p"]);
            if shows(&screen) {
                return screen;
            }
            assert!(started.elapsed() < DEADLINE, "it never showed {what}:\n{screen}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let socket = self.directory.path().join("socket");
        // If it ended by itself, all the better.
        let _ = Command::new("tmux").arg("-S").arg(socket).arg("kill-server").output();
    }
}

fn top(server: &Server) -> Terminal {
    let command = format!("{} top --url http://{}", env!("CARGO_BIN_EXE_vipwarden"), server.address);
    Terminal::start(80, 24, &command)
}

#[test]
fn top_shows_the_worst_first_explains_it_follows_what_happens_and_gives_the_terminal_back() {
    let calm = || scene::with(vec![scene::healthy(), scene::speaking(), scene::fenced()]);
    let server = Server::start(calm(), None);
    let terminal = top(&server);
    let screen = terminal.until("all routers", |screen| screen.matches("held by").count() == 3);
    let lines: Vec<&str> = screen.lines().collect();
    assert!(lines[0].starts_with("HEALTHY  lb01  3 virtual routers  as of "), "{screen}");
    assert!(
        lines[2].contains("192.168.1.104") && lines[2].ends_with("here FENCED"),
        "what is fenced goes first: {screen}"
    );
    assert_eq!(lines[23], "q leave   j k choose   Enter explain");

    server.become_(scene::with(vec![scene::fenced(), scene::split_brain(), scene::speaking()]));
    let screen = terminal.until("the split brain", |screen| screen.starts_with("SPLIT BRAIN"));
    assert!(
        screen.lines().nth(2).is_some_and(|line| line.ends_with("firewall_drop")),
        "a cause fits into 80: {screen}"
    );
    terminal.press(&["k", "Enter"]);
    let screen = terminal.until("the explanation", |screen| screen.contains("  do  "));
    assert!(screen.contains("  held by   lb01") && screen.contains("causes.md#firewall_drop"), "{screen}");
    assert!(screen.lines().all(|line| line.chars().count() <= 80) && screen.contains("Enter back"), "{screen}");
    terminal.press(&["Escape"]);
    terminal.until("the list again", |screen| screen.contains("Enter explain"));

    drop(server);
    let screen = terminal.until("that it is stale", |screen| screen.contains("STALE: "));
    assert!(screen.contains("192.168.1.100"), "what was known last stays: {screen}");
    terminal.press(&["q"]);
    terminal.until("the screen from before", |screen| !screen.contains("virtual routers") && terminal.has_left_with(0));
}

#[test]
fn top_gives_the_terminal_back_when_a_signal_ends_it() {
    let server = Server::start(scene::with(vec![scene::healthy()]), None);
    for (signal, code) in [("-TERM", 143), ("-HUP", 129), ("-INT", 130)] {
        let terminal = top(&server);
        terminal.until("the router", |screen| screen.contains("held by"));
        terminal.signal(signal);
        let screen = terminal.until("the modes of the terminal", |screen| screen.contains("icanon"));
        assert!(terminal.has_left_with(code), "{:?}", std::fs::read_to_string(terminal.left()));
        assert!(!screen.contains("held by"), "{screen}");
        let modes: Vec<&str> = screen.split_whitespace().collect();
        for mode in ["icanon", "echo", "isig", "opost"] {
            assert!(
                modes.iter().any(|m| m.trim_end_matches(';') == mode),
                "{signal} leaves it without {mode}: {screen}"
            );
        }
        let cursor = terminal.tmux(&["display-message", "-p", "#{cursor_flag}"]);
        assert_eq!(cursor.trim(), "1", "the cursor is seen again");
    }
}

#[test]
fn top_without_a_terminal_or_a_daemon_says_so_where_it_can_be_read() {
    let output = vipwarden(&["top"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("top wants a terminal"), "{}", printed(&output));
    let command = format!("{} top --control /nonexistent/control.sock", env!("CARGO_BIN_EXE_vipwarden"));
    let terminal = Terminal::start(80, 24, &command);
    terminal.until("why", |screen| screen.contains("no daemon answers on /nonexistent/control.sock"));
    terminal.until("the code", |_| terminal.has_left_with(1));
}
