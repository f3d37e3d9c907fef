//! Merchants that live in the store: put there over the API.

use std::fmt::{self, Debug};

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// A merchant as it was put, or that it was deleted. A row stays when its merchant is deleted: a revision is never used
/// twice, so whoever read an earlier one is told that it has changed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MerchantRecord {
    /// The merchant's id.
    pub id: String,
    /// Grows by one with each put and each deletion, from 1.
    pub revision: u64,
    /// When that was.
    pub put_at: Timestamp,
    /// The name of the key that did it.
    pub put_by: String,
    /// The id of the key that its secrets are sealed with; none: it has none.
    pub sealed_with: Option<String>,
    /// What is configured, opaque here, its secrets sealed; none: it was deleted.
    pub body: Option<String>,
}

/// Shows nothing of what is configured.
impl Debug for MerchantRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MerchantRecord")
            .field("id", &self.id)
            .field("revision", &self.revision)
            .field("sealed_with", &self.sealed_with)
            .field("is_there", &self.body.is_some())
            .finish_non_exhaustive()
    }
}

/// That a merchant was put or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MerchantChange {
    /// Which.
    pub id: String,
    /// The change's number. Changes are numbered in the order of their commits: whoever sees one sees all before it.
    pub number: u64,
}

/// What is kept of merchants themselves.
#[async_trait]
pub trait MerchantStore: Debug + Send + Sync + 'static {
    /// A merchant's row, if it was ever put. One that was deleted has no body.
    async fn merchant(&self, id: &str) -> Result<Option<MerchantRecord>, StoreError>;

    /// Merchants that are there, sorted by id, those after `after`.
    async fn merchants(&self, after: Option<&str>, limit: usize) -> Result<Vec<MerchantRecord>, StoreError>;

    /// The last change of each merchant that was changed after the change `after`, in their order.
    async fn merchant_changes(&self, after: u64, limit: usize) -> Result<Vec<MerchantChange>, StoreError>;

    /// The number of the last change; 0: there was none.
    async fn last_merchant_change(&self) -> Result<u64, StoreError>;

    /// The ids of the keys that any merchant's secrets are sealed with, sorted.
    async fn sealing_keys(&self) -> Result<Vec<String>, StoreError>;

    /// Merchants whose secrets are sealed with this key, sorted by id.
    async fn merchants_sealed_with(&self, key: &str, limit: usize) -> Result<Vec<MerchantRecord>, StoreError>;

    /// Calls made on this day (UTC) by a merchant's connections, sorted by connection.
    async fn calls_of(&self, merchant: &str, day: Date) -> Result<Vec<(String, u32)>, StoreError>;
}
