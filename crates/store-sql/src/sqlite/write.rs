//! One changeset's writes, inside the writer's transaction. A row that is new is inserted, one that is known is updated;
//! which of both is likelier is known beforehand, and only costs a statement where it is wrong.

mod audit;
mod erasures;
mod events;
mod incidents;
mod keys;
mod merchants;
mod upserts;

use jiff::civil::Date;
use rusqlite::params;

use upsert_core::CustomerId;
use upsert_store::{ConnectionRecord, CustomerRecord, IdempotencyRecord, Lane, StoredAnswer, Write};

use super::pen::Pen;
use super::rows::{CustomerBody, DbResult, OURS, blob, execute, micros, signed};
use crate::copy::form::{CONNECTIONS, CUSTOMERS, IDEMPOTENCY};
use crate::digest::{Digest, Kind};

impl Pen<'_, '_> {
    /// All of them, in their order.
    pub(super) fn write(&mut self, writes: &[Write]) -> DbResult<()> {
        let mut added = Vec::new();
        for write in writes {
            match self.added_key(write)? {
                Some(key) => added.push(key),
                None => {
                    self.add_keys(&mut added)?;
                    self.write_one(write)?;
                }
            }
        }
        self.add_keys(&mut added)
    }

    fn write_one(&mut self, write: &Write) -> DbResult<()> {
        match write {
            Write::PutCustomer(row) => self.put_customer(row),
            Write::DeleteCustomer(id) => self.delete_customer(*id),
            // Many at once, by `add_keys`.
            Write::AddIdentifier { .. } | Write::Reserve { .. } | Write::AddTombstone { .. } => Ok(()),
            Write::RemoveIdentifier { identifier, customer } => self.remove_key(self.identifier(identifier, *customer)),
            Write::PutUpsert(row, change) => self.put_upsert(row, change.as_ref()),
            Write::PutDelivery(row, attempt) => self.put_delivery(row, attempt.as_ref()),
            Write::ForgetDelivery { id, attempts } => self.forget_delivery(*id, *attempts),
            Write::ForgetUpsert(id) => self.forget_upsert(*id),
            Write::PutLane(row) => self.put_lane(row),
            Write::Release {
                connection,
                key,
                customer,
            } => {
                let key = self.reservation(connection, key, *customer)?;
                self.remove_key(key)
            }
            Write::PutIdempotency(row) => self.put_idempotency(row),
            Write::PutAnswer { key, answer } => self.put_answer(key, answer),
            Write::EraseAnswer { key } => self.erase_answer(key),
            Write::PutErasure(row) => self.put_erasure(row),
            Write::PutIncident(row) => self.put_incident(row),
            Write::ForgetIncident(id) => self.forget_incident(*id),
            Write::ForgetIncomingEvent(id) => self.forget_incoming_event(*id),
            Write::ForgetOutgoingEvent(id) => self.forget_outgoing_event(*id),
            Write::PutConnection(row) => self.put_connection(row),
            Write::PutIncomingEvent(row) => self.put_incoming_event(row),
            Write::PutEventMarks(row) => self.put_event_marks(row),
            Write::PutOutgoingEvent(row) => self.put_outgoing_event(row),
            Write::PutEndpoint(row) => self.put_endpoint(row),
            Write::PutMerchant(row) => self.put_merchant(row),
            Write::PutAuditEntry(row) => self.put_audit_entry(row),
            Write::ForgetAuditEntry(number) => self.forget_audit_entry(*number),
            Write::PutAuditHead(row) => self.put_audit_head(row),
            Write::CountCall { connection, day } => self.count_call(connection, *day),
            Write::GiveBackCall { connection, day } => {
                let sql =
                    "UPDATE calls SET count = max(count - 1, 0) WHERE merchant = ?1 AND day = ?2 AND connection = ?3";
                let connection = self.number(connection)?;
                execute(self.db, sql, params![self.merchant, day.to_string(), connection]).map(drop)
            }
        }
    }

    fn count_call(&mut self, connection: &str, day: Date) -> DbResult<()> {
        let connection = self.number(connection)?;
        let params = params![self.merchant, day.to_string(), connection];
        let known = "UPDATE calls SET count = count + 1 WHERE merchant = ?1 AND day = ?2 AND connection = ?3";
        let new = "INSERT OR IGNORE INTO calls (merchant, day, connection, count) VALUES (?1, ?2, ?3, 1)";
        self.put([known, new], params)
    }

