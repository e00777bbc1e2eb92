//! Completions, as the shells themselves take them, and the manual, as man takes it.

use std::io::Write;
use std::process::{Command, Stdio};

use super::{printed, vipwarden};

/// What a program says that is given the script of `shell` in a file, and more words.
fn taken_by(shell: &str, program: &[&str]) -> String {
    let script = vipwarden(&["completions", shell]);
    assert!(script.status.success(), "{}", printed(&script));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&script.stdout).unwrap();
    let output = Command::new(program[0]).args(&program[1..]).arg(file.path()).output();
    let output = output.unwrap_or_else(|error| panic!("{} (package {}): {error}", program[0], program[0]));
    assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {}", printed(&output));
    printed(&output)
}

#[test]
fn bash_completes_a_subcommand_and_its_options() {
    let ask = r#"complete() { builtin complete "$@"; }; . "$0"
        COMP_WORDS=(vipwarden diff) COMP_CWORD=1; _vipwarden vipwarden diff vipwarden; echo "${COMPREPLY[@]}"
        COMP_WORDS=(vipwarden explain --u) COMP_CWORD=2; _vipwarden vipwarden --u explain; echo "${COMPREPLY[@]}""#;
    assert_eq!(taken_by("bash", &["bash", "--norc", "-c", ask]), "diff-config\n--url --user-file\n");
}

#[test]
fn fish_completes_a_subcommand_with_what_it_is_for() {
    let ask = "source $argv[1]; complete -C 'vipwarden diff'; complete -C 'vipwarden explain --u'";
    let said = taken_by("fish", &["fish", "--no-config", "-c", ask]);
    assert!(said.starts_with("diff-config\tWhat a reload with another file would change"), "{said}");
    assert!(said.contains("\n--url\t") && said.contains("\n--user-file\t"), "{said}");
}

#[test]
fn zsh_takes_the_script() {
    assert_eq!(taken_by("zsh", &["zsh", "-f", "-n"]), "");
}

#[test]
fn man_formats_every_page_without_a_warning() {
    let whole = printed(&vipwarden(&["man"]));
    let names = whole.lines().filter_map(|line| line.strip_prefix("vipwarden\\-")?.strip_suffix("(1)"));
    let names: Vec<String> = names.map(|name| name.replace('\\', "")).collect();
    assert!(names.iter().any(|name| name == "diff-config") && names.len() > 15, "{names:?}");
    let pages = names.iter().map(|name| vec!["man", name.as_str()]).chain([vec!["man"]]);
    for words in pages {
        let page = vipwarden(&words);
        let mut man = Command::new("man")
            .args(["--warnings", "--local-file", "-"])
            .env("MANWIDTH", "80")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("man (package man-db)");
        man.stdin.take().unwrap().write_all(&page.stdout).unwrap();
        let output = man.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{words:?}: {}", printed(&output));
        assert!(printed(&output).contains("SYNOPSIS"), "{words:?}");
    }
    let unknown = vipwarden(&["man", "nothing"]);
    assert_eq!(unknown.status.code(), Some(64));
    assert!(printed(&unknown).contains("there is no such subcommand"));
}
