//! The configured keys: the first seals, all open.

use std::fmt;

use aws_lc_rs::aead::RandomizedNonceKey;
use aws_lc_rs::hmac;
use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use crate::NotSealed;
use crate::bound::{KEY_BYTES, key, place};

/// Bytes of a fingerprint: enough that no two secrets of a merchant share one by chance.
const FINGERPRINT_BYTES: usize = 8;

/// A key's text is not one. It says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key: 32 random bytes in Base64, such as `openssl rand -base64 32` prints")]
pub struct BadKey;

/// One configured key.
pub struct SealingKey {
    pub(crate) id: String,
    pub(crate) key: RandomizedNonceKey,
    /// Fingerprints are keyed, so that they say nothing to whoever guesses at a short secret.
    marks: hmac::Key,
    /// What is chained is signed with one of its own.
    chains: hmac::Key,
}

/// Its id alone.
impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl SealingKey {
    /// Reads a key: 32 bytes in Base64, with or without padding.
    ///
    /// # Errors
    /// It is none.
    pub fn read(id: &str, text: &SecretString) -> Result<Self, BadKey> {
        let text = text.expose_secret().trim().as_bytes();
        let bytes = BASE64.decode(text).or_else(|_| BASE64_NOPAD.decode(text));
        let bytes = Zeroizing::new(bytes.map_err(|_| BadKey)?);
        let bytes: Zeroizing<[u8; KEY_BYTES]> = Zeroizing::new(bytes.as_slice().try_into().map_err(|_| BadKey)?);
        // A key has one use: fingerprints and chains are made with keys of their own, which tell nothing of it.
        let root = hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice());
        let derived = |purpose| hmac::sign(&root, &place(&["upsert-gateway", purpose]));
        let of = |purpose| hmac::Key::new(hmac::HMAC_SHA256, derived(purpose).as_ref());
        Ok(Self {
            id: id.to_owned(),
            key: key(&bytes).map_err(|NotSealed| BadKey)?,
            marks: of("fingerprints"),
            chains: of("chains"),
        })
    }

    /// What a secret of this owner's is known by: the same as long as the key is.
    pub(crate) fn fingerprint(&self, owner: &str, text: &str) -> String {
        let mark = hmac::sign(&self.marks, &place(&[owner, text]));
        HEXLOWER.encode(&mark.as_ref()[..FINGERPRINT_BYTES])
    }
}

/// All configured keys, in their order.
#[derive(Debug, Default)]
pub struct Keyring(Vec<SealingKey>);

impl Keyring {
    /// Of these keys.
    pub fn new(keys: Vec<SealingKey>) -> Self {
        Self(keys)
    }

    /// The id of the key that seals; none: nothing can be sealed.
    pub fn seals_with(&self) -> Option<&str> {
        self.0.first().map(|key| key.id.as_str())
    }

    /// Whether what is sealed with the key of this id can be opened.
    pub fn has(&self, id: &str) -> bool {
        self.of(id).is_some()
    }

    /// Signs what is part of a chain, with the key of this id: HMAC-SHA256 by a key of its own. None: it is not configured.
    pub fn sign(&self, id: &str, bytes: &[u8]) -> Option<[u8; 32]> {
        let signed = hmac::sign(&self.of(id)?.chains, bytes);
        signed.as_ref().try_into().ok()
    }

    pub(crate) fn first(&self) -> Option<&SealingKey> {
        self.0.first()
    }

    pub(crate) fn of(&self, id: &str) -> Option<&SealingKey> {
        self.0.iter().find(|key| key.id == id)
    }
}
