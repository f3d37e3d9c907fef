//! Questions about who did what when.

use async_trait::async_trait;
use rusqlite::{Params, Row, params};

use upsert_store::{AuditFilter, AuditHead, AuditPage, AuditRecord, AuditStore, AuditStretch, StoreError};

use super::SqliteStore;
use super::readers::Reader;
use super::rows::{DbResult, all, first, hash, limit, micros, moment, signed, unsigned};

const HEAD: &str =
    "SELECT revision, number, happened_at, hash, forgotten, forgotten_hash, key_id, seal FROM audit_head";
const AFTER: &str = "SELECT number, happened_at, merchant, actor, action, subject, detail, key_id, previous, hash \
    FROM audit WHERE number > ?1 ORDER BY number LIMIT ?2";
const BELOW: &str = "SELECT number, happened_at, merchant, actor, action, subject, detail, key_id, previous, hash \
    FROM audit WHERE number < ?1 ORDER BY number DESC LIMIT ?2";
const BELOW_OF_MERCHANT: &str = "SELECT number, happened_at, merchant, actor, action, subject, detail, key_id, previous, \
    hash FROM audit WHERE merchant = ?3 AND number < ?1 ORDER BY number DESC LIMIT ?2";
/// The last entry before a moment.
const LAST_BEFORE: &str =
    "SELECT number FROM audit WHERE happened_at < ?1 ORDER BY happened_at DESC, number DESC LIMIT 1";

fn entry(row: &Row<'_>) -> DbResult<AuditRecord> {
    Ok(AuditRecord {
        number: unsigned(row, "number")?,
        at: moment(row, "happened_at")?,
        merchant: row.get("merchant")?,
        by: row.get("actor")?,
        action: row.get("action")?,
        subject: row.get("subject")?,
        detail: row.get("detail")?,
        key: row.get("key_id")?,
        before: hash(row, "previous")?,
        hash: hash(row, "hash")?,
    })
}

fn head(row: &Row<'_>) -> DbResult<AuditHead> {
    Ok(AuditHead {
        revision: unsigned(row, "revision")?,
        number: unsigned(row, "number")?,
        at: moment(row, "happened_at")?,
        hash: hash(row, "hash")?,
        forgotten: unsigned(row, "forgotten")?,
        forgotten_hash: hash(row, "forgotten_hash")?,
        key: row.get("key_id")?,
        seal: hash(row, "seal")?,
    })
}

impl Reader {
    fn audit_head(&mut self) -> DbResult<Option<AuditHead>> {
        first(&self.db, HEAD, [], head)
    }

    fn audit_entries(&mut self, filter: &AuditFilter, before: Option<u64>, most: usize) -> DbResult<AuditPage> {
        let mut below = before.map_or(Ok(i64::MAX), |before| signed(before, "number"))?;
        if let Some(until) = filter.until {
            // Times never fall with numbers: what is above the last one before it is too new.
            let last: Option<i64> = first(&self.db, LAST_BEFORE, params![micros(until)], |row| {
                Ok(row.get("number")?)
            })?;
            below = below.min(last.unwrap_or_default().saturating_add(1));
        }
        let looked_at = limit(AuditPage::reads(filter, most));
        let entries = match filter.only_merchant() {
            Some(merchant) => self.entries(BELOW_OF_MERCHANT, params![below, looked_at, merchant])?,
            None => self.entries(BELOW, params![below, looked_at])?,
        };
        Ok(AuditPage::of(entries, filter, most))
    }

    fn entries(&self, sql: &'static str, params: impl Params) -> DbResult<Vec<AuditRecord>> {
        all(&self.db, sql, params, entry)
    }

    fn audit_after(&mut self, after: u64, most: usize) -> DbResult<AuditStretch> {
        Ok(AuditStretch {
            head: self.audit_head()?,
            entries: self.entries(AFTER, params![signed(after, "number")?, limit(most)])?,
        })
    }
}

#[async_trait]
impl AuditStore for SqliteStore {
    async fn audit_head(&self) -> Result<Option<AuditHead>, StoreError> {
        self.readers.look(Reader::audit_head)
    }

    async fn audit_entries(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        let filter = filter.clone();
        self.readers
            .ask(move |reader| reader.audit_entries(&filter, before, limit))
            .await
    }

    async fn audit_after(&self, after: u64, limit: usize) -> Result<AuditStretch, StoreError> {
        self.readers.ask(move |reader| reader.audit_after(after, limit)).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::queries::plan;
    use super::*;

    #[test]
    fn no_entry_is_looked_for_among_all_of_them() {
        for sql in [AFTER, BELOW, BELOW_OF_MERCHANT, LAST_BEFORE] {
            let plan = plan(sql);
            assert!(plan.contains("SEARCH audit"), "{sql}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        }
    }
}
