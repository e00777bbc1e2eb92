//! The daemon as a process: how it starts, follows its interfaces, reloads, answers and stops.

mod netns;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use netns::{in_fresh_netns, ip, output, run, wait_for};
use vipwarden::observe::IfIndex;
use vipwarden::sys::transmit::Transmitter;

const BINARY: &str = env!("CARGO_BIN_EXE_vipwarden");
/// Each test has a loopback of its own.
const ADDRESS: &str = "127.0.0.1:10112";
const VETH: &str = "link add va up type veth peer name vb";

/// A directory for a daemon's files, and the daemon, if one runs.
struct Bench {
    dir: tempfile::TempDir,
    daemon: Option<Child>,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
        let bench = Self { dir, daemon: None };
        bench.configure("");
        bench
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the configuration, with this behind what every test needs.
    fn configure(&self, rest: &str) {
        let text = format!("[node]\nname = \"lb01\"\nstate_dir = {:?}\n{rest}", self.file("state"));
        fs::write(self.file("vipwarden.toml"), text).expect("a configuration");
    }

    /// The words that start a daemon on the interface `va`.
    fn run_words(&self) -> Vec<String> {
        let paths = ["--config", "vipwarden.toml", "--control", "control.sock"];
        let paths =
            paths.map(|word| if word.starts_with('-') { word.into() } else { self.file(word).display().to_string() });
        let rest = ["run", "--listen", ADDRESS, "--interface", "va"].map(String::from);
        rest.into_iter().chain(paths).collect()
    }

    fn run_command(&self) -> Command {
        let mut command = Command::new(BINARY);
        command.args(self.run_words());
        command
    }

    /// Starts a daemon, and waits until it sniffs and serves.
    async fn start(&mut self, mut command: Command) {
        let log = File::create(self.file("log")).expect("a log");
        self.daemon = Some(command.stderr(log).stdout(Stdio::null()).spawn().expect("the daemon starts"));
        self.wait_for_log("sniffing interface=va").await;
        wait_for("the daemon serves", || get("/-/healthy").contains("200 OK")).await;
    }

    fn log(&self) -> String {
        fs::read_to_string(self.file("log")).expect("a log")
    }

    /// Waits for words in its log; fails at once if it ended without them.
    async fn wait_for_log(&mut self, words: &str) {
        wait_for(&format!("the log says {words}"), || {
            let ended = self.daemon.as_mut().is_none_or(|daemon| daemon.try_wait().expect("it is ours").is_some());
            assert!(!ended || self.log().contains(words), "it ended: {}", self.log());
            self.log().contains(words)
        })
        .await;
    }

    /// Runs a client of the daemon.
    fn ask(&self, words: &str) -> Output {
        let words = words
            .split(' ')
            .map(String::from)
            .chain(["--control".into(), self.file("control.sock").display().to_string()]);
        Command::new(BINARY).args(words).output().expect("a client")
    }

    /// Sends a signal.
    fn signal(&self, name: &str) {
        let pid = self.daemon.as_ref().expect("a daemon").id();
        run(&format!("kill -{name} {pid}"));
    }

    /// Waits for the daemon's end: its exit code, if it was not killed.
    async fn ended(&mut self) -> Option<i32> {
        let mut daemon = self.daemon.take().expect("a daemon");
        wait_for("the daemon ends", || daemon.try_wait().expect("it is ours").is_some()).await;
        daemon.wait().expect("it has ended").code()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().ok();
            daemon.wait().ok();
        }
    }
}

