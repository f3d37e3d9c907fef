//! What a customer was.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use upsert_core::{Change, ErasureId, Ignored, UpsertId};

use crate::cover::{Cover, Own};
use crate::masks::{cover_pointer, cover_value};

/// One version of a customer.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// Its number.
    pub version: u64,
    /// When.
    pub at: Timestamp,
    /// The API key's name, webhook source or import.
    pub by: String,
    /// `ups_…`; null for an erasure.
    pub upsert_id: Option<UpsertId>,
    /// `ers_…`, where this is that the customer was erased: nothing else is left of its history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erasure_id: Option<ErasureId>,
    /// What differs from the version before.
    pub changes: Vec<Change>,
    /// What could not be read in the request that made it, and was left out.
    pub ignored: Vec<Ignored>,
    /// Whether all vendors refused it, so that it was taken back.
    pub refused: bool,
}

impl Cover for HistoryEntry {
    fn cover(&mut self, own: Own<'_>) {
        self.changes.cover(own);
        self.ignored.cover(own);
    }
}

impl Cover for Change {
    fn cover(&mut self, _own: Own<'_>) {
        cover_value(&self.pointer, &mut self.from);
        cover_value(&self.pointer, &mut self.to);
        cover_pointer(&mut self.pointer);
    }
}

impl Cover for Ignored {
    fn cover(&mut self, _own: Own<'_>) {
        cover_pointer(&mut self.pointer);
    }
}
