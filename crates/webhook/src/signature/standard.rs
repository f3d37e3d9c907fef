//! Standard Webhooks 1.0: `{id}.{timestamp}.{body}` under HMAC-SHA256. Senders of before it was a standard have other names for
//! its headers (`svix-id` and so on).

use std::time::Duration;

use jiff::Timestamp;

use super::{Forged, HmacHash, Received, SigningKey, base64, mac, time};

/// What a sender calls its three headers.
struct Names {
    id: &'static str,
    timestamp: &'static str,
    signature: &'static str,
}

const STANDARD: Names = Names {
    id: "webhook-id",
    timestamp: "webhook-timestamp",
    signature: "webhook-signature",
};

const SVIX: Names = Names {
    id: "svix-id",
    timestamp: "svix-timestamp",
    signature: "svix-signature",
};

const KEY_PREFIX: &str = "whsec_";
/// The version of the scheme with a shared secret; others may stand beside it.
const VERSION: &str = "v1";

pub(super) fn key(text: &str) -> Result<Vec<u8>, &'static str> {
    let key = match text.strip_prefix(KEY_PREFIX) {
        Some(encoded) => base64::decode(encoded).ok_or("what follows `whsec_` is not base64")?,
        None => base64::decode(text).unwrap_or_else(|| text.as_bytes().to_vec()),
    };
    if key.is_empty() {
        return Err("the secret is empty");
    }
    Ok(key)
}

/// All three are of one kind: what is signed under the one name cannot be given another value under the other.
fn names(received: &Received<'_>) -> &'static Names {
    let has_any = |names: &Names| {
        let mut of = [names.id, names.timestamp, names.signature].into_iter();
        of.any(|name| (received.header)(name).is_some())
    };
    if !has_any(&STANDARD) && has_any(&SVIX) {
        &SVIX
    } else {
        &STANDARD
    }
}

/// Whether this header holds the id that is signed.
pub(super) fn is_id(name: &str) -> bool {
    [STANDARD.id, SVIX.id].contains(&name)
}

/// The id that is signed, whatever the sender calls it.
pub(super) fn id(received: &Received<'_>) -> Option<String> {
    (received.header)(names(received).id)
}

/// An id may have full stops in it, although the scheme parts by them: what one could move over a full stop would leave
/// a body that begins with digits and a full stop, and no event does.
pub(super) fn verify(
    keys: &[SigningKey],
    tolerance: Duration,
    received: &Received<'_>,
    now: Timestamp,
) -> Result<(), Forged> {
    let names = names(received);
    let id = received.need(names.id)?;
    let timestamp = received.need(names.timestamp)?;
    let signatures = received.need(names.signature)?;
    if id.is_empty() {
        return Err(Forged::Unreadable(names.id.to_owned()));
    }
    let signed = time::seconds(&timestamp).ok_or_else(|| Forged::Unreadable(names.timestamp.to_owned()))?;
    let candidates = candidates(&signatures);
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", received.body];
    if !mac::any_made(HmacHash::Sha256, keys, &parts, &candidates) {
        return Err(Forged::Mismatch);
    }
    time::near(signed, now, tolerance)
}

/// The signatures of our version; what is written otherwise, or of another version, is passed over.
fn candidates(header: &str) -> Vec<Vec<u8>> {
    header
        .split(' ')
        .filter_map(|one| one.split_once(','))
        .filter(|(version, _)| *version == VERSION)
        .filter_map(|(_, encoded)| base64::decode(encoded))
        .collect()
}

/// The `webhook-signature` of Standard Webhooks 1.0: one `v1,…` for each key, with blanks between.
pub fn sign(keys: &[SigningKey], id: &str, timestamp: Timestamp, body: &[u8]) -> String {
    let seconds = timestamp.as_second().to_string();
    let parts = [id.as_bytes(), b".", seconds.as_bytes(), b".", body];
    let signature = |key| {
        format!(
            "{VERSION},{}",
            base64::encode(&mac::code(HmacHash::Sha256, key, &parts))
        )
    };
    keys.iter().map(signature).collect::<Vec<_>>().join(" ")
}
