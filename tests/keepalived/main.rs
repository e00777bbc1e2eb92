//! keepalived.conf: what is read of the setups that are in use, and how their mistakes are named.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use vipwarden::config::keepalived::{self, Conf, Kind, Note, TrackKind};
use vipwarden::config::{self, Tracked};
use vipwarden::wire::{Auth, Family, Version};

fn fixture(name: &str) -> Conf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keepalived").join(name);
    keepalived::load(&path).unwrap_or_else(|why| panic!("{why}"))
}

fn parse(text: &str) -> Conf {
    keepalived::parse("k.conf", text, "lb01", &mut keepalived::Alone)
}

/// The mistakes, as line and words.
fn mistakes(conf: &Conf) -> Vec<(usize, &str)> {
    let mistakes = conf.notes.iter().filter(|note| note.kind == Kind::Mistake);
    mistakes.map(|Note { place, says, .. }| (place.line, says.as_str())).collect()
}

/// Asserts that exactly these lines are wrong, each with words that contain the given ones.
fn assert_mistakes(conf: &Conf, wanted: &[(usize, &str)]) {
    let found = mistakes(conf);
    let fits = found.len() == wanted.len()
        && found.iter().zip(wanted).all(|((line, says), (at, words))| line == at && says.contains(words));
    assert!(fits, "wanted {wanted:#?}\nfound {found:#?}");
}

fn values<T: Clone>(list: &[keepalived::At<T>]) -> Vec<T> {
    list.iter().map(|one| one.value.clone()).collect()
}

#[test]
fn a_plain_pair_is_read_with_the_lines_that_say_it() {
    let conf = fixture("setups/1-nginx.conf");
    assert_mistakes(&conf, &[]);
    let [instance] = conf.instances.as_slice() else { panic!("{:?}", conf.instances) };
    let vrid = instance.vrid.as_ref().expect("a VRID");
    assert_eq!((vrid.value, vrid.place.line), (51, 16));
    assert_eq!(instance.interface.as_ref().map(|i| i.value.as_str()), Some("eth0"));
    assert_eq!(instance.priority.as_ref().map(|p| p.value), Some(100));
    assert_eq!(conf.advert_interval(instance), Duration::from_secs(1));
    assert_eq!(conf.version(instance), Version::V2);
    assert!(conf.auth(instance) == Auth::Password(*b"1111\0\0\0\0"));
    let [address] = instance.addresses.as_slice() else { panic!("{:?}", instance.addresses) };
    assert_eq!((address.value.address.to_string(), address.value.prefix), ("192.168.1.100".into(), 24));
    let [track] = instance.track.as_slice() else { panic!("{:?}", instance.track) };
    assert_eq!((track.value.kind, track.value.name.as_str()), (TrackKind::Script, "check_nginx"));
    assert_eq!((conf.scripts[0].interval, conf.scripts[0].weight), (Duration::from_secs(2), -20));
    assert!(conf.instance("eth0", Family::V4, 51).is_some());
}

#[test]
fn blocks_on_one_line_braces_on_their_own_and_glued_comments_are_sound() {
    let conf = fixture("setups/4-preempt.conf");
    assert_mistakes(&conf, &[]);
    let instance = &conf.instances[0];
    assert_eq!(instance.priority.as_ref().map(|p| p.value), Some(100));
    assert_eq!((instance.addresses.len(), instance.addresses[0].value.prefix), (1, 32));
}

#[test]
fn ipv6_is_always_version_3_and_every_instance_of_a_group_is_known() {
    let conf = fixture("setups/7-vmac-ipv6.conf");
    assert_mistakes(&conf, &[]);
    let v6 = &conf.instances[1];
    assert_eq!((conf.version(v6), v6.family()), (Version::V3, Some(Family::V6)));
    assert_eq!(values(&conf.groups[0].members), ["V4", "V6"]);
    assert_eq!(conf.instances[0].excluded.len(), 1);
    assert!(conf.instances[0].vmac.is_some());
}

