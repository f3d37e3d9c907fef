//! Whether an expectation holds, as the writer sees the file.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Params, params};
use uuid::Uuid;

use upsert_core::{CustomerId, ErasureId, EventId, Identifier, IncidentId, MatchKey};
use upsert_store::{Expect, IdentityView};

use super::pen::Pen;
use super::rows::{DbResult, OURS, all, blob, first, identifier_kind, key_kind, limit, micros, unsigned, uuid};
use crate::digest::Kind;

const CONNECTION: &str = "SELECT revision FROM connections WHERE merchant = ?1 AND connection = ?2";
const MERCHANT: &str = "SELECT revision FROM merchants WHERE merchant = ?1";
const AUDIT_HEAD: &str = "SELECT revision FROM audit_head WHERE id = 0";
const ERASURE: &str = "SELECT revision FROM erasures WHERE merchant = ?1 AND id = ?2";
const INCIDENT: &str = "SELECT revision FROM incidents WHERE merchant = ?1 AND id = ?2";
const ENDPOINT: &str = "SELECT revision FROM endpoints WHERE merchant = ?1 AND endpoint = ?2";

impl Pen<'_, '_> {
    /// Whether it holds.
    pub(super) fn holds(&mut self, expect: &Expect) -> DbResult<bool> {
        match expect {
            Expect::Customer { id, revision } => Ok(self.customer_revision(*id, OURS)? == *revision),
            Expect::Holders { identifier, customers } => {
                let expected: BTreeSet<CustomerId> = customers.iter().copied().collect();
                let found = self.holders(identifier)?;
                Ok(found.into_iter().eq(expected.into_iter().take(IdentityView::MOST)))
            }
            Expect::Lane {
                customer,
                connection,
                revision,
            } => Ok(self.lane_revision(*customer, connection)? == *revision),
            Expect::KeysFree {
                connection,
                keys,
                customer,
            } => self.keys_are_free(connection, keys, *customer),
            Expect::RecordFree {
                connection,
                provider_customer_id,
                customer,
            } => self.record_is_free(connection, provider_customer_id, *customer),
            Expect::Upsert { id, revision } => Ok(self.upsert_revision(id.as_uuid())? == Some(*revision)),
            Expect::Delivery { id, fence } => Ok(self.upsert_revision(id.as_uuid())? == Some(*fence)),
            Expect::IncomingEvent {
                source,
                event_id,
                content,
                revision,
            } => Ok(self.incoming_revision(source, event_id, content)? == *revision),
            Expect::EventMarks {
                customer,
                source,
                revision,
            } => Ok(self.marks_revision(*customer, source)? == *revision),
            Expect::OutgoingEvent { id, revision } => Ok(self.outgoing_revision(*id)? == Some(*revision)),
            Expect::Connection { connection, revision } => {
                Ok(self.revision_of_name(CONNECTION, connection)? == *revision)
            }
            Expect::Endpoint { endpoint, revision } => Ok(self.revision_of_name(ENDPOINT, endpoint)? == *revision),
            Expect::CallsBelow { connection, day, limit } => Ok(self.calls(connection, *day)? < u64::from(*limit)),
            Expect::Erasure { id, revision } => Ok(self.erasure_revision(*id)? == *revision),
            Expect::Incident { id, revision } => Ok(self.incident_revision(*id)? == *revision),
            Expect::Merchant { revision } => Ok(self.revision(MERCHANT, params![self.merchant_id])? == *revision),
            Expect::AuditHead { revision } => Ok(self.revision(AUDIT_HEAD, [])? == *revision),
            Expect::IdempotencyFree { key, now } => self.key_is_unused(key, *now),
        }
    }

    fn revision(&self, sql: &'static str, params: impl Params) -> DbResult<Option<u64>> {
        first(self.db, sql, params, |row| unsigned(row, "revision"))
    }

    fn revision_of_name(&mut self, sql: &'static str, name: &str) -> DbResult<Option<u64>> {
        match self.names.find(self.db, name)? {
            Some(name) => self.revision(sql, params![self.merchant, name]),
            None => Ok(None),
        }
    }

    fn lane_revision(&mut self, customer: CustomerId, connection: &str) -> DbResult<Option<u64>> {
        match self.names.find(self.db, connection)? {
            Some(connection) => self.customer_revision(customer, connection),
            None => Ok(None),
        }
    }

    fn erasure_revision(&self, id: ErasureId) -> DbResult<Option<u64>> {
        self.revision(ERASURE, params![self.merchant, blob(id.as_uuid())])
    }

    fn incident_revision(&self, id: IncidentId) -> DbResult<Option<u64>> {
        self.revision(INCIDENT, params![self.merchant, blob(id.as_uuid())])
    }

