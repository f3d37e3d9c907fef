//! Moving what the log holds into the file, beside the writer: while it runs, changesets go on being written.
//!
//! SQLite begins its log anew only when a commit finds all of it moved, and while commits go on there is always a little
//! that is not. So the thread moves most of it, and the writer the rest, between two commits. SQLite makes the file durable
//! only once all is moved, which would leave the greatest part of the work to the writer: the thread does that itself.

use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;

use upsert_core::crash_point::{self as points, crash_point};
use upsert_store::StoreError;

use super::failure::Failure;
use super::open::{BUSY_TIMEOUT, Mover};
use super::rows::DbError;
use super::turns::wait_for_turn;

/// The writer may move so many pages between two commits: its callers wait for that.
const LITTLE: i64 = 64;

/// What is written meanwhile is moved too, but not for ever: the disk may be slower than the writer.
const MOST_PASSES: usize = 4;

/// The thread that moves the log, as the writer sees it.
pub(super) struct Checkpointer {
    orders: Option<SyncSender<()>>,
    ended: Receiver<()>,
    is_at_work: bool,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// A thread with this connection and the same file.
    pub(super) fn start(mover: Mover, failed: Failure) -> io::Result<Self> {
        let (orders, queue) = sync_channel(1);
        let (tell, ended) = sync_channel(1);
        let run = move || {
            wait_for_turn();
            while queue.recv().is_ok() {
                move_most(&mover, &failed);
                // Nobody listens any more once the store closes.
                let _ = tell.send(());
            }
        };
        let thread = Builder::new().name("store-checkpoint".to_owned()).spawn(run)?;
        Ok(Self {
            orders: Some(orders),
            ended,
            is_at_work: false,
            thread: Some(thread),
        })
    }

    /// Begins, unless it is at work already.
    pub(super) fn begin(&mut self) {
        if !self.is_at_work {
            self.is_at_work = self.orders.as_ref().is_some_and(|orders| orders.try_send(()).is_ok());
        }
    }

    /// Whether it has moved most of the log since it began, so that the rest is little. Told once.
    pub(super) fn has_ended(&mut self) -> bool {
        let has_ended = self.is_at_work && self.ended.try_recv() != Err(TryRecvError::Empty);
        self.is_at_work &= !has_ended;
        has_ended
    }

    /// Moves all of the log into the file, and empties it. Whoever still reads what is older is waited for a little, and
    /// everybody else with it; then it cannot be done now, and whoever asked comes again.
    pub(super) fn empty_log(&mut self, db: &Connection, failed: &Failure) -> Result<(), StoreError> {
        self.wait();
        if empty_log(db, failed) {
            Ok(())
        } else {
            Err(StoreError::Busy)
        }
    }

    /// Until it is not at work: only one connection at a time can move the log.
    pub(super) fn wait(&mut self) {
        if self.is_at_work {
            // An error says that the thread has gone, and so is not at work either.
            let _ = self.ended.recv();
            self.is_at_work = false;
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.orders.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that moves the store's log panicked");
        }
    }
}

/// Until little is left, or a reader still looks at the rest.
fn move_most(mover: &Mover, failed: &Failure) {
    let mut before = None;
    for _ in 0..MOST_PASSES {
        let Some(Moved { pages, moved }) = move_log(&mover.db, failed) else {
            return;
        };
        if before.replace(moved) == Some(moved) {
            return;
        }
        make_durable(&mover.file, failed);
        if failed.is_known() || pages - moved <= LITTLE {
            return;
        }
    }
}

fn make_durable(file: &File, failed: &Failure) {
    if let Err(error) = file.sync_data() {
        failed.declare();
        tracing::error!(%error, "the disk could not keep what was moved from the store's log into its file");
    }
}

/// How far it is moved.
pub(super) struct Moved {
    /// Pages in the log.
    pages: i64,
    /// Those of them that are in the file.
    moved: i64,
}

