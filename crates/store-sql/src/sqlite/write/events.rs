//! Writes about webhook events.

use rusqlite::params;
use upsert_core::Word as _;

use upsert_store::{EndpointRecord, EventMarks, IncomingEvent, IncomingState, OutgoingEvent, OutgoingState};

use super::super::rows::{DbResult, blob, execute, micros, signed, to_json};
use super::Pen;

impl Pen<'_> {
    /// What is for good is not set again. Another row of the same sender's id and content is an error of the database's, not a row.
    pub(super) fn put_incoming_event(&mut self, row: &IncomingEvent) -> DbResult<()> {
        let sql = "INSERT INTO incoming_events (id, merchant, source, event_id, revision, failed, customer, \
                   received_at, record, content) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO \
                   UPDATE SET revision = ?5, failed = ?6, customer = ?7, received_at = ?8, record = ?9, content = ?10";
        let (merchant, source) = self.numbers(&row.merchant, &row.source)?;
        let customer = row.customer();
        let params = params![
            blob(row.id.as_uuid()),
            merchant,
            source,
            row.event_id,
            signed(row.revision(), "revision")?,
            row.state() == IncomingState::Failed,
            customer.as_ref().map(|customer| blob(customer.as_uuid())),
            micros(row.received_at),
            to_json(row, "record")?,
            row.content,
        ];
        execute(self.db, sql, params).map(drop)
    }

    pub(super) fn put_event_marks(&mut self, row: &EventMarks) -> DbResult<()> {
        let sql = "INSERT INTO event_marks (customer, source, revision, record) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT DO UPDATE SET revision = ?3, record = ?4";
        let params = params![
            blob(row.customer.as_uuid()),
            self.names.number(self.db, &row.source)?,
            signed(row.revision, "revision")?,
            to_json(row, "record")?,
        ];
        execute(self.db, sql, params).map(drop)
    }

    /// What is for good is not set again: SQLite would make its entries in the indexes anew.
    pub(super) fn put_outgoing_event(&mut self, row: &OutgoingEvent) -> DbResult<()> {
        let sql = "INSERT INTO outgoing_events (id, merchant, endpoint, state, open, failed, due_at, revision, \
                   created_at, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO UPDATE SET \
                   state = ?4, open = ?5, failed = ?6, due_at = ?7, revision = ?8, record = ?10";
        let (merchant, endpoint) = self.numbers(&row.merchant, &row.endpoint)?;
        let is_open = row.state().is_open();
        let params = params![
            blob(row.id.as_uuid()),
            merchant,
            endpoint,
            row.state().as_str(),
            is_open,
            row.state() == OutgoingState::Failed,
            row.next_attempt_at().map(micros),
            signed(row.revision(), "revision")?,
            micros(row.created_at),
            to_json(row, "record")?,
        ];
        execute(self.db, sql, params).map(drop)
    }

    pub(super) fn put_endpoint(&mut self, row: &EndpointRecord) -> DbResult<()> {
        let sql = "INSERT INTO endpoints (merchant, endpoint, record) VALUES (?1, ?2, ?3) \
                   ON CONFLICT DO UPDATE SET record = ?3";
        let (merchant, endpoint) = self.numbers(&row.merchant, &row.endpoint)?;
        execute(self.db, sql, params![merchant, endpoint, to_json(row, "record")?]).map(drop)
    }
}