    fn put_customer(&mut self, row: &CustomerRecord) -> DbResult<()> {
        let body = CustomerBody {
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            customer: &row.customer,
        };
        let revision = signed(row.revision, "revision")?;
        let body = self.sealed(
            (&CUSTOMERS, "body"),
            &[blob(row.id.as_uuid()), b""],
            Some(revision),
            &body,
        )?;
        self.put_customer_row(row.id, OURS, revision, None, &body)
    }

    fn put_lane(&mut self, row: &Lane) -> DbResult<()> {
        let connection = self.number(&row.connection)?;
        let record = row.linked_to().map(|id| self.digests.digest(Kind::VendorRecord, id));
        let revision = signed(row.revision(), "revision")?;
        let key = [blob(row.customer.as_uuid()), row.connection.as_bytes()];
        let body = self.sealed((&CUSTOMERS, "body"), &key, Some(revision), row)?;
        self.put_customer_row(row.customer, connection, revision, record, &body)
    }

    /// A link that stays is not set again: SQLite would make its entry in the index anew.
    fn put_customer_row(
        &self,
        customer: CustomerId,
        connection: i64,
        revision: i64,
        record: Option<Digest>,
        body: &[u8],
    ) -> DbResult<()> {
        let new = "INSERT OR IGNORE INTO customers (merchant, customer, connection, revision, record, body) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let same_link = "UPDATE customers SET revision = ?4, body = ?6 \
                         WHERE merchant = ?1 AND customer = ?2 AND connection = ?3 AND record IS ?5";
        let other_link = "UPDATE customers SET revision = ?4, record = ?5, body = ?6 \
                          WHERE merchant = ?1 AND customer = ?2 AND connection = ?3";
        let statements = if revision == 1 {
            [new, same_link, other_link]
        } else {
            [same_link, other_link, new]
        };
        let customer = blob(customer.as_uuid());
        let record = record.map(Digest::bytes);
        for sql in statements {
            let params = params![self.merchant, customer, connection, revision, record, body];
            if execute(self.db, sql, params)? > 0 {
                break;
            }
        }
        Ok(())
    }

    fn delete_customer(&mut self, id: CustomerId) -> DbResult<()> {
        for sql in [
            "DELETE FROM customers WHERE merchant = ?1 AND customer = ?2",
            "DELETE FROM event_marks WHERE merchant = ?1 AND customer = ?2",
        ] {
            execute(self.db, sql, params![self.merchant, blob(id.as_uuid())])?;
        }
        Ok(())
    }

    fn put_idempotency(&self, row: &IdempotencyRecord) -> DbResult<()> {
        let new = "INSERT OR IGNORE INTO idempotency (merchant, key, fingerprint, upsert, created_at, expires_at, answer) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let known = "UPDATE idempotency SET fingerprint = ?3, upsert = ?4, created_at = ?5, expires_at = ?6, answer = ?7 \
                     WHERE merchant = ?1 AND key = ?2";
        let key = self.digests.hash(Kind::IdempotencyKey, &row.key);
        let answer = row.answer.as_ref().map(|answer| self.sealed_answer(&key, answer));
        let place = (&IDEMPOTENCY, "fingerprint");
        let params = params![
            self.merchant,
            key,
            self.sealed_bytes(place, &[&key], &row.fingerprint)?,
            blob(row.upsert.as_uuid()),
            micros(row.created_at),
            micros(row.expires_at),
            answer.transpose()?,
        ];
        self.put([new, known], params)
    }

    fn put_answer(&self, key: &[u8; 32], answer: &StoredAnswer) -> DbResult<()> {
        let sql = "UPDATE idempotency SET answer = ?3 WHERE merchant = ?1 AND key = ?2 AND answer IS NULL";
        let key = self.digests.hash(Kind::IdempotencyKey, key);
        let answer = self.sealed_answer(&key, answer)?;
        execute(self.db, sql, params![self.merchant, key, answer]).map(drop)
    }

    fn sealed_answer(&self, key: &[u8], answer: &StoredAnswer) -> DbResult<Vec<u8>> {
        self.sealed((&IDEMPOTENCY, "answer"), &[key], None, answer)
    }

    fn put_connection(&mut self, row: &ConnectionRecord) -> DbResult<()> {
        let sql = "INSERT OR REPLACE INTO connections (merchant, connection, revision, body) VALUES (?1, ?2, ?3, ?4)";
        let (connection, revision) = (self.number(&row.connection)?, signed(row.revision, "revision")?);
        let body = self.sealed(
            (&CONNECTIONS, "body"),
            &[row.connection.as_bytes()],
            Some(revision),
            row,
        )?;
        let params = params![self.merchant, connection, revision, body];
        execute(self.db, sql, params).map(drop)
    }
}
