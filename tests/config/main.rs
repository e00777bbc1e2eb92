//! The configuration: what loads, what is refused, and how that is said.

mod property;
mod speak;

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use vipwarden::config::{self, Config, Diagnostic, Loaded, Peer, Router, TlsFiles, Witness};
use vipwarden::wire::{Auth, Family, Version};

/// A directory with `main.toml` and whatever lies beside it.
struct Files(tempfile::TempDir);

impl Files {
    fn new(main: impl AsRef<[u8]>) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.with("main.toml", main)
    }

    fn with(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self) -> Result<Loaded, Vec<Diagnostic>> {
        config::load(&self.path("main.toml"))
    }

    fn errors(&self) -> Vec<Diagnostic> {
        self.load().expect_err("this should not load")
    }

    fn config(&self) -> Config {
        self.load().unwrap_or_else(|errors| panic!("{}", all(&errors))).config
    }
}

fn all(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|d| format!("{d}\n")).collect()
}

/// The one error of a file, as line, column and message.
fn only_error(main: &str) -> (usize, usize, String) {
    let errors = Files::new(main).errors();
    assert_eq!(errors.len(), 1, "{main}\n{}", all(&errors));
    (errors[0].line, errors[0].column, errors[0].message.clone())
}

fn router(keys: &str) -> String {
    format!("[[router]]\ninterface = \"eth0\"\nvrid = 51\naddresses = [\"192.168.1.100/24\"]\n{keys}\n")
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)
}

fn vipwarden(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vipwarden")).args(arguments).output().unwrap()
}

#[test]
fn the_examples_load_without_a_word() {
    for (name, routers) in
        [("vipwarden.toml", 1), ("minimal.toml", 1), ("speak.toml", 1), ("exclusive.toml", 2), ("arbiter.toml", 1)]
    {
        let loaded = config::load(&example(name)).unwrap_or_else(|errors| panic!("{}", all(&errors)));
        assert!(loaded.warnings.is_empty(), "{}", all(&loaded.warnings));
        assert_eq!(loaded.config.routers.len(), routers, "{name}");
    }
}

