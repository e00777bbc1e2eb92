use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::sleep;

use super::*;
use crate::config::{Router, Speak, Track};
use crate::wire::Family;

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);

/// A running [`run`] with its ends.
struct Bench {
    config: watch::Sender<Arc<Config>>,
    results: mpsc::Receiver<CheckResult>,
}

impl Bench {
    fn start(checks: Vec<Check>, files: Vec<Tracked>) -> Self {
        let (sender, results) = mpsc::channel(100);
        let config = watch::Sender::new(Arc::new(config(checks, files)));
        tokio::spawn(run(sender, config.subscribe()));
        Self { config, results }
    }

    async fn result(&mut self) -> CheckResult {
        timeout(LONG, self.results.recv()).await.expect("a result").expect("it runs")
    }

    /// The next result: what, and whether it works.
    async fn next(&mut self) -> (String, bool) {
        let CheckResult { what, found } = self.result().await;
        let Found::Up(up) = found else { panic!("{what} says {found:?}") };
        (what.name().into_owned(), up)
    }
}

fn config(checks: Vec<Check>, files: Vec<Tracked>) -> Config {
    let tracked = checks.iter().map(|check| Tracked::Check(check.name.clone()));
    let all = tracked.chain(files);
    let speak =
        Speak { track: all.map(|what| Track { what, weight: 0, reverse: false }).collect(), ..Speak::default() };
    let router = Router {
        name: "web".into(),
        interface: "eth0".into(),
        vrid: 51,
        family: Family::V4,
        addresses: vec![],
        excluded_addresses: vec![],
        peers: None,
        version: None,
        advert_interval: None,
        auth: None,
        unicast_peers: vec![],
        only_known_speakers: false,
        speak: Some(speak),
    };
    Config { checks, routers: vec![router], ..Config::discovery("lb01") }
}

fn check(name: &str, probe: Probe, timeout: Duration) -> Check {
    Check { interval: LONG, timeout, ..Check::new(name.into(), probe) }
}

/// Whom scripts run as: root becomes nobody, and others can only be who they are.
pub(in crate::engine) fn script_user() -> String {
    let output = std::process::Command::new("id").arg("-un").output().expect("every system has it");
    let own = String::from_utf8(output.stdout).expect("a name").trim().to_owned();
    if own == "root" { "nobody".into() } else { own }
}

/// A shell script, run as [`script_user`].
fn shell(name: &str, text: &str, timeout: Duration) -> Check {
    let command = ["/bin/sh", "-c", text].map(String::from).to_vec();
    check(name, Probe::Command { command, user: script_user() }, timeout)
}

/// A directory that nobody may write into, the user.
fn public_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).expect("ours");
    directory
}

async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, wait).await.expect("what was waited for did not come");
}

#[tokio::test(flavor = "current_thread")]
async fn scripts_that_hang_fork_flood_or_take_long_delay_no_other_check() {
    let mut bench = Bench::start(
        vec![
            shell("slow", "sleep 1000", LONG),
            shell("hangs", "trap '' TERM; sleep 1000", SHORT),
            shell("forks", "sleep 20 & exit 0", LONG),
            shell("floods", "head -c 10000000 /dev/zero", LONG),
            shell("floods for ever", "yes", SHORT),
            shell("fails", "echo 'no backend' >&2; exit 3", LONG),
            shell("has its user", &format!("test \"$(id -un)\" = {}", script_user()), LONG),
            check("missing", Probe::Command { command: vec!["/nowhere".into()], user: script_user() }, LONG),
            check("stranger", Probe::Command { command: vec!["true".into()], user: "no-such-user".into() }, LONG),
        ],
        vec![],
    );
    let mut results = BTreeMap::new();
    for _ in 0..8 {
        let (name, up) = bench.next().await;
        assert!(results.insert(name, up).is_none());
    }
    let expected = [
        ("fails", false),
        ("floods", true),
        ("floods for ever", false),
        ("forks", true),
        ("hangs", false),
        ("has its user", true),
        ("missing", false),
        ("stranger", false),
    ];
    assert!(results.iter().map(|(name, up)| (name.as_str(), *up)).eq(expected), "all but the slow one: {results:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn runs_of_one_check_never_overlap_however_short_its_interval_is() {
    let directory = public_directory();
    let path = directory.path().display();
    let text = format!(
        "cd {path}; mkdir busy || touch overlap; echo >> runs; sleep 0.05; rmdir busy; test $(wc -l < runs) -lt 5"
    );
    let mut bench = Bench::start(
        vec![Check { interval: Duration::from_millis(1), fall: 2, ..shell("quick", &text, LONG) }],
        vec![],
    );
    assert_eq!(bench.next().await, ("quick".into(), true));
    assert_eq!(bench.next().await, ("quick".into(), false));
    let runs = fs::read_to_string(directory.path().join("runs")).expect("it ran").lines().count();
    assert!(runs >= 6, "two failures in a row: {runs}");
    assert!(!directory.path().join("overlap").exists());
}

#[tokio::test(flavor = "current_thread")]
async fn a_tracked_file_fails_while_it_is_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("drain");
    let name = path.display().to_string();
    let mut bench = Bench::start(vec![], vec![Tracked::File(path.clone())]);
    assert_eq!(bench.next().await, (name.clone(), true));
    fs::write(&path, "").expect("a file");
    assert_eq!(bench.next().await, (name.clone(), false));
    fs::remove_file(&path).expect("ours");
    assert_eq!(bench.next().await, (name, true));
}

