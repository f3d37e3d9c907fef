//! When the breaker opens, and what it takes to close it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{advance, timeout};

use upsert_api::BreakerState;
use upsert_core::{ProviderError, UpsertProvider, WaitingFor};
use upsert_policy::{Breaker, BreakerPolicy, wrap};

use crate::scripted::{
    Answer, Scripted, broken, call, fault, hold_of, names, noon, quota_spent, rejected, secs, throttled, times,
    unauthorised, unavailable_for,
};

struct Subject {
    vendor: Arc<Scripted>,
    layer: Arc<Breaker>,
    stack: Arc<dyn UpsertProvider>,
}

/// Opens on two of four calls within 30 s, for 15 s.
fn breaker(script: impl IntoIterator<Item = Answer>) -> Subject {
    let policy = BreakerPolicy {
        min_calls: NonZeroU32::new(4).unwrap(),
        ..BreakerPolicy::default()
    };
    let (vendor, layer) = (Scripted::new(script), Arc::new(Breaker::new(policy, names(), noon())));
    let provider: Arc<dyn UpsertProvider> = Arc::<Scripted>::clone(&vendor);
    let stack = wrap(&layer, provider);
    Subject { vendor, layer, stack }
}

impl Subject {
    fn state(&self) -> BreakerState {
        self.layer.snapshot().state
    }

    async fn calls(&self, count: usize) {
        for _ in 0..count {
            let _ = call(&self.stack).await;
        }
    }

    /// Open since just now.
    async fn opened(script: impl IntoIterator<Item = Answer>) -> Self {
        let subject = breaker(times(4, fault).into_iter().chain(script));
        subject.calls(4).await;
        assert_eq!(subject.state(), BreakerState::Open);
        subject
    }