    /// Calls counted on this day.
    fn calls(&mut self, connection: &str, day: Date) -> DbResult<u64> {
        let Some(connection) = self.names.find(self.db, connection)? else {
            return Ok(0);
        };
        let sql = "SELECT count FROM calls WHERE merchant = ?1 AND day = ?2 AND connection = ?3";
        let params = params![self.merchant, day.to_string(), connection];
        let counted = first(self.db, sql, params, |row| unsigned(row, "count"))?;
        Ok(counted.unwrap_or_default())
    }

    fn customer_revision(&self, customer: CustomerId, connection: i64) -> DbResult<Option<u64>> {
        let sql = "SELECT revision FROM customers WHERE merchant = ?1 AND customer = ?2 AND connection = ?3";
        self.revision(sql, params![self.merchant, blob(customer.as_uuid()), connection])
    }

    fn upsert_revision(&self, id: &Uuid) -> DbResult<Option<u64>> {
        let sql = "SELECT revision FROM upserts WHERE merchant = ?1 AND id = ?2";
        self.revision(sql, params![self.merchant, blob(id)])
    }

    fn holders(&self, identifier: &Identifier) -> DbResult<Vec<CustomerId>> {
        let sql = "SELECT customer FROM keys WHERE merchant = ?1 AND hash = ?2 AND rest = ?3 AND connection = ?4 \
                   ORDER BY customer LIMIT ?5";
        let digest = self.digests.digest(identifier_kind(identifier.kind), &identifier.value);
        let most = limit(IdentityView::MOST);
        let params = params![self.merchant, digest.hash, digest.rest, OURS, most];
        all(self.db, sql, params, |row| {
            Ok(CustomerId::from_uuid(uuid(row, "customer")?))
        })
    }

    fn keys_are_free(&mut self, connection: &str, keys: &[MatchKey], customer: CustomerId) -> DbResult<bool> {
        let Some(connection) = self.names.find(self.db, connection)? else {
            return Ok(true);
        };
        let sql = "SELECT 1 FROM keys WHERE merchant = ?1 AND hash = ?2 AND rest = ?3 AND connection = ?4 \
                   AND customer <> ?5";
        for key in keys {
            let digest = self.digests.digest(key_kind(key.kind), &key.value);
            let customer = blob(customer.as_uuid());
            let params = params![self.merchant, digest.hash, digest.rest, connection, customer];
            if first(self.db, sql, params, |_| Ok(()))?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn record_is_free(&mut self, connection: &str, vendor_id: &str, customer: CustomerId) -> DbResult<bool> {
        let Some(connection) = self.names.find(self.db, connection)? else {
            return Ok(true);
        };
        let sql = "SELECT 1 FROM customers WHERE merchant = ?1 AND connection = ?2 AND record = ?3 AND customer <> ?4";
        let record = self.digests.digest(Kind::VendorRecord, vendor_id).bytes();
        let params = params![self.merchant, connection, &record[..], blob(customer.as_uuid())];
        Ok(first(self.db, sql, params, |_| Ok(()))?.is_none())
    }

    fn incoming_revision(&mut self, source: &str, event_id: &str, content: &str) -> DbResult<Option<u64>> {
        let Some(source) = self.names.find(self.db, source)? else {
            return Ok(None);
        };
        let sql = "SELECT revision FROM incoming_events WHERE merchant = ?1 AND source = ?2 AND event_id = ?3 \
                   AND content = ?4";
        let event_id = self.digests.text(Kind::EventId, event_id);
        let content = self.digests.text(Kind::EventContent, content);
        self.revision(sql, params![self.merchant, source, event_id, content])
    }

    fn outgoing_revision(&self, id: EventId) -> DbResult<Option<u64>> {
        let sql = "SELECT revision FROM outgoing_events WHERE merchant = ?1 AND id = ?2";
        self.revision(sql, params![self.merchant, blob(id.as_uuid())])
    }

    fn key_is_unused(&self, key: &[u8; 32], now: Timestamp) -> DbResult<bool> {
        let sql = "SELECT 1 FROM idempotency WHERE merchant = ?1 AND key = ?2 AND expires_at > ?3";
        let key = self.digests.hash(Kind::IdempotencyKey, key);
        let params = params![self.merchant, key, micros(now)];
        Ok(first(self.db, sql, params, |_| Ok(()))?.is_none())
    }

    fn marks_revision(&mut self, customer: CustomerId, source: &str) -> DbResult<Option<u64>> {
        let Some(source) = self.names.find(self.db, source)? else {
            return Ok(None);
        };
        let sql = "SELECT revision FROM event_marks WHERE merchant = ?1 AND customer = ?2 AND source = ?3";
        self.revision(sql, params![self.merchant, blob(customer.as_uuid()), source])
    }
}
