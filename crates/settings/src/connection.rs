//! `[[connections]]`: one merchant's account at one vendor.

use std::collections::BTreeMap;
use std::iter;
use std::num::NonZeroU32;
use std::time::Duration;

use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::{Map, Value};
use upsert_core::{OnCollision, OnKeyChange, Payload};
use url::Url;

use crate::json::json;
use crate::keys::hex_digest;
use crate::limits::{self, Breaker, RateLimit, Retry};
use crate::members::Member;
use crate::places::Places;
use crate::problems::{Location, Problem};
use crate::secrets::Secret;
use crate::section::{Section, Spot, all_or_none};
use crate::urls::{UrlRules, private_network, read_url};
use crate::values::{duration, is_name};

pub(crate) const MEMBERS: &[Member] = &[
    Member::required("name"),
    Member::required("provider"),
    Member::optional("base_url"),
    Member::or("credentials", "{}"),
    Member::or("settings", "{}"),
    Member::or("required", "true"),
    Member::optional("payload"),
    Member::or("on_collision", "\"refuse\""),
    Member::or("on_key_change", "\"refuse\""),
    Member::or("timeout", "\"10s\""),
    Member::or("send_traceparent", "false"),
    Member::or("allow_plain_http", "false"),
    Member::or("allow_private_network", "false"),
    Member::or("concurrency", "16"),
    Member::or("rate_limit", "{}").section(limits::RATE_LIMIT),
    Member::or("retry", "{}").section(limits::RETRY),
    Member::or("breaker", "{}").section(limits::BREAKER),
];

/// One merchant's account at one vendor.
#[derive(Clone, Debug, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the files, none depends on another"
)]
pub struct Connection {
    /// Its name, unique in the merchant.
    pub name: String,
    /// The provider's kind; whether there is such a provider is the registry's to say.
    pub provider: String,
    /// Where the vendor is; none: the provider's default.
    pub base_url: Option<Url>,
    /// The credentials by name.
    pub credentials: BTreeMap<String, Secret>,
    /// The provider's own settings, as JSON.
    pub settings: Map<String, Value>,
    /// Whether an upsert waits for this connection and fails with it.
    pub required: bool,
    /// Which fields a call carries; none: the provider's default.
    pub payload: Option<Payload>,
    /// What happens where a vendor would match another customer's record.
    pub on_collision: OnCollision,
    /// What happens where a key changes that the vendor cannot change.
    pub on_key_change: OnKeyChange,
    /// The longest that one attempt may take.
    #[serde(serialize_with = "duration")]
    pub timeout: Duration,
    /// Whether the vendor gets our `traceparent`.
    pub send_traceparent: bool,
    /// Whether `http://` is allowed.
    pub allow_plain_http: bool,
    /// Whether private, link-local and metadata addresses are allowed.
    pub allow_private_network: bool,
    /// Calls at the same time.
    pub concurrency: NonZeroU32,
    /// How often it may call.
    pub rate_limit: RateLimit,
    /// How a call that failed is repeated.
    pub retry: Retry,
    /// When calls to a failing vendor stop for a while.
    pub breaker: Breaker,
    #[serde(skip)]
    pub(crate) path: String,
    #[serde(skip)]
    pub(crate) places: Places,
}

impl Connection {
    /// Where the connection stands.
    pub fn location(&self) -> Location {
        self.places.find(&self.path)
    }

    /// Where a member of it stands, such as `settings.merchant_id` or `credentials.api_key`; for an absent one, where
    /// the nearest one around it does.
    pub fn locate(&self, member: &str) -> Location {
        self.places.find(&format!("{}.{member}", self.path))
    }

    /// A problem of one of its members, for whoever judges what this crate cannot.
    pub fn problem(&self, member: &str, message: impl Into<String>) -> Problem {
        Problem::new(&self.locate(member), format!("{}.{member}", self.path), message)
    }

    /// Hex of a SHA-256 over everything that it says, its credentials' values too: another value means that the
    /// connection is another one now. It is for comparing in memory, and no place for it is in a log.
    pub fn fingerprint(&self) -> String {
        let said = serde_json::to_vec(self).unwrap_or_default();
        let secrets = self
            .credentials
            .iter()
            .flat_map(|(name, secret)| [name.as_bytes(), secret.value().expose_secret().as_bytes()]);
        hex_digest(iter::once(said.as_slice()).chain(secrets))
    }

    pub(crate) fn read(section: &Section<'_>, places: &Places) -> Option<Self> {
        let allow_plain_http = section.read("allow_plain_http", Spot::flag);
        let allow_private_network = section.read("allow_private_network", private_network);
        let rules = UrlRules::here(&section.spot, allow_plain_http, allow_private_network);
        all_or_none!(Self {
            name: section.read("name", Spot::name),
            provider: section.read("provider", Spot::name),
            base_url: Some(section.maybe("base_url", |spot| base_url(spot, rules))),
            credentials: section.read("credentials", credentials),
            settings: section.read("settings", free_settings),
            required: section.read("required", Spot::flag),
            payload: Some(section.maybe("payload", Spot::word)),
            on_collision: section.read("on_collision", Spot::word),
            on_key_change: section.read("on_key_change", Spot::word),
            timeout: section.read("timeout", |spot| spot.duration(Duration::from_mins(10))),
            send_traceparent: section.read("send_traceparent", Spot::flag),
            allow_plain_http,
            allow_private_network,
            concurrency: section.read("concurrency", |spot| NonZeroU32::new(spot.whole(1..=10_000)?)),
            rate_limit: section.section("rate_limit", RateLimit::read),
            retry: section.section("retry", Retry::read),
            breaker: section.section("breaker", Breaker::read),
            path: Some(section.spot.path.clone()),
            places: Some(places.clone()),
        })
    }
}

fn free_settings(spot: &Spot<'_>) -> Option<Map<String, Value>> {
    spot.entries()?;
    match json(spot)? {
        Value::Object(settings) => Some(settings),
        _ => None,
    }
}

fn base_url(spot: &Spot<'_>, rules: UrlRules) -> Option<Url> {
    let url = read_url(spot, rules)?;
    if url.query().is_some() {
        spot.refuse("a base URL has no query: paths are put after it")
    } else {
        Some(url)
    }
}

fn credentials(spot: &Spot<'_>) -> Option<BTreeMap<String, Secret>> {
    spot.each_entry(|entry, spot| {
        if !is_name(&entry.key) {
            return spot.refuse("not the name of a credential: a-z, 0-9, _ and -");
        }
        Some((entry.key.clone(), Secret::read(spot)?))
    })
}
