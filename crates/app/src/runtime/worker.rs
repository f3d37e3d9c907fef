//! Working through a queue: what is due in it, or all that waits, as fast as there is room for it and no faster. Each queue has
//! a worker of its own, so however much waits in one, and however long it takes, the others do not notice.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;
use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::timeout;

use upsert_store::StoreError;

use crate::runtime::wakeups::Reach;

/// Entries that are read at once.
pub(crate) const PAGE: usize = 128;

/// What a worker works through.
#[async_trait]
pub(crate) trait Queue: Send {
    /// What waits in it.
    type Entry: Send;
    /// How entries are told apart, and put in order.
    type Id: Copy + Eq + Hash + Send + 'static;

    /// How soon a worker that goes on with what becomes due meanwhile sees it. None: it ends with what is there.
    const GOES_ON: Option<Duration> = None;

    fn id(entry: &Self::Entry) -> Self::Id;

    /// How many may be under way now, of which some are.
    fn room(&mut self, under_way: usize) -> usize;

    /// What is due.
    async fn due(&self, most: usize) -> Result<Vec<Self::Entry>, StoreError>;

    /// What waits, due or not, oldest first.
    async fn waiting(&self, after: Option<Self::Id>, most: usize) -> Result<Vec<Self::Entry>, StoreError>;

    /// What is to be done about an entry.
    async fn take(&self, entry: Self::Entry) -> Result<Take, StoreError>;
}

/// What is to be done about an entry.
pub(crate) enum Take {
    /// This. Whether it was got on with: else it is still due, nobody can tell why, and it is not to be met again.
    Work(BoxFuture<'static, bool>),
    /// Nothing: others behind it may go.
    PassOver,
    /// Nothing, and those behind it have to wait too.
    Stop,
}

/// One time round.
struct Batch<Q: Queue> {
    queue: Q,
    reach: Reach,
    after: Option<Q::Id>,
    page: VecDeque<Q::Entry>,
    /// What is on the page or under way, or could not be got on with.
    taken: HashSet<Q::Id>,
    under_way: UnderWay<Q::Id>,
}

/// What was begun, and how it ended.
struct UnderWay<Id> {
    works: FuturesUnordered<BoxFuture<'static, (Id, bool)>>,
    /// Those that ended while the worker waited for something else.
    ended: Vec<(Id, bool)>,
}

impl<Id: Copy> UnderWay<Id> {
    /// What comes of something else that the worker waits for. What is under way goes on meanwhile: it may hold the very
    /// thing that is waited for, such as the store's last free connection.
    async fn beside<T>(&mut self, other: impl Future<Output = T>) -> T {
        let mut other = pin!(other);
        loop {
            tokio::select! {
                biased;
                came = &mut other => return came,
                Some(ended) = self.works.next() => self.ended.push(ended),
            }
        }
    }

    /// The next one that ends; none: nothing is under way.
    async fn next(&mut self) -> Option<(Id, bool)> {
        match self.ended.pop() {
            Some(ended) => Some(ended),
            None => self.works.next().await,
        }
    }
}

/// Until nothing is left of what `reach` says, and nothing under way. Whether it came to the end of that, rather than to a
/// queue that has no room.
pub(crate) async fn work_through<Q: Queue>(queue: Q, reach: Reach) -> Result<bool, StoreError> {
    let mut batch = Batch {
        queue,
        reach,
        after: None,
        page: VecDeque::new(),
        taken: HashSet::new(),
        under_way: UnderWay {
            works: FuturesUnordered::new(),
            ended: Vec::new(),
        },
    };
    loop {
        let reached_the_end = match batch.fill().await {
            Ok(reached_the_end) => reached_the_end,
            Err(error) => {
                // Calls that are on the wire are not to be dropped: nobody would know what came of them.
                while batch.under_way.next().await.is_some() {}
                return Err(error);
            }
        };
        let next = batch.under_way.next();
        let done = match Q::GOES_ON {
            Some(soon) => timeout(soon, next).await,
            None => Ok(next.await),
        };
        match done {
            Ok(Some((id, true))) => drop(batch.taken.remove(&id)),
            Ok(Some((_, false))) | Err(_) => {}
            Ok(None) => return Ok(reached_the_end),
        }
    }
}

impl<Q: Queue> Batch<Q> {
    /// Starts as many as may be under way. Whether there are no more.
    async fn fill(&mut self) -> Result<bool, StoreError> {
        while self.under_way.works.len() < self.queue.room(self.under_way.works.len()) {
            let Some(entry) = self.next().await? else {
                return Ok(true);
            };
            let id = Q::id(&entry);
            match self.under_way.beside(self.queue.take(entry)).await? {
                Take::Work(work) => self.under_way.works.push(Box::pin(async move { (id, work.await) })),
                Take::PassOver => drop(self.taken.remove(&id)),
                Take::Stop => return Ok(false),
            }
        }
        Ok(false)
    }

