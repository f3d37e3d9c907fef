//! One write, inside the writer's transaction.

mod events;

use rusqlite::{Connection, params};

use upsert_core::{CustomerId, Identifier, MatchKey, Word as _};
use upsert_store::{
    AttemptRecord, ConnectionRecord, CustomerRecord, DeliveryRecord, HistoryRecord, IdempotencyRecord, Lane,
    StoredAnswer, UpsertRecord, Write,
};

use super::names::Names;
use super::rows::{DbResult, OURS, blob, execute, identifier_kind, key_kind, micros, signed, to_json};

const ADD_KEY: &str =
    "INSERT OR IGNORE INTO keys (merchant, kind, value, connection, customer) VALUES (?1, ?2, ?3, ?4, ?5)";

const REMOVE_KEY: &str = "DELETE FROM keys WHERE merchant = ?1 AND kind = ?2 AND value = ?3 AND connection = ?4 \
                          AND customer = ?5";

/// The writer's transaction: where writes go.
pub(super) struct Pen<'db> {
    pub(super) db: &'db Connection,
    pub(super) names: &'db mut Names,
}

impl Pen<'_> {
    pub(super) fn write(&mut self, write: &Write) -> DbResult<()> {
        match write {
            Write::PutCustomer(row) => self.put_customer(row),
            Write::DeleteCustomer(id) => self.delete_customer(*id),
            Write::AddIdentifier {
                merchant,
                identifier,
                customer,
            } => self.identifier(ADD_KEY, merchant, identifier, *customer),
            Write::RemoveIdentifier {
                merchant,
                identifier,
                customer,
            } => self.identifier(REMOVE_KEY, merchant, identifier, *customer),
            Write::PutHistory(row) => self.put_history(row),
            Write::PutUpsert(row) => self.put_upsert(row),
            Write::PutDelivery(row) => self.put_delivery(row),
            Write::PutAttempt(row) => self.put_attempt(row),
            Write::PutLane(row) => self.put_lane(row),
            Write::Reserve {
                merchant,
                connection,
                key,
                customer,
            } => self.reservation(ADD_KEY, (merchant, connection), key, *customer),
            Write::Release {
                merchant,
                connection,
                key,
                customer,
            } => self.reservation(REMOVE_KEY, (merchant, connection), key, *customer),
            Write::PutIdempotency(row) => self.put_idempotency(row),
            Write::PutAnswer { key, answer } => self.put_answer(key, answer),
            Write::PutConnection(row) => self.put_connection(row),
            Write::PutIncomingEvent(row) => self.put_incoming_event(row),
            Write::PutEventMarks(row) => self.put_event_marks(row),
            Write::PutOutgoingEvent(row) => self.put_outgoing_event(row),
            Write::PutEndpoint(row) => self.put_endpoint(row),
            Write::CountCall {
                merchant,
                connection,
                day,
            } => {
                let sql = "INSERT INTO calls (day, merchant, connection, count) VALUES (?1, ?2, ?3, 1) \
                           ON CONFLICT DO UPDATE SET count = count + 1";
                let (merchant, connection) = self.numbers(merchant, connection)?;
                execute(self.db, sql, params![day.to_string(), merchant, connection]).map(drop)
            }
            Write::GiveBackCall {
                merchant,
                connection,
                day,
            } => {
                let sql =
                    "UPDATE calls SET count = max(count - 1, 0) WHERE day = ?1 AND merchant = ?2 AND connection = ?3";
                let (merchant, connection) = self.numbers(merchant, connection)?;
                execute(self.db, sql, params![day.to_string(), merchant, connection]).map(drop)
            }
        }
    }

    fn numbers(&mut self, merchant: &str, connection: &str) -> DbResult<(i64, i64)> {
        Ok((
            self.names.number(self.db, merchant)?,
            self.names.number(self.db, connection)?,
        ))
    }

    fn put_customer(&mut self, row: &CustomerRecord) -> DbResult<()> {
        let sql = "INSERT INTO customers (id, merchant, version, revision, created_at, updated_at, record) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET merchant = ?2, version = ?3, \
                   revision = ?4, created_at = ?5, updated_at = ?6, record = ?7";
        let params = params![
            blob(row.id.as_uuid()),
            self.names.number(self.db, &row.merchant)?,
            signed(row.version, "version")?,
            signed(row.revision, "revision")?,
            micros(row.created_at),
            micros(row.updated_at),
            to_json(&row.customer, "customer")?,
        ];
        execute(self.db, sql, params).map(drop)
    }

    fn delete_customer(&mut self, id: CustomerId) -> DbResult<()> {
        for sql in [
            "DELETE FROM customers WHERE id = ?1",
            "DELETE FROM lanes WHERE customer = ?1",
            "DELETE FROM event_marks WHERE customer = ?1",
        ] {
            execute(self.db, sql, params![blob(id.as_uuid())])?;
        }
        Ok(())
    }

    fn identifier(&mut self, sql: &str, merchant: &str, identifier: &Identifier, customer: CustomerId) -> DbResult<()> {
        let merchant = self.names.number(self.db, merchant)?;
        let kind = identifier_kind(identifier.kind);
        let params = params![merchant, kind, identifier.value, OURS, blob(customer.as_uuid())];
        execute(self.db, sql, params).map(drop)
    }

    fn reservation(
        &mut self,
        sql: &str,
        (merchant, connection): (&str, &str),
        key: &MatchKey,
        customer: CustomerId,
    ) -> DbResult<()> {
        let (merchant, connection) = self.numbers(merchant, connection)?;
        let kind = key_kind(key.kind);
        let params = params![merchant, kind, key.value, connection, blob(customer.as_uuid())];
        execute(self.db, sql, params).map(drop)
    }

    fn put_history(&mut self, row: &HistoryRecord) -> DbResult<()> {
        let sql = "INSERT INTO history (upsert, customer, version, at, made_by, refused, record, links, ignored) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO UPDATE SET version = ?3, at = ?4, \
                   made_by = ?5, refused = ?6, record = ?7, links = ?8, ignored = ?9";
        let links = (!row.links.is_empty())
            .then(|| to_json(&row.links, "links"))
            .transpose()?;
        let ignored = (!row.ignored.is_empty())
            .then(|| to_json(&row.ignored, "ignored"))
            .transpose()?;
        let params = params![
            blob(row.upsert.as_uuid()),
            blob(row.customer.as_uuid()),
            signed(row.version, "version")?,
            micros(row.at),
            row.by,
            row.refused,
            to_json(&row.record, "record")?,
            links,
            ignored,
        ];
        execute(self.db, sql, params).map(drop)
    }

    /// What is for good is not set again: SQLite would make its entries in the indexes anew.
    fn put_upsert(&mut self, row: &UpsertRecord) -> DbResult<()> {
        let sql = "INSERT INTO upserts (id, merchant, customer, state, revision, record, owes_event) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET state = ?4, revision = ?5, \
                   record = ?6, owes_event = ?7";
        let params = params![
            blob(row.id.as_uuid()),
            self.names.number(self.db, &row.merchant)?,
            blob(row.customer.as_uuid()),
            row.state().as_str(),
            signed(row.revision(), "revision")?,
            to_json(row, "record")?,
            row.owes_event(),
        ];
        execute(self.db, sql, params).map(drop)
    }

    /// What is for good is not set again: SQLite would make its entries in the indexes anew.
    fn put_delivery(&mut self, row: &DeliveryRecord) -> DbResult<()> {
        let sql = "INSERT INTO deliveries (id, upsert, customer, merchant, connection, state, open_state, due_at, \
                   lease_until, fence, created_at, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
                   ON CONFLICT DO UPDATE SET state = ?6, open_state = ?7, due_at = ?8, lease_until = ?9, fence = ?10, \
                   record = ?12";
        let (merchant, connection) = self.numbers(&row.merchant, &row.connection)?;
        let state = row.state().as_str();
        let params = params![
            blob(row.id.as_uuid()),
            blob(row.upsert.as_uuid()),
            blob(row.customer.as_uuid()),
            merchant,
            connection,
            state,
            (!row.state().has_ended()).then_some(state),
            row.next_attempt_at().map(micros),
            row.lease_until().map(micros),
            signed(row.fence(), "fence")?,
            micros(row.created_at),
            to_json(row, "record")?,
        ];
        execute(self.db, sql, params).map(drop)
    }

    fn put_attempt(&mut self, row: &AttemptRecord) -> DbResult<()> {
        let sql = "INSERT INTO attempts (delivery, number, fence, started_at, ended_at, result, vendor_status, request, \
                   error, vendor_said) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO UPDATE SET fence = ?3, \
                   started_at = ?4, ended_at = ?5, result = ?6, vendor_status = ?7, request = coalesce(?8, request), \
                   error = ?9, vendor_said = ?10";
        let request = row.request.as_ref().map(|request| to_json(request, "request"));
        let error = row.error.as_ref().map(|error| to_json(error, "error"));
        let said = Some(&row.vendor_said).filter(|said| !said.is_empty());
        let said = said.map(|said| to_json(said, "vendor_said"));
        let params = params![
            blob(row.delivery.as_uuid()),
            row.number,
            signed(row.fence, "fence")?,
            micros(row.started_at),
            row.ended_at.map(micros),
            row.result,
            row.vendor_status,
            request.transpose()?,
            error.transpose()?,
            said.transpose()?,
        ];
        execute(self.db, sql, params).map(drop)
    }

    fn put_lane(&mut self, row: &Lane) -> DbResult<()> {
        let sql = "INSERT INTO lanes (customer, connection, merchant, revision, vendor_id, record) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET merchant = ?3, revision = ?4, \
                   vendor_id = ?5, record = ?6";
        let (merchant, connection) = self.numbers(&row.merchant, &row.connection)?;
        let params = params![
            blob(row.customer.as_uuid()),
            connection,
            merchant,
            signed(row.revision(), "revision")?,
            row.linked_to(),
            to_json(row, "record")?,
        ];
        execute(self.db, sql, params).map(drop)
    }

    fn put_idempotency(&mut self, row: &IdempotencyRecord) -> DbResult<()> {
        let sql = "INSERT INTO idempotency (key, fingerprint, merchant, upsert, created_at, expires_at, answer) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET fingerprint = ?2, merchant = ?3, \
                   upsert = ?4, created_at = ?5, expires_at = ?6, answer = ?7";
        let answer = row.answer.as_ref().map(|answer| to_json(answer, "answer"));
        let params = params![
            &row.key[..],
            &row.fingerprint[..],
            self.names.number(self.db, &row.merchant)?,
            blob(row.upsert.as_uuid()),
            micros(row.created_at),
            micros(row.expires_at),
            answer.transpose()?,
        ];
        execute(self.db, sql, params).map(drop)
    }

    fn put_answer(&mut self, key: &[u8; 32], answer: &StoredAnswer) -> DbResult<()> {
        let sql = "UPDATE idempotency SET answer = ?2 WHERE key = ?1 AND answer IS NULL";
        execute(self.db, sql, params![&key[..], to_json(answer, "answer")?]).map(drop)
    }

    fn put_connection(&mut self, row: &ConnectionRecord) -> DbResult<()> {
        let sql = "INSERT INTO connections (merchant, connection, record) VALUES (?1, ?2, ?3) \
                   ON CONFLICT DO UPDATE SET record = ?3";
        let (merchant, connection) = self.numbers(&row.merchant, &row.connection)?;
        execute(self.db, sql, params![merchant, connection, to_json(row, "record")?]).map(drop)
    }
}
