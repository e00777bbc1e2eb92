//! The README's way from a pair to a page, walked: its own commands, on hosts of a laboratory.

use crate::lab::{Flavour, Lab, Node, PATIENCE, Process, until, vipwarden};
use crate::lab::{Instance, Keepalived, Slot, holds};
use std::path::{Path, PathBuf};

/// What differs from a real host: no sudo is needed, everything is installed, there is no systemd to start what Debian's units start, and
/// a cable of a laboratory is not sniffed unless it is named.
const SHIMS: [(&str, &str); 3] = [
    ("sudo", "exec \"$@\""),
    ("apt-get", "exit 0"),
    (
        "systemctl",
        "[ \"$*\" = 'restart prometheus prometheus-alertmanager' ] || exit 1\n\
         prometheus --config.file=/etc/prometheus/prometheus.yml --storage.tsdb.path=\"$HOME/tsdb\" &\n\
         prometheus-alertmanager --config.file=/etc/prometheus/alertmanager.yml --storage.path=\"$HOME/am\" --cluster.listen-address= &",
    ),
];

/// The README's blocks that are marked for a walk: whose they are, and the commands.
fn blocks() -> Vec<(String, String)> {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
    let marked = readme.split("<!-- walk: ").skip(1);
    let block = |text: &str| {
        let (who, rest) = text.split_once(" -->\n```sh\n").expect("a block of commands follows");
        let (commands, _) = rest.split_once("```").expect("it ends");
        (who.to_owned(), commands.to_owned())
    };
    marked.map(block).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs commands on a host that sees a home, a /run, a /var/lib and an /etc/prometheus of its own; answers what they printed.
fn walk(node: &Node, commands: &str) -> String {
    let home = node.scratch().expect("a scratch directory");
    for directory in ["bin", "prometheus"] {
        std::fs::create_dir_all(home.join(directory)).expect("a directory");
    }
    for (name, body) in SHIMS {
        write_program(&home.join("bin").join(name), body);
    }
    let here = "mount -t tmpfs tmpfs /run\nmount -t tmpfs tmpfs /var/lib\n\
                mkdir -p /etc/prometheus\nmount --bind \"$HOME/prometheus\" /etc/prometheus\n";
    let script = home.join("walk.sh");
    write_program(&script, &format!("set -eu\n{here}{commands}"));
    let mut command = node.command("unshare");
    command.args(["--mount", "sh"]).arg(script).current_dir(root()).env("HOME", &home);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}:/usr/sbin:/sbin", home.join("bin").display()));
    let mut process = Process::spawn(node, "walk", command).expect("sh starts");
    let code = process.wait(PATIENCE).unwrap_or_else(|e| panic!("{e}\n{}", process.log()));
    assert_eq!(code, Some(0), "on {}: {commands}\n{}", node.name(), process.log());
    process.log()
}

fn write_program(path: &PathBuf, body: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, format!("#!/bin/sh\n{body}\n")).expect("it is written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("it may be run");
}

#[test]
fn the_readmes_commands_lead_from_a_pair_to_a_page_and_back() {
    let _slot = Slot::take();
    let lab = Lab::new(&["a", "b", "m"]).expect("the laboratory is made (needs root)");
    let (a, b, m) = (lab.node("a"), lab.node("b"), lab.node("m"));
    let keepalived = |node, priority| Keepalived::start(node, &Instance::new(2, 1.0, priority)).expect("it starts");
    let _daemons = [keepalived(a, 200), keepalived(b, 100)];
    let vip = Flavour::V2.vip();
    until("a is master", || holds(a, vip) && !holds(b, vip));
    let of_the_lab = |commands: &str| {
        let run = format!("{} run --interface eth0", vipwarden().display());
        commands
            .replace("target/release/vipwarden run", &run)
            .replace("10.0.0.5", &a.ipv4())
            .replace("10.0.0.6", &b.ipv4())
    };
    let mut heard = String::new();
    let blocks = blocks();
    let who: Vec<_> = blocks.iter().map(|(who, _)| who.as_str()).collect();
    assert_eq!(who, ["node", "monitor", "backup", "monitor", "backup"]);
    for (who, commands) in &blocks {
        let commands = of_the_lab(commands);
        let nodes = match who.as_str() {
            "node" => vec![a, b],
            "monitor" => vec![m],
            _ => vec![b],
        };
        heard.extend(nodes.into_iter().map(|node| walk(node, &commands)));
    }
    for word in ["SUCCESS", "VrrpSplitBrain", vip, "firewall_drop (mend it on", "docs/runbooks/VrrpSplitBrain.md"] {
        assert!(heard.contains(word), "{word}: {heard}");
    }
    until("b has stepped back", || holds(a, vip) && !holds(b, vip));
}
