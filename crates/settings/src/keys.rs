//! API keys: making them, hashing them, and seeing that one was mistyped.
//!
//! `ugk_`, 52 characters for 32 random bytes, 6 for a checksum. The checksum saves a look-up and gives a better answer to
//! whoever copied half a key; it proves nothing, and a key without our prefix has none.

use data_encoding::{BASE32_NOPAD, BASE64, HEXLOWER};
use rand::TryRngCore;
use rand::rngs::OsRng;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

/// What the keys that we make start with.
pub const KEY_PREFIX: &str = "ugk_";

const RANDOM_CHARACTERS: usize = 52;
const CHECKSUM_CHARACTERS: usize = 6;

/// A key just made; it is shown once. `Debug` shows the hash alone.
#[derive(derive_more::Debug)]
pub struct NewKey {
    /// The key itself, for its owner.
    #[debug(skip)]
    pub key: String,
    /// Its hash in hexadecimal digits, for `key_sha256`.
    pub sha256_hex: String,
}

/// The operating system has no randomness to give.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no randomness: {0}")]
pub struct NoRandomness(String);

/// Makes a key out of the operating system's randomness.
pub fn generate_key() -> Result<NewKey, NoRandomness> {
    Ok(key_from_random(&random()?))
}

/// Makes a key for `store.encryption_keys`: 32 random bytes in Base64.
pub fn generate_encryption_key() -> Result<SecretString, NoRandomness> {
    Ok(BASE64.encode(&random()?).into())
}

fn random() -> Result<[u8; 32], NoRandomness> {
    let mut random = [0; 32];
    OsRng
        .try_fill_bytes(&mut random)
        .map_err(|error| NoRandomness(error.to_string()))?;
    Ok(random)
}

/// The key that these random bytes make.
pub fn key_from_random(random: &[u8; 32]) -> NewKey {
    let body = format!("{KEY_PREFIX}{}", BASE32_NOPAD.encode(random).to_ascii_lowercase());
    let key = format!("{body}{}", checksum(&body));
    let sha256_hex = HEXLOWER.encode(&key_hash(&key));
    NewKey { key, sha256_hex }
}

/// The hash by which a key is known.
pub fn key_hash(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

/// Hex of a SHA-256 over these parts, each after its length, so that none can pass for a piece of another.
pub(crate) fn hex_digest<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    HEXLOWER.encode(&hash.finalize())
}

/// Whether a key carries our prefix, yet cannot be one that we made. Keys without it are judged by their hash alone.
pub fn looks_mistyped(key: &str) -> bool {
    let Some(rest) = key.strip_prefix(KEY_PREFIX) else {
        return false;
    };
    if !rest.is_ascii() || rest.len() != RANDOM_CHARACTERS + CHECKSUM_CHARACTERS {
        return true;
    }
    let (body, sum) = key.split_at(KEY_PREFIX.len() + RANDOM_CHARACTERS);
    checksum(body) != sum
}

fn checksum(body: &str) -> String {
    let mut sum = BASE32_NOPAD.encode(&Sha256::digest(body)).to_ascii_lowercase();
    sum.truncate(CHECKSUM_CHARACTERS);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_hash_and_its_form_is_fixed() {
        let key = key_from_random(&[7; 32]);
        assert_eq!(key.key.len(), 62);
        assert!(key.key.starts_with("ugk_a4dqob"), "{}", key.key);
        assert_eq!(key.sha256_hex, HEXLOWER.encode(&key_hash(&key.key)));
        assert!(!looks_mistyped(&key.key));
    }

    #[test]
    fn two_keys_are_never_the_same() {
        let (one, other) = (generate_key().expect("randomness"), generate_key().expect("randomness"));
        assert_ne!(one.key, other.key);
        assert!(!looks_mistyped(&one.key) && !looks_mistyped(&other.key));
    }

    #[test]
    fn every_single_mistyped_character_is_seen() {
        let key = key_from_random(&[42; 32]).key;
        for position in KEY_PREFIX.len()..key.len() {
            let mut mistyped = key.clone().into_bytes();
            mistyped[position] = if mistyped[position] == b'a' { b'b' } else { b'a' };
            assert!(
                looks_mistyped(&String::from_utf8(mistyped).expect("ASCII")),
                "position {position}"
            );
        }
        assert!(looks_mistyped(&key[..40]) && looks_mistyped("ugk_") && looks_mistyped("ugk_ä"));
    }

    #[test]
    fn a_key_without_our_prefix_is_never_called_mistyped() {
        for key in ["", "sk_live_123", "UGK_abc", "ugk"] {
            assert!(!looks_mistyped(key), "{key}");
        }
    }

    #[test]
    fn debug_shows_the_hash_and_not_the_key() {
        let key = key_from_random(&[1; 32]);
        assert!(!format!("{key:?}").contains(&key.key));
    }
}
