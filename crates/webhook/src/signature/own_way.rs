//! Senders with a way of their own: which header, hash and encoding, and what exactly is signed.

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use hmac::Mac as _;
use jiff::Timestamp;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::{Forged, Hmac, HmacHash, Received, SignatureEncoding, Signed, SignedTime, SigningKey, header, in_time};
use super::{is_digits, keyed};

pub(super) fn verify(hmac: &Hmac, received: &Received<'_>, now: Timestamp) -> Result<(), Forged> {
    let time = hmac.timestamp.as_ref();
    let spelled = time.map(|time| spelled_time(time, received)).transpose()?;
    let at = match (&spelled, time) {
        (Some(text), Some(time)) => {
            let at = read_time(text).ok_or_else(|| Forged::Unreadable(time.header.clone()))?;
            Some((at, time.tolerance))
        }
        _ => None,
    };
    let given = given(hmac, &header(received, &hmac.header)?);
    let parts = signed_parts(hmac, received, spelled.as_deref().unwrap_or_default());
    if !hmac.keys.iter().any(|key| fits(hmac.hash, key, &parts, &given)) {
        return Err(Forged::Mismatch);
    }
    match at {
        Some((at, tolerance)) => in_time(at, tolerance, now),
        None => Ok(()),
    }
}

/// The signature of one key, as the sender would write it, prefix included.
pub(super) fn signature(hmac: &Hmac, key: &SigningKey, received: &Received<'_>, time: &str) -> Option<String> {
    let parts = signed_parts(hmac, received, time);
    let made = match hmac.hash {
        HmacHash::Sha1 => keyed::<hmac::Hmac<Sha1>>(key, &parts)?.finalize().into_bytes().to_vec(),
        HmacHash::Sha256 => keyed::<hmac::Hmac<Sha256>>(key, &parts)?
            .finalize()
            .into_bytes()
            .to_vec(),
        HmacHash::Sha512 => keyed::<hmac::Hmac<Sha512>>(key, &parts)?
            .finalize()
            .into_bytes()
            .to_vec(),
    };
    let encoded = match hmac.encoding {
        SignatureEncoding::Hex => data_encoding::HEXLOWER.encode(&made),
        SignatureEncoding::Base64 => BASE64.encode(&made),
    };
    Some(format!("{}{encoded}", hmac.prefix))
}

/// The time as it is signed: the header, or its place in a list.
fn spelled_time(time: &SignedTime, received: &Received<'_>) -> Result<String, Forged> {
    let text = header(received, &time.header)?;
    if time.prefix.is_empty() {
        return Ok(text);
    }
    let mut found = items(&text).filter_map(|item| item.strip_prefix(time.prefix.as_str()));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.to_owned()),
        _ => Err(Forged::Unreadable(time.header.clone())),
    }
}

/// Seconds or milliseconds since 1970, or RFC 3339.
fn read_time(text: &str) -> Option<Timestamp> {
    if !is_digits(text) {
        return text.parse().ok();
    }
    let number: i64 = text.parse().ok()?;
    match text.len() {
        13 => Timestamp::from_millisecond(number).ok(),
        _ => Timestamp::from_second(number).ok(),
    }
}

/// The signatures that the header gives: one, or, where it is a list, each that the prefix marks.
fn given(hmac: &Hmac, text: &str) -> Vec<Vec<u8>> {
    let is_list = hmac
        .timestamp
        .as_ref()
        .is_some_and(|time| !time.prefix.is_empty() && time.header == hmac.header);
    let decoded = |item: &str| {
        let encoded = item.strip_prefix(hmac.prefix.as_str())?.as_bytes();
        match hmac.encoding {
            SignatureEncoding::Hex => HEXLOWER_PERMISSIVE.decode(encoded).ok(),
            SignatureEncoding::Base64 => BASE64.decode(encoded).ok(),
        }
    };
    if is_list {
        items(text).filter_map(decoded).collect()
    } else {
        decoded(text.trim()).into_iter().collect()
    }
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim)
}

fn signed_parts<'a>(hmac: &'a Hmac, received: &'a Received<'_>, time: &'a str) -> Vec<&'a [u8]> {
    let part = |part: &'a Signed| match part {
        Signed::Text(text) | Signed::Url(text) => text.as_bytes(),
        Signed::Timestamp => time.as_bytes(),
        Signed::Body => received.body,
        Signed::Method => received.method.as_bytes(),
    };
    hmac.signed.iter().map(part).collect()
}

fn fits(hash: HmacHash, key: &SigningKey, parts: &[&[u8]], given: &[Vec<u8>]) -> bool {
    fn any<M: hmac::KeyInit + hmac::Mac + Clone>(key: &SigningKey, parts: &[&[u8]], given: &[Vec<u8>]) -> bool {
        let mac = keyed::<M>(key, parts);
        mac.is_some_and(|mac| given.iter().any(|given| mac.clone().verify_slice(given).is_ok()))
    }
    match hash {
        HmacHash::Sha1 => any::<hmac::Hmac<Sha1>>(key, parts, given),
        HmacHash::Sha256 => any::<hmac::Hmac<Sha256>>(key, parts, given),
        HmacHash::Sha512 => any::<hmac::Hmac<Sha512>>(key, parts, given),
    }
}
