//! The one thread that writes: group commit.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;
use tokio::sync::oneshot;

use upsert_core::crash_point::{self as points, crash_point};
use upsert_store::{Applied, Changeset, StoreError};

use super::checkpoint::{Checkpointer, move_log};
use super::data_keys::ensure;
use super::failure::Failure;
use super::forget;
use super::gaps;
use super::made::Made;
use super::names::Names;
use super::open::{Mover, SqliteOptions};
use super::pen::Pen;
use super::rows::{DbResult, execute};
use super::seal_work;
use super::session_work;
use super::statements::Statements;
use super::turns::wait_for_turn;
use super::work::{Done, Work, most_sealed};
use crate::digest::Digests;
use crate::sealed::Seals;

/// How long nobody may want anything before the log is moved into the file.
const IDLE: Duration = Duration::from_secs(1);

/// So many times as long as it is to be, the log is moved while everybody waits.
const MUCH_TOO_LONG: i32 = 4;

struct Order {
    work: Work,
    /// None: it has been given.
    answer: Option<oneshot::Sender<Answered>>,
}

/// The answer, and the work itself: memory is freed faster by the thread that took it.
type Answered = (Result<Done, StoreError>, Option<Work>);

impl Order {
    fn answer(self, answer: Result<Done, StoreError>) {
        if let Some(asking) = self.answer {
            // Whoever asked may have gone.
            let _ = asking.send((answer, Some(self.work)));
        }
    }

    /// Whether it may be answered before it is durable.
    fn can_be_lost(&self) -> bool {
        matches!(&self.work, Work::Apply(changes) if changes.can_be_lost)
    }
}

