//! Moving what the log holds into the file, beside the writer: while it runs, changesets go on being written.
//!
//! SQLite begins its log anew only when a commit finds all of it moved, and while commits go on there is always a little
//! that is not. So the thread moves most of it, and the writer the rest, between two commits. SQLite makes the file durable
//! only once all is moved, which would leave the greatest part of the work to the writer: the thread does that itself.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use rusqlite::Connection;

use upsert_core::crash_point::{self as points, crash_point};

use super::failure::Failure;
use super::open::Mover;
use super::rows::DbError;

/// The writer may move so many pages between two commits: its callers wait for that.
const LITTLE: i64 = 64;

/// What is written meanwhile is moved too, but not for ever: the disk may be slower than the writer.
const MOST_PASSES: usize = 4;

/// The thread that moves the log, as the writer sees it.
pub(super) struct Checkpointer {
    orders: Option<SyncSender<()>>,
    state: Arc<AtomicU8>,
    thread: Option<JoinHandle<()>>,
}

const AT_REST: u8 = 0;
const AT_WORK: u8 = 1;
/// It has moved most of the log.
const DONE: u8 = 2;

impl Checkpointer {
    /// A thread with this connection and the same file.
    pub(super) fn start(mover: Mover, failed: Failure) -> io::Result<Self> {
        let (orders, queue) = sync_channel(1);
        let state = Arc::new(AtomicU8::new(AT_REST));
        let of_thread = Arc::clone(&state);
        let thread = Builder::new().name("store-checkpoint".to_owned());
        let thread = thread.spawn(move || run(&mover, &queue, &of_thread, &failed))?;
        Ok(Self {
            orders: Some(orders),
            state,
            thread: Some(thread),
        })
    }

    /// Begins, unless it is at work already.
    pub(super) fn begin(&self) {
        let begins = self
            .state
            .compare_exchange(AT_REST, AT_WORK, Ordering::AcqRel, Ordering::Acquire);
        if begins.is_ok()
            && let Some(orders) = &self.orders
        {
            // There is room for one, and it has been taken out.
            let _ = orders.try_send(());
        }
    }

    /// Whether it has moved most of the log, so that the rest is little. Told once.
    pub(super) fn has_ended(&self) -> bool {
        let told = self
            .state
            .compare_exchange(DONE, AT_REST, Ordering::AcqRel, Ordering::Acquire);
        told.is_ok()
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

fn run(mover: &Mover, queue: &Receiver<()>, state: &AtomicU8, failed: &Failure) {
    while queue.recv().is_ok() {
        move_most(mover, failed);
        state.store(DONE, Ordering::Release);
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
