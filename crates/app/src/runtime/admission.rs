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
const MOST_DECIDING: usize = 256;

/// Once some had to be turned away, so many at least.
const FEWEST_DECIDING: u16 = 16;

/// And as many as get to the commit within this: what is let in is served about as fast as ever.
const IN_TIME: Duration = Duration::from_millis(10);

/// When nobody was turned away for so long, the crowd is over.
const CALM: Duration = Duration::from_secs(1);

/// Of bulk work so many; more of it waits, since nobody waits for it.
const BULK_DECIDING: usize = 64;

/// Counts what is under way.
#[derive(Debug)]
pub(crate) struct Admission {
    in_progress: Mutex<InProgress>,
    deciding: Arc<Mutex<Queue>>,
    bulk: Arc<Semaphore>,
}

/// Those on their way to the commit that somebody waits for.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    length: usize,
    crowd: Option<Crowd>,
}

/// More come than can be served.
#[derive(Debug)]
struct Crowd {
    /// So many may be on their way.
    room: f64,
    /// When one was last turned away.
    last: Instant,
    /// Those that came before had more room than there is now.
    narrowed: Instant,
}

impl Queue {
    fn room(&self) -> f64 {
        self.crowd.as_ref().map_or(f64::INFINITY, |crowd| crowd.room)
    }

    #[expect(clippy::cast_precision_loss, reason = "a length is small")]
    fn is_full(&mut self, now: Instant) -> bool {
        self.crowd.take_if(|crowd| now.duration_since(crowd.last) > CALM);
        self.length >= MOST_DECIDING || self.length as f64 >= self.room()
    }

    fn turned_away(&mut self, now: Instant) {
        let crowd = self.crowd.get_or_insert(Crowd {
            room: f64::from(FEWEST_DECIDING),
            last: now,
            narrowed: now,
        });
        crowd.last = now;
    }

    /// One that came then has got to its commit, or was refused.
    fn leave(&mut self, came: Instant, now: Instant) {
        self.length -= 1;
        let Some(crowd) = &mut self.crowd else { return };
        if now.duration_since(came) <= IN_TIME {
            crowd.room += 1.0 / crowd.room;
        } else if came >= crowd.narrowed {
            crowd.room = (crowd.room * 0.8).max(f64::from(FEWEST_DECIDING));
            crowd.narrowed = now;
        }
    }
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
            deciding: Arc::default(),
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
#[derive(Debug)]
pub(crate) enum Deciding {
    /// Somebody waits for it.
    Interactive { queue: Arc<Mutex<Queue>>, came: Instant },
    /// Nobody does. Never none.
    Bulk(#[expect(dead_code, reason = "it is held")] Option<OwnedSemaphorePermit>),
}

impl Drop for Deciding {
    fn drop(&mut self) {
        if let Self::Interactive { queue, came } = self {
            queue.lock().leave(*came, Instant::now());
        }
    }
}

impl Admission {
    /// Takes an upsert on.
    ///
    /// # Errors
    /// 503: too many are under way, of this merchant or of all, or on their way to the commit.
    pub(crate) fn admit(self: &Arc<Self>, merchant: &str, priority: Priority) -> Result<Admitted, Refusal> {
        if priority == Priority::Interactive {
            self.with_room(|_| ())?;
        }
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
        if priority == Priority::Bulk {
            // It is never closed.
            return Ok(Deciding::Bulk(self.bulk.clone().acquire_owned().await.ok()));
        }
        self.with_room(|queue| queue.length += 1)?;
        Ok(Deciding::Interactive {
            queue: Arc::clone(&self.deciding),
            came: Instant::now(),
        })
    }

    /// Where there is room for one more.
    fn with_room(&self, enter: impl FnOnce(&mut Queue)) -> Result<(), Refusal> {
        let (mut queue, now) = (self.deciding.lock(), Instant::now());
        if queue.is_full(now) {
            queue.turned_away(now);
            return Err(overloaded("too many upserts wait to be stored"));
        }
        enter(&mut queue);
        Ok(())
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
    async fn in_a_crowd_as_many_are_let_in_as_get_to_the_commit_in_time() {
        let admission = Admission::default();
        let enter = async || {
            let mut all = Vec::new();
            while let Ok(one) = admission.decide(Priority::Interactive).await {
                all.push(one);
            }
            all
        };
        let all = enter().await;
        assert_eq!(all.len(), MOST_DECIDING, "as long as nobody was turned away");
        tokio::time::advance(10 * IN_TIME).await;
        drop(all);
        let few = enter().await.len();
        assert!(few < 2 * usize::from(FEWEST_DECIDING), "{few}: all of them came late");
        let mut widest = 0;
        for _ in 0..100 {
            let all = enter().await;
            widest = widest.max(all.len());
            tokio::time::advance(if all.len() > 40 { 2 * IN_TIME } else { IN_TIME / 2 }).await;
        }
        assert!((41..60).contains(&widest), "{widest}: more than 40 are late");
        tokio::time::advance(2 * CALM).await;
        assert_eq!(enter().await.len(), MOST_DECIDING, "the crowd is over");
    }

    #[tokio::test(start_paused = true)]
    async fn bulk_work_waits_its_turn_to_be_stored() {
        let admission = Admission::default();
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
