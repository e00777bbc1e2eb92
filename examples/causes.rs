//! Prints what the table of causes says: `cargo run --example causes > docs/causes.md`, and with `-- --short` for
//! `docs/runbooks/causes.md`.

use vipwarden::detect::rules;

fn main() {
    let is_short = std::env::args().any(|argument| argument == "--short");
    print!("{}", if is_short { rules::runbook() } else { rules::document() });
}
