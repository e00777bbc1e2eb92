//! What must hold for any configuration, and for any bytes in place of one.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;
use vipwarden::config::{self, Config, Peer, Router, Witness};
use vipwarden::wire::{Auth, Family, Version};

use super::{Files, all, example};

fn names(prefix: &'static str, most: usize) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[^\\p{Cc}]{0,20}", 0..=most)
        .prop_map(move |v| v.into_iter().enumerate().map(|(i, s)| format!("{prefix}{i}{s}")).collect())
}

fn interval(v2: bool) -> impl Strategy<Value = Duration> {
    (1_u64..=4095).prop_map(move |n| if v2 { Duration::from_secs(n % 255 + 1) } else { Duration::from_millis(n * 10) })
}

prop_compose! {
    fn routers()(
        names in names("r", 4),
        seeds in prop::collection::vec((any::<bool>(), any::<bool>(), any::<bool>(), 1_u8..=128, any::<[u8; 3]>()), 4),
        intervals in prop::collection::vec((interval(true), interval(false)), 4),
    ) -> Vec<Router> {
        let router = |i: usize, name: &String| {
            let (v6, v2, given, prefix, [a, b, c]) = seeds[i];
            let v2 = v2 && !v6;
            let address = |last: u8| -> IpAddr {
                if v6 { [0x2001, a.into(), 0, b.into(), 0, 0, 0, last.into()].into() } else { [10, a, b, last].into() }
            };
            let prefix = if v6 { prefix } else { prefix % 33 };
            let addresses = vec![(address(1), prefix), (address(2), prefix)];
            Router {
                name: if given { name.clone() } else { format!("{}/{}", address(1), i + 1) },
                interface: format!("eth{c}"),
                vrid: u8::try_from(i + 1).unwrap(),
                family: Family::of(&address(1)),
                addresses,
                excluded_addresses: if given { vec![(address(3), prefix)] } else { Vec::new() },
                peers: None,
                version: given.then_some(if v2 { Version::V2 } else { Version::V3 }),
                advert_interval: given.then_some(if v2 { intervals[i].0 } else { intervals[i].1 }),
                auth: (given && v2).then_some(Auth::Password(*b"********")),
                unicast_peers: if given { vec![address(4)] } else { Vec::new() },
                only_known_speakers: given,
            }
        };
        names.iter().enumerate().map(|(i, name)| router(i, name)).collect()
    }
}

prop_compose! {
    fn configs()(
        routers in routers(),
        peers in names("p", 3),
        node in "[^\\p{Cc}]{1,40}",
        flags in any::<[bool; 3]>(),
        interval_ms in 10_u64..100_000_000,
        bounds in (1_u32..=10_000, 1_usize..=1_000_000, 2_usize..=1_000),
        ports in prop::collection::btree_set(any::<u16>(), 0..3),
    ) -> Config {
        let mut config = Config::discovery(&node);
        config.watch.passive = flags[0];
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
            .map(|(i, name)| Peer { name: name.clone(), address: host(0, i), vrrp_addresses: vec![host(1, i)] })
            .collect();
        config.witnesses =
            peers.iter().enumerate().map(|(i, name)| Witness { name: name.clone(), address: host(2, i) }).collect();
        config.routers = routers;
        for router in &mut config.routers {
            router.peers = flags[0].then(|| peers.clone());
        }
        config
    }
}

/// Words of the format and bits of its grammar: text that gets further into the parser than noise does.
fn nearly_toml() -> impl Strategy<Value = String> {
    const PIECES: [&str; 42] = [
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
    fn no_change_of_one_byte_in_a_sound_file_makes_it_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = fs::read(example("vipwarden.toml")).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        assert_places(&Files::new(&bytes), &bytes);
    }
}
