//! `[[webhooks.in]]`: a source of events that become upserts.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use upsert_core::Handling;
use upsert_webhook::{Conditions, EventId, Mapping, OrderBy, OrderKind, Ping, Pointer};

use crate::conditions::conditions;
use crate::hmac::header_name;
use crate::mapping::Fields;
use crate::members::Member;
use crate::ping;
use crate::problems::Location;
use crate::routes::target as connection;
use crate::section::{Section, Spot};
use crate::tree::Shape;
use crate::verification::{self, Verify};

pub(crate) const MEMBERS: &[Member] = &[
    Member::required("source"),
    Member::required("verify").section(verification::MEMBERS),
    Member::required("event_id"),
    Member::optional("each"),
    Member::optional("order_by"),
    Member::or("order_kind", "\"time\""),
    Member::or("order_zone", "\"UTC\""),
    Member::or("handling", "\"lenient\""),
    Member::or("body_limit", "\"1MiB\""),
    Member::optional("ping").section(ping::MEMBERS),
    Member::optional("connection"),
    Member::optional("provider_customer_id"),
    Member::or("only", "{}"),
    Member::required("map"),
];
/// How much of one event is read at most.
const BODY_LIMITS: std::ops::RangeInclusive<usize> = 1_024..=16 * 1_024 * 1_024;

const HEADER: &[Member] = &[Member::required("header")];

/// A source of events that become upserts.
#[derive(Clone, Debug, Serialize)]
pub struct WebhookIn {
    /// Its name, the last part of `/v1/webhooks/{merchant}/{source}`.
    pub source: String,
    /// How an event proves who sent it.
    pub verify: Verify,
    /// Where the event's id stands, by which it is done once, as it is written in the file.
    pub event_id: Value,
    /// Pointer to the list of customers, where an event carries several.
    pub each: Option<String>,
    /// Pointer to what events of one customer are ordered by.
    pub order_by: Option<String>,
    /// Whether that is a time or a number.
    pub order_kind: OrderBy,
    /// The zone of times that name none.
    pub order_zone: String,
    /// What becomes of an optional member that cannot be read.
    pub handling: Handling,
    /// The longest event, in bytes.
    pub body_limit: usize,
    /// The sender's test call, which is answered and does nothing.
    pub ping: Option<Ping>,
    /// The connection whose vendor sends these events.
    pub connection: Option<String>,
    /// Pointer to that vendor's id of the record.
    pub provider_customer_id: Option<String>,
    /// Pointer → the values it must have; other events are left out.
    pub only: BTreeMap<String, Vec<String>>,
    /// Pointer into the upsert's body → pointer into the event, or a rule, as it is written in the file.
    pub map: BTreeMap<String, Value>,
    /// What all of that does.
    #[serde(skip)]
    pub mapping: Mapping,
    /// Where it stands.
    #[serde(skip)]
    pub location: Location,
    #[serde(skip)]
    places: BTreeMap<String, Location>,
}

impl WebhookIn {
    /// Where the rule stands that fills this member of the body; where there is none, where the source does.
    pub fn locate(&self, target: &str) -> &Location {
        self.places.get(target).unwrap_or(&self.location)
    }

    /// The header that holds the event's id, if the sender's scheme does not sign it: whoever repeats an event can then give
    /// it another id.
    pub fn unsigned_id_header(&self) -> Option<&str> {
        let EventId::Header(name) = &self.mapping.event_id else {
            return None;
        };
        (!self.verify.verifier().signs_id(name)).then_some(name)
    }

    /// Whether anything says who somebody is when the e-mail changes: the merchant's own number, or the vendor's.
    pub fn names_people(&self) -> bool {
        self.provider_customer_id.is_some() || self.map.contains_key("/reference") || self.map.contains_key("/id")
    }

    /// Whether an event that comes years late, when its id is forgotten, is still known to be old.
    pub fn tells_the_age(&self) -> bool {
        self.order_by.is_some() || self.verify.signs_a_time()
    }

