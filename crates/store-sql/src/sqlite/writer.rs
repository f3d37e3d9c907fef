//! The one thread that writes: group commit.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;
use tokio::sync::oneshot;

use upsert_core::crash_point::{self as points, crash_point};
use upsert_store::{Applied, Changeset, StoreError};

use super::digest::Digests;
use super::failure::Failure;
use super::forget;
use super::made::Made;
use super::names::Names;
use super::open::SqliteOptions;
use super::pen::Pen;
use super::rows::{DbError, DbResult, execute};

/// How long nobody may want anything before the log is moved into the file.
const IDLE: Duration = Duration::from_secs(1);

/// What the writer can be asked to do.
pub(super) enum Work {
    Apply(Changeset),
    Forget {
        now: Timestamp,
        limit: usize,
    },
    ForgetEvents {
        done_before: Timestamp,
        failed_before: Timestamp,
        limit: usize,
    },
    Check,
}

/// What it answers.
pub(super) enum Done {
    Applied(Applied),
    Forgot(usize),
    Checked,
}

struct Order {
    work: Work,
    answer: oneshot::Sender<Result<Done, StoreError>>,
}

/// The writer as the store sees it.
pub(super) struct WriterHandle {
    orders: RwLock<Option<SyncSender<Order>>>,
    failed: Failure,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl WriterHandle {
    pub(super) fn start(mut connection: Connection, options: SqliteOptions) -> io::Result<Self> {
        metrics::describe_histogram!(
            "upsert_gateway_commit_batch_size",
            "Changesets that one commit of the store made durable."
        );
        metrics::describe_histogram!(
            "upsert_gateway_commit_seconds",
            metrics::Unit::Seconds,
            "How long a commit of the store took, from its first statement to the disk's word."
        );
        let (orders, queue) = sync_channel(options.queue.max(1));
        let failed = Failure::default();
        let log_pages = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&log_pages);
        // Takes the place of SQLite's own checkpoint inside the commit: ours runs after everybody has their answer, and
        // its failure is noticed.
        connection
            .wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
                seen.store(pages, Ordering::Relaxed);
                Ok(())
            }))
            .map_err(io::Error::other)?;
        let writer = Writer {
            digests: Digests::of(&connection).map_err(|error| io::Error::other(error.to_string()))?,
            connection,
            names: Names::default(),
            made: Made::default(),
            failed: failed.clone(),
            log_pages,
            checkpoint_pages: i32::try_from(options.checkpoint_pages).unwrap_or(i32::MAX),
            batch: options.batch.max(1),
        };
        let thread = Builder::new().name("store-writer".to_owned());
        let thread = thread.spawn(move || writer.run(&queue))?;
        Ok(Self {
            orders: RwLock::new(Some(orders)),
            failed,
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(super) fn failure(&self) -> &Failure {
        &self.failed
    }

    /// Queues the work and waits for its answer. Work that was queued is done even if nobody waits any more.
    pub(super) async fn order(&self, work: Work) -> Result<Done, StoreError> {
        let (answer, answered) = oneshot::channel();
        {
            let orders = self.orders.read();
            let orders = orders.as_ref().ok_or(StoreError::Busy)?;
            orders.try_send(Order { work, answer }).map_err(|_| StoreError::Busy)?;
        }
        answered.await.unwrap_or_else(|_| {
            // The thread ended over it: whatever that was, nobody can tell what the file holds.
            self.failed.declare();
            Err(refused())
        })
    }

    /// Lets the writer finish what is queued and waits for its end.
    pub(super) fn close(&self) {
        drop(self.orders.write().take());
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the store's writer thread panicked");
        }
    }
}

fn refused() -> StoreError {
    StoreError::Unavailable("a commit has failed before, so the store takes no more work".to_owned())
}

