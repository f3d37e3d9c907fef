//! What has been kept for long enough, the oldest first and so many at a time.

use jiff::Timestamp;
use rusqlite::params;
use uuid::Uuid;

use upsert_core::EventId;

use super::rows::{DbResult, all, blob, execute, limit, micros, uuid};
use super::statements::Prepare;

const INCOMING_DONE: &str = "SELECT merchant, id FROM incoming_events INDEXED BY incoming_by_age \
    WHERE failed = 0 AND keeps = 0 AND id < ?1 ORDER BY id LIMIT ?2";
const INCOMING_FAILED: &str = "SELECT merchant, id FROM incoming_events INDEXED BY incoming_by_age \
    WHERE failed = 1 AND keeps = 0 AND id < ?1 ORDER BY id LIMIT ?2";
const OUTGOING_DONE: &str = "SELECT merchant, id FROM outgoing_events INDEXED BY outgoing_by_age \
    WHERE open = 0 AND failed = 0 AND id < ?1 ORDER BY id LIMIT ?2";
const OUTGOING_FAILED: &str = "SELECT merchant, id FROM outgoing_events INDEXED BY outgoing_by_age \
    WHERE open = 0 AND failed = 1 AND id < ?1 ORDER BY id LIMIT ?2";

/// Idempotency records that have expired by `now`.
pub(super) fn expired(db: &impl Prepare, now: Timestamp, most: usize) -> DbResult<usize> {
    let sql = "DELETE FROM idempotency WHERE id IN (SELECT id FROM idempotency WHERE expires_at <= ?1 \
               ORDER BY expires_at, key LIMIT ?2)";
    execute(db, sql, params![micros(now), limit(most)])
}

/// Events that are done since before the one moment or failed before the other. It looks at no more than `most` of each
/// kind, whatever else is kept.
pub(super) fn events(
    db: &impl Prepare,
    (done_before, failed_before): (Timestamp, Timestamp),
    most: usize,
) -> DbResult<usize> {
    let mut over: Vec<(Uuid, i64, &str)> = Vec::new();
    let delete_incoming = "DELETE FROM incoming_events WHERE merchant = ?1 AND id = ?2";
    let delete_outgoing = "DELETE FROM outgoing_events WHERE merchant = ?1 AND id = ?2";
    for (sql, before, delete) in [
        (INCOMING_DONE, done_before, delete_incoming),
        (INCOMING_FAILED, failed_before, delete_incoming),
        (OUTGOING_DONE, done_before, delete_outgoing),
        (OUTGOING_FAILED, failed_before, delete_outgoing),
    ] {
        let before = EventId::oldest_at(before);
        over.extend(all(db, sql, params![blob(before.as_uuid()), limit(most)], |row| {
            Ok((uuid(row, "id")?, row.get("merchant")?, delete))
        })?);
    }
    over.sort_unstable();
    over.truncate(most);
    for (id, merchant, delete) in &over {
        execute(db, delete, params![merchant, blob(id)])?;
    }
    Ok(over.len())
}

#[cfg(test)]
mod tests {
    use super::super::queries::plan;
    use super::*;

    #[test]
    fn what_is_over_is_found_without_what_is_kept() {
        for (sql, index) in [
            (INCOMING_DONE, "incoming_by_age"),
            (INCOMING_FAILED, "incoming_by_age"),
            (OUTGOING_DONE, "outgoing_by_age"),
            (OUTGOING_FAILED, "outgoing_by_age"),
        ] {
            let plan = plan(sql);
            assert!(
                plan.contains(&format!("COVERING INDEX {index} (failed=? AND id<?)")),
                "{plan}"
            );
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
