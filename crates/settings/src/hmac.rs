//! `verify` with `scheme = "hmac"`: a sender with its own way.

use std::time::Duration;

use serde::Serialize;

use upsert_webhook::{HmacHash, SignatureEncoding, SignedTime, SigningKey};

use crate::section::{Section, Spot, all_or_none};
use crate::signed::{SignedText, read_signed, tolerance};
use crate::values::duration;

/// An HMAC over what `signed` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hmac {
    /// The header that carries the signature, in small letters.
    pub header: String,
    /// The hash.
    pub algorithm: HmacHash,
    /// How the signature is written.
    pub encoding: SignatureEncoding,
    /// What stands before the signature, such as `sha256=`; may be empty.
    pub prefix: String,
    #[serde(flatten)]
    pub(crate) time: Time,
    #[serde(flatten)]
    signed: SignedText,
}

impl Hmac {
    pub(crate) fn verifier(&self, keys: Vec<SigningKey>) -> upsert_webhook::Hmac {
        let timestamp = self.time.tolerance.map(|tolerance| SignedTime {
            header: self.time.timestamp_header.as_ref().unwrap_or(&self.header).clone(),
            prefix: self.time.timestamp_prefix.clone().unwrap_or_default(),
            tolerance,
        });
        upsert_webhook::Hmac {
            keys,
            header: self.header.clone(),
            hash: self.algorithm,
            encoding: self.encoding,
            prefix: self.prefix.clone(),
            timestamp,
            signed: self.signed.parts.clone(),
        }
    }

    pub(crate) fn read(section: &Section<'_>) -> Option<Self> {
        let needed = |name: &str| {
            section.given(name).or_else(|| {
                section
                    .spot
                    .refuse(format!("`{name}` is required with scheme = \"hmac\""))
            })
        };
        let header = needed("header").and_then(|spot| header_name(&spot));
        let prefix = section
            .given("prefix")
            .map_or_else(|| Some(String::new()), |spot| spot.text().map(str::to_owned));
        let time = Time::read(section, header.as_deref(), prefix.as_deref());
        let timed = ["timestamp_header", "timestamp_prefix"]
            .iter()
            .any(|name| section.given(name).is_some());
        all_or_none!(Self {
            header,
            algorithm: needed("algorithm").and_then(|spot| spot.word()),
            encoding: needed("encoding").and_then(|spot| spot.word()),
            prefix,
            time,
            signed: read_signed(section, timed),
        })
    }
}

/// Where the signed time stands, if one is signed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Time {
    /// The header that carries the signed timestamp, in small letters.
    timestamp_header: Option<String>,
    /// What stands before the signed timestamp in the header of the signature, such as `t=`; never beside
    /// `timestamp_header`.
    timestamp_prefix: Option<String>,
    /// How far that timestamp may be off; none without one.
    #[serde(serialize_with = "duration")]
    pub(crate) tolerance: Option<Duration>,
}

impl Time {
    fn read(section: &Section<'_>, of_signature: Option<&str>, before_signature: Option<&str>) -> Option<Self> {
        match (section.given("timestamp_header"), section.given("timestamp_prefix")) {
            (Some(_), Some(both)) => both.refuse("`timestamp_header` and `timestamp_prefix` cannot both be given"),
            (Some(spot), None) => {
                let header = header_name(&spot);
                let tolerance = tolerance(section);
                if header.is_some() && header.as_deref() == of_signature {
                    return spot.refuse_but(
                        "is the header of the signature",
                        "`timestamp_prefix` says where the time stands in it",
                    );
                }
                Some(Self {
                    timestamp_header: Some(header?),
                    tolerance: Some(tolerance?),
                    ..Self::default()
                })
            }
            (None, Some(spot)) => {
                let prefix = list_mark(&spot, before_signature);
                let tolerance = tolerance(section);
                Some(Self {
                    timestamp_header: None,
                    timestamp_prefix: Some(prefix?),
                    tolerance: Some(tolerance?),
                })
            }
            (None, None) => match section.given("tolerance") {
                Some(spot) => spot.refuse("means nothing without `timestamp_header` or `timestamp_prefix`"),
                None => Some(Self::default()),
            },
        }
    }
}

/// What marks the time in a list such as `t=1700000000,v1=…`; what marks the signatures must be another thing.
fn list_mark(spot: &Spot<'_>, before_signature: Option<&str>) -> Option<String> {
    let mark = spot.line()?;
    let before_signature = before_signature?;
    if before_signature.is_empty() {
        return spot.refuse_but(
            "needs `prefix`: what stands before a signature in the same header",
            "such as \"v1=\"",
        );
    }
    if mark.starts_with(before_signature) || before_signature.starts_with(&mark) {
        return spot.refuse("cannot be told from `prefix`");
    }
    if [mark.as_str(), before_signature]
        .iter()
        .any(|text| text.contains(',') || text.trim() != *text)
    {
        return spot.refuse("neither this nor `prefix` may have a comma in it, or a blank at an end");
    }
    Some(mark)
}

/// A header's name: the characters of RFC 9110's token, in small letters.
pub(crate) fn header_name(spot: &Spot<'_>) -> Option<String> {
    let name = spot.text()?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return spot.refuse_but("not the name of a header", "such as \"x-signature\"");
    }
    Some(name.to_ascii_lowercase())
}
