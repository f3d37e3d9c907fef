//! Envelopes: what one owner has sealed at one time, under a data key of its own.

use std::fmt;

use aws_lc_rs::aead::RandomizedNonceKey;
use aws_lc_rs::rand;
use data_encoding::BASE64;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};

use crate::bound::{KEY_BYTES, key, open, place, seal};
use crate::keyring::{Keyring, SealingKey};
use crate::{NotOpened, NotSealed};

/// What stands before every place, so that nothing else that is sealed with the same key can be taken for it.
const OURS: &str = "upsert-gateway";

/// A data key, wrapped by a configured key: to be kept beside what it seals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrappedKey {
    /// The id of the configured key.
    pub key_id: String,
    /// The data key, sealed with that, in Base64.
    pub wrapped: String,
}

/// What is sealed together: for what, and whose.
struct Envelope<'a> {
    purpose: &'a str,
    owner: &'a str,
    key_id: &'a str,
}

impl Envelope<'_> {
    fn place_of_key(&self) -> Vec<u8> {
        place(&[OURS, "data key", self.purpose, self.owner, self.key_id])
    }

    fn place_of(&self, field: &str) -> Vec<u8> {
        place(&[OURS, "value", self.purpose, self.owner, self.key_id, field])
    }
}

/// Seals one owner's texts. Its `Debug` shows no key.
pub struct Sealer<'a> {
    by: &'a SealingKey,
    purpose: &'a str,
    owner: &'a str,
    key: RandomizedNonceKey,
    wrapped: WrappedKey,
}

impl fmt::Debug for Sealer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("by", &self.by).finish_non_exhaustive()
    }
}

impl Sealer<'_> {
    /// Seals the text of a field, in Base64.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn seal(&self, field: &str, text: &str) -> Result<String, NotSealed> {
        let envelope = Envelope {
            purpose: self.purpose,
            owner: self.owner,
            key_id: &self.by.id,
        };
        let sealed = seal(&self.key, &envelope.place_of(field), text.as_bytes())?;
        Ok(BASE64.encode(&sealed))
    }

    /// What a text is known by: the same for the same owner as long as the configured key is, and nothing to guess from.
    pub fn fingerprint(&self, text: &str) -> String {
        self.by.fingerprint(self.owner, text)
    }

    /// To be kept beside what was sealed.
    pub fn into_wrapped(self) -> WrappedKey {
        self.wrapped
    }
}

/// Opens one owner's texts. Its `Debug` shows no key.
pub struct Opener<'a> {
    purpose: &'a str,
    owner: &'a str,
    key_id: String,
    key: RandomizedNonceKey,
}

impl fmt::Debug for Opener<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

impl Opener<'_> {
    /// Opens the text of a field.
    ///
    /// # Errors
    /// It was changed, or is another field's.
    pub fn open(&self, field: &str, sealed: &str) -> Result<SecretString, NotOpened> {
        let damaged = || NotOpened::Damaged(self.key_id.clone());
        let envelope = Envelope {
            purpose: self.purpose,
            owner: self.owner,
            key_id: &self.key_id,
        };
        let sealed = BASE64.decode(sealed.as_bytes()).map_err(|_| damaged())?;
        let text = open(&self.key, &envelope.place_of(field), &sealed, &self.key_id)?;
        let text = std::str::from_utf8(&text).map_err(|_| damaged())?;
        Ok(text.into())
    }
}

impl Keyring {
    /// A new envelope, with a data key of its own; none where no key is configured.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn sealer<'a>(&'a self, purpose: &'a str, owner: &'a str) -> Option<Result<Sealer<'a>, NotSealed>> {
        self.first().map(|by| {
            let mut bytes = Zeroizing::new([0; KEY_BYTES]);
            rand::fill(bytes.as_mut_slice()).map_err(|_| NotSealed)?;
            let envelope = Envelope {
                purpose,
                owner,
                key_id: &by.id,
            };
            let wrapped = seal(&by.key, &envelope.place_of_key(), bytes.as_slice())?;
            Ok(Sealer {
                by,
                purpose,
                owner,
                key: key(&bytes)?,
                wrapped: WrappedKey {
                    key_id: by.id.clone(),
                    wrapped: BASE64.encode(&wrapped),
                },
            })
        })
    }

    /// Opens the envelope that this data key is of.
    ///
    /// # Errors
    /// Its key is not configured, is another one, or the data key is another owner's.
    pub fn opener<'a>(&self, purpose: &'a str, owner: &'a str, wrapped: &WrappedKey) -> Result<Opener<'a>, NotOpened> {
        let key_id = &wrapped.key_id;
        let by = self.of(key_id).ok_or_else(|| NotOpened::UnknownKey(key_id.clone()))?;
        let damaged = || NotOpened::Damaged(key_id.clone());
        let envelope = Envelope { purpose, owner, key_id };
        let sealed = BASE64.decode(wrapped.wrapped.as_bytes()).map_err(|_| damaged())?;
        let bytes = open(&by.key, &envelope.place_of_key(), &sealed, key_id)?;
        let bytes: Zeroizing<[u8; KEY_BYTES]> = Zeroizing::new(bytes.as_slice().try_into().map_err(|_| damaged())?);
        Ok(Opener {
            purpose,
            owner,
            key_id: key_id.clone(),
            key: key(&bytes).map_err(|_| damaged())?,
        })
    }
}
