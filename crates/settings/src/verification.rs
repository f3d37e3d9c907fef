//! `verify`: how a webhook that comes in proves who sent it.

use std::time::Duration;

use serde::Serialize;

use crate::members::Member;
use crate::secrets::Secret;
use crate::section::{Section, Spot};
use crate::spelled;
use crate::words::word;

pub(crate) const MEMBERS: &[Member] = &[
    Member::required("scheme"),
    Member::optional("secret"),
    Member::optional("secrets"),
    Member::optional("tolerance"),
    Member::optional("header"),
    Member::optional("algorithm"),
    Member::optional("encoding"),
    Member::optional("prefix"),
    Member::optional("timestamp_header"),
];

/// How far a signed timestamp may be off, unless told otherwise.
const TOLERANCE: Duration = Duration::from_mins(5);
const LONGEST_TOLERANCE: Duration = Duration::from_hours(24);
const HMAC_ALONE: [&str; 5] = ["header", "algorithm", "encoding", "prefix", "timestamp_header"];

words! {
    /// The names of the schemes.
    pub enum SchemeName {
        /// Standard Webhooks 1.0.
        StandardWebhooks = "standard-webhooks",
        /// An HMAC over the raw body.
        Hmac = "hmac",
    }
}

words! {
    /// The hash of an HMAC.
    pub enum Algorithm {
        /// SHA-1, for senders that know no better.
        Sha1 = "sha1",
        /// SHA-256.
        Sha256 = "sha256",
        /// SHA-512.
        Sha512 = "sha512",
    }
}

words! {
    /// How a signature is written.
    pub enum Encoding {
        /// Hexadecimal digits.
        Hex = "hex",
        /// Base64.
        Base64 = "base64",
    }
}

/// How a webhook is verified.
#[derive(Clone, Debug, Serialize)]
pub struct Verify {
    /// What is signed, and how.
    #[serde(flatten)]
    pub scheme: Scheme,
    /// The secrets, any of which may have signed; never empty.
    pub secrets: Vec<Secret>,
}

/// What is signed, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "scheme", rename_all = "kebab-case")]
pub enum Scheme {
    /// Standard Webhooks 1.0.
    StandardWebhooks {
        /// How far the timestamp may be off.
        #[serde(serialize_with = "spelled::duration")]
        tolerance: Duration,
    },
    /// An HMAC over the raw body.
    Hmac(Hmac),
}

/// An HMAC over the raw body, or over `{timestamp}.{body}` where a timestamp is signed too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hmac {
    /// The header that carries the signature, in small letters.
    pub header: String,
    /// The hash.
    pub algorithm: Algorithm,
    /// How the signature is written.
    pub encoding: Encoding,
    /// What stands before the signature, such as `sha256=`; may be empty.
    pub prefix: String,
    /// The header that carries the signed timestamp, in small letters.
    pub timestamp_header: Option<String>,
    /// How far that timestamp may be off; none without one.
    #[serde(serialize_with = "spelled::maybe_duration")]
    pub tolerance: Option<Duration>,
}

impl Verify {
    pub(crate) fn read(section: &Section<'_>) -> Option<Self> {
        let scheme = section.read("scheme", word::<SchemeName>);
        let secrets = secrets(section);
        let scheme = match scheme? {
            SchemeName::StandardWebhooks => standard_webhooks(section),
            SchemeName::Hmac => hmac(section).map(Scheme::Hmac),
        };
        Some(Self {
            scheme: scheme?,
            secrets: secrets?,
        })
    }
}

/// `secret`, or `secrets` while they are being rotated.
fn secrets(section: &Section<'_>) -> Option<Vec<Secret>> {
    match (section.given("secret"), section.given("secrets")) {
        (Some(_), Some(both)) => both.refuse("`secret` and `secrets` cannot both be given"),
        (Some(secret), None) => Secret::read(&secret).map(|secret| vec![secret]),
        (None, Some(secrets)) => secrets.some(Secret::read),
        (None, None) => section.spot.refuse("`secret` is required (or `secrets`, a list)"),
    }
}

fn tolerance(section: &Section<'_>) -> Option<Duration> {
    match section.given("tolerance") {
        Some(spot) => spot.duration(LONGEST_TOLERANCE),
        None => Some(TOLERANCE),
    }
}

fn standard_webhooks(section: &Section<'_>) -> Option<Scheme> {
    let strangers: Vec<_> = HMAC_ALONE.iter().filter_map(|name| section.given(name)).collect();
    for stranger in &strangers {
        stranger.refuse_but::<()>(
            "means nothing to `standard-webhooks`, which fixes it",
            "use scheme = \"hmac\" for a sender with its own way",
        );
    }
    let tolerance = tolerance(section)?;
    strangers.is_empty().then_some(Scheme::StandardWebhooks { tolerance })
}

fn hmac(section: &Section<'_>) -> Option<Hmac> {
    let needed = |name: &str| {
        section.given(name).or_else(|| {
            section
                .spot
                .refuse(format!("`{name}` is required with scheme = \"hmac\""))
        })
    };
    let header = needed("header").and_then(|spot| header_name(&spot));
    let algorithm = needed("algorithm").and_then(|spot| word(&spot));
    let encoding = needed("encoding").and_then(|spot| word(&spot));
    let prefix = section
        .given("prefix")
        .map_or_else(|| Some(String::new()), |spot| spot.text().map(str::to_owned));
    let timestamp_header = section.given("timestamp_header").map(|spot| header_name(&spot));
    let tolerance = match (&timestamp_header, section.given("tolerance")) {
        (None, Some(spot)) => return spot.refuse("means nothing without `timestamp_header`"),
        (None, None) => None,
        (Some(_), _) => Some(tolerance(section)?),
    };
    let timestamp_header = match timestamp_header {
        Some(name) => Some(name?),
        None => None,
    };
    Some(Hmac {
        header: header?,
        algorithm: algorithm?,
        encoding: encoding?,
        prefix: prefix?,
        timestamp_header,
        tolerance,
    })
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
