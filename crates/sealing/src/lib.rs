//! Sealing what is kept: envelopes of AES-256-GCM, each with a data key of its own, which one of the configured keys wraps.
//! And signing what is shown to others (`signing.rs`).
//!
//! What it does: seals texts, opens them, and names them by fingerprints that nobody can guess from. Whatever is sealed is
//! bound to what it is for, whose it is, in which field it stands and which configured key it depends on: put anywhere else,
//! it cannot be opened. For what is kept in bulk there are keys that are kept themselves, wrapped ([`DataKey`], [`KeptKey`]).
//!
//! What it does not: it keeps nothing and knows no store. Nonces are random; a data key of an envelope seals that one's few
//! texts, and who uses a [`DataKey`] counts, so that no key seals more than 2^32 of them.

mod bound;
mod data_key;
mod envelope;
mod keyring;
mod signing;

pub use data_key::{DataKey, KeptKey, random};
pub use envelope::{Opener, Sealer, WrappedKey};
pub use keyring::{BadKey, Keyring, SealingKey};
pub use signing::{NoSigningKey, SigningKey, is_signed_by};

/// Something could not be sealed: the machine gives no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the machine gave no randomness to seal with")]
pub struct NotSealed;

/// Something could not be opened. Its text holds nothing of what is sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// None of the configured keys has this id.
    #[error("it is sealed with the key `{0}`, which is not configured")]
    UnknownKey(String),
    /// It was changed, or stands where it was not sealed for, or the key of this id is another one now.
    #[error("it was changed since it was sealed, or the key `{0}` is another one now")]
    Damaged(String),
    /// It was changed since it was sealed, or stands where it was not sealed for.
    #[error("it was changed since it was sealed, or was put there from elsewhere")]
    Changed,
    /// It is of a form that this version does not know.
    #[error("it is sealed in a form that this version does not know")]
    UnknownForm,
}
