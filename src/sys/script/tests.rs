use super::super::clock;
use super::super::testing::within_deadline;
use super::*;

const LONG: Duration = Duration::from_secs(60);

fn user(name: &str) -> User {
    User::lookup(name).expect("every system has it")
}

/// Runs a shell script as nobody.
async fn shell(text: &str, timeout: Duration) -> Finished {
    shell_as(&user("nobody"), text, timeout).await
}

async fn shell_as(user: &User, text: &str, timeout: Duration) -> Finished {
    let command = ["sh", "-c", text].map(String::from);
    let environment = [("VRRP_STATE", "master".to_owned())];
    let script = Script { command: &command, environment: &environment, user, timeout };
    within_deadline(run(script)).await.expect("root, and a shell")
}

fn text(finished: &Finished) -> String {
    String::from_utf8_lossy(&finished.output).into_owned()
}

/// Waits until a process is gone, or a zombie that its new parent is about to reap.
fn wait_for_death(id: &str) {
    let stat = format!("/proc/{}/stat", id.trim());
    for _ in 0..5000 {
        match fs::read_to_string(&stat) {
            Ok(stat) if !stat.contains(") Z ") => std::thread::sleep(Duration::from_millis(2)),
            _ => return,
        }
    }
    panic!("{id} lives");
}

#[tokio::test(flavor = "current_thread")]
async fn the_exit_status_and_both_outputs_come_back() {
    let finished = shell("echo to out; echo to error >&2; exit 3", LONG).await;
    assert_eq!(finished.status.and_then(|status| status.code()), Some(3));
    assert_eq!((text(&finished).as_str(), finished.truncated), ("to out\nto error\n", false));
}