    /// `connections` are the names that the merchant's file gives, whether or not the rest of them could be read.
    pub(crate) fn read(section: &Section<'_>, connections: &[&str]) -> Option<Self> {
        let source = section.read("source", Spot::name);
        let verify = section.section("verify", Verify::read);
        let event_id = section.read("event_id", id);
        let each = section.maybe("each", list);
        let order_by = section.maybe("order_by", Spot::pointer);
        let order_kind = section.read("order_kind", Spot::word::<OrderBy>);
        let order_zone = section.read("order_zone", zone);
        let handling = section.read("handling", Spot::word::<Handling>);
        let body_limit = section.read("body_limit", |spot| spot.size(BODY_LIMITS));
        let ping = section.given("ping").map(|_| section.section("ping", ping::read));
        let connection = section.maybe("connection", |spot| connection(spot, connections));
        let provider_customer_id = section.maybe("provider_customer_id", |spot| {
            let pointer = spot.pointer();
            if section.given("connection").is_none() {
                spot.refuse_but::<()>(
                    "means nothing without `connection`",
                    "name the connection whose vendor sends these events",
                );
            }
            pointer
        });
        let only = section.read("only", conditions);
        let fields = section.read("map", Fields::read);
        check_order(section, order_kind);
        let ((order_kind, (order_zone, moments)), handling) = ((order_kind?, order_zone?), handling?);
        let (event_id, only, fields) = (event_id?, only?, fields?);
        let kind = match order_kind {
            OrderBy::Time => moments,
            OrderBy::Number => OrderKind::Number,
        };
        let text = |pointer: &Option<Pointer>| pointer.as_ref().map(Pointer::to_string);
        Some(Self {
            source: source?,
            verify: verify?,
            event_id: spelled(&event_id),
            each: text(&each),
            order_by: text(&order_by),
            order_kind,
            order_zone,
            handling,
            body_limit: body_limit?,
            ping: ping.map_or(Some(None), |read| read.map(Some))?,
            connection,
            provider_customer_id: text(&provider_customer_id),
            only: written(&only),
            map: fields.written,
            mapping: Mapping {
                each,
                event_id,
                order_by: order_by.map(|at| (at, kind)),
                provider_customer_id,
                only,
                rules: fields.rules,
                is_lenient: handling == Handling::Lenient,
            },
            location: section.at().clone(),
            places: fields.places,
        })
    }
}

/// The name of a zone, and the moments that are told in it.
fn zone(spot: &Spot<'_>) -> Option<(String, OrderKind)> {
    let name = spot.text()?;
    match OrderKind::zone(name) {
        Some(zone) => Some((name.to_owned(), OrderKind::Time { zone })),
        None => spot.refuse_but(
            "not a time zone",
            "\"UTC\", an offset such as \"+02:00\", or a name such as \"America/New_York\"",
        ),
    }
}

/// Reports what says how the order is read where it has nothing to be said of.
fn check_order(section: &Section<'_>, kind: Option<OrderBy>) {
    if section.given("order_by").is_none() {
        section.refuse_given(&["order_kind", "order_zone"], "means nothing without `order_by`");
    } else if kind == Some(OrderBy::Number) {
        section.refuse_given(&["order_zone"], "means nothing to numbers");
    }
}

/// A pointer, several, or a header.
fn id(spot: &Spot<'_>) -> Option<EventId> {
    match &spot.node.shape {
        Shape::List(_) => spot.some(Spot::pointer).map(EventId::Pointers),
        Shape::Table(_) => {
            let section = spot.section(HEADER)?;
            section.read("header", header_name).map(EventId::Header)
        }
        Shape::Text(_) => spot.pointer().map(|pointer| EventId::Pointers(vec![pointer])),
        _ => spot.expected("a JSON Pointer, a list of them, or { header = \"…\" }"),
    }
}

/// As they stand in the file.
fn written(conditions: &Conditions) -> BTreeMap<String, Vec<String>> {
    let each = conditions.0.iter();
    each.map(|(pointer, allowed)| (pointer.to_string(), allowed.iter().cloned().collect()))
        .collect()
}

fn spelled(event_id: &EventId) -> Value {
    match event_id {
        EventId::Header(name) => json!({ "header": name }),
        EventId::Pointers(pointers) => match pointers.as_slice() {
            [one] => Value::from(one.to_string()),
            several => several.iter().map(Pointer::to_string).collect(),
        },
    }
}

/// The empty pointer is the event itself, which may be a list.
fn list(spot: &Spot<'_>) -> Option<Pointer> {
    let pointer = spot.pointer_or_all()?;
    if pointer.is_whole() {
        return spot.refuse_but(
            "`each` looks into the whole event anyway",
            "leave the `$` out; \"\" is the event itself",
        );
    }
    Some(pointer)
}
