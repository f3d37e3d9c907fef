//! `verify`: how a webhook that comes in proves who sent it.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use serde::Serialize;
use upsert_webhook::{HmacHash, SignatureEncoding, SignedTime, SigningKey, Verifier};

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
    Member::optional("timestamp_prefix"),
    Member::optional("signed"),
    Member::optional("url"),
];

/// How far a signed timestamp may be off, unless told otherwise.
const TOLERANCE: Duration = Duration::from_mins(5);
const LONGEST_TOLERANCE: Duration = Duration::from_hours(24);
const HMAC_ALONE: [&str; 8] = [
    "header",
    "algorithm",
    "encoding",
    "prefix",
    "timestamp_header",
    "timestamp_prefix",
    "signed",
    "url",
];

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
    /// Where the header of the signature is a list that carries the timestamp too: what stands before it there.
    pub timestamp_prefix: Option<String>,
    /// What is signed, with `{timestamp}`, `{body}`, `{method}` and `{url}` in their places.
    pub signed: String,
    /// The URL that the sender calls.
    pub url: Option<String>,
    /// How far that timestamp may be off; none without one.
    #[serde(serialize_with = "spelled::maybe_duration")]
    pub tolerance: Option<Duration>,
}

impl Verify {
    pub(crate) fn read(section: &Section<'_>) -> Option<Self> {
        let scheme = section.read("scheme", word::<SchemeName>);
        let scheme = scheme?;
        let secrets = match scheme {
            SchemeName::StandardWebhooks => signing_secrets(section),
            SchemeName::Hmac => secrets(section, Secret::read),
        };
        let scheme = match scheme {
            SchemeName::StandardWebhooks => standard_webhooks(section),
            SchemeName::Hmac => hmac(section).map(Scheme::Hmac),
        };
        Some(Self {
            scheme: scheme?,
            secrets: secrets?,
        })
    }
}

impl Verify {
    /// What an event is held against.
    pub fn verifier(&self) -> Verifier {
        match &self.scheme {
            Scheme::StandardWebhooks { tolerance } => Verifier::Standard {
                keys: signing_keys(&self.secrets),
                tolerance: *tolerance,
            },
            Scheme::Hmac(hmac) => Verifier::Hmac(hmac.verifier(&self.secrets)),
        }
    }
}

impl Hmac {
    fn verifier(&self, secrets: &[Secret]) -> upsert_webhook::Hmac {
        let tolerance = self.tolerance.unwrap_or(TOLERANCE);
        let time = |header: &String, prefix: &str| SignedTime {
            header: header.clone(),
            prefix: prefix.to_owned(),
            tolerance,
        };
        let timestamp = match (&self.timestamp_header, &self.timestamp_prefix) {
            (Some(header), _) => Some(time(header, "")),
            (None, Some(prefix)) => Some(time(&self.header, prefix)),
            (None, None) => None,
        };
        upsert_webhook::Hmac {
            keys: secrets
                .iter()
                .map(|secret| SigningKey::raw(secret.value().expose_secret()))
                .collect(),
            header: self.header.clone(),
            hash: match self.algorithm {
                Algorithm::Sha1 => HmacHash::Sha1,
                Algorithm::Sha256 => HmacHash::Sha256,
                Algorithm::Sha512 => HmacHash::Sha512,
            },
            encoding: match self.encoding {
                Encoding::Hex => SignatureEncoding::Hex,
                Encoding::Base64 => SignatureEncoding::Base64,
            },
            prefix: self.prefix.clone(),
            timestamp,
            signed: template::parts(&self.signed, self.url.as_deref()),
        }
    }
}

/// `secret`, or `secrets` while they are being rotated.
pub(crate) fn secrets(section: &Section<'_>, read: impl Fn(&Spot<'_>) -> Option<Secret>) -> Option<Vec<Secret>> {
    match (section.given("secret"), section.given("secrets")) {
        (Some(_), Some(both)) => both.refuse("`secret` and `secrets` cannot both be given"),
        (Some(secret), None) => read(&secret).map(|secret| vec![secret]),
        (None, Some(secrets)) => secrets.some(read),
        (None, None) => section.spot.refuse("`secret` is required (or `secrets`, a list)"),
    }
}

/// Secrets of Standard Webhooks.
pub(crate) fn signing_secrets(section: &Section<'_>) -> Option<Vec<Secret>> {
    secrets(section, |spot| {
        let secret = Secret::read(spot)?;
        match SigningKey::standard(secret.value().expose_secret()) {
            Ok(_) => Some(secret),
            Err(why) => spot.refuse_but(
                format!("cannot sign: {why}"),
                "secrets of Standard Webhooks are base64, after `whsec_`",
            ),
        }
    })
}

