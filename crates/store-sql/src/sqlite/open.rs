//! Opening: the path, the lock, the connections' settings, the schema.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use upsert_sealing::{Keyring, NotOpened};
use upsert_store::StoreError;

use super::adopt::{self, Adopted, NotAdopted};
use super::db_error::DbError;

/// The steps that made the schema what it is, in order. A step that was released never changes.
pub(super) const MIGRATIONS: [&str; 8] = [
    include_str!("migrations/0001_records.sql"),
    include_str!("migrations/0002_copying.sql"),
    include_str!("migrations/0003_sessions.sql"),
    include_str!("migrations/0004_kept_events.sql"),
    include_str!("migrations/0005_data_keys.sql"),
    include_str!("migrations/0006_audit.sql"),
    include_str!("migrations/0007_erasures.sql"),
    include_str!("migrations/0008_incidents.sql"),
];

/// The newest schema that this program knows.
#[expect(clippy::cast_possible_wrap, reason = "there will never be that many")]
const NEWEST: i64 = MIGRATIONS.len() as i64;

/// Marks a file as ours (`PRAGMA application_id`): "UPG1". Files of before the first release have another mark, and cannot be
/// read any more.
const APPLICATION_ID: i32 = 0x5550_4731;

/// However many threads there are: each connection has a page cache of its own.
const MOST_AT_HAND: usize = 16;

const PAGE_BYTES: u32 = 8 * 1_024;

/// How long to wait for somebody else's lock on the file, such as a backup's.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How a store is opened. The default suits a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Threads that read what may take long.
    pub readers: usize,
    /// Connections for what is read on the thread that asks: as many as there are threads that do.
    pub at_hand: usize,
    /// Changesets (and, apart from them, questions) that may wait; one more is answered with `StoreError::Busy`.
    pub queue: usize,
    /// Changesets in one commit at most.
    pub batch: usize,
    /// The writer's page cache, in KiB.
    pub writer_cache_kib: u32,
    /// Each reader's page cache, in KiB.
    pub reader_cache_kib: u32,
    /// Pages in the write-ahead log after which they are moved into the file.
    pub checkpoint_pages: u32,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            readers: 2,
            at_hand: std::thread::available_parallelism().map_or(2, |threads| threads.get().min(MOST_AT_HAND)),
            queue: 4_096,
            batch: 512,
            writer_cache_kib: 4 * 1_024,
            reader_cache_kib: 2 * 1_024,
            checkpoint_pages: 4_000,
        }
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The path is no file's: SQLite would keep nothing, or keep it elsewhere.
    #[error("`{}` is not the path of a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file or its folder cannot be made or written.
    #[error("cannot use `{}`", path.display())]
    Unusable {
        /// Of the file or its lock.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has it open (or this one has, a second time).
    #[error("`{}` is already open in another process", path.display())]
    InUse {
        /// Of the store.
        path: PathBuf,
    },
    /// A later version of the gateway has written it.
    #[error("`{}` has schema {found}, this program knows up to {known}: run a newer version", path.display())]
    Newer {
        /// Of the store.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest known one.
        known: i64,
    },
    /// It is a database, but not the gateway's.
    #[error("`{}` is the database of another program", path.display())]
    Foreign {
        /// Of the store.
        path: PathBuf,
    },
    /// A copy to it has begun and not ended.
    #[error("`{}` is being filled by `upsert-gateway store copy`, which has not ended: run it again until it has", path.display())]
    Unfinished {
        /// Of the store.
        path: PathBuf,
    },
    /// What it holds is sealed, and cannot be opened.
    #[error("`{}` is sealed, and cannot be opened: {why}. Its key has to be in `store.encryption_keys`", path.display())]
    Sealed {
        /// Of the store.
        path: PathBuf,
        /// Why.
        why: NotOpened,
    },
    /// What it keeps of itself cannot be read.
    #[error("cannot read what `{}` keeps of itself: {why}", path.display())]
    Unreadable {
        /// Of the store.
        path: PathBuf,
        /// Which column, without a value.
        why: String,
    },
    /// SQLite refused.
    #[error("cannot open the database `{}`", path.display())]
    Database {
        /// Of the store.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A thread could not be started.
    #[error("cannot start a thread for the store")]
    Thread {
        /// Why.
        source: io::Error,
    },
}

/// Refuses what is no file, makes folder and file, and takes the lock `<file>.lock`. It lies beside the file itself, not
/// beside a link to it: two names of one file are one store.
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
    let text = path.to_string_lossy();
    if path.file_name().is_none() || text.contains(":memory:") || text.starts_with("file:") || path.is_dir() {
        return Err(OpenError::NotAFile { path: path.to_owned() });
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| unusable(folder, source))?;
    }
    private(path).map_err(|source| unusable(path, source))?;
    let file = path.canonicalize().map_err(|source| unusable(path, source))?;
    let mut name = file.into_os_string();
    name.push(".lock");
    let beside = PathBuf::from(name);
    let file = private(&beside).map_err(|source| unusable(&beside, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(unusable(&beside, source)),
    }
}

