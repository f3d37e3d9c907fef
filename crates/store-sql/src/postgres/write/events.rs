//! Webhook events.

use upsert_core::Word as _;
use upsert_store::{EndpointRecord, EventMarks, IncomingEvent, IncomingState, OutgoingEvent, OutgoingState};

use super::super::batch::{Batch, ENDPOINT, SOURCE};
use super::super::error::DbResult;
use super::super::rows::Key;
use super::super::tables::{ENDPOINTS, INCOMING, MARKS, OUTGOING};
use crate::copy::form;
use crate::digest::Kind;
use crate::kept::signed;

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
        let content = self.content_key(merchant, &row.source, &row.event_id, &row.content);
        self.by_content.insert(content, Some(*row.id.as_uuid()));
        let (id, revision) = (row.id.as_uuid().as_bytes(), signed(row.revision(), "revision")?);
        let body = self.sealed(merchant, (&form::INCOMING, "body"), &[id], Some(revision), row)?;
        let values = vec![
            revision.into(),
            row.source.as_str().into(),
            self.digests.text(Kind::EventId, &row.event_id).into_owned().into(),
            self.digests.text(Kind::EventContent, &row.content).into_owned().into(),
            (row.state() == IncomingState::Failed).into(),
            row.customer().map(|customer| *customer.as_uuid()).into(),
            row.received_at.as_microsecond().into(),
            body,
            row.is_kept().into(),
        ];
        self.of(&INCOMING)
            .put(vec![merchant.into(), row.id.as_uuid().into()], values);
        Ok(())
    }

    pub(in super::super) fn put_event_marks(&mut self, merchant: &str, row: &EventMarks) -> DbResult<()> {
        let place = [&row.customer.as_uuid().as_bytes()[..], row.source.as_bytes()];
        let revision = signed(row.revision, "revision")?;
        let body = self.sealed(merchant, (&form::MARKS, "body"), &place, Some(revision), row)?;
        self.of(&MARKS)
            .put(marks_key(merchant, row), vec![revision.into(), body]);
        Ok(())
    }

    pub(in super::super) fn put_outgoing_event(&mut self, merchant: &str, row: &OutgoingEvent) -> DbResult<()> {
        self.note_made(row.id.made_at());
        self.note_place(merchant, ENDPOINT, &row.endpoint);
        let (id, revision) = (row.id.as_uuid().as_bytes(), signed(row.revision(), "revision")?);
        let body = self.sealed(merchant, (&form::OUTGOING, "body"), &[id], Some(revision), row)?;
        let values = vec![
            revision.into(),
            row.endpoint.as_str().into(),
            row.state().as_str().into(),
            row.state().is_open().into(),
            (row.state() == OutgoingState::Failed).into(),
            row.next_attempt_at().map(jiff::Timestamp::as_microsecond).into(),
            row.created_at.as_microsecond().into(),
            body,
        ];
        self.of(&OUTGOING)
            .put(vec![merchant.into(), row.id.as_uuid().into()], values);
        Ok(())
    }

    pub(in super::super) fn put_endpoint(&mut self, merchant: &str, row: &EndpointRecord) -> DbResult<()> {
        self.note_place(merchant, ENDPOINT, &row.endpoint);
        let key = vec![merchant.into(), row.endpoint.as_str().into()];
        let revision = signed(row.revision, "revision")?;
        let place = [row.endpoint.as_bytes()];
        let body = self.sealed(merchant, (&form::ENDPOINTS, "body"), &place, Some(revision), row)?;
        self.of(&ENDPOINTS).put(key, vec![revision.into(), body]);
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
