//! Keys that are kept: random ones, wrapped by a configured key, that seal very many values of one owner.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use secrecy::zeroize::Zeroizing;

use crate::bound::{KEY_BYTES, open, place, seal};
use crate::keyring::Keyring;
use crate::{NotOpened, NotSealed};

/// Fills it with random bytes.
///
/// # Errors
/// There is no randomness.
pub fn random(bytes: &mut [u8]) -> Result<(), NotSealed> {
    rand::fill(bytes).map_err(|_| NotSealed)
}

/// A random key that is kept, wrapped by a configured key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptKey {
    /// The id of the configured key.
    pub wrapped_by: String,
    /// The key, sealed with that.
    pub wrapped: Vec<u8>,
}

/// Where a kept key stands. Nothing that stands in one place opens in another.
fn place_of(parts: &[&str], wrapped_by: &str) -> Vec<u8> {
    let mut all = vec!["upsert-gateway", "kept key", wrapped_by];
    all.extend(parts);
    place(&all)
}

impl Keyring {
    /// Wraps a key for its place with the first configured key; none where no key is configured.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn wrap(&self, parts: &[&str], key: &[u8]) -> Option<Result<KeptKey, NotSealed>> {
        self.first().map(|by| {
            Ok(KeptKey {
                wrapped_by: by.id.clone(),
                wrapped: seal(&by.key, &place_of(parts, &by.id), key)?,
            })
        })
    }

    /// Makes a random key and wraps it, as [`Keyring::wrap`] does.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn wrap_new(&self, parts: &[&str]) -> Option<Result<KeptKey, NotSealed>> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        match random(key.as_mut_slice()) {
            Ok(()) => self.wrap(parts, key.as_slice()),
            Err(error) => Some(Err(error)),
        }
    }

    /// Unwraps a key that was wrapped for this place.
    ///
    /// # Errors
    /// The configured key is not there or is another one, or it was wrapped for another place, or changed.
    pub fn unwrap(&self, parts: &[&str], kept: &KeptKey) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        let id = &kept.wrapped_by;
        let by = self.of(id).ok_or_else(|| NotOpened::UnknownKey(id.clone()))?;
        open(&by.key, &place_of(parts, id), &kept.wrapped, id)
    }
}

/// A key that seals values in place. Its `Debug` shows nothing, and its memory is wiped when it goes.
pub struct DataKey(LessSafeKey);

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey").finish_non_exhaustive()
    }
}

impl DataKey {
    /// Bytes of a key.
    pub const BYTES: usize = KEY_BYTES;

    /// Bytes that stand before what is sealed: a random nonce of 96 bits. So a key may seal 2^32 values.
    pub const NONCE_BYTES: usize = NONCE_LEN;

    /// Bytes of the tag that stands behind it.
    pub const TAG_BYTES: usize = 16;

    /// Of its bytes.
    ///
    /// # Errors
    /// They are too few or too many.
    pub fn new(bytes: &[u8]) -> Result<Self, NotSealed> {
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| NotSealed)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals what stands from `from` on, for this place: the nonce is put into the bytes right before it, the tag behind it.
    ///
    /// # Errors
    /// There is no randomness, or no room for the nonce.
    pub fn seal(&self, place: &[u8], bytes: &mut Vec<u8>, from: usize) -> Result<(), NotSealed> {
        let (before, text) = bytes.split_at_mut_checked(from).ok_or(NotSealed)?;
        let nonce = before.last_chunk_mut::<NONCE_LEN>().ok_or(NotSealed)?;
        random(nonce)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(place), text);
        let tag = tag.map_err(|_| NotSealed)?;
        bytes.extend(tag.as_ref());
        Ok(())
    }

    /// Opens what was sealed for this place: nonce, what is sealed, tag.
    ///
    /// # Errors
    /// It was changed, or stands where it was not sealed for.
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, NotOpened> {
        let changed = NotOpened::Changed;
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(changed.clone())?;
        let (hidden, tag) = rest.split_last_chunk::<{ Self::TAG_BYTES }>().ok_or(changed.clone())?;
        let mut text = vec![0; hidden.len()];
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self
            .0
            .open_separate_gather(nonce, Aad::from(place), hidden, tag, &mut text);
        opened.map_err(|_| changed)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: usize = 3 + DataKey::NONCE_BYTES;

    fn sealed(key: &DataKey, place: &[u8], text: &[u8]) -> Vec<u8> {
        let mut bytes = vec![7; FROM];
        bytes.extend(text);
        key.seal(place, &mut bytes, FROM).unwrap();
        bytes
    }

    #[test]
    fn what_is_sealed_in_place_opens_for_its_place_alone_and_shows_nothing() {
        let (key, other) = (DataKey::new(&[1; 32]).unwrap(), DataKey::new(&[2; 32]).unwrap());
        for text in [&b""[..], b"ann@example.com"] {
            let kept = sealed(&key, b"here", text);
            assert!(kept.starts_with(&[7; 3]) && kept.len() == FROM + text.len() + DataKey::TAG_BYTES);
            assert!(text.is_empty() || !kept.windows(text.len()).any(|part| part == text));
            let kept = &kept[3..];
            assert_eq!(key.open(b"here", kept).unwrap(), text);
            assert_eq!(key.open(b"there", kept), Err(NotOpened::Changed));
            assert_eq!(other.open(b"here", kept), Err(NotOpened::Changed));
            for index in 0..kept.len() {
                let mut changed = kept.to_vec();
                changed[index] ^= 1;
                assert_eq!(key.open(b"here", &changed), Err(NotOpened::Changed));
                assert_eq!(key.open(b"here", &kept[..index]), Err(NotOpened::Changed));
            }
        }
        assert_ne!(sealed(&key, b"", b"a"), sealed(&key, b"", b"a"), "another nonce");
    }

    #[test]
    fn there_has_to_be_room_for_the_nonce() {
        let key = DataKey::new(&[1; 32]).unwrap();
        let mut bytes = vec![0; DataKey::NONCE_BYTES - 1];
        let from = bytes.len();
        assert_eq!(key.seal(b"", &mut bytes, from), Err(NotSealed));
        assert_eq!(key.seal(b"", &mut bytes, from + 9), Err(NotSealed));
        assert!(DataKey::new(&[1; 31]).is_err());
    }
}
