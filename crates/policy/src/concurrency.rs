//! Bounds how many calls of one connection are under way, and how many wait for a place.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use upsert_core::{CallContext, Held, ProviderError, WaitingFor};

use crate::counted::Counted;
use crate::layer::{Answer, Layer};

/// Calls that may wait for each place.
const QUEUE_PER_PLACE: usize = 4;

/// The longest that a call waits for a place: what it then has left of its time is for the vendor.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long a call that found no place is told to wait.
const NO_PLACE: Duration = Duration::from_secs(1);

/// A fixed number of places, and a bounded queue for them: a slow vendor holds up its own calls and no others.
#[derive(Debug)]
pub struct Concurrency {
    places: usize,
    free: Semaphore,
    waiting: AtomicUsize,
}

impl Concurrency {
    /// So many calls at the same time.
    pub fn new(places: std::num::NonZeroU32) -> Self {
        let places = usize::try_from(places.get())
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        Self {
            places,
            free: Semaphore::new(places),
            waiting: AtomicUsize::new(0),
        }
    }

    /// What is under way now.
    pub fn snapshot(&self) -> upsert_api::Concurrency {
        upsert_api::Concurrency {
            places: self.places,
            in_use: self.places.saturating_sub(self.free.available_permits()),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }

    /// Places that are free now; none where the queue for them is full too.
    pub(crate) fn room(&self) -> Option<usize> {
        let free = self.free.available_permits();
        let is_full = self.waiting.load(Ordering::Relaxed) >= self.longest_queue();
        (free > 0 || !is_full).then_some(free)
    }

    fn longest_queue(&self) -> usize {
        self.places.saturating_mul(QUEUE_PER_PLACE)
    }

    /// What a call is told that finds no place.
    pub(crate) fn no_room() -> Held {
        Held {
            waiting_for: WaitingFor::RateLimit,
            for_at_least: Some(NO_PLACE),
        }
    }

    async fn place(&self, context: &CallContext) -> Result<SemaphorePermit<'_>, ProviderError> {
        if let Ok(place) = self.free.try_acquire() {
            return Ok(place);
        }
        let refused = |detail| ProviderError::held(WaitingFor::RateLimit, Some(NO_PLACE), detail);
        let waiting = Counted::among_at_most(self.longest_queue(), &self.waiting)
            .ok_or_else(|| refused("too many calls of this connection wait already"))?;
        let patience = context.deadline.min(Instant::now() + LONGEST_WAIT);
        let place = timeout_at(patience, self.free.acquire()).await;
        drop(waiting);
        match place {
            Ok(Ok(place)) => Ok(place),
            // The semaphore is never closed, so its time is over.
            Ok(Err(_)) | Err(_) => Err(refused("no place became free in time")),
        }
    }
}

impl Layer for Concurrency {
    async fn around<T: Answer>(
        &self,
        context: &CallContext,
        call: impl Future<Output = Result<T, ProviderError>> + Send,
    ) -> Result<T, ProviderError> {
        let _place = self.place(context).await?;
        call.await
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn there_is_room_while_a_place_is_free_or_the_queue_for_them_is_not_full() {
        let layer = Concurrency::new(NonZeroU32::new(2).unwrap());
        assert_eq!(layer.room(), Some(2));
        let one = layer.free.try_acquire().unwrap();
        assert_eq!(layer.room(), Some(1));
        let _other = layer.free.try_acquire().unwrap();
        let queue = 2 * QUEUE_PER_PLACE;
        for (waiting, room) in [(0, Some(0)), (queue - 1, Some(0)), (queue, None), (queue + 1, None)] {
            layer.waiting.store(waiting, Ordering::Relaxed);
            assert_eq!(layer.room(), room, "{waiting} wait");
        }
        drop(one);
        assert_eq!(layer.room(), Some(1), "a place is free, however many wait");
    }
}
