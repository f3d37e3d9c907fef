//! A file as an end of a copy: names for numbers, and digests for pairs of numbers.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params, params_from_iter};

use upsert_core::crash_point::{self as points, crash_point};

use super::copying_sql::{insert_of, read_of};
use super::names::Names;
use super::open::{self, SqliteOptions};
use super::part_rows::{Called, read_rows, to_sql};
use super::rows::{DbError, DbResult, OURS};
use crate::copy::end::{Batch, Broken, End, EndResult, Noted, Notes, Place};
use crate::copy::form::{Kind, PARTS, Part, Row, Value};
use crate::digest::Digest;

/// Of a target. Keys come in random order: the more of their tree is at hand, the better.
const CACHE_KIB: u32 = 64 * 1_024;

/// A file that is copied from or to. Nobody else can open it meanwhile.
pub(crate) struct SqliteEnd(Arc<Mutex<Opened>>);

struct Opened {
    db: Connection,
    names: Names,
    /// Names by their numbers.
    known: Called,
    /// Let go of last.
    _lock: File,
}

impl SqliteEnd {
    /// Opens the file, makes it if it is not there, and brings its schema up to date.
    pub(crate) async fn open(path: PathBuf, is_source: bool) -> Result<Self, String> {
        let open = move || {
            let usual = SqliteOptions::default();
            let options = SqliteOptions {
                writer_cache_kib: if is_source { usual.writer_cache_kib } else { CACHE_KIB },
                ..usual
            };
            let lock = open::lock(&path)?;
            let db = open::writer(&path, options)?;
            Ok::<_, open::OpenError>(Opened {
                db,
                names: Names::default(),
                known: Called::new(),
                _lock: lock,
            })
        };
        let opened = tokio::task::spawn_blocking(open).await;
        let opened = opened.map_err(|_| "opening it broke off".to_owned())?;
        let opened = opened.map_err(|error| error.to_string())?;
        // What a crash of the machine takes away is taken away whole: how far the copy is goes with it.
        let relaxed = opened.db.pragma_update(None, "synchronous", "NORMAL");
        relaxed.map_err(|error| DbError::from(error).to_string())?;
        Ok(Self(Arc::new(Mutex::new(opened))))
    }

    /// SQLite blocks.
    async fn on<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Opened) -> DbResult<T> + Send + 'static,
    ) -> EndResult<T> {
        let opened = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&mut opened.lock())).await;
        let done = done.map_err(|_| Broken("a thread broke off".to_owned()))?;
        done.map_err(|error| Broken(error.to_string()))
    }
}

#[async_trait]
impl End for SqliteEnd {
    async fn secret(&mut self) -> EndResult<Vec<u8>> {
        self.on(|opened| {
            let sql = "SELECT key FROM secret WHERE id = 0";
            Ok(opened.db.query_row(sql, [], |row| row.get(0))?)
        })
        .await
    }

    async fn made_until(&mut self) -> EndResult<Option<i64>> {
        self.on(|opened| {
            let until = opened.db.query_row("SELECT until FROM made", [], |row| row.get(0));
            Ok(until.optional()?)
        })
        .await
    }

    async fn read(&mut self, part: &'static Part, after: Option<&Place>, most: usize) -> EndResult<Batch> {
        let after = after.cloned();
        self.on(move |opened| opened.read(part, after, most)).await
    }

    async fn noted(&mut self) -> EndResult<Option<Noted>> {
        self.on(|opened| {
            let sql = "SELECT body, ended_at FROM copying WHERE id = 0";
            let noted = opened.db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
            let Some((body, ended_at)) = noted.optional()? else {
                return Ok(None);
            };
            let ended_at: Option<i64> = ended_at;
            let ended_at = ended_at.map(Timestamp::from_microsecond).transpose();
            let ended_at = ended_at.map_err(|_| DbError::Value("ended_at"))?;
            Ok(Some(Noted { body, ended_at }))
        })
        .await
    }