/// Moves what the log holds into the file, but for what a reader still looks at: that stays for next time. None: it could
/// not be moved now. Where the disk refuses, the store has failed.
pub(super) fn move_log(db: &Connection, failed: &Failure) -> Option<Moved> {
    crash_point(points::STORE_BEFORE_CHECKPOINT);
    let moved = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        let (pages, moved) = (row.get(1)?, row.get(2)?);
        Ok(Moved { pages, moved })
    });
    crash_point(points::STORE_AFTER_CHECKPOINT);
    match moved.map_err(DbError::from) {
        Ok(moved) => Some(moved),
        Err(error) => {
            if !error.is_busy() && !error.is_disk_full() {
                failed.declare();
            }
            tracing::error!(%error, "the store could not move its log into its file");
            None
        }
    }
}

/// How long whoever still reads what is older is waited for. The writer waits as long.
const READERS_MAY_END: Duration = Duration::from_millis(100);

/// Moves all that the log holds into the file, and cuts the log to nothing. Whether it could: somebody may still read what is
/// older, as a backup does. Where the disk refuses, the store has failed.
fn empty_log(db: &Connection, failed: &Failure) -> bool {
    crash_point(points::STORE_BEFORE_CHECKPOINT);
    let emptied = db.busy_timeout(READERS_MAY_END).and_then(|()| {
        let is_busy = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        db.busy_timeout(BUSY_TIMEOUT)?;
        is_busy
    });
    crash_point(points::STORE_AFTER_CHECKPOINT);
    match emptied.map_err(DbError::from) {
        Ok(is_busy) => is_busy == 0,
        Err(error) => {
            if !error.is_busy() && !error.is_disk_full() {
                failed.declare();
            }
            tracing::error!(%error, "the store could not empty its log");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::super::open::{self, SqliteOptions};
    use super::*;

    const PAGES: i64 = 500;

    /// A connection that has written so many pages into its log, or some more.
    fn with_a_log(path: &Path) -> Connection {
        let writer = open::writer(path, SqliteOptions::default()).unwrap();
        writer.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        writer.execute_batch("CREATE TABLE filler (bytes BLOB)").unwrap();
        let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) \
                   INSERT INTO filler SELECT zeroblob(?1) FROM n";
        writer.execute(sql, (8_000, PAGES)).unwrap();
        writer
    }

    #[test]
    fn the_thread_moves_the_log_while_a_connection_goes_on_writing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.db");
        let _lock = open::lock(&path).unwrap();
        let writer = with_a_log(&path);
        let mut thread = Checkpointer::start(open::mover(&path).unwrap(), Failure::default()).unwrap();
        assert!(!thread.has_ended(), "it has not begun");
        writer
            .execute_batch("BEGIN IMMEDIATE; INSERT INTO filler VALUES (1)")
            .unwrap();
        thread.begin();
        thread.wait();
        writer.execute_batch("COMMIT").unwrap();
        assert!(!thread.has_ended(), "that was told");
        // What is in the file is there without the log.
        let alone = folder.path().join("alone.db");
        std::fs::copy(&path, &alone).unwrap();
        let count: i64 = Connection::open(&alone)
            .unwrap()
            .query_row("SELECT count(*) FROM filler", [], |row| row.get(0))
            .unwrap();
        assert_eq!(count, PAGES, "all but what was not committed yet");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_that_cannot_keep_what_was_moved_is_a_failure_of_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.db");
        let _lock = open::lock(&path).unwrap();
        let _writer = with_a_log(&path);
        let failed = Failure::default();
        let mover = Mover {
            db: open::mover(&path).unwrap().db,
            // Cannot be made durable.
            file: Arc::new(File::open("/dev/null").unwrap()),
        };
        let mut thread = Checkpointer::start(mover, failed.clone()).unwrap();
        thread.begin();
        thread.wait();
        assert!(failed.is_known());
    }
}
