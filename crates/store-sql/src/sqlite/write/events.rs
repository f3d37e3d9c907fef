//! Writes about webhook events.

use rusqlite::params;

use upsert_core::Word as _;
use upsert_store::{EndpointRecord, EventMarks, IncomingEvent, IncomingState, OutgoingEvent, OutgoingState};

use super::super::pen::Pen;
use super::super::rows::{DbResult, blob, execute, micros, signed};
use crate::copy::form::{ENDPOINTS, INCOMING, MARKS, OUTGOING};
use crate::digest::Kind;

impl Pen<'_, '_> {
    /// What is for good is not set again. Another row of the same sender's id and content is an error of the database's, not
    /// a row.
    pub(in super::super) fn put_incoming_event(&mut self, row: &IncomingEvent) -> DbResult<()> {
        let known = "UPDATE incoming_events SET revision = ?6, failed = ?7, customer = ?8, received_at = ?9, body = ?10, \
                     content = ?5, keeps = ?11 WHERE merchant = ?1 AND id = ?2 AND source = ?3 AND event_id = ?4";
        let new = "INSERT INTO incoming_events (merchant, id, source, event_id, content, revision, failed, customer, \
                   received_at, body, keeps) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        let source = self.number(&row.source)?;
        let customer = row.customer();
        let revision = signed(row.revision(), "revision")?;
        let body = self.sealed((&INCOMING, "body"), &[blob(row.id.as_uuid())], Some(revision), row)?;
        let params = params![
            self.merchant,
            blob(row.id.as_uuid()),
            source,
            self.digests.text(Kind::EventId, &row.event_id),
            self.digests.text(Kind::EventContent, &row.content),
            revision,
            row.state() == IncomingState::Failed,
            customer.as_ref().map(|customer| blob(customer.as_uuid())),
            micros(row.received_at),
            body,
            row.is_kept(),
        ];
        self.put([known, new], params)
    }

    pub(in super::super) fn put_event_marks(&mut self, row: &EventMarks) -> DbResult<()> {
        let sql = "INSERT OR REPLACE INTO event_marks (merchant, customer, source, revision, body) \
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        let source = self.number(&row.source)?;
        let (customer, revision) = (blob(row.customer.as_uuid()), signed(row.revision, "revision")?);
        let body = self.sealed(
            (&MARKS, "body"),
            &[customer, row.source.as_bytes()],
            Some(revision),
            row,
        )?;
        let params = params![self.merchant, customer, source, revision, body];
        execute(self.db, sql, params).map(drop)
    }

    /// What is for good is not set again: SQLite would make its entries in the indexes anew.
    pub(in super::super) fn put_outgoing_event(&mut self, row: &OutgoingEvent) -> DbResult<()> {
        let new = "INSERT OR IGNORE INTO outgoing_events (merchant, id, endpoint, state, open, failed, due_at, revision, \
                   created_at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        let known = "UPDATE outgoing_events SET state = ?4, open = ?5, failed = ?6, due_at = ?7, revision = ?8, body = ?10 \
                     WHERE merchant = ?1 AND id = ?2 AND endpoint = ?3 AND created_at = ?9";
        let endpoint = self.number(&row.endpoint)?;
        let revision = signed(row.revision(), "revision")?;
        let body = self.sealed((&OUTGOING, "body"), &[blob(row.id.as_uuid())], Some(revision), row)?;
        let params = params![
            self.merchant,
            blob(row.id.as_uuid()),
            endpoint,
            row.state().as_str(),
            row.state().is_open(),
            row.state() == OutgoingState::Failed,
            row.next_attempt_at().map(micros),
            revision,
            micros(row.created_at),
            body,
        ];
        self.put(
            if row.revision() == 1 {
                [new, known]
            } else {
                [known, new]
            },
            params,
        )
    }

    pub(in super::super) fn put_endpoint(&mut self, row: &EndpointRecord) -> DbResult<()> {
        let sql = "INSERT OR REPLACE INTO endpoints (merchant, endpoint, revision, body) VALUES (?1, ?2, ?3, ?4)";
        let (endpoint, revision) = (self.number(&row.endpoint)?, signed(row.revision, "revision")?);
        let body = self.sealed((&ENDPOINTS, "body"), &[row.endpoint.as_bytes()], Some(revision), row)?;
        let params = params![self.merchant, endpoint, revision, body];
        execute(self.db, sql, params).map(drop)
    }
}
