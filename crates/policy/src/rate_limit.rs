//! Lets a call through only as often as we, the day's quota and the vendor's own word allow.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use upsert_core::{CallContext, Clock, ErrorKind, Held, Priority, ProviderError, VendorBlocks, WaitingFor};

use crate::counted::Counted;
use crate::day_budget::{DayBudget, DayCount, day_of, next_opening, time_until};
use crate::jitter::Jitter;
use crate::layer::{Answer, Layer};
use crate::retry::named_wait;
use crate::settings::RateLimitPolicy;
use crate::shared_rate::{SharedRate, Turns};
use crate::vendor_block::{Blocked, VendorBlock};

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>;

/// The longest that a call waits for its turn under our own limit; what would have to wait longer is told so.
const LONGEST_WAIT: Duration = Duration::from_secs(LONGEST_WAIT_SECONDS as u64);
const LONGEST_WAIT_SECONDS: u32 = 3;

/// What is told where the line for a turn is too long already.
const NO_TURN: Held = Held {
    waiting_for: WaitingFor::RateLimit,
    for_at_least: Some(LONGEST_WAIT),
};

/// The rate limit of one connection. A call whose turn under our own limit comes soon waits for it, first come, first
/// served; any other is told how long to wait.
#[derive(derive_more::Debug)]
#[debug("RateLimit {{ policy: {policy:?}, vendor: {vendor:?}, .. }}")]
pub struct RateLimit {
    policy: Option<RateLimitPolicy>,
    limiter: Option<Limiter>,
    limiter_clock: TokioClock,
    /// Where turns come from that several processes share; none: this process counts for itself.
    shared: Option<Arc<dyn SharedRate>>,
    /// Held by the call whose turn is next; those behind it queue for it in order.
    turn: tokio::sync::Mutex<Turns>,
    /// Calls that wait for their turn.
    in_line: AtomicUsize,
    /// The day's limit that the vendor's words have named; 0: none.
    learnt: AtomicU32,
    day_count: Arc<dyn DayCount>,
    clock: Arc<dyn Clock>,
    jitter: Jitter,
    /// Held while a call is admitted, so that two calls never share the day's last one.
    vendor: Mutex<VendorBlock>,
    /// What the vendor said to this process, for whoever tells others.
    said: watch::Sender<VendorBlocks>,
}

/// One call that was let through.
struct Admission {
    era: u64,
    /// The day that it is counted on; none: somebody else counted it.
    day: Option<Date>,
    is_probe: bool,
}

/// What of a call matters to the day's limit.
#[derive(Debug, Clone, Copy)]
struct Asks {
    priority: Priority,
    /// Among the day's calls already, and within their limit.
    is_counted: bool,
    /// Whatever the vendor said of waiting.
    is_trial: bool,
}

impl Asks {
    fn of(priority: Priority) -> Self {
        Self {
            priority,
            is_counted: false,
            is_trial: false,
        }
    }

    fn by(context: &CallContext) -> Self {
        Self {
            priority: context.priority,
            is_counted: context.is_counted,
            is_trial: context.is_trial,
        }
    }
}

impl RateLimit {
    /// Without a policy only the vendor's word counts; calls are counted by day all the same.
    pub fn new(
        policy: Option<RateLimitPolicy>,
        clock: Arc<dyn Clock>,
        day_count: Arc<dyn DayCount>,
        jitter: Jitter,
        shared: Option<Arc<dyn SharedRate>>,
    ) -> Self {
        let limiter_clock = TokioClock { origin: Instant::now() };
        let quota = policy.and_then(|policy| {
            let per_second = policy.per_second?;
            Some(Quota::per_second(per_second).allow_burst(policy.burst.unwrap_or(per_second)))
        });
        Self {
            policy,
            limiter: quota.map(|quota| RateLimiter::direct_with_clock(quota, limiter_clock)),
            limiter_clock,
            shared,
            turn: tokio::sync::Mutex::default(),
            in_line: AtomicUsize::new(0),
            learnt: AtomicU32::new(0),
            day_count,
            clock,
            jitter,
            vendor: Mutex::new(VendorBlock::default()),
            said: watch::Sender::default(),
        }
    }

    /// Tells each time that the vendor says something else of waiting, to this process. Others need not find out for
    /// themselves.
    pub(crate) fn on_blocked(&self) -> watch::Receiver<VendorBlocks> {
        self.said.subscribe()
    }

    /// What the vendor has said to another process.
    pub(crate) fn hear_of_blocks(&self, blocks: VendorBlocks) {
        self.vendor.lock().hear(blocks, Instant::now(), self.clock.now());
    }

