//! The codes themselves: computed, and compared in constant time.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq as _;

use super::{HmacHash, SigningKey};

/// Whether one of the keys makes one of the candidates out of these parts.
///
/// A key of no bytes is nobody's secret and makes nothing.
pub(super) fn any_made(hash: HmacHash, keys: &[SigningKey], parts: &[&[u8]], candidates: &[Vec<u8>]) -> bool {
    keys.iter().filter(|key| !key.0.is_empty()).any(|key| {
        // The body is hashed once for a key, however many signatures somebody lists. The whole code has to be there: a
        // shorter one does not match.
        let code = code(hash, key, parts);
        !code.is_empty() && candidates.iter().any(|candidate| code.ct_eq(candidate).into())
    })
}

/// The code that this key makes out of these parts.
pub(super) fn code(hash: HmacHash, key: &SigningKey, parts: &[&[u8]]) -> Vec<u8> {
    match hash {
        HmacHash::Sha1 => coded::<Hmac<Sha1>>(&key.0, parts),
        HmacHash::Sha256 => coded::<Hmac<Sha256>>(&key.0, parts),
        HmacHash::Sha512 => coded::<Hmac<Sha512>>(&key.0, parts),
    }
}

/// An HMAC takes a key of any length, so there always is one.
fn coded<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else {
        return Vec::new();
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}
