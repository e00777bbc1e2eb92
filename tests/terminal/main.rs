//! What an operator types and reads: `top` in a real terminal (tmux), the readers over TLS, completions in their shells, and the manual.
#![allow(clippy::disallowed_methods, reason = "a test waits by the clock")]

#[path = "../protection/pki.rs"]
mod pki;
#[path = "../support/snapshot.rs"]
mod scene;

mod remote;
mod server;
mod shells;
mod tmux;

use std::process::{Command, Output};

/// `vipwarden` with these words.
fn vipwarden(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vipwarden")).args(words).output().unwrap()
}

/// What it printed, on both streams.
fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}
