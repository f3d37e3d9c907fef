//! What is made once for all who ask meanwhile: it asks the store, and takes no key.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use tokio::time::Instant;

/// So many are begun within [`WITHIN`], each after it was asked for. Whoever asks more often gets the last one of these: it is
/// no older than that.
const AT_MOST: usize = 8;
const WITHIN: Duration = Duration::from_secs(1);

/// One that is being made, by everybody who waits for it: whoever goes keeps nobody from getting it.
pub(crate) type Making<T> = Shared<BoxFuture<'static, T>>;

/// The last one.
pub(crate) struct SharedAnswer<T: Clone>(Mutex<Last<T>>);

struct Last<T: Clone> {
    begun: VecDeque<Instant>,
    made: Option<Making<T>>,
}

impl<T: Clone + Send + Sync + 'static> SharedAnswer<T> {
    /// One that is begun now, if there were not too many lately.
    pub(crate) fn ask(&self, make: impl Future<Output = T> + Send + 'static) -> Making<T> {
        let now = Instant::now();
        let mut last = self.0.lock();
        while last
            .begun
            .front()
            .is_some_and(|begun| now.duration_since(*begun) >= WITHIN)
        {
            last.begun.pop_front();
        }
        if last.begun.len() >= AT_MOST
            && let Some(made) = &last.made
        {
            return made.clone();
        }
        let making = make.boxed().shared();
        last.begun.push_back(now);
        last.made = Some(making.clone());
        making
    }
}

impl<T: Clone> SharedAnswer<T> {
    /// The last one, made or being made.
    pub(crate) fn made(&self) -> Option<Making<T>> {
        self.0.lock().made.clone()
    }
}

impl<T: Clone> Default for SharedAnswer<T> {
    fn default() -> Self {
        Self(Mutex::new(Last {
            begun: VecDeque::new(),
            made: None,
        }))
    }
}

impl<T: Clone> fmt::Debug for SharedAnswer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedAnswer")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn making(made: &Arc<AtomicUsize>) -> impl Future<Output = usize> + Send + use<> {
        let made = made.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            made.fetch_add(1, Ordering::Relaxed) + 1
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_now_and_then_gets_a_new_one_and_many_share_the_last() {
        let (answer, made) = (SharedAnswer::default(), Arc::new(AtomicUsize::new(0)));
        for count in 1..=3 {
            assert_eq!(answer.ask(making(&made)).await, count);
        }
        let many: Vec<Making<usize>> = (0..1_000).map(|_| answer.ask(making(&made))).collect();
        let told = futures_util::future::join_all(many).await;
        assert_eq!(made.load(Ordering::Relaxed), AT_MOST);
        assert_eq!(told.last(), Some(&AT_MOST));
        tokio::time::advance(WITHIN).await;
        assert_eq!(answer.ask(making(&made)).await, AT_MOST + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_goes_while_it_is_made_keeps_nobody_from_getting_it() {
        let (answer, made) = (SharedAnswer::default(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..AT_MOST {
            let going = answer.ask(making(&made));
            let gone = tokio::time::timeout(Duration::from_millis(10), going).await;
            assert!(gone.is_err(), "it takes longer");
        }
        assert_eq!(answer.ask(making(&made)).await, 1);
    }
}