#[test]
fn what_the_example_leaves_out_or_comments_out_is_known_too() {
    let text = fs::read_to_string(example("vipwarden.toml")).unwrap();
    let uncommented: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if (rest.contains(" = ") || rest.starts_with("[cluster]")) && !rest.starts_with(' ') => {
                format!("{rest}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let key = "6f2d1c3b4a5968778695a4b3c2d1e0f0";
    let files = Files::new(uncommented).with("auth", "1111\n").with("cluster.key", key).with("web.yml", "");
    for secret in ["auth", "cluster.key"] {
        fs::set_permissions(files.path(secret), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let loaded = files.load().unwrap_or_else(|errors| panic!("{}", all(&errors)));
    assert!(loaded.warnings.is_empty(), "{}", all(&loaded.warnings));
    assert_eq!(loaded.config.routers[0].auth, Some(Auth::Password(*b"1111\0\0\0\0")));
}

#[test]
fn an_empty_file_is_discovery_under_the_host_s_own_name() {
    let config = Files::new("").config();
    assert_eq!(config, Config::discovery(&config::hostname()));
    assert_eq!(config.node.name, fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim());
}

#[test]
fn every_key_of_a_watching_router_arrives() {
    let files = Files::new(
        r#"
        [node]
        name = "lb01"
        state_dir = "/run/x"
        [web]
        listen = ["127.0.0.1:0", "[::1]:9"]
        [watch]
        interfaces = ["eth0", "eth1"]
        passive = true
        discover = false
        probe_interval = "0s"
        probe_budget = 3
        max_routers = 4
        max_speakers = 5
        forget_after = "6m"
        [[peer]]
        name = "lb02"
        address = "10.0.0.6"
        vrrp_addresses = ["fe80::6"]
        [[witness]]
        name = "gateway"
        address = "10.0.0.1"
        [[router]]
        interface = "eth0"
        vrid = 51
        addresses = ["192.168.1.101", "192.168.1.100/24"]
        excluded_addresses = ["192.168.1.102/30"]
        mode = "watch"
        peers = ["lb02"]
        version = 2
        advert_interval = "3s"
        auth_pass = "secret"
        unicast_peers = ["10.0.0.6"]
        only_known_speakers = true
        "#,
    );
    let config = files.config();
    assert_eq!((config.node.name.as_str(), config.node.state_dir.to_str()), ("lb01", Some("/run/x")));
    assert_eq!(config.web.listen, ["127.0.0.1:0".parse().unwrap(), "[::1]:9".parse().unwrap()]);
    assert_eq!(config.watch.interfaces, Some(vec!["eth0".to_owned(), "eth1".to_owned()]));
    assert!(config.watch.passive && !config.watch.discover && config.watch.probe_interval.is_zero());
    assert_eq!((config.watch.probe_budget, config.watch.max_routers, config.watch.max_speakers), (3, 4, 5));
    assert_eq!(config.watch.forget_after, Duration::from_secs(360));
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let (peer, at) = (address("10.0.0.6"), vec![address("fe80::6")]);
    let (urls, tls) = (Vec::new(), TlsFiles::default());
    assert_eq!(config.peers, [Peer { name: "lb02".into(), address: peer, vrrp_addresses: at, urls, tls }]);
    assert_eq!(config.witnesses, [Witness { name: "gateway".into(), address: address("10.0.0.1") }]);
    let expected = Router {
        name: "192.168.1.100/51".into(),
        interface: "eth0".into(),
        vrid: 51,
        family: Family::V4,
        addresses: vec![(address("192.168.1.101"), 32), (address("192.168.1.100"), 24)],
        excluded_addresses: vec![(address("192.168.1.102"), 30)],
        peers: Some(vec!["lb02".into()]),
        version: Some(Version::V2),
        advert_interval: Some(Duration::from_secs(3)),
        auth: Some(Auth::Password(*b"secret\0\0")),
        unicast_peers: vec![peer],
        only_known_speakers: true,
        speak: None,
    };
    assert_eq!(config.routers, [expected]);
}

#[test]
fn an_ipv6_router_is_named_after_its_lowest_address_that_is_not_link_local() {
    let name = |addresses: &str| {
        let main = format!("[[router]]\ninterface = \"eth0\"\nvrid = 7\naddresses = [{addresses}]");
        let router = Files::new(main).config().routers.remove(0);
        (router.name, router.addresses.last().unwrap().1)
    };
    assert_eq!(name(r#""fe80::1", "2001:db8::2/64", "2001:db8::1""#), ("2001:db8::1/7".into(), 128));
    assert_eq!(name(r#""fe80::1/64""#), ("fe80::1/7".into(), 64));
}

#[test]
fn a_wrong_key_is_named_with_the_right_one() {
    for (main, line, column, says) in [
        ("[watch]\nprobe_budgett = 1", 2, 1, "unknown key `probe_budgett` in [watch]: did you mean `probe_budget`?"),
        ("[rooter]", 1, 2, "unknown key `rooter` at the top of the file: did you mean `router`?"),
        (&router("colour = 1"), 5, 1, "unknown key `colour` in [[router]]: it knows name, interface, vrid"),
        (&router("garp = { dellay = \"1s\" }"), 5, 10, "unknown key `dellay` in [router.garp]: did you mean `delay`?"),
        (&router("advert_int = 1"), 5, 1, "`advert_int` is keepalived's word: write `advert_interval`"),
        (&router("nopreempt = true"), 5, 1, "write `preempt = false`"),
        (&router("state = 'MASTER'"), 5, 1, "leave it out: the priority decides"),
        ("[vrrp_script]", 1, 2, "write a [[check]]"),
        ("[router]", 1, 1, "write [[router]], with two brackets"),
        ("[[watch]]", 1, 1, "write [watch], with one bracket"),
        ("node = 3", 1, 8, "write [node]"),
    ] {
        let (at_line, at_column, message) = only_error(main);
        assert_eq!((at_line, at_column), (line, column), "{main}: {message}");
        assert!(message.contains(says), "{main}: {message}");
    }
}

#[test]
fn a_key_under_another_name_is_not_also_missing() {
    let main = "[[router]]\ninterfase = 'eth0'\nvirtual_router_id = 51\nvirtual_ipaddress = ['10.0.0.3']";
    let errors = Files::new(main).errors();
    assert_eq!(errors.len(), 3, "{}", all(&errors));
    let errors = Files::new("[[router]]\ninterface = 1\nvrid = 0\naddresses = ['10.0.0.3/33']").errors();
    assert_eq!(errors.len(), 3, "{}", all(&errors));
}

#[test]
fn a_value_out_of_its_range_is_refused_where_it_stands() {
    for (main, says) in [
        (router("priority = 0"), "from 1 to 255"),
        (router("priority = 256"), "from 1 to 255"),
        (router("version = 4"), "from 2 to 3"),
        (router("mode = 'wach'"), "expected `watch` or `speak`"),
        (router("name = ''"), "1 to 128 characters"),
        (router("source = '0.0.0.0'"), "not the address of one host"),
        (router("unicast_peers = ['224.0.0.18']"), "not the address of one host"),
        (router("unicast_peers = ['lb02']"), "no host name"),
        (router("excluded_addresses = ['::ffff:10.0.0.9']"), "write 10.0.0.9"),
        (router("excluded_addresses = ['10.0.0.9/33']"), "write 0 to 32"),
        (router("auth_pass = 1111"), "put it in quotes"),
        (router("auth_pass = ''"), "empty"),
        (router("auth_pass = 'nine-byte'"), "9 bytes"),
        (router("peers = []\npeers = []"), "this is not TOML: duplicate key"),
        ("[watch]\nprobe_budget = 0".into(), "from 1 to 10000"),
        ("[watch]\nmax_speakers = 1".into(), "from 2 to 1000"),
        ("[watch]\nprobe_interval = 1".into(), "expected a duration in quotes"),
        ("[watch]\nprobe_interval = '1ms'".into(), "every 10ms"),
        ("[watch]\nforget_after = '0s'".into(), "\"1s\" or more"),
        ("[watch]\nforget_after = 'soon'".into(), "write a number with its unit"),
        ("[watch]\ninterfaces = []".into(), "watch nothing"),
        ("[watch]\ninterfaces = ['eth0 ']".into(), "can't be the name of an interface"),
        ("[web]\nlisten = [':10112']".into(), "[::]:10112"),
        ("[web]\nlisten = ['[::]:1', '[::]:1']".into(), "already given"),
        ("[node]\nstate_dir = 'x'".into(), "begin it with /"),
        ("[fence]\ngate_timeout = 'sometimes'".into(), "no duration"),
        ("[arbiter]\netcd = ['http://a:1']\nunreachable = 'panic'".into(), "`hold-if-unanimous`"),
    ] {
        let (_, _, message) = only_error(&main);
        assert!(message.contains(says), "{main}: {message}");
    }
}

#[test]
fn rfc_3768_and_rfc_9568_5_2_7_an_interval_must_be_one_that_the_version_can_carry() {
    let with = |version: &str, interval: &str| {
        Files::new(router(&format!("{version}\nadvert_interval = \"{interval}\""))).load().is_ok()
    };
    let (v2, v3, any) = ("version = 2", "version = 3", "");
    for (version, interval, fits) in [
        (v2, "1s", true),
        (v2, "255s", true),
        (v2, "256s", false),
        (v2, "1500ms", false),
        (v2, "0s", false),
        (v3, "10ms", true),
        (v3, "40950ms", true),
        (v3, "40960ms", false),
        (v3, "5ms", false),
        (v3, "15ms", false),
        (v3, "0s", false),
        (any, "200s", true),
        (any, "10ms", true),
        (any, "100500ms", false),
        (any, "0s", false),
    ] {
        assert_eq!(with(version, interval), fits, "{version} {interval}");
    }
}

#[test]
fn rfc_9568_6_1_a_vrid_is_from_1_to_255() {
    let with = |vrid: u16| format!("[[router]]\ninterface='eth0'\nvrid={vrid}\naddresses=['10.0.0.3']");
    for vrid in [0, 256] {
        let (line, _, message) = only_error(&with(vrid));
        assert!(line == 3 && message.contains("from 1 to 255"), "{vrid}: {line}: {message}");
    }
    for vrid in [1, 255] {
        assert!(Files::new(with(vrid)).load().is_ok(), "{vrid}");
    }
}

#[test]
fn version_2_goes_with_ipv4_and_passwords_go_with_version_2() {
    let ipv6 = |keys: &str| format!("[[router]]\ninterface='eth0'\nvrid=1\naddresses=['fe80::1']\n{keys}");
    assert!(only_error(&ipv6("version = 2")).2.contains("write version = 3"));
    assert!(only_error(&ipv6("auth_pass = 'x'")).2.contains("no authentication"));
    assert!(only_error(&ipv6("advert_interval = '50s'")).2.contains("no version can"));
    assert!(only_error(&router("version = 3\nauth_pass = 'x'")).2.contains("no authentication"));
    assert!(Files::new(ipv6("version = 3\nadvert_interval = '1s'")).load().is_ok());
}

#[test]
fn a_router_is_of_one_family() {
    for keys in ["excluded_addresses = ['fe80::1']", "unicast_peers = ['fe80::1']", "source = 'fe80::1'"] {
        let (line, _, message) = only_error(&router(keys));
        assert!(line == 5 && message.contains("ipv6"), "{message}");
    }
    let (_, column, _) = only_error("[[router]]\ninterface='eth0'\nvrid=1\naddresses=['10.0.0.3', 'fe80::1']");
    assert_eq!(column, 24);
}

#[test]
fn a_router_needs_an_interface_a_vrid_and_an_address() {
    let errors = Files::new("[[router]]").errors();
    for key in ["interface", "vrid", "addresses"] {
        assert!(all(&errors).contains(&format!("this [[router]] has no `{key}`: add it")), "{}", all(&errors));
    }
    let main = "[[router]]\ninterface = 'eth0'\nvrid = 1\naddresses = []";
    assert!(only_error(main).2.contains("at least one address"));
}

#[test]
fn what_must_be_unique_names_both_places() {
    for (main, line, says) in [
        (router("") + &router("name = 'b'"), 8, "VRID 51 of ipv4 on eth0 is already given at "),
        (router("name = 'b'") + &router("name = 'b'").replace("51", "52"), 10, "the router name \"b\" is already"),
        ("[[witness]]\nname='a'\naddress='10.0.0.1'\n".repeat(2), 5, "the name of this witness is already"),
        (
            "[[peer]]\nname='a'\naddress='10.0.0.1'\n[[peer]]\nname='b'\naddress='10.0.0.1'".into(),
            6,
            "this peer address",
        ),
        (router("excluded_addresses = ['192.168.1.100']"), 5, "this address is already given at "),
    ] {
        let (at, _, message) = only_error(&main);
        assert!(at == line && message.contains(says) && message.contains("main.toml:"), "{main}: {at}: {message}");
    }
    let other_family = router("") + "[[router]]\ninterface='eth0'\nvrid=51\naddresses=['fe80::1']";
    assert_eq!(Files::new(other_family).config().routers.len(), 2);
}

#[test]
fn an_unknown_peer_names_the_nearest() {
    let peer = "[[peer]]\nname = 'lb02'\naddress = '10.0.0.6'\n";
    let (line, column, message) = only_error(&(router("peers = ['lb02', 'lb2']") + peer));
    assert_eq!((line, column), (5, 18));
    assert!(message.contains("no [[peer]] of the name \"lb2\": did you mean \"lb02\"?"), "{message}");
}

#[test]
fn nobody_is_called_unknown_because_a_file_could_not_be_read() {
    let files = Files::new(router("peers = ['lb02']")).with("conf.d/peers.toml", "[[peer]\nname = 'lb02'");
    let errors = files.errors();
    assert_eq!(errors.len(), 1, "{}", all(&errors));
    assert!(errors[0].message.contains("not TOML"));
}

#[test]
fn the_web_config_file_lies_beside_the_configuration_and_its_errors_are_told_with_the_others() {
    let files = Files::new("[web]\nconfig_file = 'web.yml'\nlisten = []").with("web.yml", "tls_server: {}");
    let errors = files.errors();
    assert!(all(&errors).contains("web.yml:1:1: there is no key `tls_server` here"), "{}", all(&errors));
    assert!(only_error("[web]\nconfig_file = 'web.yml'").2.contains("there is no such file"));
    let files = Files::new("[web]\nconfig_file = 'web.yml'").with("web.yml", "");
    let config = config::load(&files.path("main.toml")).unwrap().config;
    assert_eq!(config.web.config_file, Some(files.path("web.yml")));
    assert!(config.to_toml(&config).contains("config_file = "));
}

#[test]
fn what_would_be_dangerous_to_ignore_is_an_error_and_the_rest_a_warning() {
    let files = Files::new(
        r#"
        [watch]
        keepalived_conf = "/etc/keepalived/keepalived.conf"
        probe_budget = 16
        "#,
    );
    let warnings = files.load().unwrap_or_else(|errors| panic!("{}", all(&errors))).warnings;
    let without_effect = warnings.iter().filter(|w| w.message.contains("no effect yet"));
    assert_eq!(without_effect.count(), 0, "{}", all(&warnings));
    assert_eq!(warnings.len(), 1, "{}", all(&warnings));
    assert!(warnings.is_sorted_by_key(|w| w.line));
}

#[test]
fn a_peer_is_asked_over_several_urls_with_a_key_that_no_output_shows() {
    let sections = r#"
        [cluster]
        key_file = "cluster.key"
        [[peer]]
        name = "lb02"
        address = "10.0.0.6"
        urls = ["http://10.0.0.6:10112", "https://[2001:db8::6]:10112/"]
        ca_file = "ca.pem"
    "#;
    let key = "0123456789abcdef0123456789abcdef";
    let config = Files::new(sections).with("cluster.key", format!("{key}\n")).config();
    assert_eq!(config.cluster_key.as_ref().unwrap().secret, key.as_bytes());
    let urls: Vec<String> = config.peers[0].urls.iter().map(ToString::to_string).collect();
    assert_eq!(urls, ["http://10.0.0.6:10112/", "https://[2001:db8::6]:10112/"]);
    assert!(config.peers[0].tls.ca.as_ref().unwrap().ends_with("ca.pem"));
    let shown = format!("{config:?}{}", config.to_toml(&Config::discovery("lb01")));
    assert!(!shown.contains(key) && !shown.contains(&format!("{:?}", key.as_bytes())), "{shown}");
}

#[test]
fn a_key_that_can_be_guessed_and_urls_that_lead_elsewhere_are_errors() {
    let peer = |more: &str| format!("[[peer]]\nname = 'b'\naddress = '10.0.0.6'\n{more}");
    let weak = Files::new("[cluster]\nkey_file = 'k'").with("k", "secret").errors();
    assert!(weak[0].message.contains("openssl rand") && !weak[0].message.contains("secret"), "{}", all(&weak));
    assert!(only_error("[cluster]\nkey_file = 'missing'").2.contains("no such file"));
    for (urls, says) in [
        ("['ftp://10.0.0.6']", "neither http"),
        ("['http://me:hunter2@10.0.0.6']", "no user"),
        ("['http://10.0.0.6/api']", "the path is added"),
        ("['10.0.0.6:10112']", "neither http"),
    ] {
        let message = only_error(&peer(&format!("urls = {urls}"))).2;
        assert!(message.contains(says) && !message.contains("hunter2"), "{urls}: {message}");
    }
    assert!(only_error(&peer("urls = ['https://10.0.0.6']\ncert_file = 'c'")).2.contains("add `key_file`"));
}

#[test]
fn conf_d_adds_sections_in_the_order_of_names_and_no_key_is_set_twice() {
    let second = router("name = 'second'").replace("51", "52");
    let third = router("name = 'third'").replace("51", "53");
    let files = Files::new(router("name = 'first'") + "[web]\nlisten = ['[::]:1']")
        .with("conf.d/20.toml", &third)
        .with("conf.d/10.toml", second + "[watch]\npassive = true")
        .with("conf.d/.hidden.toml", "nonsense")
        .with("conf.d/readme.md", "nonsense");
    let config = files.config();
    assert_eq!(config.routers.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["first", "second", "third"]);
    assert!(config.watch.passive);

    let errors = files.with("conf.d/30.toml", "# more\n[web]\nlisten = []\n").errors();
    assert_eq!(errors.len(), 1, "{}", all(&errors));
    assert!(errors[0].file.ends_with("conf.d/30.toml") && (errors[0].line, errors[0].column) == (3, 1));
    assert!(errors[0].message.contains("`listen` is already set at ") && errors[0].message.contains("main.toml:7"));
}

#[test]
fn all_errors_of_all_files_are_told_at_once_in_order() {
    let files = Files::new("[web]\nlisten = ['x', 1]\nbogus = 1\n[node]\nstate_dir = 'x'\n")
        .with("conf.d/a.toml", "a = [")
        .with("conf.d/b.toml", b"# \xff")
        .with("conf.d/c.toml", router("vird = 1\npriority = 0"));
    let places: Vec<_> = files
        .errors()
        .iter()
        .map(|d| format!("{}:{}:{}", d.file.file_name().unwrap().display(), d.line, d.column))
        .collect();
    let expected = ["main.toml:2:11", "main.toml:2:16", "main.toml:3:1", "main.toml:5:13", "a.toml:1:6", "b.toml:1:3"];
    assert_eq!(places, [&expected[..], &["c.toml:5:1", "c.toml:6:12"]].concat());
}

#[test]
fn a_file_with_very_many_errors_is_answered_with_the_first_of_them() {
    let main: String = (0..5_000).map(|i| format!("wrong{i} = {i}\n")).collect();
    let errors = Files::new(main).errors();
    assert!((50..=200).contains(&errors.len()), "{}", errors.len());
    assert!(errors.iter().any(|e| e.message.contains("was not checked")));
}

#[test]
fn a_password_file_is_read_beside_the_file_that_names_it_and_should_be_nobody_else_s() {
    let files = Files::new(router("auth_pass_file = 'secret/vrrp'")).with("secret/vrrp", "hunter2\n");
    fs::set_permissions(files.path("secret/vrrp"), fs::Permissions::from_mode(0o644)).unwrap();
    let loaded = files.load().unwrap();
    assert_eq!(loaded.config.routers[0].auth, Some(Auth::Password(*b"hunter2\0")));
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].message.contains("everyone on this host may read"));

    fs::set_permissions(files.path("secret/vrrp"), fs::Permissions::from_mode(0o640)).unwrap();
    assert!(files.load().unwrap().warnings.is_empty());

    let both = only_error(&router("auth_pass = 'x'\nauth_pass_file = 'x'"));
    assert!(both.0 == 6 && both.2.contains("keep one of the two"));
    for (content, says) in
        [(None, "no such file"), (Some("too-long-to-be-true\n"), "19 bytes"), (Some("\n"), "is empty")]
    {
        let files = Files::new(router("auth_pass_file = 'f'"));
        let files = match content {
            Some(content) => files.with("f", content),
            None => files,
        };
        let errors = files.errors();
        assert!(errors.len() == 1 && errors[0].message.contains(says), "{}", all(&errors));
    }
    assert!(only_error(&router("auth_pass_file = '/dev/zero'")).2.contains("no regular file"));
}

#[test]
fn no_password_is_ever_repeated() {
    for keys in [
        "auth_pass = 'hunter2-is-too-long'",
        "auth_pass = 'hunter2', vrid = 300",
        "auth_pass = ['hunter2']",
        "auth_pass = { hunter2 = 'hunter2' }",
        "auth_pas = 'hunter2'",
        "auth_pass = 'hunter2",
        "auth_pass = hunter2",
        "auth_pass hunter2",
        "auth_pass = '''\nhunter2",
        "version = 3\nauth_pass = 'hunter2'",
        "authentication { auth_pass hunter2 }",
    ] {
        let told = all(&Files::new(router(keys)).errors()).replace("{ hunter2 =", "");
        assert!(!told.contains("hunter2"), "{keys}:\n{told}");
    }
    let config = Files::new(router("auth_pass = 'hunter2'")).config();
    assert!(!format!("{config:?}{}", config.to_toml(&config)).contains("hunter2"));
}

#[test]
fn check_config_answers_0_with_a_summary_or_64_with_every_error() {
    let sound = vipwarden(&["check-config", example("vipwarden.toml").to_str().unwrap()]);
    assert_eq!(sound.status.code(), Some(0));
    let said = String::from_utf8(sound.stdout).unwrap();
    assert!(said.starts_with("OK: ") && said.contains("1 router, 1 peer, 1 witness, 0 warnings"), "{said}");

    let warned = Files::new(router("priority = 7"));
    let warned = vipwarden(&["check-config", warned.path("main.toml").to_str().unwrap()]);
    assert_eq!(warned.status.code(), Some(0));
    assert!(
        String::from_utf8(warned.stderr)
            .unwrap()
            .contains(":5:12: `priority` has no effect on a router that only watches")
    );

    let wrong = Files::new("a = 1\nb = 2\n");
    let wrong = vipwarden(&["check-config", wrong.path("main.toml").to_str().unwrap()]);
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert_eq!(wrong.status.code(), Some(64));
    assert!(said.contains("main.toml:1:1: ") && said.contains("1 | a = 1\n  | ^\n"), "{said}");
    assert!(said.contains("main.toml:2:1: ") && said.contains("2 errors"), "{said}");

    let missing = vipwarden(&["check-config", "/nonexistent/vipwarden.toml"]);
    assert_eq!(missing.status.code(), Some(64));
    assert!(String::from_utf8(missing.stderr).unwrap().contains("/nonexistent/vipwarden.toml: there is no such file"));
}

#[test]
fn show_config_prints_what_is_in_effect_and_marks_the_defaults() {
    let files = Files::new(router("auth_pass = 'hunter2'") + "[watch]\nmax_routers = 7");
    let shown = vipwarden(&["show-config", "--config", files.path("main.toml").to_str().unwrap()]);
    assert_eq!(shown.status.code(), Some(0));
    let text = String::from_utf8(shown.stdout).unwrap();
    for line in ["max_routers = 7", "max_speakers = 8  # default", "auth_pass = \"********\"", "vrid = 51"] {
        assert!(text.lines().any(|l| l == line), "{line}: {text}");
    }
    let mut expected = files.config();
    expected.routers[0].auth = Some(Auth::Password(*b"********"));
    assert_eq!(Files::new(text).config(), expected);

    let wrong = vipwarden(&["show-config", "--config", "/nonexistent"]);
    assert_eq!((wrong.status.code(), wrong.stdout.len()), (Some(64), 0));
}
