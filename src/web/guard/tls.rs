//! From the file's words to what rustls serves with.

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};
use std::path::Path;
use std::sync::Arc;

use crate::config::web_file::{ClientAuth, WebTls};
use crate::sys::tls;

/// What is served.
pub(super) struct Served {
    pub config: ServerConfig,
    /// When the first certificate of the chain expires, in Unix seconds.
    pub expires: i64,
}

/// Reads the files and builds the server's side.
///
/// # Errors
/// In words: which file, what is wrong with it, and what to do.
pub(super) fn serve(wanted: &WebTls) -> Result<Served, String> {
    let chain = tls::certificates(&wanted.cert_file).map_err(|error| error.to_string())?;
    let key = tls::private_key(&wanted.key_file).map_err(|error| error.to_string())?;
    let expires = tls::expires(&wanted.cert_file, &chain).map_err(|error| error.to_string())?;
    let provider = Arc::new(provider(wanted));
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions(wanted))
        .map_err(|error| format!("cipher_suites and min_version leave nothing to speak: {error}"))?;
    let roots = |path: &Path| tls::roots(path).map(Arc::new).map_err(|error| error.to_string());
    let builder = match &wanted.client_auth {
        ClientAuth::None => builder.with_no_client_auth(),
        ClientAuth::IfGiven(ca) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots(ca)?, provider).allow_unauthenticated();
            builder.with_client_cert_verifier(verifier.build().map_err(|error| format!("{}: {error}", ca.display()))?)
        }
        ClientAuth::Required(ca) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots(ca)?, provider);
            builder.with_client_cert_verifier(verifier.build().map_err(|error| format!("{}: {error}", ca.display()))?)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| {
        let (cert, key) = (wanted.cert_file.display(), wanted.key_file.display());
        format!("{cert}: it can't be served with {key} ({error}): name a pair that belongs together")
    })?;
    config.ignore_client_order = wanted.prefers_own_order;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Served { config, expires })
}

fn versions(wanted: &WebTls) -> Vec<&'static SupportedProtocolVersion> {
    let tls12 = wanted.tls12.then_some(&rustls::version::TLS12);
    tls12.into_iter().chain(wanted.tls13.then_some(&rustls::version::TLS13)).collect()
}

/// As in Go, a list that names none of TLS 1.3 leaves all of these in.
fn provider(wanted: &WebTls) -> CryptoProvider {
    let mut provider = CryptoProvider::clone(&tls::provider());
    if !wanted.cipher_suites.is_empty() {
        let is_13 = |suite: &SupportedCipherSuite| suite.tls13().is_some();
        let names_13 = wanted.cipher_suites.iter().any(is_13);
        let rest = provider.cipher_suites.iter().copied().filter(|suite| !names_13 && is_13(suite));
        provider.cipher_suites = rest.chain(wanted.cipher_suites.iter().copied()).collect();
    }
    if !wanted.curves.is_empty() {
        provider.kx_groups.clone_from(&wanted.curves);
    }
    provider
}
