//! How much is taken on at once. Beyond that a request is refused early, with a word when to come back: a queue without
//! an end only makes everybody late.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use upsert_core::Priority;

use crate::problem::Refusal;

/// Upserts that may be under way, most of them waiting for vendors. Each holds some tens of kilobytes.
const MOST_IN_PROGRESS: usize = 8_192;

/// Of these, so many of one merchant: one whose vendor hangs leaves room for the others.
const MOST_OF_ONE_MERCHANT: usize = MOST_IN_PROGRESS / 2;

/// Of one merchant's that somebody waits for, so many while its upserts do end: more of them only end later. Where none
/// ends, as with a vendor that hangs, the room above is theirs.
const MOST_WHILE_THEY_END: usize = MOST_OF_ONE_MERCHANT / 2;

/// Upserts end as long as one ended within this.
const JUST_NOW: Duration = Duration::from_secs(1);

/// Upserts that may be on their way to the commit. More of them do not get there sooner.
const MOST_DECIDING: usize = 512;

/// Of bulk work so many; more of it waits, since nobody waits for it.
const BULK_DECIDING: usize = 64;

/// Counts what is under way.
#[derive(Debug)]
pub(crate) struct Admission {
    in_progress: Mutex<InProgress>,
    deciding: Arc<Semaphore>,
    bulk: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct InProgress {
    all: usize,
    by_merchant: HashMap<String, OfOne>,
}

/// What is under way of one merchant.
#[derive(Debug, Default, Clone, Copy)]
struct OfOne {
    count: usize,
    /// When one of them was last answered for good.
    last_end: Option<Instant>,
}

impl OfOne {
    fn most(self, priority: Priority) -> usize {
        let do_end = self.last_end.is_some_and(|at| at.elapsed() < JUST_NOW);
        if do_end && priority == Priority::Interactive {
            MOST_WHILE_THEY_END
        } else {
            MOST_OF_ONE_MERCHANT
        }
    }
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            in_progress: Mutex::default(),
            deciding: Arc::new(Semaphore::new(MOST_DECIDING)),
            bulk: Arc::new(Semaphore::new(BULK_DECIDING)),
        }
    }
}

/// One upsert under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    admission: Arc<Admission>,
    merchant: String,
}

/// One upsert on its way to the commit, until it is dropped.
pub(crate) type Deciding = Option<OwnedSemaphorePermit>;

impl Admission {
    /// Takes an upsert on.
    ///
    /// # Errors
    /// 503: too many are under way, of this merchant or of all.
    pub(crate) fn admit(self: &Arc<Self>, merchant: &str, priority: Priority) -> Result<Admitted, Refusal> {
        let mut in_flight = self.in_progress.lock();
        let own = in_flight.by_merchant.get(merchant).copied().unwrap_or_default();
        if in_flight.all >= MOST_IN_PROGRESS || own.count >= own.most(priority) {
            return Err(overloaded("too many upserts are under way"));
        }
        in_flight.all += 1;
        let count = own.count + 1;
        in_flight
            .by_merchant
            .insert(merchant.to_owned(), OfOne { count, ..own });
        Ok(Admitted {
            admission: self.clone(),
            merchant: merchant.to_owned(),
        })
    }

    /// Lets it go on to the commit. Bulk work waits for its turn.
    ///
    /// # Errors
    /// 503: too many are on their way there.
    pub(crate) async fn decide(&self, priority: Priority) -> Result<Deciding, Refusal> {
        // Neither semaphore is ever closed.
        if priority == Priority::Bulk {
            return Ok(self.bulk.clone().acquire_owned().await.ok());
        }
        let permit = self.deciding.clone().try_acquire_owned();
        permit
            .map(Some)
            .map_err(|_| overloaded("too many upserts wait to be stored"))
    }
}

impl Admitted {
    /// It was answered for good.
    pub(crate) fn has_ended(&self) {
        let mut in_flight = self.admission.in_progress.lock();
        if let Some(own) = in_flight.by_merchant.get_mut(&self.merchant) {
            own.last_end = Some(Instant::now());
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut in_flight = self.admission.in_progress.lock();
        in_flight.all -= 1;
        let own = in_flight.by_merchant.get_mut(&self.merchant);
        let is_last = own.is_some_and(|own| {
            own.count -= 1;
            own.count == 0
        });
        if is_last {
            in_flight.by_merchant.remove(&self.merchant);
        }
    }
}

fn overloaded(detail: &str) -> Refusal {
    metrics::counter!("upsert_gateway_overloaded_total").increment(1);
    Refusal::overloaded(detail)
}

#[cfg(test)]
mod tests {
    use upsert_api::ProblemCode;

    use super::*;

    #[test]
    fn one_merchant_cannot_take_all_the_room() {
        let admission = Arc::new(Admission::default());
        let of_one: Vec<_> = (0..MOST_OF_ONE_MERCHANT)
            .map(|_| admission.admit("acme", Priority::Interactive).unwrap())
            .collect();
        let refused = admission.admit("acme", Priority::Interactive).unwrap_err();
        assert_eq!((refused.code, refused.retry_after), (ProblemCode::Overloaded, Some(1)));
        let others: Vec<_> = (0..MOST_IN_PROGRESS - MOST_OF_ONE_MERCHANT)
            .map(|_| admission.admit("globex", Priority::Interactive).unwrap())
            .collect();
        assert!(
            admission.admit("initech", Priority::Interactive).is_err(),
            "nor is there room without an end"
        );
        drop(of_one);
        assert!(admission.admit("initech", Priority::Interactive).is_ok());
        drop(others);
        assert!(admission.in_progress.lock().by_merchant.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn while_upserts_end_few_wait_and_where_none_ends_many_may() {
        let admission = Arc::new(Admission::default());
        let admit = |priority| admission.admit("acme", priority);
        let mut all: Vec<_> = (0..MOST_WHILE_THEY_END + 10)
            .map(|_| admit(Priority::Interactive).unwrap())
            .collect();
        all[0].has_ended();
        assert!(admit(Priority::Interactive).is_err(), "it would wait long");
        assert!(admit(Priority::Bulk).is_ok(), "nobody waits for it");
        assert!(admission.admit("globex", Priority::Interactive).is_ok());
        tokio::time::advance(JUST_NOW).await;
        assert!(
            admit(Priority::Interactive).is_ok(),
            "none ends any more: the vendor hangs"
        );
        all[0].has_ended();
        all.truncate(MOST_WHILE_THEY_END - 1);
        assert!(admit(Priority::Interactive).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_to_be_stored_is_bounded_and_bulk_work_waits_its_turn() {
        let admission = Admission::default();
        let mut deciding = Vec::new();
        for _ in 0..MOST_DECIDING {
            deciding.push(admission.decide(Priority::Interactive).await.unwrap());
        }
        assert!(admission.decide(Priority::Interactive).await.is_err());
        deciding.pop();
        deciding.push(admission.decide(Priority::Interactive).await.unwrap());
        let mut bulk = Vec::new();
        for _ in 0..BULK_DECIDING {
            bulk.push(admission.decide(Priority::Bulk).await.unwrap());
        }
        let second = std::time::Duration::from_secs(1);
        assert!(
            tokio::time::timeout(second, admission.decide(Priority::Bulk))
                .await
                .is_err()
        );
        bulk.pop();
        assert!(
            tokio::time::timeout(second, admission.decide(Priority::Bulk))
                .await
                .is_ok()
        );
    }
}
