//! Reading back what a vendor holds: a second, small trait, for providers that can.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::customer::Customer;
use crate::error::ProviderError;
use crate::problem::Problem;
use crate::provider::CallContext;

/// Lists and reads a vendor's own records.
#[async_trait]
pub trait CustomerReader: fmt::Debug + Send + Sync + 'static {
    /// Checks whether the vendor knows these filters. Pure.
    ///
    /// # Errors
    /// Each filter that it does not know; the pointer is the query parameter's name.
    fn check(&self, query: &ListQuery) -> Result<(), Vec<Problem>>;

    /// One page.
    ///
    /// # Errors
    /// As for an upsert.
    async fn list(&self, context: &CallContext, query: &ListQuery) -> Result<ReadPage, ProviderError>;

    /// One record, or none if the vendor does not know the id.
    ///
    /// # Errors
    /// As for an upsert.
    async fn read(
        &self,
        context: &CallContext,
        provider_customer_id: &str,
    ) -> Result<Option<ReadCustomer>, ProviderError>;
}

/// What to list.
#[derive(Clone, Default)]
pub struct ListQuery {
    /// Free text.
    pub search: Option<String>,
    /// `active` or `inactive`.
    pub status: Option<String>,
    /// Labels that the records carry.
    pub tags: Vec<String>,
    /// Whether to list archived records too.
    pub archived: Option<bool>,
    /// How many at the most; the vendor's own limit cuts it.
    pub limit: u32,
    /// Where to go on: what [`ReadPage::next`] said.
    pub cursor: Option<String>,
}

/// Shows which filters are set: the search text may be a personal datum.
impl fmt::Debug for ListQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListQuery")
            .field("limit", &self.limit)
            .field("archived", &self.archived)
            .finish_non_exhaustive()
    }
}

/// One page of a vendor's records.
#[derive(Clone, Default)]
pub struct ReadPage {
    /// The records.
    pub data: Vec<ReadCustomer>,
    /// Where the next page starts, if there is one.
    pub next: Option<String>,
    /// What the page says beside its records, in the vendor's own members.
    pub vendor_fields: Map<String, Json>,
}

/// Leaves what the page says out.
impl fmt::Debug for ReadPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReadPage({} records)", self.data.len())
    }
}

/// A vendor's record in our words.
#[derive(Clone, PartialEq, Serialize)]
pub struct ReadCustomer {
    /// The vendor's id; none: the record has none that can be understood, which `unreadable` says.
    pub provider_customer_id: Option<String>,
    /// What could be read.
    pub customer: Customer,
    /// Fields that this vendor takes but does not show, or shows in a form that cannot be understood.
    pub unreadable: Vec<Unreadable>,
    /// What has no home in our words, in the vendor's own members.
    pub vendor_fields: Map<String, Json>,
}

/// A field that cannot be read.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Unreadable {
    /// Pointer of our field.
    pub pointer: String,
    /// What the vendor shows in its place; null: nothing.
    pub value: Json,
}

impl Unreadable {
    /// Of this field.
    pub fn new(pointer: impl Into<String>, value: Json) -> Self {
        Self {
            pointer: pointer.into(),
            value,
        }
    }
}

/// Shows the pointer alone: the value is a personal datum.
impl fmt::Debug for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unreadable({})", self.pointer)
    }
}

impl fmt::Debug for ReadCustomer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadCustomer")
            .field("unreadable", &self.unreadable)
            .finish_non_exhaustive()
    }
}
