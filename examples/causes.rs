//! Prints `docs/causes.md`: `cargo run --example causes > docs/causes.md`.

fn main() {
    print!("{}", vipwarden::detect::rules::document());
}