/// The writer as the store sees it.
pub(super) struct WriterHandle {
    orders: RwLock<Option<SyncSender<Order>>>,
    failed: Failure,
    is_behind: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl WriterHandle {
    /// With a connection to write by, and who moves the log.
    pub(super) fn start(
        mut connection: Connection,
        mover: Mover,
        options: SqliteOptions,
        (digests, seals): (Digests, Arc<Seals>),
    ) -> io::Result<Self> {
        describe_metrics();
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
        let checkpointer = Checkpointer::start(mover, failed.clone())?;
        let is_behind = Arc::new(AtomicBool::new(false));
        let (of_writer, behind) = (failed.clone(), Arc::clone(&is_behind));
        let run = move || {
            wait_for_turn();
            let writer = Writer {
                db: Statements::of(&connection),
                digests,
                seals,
                names: Names::default(),
                made: Made::default(),
                failed: of_writer,
                is_behind: behind,
                log_pages,
                checkpoint_pages: i32::try_from(options.checkpoint_pages).unwrap_or(i32::MAX),
                checkpointer,
                batch: options.batch.max(1),
            };
            writer.run(&queue);
        };
        let thread = Builder::new().name("store-writer".to_owned()).spawn(run)?;
        Ok(Self {
            orders: RwLock::new(Some(orders)),
            failed,
            is_behind,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Whether something was answered that readers do not see yet.
    pub(super) fn is_behind(&self) -> bool {
        self.is_behind.load(Ordering::Acquire)
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
            let answer = Some(answer);
            orders.try_send(Order { work, answer }).map_err(|_| StoreError::Busy)?;
        }
        let Ok((answer, _work)) = answered.await else {
            // The thread ended over it: whatever that was, nobody can tell what the file holds.
            self.failed.declare();
            return Err(refused());
        };
        answer
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

fn describe_metrics() {
    metrics::describe_histogram!(
        "upsert_gateway_commit_batch_size",
        "Changesets that one commit of the store made durable."
    );
    metrics::describe_histogram!(
        "upsert_gateway_commit_seconds",
        metrics::Unit::Seconds,
        "How long a commit of the store took, from its first statement to the disk's word."
    );
}

fn refused() -> StoreError {
    StoreError::Unavailable("a commit has failed before, so the store takes no more work".to_owned())
}

struct Writer<'db> {
    db: Statements<'db>,
    names: Names,
    made: Made,
    digests: Digests,
    seals: Arc<Seals>,
    failed: Failure,
    /// Whether something was answered that is not durable.
    is_behind: Arc<AtomicBool>,
    /// Pages in the log after the last commit that have not been moved.
    log_pages: Arc<AtomicI32>,
    checkpoint_pages: i32,
    checkpointer: Checkpointer,
    batch: usize,
}

impl Writer<'_> {
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
            self.keep_log_short();
        }
        // It may be at it: only one connection can.
        drop(self.checkpointer);
        if !self.failed.is_known() {
            move_log(self.db.db, &self.failed);
        }
    }

    /// One commit for all of them, then an answer for each.
    fn serve(&mut self, mut orders: Vec<Order>) {
        if self.failed.is_known() {
            for order in orders {
                order.answer(Err(refused()));
            }
            return;
        }
        let committed = self.commit(&mut orders);
        self.is_behind.store(false, Ordering::Release);
        match committed {
            Ok(outcomes) => {
                for (order, outcome) in orders.into_iter().zip(outcomes) {
                    let mut done = outcome.map_err(|error| error.upwards());
                    if matches!(order.work, Work::EmptyLog) {
                        let emptied = self.checkpointer.empty_log(self.db.db, &self.failed);
                        done = emptied.map(|()| Done::CaughtUp);
                    }
                    order.answer(done);
                }
            }
            Err(error) => {
                tracing::error!(%error, failed = self.failed.is_known(), "the store could not commit");
                for order in orders {
                    order.answer(Err(error.upwards()));
                }
            }
        }
    }

    fn commit(&mut self, orders: &mut [Order]) -> DbResult<Vec<DbResult<Done>>> {
        let started = Instant::now();
        // Nothing is under way yet: if this fails, nothing is lost and the next batch may fare better.
        execute(&self.db, "BEGIN IMMEDIATE", [])?;
        let outcomes = self.together(orders).or_else(|_| self.one_by_one(orders));
        let committed = outcomes.and_then(|outcomes| {
            crash_point(points::STORE_BEFORE_COMMIT);
            execute(&self.db, "COMMIT", [])?;
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
    fn together(&mut self, orders: &mut [Order]) -> DbResult<Vec<DbResult<Done>>> {
        let mut outcomes = Vec::with_capacity(orders.len());
        for order in orders {
            let done = self.work(&order.work)?;
            if order.can_be_lost() && matches!(done, Done::Applied(Applied::Done)) {
                // Said before the answer is: whoever has the answer and looks for what it names waits for it.
                self.is_behind.store(true, Ordering::Release);
                if let Some(asking) = order.answer.take() {
                    let _ = asking.send((Ok(Done::Applied(Applied::Done)), None));
                }
            }
            outcomes.push(Ok(done));
        }
        Ok(outcomes)
    }

    /// A statement failed: all of it again, each in a savepoint of its own, so that only the one that fails, fails.
    fn one_by_one(&mut self, orders: &[Order]) -> DbResult<Vec<DbResult<Done>>> {
        self.roll_back();
        execute(&self.db, "BEGIN IMMEDIATE", [])?;
        orders.iter().map(|order| self.isolated(&order.work)).collect()
    }

    /// The inner error is this work's own; the outer one means that the whole transaction is gone.
    fn isolated(&mut self, work: &Work) -> DbResult<DbResult<Done>> {
        execute(&self.db, "SAVEPOINT work", [])?;
        let outcome = self.work(work);
        if let Err(error) = outcome {
            if self.db.db.is_autocommit() {
                return Err(error);
            }
            tracing::error!(%error, "the store could not apply a changeset");
            self.forget();
            execute(&self.db, "ROLLBACK TO work", [])?;
            execute(&self.db, "RELEASE work", [])?;
            return Ok(Err(error));
        }
        execute(&self.db, "RELEASE work", [])?;
        Ok(outcome)
    }

    fn roll_back(&mut self) {
        self.forget();
        if self.db.db.is_autocommit() {
            return;
        }
        if let Err(error) = execute(&self.db, "ROLLBACK", []) {
            tracing::error!(%error, "the store could not roll back");
            self.failed.declare();
        }
    }

    /// What is known of a transaction that was taken back.
    fn forget(&mut self) {
        self.names.forget();
        self.made.forget();
        self.seals.forget();
    }

    fn work(&mut self, work: &Work) -> DbResult<Done> {
        match work {
            Work::Apply(changes) => self.apply(changes).map(Done::Applied),
            Work::Forget { now, limit } => forget::expired(&self.db, *now, *limit).map(Done::Forgot),
            Work::ForgetEvents {
                done_before,
                failed_before,
                limit,
            } => forget::events(&self.db, (*done_before, *failed_before), *limit).map(Done::Forgot),
            Work::Session(work) => session_work::work(&self.db, &self.seals, work).map(Done::Sessions),
            Work::Seal(work) => seal_work::work(&self.db, &self.seals, work).map(Done::Sealed),
            Work::Check => {
                let sql = "INSERT INTO health (id, checks) VALUES (0, 1) ON CONFLICT DO UPDATE SET checks = checks + 1";
                execute(&self.db, sql, []).map(|_| Done::Checked)
            }
            Work::ZeroGaps(pages) => gaps::zero(&self.db, pages).map(|_| Done::CaughtUp),
            Work::CatchUp | Work::EmptyLog => Ok(Done::CaughtUp),
        }
    }

    fn apply(&mut self, changes: &Changeset) -> DbResult<Applied> {
        // Lists go through whoever has a number: a merchant that was only put has nothing yet to be listed.
        let merchant = if changes.is_of_merchant_alone() {
            self.names.find(&self.db, &changes.merchant)?.unwrap_or_default()
        } else {
            self.names.number(&self.db, &changes.merchant)?
        };
        let mut pen = Pen {
            db: &self.db,
            merchant,
            merchant_id: &changes.merchant,
            names: &mut self.names,
            digests: &self.digests,
            seals: &self.seals,
        };
        for (index, expect) in changes.expect.iter().enumerate() {
            if !pen.holds(expect)? {
                return Ok(Applied::Unmet(index));
            }
        }
        if !changes.write.is_empty() {
            ensure(&self.db, &self.seals, &changes.merchant, most_sealed(changes))?;
        }
        pen.write(&changes.write)?;
        self.made.note(&self.db, &changes.write)?;
        Ok(Applied::Done)
    }

    /// Lets the log be moved where it has become long. What is little is moved here; so is all of it where it grows faster
    /// than it is moved beside.
    fn keep_log_short(&mut self) {
        let pages = self.log_pages.load(Ordering::Relaxed);
        let is_far_too_long = pages / MUCH_TOO_LONG >= self.checkpoint_pages;
        if self.checkpointer.has_ended() || is_far_too_long {
            self.checkpoint();
        } else if pages >= self.checkpoint_pages {
            self.checkpointer.begin();
        }
    }

    fn checkpoint(&mut self) {
        self.checkpointer.wait();
        self.log_pages.store(0, Ordering::Relaxed);
        move_log(self.db.db, &self.failed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use upsert_store::Write;
    use upsert_testkit::records::{customer_id, customer_record, person};

    use super::super::open;
    use super::*;
    use crate::sealed::secret::Mode;

    fn unsealed() -> (Digests, Arc<Seals>) {
        let seals = Seals::new(Arc::default(), Mode::Off);
        (Digests::new([7; 16], false), Arc::new(seals))
    }

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
    async fn what_can_be_lost_is_answered_before_it_is_durable_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.db");
        let options = SqliteOptions::default();
        let _lock = open::lock(&path).unwrap();
        let mut connection = open::writer(&path, options).unwrap();
        let (let_go, disk) = std::sync::mpsc::channel::<()>();
        let disk = Mutex::new(disk);
        let waits_for_disk = move || disk.lock().recv().is_err();
        connection.commit_hook(Some(waits_for_disk)).unwrap();
        let writer = WriterHandle::start(connection, open::mover(&path).unwrap(), options, unsealed()).unwrap();
        let changes = |can_be_lost| {
            let write = vec![Write::PutCustomer(customer_record("acme", customer_id(1)))];
            Work::Apply(Changeset {
                write,
                can_be_lost,
                ..Changeset::of("acme")
            })
        };
        let early = writer.order(changes(true)).await;
        assert!(matches!(early, Ok(Done::Applied(Applied::Done))) && writer.is_behind());
        let mut durable = Box::pin(writer.order(changes(false)));
        let mut is_answered = async || poll_fn(|context| Poll::Ready(durable.as_mut().poll(context).is_ready())).await;
        assert!(!is_answered().await);
        let_go.send(()).unwrap();
        while writer.is_behind() {
            tokio::task::yield_now().await;
        }
        assert!(!is_answered().await, "it waits for its own commit");
        let_go.send(()).unwrap();
        assert!(matches!(durable.await, Ok(Done::Applied(Applied::Done))));
        drop(let_go);
        writer.close();
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
        let writer = WriterHandle::start(full, open::mover(&path).unwrap(), options, unsealed()).unwrap();
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
        let writer = WriterHandle::start(with_room, open::mover(&path).unwrap(), options, unsealed()).unwrap();
        assert!(matches!(
            writer.order(many(1_000)).await,
            Ok(Done::Applied(Applied::Done))
        ));
        writer.close();
    }
}
