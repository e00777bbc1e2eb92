//! Certificates of a test's own: a CA, and what it signs. All files lie in one directory, which goes with the value.
#![allow(dead_code)]

use std::fs;
use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use tempfile::TempDir;

/// A CA with its files.
pub struct Authority {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM files.
pub struct Pair {
    /// The certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Authority {
    /// A new CA that nobody knows.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, "a test's CA");
        let key = KeyPair::generate().expect("a key");
        let own = params.self_signed(&key).expect("a CA");
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("ca.pem"), own.pem()).expect("written");
        Self { directory, issuer: Issuer::new(params, key) }
    }

    /// The file of its own certificate.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// Signs a certificate for hosts, written to files of this name.
    pub fn sign(&self, file: &str, hosts: &[&str]) -> Pair {
        self.sign_until(file, hosts, 2100)
    }

    /// Signs a certificate that ends with a year's first day.
    pub fn sign_until(&self, file: &str, hosts: &[&str], year: i32) -> Pair {
        let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
        let mut params = CertificateParams::new(hosts).expect("host names");
        params.not_after = date_time_ymd(year, 1, 1);
        params.distinguished_name.push(DnType::CommonName, file);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.issuer).expect("signed");
        let path = |ending| self.directory.path().join(format!("{file}.{ending}"));
        let pair = Pair { cert: path("pem"), key: path("key") };
        fs::write(&pair.cert, signed.pem()).expect("written");
        fs::write(&pair.key, key.serialize_pem()).expect("written");
        pair
    }
}
