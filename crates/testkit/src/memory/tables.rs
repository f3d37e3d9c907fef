//! What a database would have as tables.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use upsert_core::{CustomerId, DeliveryId, ErasureId, Identifier, IncidentId, MatchKey, UpsertId};
use upsert_store::{
    AttemptRecord, AuditHead, AuditRecord, ConnectionRecord, CustomerChange, CustomerRecord, DeliveryRecord,
    ErasureRecord, IdempotencyRecord, IncidentRecord, Lane, MerchantRecord, SessionId, SessionRecord, TombstoneKey,
    UpsertRecord,
};

use super::events::EventTables;

/// By merchant; and sessions and the audit trail, which are no merchant's.
#[derive(Default)]
pub(crate) struct AllTables(
    pub(crate) BTreeMap<String, Tables>,
    pub(crate) BTreeMap<SessionId, SessionRecord>,
    pub(crate) AuditTables,
);

/// The audit trail, by number, and where it ends.
#[derive(Default)]
pub(crate) struct AuditTables {
    pub(crate) head: Option<AuditHead>,
    pub(crate) entries: BTreeMap<u64, AuditRecord>,
}

/// What a database would have as one merchant's tables, by their keys.
#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) customers: BTreeMap<CustomerId, CustomerRecord>,
    pub(crate) identifiers: BTreeSet<(Identifier, CustomerId)>,
    pub(crate) upserts: BTreeMap<UpsertId, UpsertRecord>,
    pub(crate) changes: BTreeMap<UpsertId, CustomerChange>,
    pub(crate) deliveries: BTreeMap<DeliveryId, DeliveryRecord>,
    pub(crate) attempts: BTreeMap<(DeliveryId, u32), AttemptRecord>,
    pub(crate) lanes: BTreeMap<(CustomerId, String), Lane>,
    pub(crate) reservations: BTreeSet<(String, MatchKey, CustomerId)>,
    pub(crate) idempotency: BTreeMap<[u8; 32], IdempotencyRecord>,
    pub(crate) connections: BTreeMap<String, ConnectionRecord>,
    pub(crate) calls: BTreeMap<(Date, String), u32>,
    pub(crate) events: EventTables,
    pub(crate) erasures: BTreeMap<ErasureId, ErasureRecord>,
    pub(crate) incidents: BTreeMap<IncidentId, IncidentRecord>,
    pub(crate) tombstones: BTreeSet<(TombstoneKey, ErasureId)>,
    /// The merchant itself, and the number of its last change.
    pub(crate) own: Option<(u64, MerchantRecord)>,
}
