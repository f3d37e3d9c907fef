//! A store as one process sees it: what it commits is noted, a write may be made to fail, and a dead process gets no
//! answer any more. A store with threads of its own is waited for on the spot, so that the paused clock stands still.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use async_trait::async_trait;

use upsert_core::Clock;
use upsert_store::{Applied, Changeset, Store, StoreError};

use crate::books::Shared;

#[derive(Debug)]
pub struct Watched {
    pub inner: Arc<dyn Store>,
    pub books: Shared,
    pub clock: Arc<dyn Clock>,
    pub dead: Arc<AtomicBool>,
    /// Writes until one fails; below zero: none does.
    pub fails_in: Arc<AtomicI64>,
    pub has_threads: bool,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    // Outside of the runtime's budget, which would never be filled up while this thread is held.
    let mut future = pin!(tokio::task::unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

impl Watched {
    fn inner(&self) -> impl Future<Output = &dyn Store> {
        std::future::ready(&*self.inner)
    }

    async fn run<T>(&self, call: impl Future<Output = T>) -> T {
        if self.dead.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.has_threads { block_on(call) } else { call.await }
    }
}

#[async_trait]
impl Store for Watched {
    async fn apply(&self, changes: Changeset) -> Result<Applied, StoreError> {
        if self.fails_in.fetch_sub(1, Ordering::SeqCst) == 0 && !self.dead.load(Ordering::SeqCst) {
            return Err(StoreError::Failed("told to fail".to_owned()));
        }
        let writes = changes.write.clone();
        let applied = self.run(self.inner.apply(changes)).await?;
        if applied == Applied::Done {
            self.books.lock().committed(&writes, self.clock.now());
        }
        Ok(applied)
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.run(self.inner.check()).await
    }
}

upsert_testkit::questions_passed_on!(Watched);
