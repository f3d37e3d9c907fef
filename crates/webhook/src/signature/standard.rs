//! Standard Webhooks 1.0: `{id}.{timestamp}.{body}` under HMAC-SHA256.

use std::time::Duration;

use data_encoding::BASE64;
use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;

use super::{Forged, Received, SigningKey, header, in_time, is_digits, keyed};

const VERSION: &str = "v1,";

fn mac(key: &SigningKey, id: &str, timestamp: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    keyed(key, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body])
}

pub(super) fn sign(keys: &[SigningKey], id: &str, timestamp: &str, body: &[u8]) -> String {
    let one = |key| {
        let made = mac(key, id, timestamp, body)?.finalize().into_bytes();
        Some(format!("{VERSION}{}", BASE64.encode(&made)))
    };
    let all: Vec<String> = keys.iter().filter_map(one).collect();
    all.join(" ")
}

pub(super) fn verify(
    keys: &[SigningKey],
    tolerance: Duration,
    received: &Received<'_>,
    now: Timestamp,
) -> Result<(), Forged> {
    let id = header(received, "webhook-id")?;
    let timestamp = header(received, "webhook-timestamp")?;
    let signatures = header(received, "webhook-signature")?;
    if id.is_empty() {
        return Err(Forged::Unreadable("webhook-id".to_owned()));
    }
    let seconds = Some(&timestamp).filter(|text| is_digits(text));
    let at = seconds.and_then(|text| Timestamp::from_second(text.parse().ok()?).ok());
    let at = at.ok_or_else(|| Forged::Unreadable("webhook-timestamp".to_owned()))?;
    // Versions that are not known here may stand beside.
    let given = signatures.split(' ').filter_map(|one| one.strip_prefix(VERSION));
    let given: Vec<Vec<u8>> = given.filter_map(|one| BASE64.decode(one.as_bytes()).ok()).collect();
    let fits = |key| {
        let mac = mac(key, &id, &timestamp, received.body);
        mac.is_some_and(|mac| given.iter().any(|given| mac.clone().verify_slice(given).is_ok()))
    };
    if keys.iter().any(fits) {
        in_time(at, tolerance, now)
    } else {
        Err(Forged::Mismatch)
    }
}