#[test]
fn missing_braces_are_put_where_they_belong_and_named() {
    let conf = fixture("sloppy/braces.conf");
    assert_mistakes(
        &conf,
        &[
            (2, "`global_defs {` is not closed before `vrrp_script` in line 4"),
            (3, "`router_ID` is no word of keepalived's, which ignores it: `router_id` is taken"),
            (13, "`//the` is glued to the value of `priority`"),
            (13, "`priority` has more than it takes, from `higher` on"),
            (15, "`authentication {` is not closed before `virtual_ipaddress` in line 18"),
            (21, "`track_script` has no `{`"),
        ],
    );
    let instance = &conf.instances[0];
    assert_eq!(conf.globals.router_id.as_ref().map(|id| id.value.as_str()), Some("nginx01"));
    assert_eq!((instance.addresses.len(), instance.track.len()), (1, 1));
    assert!(instance.auth.is_some());
    assert_eq!(instance.priority.as_ref().map(|p| p.value), Some(100));
}

#[test]
fn what_stands_outside_its_instance_is_taken_where_it_is_clear_whose_it_is() {
    let conf = fixture("sloppy/outside.conf");
    assert_mistakes(
        &conf,
        &[
            (2, "`router_id` is taken"),
            (10, "`nopreempt` has no effect"),
            (15, "`virtual_ipaddress` is taken"),
            (19, "it is taken for VI_1 (line 4)"),
            (
                20,
                "there is no vrrp_script `chk_web`, so keepalived ignores this: it is left out; did you mean `check_web`?",
            ),
            (27, "a `}` that closes nothing"),
        ],
    );
    assert_eq!(conf.instances[0].vrid.as_ref().map(|v| v.value), Some(51));
    assert_eq!(conf.instances[0].addresses.len(), 1);
}

#[test]
fn what_is_not_clear_is_left_out_and_named() {
    let conf = fixture("sloppy/unclear.conf");
    assert_mistakes(
        &conf,
        &[
            (11, "it is not clear to which it belongs"),
            (14, "VI_2 has no usable `virtual_router_id`"),
            (16, "`virtual_router_id 300` is no number from 1 to 255"),
            (17, "`auth_pass` stands outside of `authentication"),
            (19, "`192.168.1.300/24` under `virtual_ipaddress` is no IP address"),
            (22, "`virtual_server_x` is no word of keepalived's here"),
        ],
    );
    assert!(conf.instances.iter().all(|instance| instance.track.is_empty() && instance.auth.is_none()));
}

#[test]
fn a_script_that_is_defined_below_its_use_is_found_and_said() {
    let text = "vrrp_instance A {\n interface e\n virtual_router_id 1\n virtual_ipaddress {\n 10.0.0.1\n }\n \
                track_script {\n chk weight -5\n }\n}\nvrrp_script chk {\n script /bin/true\n}\n";
    let conf = parse(text);
    assert_mistakes(&conf, &[]);
    let note = conf.notes.iter().find(|note| note.place.line == 8).expect("a note on the use");
    assert!(note.says.contains("defined below its use, in line 11"), "{note}");
    assert_eq!(conf.instances[0].track[0].value.weight, Some(-5));
}

#[test]
fn no_password_is_ever_in_a_note_however_the_file_is_broken() {
    let lines = [
        "auth_pass hunter2",
        "auth_passhunter2",
        "auth_pas hunter2",
        "authpass=hunter2",
        "auth_type hunter2",
        "auth_pass \"hunter2",
        "auth_pass\nhunter2",
    ];
    let frames = [
        ("", ""),
        ("vrrp_instance A {\n", "}"),
        ("vrrp_instance A {\nauthentication {\n", "}\n}"),
        ("vrrp_instance A {\nauthentication\n", ""),
    ];
    for line in lines {
        for (before, after) in frames {
            let conf = parse(&format!("{before}{line}\n{after}"));
            let said: String = conf.notes.iter().map(|note| format!("{note}\n")).collect();
            assert!(!said.contains("hunter2"), "{before}{line}\n{said}");
            assert!(!format!("{conf:?}").contains("hunter2"), "{before}{line}\n{conf:?}");
        }
    }
}

