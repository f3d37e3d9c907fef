//! What is written of who has signed in at the dashboard.

use jiff::Timestamp;
use rusqlite::params;

use upsert_store::{SessionRecord, SessionWrite};

use super::rows::{DbResult, execute, limit, micros, to_bytes};
use super::statements::Prepare;

const BEGIN: &str = "INSERT INTO sessions (session, key_hash, begun_at, seen_at, notice) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT (session) DO NOTHING";
/// All of a key's but so many, those that were looked at last.
const MAKE_ROOM: &str = "DELETE FROM sessions WHERE session IN (SELECT session FROM sessions \
    WHERE key_hash = ?1 ORDER BY seen_at DESC, session DESC LIMIT -1 OFFSET ?2)";
const SEEN: &str = "UPDATE sessions SET seen_at = ?2 WHERE session = ?1 AND seen_at < ?2";
const TELL: &str = "UPDATE sessions SET notice = ?2 WHERE session = ?1";
const TOLD: &str = "UPDATE sessions SET notice = NULL WHERE session = ?1 AND notice = ?2";
const END: &str = "DELETE FROM sessions WHERE session = ?1";
const FORGET: &str = "DELETE FROM sessions WHERE session IN (SELECT session FROM sessions WHERE seen_at < ?1 \
    ORDER BY seen_at LIMIT ?2)";

/// What the writer can be asked to do with sessions.
pub(super) enum SessionWork {
    Write(SessionWrite),
    /// Those that were last looked at before this moment, so many at the most.
    Forget(Timestamp, usize),
}

/// How many were changed or forgotten.
pub(super) fn work(db: &impl Prepare, work: &SessionWork) -> DbResult<usize> {
    match work {
        SessionWork::Write(session) => write(db, session),
        SessionWork::Forget(seen_before, most) => execute(db, FORGET, params![micros(*seen_before), limit(*most)]),
    }
}

fn write(db: &impl Prepare, write: &SessionWrite) -> DbResult<usize> {
    match write {
        SessionWrite::Begin(session, most) => begin(db, session, *most),
        SessionWrite::Seen(id, at) => execute(db, SEEN, params![id.0, micros(*at)]),
        SessionWrite::Tell(id, notice) => execute(db, TELL, params![id.0, to_bytes(notice, "notice")?]),
        SessionWrite::Told(id, notice) => execute(db, TOLD, params![id.0, to_bytes(notice, "notice")?]),
        SessionWrite::End(id) => execute(db, END, params![id.0]),
    }
}

fn begin(db: &impl Prepare, session: &SessionRecord, most: usize) -> DbResult<usize> {
    let notice = session.notice.as_ref().map(|notice| to_bytes(notice, "notice"));
    let (begun_at, seen_at) = (micros(session.begun_at), micros(session.seen_at));
    execute(
        db,
        BEGIN,
        params![session.id.0, session.key_hash, begun_at, seen_at, notice.transpose()?],
    )?;
    execute(db, MAKE_ROOM, params![session.key_hash, limit(most)])
}

#[cfg(test)]
mod tests {
    use super::super::queries::plan;
    use super::*;

    #[test]
    fn no_session_is_looked_for_among_all_of_them() {
        for sql in [MAKE_ROOM, SEEN, TELL, TOLD, END, FORGET] {
            let plan = plan(sql);
            assert!(!plan.contains("SCAN sessions"), "{sql}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        }
    }
}
