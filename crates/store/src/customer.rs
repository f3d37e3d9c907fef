//! A customer, its versions, and how it is found.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use upsert_core::{Customer, CustomerId, Field, Identifier, Ignored, MatchKey, UpsertId, Value, Word as _};

use crate::lane::Lane;
use crate::{Expect, StoreError, UpsertRecord};

/// A customer as the merchant wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomerRecord {
    /// The gateway's id.
    pub id: CustomerId,
    /// Whose customer.
    pub merchant: String,
    /// Grows by one with each change that was not taken back.
    pub version: u64,
    /// Grows by one with each write of the row, for [`crate::Expect::Customer`].
    pub revision: u64,
    /// The record.
    pub customer: Customer,
    /// When it was first heard of.
    pub created_at: Timestamp,
    /// When the version was made.
    pub updated_at: Timestamp,
}

impl CustomerRecord {
    /// That nobody has changed it since it was read.
    pub const fn expected(&self) -> Expect {
        Expect::Customer {
            id: self.id,
            revision: Some(self.revision),
        }
    }
}

/// What an upsert made of a customer. It stands with the upsert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerChange {
    /// The record after it.
    #[serde(with = "upsert_core::customer::kept")]
    pub record: Customer,
    /// By connection: vendors' records that it adopted for the customer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, String>,
}

/// One version of a customer, accepted or refused: an upsert, and what it changed.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryRecord {
    /// Whose.
    pub customer: CustomerId,
    /// The version that it made, or would have made.
    pub version: u64,
    /// The upsert that made it.
    pub upsert: UpsertId,
    /// When.
    pub at: Timestamp,
    /// By whom: an API key's name, a webhook source, an import.
    pub by: String,
    /// Whether every connection refused it, so that it was taken back.
    pub refused: bool,
    /// The record after it.
    pub record: Customer,
    /// By connection: vendors' records that it adopted for the customer.
    pub links: BTreeMap<String, String>,
    /// What could not be read in the request that made it, and was left out.
    pub ignored: Vec<Ignored>,
}

impl HistoryRecord {
    /// Of an upsert and what it changed.
    pub fn of(upsert: UpsertRecord, change: CustomerChange) -> Self {
        Self {
            customer: upsert.customer,
            version: upsert.version,
            upsert: upsert.id,
            at: upsert.created_at,
            refused: upsert.rolled_back(),
            by: upsert.by,
            record: change.record,
            links: change.links,
            ignored: upsert.ignored,
        }
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

impl CustomerRecord {
    /// Whether the filter means it, as far as the record says: who holds an identifier is kept apart.
    pub fn matches_but_for_identifiers(&self, filter: &CustomerFilter) -> bool {
        let carries =
            |tag: &String| matches!(self.customer.get(Field::Tags), Some(Value::Tags(tags)) if tags.contains(tag));
        let status = self.customer.text(Field::Status);
        filter.tag.as_ref().is_none_or(carries)
            && filter.status.as_deref().is_none_or(|wanted| status == Some(wanted))
            && filter
                .kind
                .as_deref()
                .is_none_or(|kind| self.customer.kind().as_str() == kind)
            && filter.updated_since.is_none_or(|since| self.updated_at >= since)
    }
}

/// A page of customers, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CustomerPage {
    /// As many as were asked for, at most. A store that has to look at very many to find them may stop before.
    pub entries: Vec<CustomerRecord>,
    /// Where the next page begins: above this id. None: nothing that matches is above.
    pub next: Option<CustomerId>,
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
    pub by_id: Option<Arc<Known>>,
    /// For each identifier of the query, in its order: who holds it, sorted by id.
    pub holders: Vec<Vec<Arc<Known>>>,
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

/// Customers, with their versions and lanes.
#[async_trait]
pub trait CustomerStore: Debug + Send + Sync + 'static {
    /// Whoever the identifiers find among one merchant's customers, each with its lanes. At most
    /// [`IdentityView::MOST`] for each identifier, the oldest.
    async fn identify(&self, merchant: &str, query: &IdentityQuery) -> Result<IdentityView, StoreError>;

    /// One customer of one merchant, with its lanes.
    async fn customer(&self, merchant: &str, id: CustomerId) -> Result<Option<Known>, StoreError>;

    /// A page of customers, by id (which is by age), oldest first; `after` is where the page before said that it goes on.
    async fn customers(
        &self,
        merchant: &str,
        filter: &CustomerFilter,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Result<CustomerPage, StoreError>;

    /// A customer's versions, newest first, refused ones too; `before` is the last upsert of the page before. The page
    /// carries for its oldest entry the record it changed, so that the difference can be told.
    async fn history(
        &self,
        merchant: &str,
        customer: CustomerId,
        before: Option<UpsertId>,
        limit: usize,
    ) -> Result<HistoryPage, StoreError>;

    /// Which other customers hold these keys at this connection: in the order of `keys`, then by customer.
    async fn key_holders(
        &self,
        merchant: &str,
        connection: &str,
        keys: &[MatchKey],
        except: CustomerId,
    ) -> Result<Vec<(MatchKey, CustomerId)>, StoreError>;

    /// Which customers are linked to this vendor record, sorted.
    async fn record_owners(
        &self,
        merchant: &str,
        connection: &str,
        provider_customer_id: &str,
    ) -> Result<Vec<CustomerId>, StoreError>;
}
