//! What must hold for any configuration, and for any bytes in place of one.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;
use vipwarden::config::{
    self, Check, Config, Fence, Notify, Peer, Probe, Router, Speak, TlsFiles, Track, Tracked, Witness,
};
use vipwarden::fence::Lifetime;
use vipwarden::vrrp::Garp;
use vipwarden::wire::{Auth, ChecksumForm, Family, Version};

use super::{Files, all, example};

fn names(prefix: &'static str, most: usize) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[^\\p{Cc}]{0,20}", 0..=most)
        .prop_map(move |v| v.into_iter().enumerate().map(|(i, s)| format!("{prefix}{i}{s}")).collect())
}

fn interval(v2: bool) -> impl Strategy<Value = Duration> {
    (1_u64..=4095).prop_map(move |n| if v2 { Duration::from_secs(n % 255 + 1) } else { Duration::from_millis(n * 10) })
}

fn duration() -> impl Strategy<Value = Duration> {
    (1_u64..100_000_000).prop_map(Duration::from_millis)
}

fn command() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[^\0]{0,12}", 0..3).prop_map(|mut words| {
        words.iter_mut().take(1).for_each(|program| program.insert(0, '/'));
        words
    })
}

prop_compose! {
    fn checks()(
        names in names("c", 3),
        ways in prop::collection::vec((0_u8..3, command(), "[a-z]{1,9}", 100_u16..600, 1_u16..), 3),
        numbers in prop::collection::vec((1_u32..=1_000, 1_u32..=1_000, 100_u64..1_000_000, duration()), 3),
    ) -> Vec<Check> {
        let check = |(name, ((way, arguments, word, status, port), (rise, fall, interval, timeout)))| Check {
            rise,
            fall,
            interval: Duration::from_millis(interval),
            timeout,
            ..Check::new(name, match way {
                0 => Probe::Command { command: [vec!["/x".to_owned()], arguments].concat(), user: word },
                1 => Probe::Http {
                    url: format!("http://{word}:{port}/{word}?{status}").parse().unwrap(),
                    expect_status: vec![status, 200],
                },
                _ => Probe::Tcp(([127, 0, 0, 1], port).into()),
            })
        };
        names.into_iter().zip(ways.into_iter().zip(numbers)).map(check).collect()
    }
}

prop_compose! {
    fn notify()(
        commands in prop::collection::vec(command(), 5),
        timeout in duration(),
        user in "[a-z]{1,32}",
        fifo in prop::option::of("/[^\0]{0,20}"),
    ) -> Notify {
        let [master, backup, fault, fenced, stop] = commands.try_into().unwrap();
        Notify { master, backup, fault, fenced, stop, timeout, user, fifo: fifo.map(Into::into) }
    }
}

prop_compose! {
    /// What goes with any router of version 3; its checks and its source are the caller's.
    fn speak()(
        priority in 1_u8..,
        flags in any::<[bool; 10]>(),
        delays in prop::collection::vec(duration(), 6),
        (repeat, informed_yield) in (0_u8..=100, 0_u32..=1_000),
        weights in prop::collection::vec(-253_i16..=253, 3),
        (process, file) in ("[a-z ]{1,15}", "/[^\0]{0,20}"),
        notify in notify(),
    ) -> Speak {
        let whats = [Tracked::Interface("eth9".into()), Tracked::Process(process), Tracked::File(file.into())];
        let track = whats.into_iter().zip(weights).map(|(what, weight)| Track { what, weight, reverse: weight % 2 != 0 }).collect();
        Speak {
            priority,
            preempt: flags[0] || priority == 255,
            preempt_delay: delays[0],
            startup_delay: delays[1],
            accept: flags[1],
            vmac: flags[2],
            vmac_xmit_base: flags[2] && flags[3],
            checksum: if flags[4] { ChecksumForm::MessageOnly } else { ChecksumForm::PseudoHeader },
            source: None,
            sync_group: flags[5].then(|| "edge".into()),
            exclusive_group: (!flags[5]).then(|| "pair".into()),
            garp: Garp { repeat, delay: delays[2], refresh: delays[3] },
            track,
            notify,
            fence: Fence {
                on_split_brain: flags[6],
                on_isolation: flags[7],
                isolation_time: delays[4],
                informed_yield,
                hold_down: delays[5],
                probe_before_promote: flags[8],
                promote_grace: flags[9].then_some(delays[5]),
                gate: flags[1],
                gate_timeout: flags[2].then_some(Duration::from_millis(300)),
                address_lifetime: if flags[3] { Lifetime::Off } else { Lifetime::For(Duration::from_secs(4)) },
            },
        }
    }
}

