//! Which events are meant: in each direction another filter.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use utoipa::{IntoParams, ToSchema};

use upsert_core::{CustomerId, EventId, EventKind};

use crate::filter::{Filter, Reader, Texts, after, before, joined, text_of, texts};
use crate::states::{IncomingState, OutgoingState};

/// Which events that came in are meant; every filter that is given has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncomingFilter {
    /// Only of these merchants; none: of all.
    pub merchants: Option<BTreeSet<String>>,
    /// In one of these states; empty: in any.
    pub state: BTreeSet<IncomingState>,
    /// Of this source.
    pub source: Option<String>,
    /// With this id of the sender's.
    pub event_id: Option<String>,
    /// About this customer.
    pub customer_id: Option<CustomerId>,
    /// Received at or after this moment.
    pub since: Option<Timestamp>,
    /// Received before this moment.
    pub until: Option<Timestamp>,
}

impl Filter for IncomingFilter {
    const NAMES: &'static [&'static str] = &["state", "source", "event_id", "customer_id", "since", "until"];

    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            merchants: None,
            state: reader.words("state"),
            source: reader.text("source"),
            event_id: reader.text("event_id"),
            customer_id: reader.id("customer_id", CustomerId::PREFIX),
            since: reader.time("since"),
            until: reader.time("until"),
        }
    }
}

impl IncomingFilter {
    /// As it is written.
    pub fn texts(&self) -> Texts {
        texts([
            ("state", joined(&self.state)),
            ("source", self.source.clone()),
            ("event_id", self.event_id.clone()),
            ("customer_id", text_of(self.customer_id)),
            ("since", text_of(self.since)),
            ("until", text_of(self.until)),
        ])
    }

    /// No event that matches has an id below this one.
    pub fn oldest(&self) -> Option<EventId> {
        self.since.map(|since| EventId::oldest_at(before(since)))
    }

    /// No event that matches has an id above this one.
    pub fn newest(&self) -> Option<EventId> {
        self.until.map(|until| EventId::oldest_at(after(until)))
    }
}

/// Which events that go out are meant; every filter that is given has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutgoingFilter {
    /// Only of these merchants; none: of all.
    pub merchants: Option<BTreeSet<String>>,
    /// In one of these states; empty: in any.
    pub state: BTreeSet<OutgoingState>,
    /// To this endpoint.
    pub endpoint: Option<String>,
    /// Of this kind, such as `customer.upserted`.
    pub r#type: Option<String>,
    /// Made at or after this moment.
    pub since: Option<Timestamp>,
    /// Made before this moment.
    pub until: Option<Timestamp>,
}

impl Filter for OutgoingFilter {
    const NAMES: &'static [&'static str] = &["state", "endpoint", "type", "since", "until"];

    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            merchants: None,
            state: reader.words("state"),
            endpoint: reader.text("endpoint"),
            r#type: reader.text("type"),
            since: reader.time("since"),
            until: reader.time("until"),
        }
    }
}

impl OutgoingFilter {
    /// As it is written.
    pub fn texts(&self) -> Texts {
        texts([
            ("state", joined(&self.state)),
            ("endpoint", self.endpoint.clone()),
            ("type", self.r#type.clone()),
            ("since", text_of(self.since)),
            ("until", text_of(self.until)),
        ])
    }

    /// No event that matches has an id below this one.
    pub fn oldest(&self) -> Option<EventId> {
        self.since.map(|since| EventId::oldest_at(before(since)))
    }

    /// No event that matches has an id above this one.
    pub fn newest(&self) -> Option<EventId> {
        self.until.map(|until| EventId::oldest_at(after(until)))
    }
}

/// How far an event is, in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum EventState {
    /// It became an upsert (`in` alone).
    Accepted,
    /// It told of what the gateway had written itself (`in` alone).
    Echo,
    /// A newer event of its source had come before it (`in` alone).
    Outdated,
    /// Not tried (`out` alone).
    Pending,
    /// Tried, due again at a known time (`out` alone).
    Retrying,
    /// The endpoint took it (`out` alone).
    Succeeded,
    /// A dead letter.
    Failed,
    /// An operator gave the dead letter up.
    Discarded,
}

/// Which events to list, in either direction, for the documents alone: each direction has a filter of its own.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is how a query may write them")]
pub struct EventParameters {
    /// One state or more, with commas between. Dead letters are `failed`.
    #[param(style = Form, explode = false, value_type = Option<Vec<EventState>>, example = json!(["failed"]))]
    state: Option<String>,
    /// The source's name (`in` alone).
    source: Option<String>,
    /// The sender's id of the event (`in` alone).
    event_id: Option<String>,
    /// `cus_…` (`in` alone).
    customer_id: Option<CustomerId>,
    /// The endpoint's name (`out` alone).
    endpoint: Option<String>,
    /// What it tells of (`out` alone).
    #[param(value_type = Option<EventKind>)]
    r#type: Option<String>,
    /// Received or made at or after this moment, RFC 3339.
    since: Option<Timestamp>,
    /// Received or made before this moment, RFC 3339.
    until: Option<Timestamp>,
}
