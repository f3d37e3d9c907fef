//! The schema: brought up to date by whichever process is first, while others may be serving.
//!
//! A step only adds (expand) where the release before has to work on beside it; what nobody uses any more goes with a later
//! release (contract). Each step says from which step on a program can work with what it leaves.

use jiff::{SignedDuration, Timestamp};
use rand::RngCore as _;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use upsert_core::{Clock as _, SystemClock};

use super::OpenError;
use super::error::{DbError, DbResult};

/// One step of the schema. One that was released never changes.
struct Step {
    sql: &'static str,
    /// A program whose newest step is this one or a later one works with what is there afterwards.
    works_from: i64,
}

const STEPS: [Step; 8] = [
    Step {
        sql: include_str!("migrations/0001_records.sql"),
        works_from: 1,
    },
    Step {
        sql: include_str!("migrations/0002_copying.sql"),
        works_from: 1,
    },
    Step {
        sql: include_str!("migrations/0003_sessions.sql"),
        works_from: 1,
    },
    Step {
        sql: include_str!("migrations/0004_kept_events.sql"),
        works_from: 1,
    },
    Step {
        sql: include_str!("migrations/0005_data_keys.sql"),
        works_from: 1,
    },
    Step {
        sql: include_str!("migrations/0006_audit.sql"),
        works_from: 1,
    },
    Step {
        sql: include_str!("migrations/0007_erasures.sql"),
        works_from: 1,
    },
    Step {
        sql: include_str!("migrations/0008_incidents.sql"),
        works_from: 1,
    },
];

/// The newest step that this program knows.
#[expect(clippy::cast_possible_wrap, reason = "there will never be that many")]
const NEWEST: i64 = STEPS.len() as i64;

/// How often somebody else may be faster.
const TRIES: usize = 20;

/// Brings the schema up to date: all steps that are missing, or none.
pub(super) async fn migrate(client: &Client) -> Result<(), OpenError> {
    for _ in 0..TRIES {
        match try_to_migrate(client).await {
            Err(error) if is_somebody_elses(&error) => {
                // There may be no transaction to take back.
                let _ = client.batch_execute("ROLLBACK").await;
            }
            Ok(found) if found.works_from > NEWEST => {
                return Err(OpenError::Newer {
                    found: found.version,
                    known: NEWEST,
                });
            }
            Ok(_) => return Ok(()),
            Err(error) => return Err(OpenError::Database(error.to_string())),
        }
    }
    Err(OpenError::Database(
        "other processes were changing the schema all the time".to_owned(),
    ))
}

struct Found {
    version: i64,
    works_from: i64,
}

/// The row of `schema` is what is locked: two that make the table at once, or the row, lose a race and begin anew.
async fn try_to_migrate(client: &Client) -> DbResult<Found> {
    client
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS schema (id bigint PRIMARY KEY CHECK (id = 0), version bigint NOT NULL, \
             works_from bigint NOT NULL); \
             INSERT INTO schema (id, version, works_from) VALUES (0, 0, 0) ON CONFLICT (id) DO NOTHING",
        )
        .await?;
    // An index over much takes its time.
    client.batch_execute("BEGIN; SET LOCAL statement_timeout = 0").await?;
    let row = client
        .query_one("SELECT version, works_from FROM schema WHERE id = 0 FOR UPDATE", &[])
        .await?;
    let mut found = Found {
        version: row.try_get(0)?,
        works_from: row.try_get(1)?,
    };
    let before = found.version;
    for (number, step) in (1..).zip(&STEPS).filter(|(number, _)| *number > before) {
        client.batch_execute(step.sql).await?;
        found = Found {
            version: number,
            works_from: step.works_from,
        };
    }
    let sql = "UPDATE schema SET version = $1, works_from = $2 WHERE id = 0";
    client.execute(sql, &[&found.version, &found.works_from]).await?;
    client.batch_execute("COMMIT").await?;
    Ok(found)
}

fn is_somebody_elses(error: &DbError) -> bool {
    let DbError::Postgres(error) = error else {
        return false;
    };
    error.code().is_some_and(|code| {
        [
            SqlState::UNIQUE_VIOLATION,
            SqlState::DUPLICATE_TABLE,
            SqlState::DUPLICATE_OBJECT,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
        ]
        .contains(code)
    })
}

/// A store that a copy has begun to fill is nobody else's.
pub(super) async fn refuse_unfinished(client: &Client) -> Result<(), OpenError> {
    let sql = "SELECT 1 FROM copying WHERE ended_at IS NULL";
    match client.query_opt(sql, &[]).await {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(OpenError::Unfinished),
        Err(error) => Err(OpenError::Database(DbError::from(error).to_string())),
    }
}

/// The key of the database's digests as it is kept, made by whoever was first.
pub(super) async fn secret(client: &Client) -> DbResult<Vec<u8>> {
    let mut made = [0; 16];
    rand::rng().fill_bytes(&mut made);
    let sql = "INSERT INTO secret (id, key) VALUES (0, $1) ON CONFLICT (id) DO NOTHING";
    client.execute(sql, &[&made.as_slice()]).await?;
    let row = client.query_one("SELECT key FROM secret WHERE id = 0", &[]).await?;
    Ok(row.try_get(0)?)
}

/// How far the database's clock is ahead of ours: leases of several processes are judged by each one's own.
pub(super) async fn clock_is_ahead(client: &Client) -> DbResult<SignedDuration> {
    let before = SystemClock.now();
    let sql = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)";
    let theirs: i64 = client.query_one(sql, &[]).await?.try_get(0)?;
    let theirs = Timestamp::from_microsecond(theirs).map_err(|_| DbError::Value("clock_timestamp"))?;
    let after = SystemClock.now();
    Ok(if theirs < before {
        theirs.duration_since(before)
    } else if theirs > after {
        theirs.duration_since(after)
    } else {
        SignedDuration::ZERO
    })
}
