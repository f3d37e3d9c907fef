//! The one task that writes: group commit, in as few statements as there are tables.
//!
//! Whatever has queued while the last commit was running is the next batch. Its rows are locked, its changesets judged and
//! applied to them in memory, and what is left of them is written, in three round trips: begin and lock, write and commit.
//! Where another process was faster the batch begins anew; where something is wrong with it, its changesets go one by one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::{Object, Pool};
use parking_lot::{Mutex, RwLock};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use upsert_store::{Applied, Changeset, StoreError};

use super::PostgresOptions;
use super::batch::Batch;
use super::data_keys::ensure;
use super::error::{DbError, DbResult};
use super::transaction::{Told, run};
use crate::digest::Digests;
use crate::sealed::Seals;

/// How often others may be faster than a batch.
const TRIES: usize = 8;

struct Order {
    changes: Changeset,
    answer: oneshot::Sender<Result<Applied, StoreError>>,
}

/// The writer as the store sees it.
pub(super) struct WriterHandle {
    orders: RwLock<Option<mpsc::Sender<Order>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl WriterHandle {
    pub(super) fn start(
        pool: Pool,
        (digests, seals): (Digests, Arc<Seals>),
        options: PostgresOptions,
        runtime: &Handle,
    ) -> Self {
        metrics::describe_histogram!(
            "upsert_gateway_commit_batch_size",
            "Changesets that one commit of the store made durable."
        );
        metrics::describe_histogram!(
            "upsert_gateway_commit_seconds",
            metrics::Unit::Seconds,
            "How long a commit of the store took, from its first statement to the disk's word."
        );
        let (orders, queue) = mpsc::channel(options.queue.max(1));
        let writer = Writer {
            pool,
            digests,
            seals,
            options,
            told: Told::default(),
        };
        Self {
            orders: RwLock::new(Some(orders)),
            task: Mutex::new(Some(runtime.spawn(writer.run(queue)))),
        }
    }

    /// Queues the changeset and waits for its answer. What was queued is done even if nobody waits any more.
    pub(super) async fn order(&self, changes: Changeset) -> Result<Applied, StoreError> {
        let (answer, answered) = oneshot::channel();
        {
            let orders = self.orders.read();
            let orders = orders.as_ref().ok_or(StoreError::Busy)?;
            orders
                .try_send(Order { changes, answer })
                .map_err(|_| StoreError::Busy)?;
        }
        let gone = |_| StoreError::Unavailable("the store's writer has gone".to_owned());
        answered.await.map_err(gone)?
    }

    /// Lets the writer finish what is queued and waits for its end.
    pub(super) async fn close(&self) {
        drop(self.orders.write().take());
        let task = self.task.lock().take();
        if let Some(task) = task
            && task.await.is_err()
        {
            tracing::error!("the store's writer panicked");
        }
    }
}

struct Writer {
    pool: Pool,
    digests: Digests,
    seals: Arc<Seals>,
    options: PostgresOptions,
    told: Told,
}

impl Writer {
    async fn run(mut self, mut queue: mpsc::Receiver<Order>) {
        while let Some(first) = queue.recv().await {
            let mut orders = vec![first];
            while orders.len() < self.options.batch.max(1)
                && let Ok(next) = queue.try_recv()
            {
                orders.push(next);
            }
            self.serve(orders).await;
        }
    }

    /// One commit for all of them, then an answer for each.
    async fn serve(&mut self, orders: Vec<Order>) {
        let started = Instant::now();
        let changesets: Vec<&Changeset> = orders.iter().map(|order| &order.changes).collect();
        let mut outcomes = match self.commit(&changesets).await {
            Ok(applied) => applied.into_iter().map(Ok).collect(),
            Err(error) if error.is_of_the_server() || changesets.len() == 1 => {
                tracing::error!(%error, "the store could not commit");
                changesets.iter().map(|_| Err(error.upwards())).collect()
            }
            Err(_) => self.one_by_one(&changesets).await,
        };
        metrics::histogram!("upsert_gateway_commit_seconds").record(started.elapsed());
        #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
        metrics::histogram!("upsert_gateway_commit_batch_size").record(changesets.len() as f64);
        for (order, outcome) in orders.into_iter().zip(outcomes.drain(..)) {
            // Whoever asked may have gone.
            let _ = order.answer.send(outcome);
        }
    }

    /// Something is wrong with one of them: only the one that fails, fails.
    async fn one_by_one(&mut self, changesets: &[&Changeset]) -> Vec<Result<Applied, StoreError>> {
        let mut outcomes = Vec::with_capacity(changesets.len());
        for changes in changesets {
            let outcome = self.commit(std::slice::from_ref(changes)).await;
            outcomes.push(match outcome {
                Ok(applied) => applied.first().copied().ok_or(StoreError::Busy),
                Err(error) => {
                    tracing::error!(%error, "the store could not apply a changeset");
                    Err(error.upwards())
                }
            });
        }
        outcomes
    }

    async fn commit(&mut self, changesets: &[&Changeset]) -> DbResult<Vec<Applied>> {
        let mut tries = 1;
        loop {
            match self.try_to_commit(changesets).await {
                Err(error) if error.is_lost_race() && tries < TRIES => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn try_to_commit(&mut self, changesets: &[&Changeset]) -> DbResult<Vec<Applied>> {
        let client = self.pool.get().await.map_err(|error| super::no_connection(&error))?;
        let within = self.options.patience;
        let at_hand = tokio::time::timeout(within, keys_of(&client, &self.seals, changesets)).await;
        at_hand.unwrap_or(Err(DbError::TimedOut))?;
        let mut batch = Batch::new(&self.digests, &self.seals);
        batch.need(changesets);
        let transaction = run(&client, &mut batch, changesets, &self.told);
        let outcome = tokio::time::timeout(within, transaction)
            .await
            .unwrap_or(Err(DbError::TimedOut));
        match outcome {
            Ok((applied, made_until)) => {
                self.told.note(batch.places, made_until);
                Ok(applied)
            }
            Err(error) => {
                take_back(client).await;
                Err(error)
            }
        }
    }
}

/// Has the keys at hand that the batch's values are sealed with: a merchant's each. A delivery has three values at most.
async fn keys_of(client: &Object, seals: &Seals, changesets: &[&Changeset]) -> DbResult<()> {
    if !seals.is_on() {
        return Ok(());
    }
    let mut needed: BTreeMap<&str, u32> = BTreeMap::new();
    for changes in changesets.iter().filter(|changes| !changes.write.is_empty()) {
        let writes = u32::try_from(changes.write.len()).unwrap_or(u32::MAX);
        let of_merchant = needed.entry(&changes.merchant).or_default();
        *of_merchant = of_merchant.saturating_add(writes.saturating_mul(3));
    }
    for (merchant, needed) in needed {
        ensure(client, seals, merchant, needed).await?;
    }
    Ok(())
}

/// A connection whose transaction cannot be taken back is not used again.
async fn take_back(client: Object) {
    const PATIENCE: Duration = Duration::from_secs(1);
    let taken_back = tokio::time::timeout(PATIENCE, client.batch_execute("ROLLBACK")).await;
    if !matches!(taken_back, Ok(Ok(()))) {
        drop(Object::take(client));
    }
}
