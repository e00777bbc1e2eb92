//! Routers that avoid each other's node, routers that move together, and the loser of a split.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

use crate::lab::{Daemon, Flavour, Node, Stage, Watch, holds, until, vipwarden};

const VIPS: [&str; 2] = ["10.9.9.101", "10.9.9.102"];

/// Two routers, of which a node has the given priorities.
fn two(node: &Node, priorities: [u8; 2], line: &str) -> Watch {
    let routers = [0, 1].map(|i| {
        format!(
            "[[router]]\nname = \"r{i}\"\nmode = \"speak\"\ninterface = \"eth0\"\nvrid = {}\nversion = 3\n\
             advert_interval = \"100ms\"\npriority = {}\naddresses = [\"{}/24\"]\n{line}\n",
            51 + i,
            priorities[i],
            VIPS[i]
        )
    });
    Watch(Daemon::start(node, vipwarden(), &routers.concat()).expect("vipwarden starts"))
}

fn expect(stage: &Stage, a: [bool; 2], b: [bool; 2]) {
    until(&format!("a holds {a:?} and b {b:?} of two VIPs"), || {
        VIPS.map(|vip| holds(&stage.a, vip)) == a && VIPS.map(|vip| holds(&stage.b, vip)) == b
    });
}

#[test]
fn an_exclusive_group_spreads_over_two_nodes_and_gathers_on_the_survivor() {
    let stage = Stage::new(Flavour::V3);
    let line = "exclusive_group = \"pair\"";
    let mut a = two(&stage.a, [200, 190], line);
    expect(&stage, [true, true], [false, false]);
    let _b = two(&stage.b, [100, 100], line);
    expect(&stage, [true, false], [false, true]);
    a.process().stop().expect("it ends");
    expect(&stage, [false, false], [true, true]);
}

#[test]
fn a_sync_group_moves_as_one_when_one_member_is_fenced() {
    let stage = Stage::new(Flavour::V3);
    let line = "sync_group = \"edge\"";
    let a = two(&stage.a, [200, 200], line);
    expect(&stage, [true, true], [false, false]);
    let _b = two(&stage.b, [100, 100], line);
    a.expect("the other one is heard", |_| true);
    assert!(a.ask(&["fence", "r0", "--force"]).expect("it runs").status.success());
    expect(&stage, [false, false], [true, true]);
    assert!(a.ask(&["unfence", "r0"]).expect("it runs").status.success());
    expect(&stage, [true, true], [false, false]);
}

#[test]
fn a_fifo_gets_a_line_for_the_sync_group_as_keepalived_writes_it() {
    let stage = Stage::new(Flavour::V3);
    let path = stage.b.scratch().expect("a scratch directory").join("told");
    stage.b.exec(&format!("mkfifo {}", path.display())).expect("mkfifo");
    // Held open for writing too: no end of file while vipwarden has not begun.
    let fifo = File::options().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(&path).expect("a FIFO");
    let line = format!("sync_group = \"edge\"\nnotify = {{ fifo = \"{}\" }}", path.display());
    let mut b = two(&stage.b, [100, 100], &line);
    expect(&stage, [false, false], [true, true]);
    assert!(b.ask(&["fence", "r0", "--force"]).expect("it runs").status.success());
    expect(&stage, [false, false], [false, false]);
    assert!(b.ask(&["unfence", "r0"]).expect("it runs").status.success());
    expect(&stage, [false, false], [true, true]);
    b.process().stop().expect("it ends");
    let mut told = Vec::new();
    // Nothing is left to read where this says that it would block.
    let _ = (&fifo).read_to_end(&mut told);
    let told = String::from_utf8(told).expect("text");
    let groups: Vec<_> = told.lines().filter(|line| line.starts_with("GROUP")).collect();
    let wanted = ["BACKUP", "MASTER", "FENCED", "BACKUP", "MASTER", "STOP"];
    assert_eq!(groups, wanted.map(|state| format!("GROUP \"edge\" {state} 0")), "{told}");
    assert!(told.contains("INSTANCE \"r1\" MASTER 100\n"), "{told}");
}

/// Passwords that differ make each deaf to the other's right, and not to its being there.
#[test]
fn of_two_that_refuse_each_others_adverts_the_lower_one_is_fenced_and_the_other_holds() {
    let stage = Stage::new(Flavour::V2);
    let section = |peer: &Node, password: &str| {
        [format!("auth_pass = \"{password}\""), format!("[[peer]]\nname = \"peer\"\naddress = \"{}\"", peer.ipv4())]
    };
    let [secret, peer] = section(&stage.b, "one");
    let a = stage.speaker(&stage.a, 200, &[&secret, &peer]);
    let [secret, peer] = section(&stage.a, "two");
    let b = stage.speaker(&stage.b, 100, &[&secret, &peer]);
    b.expect("it is fenced", |router| router["state"] == "fenced");
    stage.expect_holders(true, false);
    a.expect("it holds", |router| router["state"] == "master");
    assert_eq!(b.metric("vrrp_fences_total", &["reason=\"split_brain\""]), 1.0);
    assert_eq!(a.metric("vrrp_fences_total", &[]), 0.0);
    // The kernel closes the lower one's gate on adverts that it refuses. It is opened again before it announces its addresses, and
    // nothing of that is wrong.
    let told = b.get("/api/v1/events").expect("it answers");
    assert!(!told.contains("closed gate") && !told.contains("buffer space"), "{told}");
    assert!(told.matches("that the election does not obey").count() <= 1, "{told}");
}
