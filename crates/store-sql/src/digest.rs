//! Digests of what is looked for and not read back: identifiers, match keys, ids of vendors' records.

use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// What is looked for. The numbers are kept, so they never change.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Id = 0,
    Reference = 1,
    Email = 2,
    Phone = 3,
    VendorRecord = 4,
    Certificate = 5,
}

/// 128 bits of a kind and a value, keyed with what is the file's or database's own: nobody can make two values that share
/// one, and who reads it alone finds no value in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) hash: i64,
    pub(crate) rest: i64,
}

impl Digest {
    /// Of what [`Digest::bytes`] gave.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let bits = u128::from_be_bytes(bytes.try_into().ok()?);
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).ok();
        Some(Self {
            hash: half(bits >> 64)?.cast_signed(),
            rest: half(bits)?.cast_signed(),
        })
    }

    pub(crate) fn bytes(self) -> [u8; 16] {
        let bits = u128::from(self.hash.cast_unsigned()) << 64 | u128::from(self.rest.cast_unsigned());
        bits.to_be_bytes()
    }
}

/// Makes digests.
#[derive(Clone)]
pub(crate) struct Digests {
    key: [u8; 16],
}

impl Digests {
    /// With the key of a file or a database.
    pub(crate) const fn new(key: [u8; 16]) -> Self {
        Self { key }
    }

    pub(crate) fn digest(&self, kind: Kind, value: &str) -> Digest {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write(&[kind as u8]);
        hasher.write(value.as_bytes());
        let hash = hasher.finish128();
        Digest {
            hash: hash.h1.cast_signed(),
            rest: hash.h2.cast_signed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_kind_value_and_key() {
        let digests = Digests { key: [1; 16] };
        let ann = digests.digest(Kind::Email, "ann@example.com");
        assert_eq!(ann, digests.digest(Kind::Email, "ann@example.com"));
        for other in [
            digests.digest(Kind::Reference, "ann@example.com"),
            digests.digest(Kind::Email, "bob@example.com"),
            Digests { key: [2; 16] }.digest(Kind::Email, "ann@example.com"),
        ] {
            assert!(ann != other && ann.bytes() != other.bytes());
            assert_eq!(Digest::of_bytes(&other.bytes()), Some(other));
        }
        assert_eq!(Digest::of_bytes(&[1; 15]), None);
    }
}
