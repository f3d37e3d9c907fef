//! Our limit, the day's quota, and the vendor's own word.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use tokio::task::JoinSet;
use tokio::time::{Instant, advance};

use upsert_core::{Clock, ProviderError, UpsertProvider, WaitingFor};
use upsert_policy::{DayCount, InMemoryDayCount, RateLimit, RateLimitPolicy, SharedRate, TurnsTaken, wrap};

use crate::scripted::{
    Answer, PausedClock, Scripted, bulk, call, fault, hold_of, jitter, noon, prepared, quota_spent, rejected, secs,
    throttled, times, within,
};

struct Subject {
    vendor: Arc<Scripted>,
    layer: Arc<RateLimit>,
    stack: Arc<dyn UpsertProvider>,
    count: Arc<InMemoryDayCount>,
    clock: Arc<PausedClock>,
}

fn limited(policy: Option<RateLimitPolicy>, used: u32, shown: f64, script: Vec<Answer>) -> Subject {
    let (vendor, clock) = (Scripted::new(script), noon());
    let count = Arc::new(InMemoryDayCount::preloaded("2026-11-20".parse().unwrap(), used));
    let (wall, day_count): (Arc<dyn Clock>, Arc<dyn DayCount>) = (clock.clone(), count.clone());
    let layer = Arc::new(RateLimit::new(policy, wall, day_count, jitter(shown), None));
    let provider: Arc<dyn UpsertProvider> = Arc::<Scripted>::clone(&vendor);
    let stack = wrap(&layer, provider);
    Subject {
        vendor,
        layer,
        stack,
        count,
        clock,
    }
}

fn unlimited(script: Vec<Answer>) -> Subject {
    limited(None, 0, 0.0, script)
}

fn a_day(per_day: u32, used: u32) -> Subject {
    let policy = RateLimitPolicy {
        per_day: NonZeroU32::new(per_day),
        ..RateLimitPolicy::default()
    };
    limited(Some(policy), used, 0.0, Vec::new())
}

impl Subject {
    async fn held(&self) -> (WaitingFor, Duration) {
        let (waiting_for, wait) = hold_of(call(&self.stack).await);
        (waiting_for, wait.unwrap())
    }

