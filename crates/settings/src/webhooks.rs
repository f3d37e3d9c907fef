//! `[[webhooks.in]]` and `[[webhooks.out]]`: events that come from elsewhere, and events that go there.

use serde::Serialize;
use upsert_core::{EventKind, EventPayload};
use upsert_webhook::SigningKey;
use url::Url;

use crate::displayed_text::shown_text;
use crate::endpoint::Names;
use crate::incoming;
use crate::members::Member;
use crate::problems::Location;
use crate::secrets::Secret;
use crate::section::{Section, Spot, all_or_none};
use crate::urls::{UrlRules, private_network, read_url};
use crate::verification;

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

/// A URL of the merchant's that is told of events.
#[derive(Clone, Debug, Serialize)]
pub struct WebhookOut {
    /// Its name, unique in the merchant: as given, or made of the URL.
    pub name: String,
    /// Where events go.
    pub url: Url,
    /// Which events; never empty.
    pub events: Vec<EventKind>,
    /// How much they say.
    pub payload: EventPayload,
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
    /// Where it is, for people: without what may be secret in a URL.
    pub fn shown_url(&self) -> String {
        shown_text(self.url.as_str())
    }

    /// The keys of its secrets, in their order; none where secrets were not resolved.
    pub fn signing_keys(&self) -> Vec<SigningKey> {
        verification::standard_keys(&self.secrets)
    }

    pub(crate) fn read(section: &Section<'_>, names: &Names) -> Option<Self> {
        let allow_plain_http = section.read("allow_plain_http", Spot::flag);
        let allow_private_network = section.read("allow_private_network", private_network);
        let rules = UrlRules::here(&section.spot, allow_plain_http, allow_private_network);
        let url = section.read("url", |spot| read_url(spot, rules));
        all_or_none!(Self {
            name: names.of(section, url.as_ref()),
            url,
            events: section.read("events", |spot| spot.some(Spot::word::<EventKind>)),
            payload: section.read("payload", Spot::word),
            secrets: verification::secrets(section, verification::standard_secret),
            allow_plain_http,
            allow_private_network,
            location: Some(section.at().clone()),
        })
    }
}
