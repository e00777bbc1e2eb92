//! The daemon's own life: configuration, restart, interfaces that come and go, an ordinary user.

use crate::lab::{Daemon, Flavour, Node, Pair, Watch, until, vipwarden};

fn configured(_: &Node, peer: &Node) -> String {
    format!(
        "[[peer]]\nname = \"{0}\"\naddress = \"{1}\"\n[[witness]]\nname = \"gateway\"\naddress = \"10.9.9.3\"\n\
         [[router]]\nname = \"web\"\ninterface = \"eth0\"\nvrid = 51\naddresses = [\"10.9.9.100/24\"]\nversion = 3\n\
         advert_interval = \"100ms\"\npeers = [\"{0}\"]\n",
        peer.name(),
        peer.ipv4()
    )
}

#[test]
fn a_configured_router_has_its_name_and_its_peers_names() {
    let mut pair = Pair::with_nodes(Flavour::V3, &["gw"], configured);
    let waiting = pair.a.watch.expect("it is known before any advert", |router| router["name"] == "web");
    assert_ne!(waiting["verdict"], "healthy", "without evidence nothing is healthy: {waiting:#}");
    pair.start();
    pair.expect_master_a();
    let router = pair.b.watch.expect("the speaker has its peer's name", |router| {
        router["speakers"].as_array().is_some_and(|all| all.iter().any(|s| s["peer"] == "a" && s["master"] == true))
    });
    assert_eq!((&router["name"], &router["role"]), (&"web".into(), &"member".into()), "{router:#}");
    until("the peer and the witness answer ping", || {
        let status = pair.b.watch.status().expect("it answers");
        status["peers"][0]["ping"] == true && pair.b.watch.metric("vrrp_witness_up", &["witness=\"gateway\""]) == 1.0
    });
}

#[test]
fn an_observer_without_configuration_learns_the_router_and_says_who_holds_it() {
    let mut pair = Pair::with_nodes(Flavour::V3, &["o"], |_, _| String::new());
    let observer = Watch(Daemon::start(pair.lab.node("o"), vipwarden(), "").expect("vipwarden starts"));
    pair.start();
    pair.expect_master_a();
    let router = observer.expect("it is healthy", |r| r["verdict"] == "healthy" && r["masters"][0] == "10.9.9.1");
    assert_eq!(router["role"], "observer", "{router:#}");
    assert_eq!(observer.metric("vrrp_speaker_master", &["source=\"10.9.9.1\""]), 1.0);
}

#[test]
fn a_restart_keeps_learned_routers() {
    let mut pair = Pair::settled(Flavour::V3);
    pair.b.stop();
    pair.a.stop();
    pair.expect_holders(false, false);
    let code = pair.b.watch.process().stop().expect("vipwarden stops");
    assert_eq!(code, Some(0), "{}", pair.b.watch.process().log());
    let again = Watch(Daemon::start(&pair.b.node, vipwarden(), "").expect("vipwarden starts again"));
    let router = again.expect("the router is remembered", |router| router["vip"] == "10.9.9.100");
    assert_ne!(router["verdict"], "healthy", "a memory is no evidence: {router:#}");
}

#[test]
fn a_stopped_daemon_ends_at_once_with_zero_and_a_second_one_may_follow() {
    let mut pair = Pair::idle(Flavour::V3);
    assert_eq!(pair.a.watch.process().stop().expect("vipwarden stops"), Some(0));
    let again = Daemon::start(&pair.a.node, vipwarden(), "");
    assert!(again.is_ok(), "{again:?}");
}

#[test]
fn an_interface_that_vanishes_and_comes_back_is_watched_again() {
    let mut pair = Pair::settled(Flavour::V3);
    let (switch, node) = (pair.b.node.switch().to_owned(), pair.b.node.clone());
    pair.b.stop();
    node.exec("ip link del eth0").expect("the interface goes");
    until("it is missed", || pair.b.watch.get("/-/ready").is_err());
    let cable = format!("ip link add eth0 type veth peer name b netns {switch}");
    node.exec(&cable).expect("the interface comes back");
    node.exec("ip addr add 10.9.9.2/24 dev eth0").expect("it has its address");
    node.exec("ip link set eth0 up").expect("it is up");
    let plug = std::process::Command::new("ip")
        .args(["-n", &switch, "link", "set", "dev", "b", "master", "br0", "up"])
        .status();
    assert!(plug.expect("ip runs").success());
    pair.b.watch.expect("the router is seen again", |r| r["verdict"] == "healthy" && r["masters"][0] == "10.9.9.1");
    pair.assert_never_split();
}

#[test]
fn a_renamed_interface_is_followed() {
    let mut pair = Pair::settled(Flavour::V3);
    let node = pair.b.node.clone();
    pair.b.stop();
    for line in ["ip link set eth0 down", "ip link set eth0 name wan0"] {
        node.exec(line).expect("the interface is renamed");
    }
    until("eth0 is missed", || pair.b.watch.get("/-/ready").is_err());
    for line in ["ip link set wan0 name eth0", "ip link set eth0 up"] {
        node.exec(line).expect("it gets its name back");
    }
    pair.b.watch.expect("the router is seen again", |r| r["verdict"] == "healthy" && r["masters"][0] == "10.9.9.1");
    pair.assert_never_split();
}

#[test]
fn an_ordinary_user_with_cap_net_raw_alone_can_watch() {
    let mut pair = Pair::settled(Flavour::V3);
    assert_eq!(pair.b.watch.process().stop().expect("vipwarden stops"), Some(0));
    let directory = pair.b.node.scratch().expect("a directory");
    // The program is copied to where that user may read it; by another process, for a child that a parallel test forks
    // meanwhile would keep our copy open for writing, and thus from being executed (ETXTBSY).
    let program = directory.join("vipwarden");
    let copy = format!("cp {} {}", vipwarden().display(), program.display());
    pair.b.node.exec(&copy).expect("the program is copied");
    pair.b.node.exec(&format!("chown -R nobody {}", directory.display())).expect("the files are that user's");
    let wrapper = [
        "setpriv",
        "--reuid=nobody",
        "--regid=nogroup",
        "--clear-groups",
        "--inh-caps=-all,+net_raw",
        "--ambient-caps=-all,+net_raw",
        "--bounding-set=-all,+net_raw",
        "--no-new-privs",
    ];
    let watch = Watch(Daemon::start_by(&pair.b.node, &wrapper, &program, "", &[]).expect("vipwarden starts"));
    watch.expect("it is healthy", |router| router["verdict"] == "healthy" && router["masters"][0] == "10.9.9.1");
    assert!(watch.get("/-/ready").is_ok(), "all sensors see: {:#}", watch.status().expect("it answers")["sensors"]);
    let fault = crate::lab::Firewall::block(&pair.b.node, crate::lab::Hook::Input);
    watch.expect_verdict("split_brain", &["firewall_drop"]);
    fault.heal();
}
