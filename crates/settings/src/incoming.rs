//! `[[webhooks.in]]`: a source of events that become upserts.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};
use upsert_webhook::{Conditions, EventId, Mapping, Pointer};

use crate::connection::json;
use crate::hmac::header_name;
use crate::mapping::Fields;
use crate::members::Member;
use crate::problems::Location;
use crate::routes::target as connection;
use crate::section::{Section, Spot};
use crate::tree::Shape;
use crate::verification::{self, Scheme, Verify};

pub(crate) const MEMBERS: &[Member] = &[
    Member::required("source"),
    Member::required("verify").section(verification::MEMBERS),
    Member::required("event_id"),
    Member::optional("each"),
    Member::optional("order_by"),
    Member::optional("connection"),
    Member::optional("provider_customer_id"),
    Member::or("only", "{}"),
    Member::required("map"),
];
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
        let signs_it = matches!(self.verify.scheme, Scheme::StandardWebhooks { .. }) && name == "webhook-id";
        (!signs_it).then_some(name)
    }

    /// `connections` are the names that the merchant's file gives, whether or not the rest of them could be read.
    pub(crate) fn read(section: &Section<'_>, connections: &[&str]) -> Option<Self> {
        let source = section.read("source", Spot::name);
        let verify = section.section("verify", Verify::read);
        let id = section.read("event_id", event_id);
        let each = section.maybe("each", list);
        let order_by = section.maybe("order_by", Spot::pointer);
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
        let (event_id, only, fields) = (id?, only?, fields?);
        let text = |pointer: &Option<Pointer>| pointer.as_ref().map(Pointer::to_string);
        Some(Self {
            source: source?,
            verify: verify?,
            event_id: spelled(&event_id),
            each: text(&each),
            order_by: text(&order_by),
            connection,
            provider_customer_id: text(&provider_customer_id),
            only: only
                .0
                .iter()
                .map(|(pointer, allowed)| (pointer.to_string(), allowed.iter().cloned().collect()))
                .collect(),
            map: fields.written,
            mapping: Mapping {
                each,
                event_id,
                order_by,
                provider_customer_id,
                only,
                rules: fields.rules,
            },
            location: section.at().clone(),
            places: fields.places,
        })
    }
}

/// A pointer, several, or a header.
fn event_id(spot: &Spot<'_>) -> Option<EventId> {
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

/// Pointers and the values that they must have.
pub(crate) fn conditions(spot: &Spot<'_>) -> Option<Conditions> {
    let mut conditions = Vec::new();
    let mut whole = true;
    for (entry, spot) in spot.entries()? {
        let values = spot.one_or_some(value);
        let pointer = spot.column(&entry.key).or_else(|| Pointer::parse(&entry.key));
        let pointer = pointer.filter(|_| !entry.key.is_empty());
        if pointer.is_none() {
            spot.refuse_but::<()>("not a JSON Pointer", "it starts with /, such as \"/type\"");
        }
        match (pointer, values) {
            (Some(pointer), Some(values)) => conditions.push((pointer, values.into_iter().collect::<BTreeSet<_>>())),
            _ => whole = false,
        }
    }
    whole.then_some(Conditions(conditions))
}

/// What a value in an event is compared with: its text.
fn value(spot: &Spot<'_>) -> Option<String> {
    match json(spot)? {
        Value::String(text) => Some(text),
        other @ (Value::Number(_) | Value::Bool(_)) => Some(other.to_string()),
        _ => spot.expected("a text, a number, or true or false"),
    }
}
