//! Upserts and their deliveries.

use upsert_core::{DeliveryId, Word as _};
use upsert_store::{AttemptRecord, CustomerChange, DeliveryRecord, DeliveryState, UpsertRecord};

use super::super::batch::{Batch, CONNECTION};
use super::super::error::DbResult;
use super::super::rows::Key;
use super::super::tables::{ATTEMPTS, UPSERTS};
use super::super::value::Value;
use crate::copy::form::{self, Part};
use crate::kept::{signed, standing_of_upsert};

impl Batch<'_> {
    pub(in super::super) fn need_upsert(&mut self, merchant: &str, row: &UpsertRecord) {
        self.of(&UPSERTS).need(vec![merchant.into(), row.id.as_uuid().into()]);
    }

    pub(in super::super) fn need_delivery(
        &mut self,
        merchant: &str,
        row: &DeliveryRecord,
        attempt: Option<&AttemptRecord>,
    ) {
        self.of(&UPSERTS).need(vec![merchant.into(), row.id.as_uuid().into()]);
        if row.attempts_are_forgotten() {
            self.need_to_forget_delivery(merchant, row.id, row.last_attempt());
        }
        if let Some(later) = attempt.filter(|attempt| attempt.number > 1) {
            let key = attempt_key(merchant, later.delivery, later.number);
            self.of(&ATTEMPTS).need(key);
        }
    }

    /// The first attempt stands with the delivery.
    pub(in super::super) fn need_to_forget_delivery(&mut self, merchant: &str, id: DeliveryId, attempts: u32) {
        self.of(&UPSERTS).need(vec![merchant.into(), id.as_uuid().into()]);
        for number in 2..=attempts {
            self.of(&ATTEMPTS).need(attempt_key(merchant, id, number));
        }
    }

    pub(in super::super) fn forget_delivery(&mut self, merchant: &str, id: DeliveryId, attempts: u32) {
        self.of(&UPSERTS).remove(&vec![merchant.into(), id.as_uuid().into()]);
        self.forget_later_attempts(merchant, id, attempts);
    }

    fn forget_later_attempts(&mut self, merchant: &str, id: DeliveryId, last: u32) {
        for number in 2..=last {
            self.of(&ATTEMPTS).remove(&attempt_key(merchant, id, number));
        }
    }

    pub(in super::super) fn put_upsert(
        &mut self,
        merchant: &str,
        row: &UpsertRecord,
        change: Option<&CustomerChange>,
    ) -> DbResult<()> {
        self.note_made(row.id.made_at());
        let made = change.map(|_| signed(row.version, "made")).transpose()?;
        let (id, revision) = (row.id.as_uuid().as_bytes(), signed(row.revision(), "revision")?);
        let change = change.map(|change| self.sealed(merchant, (&form::UPSERTS, "change"), &[id], None, change));
        let body = self.sealed(merchant, (&form::UPSERTS, "body"), &[id], Some(revision), row)?;
        let values = vec![
            revision.into(),
            row.customer.as_uuid().into(),
            Value::Null,
            standing_of_upsert(row.state()).into(),
            Value::Null,
            Value::Null,
            row.owes_event().into(),
            made.into(),
            body,
            change.transpose()?.unwrap_or(Value::Null),
            Value::Null,
            Value::Null,
        ];
        self.of(&UPSERTS)
            .put(vec![merchant.into(), row.id.as_uuid().into()], values);
        Ok(())
    }

    pub(in super::super) fn put_delivery(
        &mut self,
        merchant: &str,
        row: &DeliveryRecord,
        attempt: Option<&AttemptRecord>,
    ) -> DbResult<()> {
        self.note_made(row.id.made_at());
        self.note_place(merchant, CONNECTION, &row.connection);
        let (state, id) = (row.state(), row.id.as_uuid().as_bytes());
        let first = attempt.filter(|attempt| attempt.number == 1);
        let [first, request] = if row.attempts_are_forgotten() {
            self.forget_later_attempts(merchant, row.id, row.last_attempt());
            [FORGOTTEN, FORGOTTEN]
        } else {
            let columns = first.map(|first| self.columns(merchant, &form::UPSERTS, &[id], first));
            columns.transpose()?.unwrap_or([Value::Null, Value::Null])
        };
        let fence = signed(row.fence(), "fence")?;
        let body = self.sealed(merchant, (&form::UPSERTS, "body"), &[id], Some(fence), row)?;
        let values = vec![
            fence.into(),
            Value::Null,
            row.connection.as_str().into(),
            (state != DeliveryState::Succeeded).then_some(state.as_str()).into(),
            row.next_attempt_at().map(jiff::Timestamp::as_microsecond).into(),
            row.lease_until().map(jiff::Timestamp::as_microsecond).into(),
            false.into(),
            Value::Null,
            body,
            Value::Null,
            first,
            request,
        ];
        self.of(&UPSERTS)
            .put(vec![merchant.into(), row.id.as_uuid().into()], values);
        if let Some(later) = attempt.filter(|attempt| attempt.number > 1) {
            let key = attempt_key(merchant, later.delivery, later.number);
            let number = i64::from(later.number).to_be_bytes();
            let place = [&later.delivery.as_uuid().as_bytes()[..], &number];
            let columns = self.columns(merchant, &form::ATTEMPTS, &place, later)?;
            self.of(&ATTEMPTS).put(key, columns.to_vec());
        }
        Ok(())
    }

    /// An attempt, and what went out with it: that is written once, and stays.
    fn columns(
        &self,
        merchant: &str,
        part: &'static Part,
        key: &[&[u8]],
        attempt: &AttemptRecord,
    ) -> DbResult<[Value; 2]> {
        let request = attempt.request.as_ref();
        let request = request.map(|request| self.sealed(merchant, (part, "request"), key, None, request));
        let request = request.transpose()?.unwrap_or(Value::Null);
        Ok([self.sealed(merchant, (part, "attempt"), key, None, attempt)?, request])
    }
}

/// In the place of an attempt that is forgotten: null would leave the one that is there.
const FORGOTTEN: Value = Value::Bytes(Vec::new());

fn attempt_key(merchant: &str, delivery: DeliveryId, number: u32) -> Key {
    vec![merchant.into(), delivery.as_uuid().into(), i64::from(number).into()]
}
