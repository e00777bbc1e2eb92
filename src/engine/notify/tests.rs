use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use tokio::time::timeout;

use super::*;
use crate::engine::checks::tests::script_user;
use crate::time::Duration;

const LONG: Duration = Duration::from_secs(60);

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    // The user nobody writes into it.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).expect("ours");
    directory
}

/// Nothing to tell yet, with a user that this test may become.
fn nothing() -> Notify {
    Notify { user: script_user(), ..Notify::default() }
}

/// Appends a line about itself to `log`, after some commands.
fn script(before: &str, log: &Path) -> Vec<String> {
    let text = format!("{before}; echo \"$(id -un) $*\" >> {}", log.display());
    ["/bin/sh", "-c", &text, "notify"].map(String::from).to_vec()
}

fn log(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn queue() -> (mpsc::Sender<Notice>, mpsc::Receiver<Notice>) {
    mpsc::channel(NOTICES_MAX)
}

#[tokio::test(flavor = "current_thread")]
async fn a_fifo_gets_keepaliveds_lines_in_their_order() {
    let directory = directory();
    let path = directory.path().join("fifo");
    let notify = Notify { fifo: Some(path.clone()), ..Notify::default() };
    let (sender, receiver) = queue();
    let router = Herald::new(sender.clone(), Kind::Instance, "VI_1", notify.clone());
    let group = Herald::new(sender, Kind::Group, "VG_1", notify);
    for (told, priority) in [(Told::Backup, 100), (Told::Master, 100), (Told::Fenced, 80), (Told::Fault, 80)] {
        router.tell(told, priority);
    }
    group.tell(Told::Master, 0);
    router.tell(Told::Stop, 100);
    assert_eq!(router.failures() + group.failures(), 0);
    // It holds the FIFO open, so the reader comes before it ends.
    let running = tokio::spawn(run(receiver));
    let reader = loop {
        match OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path) {
            Ok(file) => break file,
            Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    };
    drop((router, group));
    timeout(LONG, running).await.expect("it ends").expect("well");
    let lines: Vec<_> = BufReader::new(reader).lines().take(6).map(|line| line.expect("text")).collect();
    assert_eq!(
        lines,
        [
            "INSTANCE \"VI_1\" BACKUP 100",
            "INSTANCE \"VI_1\" MASTER 100",
            "INSTANCE \"VI_1\" FENCED 80",
            "INSTANCE \"VI_1\" FAULT 80",
            "GROUP \"VG_1\" MASTER 0",
            "INSTANCE \"VI_1\" STOP 100",
        ]
    );
}

#[tokio::test(flavor = "current_thread")]
async fn commands_of_a_router_run_in_order_as_their_user_and_the_last_one_is_waited_for() {
    let directory = directory();
    let path = directory.path().join("log");
    let notify = Notify {
        backup: script("sleep 0.2", &path),
        master: script("true", &path),
        stop: script("true", &path),
        ..nothing()
    };
    let (sender, receiver) = queue();
    let router = Herald::new(sender, Kind::Instance, "web edge", notify);
    router.tell(Told::Backup, 100);
    router.tell(Told::Master, 100);
    router.tell(Told::Fault, 0);
    router.tell(Told::Stop, 90);
    let failures = router.failures.clone();
    drop(router);
    timeout(LONG, run(receiver)).await.expect("it ends when nobody can tell any more");
    let user = script_user();
    let expected = ["BACKUP 100", "MASTER 100", "STOP 90"].map(|told| format!("{user} INSTANCE web edge {told}"));
    assert_eq!(log(&path), expected);
    assert_eq!(failures.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "current_thread")]
async fn a_command_that_hangs_is_killed_and_counted_and_delays_no_other_router() {
    let directory = directory();
    let (slow_log, quick_log) = (directory.path().join("slow"), directory.path().join("quick"));
    let slow = Notify {
        backup: script("sleep 1000 & wait", &slow_log),
        master: script("true", &slow_log),
        timeout: Duration::from_secs(2),
        ..nothing()
    };
    let quick = Notify { master: script("true", &quick_log), fault: vec!["/nowhere".into()], ..nothing() };
    let (sender, receiver) = queue();
    let slow = Herald::new(sender.clone(), Kind::Instance, "slow", slow);
    let quick = Herald::new(sender, Kind::Instance, "quick", quick);
    let running = tokio::spawn(run(receiver));
    slow.tell(Told::Backup, 100);
    slow.tell(Told::Master, 100);
    quick.tell(Told::Master, 100);
    quick.tell(Told::Fault, 0);
    while quick.failures() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!((log(&quick_log).len(), log(&slow_log).len()), (1, 0), "the slow one is still at its first command");
    let failures = slow.failures.clone();
    drop((slow, quick));
    timeout(LONG, running).await.expect("it ends").expect("well");
    assert_eq!(log(&slow_log), [format!("{} INSTANCE slow MASTER 100", script_user())], "the hanging one said nothing");
    assert_eq!(failures.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn what_overflows_is_dropped_and_counted_and_telling_never_waits() {
    let hangs = Notify {
        master: ["/bin/sh", "-c", "sleep 1000"].map(String::from).to_vec(),
        timeout: Duration::from_millis(100),
        ..nothing()
    };
    let (sender, receiver) = mpsc::channel(100);
    let router = Herald::new(sender, Kind::Instance, "web", hangs);
    for _ in 0..150 {
        router.tell(Told::Master, 100);
    }
    assert_eq!(router.failures(), 50, "the queue to the edge has an end");
    let running = tokio::spawn(run(receiver));
    while router.failures() < 50 + 100 - 1 - COMMANDS_MAX as u64 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    running.abort();
}

#[test]
fn what_nobody_wants_to_hear_isn_t_told() {
    let (sender, mut receiver) = queue();
    let router = Herald::new(sender, Kind::Instance, "web", Notify::default());
    router.tell(Told::Master, 100);
    assert!(receiver.try_recv().is_err());
    assert_eq!(Told::of(State::Init), None);
}