struct Writer {
    connection: Connection,
    names: Names,
    made: Made,
    digests: Digests,
    failed: Failure,
    /// Pages in the log after the last commit that have not been moved.
    log_pages: Arc<AtomicI32>,
    checkpoint_pages: i32,
    batch: usize,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Order>) {
        loop {
            let next = if self.log_pages.load(Ordering::Relaxed) == 0 {
                queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                queue.recv_timeout(IDLE)
            };
            match next {
                Ok(first) => {
                    let others = queue.try_iter().take(self.batch - 1);
                    let orders = std::iter::once(first).chain(others).collect();
                    self.serve(orders);
                }
                Err(RecvTimeoutError::Timeout) => self.checkpoint(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.log_pages.load(Ordering::Relaxed) >= self.checkpoint_pages {
                self.checkpoint();
            }
        }
        if !self.failed.is_known() {
            self.checkpoint();
        }
    }

    /// One commit for all of them, then an answer for each.
    fn serve(&mut self, orders: Vec<Order>) {
        if self.failed.is_known() {
            for order in orders {
                let _ = order.answer.send(Err(refused()));
            }
            return;
        }
        match self.commit(&orders) {
            Ok(outcomes) => {
                for (order, outcome) in orders.into_iter().zip(outcomes) {
                    let _ = order.answer.send(outcome.map_err(|error| error.upwards()));
                }
            }
            Err(error) => {
                tracing::error!(%error, failed = self.failed.is_known(), "the store could not commit");
                for order in orders {
                    let _ = order.answer.send(Err(error.upwards()));
                }
            }
        }
    }

    fn commit(&mut self, orders: &[Order]) -> DbResult<Vec<DbResult<Done>>> {
        let started = Instant::now();
        // Nothing is under way yet: if this fails, nothing is lost and the next batch may fare better.
        execute(&self.connection, "BEGIN IMMEDIATE", [])?;
        let outcomes = self.together(orders).or_else(|_| self.one_by_one(orders));
        let committed = outcomes.and_then(|outcomes| {
            crash_point(points::STORE_BEFORE_COMMIT);
            execute(&self.connection, "COMMIT", [])?;
            crash_point(points::STORE_AFTER_COMMIT);
            Ok(outcomes)
        });
        if let Err(error) = &committed {
            // Somebody else's lock says nothing about the disk, and a full one was written to no further; anything else
            // may mean that it lies.
            if !error.is_busy() && !error.is_disk_full() {
                self.failed.declare();
            }
            self.roll_back();
        }
        metrics::histogram!("upsert_gateway_commit_seconds").record(started.elapsed());
        #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
        metrics::histogram!("upsert_gateway_commit_batch_size").record(orders.len() as f64);
        committed
    }

    /// The usual way: expectations come before writes, so a changeset that is not applied has written nothing.
    fn together(&mut self, orders: &[Order]) -> DbResult<Vec<DbResult<Done>>> {
        orders.iter().map(|order| self.work(&order.work).map(Ok)).collect()
    }

    /// A statement failed: all of it again, each in a savepoint of its own, so that only the one that fails, fails.
    fn one_by_one(&mut self, orders: &[Order]) -> DbResult<Vec<DbResult<Done>>> {
        self.roll_back();
        execute(&self.connection, "BEGIN IMMEDIATE", [])?;
        orders.iter().map(|order| self.isolated(&order.work)).collect()
    }

    /// The inner error is this work's own; the outer one means that the whole transaction is gone.
    fn isolated(&mut self, work: &Work) -> DbResult<DbResult<Done>> {
        execute(&self.connection, "SAVEPOINT work", [])?;
        let outcome = self.work(work);
        if let Err(error) = outcome {
            if self.connection.is_autocommit() {
                return Err(error);
            }
            tracing::error!(%error, "the store could not apply a changeset");
            self.names.forget();
            self.made.forget();
            execute(&self.connection, "ROLLBACK TO work", [])?;
            execute(&self.connection, "RELEASE work", [])?;
            return Ok(Err(error));
        }
        execute(&self.connection, "RELEASE work", [])?;
        Ok(outcome)
    }

    fn roll_back(&mut self) {
        self.names.forget();
        self.made.forget();
        if self.connection.is_autocommit() {
            return;
        }
        if let Err(error) = execute(&self.connection, "ROLLBACK", []) {
            tracing::error!(%error, "the store could not roll back");
            self.failed.declare();
        }
    }

    fn work(&mut self, work: &Work) -> DbResult<Done> {
        match work {
            Work::Apply(changes) => self.apply(changes).map(Done::Applied),
            Work::Forget { now, limit } => forget::expired(&self.connection, *now, *limit).map(Done::Forgot),
            Work::ForgetEvents {
                done_before,
                failed_before,
                limit,
            } => forget::events(&self.connection, (*done_before, *failed_before), *limit).map(Done::Forgot),
            Work::Check => {
                let sql = "INSERT INTO health (id, checks) VALUES (0, 1) ON CONFLICT DO UPDATE SET checks = checks + 1";
                execute(&self.connection, sql, []).map(|_| Done::Checked)
            }
        }
    }

    fn apply(&mut self, changes: &Changeset) -> DbResult<Applied> {
        let mut pen = Pen {
            db: &self.connection,
            merchant: self.names.number(&self.connection, &changes.merchant)?,
            names: &mut self.names,
            digests: &self.digests,
        };
        for (index, expect) in changes.expect.iter().enumerate() {
            if !pen.holds(expect)? {
                return Ok(Applied::Unmet(index));
            }
        }
        pen.write(&changes.write)?;
        self.made.note(&self.connection, &changes.write)?;
        Ok(Applied::Done)
    }

    /// Moves what the log holds into the file. Readers are not disturbed; what they still look at stays for next time.
    fn checkpoint(&mut self) {
        self.log_pages.store(0, Ordering::Relaxed);
        crash_point(points::STORE_BEFORE_CHECKPOINT);
        let moved = self
            .connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        crash_point(points::STORE_AFTER_CHECKPOINT);
        if let Err(error) = moved.map_err(DbError::from) {
            if !error.is_busy() && !error.is_disk_full() {
                self.failed.declare();
            }
            tracing::error!(%error, "the store could not move its log into its file");
        }
    }
}

#[cfg(test)]
mod tests {
    use upsert_store::Write;
    use upsert_testkit::records::{customer_id, customer_record, person};

    use super::super::open;
    use super::*;

    fn many(from: u128) -> Work {
        let long = "n".repeat(4_000);
        let write = (from..from + 50).map(|number| {
            let mut record = customer_record("acme", customer_id(number));
            record.customer = person(&long);
            Write::PutCustomer(record)
        });
        Work::Apply(Changeset {
            write: write.collect(),
            ..Changeset::of("acme")
        })
    }

    #[tokio::test]
    async fn a_full_disk_refuses_what_it_has_no_room_for_and_all_goes_on_once_there_is_some() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.db");
        let options = SqliteOptions::default();
        let _lock = open::lock(&path).unwrap();
        let full = open::writer(&path, options).unwrap();
        let pages: i64 = full.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        full.pragma_update(None, "max_page_count", pages + 100).unwrap();
        let writer = WriterHandle::start(full, options).unwrap();
        assert!(matches!(writer.order(many(1)).await, Ok(Done::Applied(Applied::Done))));
        let refused = writer.order(many(1_000)).await;
        assert!(
            matches!(refused, Err(StoreError::Unavailable(_))),
            "the second is too much"
        );
        assert!(!writer.failure().is_known());
        let replacing = writer.order(many(1)).await;
        assert!(
            matches!(replacing, Ok(Done::Applied(Applied::Done))),
            "what needs no room is taken"
        );
        writer.close();

        let with_room = open::writer(&path, options).unwrap();
        let count: i64 = with_room
            .query_row("SELECT count(*) FROM customers", [], |row| row.get(0))
            .unwrap();
        assert_eq!(count, 50, "nothing of what was refused");
        let writer = WriterHandle::start(with_room, options).unwrap();
        assert!(matches!(
            writer.order(many(1_000)).await,
            Ok(Done::Applied(Applied::Done))
        ));
        writer.close();
    }
}
