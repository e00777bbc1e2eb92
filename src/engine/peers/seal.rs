//! Who said it, and in answer to what: HMAC-SHA256 (RFC 2104) with the cluster's key.

use std::fmt;

use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::config::ClusterKey;

/// What a signature is about, so that one made for another purpose fits nowhere else.
const PURPOSE: &str = "vipwarden peer report v1";

/// Bytes of a nonce: nobody asks so often that one comes twice.
const NONCE_BYTES: usize = 16;

/// The longest nonce that is answered, in characters.
pub const NONCE_MAX: usize = 128;

/// A key that signs reports and tells whether they were signed with it.
#[derive(Clone)]
pub struct Seal(hmac::Key);

impl Seal {
    /// The seal of a cluster's key.
    pub fn new(key: &ClusterKey) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &key.secret))
    }

    /// The signature of `facts`, given in answer to `nonce` by the daemon of that boot id, in hex digits.
    pub fn sign(&self, nonce: &str, boot_id: &str, facts: &str) -> String {
        hmac::sign(&self.0, message(nonce, boot_id, facts).as_bytes())
            .as_ref()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect()
    }

    /// True if that is the signature. Takes as long for a wrong one as for the right one.
    pub fn verify(&self, nonce: &str, boot_id: &str, facts: &str, signature: &str) -> bool {
        let bytes = unhex(signature);
        bytes.is_some_and(|tag| hmac::verify(&self.0, message(nonce, boot_id, facts).as_bytes(), &tag).is_ok())
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

/// What is signed. A nonce and a boot id hold no line feed, so nothing can slip from one part into another.
fn message(nonce: &str, boot_id: &str, facts: &str) -> String {
    format!("{PURPOSE}\n{nonce}\n{boot_id}\n{facts}")
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pairs = digits.len().is_multiple_of(2).then(|| digits.chunks_exact(2));
    pairs?.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// True if it can be answered: letters, digits and hyphens, and not too many.
pub fn is_nonce(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !text.is_empty() && text.len() <= NONCE_MAX && text.chars().all(plain)
}

/// A nonce that was never used; `None` if the kernel has no randomness.
pub fn nonce() -> Option<String> {
    let mut bytes = [0; NONCE_BYTES];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(secret: &[u8]) -> Seal {
        Seal::new(&ClusterKey { path: "key".into(), secret: secret.into() })
    }

    #[test]
    fn a_signature_fits_its_key_its_nonce_its_boot_id_and_its_facts_alone() {
        let ours = seal(b"0123456789abcdef");
        let signature = ours.sign("n1", "b1", "{}");
        assert!(ours.verify("n1", "b1", "{}", &signature));
        assert!(!seal(b"another key of ours").verify("n1", "b1", "{}", &signature));
        for (nonce, boot_id, facts) in
            [("n2", "b1", "{}"), ("n1", "b2", "{}"), ("n1", "b1", "{ }"), ("n1\nb1", "", "{}")]
        {
            assert!(!ours.verify(nonce, boot_id, facts, &signature), "{nonce:?} {boot_id:?} {facts:?}");
        }
        for wrong in ["", "00", "zz", "0", "é"] {
            assert!(!ours.verify("n1", "b1", "{}", wrong), "{wrong:?}");
        }
    }

    #[test]
    fn a_signature_is_that_of_the_document_in_docs() {
        // printf 'vipwarden peer report v1\nabc\n0f\n{}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let expected = "2d9bf327e79ef45946b126efeee2890930f6ef57ca9818793c31739731195d04";
        assert_eq!(seal(b"0123456789abcdef").sign("abc", "0f", "{}"), expected);
    }

    #[test]
    fn nonces_are_plain_words_and_none_is_like_another() {
        let (one, two) = (nonce().unwrap(), nonce().unwrap());
        assert!(is_nonce(&one) && one != two);
        for wrong in ["", "a b", "a\n", "é", &"x".repeat(NONCE_MAX + 1)] {
            assert!(!is_nonce(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn a_seal_shows_nothing_of_its_key() {
        assert_eq!(format!("{:?}", seal(b"0123456789abcdef")), "Seal");
    }
}
