//! TLS: certificates and keys from PEM files, and the side of it that asks. Every error names the file and what to do.
//!
//! A server takes its certificates from here too, by [`certificates`], [`private_key`] and [`roots`].

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CertificateError, ClientConfig, RootCertStore};

/// Nobody's certificates are larger; the system's whole store takes a quarter of it.
const FILE_MAX_BYTES: u64 = 1 << 20;

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It can't be read.
    #[error("{}: {error}: {}", path.display(), remedy(error))]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// It is no PEM, or holds something else.
    #[error("{}: {what}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What was found, and what should be there.
        what: String,
    },
    /// A certificate without its key, or a key without its certificate.
    #[error("a certificate and its key go together: name both cert_file and key_file, or neither")]
    Half,
    /// This host trusts nobody.
    #[error("this host has no store of trusted CAs: install ca-certificates, or name the server's CA with ca_file")]
    NoStore,
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "create it, or name another one",
        io::ErrorKind::PermissionDenied => "let the daemon's user read it",
        _ => "name a regular file in PEM form",
    }
}

/// The one set of algorithms in the whole program.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The certificates in a PEM file, in their order: one's own first, then those that lead to its CA.
///
/// # Errors
/// The file can't be read, or holds no certificate.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(content(path, "it holds no certificate: it should have a part that says BEGIN CERTIFICATE")),
        Err(error) => Err(content(path, &format!("it is no PEM file ({error}): name one with BEGIN CERTIFICATE"))),
    }
}

/// When the first certificate of a chain expires, in Unix seconds. `path` is where it was read.
///
/// # Errors
/// One of them can't be read.
pub fn expires(path: &Path, chain: &[CertificateDer<'_>]) -> Result<i64, Error> {
    let ends = chain.iter().map(|certificate| {
        let (_, read) = x509_parser::parse_x509_certificate(certificate)
            .map_err(|error| content(path, &format!("a certificate in it can't be read: {error}")))?;
        Ok(read.validity().not_after.timestamp())
    });
    Ok(ends.collect::<Result<Vec<_>, Error>>()?.into_iter().min().unwrap_or(i64::MAX))
}

/// The private key in a PEM file.
///
/// # Errors
/// The file can't be read, or holds no key that is not encrypted. Nothing of its content is in the error.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|_| {
        content(path, "it holds no private key without a passphrase: it should have a part that says BEGIN PRIVATE KEY")
    })
}

/// The CAs in a PEM file, as those that are trusted.
///
/// # Errors
/// Those of [`certificates`], or one of them can't be a CA.
pub fn roots(path: &Path) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        let why = |error| content(path, &format!("a certificate in it can't be used as a CA: {error}"));
        store.add(certificate).map_err(why)?;
    }
    Ok(store)
}

/// Where the side that asks finds whom to trust, and who it is itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFiles {
    /// The CAs that are trusted; the system's if there is none.
    pub ca: Option<PathBuf>,
    /// The certificate that is shown to the server, if it asks for one.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
}

impl ClientFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// One of them is not as it should be, or certificate and key don't belong together.
    pub fn load(&self) -> Result<ClientConfig, Error> {
        let roots = match &self.ca {
            Some(path) => roots(path)?,
            None => system_roots()?,
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap_or_else(|error| unreachable!("ring knows TLS 1.2 and 1.3: {error}"))
            .with_root_certificates(roots);
        match (&self.cert, &self.key) {
            (None, None) => Ok(builder.with_no_client_auth()),
            (Some(cert), Some(key)) => {
                builder.with_client_auth_cert(certificates(cert)?, private_key(key)?).map_err(|error| {
                    let with =
                        format!("it can't be used with {} ({error}): name a pair that belongs together", key.display());
                    content(cert, &with)
                })
            }
            _ => Err(Error::Half),
        }
    }

    /// What tells whether the files have changed.
    pub fn stamp(&self) -> Stamp {
        Stamp::of([&self.ca, &self.cert, &self.key].into_iter().flatten().map(PathBuf::as_path))
    }
}

/// A client's configuration that follows its files: a certificate that was renewed is used from the next connection on.
pub struct Client {
    files: ClientFiles,
    loaded: Mutex<(Stamp, Arc<ClientConfig>)>,
}

impl Client {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// Those of [`ClientFiles::load`].
    pub fn load(files: ClientFiles) -> Result<Self, Error> {
        let stamp = files.stamp();
        let config = files.load()?;
        Ok(Self { loaded: Mutex::new((stamp, Arc::new(config))), files })
    }

    /// The configuration for a new connection. If the files have changed and can't be used as they are now, the last good one stays,
    /// and the log says why.
    pub fn config(&self) -> Arc<ClientConfig> {
        let stamp = self.files.stamp();
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.0 != stamp {
            match self.files.load() {
                Ok(config) => loaded.1 = Arc::new(config),
                Err(error) => tracing::warn!("{error}; the certificates that were read before stay in use"),
            }
            loaded.0 = stamp;
        }
        loaded.1.clone()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("files", &self.files).finish_non_exhaustive()
    }
}

/// Identity, age and size of files: what changes when one is replaced or written to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp(Vec<Option<(u64, i64, i64, u64)>>);

impl Stamp {
    /// That of these files, now.
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let one = |path| {
            let meta = fs::metadata(path).ok()?;
            Some((meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.size()))
        };
        Self(paths.into_iter().map(one).collect())
    }
}

/// Why a handshake with `host` failed, in words, and what to do.
pub fn explain(error: &io::Error, host: &str) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(error) = inner else { return error.to_string() };
    match error {
        rustls::Error::InvalidCertificate(wrong) => {
            let what = match wrong {
                // A bad signature: a CA of the same name, which is another one.
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    "no CA that is trusted here has signed it: name its CA with ca_file"
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    "it has expired: renew it on the server, or set this host's clock"
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    "it is not valid yet: set this host's clock, or the server's"
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    return format!(
                        "the server's certificate is not for {host}: use a name that stands in it, or renew it with this one"
                    );
                }
                other => return format!("the server's certificate is refused: {other}"),
            };
            format!("the server's certificate is refused, {what}")
        }
        rustls::Error::AlertReceived(alert) => {
            format!(
                "the server refuses the connection ({alert:?}): does it want a certificate of ours (cert_file, key_file) that its CA has signed?"
            )
        }
        rustls::Error::InvalidMessage(_) => {
            "the server does not speak TLS there: write http://, or the port of its TLS".into()
        }
        other => other.to_string(),
    }
}

fn system_roots() -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = store.add_parsable_certificates(found.certs);
    if added == 0 { Err(Error::NoStore) } else { Ok(store) }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let unreadable = |error| Error::Unreadable { path: path.to_owned(), error };
    let file = File::open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(content(path, "it is no regular file: name one in PEM form"));
    }
    let mut bytes = Vec::new();
    file.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_MAX_BYTES {
        return Err(content(path, &format!("it has more than {FILE_MAX_BYTES} bytes: name a file of certificates")));
    }
    Ok(bytes)
}

fn content(path: &Path, what: &str) -> Error {
    Error::Content { path: path.to_owned(), what: what.to_owned() }
}
