//! Upserts and their deliveries.

use rusqlite::params;

use upsert_core::{DeliveryId, UpsertId, Word as _};
use upsert_store::{AttemptRecord, CustomerChange, DeliveryRecord, DeliveryState, UpsertRecord};

use super::super::pen::Pen;
use super::super::rows::{DbResult, blob, execute, micros, signed, standing_of_upsert};
use crate::copy::form::{ATTEMPTS, Part, UPSERTS};

impl Pen<'_, '_> {
    /// What is for good is not set again: SQLite would make its entries in the indexes anew.
    pub(in super::super) fn put_upsert(&self, row: &UpsertRecord, change: Option<&CustomerChange>) -> DbResult<()> {
        let new = "INSERT OR IGNORE INTO upserts (merchant, id, customer, standing, owes_event, revision, made, body, \
                   change) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let known = "UPDATE upserts SET standing = ?4, owes_event = ?5, revision = ?6, made = coalesce(made, ?7), \
                     body = ?8, change = coalesce(change, ?9) WHERE merchant = ?1 AND id = ?2 AND customer = ?3";
        let ended = "UPDATE upserts SET standing = ?4, owes_event = ?5, revision = ?6, body = ?8 \
                     WHERE merchant = ?1 AND id = ?2 AND customer = ?3 AND ?7 IS NULL AND ?9 IS NULL";
        let made = change.map(|_| signed(row.version, "made")).transpose()?;
        let (id, revision) = (blob(row.id.as_uuid()), signed(row.revision(), "revision")?);
        let sealed_change = change.map(|change| self.sealed((&UPSERTS, "change"), &[id], None, change));
        let params = params![
            self.merchant,
            id,
            blob(row.customer.as_uuid()),
            standing_of_upsert(row.state()),
            row.owes_event().then_some(1),
            revision,
            made,
            self.sealed((&UPSERTS, "body"), &[id], Some(revision), row)?,
            sealed_change.transpose()?,
        ];
        match (change, row.revision()) {
            (None, 2..) => self.put([ended, new], params),
            _ => self.put([new, known], params),
        }
    }

    /// What is for good is not set again: SQLite would make its entries in the indexes anew.
    pub(in super::super) fn put_delivery(
        &mut self,
        row: &DeliveryRecord,
        attempt: Option<&AttemptRecord>,
    ) -> DbResult<()> {
        let new = "INSERT OR IGNORE INTO upserts (merchant, id, connection, standing, due_at, lease_until, revision, body, \
                   attempt, request) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        let known = "UPDATE upserts SET standing = ?4, due_at = ?5, lease_until = ?6, revision = ?7, body = ?8, \
                     attempt = coalesce(?9, attempt), request = coalesce(?10, request) \
                     WHERE merchant = ?1 AND id = ?2 AND connection = ?3";
        let connection = self.number(&row.connection)?;
        let state = row.state();
        let (id, fence) = (blob(row.id.as_uuid()), signed(row.fence(), "fence")?);
        let first = attempt.filter(|attempt| attempt.number == 1);
        let (first, request) = if row.attempts_are_forgotten() {
            self.forget_later_attempts(row.id, row.last_attempt())?;
            (Some(FORGOTTEN), Some(FORGOTTEN))
        } else {
            let columns = first.map(|first| self.columns(&UPSERTS, &[id], first));
            columns.transpose()?.unwrap_or_default()
        };
        let params = params![
            self.merchant,
            id,
            connection,
            (state != DeliveryState::Succeeded).then_some(state.as_str()),
            row.next_attempt_at().map(micros),
            row.lease_until().map(micros),
            fence,
            self.sealed((&UPSERTS, "body"), &[id], Some(fence), row)?,
            first,
            request,
        ];
        let is_new = row.fence() == 0 || request.is_some();
        self.put(if is_new { [new, known] } else { [known, new] }, params)?;
        match attempt.filter(|attempt| attempt.number > 1) {
            Some(later) => self.put_later_attempt(later),
            None => Ok(()),
        }
    }

    pub(in super::super) fn forget_delivery(&self, id: DeliveryId, attempts: u32) -> DbResult<()> {
        let delivery = "DELETE FROM upserts WHERE merchant = ?1 AND id = ?2 AND connection IS NOT NULL";
        execute(self.db, delivery, params![self.merchant, blob(id.as_uuid())])?;
        self.forget_later_attempts(id, attempts)
    }

    fn forget_later_attempts(&self, id: DeliveryId, last: u32) -> DbResult<()> {
        let sql = "DELETE FROM attempts WHERE merchant = ?1 AND delivery = ?2 AND number <= ?3";
        execute(self.db, sql, params![self.merchant, blob(id.as_uuid()), last]).map(drop)
    }

    pub(in super::super) fn forget_upsert(&self, id: UpsertId) -> DbResult<()> {
        let sql = "DELETE FROM upserts WHERE merchant = ?1 AND id = ?2 AND connection IS NULL";
        execute(self.db, sql, params![self.merchant, blob(id.as_uuid())]).map(drop)
    }

    fn put_later_attempt(&self, row: &AttemptRecord) -> DbResult<()> {
        let new = "INSERT OR IGNORE INTO attempts (merchant, delivery, number, attempt, request) \
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        let known = "UPDATE attempts SET attempt = ?4, request = coalesce(?5, request) \
                     WHERE merchant = ?1 AND delivery = ?2 AND number = ?3";
        let delivery = blob(row.delivery.as_uuid());
        let key = [delivery, &i64::from(row.number).to_be_bytes()];
        let (attempt, request) = self.columns(&ATTEMPTS, &key, row)?;
        let params = params![self.merchant, delivery, row.number, attempt, request];
        self.put([new, known], params)
    }

    /// An attempt, and what went out with it: that is written once, and stays.
    fn columns(&self, part: &'static Part, key: &[&[u8]], attempt: &AttemptRecord) -> DbResult<(Kept, Kept)> {
        let request = attempt.request.as_ref();
        let request = request.map(|request| self.sealed((part, "request"), key, None, request));
        let attempt = self.sealed((part, "attempt"), key, None, attempt)?;
        Ok((Some(attempt), request.transpose()?))
    }
}

/// In the place of an attempt that is forgotten: null would leave the one that is there.
const FORGOTTEN: Vec<u8> = Vec::new();

/// As one column keeps it.
type Kept = Option<Vec<u8>>;
