//! What changesets write, into the rows of their batch.

pub(super) mod audit;
mod erasures;
mod events;
mod incidents;
mod merchants;
mod upserts;

use jiff::civil::Date;
use uuid::Uuid;

use upsert_core::CustomerId;
use upsert_store::{ConnectionRecord, CustomerRecord, IdempotencyRecord, Lane, StoredAnswer, Write};

use super::batch::{Batch, CONNECTION, OURS};
use super::error::DbResult;
use super::keys::{customer_key, day_key, key_of_digest};
use super::rows::{Key, Rows};
use super::tables::{CALLS, CONNECTIONS, CUSTOMERS, ENDPOINTS, IDEMPOTENCY, INCIDENTS, KEYS, MARKS, UPSERTS};
use super::value::Value;
use crate::copy::form;
use crate::digest::Kind;
use crate::kept::{CustomerBody, signed};
use crate::sealed::Place;

impl Batch<'_> {
    /// Notes the rows that it changes.
    pub(super) fn need_to_write(&mut self, merchant: &str, write: &Write) {
        match write {
            Write::PutCustomer(row) => self.of(&CUSTOMERS).need(customer_key(merchant, row.id, OURS)),
            Write::DeleteCustomer(id) => {
                self.going.insert((merchant.to_owned(), *id.as_uuid()));
            }
            Write::AddIdentifier { identifier, .. } | Write::RemoveIdentifier { identifier, .. } => {
                let key = self.identifier_key(merchant, identifier);
                self.of(&KEYS).need(key);
            }
            Write::Reserve { connection, key, .. } | Write::Release { connection, key, .. } => {
                let key = self.match_key(merchant, connection, key);
                self.of(&KEYS).need(key);
            }
            Write::PutLane(row) => {
                self.of(&CUSTOMERS)
                    .need(customer_key(merchant, row.customer, &row.connection));
                if let Some(record) = row.linked_to() {
                    let key = self.record_key(merchant, &row.connection, record);
                    self.of(&KEYS).need(key);
                }
            }
            Write::PutUpsert(row, _) => self.need_upsert(merchant, row),
            Write::PutDelivery(row, attempt) => self.need_delivery(merchant, row, attempt.as_ref()),
            Write::ForgetDelivery { id, attempts } => self.need_to_forget_delivery(merchant, *id, *attempts),
            Write::ForgetUpsert(id) => self.of(&UPSERTS).need(vec![merchant.into(), id.as_uuid().into()]),
            Write::PutIdempotency(IdempotencyRecord { key, .. }) | Write::PutAnswer { key, .. } => {
                let key = self.idempotency_key(merchant, key);
                self.of(&IDEMPOTENCY).need(key);
            }
            Write::PutConnection(row) => {
                self.of(&CONNECTIONS)
                    .need(vec![merchant.into(), row.connection.as_str().into()]);
            }
            Write::PutEndpoint(row) => {
                self.of(&ENDPOINTS)
                    .need(vec![merchant.into(), row.endpoint.as_str().into()]);
            }
            Write::PutIncomingEvent(row) => self.need_incoming_event(merchant, row),
            Write::PutEventMarks(row) => self.need_event_marks(merchant, row),
            Write::PutOutgoingEvent(row) => self.need_outgoing_event(merchant, row),
            Write::PutMerchant(row) => self.need_merchant(row),
            Write::PutAuditEntry(_) | Write::ForgetAuditEntry(_) | Write::PutAuditHead(_) => self.need_audit(write),
            Write::CountCall { connection, day } | Write::GiveBackCall { connection, day } => {
                self.of(&CALLS).need(day_key(merchant, connection, *day));
            }
            // What is left are those of erasures and incidents.
            _ => self.need_to_erase(merchant, write),
        }
    }

    /// Writes it.
    pub(super) fn write(&mut self, merchant: &str, write: &Write) -> DbResult<()> {
        match write {
            Write::PutCustomer(row) => self.put_customer(merchant, row)?,
            Write::DeleteCustomer(id) => self.delete_customer(merchant, *id),
            Write::AddIdentifier { identifier, customer } => {
                self.add_holder(self.identifier_key(merchant, identifier), *customer.as_uuid());
            }
            Write::RemoveIdentifier { identifier, customer } => {
                self.remove_holder(&self.identifier_key(merchant, identifier), *customer.as_uuid());
            }
            Write::Reserve {
                connection,
                key,
                customer,
            } => self.add_holder(self.match_key(merchant, connection, key), *customer.as_uuid()),
            Write::Release {
                connection,
                key,
                customer,
            } => self.remove_holder(&self.match_key(merchant, connection, key), *customer.as_uuid()),
            Write::PutUpsert(row, change) => self.put_upsert(merchant, row, change.as_ref())?,
            Write::PutDelivery(row, attempt) => self.put_delivery(merchant, row, attempt.as_ref())?,
            Write::ForgetDelivery { id, attempts } => self.forget_delivery(merchant, *id, *attempts),
            Write::ForgetUpsert(id) => self.of(&UPSERTS).remove(&vec![merchant.into(), id.as_uuid().into()]),
            Write::PutLane(row) => self.put_lane(merchant, row)?,
            Write::PutIdempotency(row) => self.put_idempotency(merchant, row)?,
            Write::PutAnswer { key, answer } => self.put_answer(merchant, key, answer)?,
            Write::EraseAnswer { key } => self.erase_answer(merchant, key)?,
            Write::PutErasure(row) => self.put_erasure(merchant, row)?,
            Write::AddTombstone { key, erasure } => {
                self.add_holder(self.tombstone_key(merchant, key), *erasure.as_uuid());
            }
            Write::PutIncident(row) => self.put_incident(merchant, row)?,
            Write::ForgetIncident(id) => self.of(&INCIDENTS).remove(&vec![merchant.into(), id.as_uuid().into()]),
            Write::ForgetIncomingEvent(id) => self.forget_event(merchant, *id, false),
            Write::ForgetOutgoingEvent(id) => self.forget_event(merchant, *id, true),
            Write::PutConnection(row) => self.put_connection(merchant, row)?,
            Write::PutIncomingEvent(row) => self.put_incoming_event(merchant, row)?,
            Write::PutEventMarks(row) => self.put_event_marks(merchant, row)?,
            Write::PutOutgoingEvent(row) => self.put_outgoing_event(merchant, row)?,
            Write::PutEndpoint(row) => self.put_endpoint(merchant, row)?,
            Write::PutMerchant(row) => self.put_merchant(row)?,
            Write::PutAuditEntry(row) => self.put_audit_entry(row)?,
            Write::ForgetAuditEntry(number) => self.forget_audit_entry(*number)?,
            Write::PutAuditHead(row) => self.put_audit_head(row)?,
            Write::CountCall { connection, day } => self.count_call(merchant, connection, *day, 1),
            Write::GiveBackCall { connection, day } => self.count_call(merchant, connection, *day, -1),
        }
        Ok(())
    }

    fn put_customer(&mut self, merchant: &str, row: &CustomerRecord) -> DbResult<()> {
        self.note_made(row.id.made_at());
        let body = CustomerBody {
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            customer: &row.customer,
        };
        let revision = signed(row.revision, "revision")?;
        let key = [&row.id.as_uuid().as_bytes()[..], b""];
        let body = self.sealed(merchant, (&form::CUSTOMERS, "body"), &key, Some(revision), &body)?;
        let values = vec![revision.into(), Value::Null, body];
        self.of(&CUSTOMERS).put(customer_key(merchant, row.id, OURS), values);
        Ok(())
    }

    /// Its link finds it by the digest of the vendor's id, as its identifiers do.
    fn put_lane(&mut self, merchant: &str, row: &Lane) -> DbResult<()> {
        self.note_place(merchant, CONNECTION, &row.connection);
        let record = row
            .linked_to()
            .map(|id| self.digests.digest(Kind::VendorRecord, id).bytes().to_vec());
        let key = customer_key(merchant, row.customer, &row.connection);
        let before = self.record_of(&key);
        if before != record {
            if let Some(before) = before {
                self.remove_holder(
                    &key_of_digest(merchant, &row.connection, &before),
                    *row.customer.as_uuid(),
                );
            }
            if let Some(now) = &record {
                self.add_holder(key_of_digest(merchant, &row.connection, now), *row.customer.as_uuid());
            }
        }
        let revision = signed(row.revision(), "revision")?;
        let place = [&row.customer.as_uuid().as_bytes()[..], row.connection.as_bytes()];
        let body = self.sealed(merchant, (&form::CUSTOMERS, "body"), &place, Some(revision), row)?;
        let values = vec![revision.into(), record.into(), body];
        self.of(&CUSTOMERS).put(key, values);
        Ok(())
    }

    /// The digest of the record that a lane is linked to.
    fn record_of(&self, lane: &Key) -> Option<Vec<u8>> {
        match self.judged(&CUSTOMERS, lane)?.get(1)? {
            Value::Bytes(record) => Some(record.clone()),
            _ => None,
        }
    }

    /// Keys of records that lanes were linked to when they were locked: where a lane goes or gets another link, they
    /// change too, and nothing told of them before.
    pub(super) fn keys_of_links(&self) -> Vec<Key> {
        let lanes = self.all().iter().filter(|rows| rows.table.name == CUSTOMERS.name);
        let keys = lanes.flat_map(Rows::keys);
        let of_link = |lane: &Key| {
            let [merchant, _, connection] = &lane[..] else {
                return None;
            };
            let record = self.record_of(lane)?;
            Some(vec![merchant.clone(), record.into(), connection.clone()])
        };
        keys.filter_map(of_link).collect()
    }

    fn add_holder(&mut self, key: Key, customer: Uuid) {
        let mut holders = self.holders(&key);
        if let Err(place) = holders.binary_search(&customer) {
            holders.insert(place, customer);
            self.of(&KEYS).put(key, vec![holders.into()]);
        }
    }

    fn remove_holder(&mut self, key: &Key, customer: Uuid) {
        let mut holders = self.holders(key);
        let Ok(place) = holders.binary_search(&customer) else {
            return;
        };
        holders.remove(place);
        if holders.is_empty() {
            self.of(&KEYS).remove(key);
        } else {
            self.of(&KEYS).put(key.clone(), vec![holders.into()]);
        }
    }

    fn delete_customer(&mut self, merchant: &str, id: CustomerId) {
        let first = [merchant.into(), id.as_uuid().into()];
        for row in self.of(&CUSTOMERS).beginning(&first) {
            if let (Some(record), [_, _, Value::Text(connection)]) = (self.record_of(&row), &row[..]) {
                self.remove_holder(&key_of_digest(merchant, connection, &record), *id.as_uuid());
            }
            self.of(&CUSTOMERS).remove(&row);
        }
        for row in self.of(&MARKS).beginning(&first) {
            self.of(&MARKS).remove(&row);
        }
    }

    fn put_idempotency(&mut self, merchant: &str, row: &IdempotencyRecord) -> DbResult<()> {
        let key = self.digests.hash(Kind::IdempotencyKey, &row.key).into_owned();
        let answer = row.answer.as_ref();
        let answer = answer.map(|answer| self.sealed(merchant, (&form::IDEMPOTENCY, "answer"), &[&key], None, answer));
        let place = || Place::whole(&form::IDEMPOTENCY, "fingerprint", merchant, &[&key], None);
        let fingerprint = self
            .seals
            .seal_bytes(merchant, place, &row.fingerprint, "fingerprint")?;
        let values = vec![
            row.expires_at.as_microsecond().into(),
            fingerprint.into(),
            row.upsert.as_uuid().into(),
            row.created_at.as_microsecond().into(),
            answer.transpose()?.unwrap_or(Value::Null),
        ];
        self.of(&IDEMPOTENCY).put(vec![merchant.into(), key.into()], values);
        Ok(())
    }

    /// All of the row is judged: nothing of it gets lost.
    fn put_answer(&mut self, merchant: &str, key: &[u8; 32], answer: &StoredAnswer) -> DbResult<()> {
        let kept = self.digests.hash(Kind::IdempotencyKey, key).into_owned();
        let key = self.idempotency_key(merchant, key);
        let Some([others @ .., Value::Null]) = self.judged(&IDEMPOTENCY, &key) else {
            return Ok(());
        };
        let mut values = others.to_vec();
        values.push(self.sealed(merchant, (&form::IDEMPOTENCY, "answer"), &[&kept], None, answer)?);
        self.of(&IDEMPOTENCY).put(key, values);
        Ok(())
    }

    fn put_connection(&mut self, merchant: &str, row: &ConnectionRecord) -> DbResult<()> {
        self.note_place(merchant, CONNECTION, &row.connection);
        let key = vec![merchant.into(), row.connection.as_str().into()];
        let revision = signed(row.revision, "revision")?;
        let place = [row.connection.as_bytes()];
        let body = self.sealed(merchant, (&form::CONNECTIONS, "body"), &place, Some(revision), row)?;
        self.of(&CONNECTIONS).put(key, vec![revision.into(), body]);
        Ok(())
    }

    /// Where none were counted, none are given back.
    fn count_call(&mut self, merchant: &str, connection: &str, day: Date, more: i64) {
        let key = day_key(merchant, connection, day);
        let counted = self.judged(&CALLS, &key).and_then(|counted| counted.first()?.big());
        if counted.is_some() || more > 0 {
            let count = counted.unwrap_or_default().saturating_add(more).max(0);
            self.of(&CALLS).put(key, vec![count.into()]);
        }
    }
}
