//! `[[webhooks.in]]` and `[[webhooks.out]]`: events that come from elsewhere, and events that go there.

use serde::Serialize;
use upsert_webhook::SigningKey;
use url::Url;

use crate::endpoint::Names;
use crate::incoming;
use crate::members::Member;
use crate::problems::Location;
use crate::secrets::Secret;
use crate::section::{Section, Spot};
use crate::spelled;
use crate::urls::{UrlRules, read_url};
use crate::verification;
use crate::words::word;

pub(crate) const MEMBERS: &[Member] = &[
    Member::or("in", "[]").sections(incoming::MEMBERS),
    Member::or("out", "[]").sections(OUT),
];
const OUT: &[Member] = &[
    Member::required("url"),
    Member::optional("name"),
    Member::required("events"),
    Member::or("payload", "\"full\""),
    Member::optional("secret"),
    Member::optional("secrets"),
    Member::or("allow_plain_http", "false"),
    Member::or("allow_private_network", "false"),
];

words! {
    /// What is told to a merchant's own systems.
    pub enum Event {
        /// An upsert's required deliveries have ended well.
        CustomerUpserted = "customer.upserted",
        /// A delivery failed for good.
        CustomerDeliveryFailed = "customer.delivery_failed",
        /// A customer was erased.
        CustomerErased = "customer.erased",
        /// A connection was paused.
        ConnectionPaused = "connection.paused",
        /// A connection goes on.
        ConnectionResumed = "connection.resumed",
        /// A day's quota is nearly used up.
        QuotaRunningOut = "quota.running_out",
    }
}

words! {
    /// How much an event that goes out says.
    pub enum WebhookPayload {
        /// What the API would show.
        Full = "full",
        /// Ids alone.
        Ids = "ids",
    }
}

/// A URL of the merchant's that is told of events.
#[derive(Clone, Debug, Serialize)]
pub struct WebhookOut {
    /// Its name, unique in the merchant: as given, or made of the URL.
    pub name: String,
    /// Where events go.
    #[serde(serialize_with = "spelled::url")]
    pub url: Url,
    /// Which events; never empty.
    pub events: Vec<Event>,
    /// How much they say.
    pub payload: WebhookPayload,
    /// What signs them: several while they are being rotated; never empty.
    pub secrets: Vec<Secret>,
    /// Whether `http://` is allowed.
    pub allow_plain_http: bool,
    /// Whether private, link-local and metadata addresses are allowed.
    pub allow_private_network: bool,
    /// Where it stands.
    #[serde(skip)]
    pub location: Location,
}

impl WebhookOut {
    /// The rules that its URL was held against, for the addresses that its host resolves to.
    pub fn url_rules(&self) -> UrlRules {
        UrlRules {
            allow_plain_http: self.allow_plain_http,
            allow_private_network: self.allow_private_network,
            allow_literal_loopback: true,
        }
    }

    /// The keys of its secrets, in their order; none where secrets were not resolved.
    pub fn signing_keys(&self) -> Vec<SigningKey> {
        verification::standard_keys(&self.secrets)
    }

    pub(crate) fn read(section: &Section<'_>, names: &Names) -> Option<Self> {
        let allow_plain_http = section.read("allow_plain_http", Spot::flag);
        let allow_private_network = section.read("allow_private_network", Spot::flag);
        let rules = UrlRules {
            allow_plain_http: allow_plain_http.unwrap_or(true),
            allow_private_network: allow_private_network.unwrap_or(true),
            allow_literal_loopback: true,
        };
        let url = section.read("url", |spot| read_url(spot, rules));
        let events = section.read("events", |spot| spot.some(word::<Event>));
        let payload = section.read("payload", word);
        let secrets = verification::secrets(section, verification::standard_secret);
        let name = names.of(section, url.as_ref());
        Some(Self {
            name: name?,
            url: url?,
            events: events?,
            payload: payload?,
            secrets: secrets?,
            allow_plain_http: allow_plain_http?,
            allow_private_network: allow_private_network?,
            location: section.at().clone(),
        })
    }
}
