//! Signatures of Standard Webhooks, written here from their specification alone and not taken from the gateway.

use std::io;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The secret of a hook, ready to sign.
#[derive(Clone)]
pub(crate) struct Signer(Hmac<Sha256>);

impl Signer {
    /// Reads `whsec_` and the base64 of 24 to 64 bytes. The error does not show the secret.
    pub(crate) fn new(secret: &str) -> io::Result<Self> {
        let wrong = || {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "secret: expected whsec_ and base64 of 24 to 64 bytes",
            )
        };
        let text = secret.strip_prefix("whsec_").ok_or_else(wrong)?;
        let key = BASE64.decode(text.as_bytes()).map_err(|_| wrong())?;
        if !(24..=64).contains(&key.len()) {
            return Err(wrong());
        }
        Ok(Self(Hmac::new_from_slice(&key).map_err(|_| wrong())?))
    }

    /// The value of `webhook-signature` for an id, a moment in Unix seconds and the raw body.
    pub(crate) fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
    }
}
