//! `verify`: how a webhook that comes in proves who sent it.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde::Serialize;
use strum::{EnumDiscriminants, EnumString, IntoStaticStr, VariantArray};

use upsert_webhook::{SigningKey, Verifier};

use crate::hmac::Hmac;
use crate::members::Member;
use crate::secrets::Secret;
use crate::section::{Section, Spot};
use crate::signed::tolerance;
use crate::values::duration;

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

/// Members of every scheme; all others are those of `hmac` alone.
const OF_ALL: [&str; 4] = ["scheme", "secret", "secrets", "tolerance"];

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
#[derive(EnumDiscriminants)]
#[strum_discriminants(
    name(SchemeName),
    vis(pub(crate)),
    derive(EnumString, IntoStaticStr, VariantArray),
    strum(serialize_all = "kebab-case")
)]
pub enum Scheme {
    /// Standard Webhooks 1.0.
    StandardWebhooks {
        /// How far the timestamp may be off.
        #[serde(serialize_with = "duration")]
        tolerance: Duration,
    },
    /// An HMAC over the raw body.
    Hmac(Hmac),
}

impl Verify {
    /// Who judges its events. Where secrets were not resolved it believes nobody.
    pub fn verifier(&self) -> Verifier {
        match &self.scheme {
            Scheme::StandardWebhooks { tolerance } => Verifier::Standard {
                keys: standard_keys(&self.secrets),
                tolerance: *tolerance,
            },
            Scheme::Hmac(hmac) => Verifier::Hmac(hmac.verifier(resolved(&self.secrets).map(SigningKey::raw).collect())),
        }
    }

    /// Whether the time of sending is part of what is signed.
    pub fn signs_a_time(&self) -> bool {
        match &self.scheme {
            Scheme::StandardWebhooks { .. } => true,
            Scheme::Hmac(hmac) => hmac.time.tolerance.is_some(),
        }
    }

    pub(crate) fn read(section: &Section<'_>) -> Option<Self> {
        let scheme = section.read("scheme", Spot::word::<SchemeName>);
        let secrets = match scheme {
            Some(SchemeName::StandardWebhooks) => secrets(section, standard_secret),
            Some(SchemeName::Hmac) | None => secrets(section, Secret::read),
        };
        let scheme = match scheme? {
            SchemeName::StandardWebhooks => standard_webhooks(section),
            SchemeName::Hmac => Hmac::read(section).map(Scheme::Hmac),
        };
        Some(Self {
            scheme: scheme?,
            secrets: secrets?,
        })
    }
}

/// The keys of Standard Webhooks; what is none was refused when it was read.
pub(crate) fn standard_keys(secrets: &[Secret]) -> Vec<SigningKey> {
    resolved(secrets)
        .filter_map(|text| SigningKey::standard(text).ok())
        .collect()
}

/// The secrets themselves. A placeholder is known to everybody and never becomes a key.
fn resolved(secrets: &[Secret]) -> impl Iterator<Item = &str> {
    secrets
        .iter()
        .filter(|secret| secret.is_resolved())
        .map(|secret| secret.value().expose_secret())
}

/// A secret that Standard Webhooks can use.
pub(crate) fn standard_secret(spot: &Spot<'_>) -> Option<Secret> {
    let secret = Secret::read(spot)?;
    if secret.is_resolved()
        && let Err(problem) = SigningKey::standard(secret.value().expose_secret())
    {
        return spot.refuse_but(
            format!("not a secret of Standard Webhooks: {problem}"),
            "it is base64, padded, after `whsec_`",
        );
    }
    Some(secret)
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

fn standard_webhooks(section: &Section<'_>) -> Option<Scheme> {
    let names = MEMBERS.iter().map(|member| member.name);
    let strangers = names.filter(|name| !OF_ALL.contains(name));
    let strangers: Vec<_> = strangers.filter_map(|name| section.given(name)).collect();
    for stranger in &strangers {
        stranger.refuse_but::<()>(
            "means nothing to `standard-webhooks`, which fixes it",
            "use scheme = \"hmac\" for a sender with its own way",
        );
    }
    let tolerance = tolerance(section)?;
    strangers.is_empty().then_some(Scheme::StandardWebhooks { tolerance })
}