    fn used(&self) -> u32 {
        self.layer.snapshot().used_today
    }
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_burst_goes_through_and_then_so_many_a_second() {
    let policy = RateLimitPolicy {
        per_second: NonZeroU32::new(10),
        burst: NonZeroU32::new(20),
        ..RateLimitPolicy::default()
    };
    let subject = limited(Some(policy), 0, 0.0, Vec::new());
    for _ in 0..20 {
        assert!(call(&subject.stack).await.is_ok());
    }
    let began = Instant::now();
    assert!(call(&subject.stack).await.is_ok());
    assert_eq!(
        began.elapsed(),
        Duration::from_millis(100),
        "its turn came so soon that it waited"
    );
    for _ in 0..99 {
        assert!(call(&subject.stack).await.is_ok());
    }
    assert_eq!(began.elapsed(), secs(10), "a hundred at ten a second");
    assert_eq!(subject.vendor.sent(), 20 + 100);
    assert_eq!(subject.used(), subject.vendor.sent());
}

#[tokio::test(start_paused = true)]
async fn calls_take_their_turn_in_order_and_what_would_wait_too_long_is_told_so() {
    let policy = RateLimitPolicy {
        per_second: NonZeroU32::new(2),
        burst: NonZeroU32::new(1),
        ..RateLimitPolicy::default()
    };
    let subject = limited(Some(policy), 0, 0.0, Vec::new());
    let mut calls = JoinSet::new();
    for number in 0..20 {
        let stack = Arc::clone(&subject.stack);
        calls.spawn(async move {
            let answer = call(&stack).await;
            (number, answer.map_err(|error| error.held.unwrap()), Instant::now())
        });
    }
    let began = Instant::now();
    let (mut through, mut held) = (Vec::new(), 0);
    while let Some(ended) = calls.join_next().await {
        let (number, answer, at) = ended.unwrap();
        match answer {
            Ok(_) => through.push((number, (at - began).as_millis())),
            Err(told) => {
                assert_eq!(told.waiting_for, WaitingFor::RateLimit);
                assert!((at - began) <= secs(3), "nobody waits longer to be told");
                held += 1;
            }
        }
    }
    assert_eq!(
        through,
        [
            (0, 0),
            (1, 500),
            (2, 1_000),
            (3, 1_500),
            (4, 2_000),
            (5, 2_500),
            (6, 3_000)
        ]
    );
    assert_eq!((held, subject.used()), (13, 7), "what was held back is not counted");
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_turn_comes_after_its_deadline_is_told_so_at_once() {
    let policy = RateLimitPolicy {
        per_second: NonZeroU32::new(2),
        burst: NonZeroU32::new(1),
        ..RateLimitPolicy::default()
    };
    let subject = limited(Some(policy), 0, 0.0, Vec::new());
    assert!(call(&subject.stack).await.is_ok());
    let began = Instant::now();
    let prepared = prepared();
    let hurried = within(Duration::from_millis(400));
    let told = subject.stack.upsert(&hurried, &prepared).await;
    assert_eq!(hold_of(told), (WaitingFor::RateLimit, Some(Duration::from_millis(500))));
    assert_eq!(began.elapsed(), Duration::ZERO);
    let patient = within(Duration::from_millis(600));
    assert!(subject.stack.upsert(&patient, &prepared).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_day_ends_at_midnight_utc_and_is_counted_from_what_was_known() {
    let subject = a_day(1_000, 998);
    assert!(call(&subject.stack).await.is_ok());
    assert!(call(&subject.stack).await.is_ok());
    assert_eq!(subject.held().await, (WaitingFor::Quota, secs(12 * 3_600)));
    let snapshot = subject.layer.snapshot();
    assert_eq!(
        (snapshot.left_today, snapshot.blocked_by),
        (Some(0), Some(WaitingFor::Quota))
    );
    assert_eq!(snapshot.blocked_until, Some(at("2026-11-21T00:00:00Z")));
    advance(secs(12 * 3_600)).await;
    assert_eq!(subject.clock.now(), at("2026-11-21T00:00:00Z"));
    assert!(call(&subject.stack).await.is_ok());
    let snapshot = subject.layer.snapshot();
    assert_eq!((snapshot.used_today, snapshot.left_today), (1, Some(999)));
    assert_eq!(snapshot.opens_at, at("2026-11-22T00:00:00Z"));
    assert_eq!(subject.vendor.sent(), 3);
}

#[tokio::test(start_paused = true)]
async fn bulk_work_leaves_the_reserve_alone() {
    let subject = a_day(100, 89);
    assert_eq!(subject.layer.snapshot().left_today_for_bulk, Some(1));
    assert!(subject.stack.upsert(&bulk(), &prepared()).await.is_ok());
    let refused = subject.stack.upsert(&bulk(), &prepared()).await;
    assert_eq!(hold_of(refused), (WaitingFor::Quota, Some(secs(12 * 3_600))));
    for _ in 0..10 {
        assert!(call(&subject.stack).await.is_ok());
    }
    assert_eq!(subject.held().await.0, WaitingFor::Quota);
}

#[tokio::test(start_paused = true)]
async fn only_a_call_that_was_not_sent_gives_its_count_back() {
    let not_sent = ProviderError::held(WaitingFor::RateLimit, Some(secs(1)), "no place");
    let script = [not_sent, fault(), rejected()].map(Answer::Error).into();
    let subject = limited(None, 5, 0.0, script);
    for used in [5, 6, 7] {
        let _ = call(&subject.stack).await;
        assert_eq!(subject.used(), used);
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_holds_the_whole_connection_as_long_as_it_asks_and_a_little_more() {
    for (shown, wait) in [(0.0, secs(60)), (1.0, secs(66))] {
        let subject = limited(None, 0, shown, times(1, || throttled(Some(secs(60)))));
        assert!(call(&subject.stack).await.unwrap_err().sent);
        assert_eq!(subject.held().await, (WaitingFor::RateLimit, wait));
        assert_eq!(subject.layer.snapshot().blocked_by, Some(WaitingFor::RateLimit));
        advance(wait).await;
        assert!(call(&subject.stack).await.is_ok());
        assert_eq!(subject.layer.snapshot().blocked_by, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_that_names_no_hold_holds_for_as_long_as_it_advises() {
    let mut told = throttled(Some(secs(60)));
    told.held = None;
    let subject = unlimited(vec![Answer::Error(told)]);
    assert!(call(&subject.stack).await.unwrap_err().sent);
    assert_eq!(subject.held().await, (WaitingFor::RateLimit, secs(60)));
}

#[tokio::test(start_paused = true)]
async fn without_retry_after_it_backs_off_doubling_up_to_five_minutes() {
    let subject = unlimited(times(12, || throttled(None)));
    for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        let _ = call(&subject.stack).await;
        assert_eq!(subject.held().await.1, secs(wait));
        advance(secs(wait)).await;
    }
    let _ = call(&subject.stack).await;
    advance(secs(300)).await;
    assert!(call(&subject.stack).await.is_ok());
    subject.vendor.then(times(1, || throttled(None)));
    let _ = call(&subject.stack).await;
    assert_eq!(subject.held().await.1, secs(1), "a success starts anew");
}

/// So many calls at once, all of them under way.
async fn under_way(subject: &Subject, count: u32) -> JoinSet<bool> {
    let mut calls = JoinSet::new();
    for _ in 0..count {
        let stack = Arc::clone(&subject.stack);
        calls.spawn(async move { call(&stack).await.is_ok() });
    }
    tokio::task::yield_now().await;
    assert_eq!(subject.vendor.sent(), count);
    calls
}

#[tokio::test(start_paused = true)]
async fn calls_that_were_refused_together_back_off_by_one_step() {
    let subject = unlimited((0..8).map(|_| Answer::SlowError(secs(5), throttled(None))).collect());
    assert_eq!(under_way(&subject, 8).await.join_all().await, [false; 8]);
    assert_eq!(subject.held().await.1, secs(1));
    advance(secs(1)).await;
    subject.vendor.then(times(1, || throttled(None)));
    let _ = call(&subject.stack).await;
    assert_eq!(subject.held().await.1, secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_success_from_before_the_429_lifts_nothing() {
    let subject = unlimited(vec![Answer::Slow(secs(1)), Answer::Slow(secs(1))]);
    let early = under_way(&subject, 2).await;
    subject.vendor.then(times(1, || throttled(Some(secs(30)))));
    let _ = call(&subject.stack).await;
    assert_eq!(early.join_all().await, [true; 2]);
    assert_eq!(subject.held().await, (WaitingFor::RateLimit, secs(29)));
}

#[tokio::test(start_paused = true)]
async fn a_spent_quota_waits_for_midnight_with_a_probe_each_hour() {
    let subject = unlimited(times(2, || quota_spent(None)));
    let _ = call(&subject.stack).await;
    assert_eq!(subject.held().await, (WaitingFor::Quota, secs(12 * 3_600)));
    advance(secs(3_600)).await;
    assert!(call(&subject.stack).await.unwrap_err().sent, "the probe");
    assert_eq!(subject.held().await, (WaitingFor::Quota, secs(11 * 3_600)));
    advance(secs(3_600)).await;
    assert!(call(&subject.stack).await.is_ok(), "the next probe finds it open");
    assert!(call(&subject.stack).await.is_ok());
    assert_eq!(subject.vendor.sent(), 4);
}

#[tokio::test(start_paused = true)]
async fn only_one_call_is_the_probe() {
    let subject = unlimited(vec![Answer::Error(quota_spent(None)), Answer::Slow(secs(9))]);
    let _ = call(&subject.stack).await;
    advance(secs(3_600)).await;
    let mut probe = JoinSet::new();
    let stack = Arc::clone(&subject.stack);
    probe.spawn(async move { call(&stack).await });
    tokio::task::yield_now().await;
    assert_eq!(subject.held().await.0, WaitingFor::Quota);
    assert!(probe.join_all().await.remove(0).is_ok());
    assert!(call(&subject.stack).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_spent_quota_opens_at_midnight_or_when_retry_after_says_whichever_is_later() {
    for (named, opens_in) in [
        (None, 12 * 3_600),
        (Some(600), 12 * 3_600),
        (Some(12 * 3_600), 12 * 3_600),
        (Some(13 * 3_600), 13 * 3_600),
        (Some(48 * 3_600), 24 * 3_600),
    ] {
        let subject = unlimited(times(1, || quota_spent(named.map(secs))));
        let _ = call(&subject.stack).await;
        assert_eq!(subject.held().await, (WaitingFor::Quota, secs(opens_in)), "{named:?}");
        advance(secs(opens_in)).await;
        assert!(call(&subject.stack).await.is_ok(), "{named:?}");
    }
}

/// The vendor says that so many calls a day are all that it allows.
fn names(limit: u32) -> Answer {
    let mut spent = quota_spent(None);
    spent.daily_limit = NonZeroU32::new(limit);
    Answer::Error(spent)
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_the_vendor_names_is_learnt_but_never_more_than_ours() {
    for (own, named, per_day, left, for_bulk) in [
        (None, 100, 100, 99, 90),
        (Some(1_000), 500, 500, 499, 450),
        (Some(50), 500, 50, 49, 45),
        (Some(1_000), 1, 1, 0, 1),
    ] {
        let subject = match own {
            Some(own) => a_day(own, 0),
            None => unlimited(Vec::new()),
        };
        subject.vendor.then(vec![names(named)]);
        let _ = call(&subject.stack).await;
        let snapshot = subject.layer.snapshot();
        assert_eq!(snapshot.per_day, Some(per_day), "{own:?} {named}");
        assert_eq!(snapshot.left_today, Some(left), "{own:?} {named}");
        assert_eq!(snapshot.per_day_for_bulk, Some(for_bulk), "{own:?} {named}");
    }
    let subject = unlimited(vec![names(100), names(200)]);
    let _ = call(&subject.stack).await;
    advance(secs(3_600)).await;
    let _ = call(&subject.stack).await;
    assert_eq!(subject.layer.snapshot().per_day, Some(200), "the last word holds");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_was_not_sent_is_still_due() {
    let not_sent = ProviderError::held(WaitingFor::RateLimit, Some(secs(1)), "no place");
    let subject = unlimited([quota_spent(None), not_sent].map(Answer::Error).into());
    let _ = call(&subject.stack).await;
    advance(secs(3_600)).await;
    assert!(!call(&subject.stack).await.unwrap_err().sent);
    assert!(call(&subject.stack).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_probe_stays_within_our_own_count() {
    let subject = a_day(10, 9);
    subject.vendor.then(times(1, || quota_spent(None)));
    let _ = call(&subject.stack).await;
    advance(secs(3_600)).await;
    assert_eq!(subject.held().await.0, WaitingFor::Quota);
    assert_eq!(
        (subject.vendor.sent(), subject.count.used("2026-11-20".parse().unwrap())),
        (1, 10)
    );
}

proptest! {
    #[test]
    fn no_call_goes_before_the_time_that_a_429_named(asked in any::<u64>(), shown in 0.0..1.0) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let asked = Duration::from_millis(asked);
            let subject = limited(None, 0, shown, vec![Answer::Error(throttled(Some(asked)))]);
            let _ = call(&subject.stack).await;
            let (_, wait) = subject.held().await;
            // As it asks, up to 24 hours; a Retry-After of nothing is none.
            let obeyed = if asked.is_zero() { secs(1) } else { asked.min(Duration::from_hours(24)) };
            assert!(wait >= obeyed && wait <= obeyed.mul_f64(1.101), "{asked:?}: {wait:?}");
        });
    }
}

/// Counts for several processes, as a store would.
#[derive(Debug)]
struct Shared {
    every: Duration,
    burst: u32,
    next: parking_lot::Mutex<Instant>,
    asked: std::sync::atomic::AtomicU32,
    is_away: std::sync::atomic::AtomicBool,
}

impl Shared {
    fn new(per_second: u32, burst: u32) -> Arc<Self> {
        Arc::new(Self {
            every: Duration::from_secs(1) / per_second,
            burst,
            next: parking_lot::Mutex::new(Instant::now()),
            asked: 0.into(),
            is_away: false.into(),
        })
    }
}

#[async_trait::async_trait]
impl SharedRate for Shared {
    async fn take(&self, most: u32, ahead: Duration) -> TurnsTaken {
        self.asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if self.is_away.load(std::sync::atomic::Ordering::SeqCst) {
            return TurnsTaken::Unknown;
        }
        let now = Instant::now();
        let mut next = self.next.lock();
        *next = (*next).max(now);
        let earlier = self.every * (self.burst - 1);
        let comes = |next: Instant| next.checked_sub(earlier).unwrap_or(now).max(now);
        let mut turns = Vec::new();
        while turns.len() < most as usize && comes(*next) <= now + ahead {
            turns.push(comes(*next));
            *next += self.every;
        }
        if turns.is_empty() {
            return TurnsTaken::NoneUntil(comes(*next));
        }
        TurnsTaken::Some(turns)
    }
}

/// Several processes' layers around one vendor, under one rate.
fn processes(count: usize, shared: &Arc<Shared>) -> (Arc<Scripted>, Vec<Arc<dyn UpsertProvider>>) {
    let policy = RateLimitPolicy {
        per_second: NonZeroU32::new(20),
        burst: NonZeroU32::new(5),
        ..RateLimitPolicy::default()
    };
    let vendor = Scripted::new([]);
    let stacks = (0..count).map(|_| {
        let count: Arc<dyn DayCount> = Arc::new(InMemoryDayCount::default());
        let shared: Arc<dyn SharedRate> = Arc::<Shared>::clone(shared);
        let layer = Arc::new(RateLimit::new(Some(policy), noon(), count, jitter(0.0), Some(shared)));
        let provider: Arc<dyn UpsertProvider> = Arc::<Scripted>::clone(&vendor);
        wrap(&layer, provider)
    });
    let stacks = stacks.collect();
    (vendor, stacks)
}

#[tokio::test(start_paused = true)]
async fn several_processes_keep_one_rate_between_them() {
    let shared = Shared::new(20, 5);
    let (_vendor, stacks) = processes(3, &shared);
    let began = Instant::now();
    let mut calls = JoinSet::new();
    // More at the first one: turns go to whoever has work.
    for number in 0..90 {
        let stack = Arc::clone(&stacks[[0, 0, 1, 2][number % 4]]);
        calls.spawn(async move {
            while call(&stack).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            began.elapsed()
        });
    }
    let mut went = calls.join_all().await;
    went.sort_unstable();
    for (at, first) in went.iter().enumerate() {
        for window in [100, 500, 1_000, 2_000].map(Duration::from_millis) {
            let within = went[at..].iter().take_while(|turn| **turn < *first + window).count();
            let most = 1.05 * (20.0 * window.as_secs_f64() + 5.0) + 1.0;
            assert!(
                f64::from(u32::try_from(within).unwrap()) <= most,
                "{within} within {window:?}"
            );
        }
    }
    let longest = Duration::from_millis(85 * 50).mul_f64(1.25);
    assert!(went[89] <= longest, "{:?}", went[89]);
}

#[tokio::test(start_paused = true)]
async fn turns_are_taken_several_at_a_time_where_many_are_needed() {
    let shared = Shared::new(1_000, 500);
    let (_vendor, stacks) = processes(1, &shared);
    for _ in 0..400 {
        call(&stacks[0]).await.unwrap();
    }
    let asked = shared.asked.load(std::sync::atomic::Ordering::SeqCst);
    assert!(asked <= 10, "{asked}");
}

#[tokio::test(start_paused = true)]
async fn whoever_cannot_ask_for_a_turn_waits_a_little_and_a_turn_that_was_not_used_is_lost() {
    let shared = Shared::new(20, 5);
    let (vendor, stacks) = processes(1, &shared);
    shared.is_away.store(true, std::sync::atomic::Ordering::SeqCst);
    let (waiting_for, wait) = hold_of(call(&stacks[0]).await);
    assert_eq!(
        (waiting_for, wait),
        (WaitingFor::RateLimit, Some(Duration::from_secs(1)))
    );
    assert_eq!(vendor.sent(), 0);
    shared.is_away.store(false, std::sync::atomic::Ordering::SeqCst);
    for _ in 0..3 {
        call(&stacks[0]).await.unwrap();
    }
    let asked = shared.asked.load(std::sync::atomic::Ordering::SeqCst);
    advance(Duration::from_secs(5)).await;
    call(&stacks[0]).await.unwrap();
    assert!(
        shared.asked.load(std::sync::atomic::Ordering::SeqCst) > asked,
        "what was taken is too old"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_counted_already_is_neither_counted_again_nor_refused_for_the_day() {
    let subject = a_day(10, 10);
    let counted = upsert_core::CallContext {
        is_counted: true,
        ..within(secs(10))
    };
    subject.stack.upsert(&counted, &prepared()).await.unwrap();
    assert_eq!(subject.used(), 10);
    assert_eq!(subject.held().await.0, WaitingFor::Quota);
}