    /// The next one that was not met yet.
    async fn next(&mut self) -> Result<Option<Q::Entry>, StoreError> {
        if self.page.is_empty() {
            let page = match self.reach {
                // What was taken stays due until it is claimed or recorded.
                Reach::Due => self.queue.due(PAGE + self.taken.len()),
                Reach::Parked | Reach::All => self.queue.waiting(self.after, PAGE),
            };
            let page = self.under_way.beside(page).await?;
            self.after = page.last().map(Q::id).or(self.after);
            if Q::GOES_ON.is_some() && page.len() < PAGE {
                // That was all; from here on it goes by what is due.
                self.reach = Reach::Due;
            }
            self.page = page.into();
            self.page.retain(|entry| self.taken.insert(Q::id(entry)));
        }
        Ok(self.page.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tokio::sync::Semaphore;

    use super::*;

    /// Entries whose work, like looking for them, needs a connection to a store that has one.
    struct Shared {
        left: Mutex<Vec<u32>>,
        store: Arc<Semaphore>,
        /// It is too busy once so few are left.
        busy_at: Option<usize>,
    }

    impl Shared {
        fn new(entries: u32, busy_at: Option<usize>) -> Arc<Self> {
            Arc::new(Self {
                left: Mutex::new((0..entries).collect()),
                store: Arc::new(Semaphore::new(1)),
                busy_at,
            })
        }
    }

    #[async_trait]
    impl Queue for Arc<Shared> {
        type Entry = u32;
        type Id = u32;

        fn id(entry: &u32) -> u32 {
            *entry
        }

        fn room(&mut self, _: usize) -> usize {
            3
        }

        async fn due(&self, most: usize) -> Result<Vec<u32>, StoreError> {
            let _connection = self.store.acquire().await.unwrap();
            let left = self.left.lock();
            if self.busy_at.is_some_and(|few| left.len() <= few) {
                return Err(StoreError::Busy);
            }
            Ok(left.iter().take(most).copied().collect())
        }

        async fn waiting(&self, _: Option<u32>, most: usize) -> Result<Vec<u32>, StoreError> {
            self.due(most).await
        }

        async fn take(&self, entry: u32) -> Result<Take, StoreError> {
            drop(self.store.acquire().await.unwrap());
            let shared = Arc::clone(self);
            Ok(Take::Work(Box::pin(async move {
                let _connection = shared.store.acquire().await.unwrap();
                tokio::task::yield_now().await;
                shared.left.lock().retain(|left| *left != entry);
                true
            })))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_is_under_way_goes_on_while_the_worker_waits_for_the_store() {
        for reach in [Reach::Due, Reach::All] {
            let shared = Shared::new(20, None);
            let worked = timeout(Duration::from_secs(10), work_through(shared.clone(), reach)).await;
            assert!(worked.is_ok_and(|worked| worked.unwrap()), "each waits for the other");
            assert_eq!(*shared.left.lock(), [] as [u32; 0]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_is_under_way_ends_although_the_store_is_too_busy_to_say_what_else_waits() {
        let shared = Shared::new(20, Some(2));
        let worked = timeout(Duration::from_secs(10), work_through(shared.clone(), Reach::Due)).await;
        assert!(matches!(worked, Ok(Err(StoreError::Busy))), "{worked:?}");
        assert_eq!(*shared.left.lock(), [] as [u32; 0], "what was begun did not end");
    }
}
