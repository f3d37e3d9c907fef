//! What is asked of a store, and what it answers.

use std::fmt;

use jiff::Timestamp;

use upsert_core::{CustomerId, Identifier};

use crate::records::{CustomerRecord, DeliveryState, HistoryRecord, Lane};

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