#[tokio::test(flavor = "current_thread")]
async fn a_script_has_the_user_it_was_given_and_no_capabilities_whoever_that_is() {
    for name in ["nobody", "root"] {
        let given = user(name);
        let finished =
            shell_as(&given, "id -u; id -g; id -G; grep -E 'Cap(Inh|Prm|Eff|Amb)|NoNewPrivs' /proc/self/status", LONG)
                .await;
        let output = text(&finished);
        let mut lines = output.lines();
        for id in [given.uid, given.gid, given.gid] {
            assert_eq!(lines.next(), Some(id.to_string().as_str()), "{name}: {output}");
        }
        let values: Vec<_> = lines.filter_map(|line| line.split_whitespace().nth(1)).collect();
        let none = "0000000000000000";
        assert_eq!(values, [none, none, none, none, "1"], "{name}: {output}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_script_inherits_nothing_but_what_it_is_given() {
    let finished = shell("env | grep -v -E '^(PWD|SHLVL|_|OLDPWD)='; pwd; cat; ls /proc/self/fd | wc -l", LONG).await;
    // Three, and the directory that ls reads.
    let expected = format!("PATH={PATH}\nVRRP_STATE=master\n/\n4\n");
    let mut lines: Vec<_> = text(&finished).lines().map(str::to_owned).collect();
    lines[..2].sort();
    assert_eq!(lines.join("\n") + "\n", expected);
}

#[tokio::test(flavor = "current_thread")]
async fn a_script_that_hangs_is_killed_with_its_children() {
    let finished = shell("sleep 1000 & echo $!; trap '' TERM; wait", Duration::from_millis(300)).await;
    assert_eq!(finished.status, None);
    wait_for_death(&text(&finished));
}

#[tokio::test(flavor = "current_thread")]
async fn a_script_that_leaves_a_daemon_with_its_output_open_is_not_waited_for() {
    let finished = shell("sleep 1000 & echo $!", LONG).await;
    assert!(finished.status.is_some_and(|status| status.success()));
    let id = text(&finished).trim().to_owned();
    assert!(fs::exists(format!("/proc/{id}")).expect("procfs"), "it is nobody's business how long it lives");
    let killed = std::process::Command::new("kill").args(["-9", &id]).status();
    assert!(killed.expect("kill is there").success());
    wait_for_death(&id);
}

#[tokio::test(flavor = "current_thread")]
async fn a_script_that_floods_is_neither_kept_nor_stopped_by_it() {
    let finished = shell("head -c 3000000 /dev/zero; echo the end; exit 4", LONG).await;
    assert_eq!(finished.status.and_then(|status| status.code()), Some(4), "its writing never stood still");
    assert_eq!((finished.output.len(), finished.truncated), (OUTPUT_MAX, true));
    let finished = shell("yes", Duration::from_millis(200)).await;
    assert_eq!((finished.status, finished.output.len()), (None, OUTPUT_MAX));
}

#[tokio::test(flavor = "current_thread")]
async fn a_daemon_that_floods_after_the_end_of_its_script_is_read_no_more() {
    let finished = shell("timeout 60 yes & echo $!", LONG).await;
    assert!(finished.status.is_some_and(|status| status.success()));
    // Nobody reads what it writes any more.
    wait_for_death(text(&finished).lines().next().expect("its id"));
}

#[tokio::test(flavor = "current_thread")]
async fn others_have_their_turn_while_a_script_floods() {
    let started = clock::now();
    let mut turns = 0;
    tokio::select! {
        biased;
        _ = shell("yes", LONG) => panic!("it has no end"),
        () = async { while turns < 100 { tokio::task::yield_now().await; turns += 1; } } => {}
    }
    assert!(clock::now() > started && turns == 100);
}

#[tokio::test(flavor = "current_thread")]
async fn a_run_that_is_given_up_is_killed() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("id");
    let text = format!("echo $$ > {}; sleep 1000; true", file.display());
    let root = user("root");
    let id = tokio::select! {
        _ = shell_as(&root, &text, LONG) => panic!("it has no end"),
        id = async {
            loop {
                match fs::read_to_string(&file) {
                    Ok(id) if id.ends_with('\n') => return id,
                    _ => tokio::time::sleep(Duration::from_millis(2)).await,
                }
            }
        } => id,
    };
    wait_for_death(&id);
}

#[tokio::test(flavor = "current_thread")]
async fn what_can_t_be_started_is_named_with_its_user() {
    let (nobody, command) = (user("nobody"), ["/nowhere/check".to_owned()]);
    let script = Script { command: &command, environment: &[], user: &nobody, timeout: LONG };
    let error = run(script).await.expect_err("no such program").to_string();
    assert!(error.contains("/nowhere/check can't be run as nobody"), "{error}");
    assert!(run(Script { command: &[], ..script }).await.is_err());
}

#[test]
fn a_daemon_that_may_not_become_another_says_so_and_still_runs_scripts_as_itself() {
    let in_a_thread_without_rights = || {
        let (nobody, root, command) = (user("nobody"), user("root"), ["true".to_owned()]);
        // SAFETY: takes no pointer; the raw call changes only the calling thread, libc's would change all.
        assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, nobody.uid, nobody.uid, nobody.uid) }, 0);
        // SAFETY: takes no pointer.
        let own = User { gid: unsafe { libc::getegid() }, ..nobody };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let run = |user| {
            let script = Script { command: &command, environment: &[], user, timeout: LONG };
            runtime.block_on(run(script))
        };
        let error = run(&root).expect_err("no right to be root").to_string();
        assert!(error.contains("true can't be run as root") && error.contains("CAP_SETUID"), "{error}");
        assert!(run(&own).expect("nothing to change").status.is_some_and(|status| status.success()));
    };
    std::thread::spawn(in_a_thread_without_rights).join().expect("no panic");
}

#[test]
fn users_are_looked_up_by_their_whole_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("passwd");
    fs::write(&file, "root:x:0:0::/root:/bin/sh\nbroken:x\n\nweb:x:33:34:a:b:c\n+nis::::::\n").expect("a file");
    let found = User::lookup_in(&file, "web").expect("it is there");
    assert_eq!(found, User { name: "web".into(), uid: 33, gid: 34 });
    for name in ["we", "webb", "broken", "+nis", "", "x"] {
        let error = User::lookup_in(&file, name).expect_err("no such user").to_string();
        assert!(error.contains(&format!("{name:?}")) && error.contains("passwd"), "{error}");
    }
    assert!(User::lookup_in(&directory.path().join("none"), "root").is_err());
}
