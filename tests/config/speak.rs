//! Routers that speak: which keys they have, and what is refused because somebody would go without an address.

use std::net::IpAddr;
use std::time::Duration;

use vipwarden::config::{self, Check, Config, Fence, Notify, Probe, Speak, Track, Tracked, Unreachable};
use vipwarden::fence::Lifetime;
use vipwarden::vrrp::{Garp, Settings};
use vipwarden::wire::{Auth, ChecksumForm, Family, Version};

use super::{Files, all, example, only_error, router};

/// A router of version 2 that speaks, and further keys; these begin on line 7.
fn speaker(keys: &str) -> String {
    router(&format!("mode = 'speak'\nversion = 2\n{keys}"))
}

fn speaker_v3(keys: &str) -> String {
    speaker(keys).replace("version = 2", "version = 3")
}

/// An IPv6 router that speaks; further keys begin on line 7.
fn speaker_v6(addresses: &str, keys: &str) -> String {
    let addresses = format!("addresses = [{addresses}]");
    speaker_v3(keys).replace("addresses = [\"192.168.1.100/24\"]", &addresses)
}

/// The second router of a file.
fn second(text: &str) -> String {
    text.replace("vrid = 51", "vrid = 52").replace("192.168.1.100", "192.168.1.101")
}

/// What a file that loads is warned of, as line and message.
fn warnings(main: &str) -> Vec<(usize, String)> {
    let loaded = Files::new(main).load().unwrap_or_else(|errors| panic!("{main}\n{}", all(&errors)));
    loaded.warnings.into_iter().map(|w| (w.line, w.message)).collect()
}