#[test]
fn includes_follow_patterns_from_the_directory_of_their_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    };
    write("k.conf", "include conf.d/*.conf\ninclude missing.conf\n");
    write("conf.d/b.conf", "vrrp_instance B {\n virtual_router_id 2\n interface e\n}\ninclude more/c.conf\n");
    write("conf.d/more/c.conf", "vrrp_instance C {\n priority x\n}\n");
    let conf = keepalived::load(&directory.path().join("k.conf")).expect("it is read");
    assert_eq!(conf.instances.iter().map(|i| i.name.value.as_str()).collect::<Vec<_>>(), ["B", "C"]);
    let said: Vec<String> = conf.notes.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|said| said.contains("more/c.conf:2: mistake: `priority x`")), "{said:?}");
    assert!(said.iter().any(|said| said.contains("k.conf:2: mistake: `include`: there is no file missing.conf")));
}

/// What `import-keepalived` prints for a fixture, on stdout and on stderr, and its exit code.
fn import(name: &str, mode: &str) -> (String, String, Option<i32>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keepalived").join(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_vipwarden"));
    let output = command.arg("import-keepalived").arg(path).args(["--mode", mode]).output().expect("vipwarden runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

fn fixtures(directory: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keepalived").join(directory);
    let entries = std::fs::read_dir(path).expect("fixtures");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
    names.sort();
    names.iter().map(|name| format!("{directory}/{}", name.to_string_lossy())).collect()
}

/// The configuration that an import makes; it must load.
fn loaded(toml: &str) -> config::Config {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("vipwarden.toml");
    std::fs::write(&path, toml).expect("a file");
    match config::load(&path) {
        Ok(loaded) => loaded.config,
        Err(errors) => panic!("{}\n{toml}", errors.iter().map(|error| format!("{error}\n")).collect::<String>()),
    }
}

#[test]
fn every_setup_imports_to_what_check_config_accepts_and_nothing_is_lost() {
    for name in fixtures("setups") {
        for mode in ["watch", "speak"] {
            let (toml, said, code) = import(&name, mode);
            let routers = loaded(&toml).routers;
            assert_eq!(routers.len(), fixture(&name).instances.len(), "{name}");
            assert!(routers.iter().all(|router| router.speak.is_some() == (mode == "speak")), "{name}");
            assert_eq!(code, Some(0), "{name}: {said}");
        }
    }
}

#[test]
fn what_is_sloppy_imports_too_and_every_mistake_is_on_stderr_but_no_password() {
    for name in fixtures("sloppy") {
        for mode in ["watch", "speak"] {
            let (toml, said, code) = import(&name, mode);
            loaded(&toml);
            assert_eq!(code, Some(1), "{name}");
            assert!(!said.contains("hunter2"), "{name}: {said}");
            for (line, mistake) in mistakes(&fixture(&name)) {
                let there =
                    said.lines().any(|said| said.contains(&format!(":{line}: mistake:")) && said.contains(mistake));
                assert!(there, "{name}:{line}: {mistake}\n{said}");
            }
        }
    }
}

#[test]
fn a_speaker_is_told_all_that_keepalived_was_told() {
    let speak = |name: &str| loaded(&import(name, "speak").0);
    let nginx = speak("setups/1-nginx.conf");
    let told = nginx.routers[0].speak.as_ref().expect("it speaks");
    assert_eq!((told.priority, told.preempt, told.track[0].weight), (100, true, -20));
    assert_eq!(nginx.checks[0].interval, Duration::from_secs(2));
    assert_eq!(nginx.node.name, "lb01");

    let restart = speak("setups/2-restart-first.conf");
    let told = restart.routers[0].speak.as_ref().expect("it speaks");
    assert_eq!(told.source.map(|source| source.to_string()).as_deref(), Some("192.168.1.11"));
    assert!(restart.routers[0].auth == Some(Auth::Password(*b"123456\0\0")));
    assert_eq!(restart.checks[0].timeout, Duration::from_secs(9));

    let nopreempt = speak("setups/3-nopreempt.conf");
    let told = nopreempt.routers[0].speak.as_ref().expect("it speaks");
    assert_eq!((told.preempt, told.track[0].weight), (false, 0));
    assert_eq!(nopreempt.routers[0].addresses[0].1, 32);

    let standby = speak("setups/6-hot-standby.conf");
    let told = standby.routers[0].speak.as_ref().expect("it speaks");
    assert_eq!(standby.routers[0].advert_interval, Some(Duration::from_millis(30)));
    assert_eq!(told.notify.master, ["/usr/local/bin/promote.sh", "replica one"]);
    assert_eq!((told.preempt_delay, told.garp.refresh), (Duration::from_secs(30), Duration::from_secs(60)));
    assert_eq!(standby.peers[0].address.to_string(), "10.9.9.2");

    let edge = speak("setups/7-vmac-ipv6.conf");
    assert!(edge.routers.iter().all(|r| r.speak.as_ref().is_some_and(|s| s.vmac && s.sync_group.is_some())));
}

#[test]
fn what_keepalived_tracks_in_reverse_is_tracked_in_reverse() {
    let text = "vrrp_script maintenance {\n script /bin/true\n weight 10 reverse\n}\nvrrp_instance A {\n interface eth0\n \
                virtual_router_id 1\n priority 100\n virtual_ipaddress {\n 10.0.0.1\n }\n track_script {\n maintenance\n }\n \
                track_interface {\n eth1 weight -5 reverse\n }\n}\n";
    let (toml, notes) = keepalived::import(&parse(text), keepalived::Mode::Speak, "root");
    assert!(notes.iter().all(|note| note.kind != Kind::Lost), "{notes:#?}");
    let config = loaded(&toml.to_string());
    let tracked = &config.routers[0].speak.as_ref().expect("it speaks").track;
    let told: Vec<_> = tracked.iter().map(|track| (track.what.name(), track.weight, track.reverse)).collect();
    assert_eq!(told, [("maintenance".into(), 10, true), ("eth1".into(), -5, true)]);
}

#[test]
fn a_track_file_of_keepalived_is_a_number_with_its_weight() {
    let text = "track_file load {\n file \"/run/load\"\n weight -2\n}\ntrack_file adjust {\n file /run/adjust\n init_file 0\n}\n\
                vrrp_instance A {\n interface eth0\n virtual_router_id 1\n priority 100\n virtual_ipaddress {\n 10.0.0.1\n }\n \
                track_file {\n load\n adjust weight 3 reverse\n lost\n }\n}\n";
    let conf = parse(text);
    assert_mistakes(&conf, &[(19, "there is no track_file `lost`")]);
    let (toml, notes) = keepalived::import(&conf, keepalived::Mode::Speak, "root");
    let lost: Vec<_> = notes.iter().filter(|note| note.kind == Kind::Lost).map(|note| note.place.line).collect();
    assert_eq!(lost, [7], "init_file: {notes:#?}");
    let config = loaded(&toml.to_string());
    let tracked = &config.routers[0].speak.as_ref().expect("it speaks").track;
    let number = |path: &str, weight, reverse| config::Track { what: Tracked::Number(path.into()), weight, reverse };
    assert_eq!(*tracked, [number("/run/load", -2, false), number("/run/adjust", 3, true)]);
}

#[test]
fn what_has_no_counterpart_is_named_with_its_line_and_what_to_do() {
    let text = "global_defs {\n smtp_server 127.0.0.1\n}\nvirtual_server 10.0.0.1 80 {\n real_server 10.0.0.2 80 {\n }\n}\n\
                vrrp_instance A {\n interface eth0\n virtual_router_id 1\n mcast_dst_ip 224.0.0.99\n priority 255\n \
                virtual_ipaddress {\n 10.0.0.1 dev eth1\n }\n virtual_routes {\n 10.1.0.0/16 via 10.0.0.9\n }\n}\n";
    let (_, notes) = keepalived::import(&parse(text), keepalived::Mode::Speak, "root");
    let lost: Vec<_> =
        notes.iter().filter(|note| note.kind == Kind::Lost).map(|n| (n.place.line, n.says.as_str())).collect();
    let wanted = [
        (2, "Alertmanager"),
        (4, "balances no load"),
        (11, "224.0.0.99"),
        (12, "254 is taken"),
        (14, "`dev eth1`"),
        (16, "`notify` program"),
    ];
    assert_eq!(lost.len(), wanted.len(), "{lost:#?}");
    for ((line, says), (at, words)) in lost.iter().zip(wanted) {
        assert!(*line == at && says.contains(words), "wanted {at} {words}, found {line} {says}");
    }
}
