//! `import-keepalived` where it counts: beside the keepalived that its file is for, and in its place.

use crate::lab::{Daemon, Instance, Keepalived, Node, Slot, Stage, Watch, holds, until, vipwarden};
use crate::lab::{Flavour, INTERFACE, verdict};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A pair's file as setup 1 has it, for the laboratory's addresses; `check` decides whether the check works.
fn conf(priority: u8, check: &Path) -> String {
    format!(
        "vrrp_script check_nginx {{\n  script \"/usr/bin/test -e {}\"\n  interval 1\n  weight -20\n}}\n\
         vrrp_instance VI_1 {{\n  state BACKUP\n  interface {INTERFACE}\n  virtual_router_id 51\n  priority {priority}\n  \
         advert_int 1\n  authentication {{\n    auth_type PASS\n    auth_pass 1111\n  }}\n  virtual_ipaddress {{\n    \
         10.9.9.100/24\n  }}\n  track_script {{\n    check_nginx\n  }}\n}}\n",
        check.display()
    )
}

/// What the import of `conf` prints. The check's program must be allowed to see its file, so it runs as root.
fn imported(node: &Node, conf: &str, mode: &str) -> String {
    let file = node.scratch().expect("a scratch directory").join("imported.conf");
    fs::write(&file, format!("global_defs {{\n  script_user root\n}}\n{conf}")).expect("the file is written");
    let output = Command::new(vipwarden()).arg("import-keepalived").arg(&file).args(["--mode", mode]).output();
    let output = output.expect("vipwarden runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The laboratory's keepalived with the same keys as [`conf`] has.
fn keepalived(node: &Node, priority: u8) -> Keepalived {
    let auth = "authentication {\n auth_type PASS\n auth_pass 1111\n }".to_owned();
    let instance = Instance { lines: vec![auth], ..Instance::new(2, 1.0, priority) };
    Keepalived::start(node, &instance).expect("keepalived starts")
}

fn check_file(node: &Node) -> PathBuf {
    let file = node.scratch().expect("a scratch directory").join("nginx-is-up");
    fs::write(&file, "").expect("the file is written");
    file
}

#[test]
fn setup_1_imported_to_speak_takes_keepalived_s_place_and_fails_over_with_its_check() {
    let stage = Stage::new(Flavour::V2);
    let check = check_file(&stage.a);
    let sections = imported(&stage.a, &conf(100, &check), "speak");
    let watch = Watch(Daemon::start(&stage.a, vipwarden(), &sections).expect("vipwarden starts"));
    let _b = keepalived(&stage.b, 90);
    stage.expect_holders(true, false);
    watch.expect("it is healthy", |router| verdict(router) == "healthy" && router["state"] == "master");
    fs::remove_file(&check).expect("nginx stops");
    stage.expect_holders(false, true);
    fs::write(&check, "").expect("nginx starts");
    until("a has the address back", || holds(&stage.a, "10.9.9.100") && !holds(&stage.b, "10.9.9.100"));
}

#[test]
fn keepalived_itself_finds_nothing_wrong_with_the_setups_that_import_without_a_mistake() {
    let _slot = Slot::take();
    let lab = crate::lab::Lab::new(&["a"]).expect("the laboratory is made (needs root)");
    let node = lab.node("a");
    node.exec("ip addr add 192.168.1.11/24 dev eth0").expect("the source address is there");
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keepalived/setups");
    for entry in fs::read_dir(directory).expect("fixtures") {
        let path = entry.expect("an entry").path();
        let mut command = node.command("keepalived");
        command.arg("--config-test").arg("--use-file").arg(&path);
        let output = command.output().expect("keepalived runs");
        let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
        // Of the scripts' users and paths nothing is asked: they aren't on this host.
        let complaints: Vec<_> =
            said.lines().filter(|line| line.contains("Unknown") || line.contains("invalid")).collect();
        assert!(complaints.is_empty(), "{}: {complaints:?}", path.display());
    }
}
