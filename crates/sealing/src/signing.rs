//! Signing what is to be shown to others: Ed25519, over JSON in its canonical form.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use data_encoding::BASE64;

/// Bytes of a key's seed.
const SEED: usize = 32;

/// A text is no key to sign with. It does not say what the text was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not 32 bytes in base64: `openssl rand -base64 32` makes such a key")]
pub struct NoSigningKey;

/// A key to sign with. Cheap to clone.
#[derive(Clone)]
pub struct SigningKey(Arc<Ed25519KeyPair>);

/// Shows the public half, which anybody may know.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public_key())
    }
}

impl SigningKey {
    /// Of the base64 of its seed.
    ///
    /// # Errors
    /// It is not 32 bytes in base64.
    pub fn of_base64(text: &str) -> Result<Self, NoSigningKey> {
        let seed = BASE64.decode(text.trim().as_bytes()).map_err(|_| NoSigningKey)?;
        if seed.len() != SEED {
            return Err(NoSigningKey);
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| NoSigningKey)?;
        Ok(Self(Arc::new(pair)))
    }

    /// Base64 of the 32 bytes that its signatures are proved by.
    pub fn public_key(&self) -> String {
        BASE64.encode(self.0.public_key().as_ref())
    }

    /// Base64 of the signature over these bytes.
    pub fn sign(&self, bytes: &[u8]) -> String {
        BASE64.encode(self.0.sign(bytes).as_ref())
    }
}

/// Whether these bytes were signed by whoever has the key to this public half; all but the bytes in base64.
pub fn is_signed_by(public_key: &str, bytes: &[u8], signature: &str) -> bool {
    let decoded = |text: &str| BASE64.decode(text.as_bytes()).ok();
    let Some((key, signature)) = decoded(public_key).zip(decoded(signature)) else {
        return false;
    };
    UnparsedPublicKey::new(&ED25519, key).verify(bytes, &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 2.
    const SEED_TEXT: &str = "TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs=";
    const PUBLIC: &str = "PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=";
    const SIGNATURE: &str = "kqAJqfDUyrhyDoILX2QlQKKye1QWUD+Ps3YiI+vbadoIWsHkPhWZbkWPNhPQ8R2MOHsurrQwKu6wDSkWErsMAA==";

    #[test]
    fn a_key_signs_as_the_standard_shows_it() {
        let key = SigningKey::of_base64(SEED_TEXT).unwrap();
        assert_eq!(key.public_key(), PUBLIC);
        assert_eq!(key.sign(&[0x72]), SIGNATURE);
        assert!(is_signed_by(PUBLIC, &[0x72], SIGNATURE));
    }

    #[test]
    fn what_was_changed_or_signed_by_somebody_else_is_not_signed() {
        let (key, other) = (
            SigningKey::of_base64(SEED_TEXT).unwrap(),
            SigningKey::of_base64(&BASE64.encode(&[7; SEED])).unwrap(),
        );
        let signature = key.sign(b"said");
        assert!(!is_signed_by(&key.public_key(), b"Said", &signature));
        assert!(!is_signed_by(&other.public_key(), b"said", &signature));
        assert!(!is_signed_by(&key.public_key(), b"said", "no base64"));
        assert!(!is_signed_by("no base64", b"said", &signature));
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        for text in ["", "secret", &BASE64.encode(&[1; 31]), &BASE64.encode(&[1; 33])] {
            let refused = SigningKey::of_base64(text).unwrap_err();
            assert!(text.is_empty() || !refused.to_string().contains(text));
        }
        let key = SigningKey::of_base64(SEED_TEXT).unwrap();
        assert!(!format!("{key:?}").contains(SEED_TEXT));
    }
}