/// Less than this is a full disk.
const LEAST_ROOM: u64 = 256 * 1024;

/// Whether there is room for more than what is there already: a log whose content was moved is written over, and so does
/// not tell.
pub(super) fn room(path: &Path) -> Result<(), StoreError> {
    match rustix::fs::statvfs(path) {
        Ok(disk) if disk.f_blocks > 0 && disk.f_bavail.saturating_mul(disk.f_frsize) < LEAST_ROOM => {
            Err(StoreError::Unavailable("the disk is full".to_owned()))
        }
        // Whoever cannot tell has another reason not to answer, or none; one without blocks does not know its size.
        _ => Ok(()),
    }
}

fn unusable(path: &Path, source: io::Error) -> OpenError {
    OpenError::Unusable {
        path: path.to_owned(),
        source,
    }
}

/// Opens or makes a file that nobody else on the machine can read: it holds personal data. SQLite gives its log the
/// same mode.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        // They lie beside the file itself, not beside a link to it.
        let path = path.canonicalize()?;
        for one in [with_ending(&path, "-wal"), with_ending(&path, "-shm"), path] {
            tighten(&one);
        }
    }
    Ok(file)
}

/// The file of this name with something behind it, as SQLite names what belongs to a database.
#[cfg(unix)]
fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// One that was there may be somebody's to read. Whose file it is not, such as on a volume that others have made, leaves it so.
#[cfg(unix)]
fn tighten(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let is_open = |metadata: &fs::Metadata| metadata.is_file() && metadata.permissions().mode() & 0o077 != 0;
    if fs::metadata(path).is_ok_and(|metadata| is_open(&metadata))
        && let Err(error) = fs::set_permissions(path, fs::Permissions::from_mode(0o600))
    {
        tracing::warn!(path = %path.display(), %error, "others can read the store's file, and it cannot be changed");
    }
}

/// The connection that writes, with the schema up to date.
pub(super) fn writer(path: &Path, options: SqliteOptions) -> Result<Connection, OpenError> {
    let refused = |source| OpenError::Database {
        path: path.to_owned(),
        source,
    };
    let mut connection = connect(path, options.writer_cache_kib).map_err(refused)?;
    refuse_strangers(&connection, path)?;
    durable(&connection).map_err(refused)?;
    migrate(&mut connection).map_err(refused)?;
    Ok(connection)
}

