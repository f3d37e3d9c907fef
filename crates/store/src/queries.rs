//! What is asked of a store, and what it answers.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;

use upsert_core::{CustomerId, DeliveryId, ErrorKind, Identifier, UpsertId, WaitingFor};

use crate::records::{CustomerRecord, DeliveryRecord, DeliveryState, HistoryRecord, Lane, UpsertRecord, UpsertState};

/// By what to look for customers.
#[derive(Debug, Clone, Default)]
pub struct IdentityQuery {
    /// The gateway's id.
    pub id: Option<CustomerId>,
    /// Identifiers, each answered on its own.
    pub identifiers: Vec<Identifier>,
}

/// Who was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IdentityView {
    /// By the gateway's id.
    pub by_id: Option<Known>,
    /// For each identifier of the query, in its order: who holds it, sorted by id.
    pub holders: Vec<Vec<Known>>,
}

impl IdentityView {
    /// At most so many are answered for one identifier: two are a conflict already.
    pub const MOST: usize = 16;
}

/// A customer and what is known of it at each connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// The record.
    pub record: CustomerRecord,
    /// One for each connection that ever had to do with it, sorted by name.
    pub lanes: Vec<Lane>,
}

impl Known {
    /// The lane to this connection.
    pub fn lane(&self, connection: &str) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.connection == connection)
    }
}

/// Which customers to list; every filter that is there has to hold.
#[derive(Clone, Default)]
pub struct CustomerFilter {
    /// Identifiers that it holds.
    pub identifiers: Vec<Identifier>,
    /// A label that it carries.
    pub tag: Option<String>,
    /// Its status.
    pub status: Option<String>,
    /// Its kind.
    pub kind: Option<String>,
    /// Changed at or after this moment.
    pub updated_since: Option<Timestamp>,
}

impl fmt::Debug for CustomerFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomerFilter")
            .field("identifiers", &self.identifiers)
            .finish_non_exhaustive()
    }
}

/// Versions of one customer, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistoryPage {
    /// The versions.
    pub entries: Vec<HistoryRecord>,
    /// The accepted version below the oldest entry of the page, if there is one.
    pub below: Option<HistoryRecord>,
}

/// How many deliveries of one connection have not ended, in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingCount {
    /// Whose connection.
    pub merchant: String,
    /// Which.
    pub connection: String,
    /// The state.
    pub state: DeliveryState,
    /// How many.
    pub count: u64,
    /// When the oldest of them was made.
    pub oldest: Timestamp,
}

/// How many deliveries of one connection are dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedCount {
    /// Whose connection.
    pub merchant: String,
    /// Which.
    pub connection: String,
    /// How many.
    pub count: u64,
    /// The newest of them, by id.
    pub newest: DeliveryId,
}

/// Which deliveries to list; every filter that is there has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only of these merchants; none: of all.
    pub merchants: Option<BTreeSet<String>>,
    /// To this connection, whosever it is.
    pub connection: Option<String>,
    /// In one of these states; empty: in any.
    pub states: BTreeSet<DeliveryState>,
    /// With an error that means this.
    pub error_kind: Option<ErrorKind>,
    /// With an error of this code.
    pub error_code: Option<String>,
    /// That wait for this.
    pub waiting_for: Option<WaitingFor>,
    /// Of this customer.
    pub customer: Option<CustomerId>,
    /// Of this upsert.
    pub upsert: Option<UpsertId>,
    /// Made at or after this moment.
    pub since: Option<Timestamp>,
    /// Made before this moment.
    pub until: Option<Timestamp>,
    /// Only with an id above this one: whoever knows that ids grow with time spares the store the older ones.
    pub above: Option<DeliveryId>,
}

impl DeliveryFilter {
    /// Whether the delivery is to be listed.
    pub fn matches(&self, delivery: &DeliveryRecord) -> bool {
        let error = delivery.error.as_ref();
        self.merchants
            .as_ref()
            .is_none_or(|merchants| merchants.contains(&delivery.merchant))
            && is_wanted(self.connection.as_ref(), &&delivery.connection)
            && (self.states.is_empty() || self.states.contains(&delivery.state))
            && self
                .error_kind
                .is_none_or(|kind| error.is_some_and(|error| error.kind == kind))
            && self
                .error_code
                .as_ref()
                .is_none_or(|code| error.is_some_and(|error| error.code.as_ref() == Some(code)))
            && self
                .waiting_for
                .is_none_or(|reason| delivery.waiting_for == Some(reason))
            && is_wanted(self.customer, &delivery.customer)
            && is_wanted(self.upsert, &delivery.upsert)
            && self.since.is_none_or(|since| delivery.created_at >= since)
            && self.until.is_none_or(|until| delivery.created_at < until)
            && self.above.is_none_or(|above| delivery.id > above)
    }
}

fn is_wanted<T: PartialEq>(wanted: Option<T>, value: &T) -> bool {
    wanted.is_none_or(|wanted| wanted == *value)
}

/// Which upserts of one merchant to list; every filter that is there has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpsertFilter {
    /// Whose.
    pub merchant: String,
    /// In one of these states; empty: in any.
    pub states: BTreeSet<UpsertState>,
    /// With a delivery to this connection.
    pub connection: Option<String>,
    /// Of this customer.
    pub customer: Option<CustomerId>,
    /// Accepted at or after this moment.
    pub since: Option<Timestamp>,
    /// Accepted before this moment.
    pub until: Option<Timestamp>,
    /// Only with an id above this one.
    pub above: Option<UpsertId>,
}

impl UpsertFilter {
    /// Whether the upsert is to be listed, as far as it can say so without its deliveries.
    pub fn matches(&self, upsert: &UpsertRecord) -> bool {
        upsert.merchant == self.merchant
            && (self.states.is_empty() || self.states.contains(&upsert.state))
            && is_wanted(self.customer, &upsert.customer)
            && self.since.is_none_or(|since| upsert.created_at >= since)
            && self.until.is_none_or(|until| upsert.created_at < until)
            && self.above.is_none_or(|above| upsert.id > above)
    }

    /// Whether one of its deliveries is to the connection that is asked for.
    pub fn matches_deliveries(&self, deliveries: &[DeliveryRecord]) -> bool {
        let is_there = |name: &String| deliveries.iter().any(|delivery| delivery.connection == *name);
        self.connection.as_ref().is_none_or(is_there)
    }
}

/// A page of deliveries, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeliveryPage {
    /// As many as were asked for, at most. A store that has to look at very many to find them may stop before.
    pub entries: Vec<DeliveryRecord>,
    /// Where the next page begins: below this id. None: nothing that matches is below.
    pub next: Option<DeliveryId>,
}

/// A page of upserts with their deliveries, newest first; each one's deliveries in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UpsertPage {
    /// As many as were asked for, at most. A store that has to look at very many to find them may stop before.
    pub entries: Vec<(UpsertRecord, Vec<DeliveryRecord>)>,
    /// Where the next page begins: below this id. None: nothing that matches is below.
    pub next: Option<UpsertId>,
}

/// How many match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// So many were found.
    pub count: usize,
    /// Whether that is all; otherwise there may be more, and nobody looked on.
    pub is_all: bool,
}