fn only_warning(main: &str) -> (usize, String) {
    let mut found = warnings(main);
    assert_eq!(found.len(), 1, "{main}\n{found:?}");
    found.remove(0)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_router_that_says_no_more_than_it_must_speaks_with_the_defaults() {
    let config = Files::new(speaker("")).config();
    let router = &config.routers[0];
    assert_eq!(router.speak, Some(Speak::default()));
    assert_eq!(router.advert_interval, Some(Duration::from_secs(1)));
    let expected = Settings {
        name: "192.168.1.100/51".into(),
        family: Family::V4,
        version: Version::V2,
        vrid: 51,
        priority: 100,
        advert_interval: Duration::from_secs(1),
        preempt: true,
        preempt_delay: Duration::ZERO,
        startup_delay: Duration::ZERO,
        addresses: vec![(address("192.168.1.100"), 24)],
        excluded_addresses: Vec::new(),
        auth: Auth::None,
        checksum: ChecksumForm::PseudoHeader,
        unicast_peers: Vec::new(),
        known_speakers: None,
        garp: Garp { repeat: 5, delay: Duration::from_secs(5), refresh: Duration::ZERO },
        probe_before_promote: true,
        promote_grace: None,
    };
    assert_eq!(router.speaker_settings(config.known_speakers(router)), Some(expected));
    assert_eq!(Files::new(super::router("")).config().routers[0].speaker_settings(None), None);
}

/// Of a router of version 3, and what they refer to.
const EVERY_KEY: &str = r#"
    name = "web"
    advert_interval = "10ms"
    priority = 150
    preempt = false
    startup_delay = "3s"
    accept = false
    vmac = true
    vmac_xmit_base = true
    checksum = "message"
    source = "10.0.0.5"
    unicast_peers = ["10.0.0.6"]
    excluded_addresses = ["192.168.1.102"]
    only_known_speakers = true
    sync_group = "edge"
    exclusive_group = "pair"
    garp = { repeat = 2, delay = "1s", refresh = "60s" }
    track = [{ check = "nginx", weight = -20 }, { interface = "eth1", reverse = true }, { process = "haproxy", weight = 253 },
             { file = "/run/drain", weight = -253 }, { number = "/run/adjust", weight = 1, reverse = true }]
    notify = { master = ["/bin/a", "b c"], timeout = "1s", user = "www-data", fifo = "/run/f" }
    [router.fence]
    on_isolation = true
    informed_yield = 3
    probe_before_promote = false
    promote_grace = "10s"
    gate = false
    gate_timeout = "400ms"
    address_lifetime = "5s"
    [fence]
    on_split_brain = false
    on_isolation = false
    isolation_time = "2s"
    hold_down = "0s"
    [[witness]]
    name = "gateway"
    address = "10.0.0.1"
    [[peer]]
    name = "lb02"
    address = "10.0.0.7"
    vrrp_addresses = ["fe80::7"]
    [[check]]
    name = "nginx"
    tcp = "127.0.0.1:80"
    "#;

#[test]
fn every_key_of_a_speaking_router_arrives() {
    let config = Files::new(speaker_v3(EVERY_KEY)).config();
    let router = &config.routers[0];
    let track = |what, weight| Track { what, weight, reverse: false };
    let expected = Speak {
        priority: 150,
        preempt: false,
        preempt_delay: Duration::ZERO,
        startup_delay: Duration::from_secs(3),
        accept: false,
        vmac: true,
        vmac_xmit_base: true,
        checksum: ChecksumForm::MessageOnly,
        source: Some(address("10.0.0.5")),
        sync_group: Some("edge".into()),
        exclusive_group: Some("pair".into()),
        garp: Garp { repeat: 2, delay: Duration::from_secs(1), refresh: Duration::from_secs(60) },
        track: vec![
            track(Tracked::Check("nginx".into()), -20),
            Track { reverse: true, ..track(Tracked::Interface("eth1".into()), 0) },
            track(Tracked::Process("haproxy".into()), 253),
            track(Tracked::File("/run/drain".into()), -253),
            Track { reverse: true, ..track(Tracked::Number("/run/adjust".into()), 1) },
        ],
        notify: Notify {
            master: vec!["/bin/a".into(), "b c".into()],
            timeout: Duration::from_secs(1),
            user: "www-data".into(),
            fifo: Some("/run/f".into()),
            ..Notify::default()
        },
        fence: Fence {
            on_split_brain: false,
            on_isolation: true,
            isolation_time: Duration::from_secs(2),
            informed_yield: 3,
            hold_down: Duration::ZERO,
            probe_before_promote: false,
            promote_grace: Some(Duration::from_secs(10)),
            gate: false,
            gate_timeout: Some(Duration::from_millis(400)),
            address_lifetime: Lifetime::For(Duration::from_secs(5)),
        },
    };
    assert_eq!(router.speak, Some(expected));
    let settings = router.speaker_settings(config.known_speakers(router)).unwrap();
    assert_eq!(settings.known_speakers, Some(vec![address("10.0.0.6"), address("10.0.0.7")]));
    assert_eq!((settings.priority, settings.advert_interval), (150, Duration::from_millis(10)));
    assert_eq!(settings.excluded_addresses, [(address("192.168.1.102"), 32)]);
}

#[test]
fn a_check_is_a_command_a_request_or_a_connection() {
    let config = Files::new(
        r#"
        [[check]]
        name = "nginx"
        command = ["/usr/bin/check", "--fast"]
        user = "www-data"
        interval = "5s"
        timeout = "4s"
        rise = 2
        fall = 3
        [[check]]
        name = "ready"
        http = "http://127.0.0.1:8080/ready"
        expect_status = [200, 204]
        [[check]]
        name = "db"
        tcp = "[::1]:5432"
        "#,
    )
    .config();
    let command = vec!["/usr/bin/check".into(), "--fast".into()];
    let nginx = Check {
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(4),
        rise: 2,
        fall: 3,
        ..Check::new("nginx".into(), Probe::Command { command, user: "www-data".into() })
    };
    let url = "http://127.0.0.1:8080/ready".parse().unwrap();
    let ready = Check::new("ready".into(), Probe::Http { url, expect_status: vec![200, 204] });
    let db = Check::new("db".into(), Probe::Tcp("[::1]:5432".parse().unwrap()));
    assert_eq!(config.checks, [nginx, ready, db]);
}

#[test]
fn a_check_that_could_not_be_run_is_refused() {
    for (keys, line, says) in [
        ("", 1, "has none of command, http, tcp"),
        ("comand = ['/a']", 3, "did you mean `command`?"),
        ("command = ['/a']\ntcp = '127.0.0.1:1'", 4, "`tcp` stands beside `command`"),
        ("script = '/a'", 3, "write `command`"),
        ("tcp = '127.0.0.1:1'\nweight = -20", 4, "write it into the [[router]]"),
        ("command = []", 3, "nothing to run"),
        ("command = ['sh', '-c']", 3, "beginning with /"),
        ("command = '/a'", 3, "expected a list, like"),
        ("command = ['/a']\nuser = 'a b'", 4, "can't be the name of a user"),
        ("command = ['/a']\nexpect_status = [200]", 4, "`expect_status` goes with `http`"),
        ("http = 'http://10.0.0.1'\nuser = 'x'", 4, "`user` goes with `command`"),
        ("http = 'https://10.0.0.1'", 3, "speaks no TLS"),
        ("http = 'http://a:b@10.0.0.1'", 3, "no password"),
        ("http = '/ready'", 3, "no http:// URL"),
        ("http = 'http:// '", 3, "no URL"),
        ("http = 'http://10.0.0.1'\nexpect_status = []", 4, "no status would be good"),
        ("http = 'http://10.0.0.1'\nexpect_status = [99]", 4, "from 100 to 599"),
        ("tcp = '127.0.0.1'", 3, "address with a port"),
        ("tcp = '127.0.0.1:0'", 3, "port 0"),
        ("tcp = '127.0.0.1:1'\ninterval = '1ms'", 4, "write \"100ms\" or more"),
        ("tcp = '127.0.0.1:1'\ntimeout = '0s'", 4, "write \"1ms\" or more"),
        ("tcp = '127.0.0.1:1'\nrise = 0", 4, "from 1 to 1000"),
    ] {
        let (at, _, message) = only_error(&format!("[[check]]\nname = 'nginx'\n{keys}"));
        assert!(at == line && message.contains(says), "{keys}: {at}: {message}");
    }
    let twice = "[[check]]\nname = 'nginx'\ntcp = '127.0.0.1:1'\n".repeat(2);
    assert!(only_error(&twice).2.contains("the name of this check is already given"));
}

#[test]
fn no_password_in_a_url_is_repeated() {
    let told = all(&Files::new("[[check]]\nname = 'a'\nhttp = 'http://me:hunter2@10.0.0.1/'").errors());
    assert!(told.contains("http://********@10.0.0.1") && !told.contains("hunter2"), "{told}");
}

#[test]
fn what_is_tracked_is_one_thing_that_exists() {
    let check = "[[check]]\nname = 'nginx'\ntcp = '127.0.0.1:1'\n";
    for (track, says) in [
        ("{ check = 'ngnix' }", "no [[check]] of the name \"ngnix\": did you mean \"nginx\"?"),
        ("{ weight = 1 }", "has none of check, interface, process, file, number"),
        ("{ chek = 'nginx' }", "did you mean `check`?"),
        ("{ check = 'nginx', file = '/a' }", "`file` stands beside `check`"),
        ("{ check = 'nginx' }, { check = 'nginx', weight = 1 }", "already given"),
        ("{ check = 'nginx', weight = 254 }", "from -253 to 253"),
        ("{ check = 'nginx', weight = -254 }", "from -253 to 253"),
        ("{ interface = 'a b' }", "can't be the name of an interface"),
        ("{ process = '/usr/bin/x' }", "ps -o comm"),
        ("{ process = 'sixteen-letters-' }", "15 bytes"),
        ("{ file = 'drain' }", "begin it with /"),
        ("{ number = 'adjust' }", "begin it with /"),
        ("{ number = '/run/a' }, { number = '/run/a', weight = 2 }", "already given"),
        ("{ number = '/run/a', file = '/run/a' }", "beside"),
    ] {
        let (line, _, message) = only_error(&(speaker(&format!("track = [{track}]")) + check));
        assert!(line == 7 && message.contains(says), "{track}: {line}: {message}");
    }
}

#[test]
fn a_check_that_nobody_tracks_is_warned_of() {
    let check = "[[check]]\nname = 'nginx'\ntcp = '127.0.0.1:1'\n";
    let (line, message) = only_warning(&(check.to_owned() + &speaker("")));
    assert!(line == 2 && message.contains("no [[router]]"), "{line}: {message}");
    assert!(warnings(&(check.to_owned() + &speaker("track = [{ check = 'nginx' }]"))).is_empty());
    assert_eq!(warnings(&(check.to_owned() + &router("track = [{ check = 'nginx' }]"))).len(), 2);
}

#[test]
fn to_speak_a_router_needs_a_version() {
    let (line, _, message) = only_error(&router("mode = 'speak'"));
    assert!(line == 5 && message.contains("add version = 2"), "{line}: {message}");
    assert!(only_error(&router("mode = 'speak'\nversion = 4")).2.contains("from 2 to 3"));
}

#[test]
fn a_message_that_the_version_can_not_carry_is_refused() {
    for (main, says) in [
        (speaker("advert_interval = '500ms'"), "whole seconds"),
        (speaker("auth_pass = 'nine-byte'"), "9 bytes"),
        (speaker_v3("auth_pass = '1111'"), "RFC 5798 §9 removed it"),
        (speaker_v3("advert_interval = '15ms'"), "hundredths"),
        (speaker_v3("advert_interval = '41s'"), "hundredths"),
        (speaker_v6("'fe80::1'", "").replace("version = 3", "version = 2"), "no IPv6"),
    ] {
        let (_, _, message) = only_error(&main);
        assert!(message.contains(says), "{main}: {message}");
    }
}

#[test]
fn rfc_9568_5_2_9_the_first_ipv6_address_that_is_advertised_is_link_local() {
    assert!(warnings(&speaker_v6("'fe80::33', '2001:db8::1/64'", "")).is_empty());
    let (line, _, message) = only_error(&speaker_v6("'2001:db8::1/64'", ""));
    assert!(line == 4 && message.contains("§5.2.9") && message.contains("\"fe80::33\""), "{message}");
    let (_, _, message) = only_error(&speaker_v6("'2001:db8::1/64', 'fe80::7'", ""));
    assert!(message.contains("move fe80::7 to the front"), "{message}");
}

#[test]
fn rfc_9568_5_1_2_1_the_source_of_ipv6_adverts_to_the_group_is_link_local() {
    let source = "source = '2001:db8::5'";
    assert!(only_error(&speaker_v6("'fe80::33'", source)).2.contains("§5.1.2.1"));
    assert!(warnings(&speaker_v6("'fe80::33'", "source = 'fe80::5'")).is_empty());
    assert!(warnings(&speaker_v6("'fe80::33'", &format!("{source}\nunicast_peers = ['2001:db8::6']"))).is_empty());
}

#[test]
fn rfc_9568_6_1_the_owner_of_the_addresses_always_takes_over() {
    let (line, _, message) = only_error(&speaker("priority = 255\npreempt = false"));
    assert!(line == 8 && message.contains("§6.1"), "{line}: {message}");
    assert!(warnings(&speaker("priority = 255\nsource = '192.168.1.100'")).is_empty());
}

#[test]
fn who_would_speak_to_itself_to_nobody_or_from_nowhere_is_refused() {
    for (keys, says) in [
        ("source = '192.168.1.100'", "a backup hasn't got it"),
        ("excluded_addresses = ['10.0.0.9']\nunicast_peers = ['10.0.0.9']", "this router's own"),
        ("source = '10.0.0.5'\nunicast_peers = ['10.0.0.5']", "this router's own"),
        ("unicast_peers = ['fe80::1']", "second [[router]]"),
        ("only_known_speakers = true", "nobody is known over ipv4"),
        ("[watch]\npassive = true", "nothing is ever sent"),
        ("vmac_xmit_base = true", "add vmac = true"),
    ] {
        let (_, _, message) = only_error(&speaker(keys));
        assert!(message.contains(says), "{keys}: {message}");
    }
    let peer = "only_known_speakers = true\n[[peer]]\nname = 'lb02'\naddress = '10.0.0.6'";
    assert!(warnings(&speaker(peer)).is_empty());
    assert!(only_error(&speaker_v6("'fe80::33'", peer)).2.contains("nobody is known over ipv6"));
}

#[test]
fn a_key_that_changes_nothing_is_warned_of() {
    for (main, line, says) in [
        (speaker("preempt = false\npreempt_delay = '5s'"), 8, "`preempt_delay` has no effect"),
        (speaker("checksum = 'message'"), 7, "`checksum` has no effect"),
        (speaker_v6("'fe80::33'", "checksum = 'message'"), 7, "`checksum` has no effect"),
        (speaker("sync_group = 'edge'"), 7, "no other router has sync_group \"edge\""),
        (speaker("exclusive_group = 'edge'"), 7, "no other router has exclusive_group \"edge\""),
        (router("accept = true"), 5, "only watches"),
        (router("[fence]\non_split_brain = true"), 5, "no [[router]] has mode = \"speak\""),
    ] {
        let (at, message) = only_warning(&main);
        assert!(at == line && message.contains(says), "{main}: {at}: {message}");
    }
    assert!(warnings(&speaker_v3("checksum = 'message'")).is_empty());
}

#[test]
fn every_speaking_key_of_a_router_that_watches_is_warned_of() {
    let keys = r#"
        source = "10.0.0.5"
        priority = 255
        preempt = false
        preempt_delay = "1s"
        startup_delay = "1s"
        accept = true
        vmac = false
        vmac_xmit_base = true
        checksum = "message"
        sync_group = "a"
        exclusive_group = "b"
        garp = { repeat = 5, delay = "5s", refresh = "0s" }
        track = [{ interface = "eth1" }, { process = "x" }, { file = "/y" }, { number = "/z" }]
        notify = { master = ["/a"], timeout = "1s", user = "nobody", fifo = "/f" }
        [router.fence]
        gate_timeout = "auto"
        "#;
    let found = warnings(&router(keys));
    assert_eq!(found.len(), 15, "{found:?}");
    assert!(found.iter().all(|(_, message)| message.contains("only watches")), "{found:?}");
}

#[test]
fn an_arbiter_is_taken_with_its_defaults() {
    let endpoints = "[arbiter]\netcd = ['https://10.0.0.9:2379', 'https://etcd2:2379/']";
    let arbiter = Files::new(speaker(endpoints)).config().arbiter.expect("there is one");
    assert_eq!(
        arbiter.etcd.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["https://10.0.0.9:2379/", "https://etcd2:2379/"]
    );
    assert_eq!(
        (arbiter.key_prefix.as_str(), arbiter.wait.as_secs(), arbiter.unreachable),
        ("/vipwarden/", 3, Unreachable::Drop)
    );
    assert!(arbiter.login.is_none());
}

#[test]
fn what_an_arbiter_can_t_be_asked_with_is_an_error_with_its_place() {
    for (keys, words) in [
        ("", "names no endpoint"),
        ("etcd = []", "names no endpoint"),
        ("etcd = ['10.0.0.9:2379']", "scheme, host and port"),
        ("etcd = ['http://me:hunter2@10.0.0.9:2379']", "no password may stand in it"),
        ("etcd = ['http://a:1', 'http://a:1']", "already given"),
        ("etcd = ['http://a:1']\nwait = '1s'", "2s"),
        ("etcd = ['http://a:1']\nwait = '1h'", "600s or less"),
        ("etcd = ['http://a:1']\nkey_prefix = ''", "prefix"),
        ("etcd = ['https://a:1']\ncert_file = 'x'", "add `key_file`"),
        ("etcd = ['http://a:1']\nuser = 'x'", "add `password_file`"),
        ("etcd = ['http://a:1']\npassword_file = 'x'", "add `user`"),
        ("etcd = ['https://a:1']\nuser = 'x'\npassword_file = 'missing'", "no such file"),
    ] {
        let (_, _, message) = only_error(&speaker(&format!("[arbiter]\n{keys}")));
        assert!(message.contains(words) && !message.contains("hunter2"), "{keys}: {message}");
    }
    let idle = warnings(&router("[arbiter]\netcd = ['http://a:1']"));
    assert!(idle.len() == 1 && idle[0].1.contains("no effect"), "{idle:?}");
}

/// Without the gate nothing would end the lease.
#[test]
fn an_owner_under_an_arbiter_needs_the_gate_for_its_addresses_are_never_removed() {
    let arbiter = "[arbiter]\netcd = ['https://a:1']";
    for fence in ["[router.fence]\ngate = false", "[fence]\ngate = false"] {
        let (line, column, message) = only_error(&speaker(&format!("priority = 255\n{fence}\n{arbiter}")));
        assert!((line, column) == (7, 12) && message.contains("never removed"), "{line}:{column}: {message}");
        assert!(warnings(&speaker(&format!("priority = 254\n{fence}\n{arbiter}"))).is_empty());
        assert!(warnings(&speaker(&format!("priority = 255\n{fence}"))).is_empty());
    }
    assert!(warnings(&speaker(&format!("priority = 255\n{arbiter}"))).is_empty());
}

#[test]
fn who_is_to_hold_by_its_peers_promises_has_peers_that_can_be_asked_and_a_key_to_believe_them() {
    let arbiter = "[arbiter]\netcd = ['http://a:1']\nunreachable = 'hold-if-unanimous'\n";
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("cluster.key");
    std::fs::write(&key, "0123456789abcdef0123456789abcdef").unwrap();
    let cluster = format!("[cluster]\nkey_file = {:?}\n", key.display().to_string());
    let peer = |more: &str| format!("[[peer]]\nname = 'lb02'\naddress = '10.0.0.6'\n{more}");
    let urls = peer("urls = ['http://10.0.0.6:10112']\n");
    for (sections, words) in [
        (cluster.clone(), "no peer that could promise"),
        (format!("{cluster}{}", peer("")), "lb02 can't be asked for its promise: add `urls`"),
        (urls.clone(), "add [cluster] with `key_file`"),
    ] {
        let (_, _, message) = only_error(&format!("{}{arbiter}", speaker(&sections)));
        assert!(message.contains(words), "{message}");
    }
    let whole = format!("{}{arbiter}", speaker(&format!("{cluster}{urls}")));
    let loaded = Files::new(&whole).load().unwrap_or_else(|errors| panic!("{}", all(&errors)));
    assert_eq!(loaded.config.arbiter.unwrap().unreachable, Unreachable::HoldIfUnanimous);
}

#[test]
fn an_arbiter_s_password_is_read_from_its_file_and_in_no_output() {
    let keys = "[arbiter]\netcd = ['https://a:1']\nuser = 'warden'\npassword_file = 'password'\nca_file = 'ca.pem'";
    let files = Files::new(speaker(keys)).with("password", "hunter2\n");
    let config = files.config();
    let login = config.arbiter.as_ref().and_then(|arbiter| arbiter.login.as_ref()).expect("a login");
    assert_eq!((login.user.as_str(), login.password.as_str()), ("warden", "hunter2"));
    let shown = config.to_toml(&Config::discovery("lb01"));
    assert!(shown.contains("[arbiter]") && shown.contains("unreachable = \"drop\""), "{shown}");
    assert!(!shown.contains("hunter2") && !format!("{config:?}").contains("hunter2"), "{shown}");
    assert_eq!(Files::new(shown).config().arbiter, config.arbiter, "it loads again");
}

#[test]
fn isolation_needs_a_witness_or_a_peer_s_death_would_drop_the_vip_for_ever() {
    for keys in ["[fence]\non_isolation = true", "[router.fence]\non_isolation = true"] {
        let (line, _, message) = only_error(&speaker(keys));
        assert!(line == 8 && message.contains("without a [[witness]]"), "{line}: {message}");
        let witness = "\n[[witness]]\nname = 'gateway'\naddress = '10.0.0.1'";
        assert!(warnings(&speaker(&format!("{keys}{witness}"))).is_empty());
    }
}

#[test]
fn groups_are_for_routers_that_can_keep_to_them() {
    let pair = |one: &str, other: &str| speaker(one) + &second(&speaker(other));
    assert!(warnings(&pair("sync_group = 'edge'", "sync_group = 'edge'")).is_empty());
    let found = warnings(&pair("sync_group = 'edge'", "sync_group = 'egde'"));
    assert!(found.len() == 2 && found[1].1.contains("did you mean \"edge\"?"), "{found:?}");
    let both = "sync_group = 'a'\nexclusive_group = 'b'";
    assert!(only_error(&pair(both, both)).2.contains("can't avoid each other"));
}

#[test]
fn two_routers_that_speak_hold_no_address_together() {
    let again = speaker("").replace("vrid = 51", "vrid = 52");
    let (line, _, message) = only_error(&(speaker("") + &again));
    assert!(
        line == 11 && message.contains("192.168.1.100 of another router that speaks is already given at "),
        "{message}"
    );
    let watched = router("").replace("vrid = 51", "vrid = 52");
    assert!(warnings(&(speaker("") + &watched)).is_empty());
    let link_local = speaker_v6("'fe80::33'", "");
    let elsewhere = link_local.replace("eth0", "eth1");
    assert!(warnings(&(link_local.clone() + &elsewhere.replace("51", "52"))).is_empty());
    assert!(
        only_error(&(link_local.clone() + &link_local.replace("vrid = 51", "vrid = 52"))).2.contains("already given")
    );
}

#[test]
fn what_is_run_and_told_has_a_place_of_its_own() {
    for (notify, says) in [
        ("master = ['notify.sh']", "beginning with /"),
        ("fifo = 'f'", "begin it with /"),
        ("timeout = '0s'", "or more"),
        ("user = ''", "can't be the name of a user"),
        ("mastr = []", "did you mean `master`?"),
    ] {
        let (line, _, message) = only_error(&speaker(&format!("notify = {{ {notify} }}")));
        assert!(line == 7 && message.contains(says), "{notify}: {message}");
    }
}

#[test]
fn the_drop_in_is_the_pair_of_nginx_nodes_that_it_replaces() {
    let config = config::load(&example("speak.toml")).unwrap_or_else(|errors| panic!("{}", all(&errors))).config;
    let settings = config.routers[0].speaker_settings(None).unwrap();
    assert_eq!((settings.version, settings.vrid, settings.priority), (Version::V2, 51, 100));
    assert_eq!((settings.auth, settings.advert_interval), (Auth::Password(*b"1111\0\0\0\0"), Duration::from_secs(1)));
    let tracked = Tracked::Check(config.checks[0].name.clone());
    assert_eq!(config.routers[0].speak.as_ref().unwrap().track, [Track { what: tracked, weight: -20, reverse: false }]);
    assert_eq!(config.checks[0].interval, Duration::from_secs(2));
}

#[test]
fn show_config_marks_the_defaults_of_a_speaker_too() {
    let config = Files::new(speaker("priority = 90\nauth_pass = 'hunter2'\ngarp = { repeat = 3 }")).config();
    let text = config.to_toml(&config);
    for line in [
        "mode = \"speak\"",
        "advert_interval = \"1s\"  # default",
        "priority = 90",
        "preempt = true  # default",
        "repeat = 3",
        "delay = \"5s\"  # default",
        "on_split_brain = true  # default",
        "auth_pass = \"********\"",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}: {text}");
    }
    assert!(!text.contains("checksum"), "{text}");
    let config = Files::new(speaker_v3("")).config();
    assert!(config.to_toml(&config).contains("checksum = \"pseudo-header\"  # default\n"));
}