/// A store that a copy has begun to fill is nobody else's.
pub(super) fn refuse_unfinished(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let look = || {
        let mut statement = connection.prepare("SELECT 1 FROM copying WHERE ended_at IS NULL")?;
        statement.exists([])
    };
    match look() {
        Ok(false) => Ok(()),
        Ok(true) => Err(OpenError::Unfinished { path: path.to_owned() }),
        Err(source) => Err(OpenError::Database {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Looks whether all that is sealed can be opened, and takes the file over where a key is new to it.
pub(super) fn adopt(connection: &mut Connection, keyring: &Keyring, path: &Path) -> Result<Adopted, OpenError> {
    let path = path.to_owned();
    adopt::adopt(connection, keyring).map_err(|error| match error {
        NotAdopted::Sealed(why) => OpenError::Sealed { path, why },
        NotAdopted::Db(DbError::Sqlite(source)) => OpenError::Database { path, source },
        NotAdopted::Db(error) => OpenError::Unreadable {
            path,
            why: error.to_string(),
        },
    })
}

/// Who moves the log into the file.
pub(super) struct Mover {
    pub(super) db: Connection,
    /// The file once more, to make it durable by. It has to stay open for as long as any connection: when a process closes a
    /// file, all of its locks on it are gone.
    pub(super) file: Arc<File>,
}

/// The connection that moves the log into the file. Nothing of that goes through a page cache.
pub(super) fn mover(path: &Path) -> Result<Mover, OpenError> {
    let connection = connect(path, 0).and_then(|connection| {
        // The log is made durable before anything of it is moved.
        connection.pragma_update(None, "synchronous", "FULL")?;
        Ok(connection)
    });
    let db = connection.map_err(|source| OpenError::Database {
        path: path.to_owned(),
        source,
    })?;
    let file = private(path).map_err(|source| unusable(path, source))?;
    Ok(Mover {
        db,
        file: Arc::new(file),
    })
}

/// A connection that only reads.
pub(super) fn reader(path: &Path, options: SqliteOptions) -> Result<Connection, OpenError> {
    let connection = connect(path, options.reader_cache_kib).and_then(|connection| {
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    });
    connection.map_err(|source| OpenError::Database {
        path: path.to_owned(),
        source,
    })
}

fn connect(path: &Path, cache_kib: u32) -> rusqlite::Result<Connection> {
    // No SQLITE_OPEN_URI: a path is a path. Each connection stays with its thread, so SQLite needs no mutex of its own.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(128);
    // Plans do not depend on what is bound. Without this, a bound LIMIT makes SQLite prepare its statement anew each time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    Ok(connection)
}

fn durable(connection: &Connection) -> rusqlite::Result<()> {
    // Of a file that is still empty. A row of ours is around a kilobyte; in a table without rowids, what is longer than a
    // quarter of a page goes to pages of its own.
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What is deleted or written anew is overwritten by zeros: nobody finds a person in what is free.
    connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", 64 * 1_024 * 1_024, |_| Ok(()))
}

/// A file of another program, or of a version of ours that this one does not know, stays as it is.
fn refuse_strangers(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let look = || -> rusqlite::Result<(i64, i32, i64)> {
        let schema = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let application = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((schema, application, tables))
    };
    let (schema, application, tables) = look().map_err(|source| OpenError::Database {
        path: path.to_owned(),
        source,
    })?;
    let empty = schema == 0 && application == 0 && tables == 0;
    if !empty && application != APPLICATION_ID {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    if (0..=NEWEST).contains(&schema) {
        return Ok(());
    }
    Err(OpenError::Newer {
        path: path.to_owned(),
        found: schema,
        known: NEWEST,
    })
}

/// Brings the schema up to date: all steps that are missing, or none.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let done: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if done == NEWEST {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for (_, step) in (0..).zip(MIGRATIONS).skip_while(|(number, _)| *number < done) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", NEWEST)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(connection: &Connection) -> Vec<(String, Option<String>)> {
        let sql = "SELECT name, sql FROM sqlite_schema ORDER BY name";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn a_file_system_that_does_not_know_its_size_is_not_full() {
        let unsized_one = Path::new("/proc");
        assert_eq!(rustix::fs::statvfs(unsized_one).unwrap().f_blocks, 0);
        assert!(room(unsized_one).is_ok());
    }

    #[test]
    fn a_file_of_any_older_schema_becomes_what_a_new_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let new = |name: &str| {
            let path = folder.path().join(name);
            private(&path).unwrap();
            path
        };
        let fresh = schema(&writer(&new("fresh.db"), SqliteOptions::default()).unwrap());
        for done in 1..MIGRATIONS.len() {
            let path = new(&format!("{done}.db"));
            let older = Connection::open(&path).unwrap();
            for step in &MIGRATIONS[..done] {
                older.execute_batch(step).unwrap();
            }
            older.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
            older
                .pragma_update(None, "user_version", i64::try_from(done).unwrap())
                .unwrap();
            drop(older);
            let upgraded = writer(&path, SqliteOptions::default()).unwrap();
            assert_eq!(schema(&upgraded), fresh, "from {done}");
        }
    }
}
