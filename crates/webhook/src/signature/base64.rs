//! Base64 in the one way that a text can be written in it.

use data_encoding::BASE64;

/// Padded, without stray bits at the end, and without padding in the middle, which `data-encoding` takes as two texts
/// one after the other: a second spelling of a signature is not the signature.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let bytes = BASE64.decode(text.as_bytes()).ok()?;
    (encode(&bytes) == text).then_some(bytes)
}

pub(super) fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}
