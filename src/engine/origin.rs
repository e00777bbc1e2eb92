//! Where the configuration comes from: a file, else discovery; flags win over both.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::{self, Diagnostic, Loaded};

/// What the command line says about the configuration. Asked again at each reload.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// `--config`; without it the default file, if there is one.
    pub file: Option<PathBuf>,
    /// `--listen`; empty leaves the configured ones.
    pub listen: Vec<SocketAddr>,
    /// `--interface`; empty leaves the configured ones.
    pub interfaces: Vec<String>,
    /// `--web-config`; without it the configured one, if there is one.
    pub web_config: Option<PathBuf>,
}

impl Origin {
    /// The configuration as it is now.
    ///
    /// # Errors
    /// Every error in the files.
    pub fn load(&self) -> Result<Loaded, Vec<Diagnostic>> {
        let mut loaded = config::load_or_discover(self.file.as_deref())?;
        if !self.listen.is_empty() {
            loaded.config.web.listen.clone_from(&self.listen);
        }
        if !self.interfaces.is_empty() {
            loaded.config.watch.interfaces = Some(self.interfaces.clone());
        }
        if let Some(path) = &self.web_config {
            loaded.warnings.extend(config::web_file::read(path)?.warnings);
            loaded.config.web.config_file = Some(path.clone());
        }
        Ok(loaded)
    }
}

/// Errors or warnings as text, one after the other.
pub fn describe(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_what_is_configured() {
        let listen: SocketAddr = "127.0.0.1:9".parse().expect("an address");
        let origin = Origin { file: None, listen: vec![listen], interfaces: vec!["eth7".into()], web_config: None };
        let config = origin.load().expect("discovery needs no file").config;
        assert_eq!(config.web.listen, [listen]);
        assert_eq!(config.watch.interfaces, Some(vec!["eth7".into()]));
    }
}
