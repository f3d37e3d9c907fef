//! Digests of what is looked for and not read back: identifiers, match keys, ids of vendors' records.

use std::borrow::Cow;
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
    EventId = 5,
    EventContent = 6,
    IdempotencyKey = 7,
    Certificate = 8,
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
    hides: bool,
}

impl Digests {
    /// With the key of a file or a database. `hides`: nothing that is looked for by its whole stands in the clear.
    pub(crate) const fn new(key: [u8; 16], hides: bool) -> Self {
        Self { key, hides }
    }

    pub(crate) fn digest(&self, kind: Kind, value: &str) -> Digest {
        self.digest_of(kind, value.as_bytes())
    }

    /// A text that is looked for by its whole, as it is kept.
    pub(crate) fn text<'a>(&self, kind: Kind, value: &'a str) -> Cow<'a, str> {
        if self.hides {
            let digest = u128::from_be_bytes(self.digest(kind, value).bytes());
            format!("{digest:032x}").into()
        } else {
            value.into()
        }
    }

    /// The same of bytes.
    pub(crate) fn hash<'a>(&self, kind: Kind, value: &'a [u8]) -> Cow<'a, [u8]> {
        if self.hides {
            self.digest_of(kind, value).bytes().to_vec().into()
        } else {
            value.into()
        }
    }

    fn digest_of(&self, kind: Kind, value: &[u8]) -> Digest {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write(&[kind as u8]);
        hasher.write(value);
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
        let digests = Digests::new([1; 16], false);
        let ann = digests.digest(Kind::Email, "ann@example.com");
        assert_eq!(ann, digests.digest(Kind::Email, "ann@example.com"));
        for other in [
            digests.digest(Kind::Reference, "ann@example.com"),
            digests.digest(Kind::Email, "bob@example.com"),
            Digests::new([2; 16], false).digest(Kind::Email, "ann@example.com"),
        ] {
            assert!(ann != other && ann.bytes() != other.bytes());
            assert_eq!(Digest::of_bytes(&other.bytes()), Some(other));
        }
        assert_eq!(Digest::of_bytes(&[1; 15]), None);
    }

    #[test]
    fn what_is_looked_for_by_its_whole_is_hidden_where_the_store_is_sealed() {
        let (open, hiding) = (Digests::new([1; 16], false), Digests::new([1; 16], true));
        assert_eq!(open.text(Kind::EventId, "evt_1"), "evt_1");
        assert_eq!(open.hash(Kind::IdempotencyKey, &[7; 32]), &[7; 32][..]);
        let hidden = hiding.text(Kind::EventId, "evt_1");
        assert!(hidden.len() == 32 && hidden != hiding.text(Kind::EventContent, "evt_1"));
        assert_eq!(hiding.hash(Kind::IdempotencyKey, &[7; 32]).len(), 16);
    }
}