    /// Whatever the vendor has said of waiting is over, by an operator's word. Whoever passes that word on tells the others
    /// itself: the vendor has said nothing.
    pub(crate) fn lift_blocks(&self) {
        let mut vendor = self.vendor.lock();
        vendor.lift();
        // What nobody has been told yet is not told any more.
        self.said.send_if_modified(|said| {
            *said = VendorBlocks::default();
            false
        });
    }

    /// What is left now.
    pub fn snapshot(&self) -> upsert_api::RateLimit {
        let wall = self.clock.now();
        let used_today = self.day_count.used(day_of(wall));
        let budget = self.budget();
        let left = |priority| budget.map(|budget| budget.left(used_today, priority));
        let left_today = left(Priority::Interactive);
        let opens_at = next_opening(wall);
        let in_future = |wait: Duration| wall.checked_add(SignedDuration::try_from(wait).ok()?).ok();
        let (blocked_until, blocked_by) = match self.vendor.lock().standing(Instant::now(), wall) {
            Some(Blocked::Throttled(wait)) => (in_future(wait), Some(WaitingFor::RateLimit)),
            Some(Blocked::QuotaSpent(wait)) => (in_future(wait), Some(WaitingFor::Quota)),
            None if left_today == Some(0) => (Some(opens_at), Some(WaitingFor::Quota)),
            None => (None, None),
        };
        let policy = self.policy.unwrap_or_default();
        upsert_api::RateLimit {
            per_second: policy.per_second.map(NonZeroU32::get),
            burst: policy.burst.or(policy.per_second).map(NonZeroU32::get),
            per_day: self.per_day().map(NonZeroU32::get),
            used_today,
            left_today,
            left_today_for_bulk: left(Priority::Bulk),
            per_day_for_bulk: budget.map(|budget| budget.left(0, Priority::Bulk)),
            opens_at,
            blocked_until,
            blocked_by,
        }
    }

    /// The time of day that quotas go by.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What stands in the way of a call now; or whether it is the probe of a spent quota.
    fn stands_free(
        &self,
        vendor: &VendorBlock,
        asks: Asks,
        now: Instant,
        wall: Timestamp,
    ) -> Result<bool, ProviderError> {
        let is_probe = match vendor.standing(now, wall) {
            None => false,
            Some(_) if asks.is_trial => false,
            Some(Blocked::QuotaSpent(_)) if vendor.probe_is_due(wall) => true,
            Some(blocked) => return Err(vendor_waits(blocked)),
        };
        // The vendor's window is ours to guess, its limit is not: a probe too stays within what is left.
        let Asks {
            priority, is_counted, ..
        } = asks;
        match self.left_on(day_of(wall), priority) {
            Some(0) if !is_counted => Err(day_is_used_up(priority, time_until(next_opening(wall), wall))),
            _ => Ok(is_probe),
        }
    }

    /// Calls a day: those that somebody asked for, but never more than the vendor says that it allows; where nobody asked for
    /// any, what it says, or else what is known of it.
    fn per_day(&self) -> Option<NonZeroU32> {
        let policy = self.policy.unwrap_or_default();
        let learnt = NonZeroU32::new(self.learnt.load(Ordering::Relaxed));
        if policy.per_day_is_assumed {
            return learnt.or(policy.per_day);
        }
        policy.per_day.into_iter().chain(learnt).min()
    }

    fn budget(&self) -> Option<DayBudget> {
        let reserve = self.policy.unwrap_or_default().reserve;
        Some(DayBudget::new(self.per_day()?, reserve))
    }

    fn left_on(&self, day: Date, priority: Priority) -> Option<u32> {
        let budget = self.budget()?;
        Some(budget.left(self.day_count.used(day), priority))
    }

    /// Whether the vendor has not said stop since a call was let through.
    pub(crate) fn still_lets_through(&self) -> Result<(), ProviderError> {
        match self.vendor.lock().standing_since(Instant::now(), self.clock.now()) {
            Some(blocked) => Err(vendor_waits(blocked)),
            None => Ok(()),
        }
    }

    fn admit(&self, asks: Asks) -> Result<Admission, ProviderError> {
        let (now, wall) = (Instant::now(), self.clock.now());
        let mut vendor = self.vendor.lock();
        let is_probe = self.stands_free(&vendor, asks, now, wall)?;
        if is_probe {
            vendor.probe(wall);
        }
        let day = (!asks.is_counted).then(|| day_of(wall));
        if let Some(day) = day {
            self.day_count.add_one(day);
        }
        let era = vendor.era();
        Ok(Admission { era, day, is_probe })
    }

    /// Calls a day of this kind of work.
    pub(crate) fn day_limit(&self, priority: Priority) -> Option<u32> {
        Some(self.budget()?.left(0, priority))
    }

    /// The day's calls, to be told of those that somebody else counts.
    pub(crate) fn day_count(&self) -> &dyn DayCount {
        &*self.day_count
    }

