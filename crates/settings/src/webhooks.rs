//! `[[webhooks.in]]` and `[[webhooks.out]]`: events that come from elsewhere, and events that go there.

use std::collections::BTreeMap;

use serde::Serialize;
use upsert_webhook::SigningKey;
use url::Url;

use crate::endpoint::Names;
use crate::members::Member;
use crate::nearest::suggestion;
use crate::problems::Location;
use crate::secrets::Secret;
use crate::section::{Section, Spot};
use crate::spelled;
use crate::tree::Shape;
use crate::urls::{UrlRules, read_url};
use crate::values::is_pointer;
use crate::verification::{self, Verify};
use crate::words::word;

pub(crate) const MEMBERS: &[Member] = &[
    Member::or("in", "[]").sections(IN),
    Member::or("out", "[]").sections(OUT),
];
const IN: &[Member] = &[
    Member::required("source"),
    Member::required("verify").section(verification::MEMBERS),
    Member::required("event_id"),
    Member::optional("order_by"),
    Member::or("only", "{}"),
    Member::required("map"),
];
const OUT: &[Member] = &[
    Member::optional("name"),
    Member::required("url"),
    Member::required("events"),
    Member::or("payload", "\"full\""),
    Member::optional("secret"),
    Member::optional("secrets"),
    Member::or("allow_plain_http", "false"),
    Member::or("allow_private_network", "false"),
];

/// The members of an upsert's body that a webhook can fill; below the open ones anything may stand.
const FIELDS: &[&str] = &[
    "id",
    "reference",
    "kind",
    "given_name",
    "middle_name",
    "family_name",
    "organisation_name",
    "tax_id",
    "email",
    "phone",
    "status",
    "verified",
    "addresses",
    "billing_same_as_property",
    "service",
    "notifications",
    "notes",
    "source",
    "tags",
    "tags_removed",
    "metadata",
    "provider_fields",
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

/// A source of events that become upserts.
#[derive(Clone, Debug, Serialize)]
pub struct WebhookIn {
    /// Its name, the last part of `/v1/webhooks/{merchant}/{source}`.
    pub source: String,
    /// How an event proves who sent it.
    pub verify: Verify,
    /// Pointer to the event's id, by which it is done once.
    pub event_id: String,
    /// Pointer to what events of one customer are ordered by.
    pub order_by: Option<String>,
    /// Pointer → the values it must have; other events are left out.
    pub only: BTreeMap<String, Vec<String>>,
    /// Pointer into the upsert's body → pointer into the event.
    pub map: BTreeMap<String, String>,
    /// Where it stands.
    #[serde(skip)]
    pub location: Location,
}

impl WebhookIn {
    pub(crate) fn read(section: &Section<'_>) -> Option<Self> {
        let source = section.read("source", Spot::name);
        let verify = section.section("verify", Verify::read);
        let event_id = section.read("event_id", Spot::pointer);
        let order_by = section.maybe("order_by", Spot::pointer);
        let only = section.read("only", only);
        let map = section.read("map", |spot| {
            let mut map = BTreeMap::new();
            fields(spot, "", &mut map)?;
            if map.is_empty() {
                spot.refuse("must not be empty")
            } else {
                Some(map)
            }
        });
        Some(Self {
            source: source?,
            verify: verify?,
            event_id: event_id?,
            order_by,
            only: only?,
            map: map?,
            location: section.at().clone(),
        })
    }
}

fn only(spot: &Spot<'_>) -> Option<BTreeMap<String, Vec<String>>> {
    let mut only = BTreeMap::new();
    let mut whole = true;
    for (entry, spot) in spot.entries()? {
        let values = spot.one_or_some(|item| item.text().map(str::to_owned));
        if !is_pointer(&entry.key) {
            whole = false;
            spot.refuse_but::<()>("not a JSON Pointer", "it starts with /, such as \"/type\"");
        }
        match values {
            Some(values) => drop(only.insert(entry.key.clone(), values)),
            None => whole = false,
        }
    }
    whole.then_some(only)
}

/// Gathers a mapping; nested tables (`addresses.billing.city = "/city"`) become pointers. All problems are reported.
fn fields(spot: &Spot<'_>, parent: &str, map: &mut BTreeMap<String, String>) -> Option<()> {
    let mut whole = Some(());
    for (entry, spot) in spot.entries()? {
        if parent.is_empty() && !FIELDS.contains(&entry.key.as_str()) {
            whole = spot.refuse_but(
                format!("`{}` is not a field of a customer", entry.key),
                suggestion(&entry.key, FIELDS),
            );
            continue;
        }
        let target = format!("{parent}/{}", entry.key.replace('~', "~0").replace('/', "~1"));
        if matches!(spot.node.shape, Shape::Table(_)) {
            whole = fields(&spot, &target, map).and(whole);
        } else if let Some(pointer) = spot.pointer() {
            map.insert(target, pointer);
        } else {
            whole = None;
        }
    }
    whole
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
