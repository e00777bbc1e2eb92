//! `vipwarden`: see the library.

fn main() -> std::process::ExitCode {
    vipwarden::cli::main()
}
