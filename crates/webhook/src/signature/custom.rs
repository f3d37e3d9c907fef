//! An HMAC with names of its own: which header, which hash, how it is written, what it covers.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use jiff::Timestamp;

use super::{Forged, Hmac, Received, SignatureEncoding, Signed, SigningKey, base64, mac, time};

impl Hmac {
    /// What a sender with this key would put into [`Hmac::header`]: for tests, simulators and trials.
    ///
    /// `timestamp` is as the sender writes it; nothing is made of it where no time is signed. Where the time has a
    /// header of its own, that header is the caller's to set.
    pub fn signature(&self, key: &SigningKey, timestamp: &str, method: &str, body: &[u8]) -> String {
        let code = mac::code(self.hash, key, &self.parts(timestamp, method, body));
        let signature = format!("{}{}", self.prefix, self.encoding.encode(&code));
        match self.list_mark() {
            Some(mark) => format!("{mark}{timestamp},{signature}"),
            None => signature,
        }
    }

    pub(super) fn verify(&self, received: &Received<'_>, now: Timestamp) -> Result<(), Forged> {
        let header = received.need(&self.header)?;
        let timestamp = self.timestamp_text(received)?;
        let signed_at = match (&self.timestamp, &timestamp) {
            (Some(place), Some(text)) => Some((
                place,
                time::any(text).ok_or_else(|| Forged::Unreadable(place.header.clone()))?,
            )),
            _ => None,
        };
        let candidates = self.candidates(&header);
        if candidates.is_empty() {
            return Err(Forged::Unreadable(self.header.clone()));
        }
        let parts = self.parts(timestamp.as_deref().unwrap_or_default(), received.method, received.body);
        if !self.proves_something() || !mac::any_made(self.hash, &self.keys, &parts, &candidates) {
            return Err(Forged::Mismatch);
        }
        match signed_at {
            Some((place, signed_at)) => time::near(signed_at, now, place.tolerance),
            None => Ok(()),
        }
    }

    /// Without the body, or with a time that anybody could write, a signature would prove nothing.
    fn proves_something(&self) -> bool {
        self.signed.contains(&Signed::Body) && self.timestamp.is_some() == self.signed.contains(&Signed::Timestamp)
    }

    /// What marks the time, where the header of the signature is a list with the time in it.
    fn list_mark(&self) -> Option<&str> {
        let place = self.timestamp.as_ref()?;
        (place.header == self.header && !place.prefix.is_empty()).then_some(place.prefix.as_str())
    }

    /// The signed time as it is written. One that is written twice is not readable: which one was meant?
    fn timestamp_text(&self, received: &Received<'_>) -> Result<Option<String>, Forged> {
        let Some(place) = &self.timestamp else { return Ok(None) };
        let header = received.need(&place.header)?;
        if place.prefix.is_empty() {
            return Ok(Some(header));
        }
        let mut times = items(&header).filter_map(|item| item.strip_prefix(place.prefix.as_str()));
        match (times.next(), times.next()) {
            (Some(one), None) => Ok(Some(one.to_owned())),
            _ => Err(Forged::Unreadable(place.header.clone())),
        }
    }

    /// The signatures that can be read as one.
    fn candidates(&self, header: &str) -> Vec<Vec<u8>> {
        let read = |text: &str| self.encoding.decode(text.strip_prefix(self.prefix.as_str())?);
        match self.list_mark() {
            Some(_) => items(header).filter_map(read).collect(),
            None => read(header).into_iter().collect(),
        }
    }

    fn parts<'a>(&'a self, timestamp: &'a str, method: &'a str, body: &'a [u8]) -> Vec<&'a [u8]> {
        let part = |signed: &'a Signed| match signed {
            Signed::Text(text) => text.as_bytes(),
            Signed::Timestamp => timestamp.as_bytes(),
            Signed::Body => body,
            Signed::Method => method.as_bytes(),
            Signed::Url(url) => url.as_bytes(),
        };
        self.signed.iter().map(part).collect()
    }
}

impl SignatureEncoding {
    fn encode(self, code: &[u8]) -> String {
        match self {
            Self::Hex => HEXLOWER.encode(code),
            Self::Base64 => base64::encode(code),
        }
    }

    /// Hexadecimal digits in either case; base64 in its one spelling.
    fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok(),
            Self::Base64 => base64::decode(text),
        }
    }
}

/// The items of a list with commas between, without the blanks around them.
fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(|item| item.trim_matches([' ', '\t']))
}
