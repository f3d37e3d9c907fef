//! One sealed piece: a byte for the form, the nonce, the ciphertext with its tag; bound to where it stands.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use secrecy::zeroize::Zeroizing;

use crate::{NotOpened, NotSealed};

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;

/// The only form so far: AES-256-GCM, a nonce of 96 random bits, a tag of 128.
const FORM: u8 = 1;

/// A key that seals and opens.
pub(crate) fn key(bytes: &[u8; KEY_BYTES]) -> Result<RandomizedNonceKey, NotSealed> {
    RandomizedNonceKey::new(&AES_256_GCM, bytes).map_err(|_| NotSealed)
}

/// Where it stands, in a form in which no two places are alike: each part after its length.
pub(crate) fn place(parts: &[&str]) -> Vec<u8> {
    let mut place = Vec::new();
    for part in parts {
        place.extend((part.len() as u64).to_be_bytes());
        place.extend(part.as_bytes());
    }
    place
}

/// Seals it for this place.
pub(crate) fn seal(key: &RandomizedNonceKey, place: &[u8], text: &[u8]) -> Result<Vec<u8>, NotSealed> {
    let mut hidden = text.to_vec();
    let nonce = key.seal_in_place_append_tag(Aad::from(place), &mut hidden);
    let nonce = nonce.map_err(|_| NotSealed)?;
    let mut sealed = vec![FORM];
    sealed.extend(nonce.as_ref());
    sealed.extend(hidden);
    Ok(sealed)
}

/// Opens what was sealed for this place. `of`: the id of the key that it depends on.
pub(crate) fn open(
    key: &RandomizedNonceKey,
    place: &[u8],
    sealed: &[u8],
    of: &str,
) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
    let damaged = || NotOpened::Damaged(of.to_owned());
    let (form, rest) = sealed.split_first().ok_or_else(damaged)?;
    if *form != FORM {
        return Err(NotOpened::UnknownForm);
    }
    let (nonce, hidden) = rest.split_at_checked(NONCE_LEN).ok_or_else(damaged)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
    let mut text = Zeroizing::new(hidden.to_vec());
    let opened = key.open_in_place(nonce, Aad::from(place), &mut text);
    let length = opened.map_err(|_| damaged())?.len();
    text.truncate(length);
    Ok(text)
}