    /// How many calls could go soon, where that is limited; or what the connection waits for.
    pub(crate) fn room(&self, priority: Priority) -> Result<Option<u32>, Held> {
        let (now, wall) = (Instant::now(), self.clock.now());
        let is_probe = self
            .stands_free(&self.vendor.lock(), Asks::of(priority), now, wall)
            .map_err(|error| error.held.unwrap_or(NO_TURN))?;
        if is_probe {
            return Ok(Some(1));
        }
        let left = self.left_on(day_of(wall), priority);
        let per_second = self.policy.and_then(|policy| policy.per_second);
        let soon = per_second.map(|per_second| {
            let in_time = per_second.get().saturating_mul(LONGEST_WAIT_SECONDS);
            in_time.saturating_sub(u32::try_from(self.in_line.load(Ordering::Relaxed)).unwrap_or(u32::MAX))
        });
        match (left, soon) {
            (_, Some(0)) => Err(NO_TURN),
            (Some(left), Some(soon)) => Ok(Some(left.min(soon))),
            (left, soon) => Ok(left.or(soon)),
        }
    }

    /// Waits for the call's turn under our own limit, if that is soon.
    async fn own_turn(&self, context: &CallContext) -> Result<(), ProviderError> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        let reached = |wait| {
            let detail = "the connection's own rate limit is reached";
            ProviderError::held(WaitingFor::RateLimit, Some(wait), detail)
        };
        let patience = context.deadline.min(Instant::now() + LONGEST_WAIT);
        let _in_line = Counted::among(&self.in_line);
        let Ok(mut turn) = timeout_at(patience, self.turn.lock()).await else {
            return Err(reached(LONGEST_WAIT));
        };
        if let Some(shared) = &self.shared {
            let in_line = u32::try_from(self.in_line.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
            return turn.next(&**shared, in_line, patience).await.map_err(reached);
        }
        while let Err(refused) = limiter.check() {
            let wait = refused.wait_time_from(self.limiter_clock.now());
            if Instant::now() + wait > patience {
                return Err(reached(wait));
            }
            sleep(wait).await;
        }
        Ok(())
    }

    fn learn<T>(&self, admission: &Admission, result: &Result<T, ProviderError>) {
        let (now, wall) = (Instant::now(), self.clock.now());
        // Held while it is told, too: of two calls that end at once, what is told last is what stands.
        let mut vendor = self.vendor.lock();
        let Err(error) = result else {
            if vendor.taken(admission.era, now, wall) {
                self.said.send_replace(vendor.said(now, wall));
            }
            return;
        };
        if !error.sent {
            // An inner layer let it through no further: the vendor has not counted it.
            if let Some(day) = admission.day {
                self.day_count.give_back(day);
            }
            if admission.is_probe {
                vendor.probe_is_still_due(wall);
            }
            return;
        }
        if let Some(limit) = error.daily_limit {
            self.learnt.store(limit.get(), Ordering::Relaxed);
        }
        let wait = named_wait(error);
        match error.kind {
            ErrorKind::RateLimited => vendor.throttled(admission.era, wait, now, &self.jitter),
            ErrorKind::QuotaSpent => vendor.quota_spent(admission.era, wait, wall),
            _ => return,
        }
        self.said.send_replace(vendor.said(now, wall));
    }
}

impl Layer for RateLimit {
    async fn around<T: Answer>(
        &self,
        context: &CallContext,
        call: impl Future<Output = Result<T, ProviderError>> + Send,
    ) -> Result<T, ProviderError> {
        let asks = Asks::by(context);
        self.stands_free(&self.vendor.lock(), asks, Instant::now(), self.clock.now())?;
        self.own_turn(context).await?;
        // A call that is dropped from here on stays counted: it may have gone out.
        let admission = self.admit(asks)?;
        let result = call.await;
        self.learn(&admission, &result);
        result
    }
}

/// Governor's view of tokio's time, which tests pause.
#[derive(Debug, Clone, Copy)]
struct TokioClock {
    origin: Instant,
}

impl GovernorClock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }
}

fn vendor_waits(blocked: Blocked) -> ProviderError {
    match blocked {
        Blocked::Throttled(wait) => {
            let detail = "the vendor has asked this connection to slow down";
            ProviderError::held(WaitingFor::RateLimit, Some(wait), detail)
        }
        Blocked::QuotaSpent(wait) => {
            let detail = "the vendor says that the day's calls are used up";
            ProviderError::held(WaitingFor::Quota, Some(wait), detail)
        }
    }
}

fn day_is_used_up(priority: Priority, wait: Duration) -> ProviderError {
    let detail = match priority {
        Priority::Interactive => "the day's calls are used up",
        Priority::Bulk => "the day's calls are used up, but for the reserve that bulk work may not touch",
    };
    ProviderError::held(WaitingFor::Quota, Some(wait), detail)
}
