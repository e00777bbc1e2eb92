//! Where the configuration comes from: a file, else discovery; flags win over both.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::config::{self, Config, Diagnostic, Loaded};

/// Read when no file is named and it exists.
pub const DEFAULT_FILE: &str = "/etc/vipwarden/vipwarden.toml";

/// What the command line says about the configuration. Asked again at each reload.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// `--listen`; empty leaves the configured ones.
    pub listen: Vec<SocketAddr>,
    /// `--interface`; empty leaves the configured ones.
    pub interfaces: Vec<String>,
}

impl Origin {
    /// The configuration as it is now.
    ///
    /// # Errors
    /// Every error in the files.
    pub fn load(&self) -> Result<Loaded, Vec<Diagnostic>> {
        let default = Path::new(DEFAULT_FILE);
        let mut loaded = match self.file.as_deref().or_else(|| default.exists().then_some(default)) {
            Some(file) => config::load(file)?,
            None => Loaded { config: Config::discovery(&hostname()), warnings: Vec::new() },
        };
        if !self.listen.is_empty() {
            loaded.config.web.listen.clone_from(&self.listen);
        }
        if !self.interfaces.is_empty() {
            loaded.config.watch.interfaces = Some(self.interfaces.clone());
        }
        Ok(loaded)
    }
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "localhost".into() } else { name.trim().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_what_is_configured() {
        let listen: SocketAddr = "127.0.0.1:9".parse().expect("an address");
        let origin = Origin { file: None, listen: vec![listen], interfaces: vec!["eth7".into()] };
        let config = origin.load().expect("discovery needs no file").config;
        assert_eq!(config.web.listen, [listen]);
        assert_eq!(config.watch.interfaces, Some(vec!["eth7".into()]));
    }
}