/// Sends the golden v2 advert of VRID 51 for 10.9.9.100 out of an interface.
fn advertise(interface: &str) {
    const ETHERNET: &str = "01005e00001200005e0001330800";
    const PACKET: &str = "45c0002800010000ff70c7880a090901e00000122133c8010001035d0a0909640000000000000000";
    let hex = format!("{ETHERNET}{PACKET}");
    let bytes = (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hexadecimal"));
    let link = output("ip", &format!("-oneline link show {interface}"));
    let index = link.split(':').next().and_then(|index| index.parse().ok()).expect("an interface");
    let transmitter = Transmitter::open("tests").expect("a packet socket");
    transmitter.send(IfIndex(index), &bytes.collect::<Vec<u8>>()).expect("it is sent");
}

/// Asks the daemon by HTTP; empty if nobody answers.
fn get(path: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(ADDRESS) else { return String::new() };
    let mut answer = String::new();
    let asked = write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    asked.and_then(|()| stream.read_to_string(&mut answer)).map(|_| answer).unwrap_or_default()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn it_serves_and_answers_and_sigterm_ends_it_cleanly() {
    in_fresh_netns(async || {
        ip(VETH);
        let mut bench = Bench::new();
        bench.start(bench.run_command()).await;
        let status = bench.ask("status");
        assert!(stdout(&status).starts_with("VRRP "), "{status:?}");
        let json: serde_json::Value = serde_json::from_slice(&bench.ask("status --json").stdout).expect("JSON");
        assert_eq!(json["node"], "lb01");
        assert_eq!(bench.ask("events").status.code(), Some(0));
        let unknown = bench.ask("explain 10.9.9.9");
        assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
        assert!(stderr(&unknown).contains("10.9.9.9"), "{unknown:?}");
        bench.signal("TERM");
        assert_eq!(bench.ended().await, Some(0));
        assert!(!bench.file("control.sock").exists());
        assert!(bench.file("state").join("learned.json").exists());
    });
}

#[test]
fn readers_that_left_early_end_neither_the_daemon_nor_a_check() {
    in_fresh_netns(async || {
        ip(VETH);
        ip("link set vb up");
        ip("link set va up");
        let mut bench = Bench::new();
        let mut daemon = bench.run_command().stderr(Stdio::piped()).spawn().expect("the daemon starts");
        drop(daemon.stderr.take());
        bench.daemon = Some(daemon);
        // Each of these is logged, to nobody.
        wait_for("the daemon serves", || get("/-/healthy").contains("200 OK")).await;
        wait_for("a router is learned and logged", || {
            advertise("vb");
            stdout(&bench.ask("status")).contains("10.9.9.100/51")
        })
        .await;
        bench.signal("TERM");
        assert_eq!(bench.ended().await, Some(0));
        bench.configure("[wach]\n");
        let mut check = Command::new(BINARY);
        check.arg("check-config").arg(bench.file("vipwarden.toml")).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut check = check.spawn().expect("a check");
        drop(check.stderr.take());
        assert_eq!(check.wait().expect("it ends").code(), Some(64));
    });
}

#[test]
fn a_learned_router_is_shown_survives_a_restart_and_can_be_forgotten() {
    in_fresh_netns(async || {
        ip(VETH);
        ip("link set vb up");
        let mut bench = Bench::new();
        bench.start(bench.run_command()).await;
        wait_for("the router is learned", || {
            advertise("vb");
            stdout(&bench.ask("status")).contains("10.9.9.100/51")
        })
        .await;
        assert!(stdout(&bench.ask("events 51")).contains("learned"));
        bench.signal("TERM");
        assert_eq!(bench.ended().await, Some(0));
        bench.start(bench.run_command()).await;
        let remembered = bench.ask("status 10.9.9.100");
        assert_eq!(remembered.status.code(), Some(3), "remembered is not seen: {remembered:?}");
        assert!(stdout(&bench.ask("explain 51")).contains("10.9.9.100"));
        assert_eq!(bench.ask("forget 51").status.code(), Some(0));
        assert!(!stdout(&bench.ask("status")).contains("10.9.9.100"));
    });
}

#[test]
fn a_daemon_that_answers_is_not_replaced_and_the_socket_of_a_killed_one_is() {
    in_fresh_netns(async || {
        ip(VETH);
        let mut bench = Bench::new();
        bench.start(bench.run_command()).await;
        let mut second = bench.run_command();
        let second = second.args(["--listen", "127.0.0.1:0"]).output().expect("a second one");
        assert_eq!(second.status.code(), Some(1));
        bench.signal("KILL");
        assert_eq!(bench.ended().await, None);
        assert!(bench.file("control.sock").exists(), "nobody could remove it");
        bench.start(bench.run_command()).await;
        assert!(stdout(&bench.ask("status")).starts_with("VRRP "));
    });
}

#[test]
fn a_port_in_use_is_named_and_ends_it_with_1() {
    in_fresh_netns(async || {
        ip(VETH);
        let _taken = TcpListener::bind(ADDRESS).expect("a free port");
        let refused = Bench::new().run_command().output().expect("it ends");
        assert_eq!(refused.status.code(), Some(1));
        assert!(stderr(&refused).contains(ADDRESS) && stderr(&refused).contains("--listen"), "{refused:?}");
    });
}

#[test]
fn an_invalid_configuration_is_shown_with_its_place_and_ends_it_with_64() {
    in_fresh_netns(async || {
        let bench = Bench::new();
        bench.configure("[watch]\npasive = true\n");
        let refused = bench.run_command().output().expect("it ends");
        assert_eq!(refused.status.code(), Some(64));
        assert!(
            stderr(&refused).contains("vipwarden.toml:5:1:") && stderr(&refused).contains("passive"),
            "{refused:?}"
        );
    });
}

#[test]
fn without_cap_net_raw_it_ends_with_1_and_says_how_to_grant_it() {
    in_fresh_netns(async || {
        ip(VETH);
        let bench = Bench::new();
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set=-net_raw", "--inh-caps=-net_raw", BINARY]).args(bench.run_words());
        let refused = command.output().expect("it ends");
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        for words in ["CAP_NET_RAW", "setcap", "AmbientCapabilities"] {
            assert!(stderr(&refused).contains(words), "{refused:?}");
        }
    });
}

#[test]
fn an_ordinary_user_with_cap_net_raw_alone_is_blind_to_nothing() {
    in_fresh_netns(async || {
        ip(VETH);
        ip("link set vb up");
        let mut bench = Bench::new();
        // Where the test was built may be closed to others. Another process makes the copy: a child that a parallel test forks
        // meanwhile would keep a file of ours open for writing, and what is open for writing can't be executed (ETXTBSY).
        let binary = bench.file("vipwarden");
        run(&format!("cp {BINARY} {}", binary.display()));
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all,+net_raw"]);
        command.args(["--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw"]);
        command.arg(binary).args(bench.run_words());
        bench.start(command).await;
        assert!(stdout(&bench.ask("status")).starts_with("VRRP "));
        bench.signal("INT");
        assert_eq!(bench.ended().await, Some(0));
        assert!(!bench.log().contains("kind=\"sensor\""), "{}", bench.log());
    });
}

#[test]
fn an_interface_that_was_never_there_is_refused_by_flag_and_by_file_with_line_and_key() {
    in_fresh_netns(async || {
        ip(VETH);
        let bench = Bench::new();
        bench.configure("[[router]]\ninterface = \"late1\"\nvrid = 51\naddresses = [\"10.0.0.9\"]\n");
        let answer = bench.run_command().args(["--interface", "late0"]).output().expect("it ends by itself");
        let says = String::from_utf8_lossy(&answer.stderr);
        assert_eq!(answer.status.code(), Some(1), "{says}");
        assert!(says.contains("--interface late0: there is no interface late0 on this host"), "{says}");
        let place = format!("{}:5:13", bench.file("vipwarden.toml").display());
        assert!(says.contains(&place) && says.contains("`interface`: there is no interface late1"), "{says}");
        assert!(says.contains("there are: lo"), "{says}");
    });
}

#[test]
fn an_interface_that_flaps_or_is_made_anew_is_sniffed_again() {
    in_fresh_netns(async || {
        ip(VETH);
        let mut bench = Bench::new();
        bench.start(bench.run_command()).await;
        let times_sniffed = |bench: &Bench| bench.log().matches("sniffing interface=va").count();
        ip("link set va down");
        bench.wait_for_log("va is down").await;
        ip("link set va up");
        wait_for("it is sniffed a second time", || times_sniffed(&bench) == 2).await;
        ip("link del va");
        bench.wait_for_log("no such interface: va").await;
        ip(VETH);
        wait_for("it is sniffed a third time", || times_sniffed(&bench) == 3).await;
    });
}

#[test]
fn a_reload_takes_what_is_valid_and_changes_nothing_otherwise() {
    in_fresh_netns(async || {
        ip(VETH);
        let mut bench = Bench::new();
        bench.start(bench.run_command()).await;
        bench.configure("[[peer]]\nname = \"lb02\"\naddress = \"127.0.0.1\"\n");
        let taken = bench.ask("reload");
        assert_eq!(taken.status.code(), Some(0), "{taken:?}");
        assert!(stdout(&taken).contains("peers: 1"), "{taken:?}");
        bench.configure("[watch]\npasive = true\n");
        let refused = bench.ask("reload");
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(stderr(&refused).contains("vipwarden.toml:5:1:"), "{refused:?}");
        bench.configure("");
        bench.signal("HUP");
        bench.wait_for_log("configuration taken; routers: 0, peers: 0").await;
    });
}

#[test]
fn a_usage_error_is_64_and_for_status_3_as_is_a_missing_daemon() {
    let bench = Bench::new();
    let code = |words: &str| bench.ask(words).status.code();
    assert_eq!(code("run --no-such-flag"), Some(64));
    assert_eq!(code("no-such-command"), Some(64));
    assert_eq!(code("--log-level debug status --no-such-flag"), Some(3));
    assert_eq!(code("status"), Some(3));
    assert_eq!(code("explain web"), Some(1));
    assert_eq!(code("status --help"), Some(0));
    assert!(stdout(&bench.ask("status")).starts_with("VRRP UNKNOWN - no daemon answers"));
}
