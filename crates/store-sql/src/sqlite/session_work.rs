//! What is written of who has signed in at the dashboard.

use jiff::Timestamp;
use rusqlite::params;

use upsert_store::{Notice, SessionId, SessionRecord, SessionWrite};

use super::data_keys::{ensure, learn};
use super::rows::{DbResult, execute, first, limit, micros};
use super::statements::Prepare;
use crate::kept::Unfit;
use crate::sealed::{Place, Seals};

const BEGIN: &str = "INSERT INTO sessions (session, key_hash, begun_at, seen_at, notice) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT (session) DO NOTHING";
/// All of a key's but so many, those that were looked at last.
const MAKE_ROOM: &str = "DELETE FROM sessions WHERE session IN (SELECT session FROM sessions \
    WHERE key_hash = ?1 ORDER BY seen_at DESC, session DESC LIMIT -1 OFFSET ?2)";
const SEEN: &str = "UPDATE sessions SET seen_at = ?2 WHERE session = ?1 AND seen_at < ?2";
const TELL: &str = "UPDATE sessions SET notice = ?2 WHERE session = ?1";
const NOTICE: &str = "SELECT notice FROM sessions WHERE session = ?1 AND notice IS NOT NULL";
const TOLD: &str = "UPDATE sessions SET notice = NULL WHERE session = ?1";
const END: &str = "DELETE FROM sessions WHERE session = ?1";
/// There are few.
const TELL_NOTHING: &str = "UPDATE sessions SET notice = NULL WHERE notice IS NOT NULL";
const FORGET: &str = "DELETE FROM sessions WHERE session IN (SELECT session FROM sessions WHERE seen_at < ?1 \
    ORDER BY seen_at LIMIT ?2)";

/// What the writer can be asked to do with sessions.
pub(super) enum SessionWork {
    Write(SessionWrite),
    /// Those that were last looked at before this moment, so many at the most.
    Forget(Timestamp, usize),
}

/// How many were changed or forgotten.
pub(super) fn work(db: &impl Prepare, seals: &Seals, work: &SessionWork) -> DbResult<usize> {
    match work {
        SessionWork::Write(session) => write(db, seals, session),
        SessionWork::Forget(seen_before, most) => execute(db, FORGET, params![micros(*seen_before), limit(*most)]),
    }
}

fn write(db: &impl Prepare, seals: &Seals, write: &SessionWrite) -> DbResult<usize> {
    match write {
        SessionWrite::Begin(session, most) => begin(db, seals, session, *most),
        SessionWrite::Seen(id, at) => execute(db, SEEN, params![id.0, micros(*at)]),
        SessionWrite::Tell(id, notice) => execute(db, TELL, params![id.0, sealed(db, seals, id, notice)?]),
        SessionWrite::Told(id, notice) => told(db, seals, id, notice),
        SessionWrite::End(id) => execute(db, END, params![id.0]),
        SessionWrite::TellNothing => execute(db, TELL_NOTHING, []),
    }
}

/// A session is no merchant's.
fn sealed(db: &impl Prepare, seals: &Seals, id: &SessionId, notice: &Notice) -> DbResult<Vec<u8>> {
    ensure(db, seals, "", 1)?;
    Ok(seals.seal("", || Place::of_notice(id), notice, "notice")?)
}

/// What is to be told by now instead stays. There is one writer: nobody changes it in between.
fn told(db: &impl Prepare, seals: &Seals, id: &SessionId, notice: &Notice) -> DbResult<usize> {
    let kept = first(db, NOTICE, params![id.0], |row| Ok(row.get::<_, Vec<u8>>(0)?))?;
    let Some(kept) = kept else {
        return Ok(0);
    };
    learn(db, seals, &kept)?;
    let kept: Notice = seals.open(&kept, "notice", || Ok::<_, Unfit>(Place::of_notice(id)))?;
    if kept == *notice {
        execute(db, TOLD, params![id.0])
    } else {
        Ok(0)
    }
}

fn begin(db: &impl Prepare, seals: &Seals, session: &SessionRecord, most: usize) -> DbResult<usize> {
    let notice = session
        .notice
        .as_ref()
        .map(|notice| sealed(db, seals, &session.id, notice));
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
        for sql in [MAKE_ROOM, SEEN, TELL, NOTICE, TOLD, END, FORGET] {
            let plan = plan(sql);
            assert!(!plan.contains("SCAN sessions"), "{sql}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        }
    }
}
