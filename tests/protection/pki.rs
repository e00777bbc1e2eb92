//! Certificates for one test.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

/// A directory with `ca.pem`, what it has signed as `cert.pem` and `key.pem`, and a web-config file.
pub struct Pki {
    directory: TempDir,
    ca: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let pki = Self { directory: tempfile::tempdir().unwrap(), ca };
        fs::write(pki.path("ca.pem"), pki.ca.pem()).unwrap();
        pki.sign("cert.pem", "key.pem", 2100);
        pki
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a certificate for localhost that ends with `year`, and its key.
    pub fn sign(&self, cert: &str, key: &str, year: i32) {
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let pair = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&pair, &self.ca).unwrap();
        fs::write(self.path(key), pair.serialize_pem()).unwrap();
        fs::write(self.path(cert), certificate.pem()).unwrap();
    }

    /// Writes the web-config file.
    pub fn write(&self, yaml: &str) -> PathBuf {
        let path = self.path("web.yml");
        fs::write(&path, yaml).unwrap();
        path
    }
}
