//! The codes themselves: computed, and compared in constant time.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::{HmacHash, SigningKey};

/// Whether one of the keys makes one of the candidates out of these parts.
///
/// A key of no bytes is nobody's secret and makes nothing.
pub(super) fn any_made(hash: HmacHash, keys: &[SigningKey], parts: &[&[u8]], candidates: &[Vec<u8>]) -> bool {
    keys.iter()
        .map(|key| key.0.as_slice())
        .filter(|key| !key.is_empty())
        .any(|key| match hash {
            HmacHash::Sha1 => made::<Hmac<Sha1>>(key, parts, candidates),
            HmacHash::Sha256 => made::<Hmac<Sha256>>(key, parts, candidates),
            HmacHash::Sha512 => made::<Hmac<Sha512>>(key, parts, candidates),
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

fn made<M: Mac + KeyInit + Clone>(key: &[u8], parts: &[&[u8]], candidates: &[Vec<u8>]) -> bool {
    // The body is hashed once for a key, however many signatures somebody lists. `verify_slice` wants the whole code:
    // a shorter one does not match.
    running::<M>(key, parts).is_some_and(|mac| {
        candidates
            .iter()
            .any(|candidate| mac.clone().verify_slice(candidate).is_ok())
    })
}

fn coded<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    running::<M>(key, parts)
        .map(|mac| mac.finalize().into_bytes().to_vec())
        .unwrap_or_default()
}

/// An HMAC takes a key of any length, so there always is one.
fn running<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Option<M> {
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac)
}
