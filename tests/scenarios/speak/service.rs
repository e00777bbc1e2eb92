//! What the service manager is told.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::lab::{Daemon, Flavour, Stage, until, vipwarden};

/// Reads words until one of them satisfies `wanted`.
fn expect(manager: &UnixDatagram, what: &str, wanted: impl Fn(&str) -> bool) {
    let mut buffer = [0; 1024];
    until(what, || match manager.recv(&mut buffer) {
        Ok(length) => wanted(&String::from_utf8_lossy(&buffer[..length])),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
        Err(error) => panic!("{error}"),
    });
}

#[test]
fn the_service_manager_hears_that_it_is_ready_lives_reloads_and_ends_and_how_its_routers_are() {
    let stage = Stage::new(Flavour::V3);
    stage.rewrite(&stage.b, 100, &[]);
    let socket = stage.b.scratch().expect("a scratch directory").join("notify");
    let manager = UnixDatagram::bind(&socket).expect("a socket");
    manager.set_read_timeout(Some(Duration::from_secs(1))).expect("a socket");
    let named = format!("NOTIFY_SOCKET={}", socket.display());
    let sections = "[[router]]\nname = \"web\"\nmode = \"speak\"\ninterface = \"eth0\"\nvrid = 51\nversion = 3\n\
                    advert_interval = \"100ms\"\naddresses = [\"10.9.9.100/24\"]\n";
    let wrapper = ["env", &named, "WATCHDOG_USEC=3000000"];
    let mut daemon = Daemon::start_by(&stage.b, &wrapper, vipwarden(), sections, &[]).expect("vipwarden starts");
    expect(&manager, "it is ready", |words| words == "READY=1");
    expect(&manager, "it lives", |words| words == "WATCHDOG=1");
    expect(&manager, "its state is told", |words| words == "STATUS=web master healthy");
    daemon.process().signal(libc::SIGHUP).expect("it runs");
    expect(&manager, "it reloads", |words| words.starts_with("RELOADING=1\nMONOTONIC_USEC="));
    expect(&manager, "it is ready again", |words| words == "READY=1");
    daemon.process().stop().expect("it ends");
    expect(&manager, "it is ending", |words| words == "STOPPING=1");
}
