//! Every way to sign that the project's examples have, and a few more.

use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use jiff::Timestamp;

use super::Event;
use crate::signature::{Hmac, HmacHash, SignatureEncoding, Signed, SignedTime, SigningKey, Verifier, sign};

pub(super) const URL: &str = "https://gateway.example.com/v1/webhooks/acme/shop?tenant=1";
const TOLERANCE: Duration = Duration::from_mins(5);

/// How a sender writes the time.
#[derive(Clone, Copy)]
enum Clock {
    Seconds,
    Milliseconds,
    Rfc3339,
}

pub(super) struct Scheme {
    pub(super) name: &'static str,
    pub(super) verifier: Verifier,
    clock: Clock,
}

/// All share this secret, so that nothing but the scheme keeps them apart.
pub(super) fn key() -> SigningKey {
    SigningKey::raw("the secret of them all")
}

impl Scheme {
    /// An event, the text of its time (empty: none is signed) and of its signature.
    pub(super) fn send(&self, key: &SigningKey, id: &str, at: Timestamp, body: Vec<u8>) -> (Event, String, String) {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let (headers, time, signature) = match &self.verifier {
            Verifier::Standard { .. } => {
                let (time, signature) = (
                    at.as_second().to_string(),
                    sign(std::slice::from_ref(key), id, at, &body),
                );
                let headers = vec![
                    header("webhook-id", id),
                    header("webhook-timestamp", &time),
                    header("webhook-signature", &signature),
                ];
                (headers, time, signature["v1,".len()..].to_owned())
            }
            Verifier::Hmac(hmac) => {
                let time = hmac
                    .timestamp
                    .as_ref()
                    .map(|_| self.clock.write(at))
                    .unwrap_or_default();
                let value = hmac.signature(key, &time, "POST", &body);
                let mut headers = vec![header(&hmac.header, &value)];
                if let Some(place) = hmac.timestamp.as_ref().filter(|place| place.prefix.is_empty()) {
                    headers.push(header(&place.header, &time));
                }
                let bare = value.rsplit(',').next().unwrap().strip_prefix(hmac.prefix.as_str());
                (headers, time, bare.unwrap().to_owned())
            }
        };
        let event = Event {
            headers,
            method: "POST",
            body,
        };
        (event, time, signature)
    }

    pub(super) fn is_hex(&self) -> bool {
        matches!(&self.verifier, Verifier::Hmac(hmac) if hmac.encoding == SignatureEncoding::Hex)
    }

    pub(super) fn encode(&self, code: &[u8]) -> String {
        if self.is_hex() {
            HEXLOWER_PERMISSIVE.encode(code)
        } else {
            BASE64.encode(code)
        }
    }

    pub(super) fn decode(&self, text: &str) -> Vec<u8> {
        let decoded = if self.is_hex() {
            HEXLOWER_PERMISSIVE.decode(text.as_bytes())
        } else {
            BASE64.decode(text.as_bytes())
        };
        decoded.unwrap()
    }

    /// What stands before a signature.
    pub(super) fn prefix(&self) -> &str {
        match &self.verifier {
            Verifier::Standard { .. } => "v1,",
            Verifier::Hmac(hmac) => &hmac.prefix,
        }
    }

    /// Whether blanks or commas part what stands in the header of the signature.
    pub(super) fn is_list(&self) -> bool {
        match &self.verifier {
            Verifier::Standard { .. } => true,
            Verifier::Hmac(hmac) => hmac.timestamp.as_ref().is_some_and(|place| !place.prefix.is_empty()),
        }
    }
}

impl Clock {
    fn write(self, at: Timestamp) -> String {
        match self {
            Self::Seconds => at.as_second().to_string(),
            Self::Milliseconds => at.as_millisecond().to_string(),
            Self::Rfc3339 => at.to_string(),
        }
    }
}

fn hmac(
    name: &'static str,
    (hash, encoding): (HmacHash, SignatureEncoding),
    prefix: &str,
    time: Option<(&str, &str, Clock)>,
    signed: Vec<Signed>,
) -> Scheme {
    let timestamp = time.map(|(header, prefix, _)| SignedTime {
        header: header.to_owned(),
        prefix: prefix.to_owned(),
        tolerance: TOLERANCE,
    });
    let hmac = Hmac {
        keys: vec![SigningKey::raw("an older one"), key()],
        header: "x-signature".to_owned(),
        hash,
        encoding,
        prefix: prefix.to_owned(),
        timestamp,
        signed,
    };
    Scheme {
        name,
        verifier: Verifier::Hmac(hmac),
        clock: time.map_or(Clock::Seconds, |(_, _, clock)| clock),
    }
}

pub(super) fn schemes() -> Vec<Scheme> {
    use HmacHash::{Sha1, Sha256, Sha512};
    use SignatureEncoding::{Base64, Hex};
    let standard = |name, keys| Scheme {
        name,
        verifier: Verifier::Standard {
            keys,
            tolerance: TOLERANCE,
        },
        clock: Clock::Seconds,
    };
    let text = |text: &str| Signed::Text(text.to_owned());
    let timed = || vec![Signed::Timestamp, text("."), Signed::Body];
    let body = || vec![Signed::Body];
    let called = vec![
        Signed::Method,
        Signed::Url(URL.to_owned()),
        Signed::Body,
        Signed::Timestamp,
    ];
    vec![
        standard("standard", vec![key()]),
        standard("standard, rotating", vec![SigningKey::raw("an older one"), key()]),
        hmac("hex", (Sha256, Hex), "", None, body()),
        hmac("base64", (Sha256, Base64), "", None, body()),
        hmac("sha1 with prefix", (Sha1, Hex), "sha1=", None, body()),
        hmac("sha512 with prefix", (Sha512, Base64), "SHA512 ", None, body()),
        hmac(
            "time of its own header",
            (Sha256, Hex),
            "v0=",
            Some(("x-time", "", Clock::Seconds)),
            vec![text("v0:"), Signed::Timestamp, text(":"), Signed::Body],
        ),
        hmac(
            "rfc 3339",
            (Sha256, Base64),
            "",
            Some(("x-time", "", Clock::Rfc3339)),
            timed(),
        ),
        hmac(
            "list",
            (Sha256, Hex),
            "v1=",
            Some(("x-signature", "t=", Clock::Seconds)),
            timed(),
        ),
        hmac(
            "list of base64",
            (Sha512, Base64),
            "s=",
            Some(("x-signature", "t=", Clock::Milliseconds)),
            timed(),
        ),
        hmac(
            "method and url",
            (Sha256, Base64),
            "",
            Some(("x-time", "", Clock::Milliseconds)),
            called,
        ),
    ]
}
