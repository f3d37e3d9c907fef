//! Who sent an event: signatures over the raw body, checked in constant time; and the signature of ours.

mod base64;
mod custom;
mod mac;
mod standard;
mod time;

#[cfg(test)]
mod tampering;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

pub use standard::sign;

/// A secret that signs, as bytes.
#[derive(Clone, PartialEq, Eq, derive_more::Debug)]
#[debug("SigningKey(…)")]
pub struct SigningKey(Vec<u8>);

/// A request as it came, as far as a signature may cover it.
pub struct Received<'a> {
    /// The value of the header of this name (in small letters); none: it is not there, there are several, or it is no
    /// visible text.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// The HTTP method.
    pub method: &'a str,
    /// The body, to the byte.
    pub body: &'a [u8],
}

/// How events of one source are verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verifier {
    /// Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp`, `webhook-signature`; or `svix-id` and so on.
    Standard {
        /// Any of them may have signed.
        keys: Vec<SigningKey>,
        /// How far the timestamp may be off, either way.
        tolerance: Duration,
    },
    /// An HMAC with names of its own.
    Hmac(Hmac),
}

/// Why an event is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// A header that the scheme needs is not there, or not as one text.
    #[error("the header `{0}` is missing")]
    Missing(String),
    /// A header cannot be read.
    #[error("the header `{0}` cannot be read")]
    Unreadable(String),
    /// No secret made this signature.
    #[error("the signature does not match")]
    Mismatch,
    /// The signed timestamp is too far off.
    #[error("the signed time is too far from now")]
    Stale,
}

/// An HMAC with names of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hmac {
    /// Any of them may have signed.
    pub keys: Vec<SigningKey>,
    /// The header that carries the signature, in small letters.
    pub header: String,
    /// The hash.
    pub hash: HmacHash,
    /// How the signature is written.
    pub encoding: SignatureEncoding,
    /// What stands before the signature, such as `sha256=`; may be empty.
    pub prefix: String,
    /// Where the signed timestamp stands, if one is signed.
    pub timestamp: Option<SignedTime>,
    /// What is signed, in this order.
    pub signed: Vec<Signed>,
}

/// Where the signed timestamp stands, and how far it may be off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTime {
    /// The header, in small letters.
    pub header: String,
    /// Where the header is a list of `key=value` with commas between: what stands before the time, such as `t=`. Then
    /// `Hmac::prefix` marks the signatures in such a list. Empty: the header is the time.
    pub prefix: String,
    /// How far it may be off, either way.
    pub tolerance: Duration,
}

/// A part of what is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signed {
    /// This text as it is.
    Text(String),
    /// The timestamp as the header has it.
    Timestamp,
    /// The raw body.
    Body,
    /// The HTTP method.
    Method,
    /// The URL that the sender calls, as configured: behind a proxy nobody else knows it.
    Url(String),
}

/// The hash of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum HmacHash {
    /// SHA-1, for senders that know no better.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum SignatureEncoding {
    /// Hexadecimal digits.
    Hex,
    /// Base64, padded.
    Base64,
}

impl SigningKey {
    /// The secret of Standard Webhooks: base64, after `whsec_` if that stands there. A text that is no base64 and has no
    /// such prefix is taken as the bytes that it is.
    ///
    /// # Errors
    /// `whsec_` is followed by what is no base64, or nothing is left.
    pub fn standard(text: &str) -> Result<Self, &'static str> {
        standard::key(text).map(Self)
    }

    /// The secret as the bytes of its text.
    pub fn raw(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl Verifier {
    /// Whether one of the secrets signed this, and, where a time is signed, not too long ago.
    ///
    /// # Errors
    /// Why it is not believed. The signature is judged first: a stale event is one that was truly signed.
    pub fn verify(&self, received: &Received<'_>, now: Timestamp) -> Result<(), Forged> {
        match self {
            Self::Standard { keys, tolerance } => standard::verify(keys, *tolerance, received, now),
            Self::Hmac(hmac) => hmac.verify(received, now),
        }
    }

    /// The value of a header of an event that was verified. By either of its names the id of Standard Webhooks is the one that is
    /// signed: whoever plays an event again cannot give it another one.
    pub fn header(&self, received: &Received<'_>, name: &str) -> Option<String> {
        if self.signs_id(name) {
            standard::id(received)
        } else {
            (received.header)(name)
        }
    }

    /// Whether this header holds an id that is part of what is signed.
    pub fn signs_id(&self, name: &str) -> bool {
        matches!(self, Self::Standard { .. }) && standard::is_id(name)
    }

    /// Whether the time of sending is part of what is signed: an event cannot be played again once that is too far off.
    pub const fn signs_a_time(&self) -> bool {
        match self {
            Self::Standard { .. } => true,
            Self::Hmac(hmac) => hmac.timestamp.is_some(),
        }
    }

    /// Keyed fingerprints of a text, by each of the secrets, the newest one's first: whoever reads them without a secret
    /// cannot tell by trying what the text was. No sender is asked to sign what begins as it does here.
    pub fn fingerprints(&self, text: &str) -> Vec<String> {
        const FOR: &[u8] = b"upsert-gateway fingerprint\0";
        let keys = match self {
            Self::Standard { keys, .. } => keys,
            Self::Hmac(hmac) => &hmac.keys,
        };
        let print = |key| data_encoding::HEXLOWER.encode(&mac::code(HmacHash::Sha256, key, &[FOR, text.as_bytes()]));
        keys.iter().map(print).collect()
    }
}

impl Received<'_> {
    fn need(&self, name: &str) -> Result<String, Forged> {
        (self.header)(name).ok_or_else(|| Forged::Missing(name.to_owned()))
    }
}