prop_compose! {
    fn routers()(
        names in names("r", 4),
        seeds in prop::collection::vec((any::<bool>(), any::<bool>(), any::<bool>(), 1_u8..=128, any::<[u8; 3]>()), 4),
        intervals in prop::collection::vec((interval(true), interval(false)), 4),
        speaks in prop::collection::vec(prop::option::of(speak()), 4),
    ) -> Vec<Router> {
        let router = |i: usize, name: &String| {
            let (v6, v2, given, prefix, [a, b, c]) = seeds[i];
            let v2 = v2 && !v6;
            let mut speak = speaks[i].clone().filter(|_| given);
            let address = |n: u8| -> IpAddr {
                let last = n + 10 * u8::try_from(i).unwrap();
                if v6 { [0x2001, a.into(), 0, b.into(), 0, 0, 0, last.into()].into() } else { [10, a, b, last].into() }
            };
            let prefix = if v6 { prefix } else { prefix % 33 };
            let mut addresses = vec![(address(1), prefix), (address(2), prefix)];
            if let Some(speak) = &mut speak {
                if v2 || v6 {
                    speak.checksum = ChecksumForm::PseudoHeader;
                }
                speak.source = speak.vmac.then(|| address(5));
                if v6 {
                    addresses.insert(0, ("fe80::1".parse().unwrap(), 64));
                }
            }
            Router {
                name: if given { name.clone() } else { format!("{}/{}", address(1), i + 1) },
                interface: format!("eth{c}.{i}"),
                vrid: u8::try_from(i + 1).unwrap(),
                family: Family::of(&address(1)),
                addresses,
                excluded_addresses: if given { vec![(address(3), prefix)] } else { Vec::new() },
                peers: None,
                version: given.then_some(if v2 { Version::V2 } else { Version::V3 }),
                advert_interval: given.then_some(if v2 { intervals[i].0 } else { intervals[i].1 }),
                auth: match &speak {
                    Some(speak) if !v2 || speak.accept => Some(Auth::None),
                    _ => (given && v2).then_some(Auth::Password(*b"********")),
                },
                unicast_peers: if given { vec![address(4)] } else { Vec::new() },
                only_known_speakers: given,
                speak,
            }
        };
        names.iter().enumerate().map(|(i, name)| router(i, name)).collect()
    }
}