    async fn time_left(&self) -> Duration {
        let (waiting_for, left) = hold_of(call(&self.stack).await);
        assert_eq!(waiting_for, WaitingFor::Breaker);
        left.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn it_opens_when_enough_calls_fail_and_says_how_long() {
    let subject = breaker(vec![Answer::Taken, Answer::Taken].into_iter().chain(times(2, fault)));
    subject.calls(3).await;
    assert_eq!(subject.state(), BreakerState::Closed);
    subject.calls(1).await;
    assert_eq!(subject.state(), BreakerState::Open);
    assert_eq!(
        subject.layer.snapshot().until,
        Some("2026-11-20T12:00:15Z".parse().unwrap())
    );
    advance(secs(5)).await;
    assert_eq!(subject.time_left().await, secs(10));
    assert_eq!(subject.vendor.sent(), 4, "nothing goes out while it is open");
}

#[tokio::test(start_paused = true)]
async fn it_stays_closed_below_the_ratio_below_the_number_and_after_the_window() {
    let few = breaker(times(3, fault));
    few.calls(3).await;
    assert_eq!(few.state(), BreakerState::Closed);

    let mixed = breaker((0..9).map(|n| {
        if n % 3 == 2 {
            Answer::Error(fault())
        } else {
            Answer::Taken
        }
    }));
    mixed.calls(9).await;
    assert_eq!(mixed.state(), BreakerState::Closed);
    assert_eq!((mixed.layer.snapshot().calls, mixed.layer.snapshot().faults), (9, 3));

    let slow = breaker(times(4, fault));
    slow.calls(3).await;
    advance(secs(31)).await;
    slow.calls(1).await;
    assert_eq!(slow.state(), BreakerState::Closed);
    assert_eq!(slow.layer.snapshot().faults, 1);
}

#[tokio::test(start_paused = true)]
async fn only_the_vendors_own_faults_count() {
    let no_faults: [fn() -> ProviderError; 6] = [
        rejected,
        unauthorised,
        broken,
        || throttled(None),
        || quota_spent(None),
        || ProviderError::held(WaitingFor::Breaker, Some(secs(1)), "held back by a layer within"),
    ];
    for error in no_faults {
        let subject = breaker(times(20, error));
        subject.calls(20).await;
        assert_eq!(
            (subject.state(), subject.vendor.sent()),
            (BreakerState::Closed, 20),
            "{}",
            error()
        );
        assert_eq!(subject.layer.snapshot().faults, 0);
    }
    let unreachable = || {
        let mut error = unavailable_for(secs(0));
        error.sent = false;
        error
    };
    let subject = breaker(times(4, unreachable));
    subject.calls(4).await;
    assert_eq!(
        subject.state(),
        BreakerState::Open,
        "a vendor that cannot be reached is at fault"
    );
}

#[tokio::test(start_paused = true)]
async fn half_open_lets_exactly_one_probe_through() {
    let subject = Subject::opened([Answer::Slow(secs(2))]).await;
    advance(secs(15)).await;
    assert_eq!(subject.state(), BreakerState::HalfOpen);
    let mut probe = JoinSet::new();
    let stack = Arc::clone(&subject.stack);
    probe.spawn(async move { call(&stack).await });
    tokio::task::yield_now().await;
    for _ in 0..5 {
        assert!(!subject.time_left().await.is_zero());
    }
    assert_eq!(subject.vendor.sent(), 5, "four faults and the probe");
    assert!(probe.join_all().await.remove(0).is_ok());
    assert_eq!(subject.state(), BreakerState::Closed);
    subject.calls(3).await;
    assert_eq!(subject.vendor.sent(), 8);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_when_it_closes() {
    let subject = Subject::opened([]).await;
    let mut closings = subject.layer.on_closed();
    assert!(timeout(secs(1), closings.changed()).await.is_err());
    advance(secs(15)).await;
    subject.calls(1).await;
    closings.changed().await.unwrap();
    assert_eq!(*closings.borrow(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_failed_probe_doubles_the_wait_up_to_eight_times() {
    let subject = Subject::opened(times(5, fault)).await;
    for wait in [15, 30, 60, 120, 120] {
        assert_eq!(subject.time_left().await, secs(wait));
        advance(secs(wait)).await;
        subject.calls(1).await;
    }
    advance(secs(120)).await;
    subject.calls(1).await;
    assert_eq!(subject.state(), BreakerState::Closed);
    subject.vendor.then(times(4, fault));
    subject.calls(4).await;
    assert_eq!(subject.time_left().await, secs(15), "a success in between starts anew");
}

#[tokio::test(start_paused = true)]
async fn it_stays_open_as_long_as_retry_after_asks() {
    let subject = breaker(
        times(3, fault)
            .into_iter()
            .chain(times(1, || unavailable_for(secs(100)))),
    );
    subject.calls(4).await;
    assert_eq!(subject.time_left().await, secs(100));
    advance(secs(99)).await;
    assert_eq!(subject.time_left().await, secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_probe_frees_its_slot() {
    let subject = Subject::opened([Answer::Never]).await;
    advance(secs(15)).await;
    assert!(timeout(secs(1), call(&subject.stack)).await.is_err());
    assert_eq!(subject.state(), BreakerState::HalfOpen);
    assert!(call(&subject.stack).await.is_ok());
    assert_eq!(subject.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_proves_nothing_leaves_the_question_open() {
    let held = || ProviderError::held(WaitingFor::RateLimit, Some(secs(1)), "a layer within");
    for neutral in [held(), broken()] {
        let subject = Subject::opened([Answer::Error(neutral)]).await;
        advance(secs(15)).await;
        subject.calls(1).await;
        assert_eq!(subject.state(), BreakerState::HalfOpen);
        subject.calls(1).await;
        assert_eq!(subject.state(), BreakerState::Closed);
    }
}

/// A call that was under way before four faults opened it, and answers so much later.
async fn opened_over(early: Answer) -> (Subject, JoinSet<bool>) {
    let subject = breaker([early].into_iter().chain(times(4, fault)));
    let mut calls = JoinSet::new();
    let stack = Arc::clone(&subject.stack);
    calls.spawn(async move { call(&stack).await.is_ok() });
    tokio::task::yield_now().await;
    subject.calls(4).await;
    assert_eq!(subject.state(), BreakerState::Open);
    (subject, calls)
}

#[tokio::test(start_paused = true)]
async fn a_call_from_before_it_opened_does_not_close_it() {
    let (subject, early) = opened_over(Answer::Slow(secs(20))).await;
    assert_eq!(early.join_all().await, [true]);
    assert_eq!(
        subject.state(),
        BreakerState::HalfOpen,
        "20 s have passed, and no probe yet"
    );
}

#[tokio::test(start_paused = true)]
async fn a_fault_from_before_it_opened_does_not_count_after_it_closed() {
    let (subject, early) = opened_over(Answer::SlowError(secs(20), fault())).await;
    advance(secs(15)).await;
    subject.calls(1).await;
    assert_eq!(subject.state(), BreakerState::Closed);
    assert_eq!(early.join_all().await, [false]);
    assert_eq!(subject.layer.snapshot().faults, 0);
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_that_comes_late_still_keeps_it_open() {
    let (subject, early) = opened_over(Answer::SlowError(secs(5), unavailable_for(secs(100)))).await;
    assert_eq!(early.join_all().await, [false]);
    assert_eq!(subject.time_left().await, secs(100));
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_goes_down_after_busy_times_is_found_out_by_its_faults_in_a_row() {
    let busy = (0..3_000).map(|_| Answer::Taken);
    let three = times(3, fault).into_iter().chain([Answer::Taken]);
    let subject = breaker(busy.chain(three).chain(times(4, fault)));
    subject.calls(3_003).await;
    assert_eq!(subject.state(), BreakerState::Closed, "three are not four");
    subject.calls(4).await;
    assert_eq!(subject.state(), BreakerState::Closed, "the success in between counts");
    subject.calls(1).await;
    assert_eq!(subject.state(), BreakerState::Open, "far below the ratio, but down");
}