    async fn is_empty(&mut self) -> EndResult<bool> {
        self.on(|opened| {
            for part in PARTS {
                let sql = format!("{} LIMIT 1", read_of(part, false).text);
                if opened.db.prepare(&sql)?.exists([])? {
                    return Ok(false);
                }
            }
            Ok(true)
        })
        .await
    }

    async fn begin(&mut self, secret: &[u8], note: &[u8]) -> EndResult<()> {
        let (secret, note) = (secret.to_vec(), note.to_vec());
        self.on(move |opened| {
            let transaction = opened.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute("UPDATE secret SET key = ?1 WHERE id = 0", params![secret])?;
            transaction.execute("INSERT INTO copying (id, body) VALUES (0, ?1)", params![note])?;
            Ok(transaction.commit()?)
        })
        .await
    }

    async fn put(&mut self, part: &'static Part, rows: Vec<Row>, notes: Notes) -> EndResult<bool> {
        self.on(move |opened| opened.put(part, rows, &notes)).await
    }

    async fn settle(&mut self) -> EndResult<()> {
        Ok(())
    }

    async fn end(&mut self, made_until: Option<i64>, notes: Notes, at: Timestamp) -> EndResult<bool> {
        self.on(move |opened| {
            // What was written before becomes durable with it.
            opened.db.pragma_update(None, "synchronous", "FULL")?;
            let transaction = opened.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if let Some(until) = made_until {
                let sql =
                    "INSERT INTO made (id, until) VALUES (0, ?1) ON CONFLICT DO UPDATE SET until = max(until, ?1)";
                transaction.execute(sql, params![until])?;
            }
            let sql = "UPDATE copying SET body = ?2, ended_at = ?3 WHERE id = 0 AND body = ?1 AND ended_at IS NULL";
            let noted = transaction.execute(sql, params![notes.before, notes.after, at.as_microsecond()])?;
            if noted > 0 {
                transaction.commit()?;
            }
            Ok(noted > 0)
        })
        .await
    }
}

impl Opened {
    fn read(&mut self, part: &'static Part, after: Option<Place>, most: usize) -> DbResult<Batch> {
        let found = read_rows(&self.db, &mut self.known, part, after, most)?;
        Ok(Batch {
            last: found.last()?,
            rows: found.rows,
        })
    }

    fn put(&mut self, part: &'static Part, rows: Vec<Row>, notes: &Notes) -> DbResult<bool> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(sql) = insert_of(part) {
            let mut statement = transaction.prepare_cached(&sql)?;
            for row in rows {
                let mut params = Vec::with_capacity(row.len() + 1);
                for (value, column) in row.into_iter().zip(part.columns) {
                    push(
                        &transaction,
                        &mut self.names,
                        &mut params,
                        value,
                        column.kind,
                        column.name,
                    )?;
                }
                statement.execute(params_from_iter(params))?;
            }
        }
        let sql = "UPDATE copying SET body = ?2 WHERE id = 0 AND body = ?1 AND ended_at IS NULL";
        let noted = transaction.execute(sql, params![notes.before, notes.after])?;
        if noted == 0 {
            return Ok(false);
        }
        crash_point(points::STORE_BEFORE_COMMIT);
        transaction.commit()?;
        crash_point(points::STORE_AFTER_COMMIT);
        Ok(true)
    }
}

/// A value as the file keeps it.
fn push(
    db: &Connection,
    names: &mut Names,
    params: &mut Vec<SqlValue>,
    value: Value,
    kind: Kind,
    column: &'static str,
) -> DbResult<()> {
    match (kind, value) {
        (Kind::Name, Value::Text(name)) if name.is_empty() => params.push(SqlValue::Integer(OURS)),
        (Kind::Name, Value::Text(name)) => params.push(SqlValue::Integer(names.number(db, &name)?)),
        (Kind::Mark, Value::Flag(false)) => params.push(SqlValue::Null),
        (Kind::Digest, Value::Bytes(bytes)) => {
            let digest = Digest::of_bytes(&bytes).ok_or(DbError::Value(column))?;
            params.extend([digest.hash, digest.rest].map(SqlValue::Integer));
        }
        (_, value) => params.push(to_sql(value)),
    }
    Ok(())
}