prop_compose! {
    fn configs()(
        routers in routers(),
        checks in checks(),
        peers in names("p", 3),
        node in "[^\\p{Cc}]{1,40}",
        flags in any::<[bool; 3]>(),
        interval_ms in 10_u64..100_000_000,
        bounds in (1_u32..=10_000, 1_usize..=1_000_000, 2_usize..=1_000),
        ports in prop::collection::btree_set(any::<u16>(), 0..3),
    ) -> Config {
        let mut config = Config::discovery(&node);
        let speaking = routers.iter().any(|router| router.speak.is_some());
        config.watch.passive = flags[0] && !speaking;
        config.watch.discover = flags[1];
        config.watch.interfaces = flags[2].then(|| vec!["eth0".into(), "bond0.7".into()]);
        config.watch.probe_interval = Duration::from_millis(if flags[0] { 0 } else { interval_ms });
        config.watch.forget_after = Duration::from_millis(1_000 + interval_ms);
        (config.watch.probe_budget, config.watch.max_routers, config.watch.max_speakers) = bounds;
        config.web.listen = ports.iter().map(|port| ([127, 0, 0, 1], *port).into()).collect();
        let host = |net: u8, i: usize| IpAddr::from([10, 255, net, u8::try_from(i).unwrap()]);
        config.peers = peers
            .iter()
            .enumerate()
            .map(|(i, name)| Peer { name: name.clone(), address: host(0, i), vrrp_addresses: vec![host(1, i)], urls: vec!["http://10.0.0.6:10112/".parse().unwrap()], tls: TlsFiles::default() })
            .collect();
        config.witnesses =
            peers.iter().enumerate().map(|(i, name)| Witness { name: name.clone(), address: host(2, i) }).collect();
        config.routers = routers;
        for router in &mut config.routers {
            router.peers = flags[0].then(|| peers.clone());
            if let Some(speak) = &mut router.speak {
                speak.fence.on_isolation &= !peers.is_empty();
                let tracked = checks.iter().map(|check| Tracked::Check(check.name.clone()));
                speak.track.extend(tracked.map(|what| Track { what, weight: -1, reverse: false }));
            }
        }
        config.checks = checks;
        config
    }
}

/// Words of the format and bits of its grammar: text that gets further into the parser than noise does.
fn nearly_toml() -> impl Strategy<Value = String> {
    const PIECES: [&str; 47] = [
        "\n",
        "\n",
        "\n",
        " = ",
        " = ",
        "=",
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        ",",
        "\"",
        "'",
        "\"\"\"",
        "#",
        ".",
        "router",
        "[[router]]\n",
        "[[peer]]\n",
        "[watch]\n",
        "[web]\n",
        "[fence]\n",
        "name",
        "vrid",
        "addresses",
        "auth_pass",
        "advert_interval",
        "listen",
        "peers",
        "garp",
        "[[check]]\n",
        "mode = 'speak'\n",
        "track",
        "notify",
        "command",
        "51",
        "-1",
        "1e400",
        "true",
        "\"eth0\"",
        "\"10.0.0.3/24\"",
        "\"fe80::1\"",
        "\"1s\"",
        "ü\u{2028}\t",
        "99999999999999999999",
    ];
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40).prop_map(|pieces| pieces.concat())
}

/// The place of every diagnostic lies in its file: on one of its lines, at most one behind the end of that line.
fn assert_places(files: &Files, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let diagnostics = files.load().map_or_else(|errors| errors, |loaded| loaded.warnings);
    for d in &diagnostics {
        let line = text.split('\n').nth(d.line - 1).unwrap_or_else(|| panic!("no line {}: {d}", d.line));
        assert!((1..=line.chars().count() + 1).contains(&d.column), "no column {}: {d}", d.column);
        assert!(!d.message.is_empty() && d.snippet.lines().count() == 2, "{d}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_show_config_prints_loads_again_to_the_same(config in configs()) {
        let text = config.to_toml(&Config::discovery(&config::hostname()));
        let loaded = Files::new(&text).load();
        prop_assert!(loaded.is_ok(), "{}\n{text}", all(&loaded.unwrap_err()));
        prop_assert_eq!(loaded.unwrap().config, config);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        assert_places(&Files::new(&bytes), &bytes);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        assert_places(&Files::new(&text), text.as_bytes());
    }

    #[test]
    fn no_nearly_right_text_makes_it_panic(text in nearly_toml()) {
        assert_places(&Files::new(&text), text.as_bytes());
    }

    #[test]
    fn no_change_of_one_byte_in_a_sound_file_makes_it_panic(
        name in prop::sample::select(&["vipwarden.toml", "speak.toml"][..]),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = fs::read(example(name)).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        assert_places(&Files::new(&bytes), &bytes);
    }
}