/// The loader has let none through that cannot sign.
pub(crate) fn signing_keys(secrets: &[Secret]) -> Vec<SigningKey> {
    let key = |secret: &Secret| SigningKey::standard(secret.value().expose_secret()).ok();
    secrets.iter().filter_map(key).collect()
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
    let time = signed_time(section);
    let signed = signed(section, time.is_some());
    let url = url(section, signed.as_deref().unwrap_or_default());
    let time = match time {
        Some(time) => Some(time?),
        None => None,
    };
    let (timestamp_header, timestamp_prefix, tolerance) = match time {
        Some((SignedIn::Header(name), tolerance)) => (Some(name), None, Some(tolerance)),
        Some((SignedIn::List(prefix), tolerance)) => (None, Some(prefix), Some(tolerance)),
        None => match section.given("tolerance") {
            Some(spot) => return spot.refuse("means nothing without `timestamp_header` or `timestamp_prefix`"),
            None => (None, None, None),
        },
    };
    Some(Hmac {
        header: header?,
        algorithm: algorithm?,
        encoding: encoding?,
        prefix: prefix?,
        timestamp_header,
        timestamp_prefix,
        signed: signed?,
        url: url?,
        tolerance,
    })
}

enum SignedIn {
    Header(String),
    List(String),
}

/// Where a timestamp stands that is signed too. None: none is; `Some(None)`: it is, and something is wrong with it.
fn signed_time(section: &Section<'_>) -> Option<Option<(SignedIn, Duration)>> {
    let place = match (section.given("timestamp_header"), section.given("timestamp_prefix")) {
        (None, None) => return None,
        (Some(_), Some(both)) => both.refuse("`timestamp_header` and `timestamp_prefix` cannot both be given"),
        (Some(spot), None) => header_name(&spot).map(SignedIn::Header),
        (None, Some(spot)) => match (spot.text(), section.given("prefix")) {
            (Some(""), _) => spot.refuse_but("must not be empty", "such as \"t=\""),
            (Some(_), None) => spot.refuse_but(
                "the header is a list then, and `prefix` has to say which of it are signatures",
                "such as prefix = \"v1=\"",
            ),
            (text, Some(_)) => text.map(|text| SignedIn::List(text.to_owned())),
            (None, None) => None,
        },
    };
    let tolerance = tolerance(section);
    Some(place.zip(tolerance))
}

/// What is signed: as it is given, or the timestamp and the body, or the body alone.
fn signed(section: &Section<'_>, has_time: bool) -> Option<String> {
    let usual = if has_time { "{timestamp}.{body}" } else { "{body}" };
    let Some(spot) = section.given("signed") else {
        return Some(usual.to_owned());
    };
    let text = spot.text()?;
    if let Some(unknown) = template::unknown(text) {
        let known = "known are {timestamp}, {body}, {method} and {url}";
        return spot.refuse_but(format!("`{unknown}` is no part of a request"), known);
    }
    if !text.contains("{body}") {
        return spot.refuse("has to contain {body}: what is not signed can be changed by anybody");
    }
    match (text.contains("{timestamp}"), has_time) {
        (true, false) => spot.refuse("names {timestamp}: say where it stands, in `timestamp_header`"),
        (false, true) => spot.refuse("has to contain {timestamp}: one that is not signed can be changed by anybody"),
        _ => Some(text.to_owned()),
    }
}

/// The URL that the sender calls, where it is signed.
#[expect(clippy::option_option, reason = "not there is one thing, not right another")]
fn url(section: &Section<'_>, signed: &str) -> Option<Option<String>> {
    match (section.given("url"), signed.contains("{url}")) {
        (None, false) => Some(None),
        (None, true) => section.spot.refuse_but(
            "`url` is required where `signed` names {url}",
            "the URL that the sender calls, to the letter",
        ),
        (Some(spot), false) => spot.refuse("means nothing unless `signed` names {url}"),
        (Some(spot), true) => spot.text().map(|text| Some(text.to_owned())),
    }
}

mod template {
    //! What is signed, as a text with places for the parts of a request.

    use upsert_webhook::Signed;

    /// The first place for something that is no part of a request.
    pub(super) fn unknown(text: &str) -> Option<String> {
        pieces(text).into_iter().find_map(|piece| match piece {
            Piece::Place(name) if !["timestamp", "body", "method", "url"].contains(&name) => {
                Some(format!("{{{name}}}"))
            }
            _ => None,
        })
    }

    /// The parts in their order; `url` stands where it is named.
    pub(super) fn parts(text: &str, url: Option<&str>) -> Vec<Signed> {
        let part = |piece| match piece {
            Piece::Place("timestamp") => Signed::Timestamp,
            Piece::Place("body") => Signed::Body,
            Piece::Place("method") => Signed::Method,
            Piece::Place(_) => Signed::Url(url.unwrap_or_default().to_owned()),
            Piece::Text(text) => Signed::Text(text.to_owned()),
        };
        pieces(text).into_iter().map(part).collect()
    }

    enum Piece<'a> {
        Text(&'a str),
        Place(&'a str),
    }

    fn pieces(mut text: &str) -> Vec<Piece<'_>> {
        let mut pieces = Vec::new();
        while let Some((before, rest)) = text.split_once('{') {
            let Some((name, after)) = rest.split_once('}') else {
                break;
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(before));
            }
            pieces.push(Piece::Place(name));
            text = after;
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        pieces
    }
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
