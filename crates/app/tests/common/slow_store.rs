//! A store that takes a millisecond for whatever it is asked, so that what happens at once really does, and that may be
//! told to fail.
#![allow(
    unreachable_pub,
    dead_code,
    missing_docs,
    reason = "each test file uses its own part"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use upsert_store::{Applied, Changeset, Hints, Store, StoreError};

#[derive(Debug)]
pub struct SlowStore {
    pub inner: Arc<dyn Store>,
    /// Writes until one fails; below zero: none does.
    pub fails_in: AtomicI64,
    /// So many writes fail from now on.
    pub fails_for: AtomicI64,
    /// Writes until one is applied and answered by an error; below zero: none is.
    pub loses_answer_in: AtomicI64,
    /// In milliseconds: how long the next write takes, once.
    pub next_write_takes: AtomicU64,
    /// So often it was asked or told something.
    pub asked: AtomicU64,
    /// Whether another process tells all the time that it wrote something of connections.
    pub is_told: AtomicBool,
    /// In milliseconds: how long what was read is on its way.
    pub answers_take: AtomicU64,
}

impl SlowStore {
    pub fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            fails_in: AtomicI64::new(-1),
            fails_for: AtomicI64::new(0),
            loses_answer_in: AtomicI64::new(-1),
            next_write_takes: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            is_told: AtomicBool::new(false),
            answers_take: AtomicU64::new(0),
        })
    }

    async fn inner(&self) -> &dyn Store {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(1)).await;
        &*self.inner
    }

    async fn run<T>(&self, call: impl Future<Output = T>) -> T {
        let answer = call.await;
        tokio::time::sleep(Duration::from_millis(self.answers_take.load(Ordering::SeqCst))).await;
        answer
    }
}

#[async_trait]
impl Store for SlowStore {
    async fn apply(&self, changes: Changeset) -> Result<Applied, StoreError> {
        let inner = self.inner().await;
        if self.fails_in.fetch_sub(1, Ordering::SeqCst) == 0 || self.fails_for.fetch_sub(1, Ordering::SeqCst) > 0 {
            return Err(StoreError::Failed("told to fail".to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(self.next_write_takes.swap(0, Ordering::SeqCst))).await;
        let applied = inner.apply(changes).await;
        if self.loses_answer_in.fetch_sub(1, Ordering::SeqCst) == 0 {
            return Err(StoreError::Unavailable("told to lose its answer".to_owned()));
        }
        applied
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.inner().await.check().await
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    async fn told(&self) -> Hints {
        while !self.is_told.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Hints {
            connections: true,
            ..Hints::default()
        }
    }
}

upsert_testkit::questions_passed_on!(SlowStore);
