//! Webhook events.

use upsert_core::Word as _;
use upsert_store::{EndpointRecord, EventMarks, IncomingEvent, IncomingState, OutgoingEvent, OutgoingState};

use super::super::batch::{Batch, ENDPOINT, SOURCE};
use super::super::error::DbResult;
use super::super::keys::content_of;
use super::super::rows::Key;
use super::super::tables::{ENDPOINTS, INCOMING, MARKS, OUTGOING};
use crate::kept::{signed, to_bytes};

impl Batch<'_> {
    pub(in super::super) fn need_incoming_event(&mut self, merchant: &str, row: &IncomingEvent) {
        self.of(&INCOMING).need(vec![merchant.into(), row.id.as_uuid().into()]);
    }

    pub(in super::super) fn need_outgoing_event(&mut self, merchant: &str, row: &OutgoingEvent) {
        self.of(&OUTGOING).need(vec![merchant.into(), row.id.as_uuid().into()]);
    }

    pub(in super::super) fn need_event_marks(&mut self, merchant: &str, row: &EventMarks) {
        self.of(&MARKS).need(marks_key(merchant, row));
    }

    /// Another row of the same sender's id and content is an error of the database's, not a row.
    pub(in super::super) fn put_incoming_event(&mut self, merchant: &str, row: &IncomingEvent) -> DbResult<()> {
        self.note_made(row.id.made_at());
        self.note_place(merchant, SOURCE, &row.source);
        let content = content_of(merchant, &row.source, &row.event_id, &row.content);
        self.by_content.insert(content, Some(*row.id.as_uuid()));
        let values = vec![
            signed(row.revision(), "revision")?.into(),
            row.source.as_str().into(),
            row.event_id.as_str().into(),
            row.content.as_str().into(),
            (row.state() == IncomingState::Failed).into(),
            row.customer().map(|customer| *customer.as_uuid()).into(),
            row.received_at.as_microsecond().into(),
            to_bytes(row, "body")?.into(),
            row.is_kept().into(),
        ];
        self.of(&INCOMING)
            .put(vec![merchant.into(), row.id.as_uuid().into()], values);
        Ok(())
    }

    pub(in super::super) fn put_event_marks(&mut self, merchant: &str, row: &EventMarks) -> DbResult<()> {
        let values = vec![signed(row.revision, "revision")?.into(), to_bytes(row, "body")?.into()];
        self.of(&MARKS).put(marks_key(merchant, row), values);
        Ok(())
    }

    pub(in super::super) fn put_outgoing_event(&mut self, merchant: &str, row: &OutgoingEvent) -> DbResult<()> {
        self.note_made(row.id.made_at());
        self.note_place(merchant, ENDPOINT, &row.endpoint);
        let values = vec![
            signed(row.revision(), "revision")?.into(),
            row.endpoint.as_str().into(),
            row.state().as_str().into(),
            row.state().is_open().into(),
            (row.state() == OutgoingState::Failed).into(),
            row.next_attempt_at().map(jiff::Timestamp::as_microsecond).into(),
            row.created_at.as_microsecond().into(),
            to_bytes(row, "body")?.into(),
        ];
        self.of(&OUTGOING)
            .put(vec![merchant.into(), row.id.as_uuid().into()], values);
        Ok(())
    }

    pub(in super::super) fn put_endpoint(&mut self, merchant: &str, row: &EndpointRecord) -> DbResult<()> {
        self.note_place(merchant, ENDPOINT, &row.endpoint);
        let key = vec![merchant.into(), row.endpoint.as_str().into()];
        let revision = signed(row.revision, "revision")?;
        self.of(&ENDPOINTS)
            .put(key, vec![revision.into(), to_bytes(row, "body")?.into()]);
        Ok(())
    }
}

fn marks_key(merchant: &str, row: &EventMarks) -> Key {
    vec![
        merchant.into(),
        row.customer.as_uuid().into(),
        row.source.as_str().into(),
    ]
}
