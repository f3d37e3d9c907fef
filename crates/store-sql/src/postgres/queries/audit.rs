//! Questions about who did what when.

use async_trait::async_trait;
use tokio_postgres::Row;

use upsert_store::{AuditFilter, AuditHead, AuditPage, AuditRecord, AuditStore, AuditStretch, StoreError};

use super::super::PostgresStore;
use super::super::error::{DbError, DbResult};
use super::super::reader::{Client, all, count, first, get, moment};
use crate::kept::{limit, signed};

const HEAD: &str =
    "SELECT revision, number, happened_at, hash, forgotten, forgotten_hash, key_id, seal FROM audit_head";
/// The head and the entries in one statement, so that both are of one moment: a row without a number has the head alone.
const AFTER: &str = "SELECT h.revision, h.number AS last, h.happened_at AS last_at, h.hash AS last_hash, h.forgotten, \
    h.forgotten_hash, h.key_id AS head_key, h.seal, a.number, a.happened_at, a.merchant, a.actor, a.action, a.subject, \
    a.detail, a.key_id, a.previous, a.hash FROM (SELECT CAST(0 AS bigint) AS id) AS o \
    LEFT JOIN audit_head AS h ON h.id = o.id LEFT JOIN LATERAL (SELECT * FROM audit WHERE audit.number > $1 \
    ORDER BY audit.number LIMIT $2) AS a ON true ORDER BY a.number";
const BELOW: &str = "SELECT number, happened_at, merchant, actor, action, subject, detail, key_id, previous, hash \
    FROM audit WHERE number < $1 ORDER BY number DESC LIMIT $2";
const BELOW_OF_MERCHANT: &str = "SELECT number, happened_at, merchant, actor, action, subject, detail, key_id, previous, \
    hash FROM audit WHERE merchant = $3 AND number < $1 ORDER BY number DESC LIMIT $2";
/// The last entry before a moment.
const LAST_BEFORE: &str =
    "SELECT number FROM audit WHERE happened_at < $1 ORDER BY happened_at DESC, number DESC LIMIT 1";

fn hash(row: &Row, column: &'static str) -> DbResult<[u8; 32]> {
    let bytes: &[u8] = get(row, column)?;
    bytes.try_into().map_err(|_| DbError::Value(column))
}

fn entry(row: &Row) -> DbResult<AuditRecord> {
    Ok(AuditRecord {
        number: count(row, "number")?,
        at: moment(row, "happened_at")?,
        merchant: text(row, "merchant")?,
        by: text(row, "actor")?.unwrap_or_default(),
        action: text(row, "action")?.unwrap_or_default(),
        subject: text(row, "subject")?.unwrap_or_default(),
        detail: text(row, "detail")?,
        key: text(row, "key_id")?,
        before: hash(row, "previous")?,
        hash: hash(row, "hash")?,
    })
}

/// As it was before it was kept.
fn text(row: &Row, column: &'static str) -> DbResult<Option<String>> {
    let kept: Option<&str> = get(row, column)?;
    Ok(kept.map(|kept| super::super::text::read(kept).into_owned()))
}

/// The names of its columns differ where entries stand beside it.
fn head(row: &Row, [last, last_at, last_hash, key]: [&'static str; 4]) -> DbResult<AuditHead> {
    Ok(AuditHead {
        revision: count(row, "revision")?,
        number: count(row, last)?,
        at: moment(row, last_at)?,
        hash: hash(row, last_hash)?,
        forgotten: count(row, "forgotten")?,
        forgotten_hash: hash(row, "forgotten_hash")?,
        key: text(row, key)?,
        seal: hash(row, "seal")?,
    })
}

async fn page(client: &Client, filter: &AuditFilter, before: Option<u64>, most: usize) -> DbResult<AuditPage> {
    let mut below = before.map_or(Ok(i64::MAX), |before| signed(before, "number"))?;
    if let Some(until) = filter.until {
        // Times never fall with numbers: what is above the last one before it is too new.
        let last = first(client, LAST_BEFORE, &[&until.as_microsecond()]).await?;
        let last: i64 = last.map(|row| get(&row, "number")).transpose()?.unwrap_or_default();
        below = below.min(last.saturating_add(1));
    }
    let looked_at = limit(AuditPage::reads(filter, most));
    let rows = match filter.only_merchant() {
        Some(merchant) => all(client, BELOW_OF_MERCHANT, &[&below, &looked_at, &merchant]).await?,
        None => all(client, BELOW, &[&below, &looked_at]).await?,
    };
    let entries = rows.iter().map(entry).collect::<DbResult<Vec<_>>>()?;
    Ok(AuditPage::of(entries, filter, most))
}

async fn after(client: &Client, after: u64, most: usize) -> DbResult<AuditStretch> {
    let rows = all(client, AFTER, &[&signed(after, "number")?, &limit(most)]).await?;
    let has = |row: &Row, column| get::<Option<i64>>(row, column).map(|value| value.is_some());
    let mut stretch = AuditStretch::default();
    for row in &rows {
        if stretch.head.is_none() && has(row, "revision")? {
            stretch.head = Some(head(row, ["last", "last_at", "last_hash", "head_key"])?);
        }
        if has(row, "number")? {
            stretch.entries.push(entry(row)?);
        }
    }
    Ok(stretch)
}

#[async_trait]
impl AuditStore for PostgresStore {
    async fn audit_head(&self) -> Result<Option<AuditHead>, StoreError> {
        let client = self.client().await?;
        let question = async {
            let row = first(&client, HEAD, &[]).await?;
            row.map(|row| head(&row, ["number", "happened_at", "hash", "key_id"]))
                .transpose()
        };
        self.patiently(question).await
    }

    async fn audit_entries(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        let client = self.client().await?;
        self.patiently(page(&client, filter, before, limit)).await
    }

    async fn audit_after(&self, after: u64, limit: usize) -> Result<AuditStretch, StoreError> {
        let client = self.client().await?;
        self.patiently(self::after(&client, after, limit)).await
    }
}