#[tokio::test(flavor = "current_thread")]
async fn a_tracked_number_is_what_stands_in_its_file_and_stays_while_that_can_t_be_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("adjust");
    let what = Tracked::Number(path.clone());
    let mut bench = Bench::start(vec![], vec![what.clone()]);
    let says = |number| CheckResult { what: what.clone(), found: Found::Number(number) };
    assert_eq!(bench.result().await, says(0), "there is no file");
    fs::write(&path, "-20\n").expect("a file");
    assert_eq!(bench.result().await, says(-20));
    fs::write(&path, "many").expect("a file");
    let failure = Job::Number(path.clone()).once().await.expect_err("no number");
    assert!(failure.contains("adjust: write a number"), "{failure}");
    sleep(LOOK_EVERY * 2).await;
    fs::write(&path, "30").expect("a file");
    assert_eq!(bench.result().await, says(30), "nothing was sent of what could not be read");
    fs::remove_file(&path).expect("ours");
    assert_eq!(bench.result().await, says(0));
}

#[tokio::test(flavor = "current_thread")]
async fn a_tracked_process_works_while_it_runs() {
    assert_eq!(Job::Process(own_name()).once().await, Ok(Found::Up(true)));
    let failure = Job::Process("no-such-process".into()).once().await.expect_err("nobody has this name");
    assert!(failure.contains("\"no-such-process\""), "{failure}");
}

fn own_name() -> String {
    let program = fs::read_link("/proc/self/exe").expect("procfs");
    program.file_name().expect("a file").to_string_lossy().into_owned()
}

#[tokio::test(flavor = "current_thread")]
async fn a_reload_restarts_only_what_changed_and_kills_what_went() {
    let directory = public_directory();
    let pid = directory.path().join("pid");
    let stays = shell("stays", "exit 0", LONG);
    let goes = shell("goes", &format!("echo $$ > {}; sleep 1000", pid.display()), LONG);
    let mut bench = Bench::start(vec![stays.clone(), shell("changes", "exit 0", LONG), goes], vec![]);
    let mut first = [bench.next().await, bench.next().await];
    first.sort();
    assert_eq!(first, [("changes".into(), true), ("stays".into(), true)]);
    until(|| fs::read_to_string(&pid).is_ok_and(|pid| pid.ends_with('\n'))).await;
    bench.config.send_replace(Arc::new(config(vec![stays, shell("changes", "exit 1", LONG)], vec![])));
    assert_eq!(bench.next().await, ("changes".into(), false));
    let stat = format!("/proc/{}/stat", fs::read_to_string(&pid).expect("its id").trim());
    until(|| fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))).await;
    assert!(bench.results.try_recv().is_err(), "what stayed was not asked again");
}

/// A server that answers one connection after the other with these bytes, and then says no more.
async fn server(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("[::1]:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer).await;
            open.push(stream);
        }
    });
    address
}

fn http(address: SocketAddr, path: &str) -> Check {
    let url = format!("http://{address}{path}").parse().expect("a URL");
    check("http", Probe::Http { url, expect_status: vec![200, 204] }, SHORT)
}

#[tokio::test(flavor = "current_thread")]
async fn an_http_check_goes_by_the_status_and_never_waits_for_the_body() {
    let endless = server(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc").await;
    assert_eq!(http(endless, "/ready").once().await, Ok(()));
    for (answer, what) in [
        (&b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"[..], "status 503"),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://[::1]/\r\nContent-Length: 0\r\n\r\n", "status 301"),
        (b"SSH-2.0-OpenSSH\r\n", "http://[::1]"),
        (b"", "no answer within 300ms"),
    ] {
        let failure = http(server(answer).await, "").once().await.expect_err(what);
        assert!(failure.contains(what), "{failure}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_tcp_check_goes_by_the_connection() {
    let address = server(b"").await;
    assert_eq!(check("tcp", Probe::Tcp(address), LONG).once().await, Ok(()));
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound");
    let failure = check("tcp", Probe::Tcp(closed), LONG).once().await.expect_err("closed again");
    assert!(failure.contains(&closed.to_string()), "{failure}");
}

#[test]
fn what_a_script_says_last_is_quoted_and_can_t_forge_a_log_line() {
    assert_eq!(quote(b"first\n\x1b[2Jthe \xff end\n\n"), ": \"\\u{1b}[2Jthe \u{fffd} end\"");
    assert_eq!(quote(b" \n"), "");
    assert!(quote(&[b'x'; 5000]).len() < 210);
}
