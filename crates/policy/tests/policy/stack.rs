//! The standard stack: what its order brings about, and what its two halves share.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{advance, timeout};

use upsert_api::{BreakerState, ConnectionState};
use upsert_core::{
    CustomerReader, ListQuery, Priority, ProviderError, Repeat, UpsertProvider, UpsertReceipt, WaitingFor,
};
use upsert_policy::{ConnectionPolicy, Decision, InMemoryDayCount, Outside, RateLimitPolicy, Stack, standard_stack};

use crate::scripted::{
    Answer, Scripted, call, context, fault, hold_of, jitter, noon, prepared, quota_spent, secs, throttled, times,
    within,
};

fn stack(vendor: &Arc<Scripted>, per_day: u32) -> Stack {
    let rate_limit = RateLimitPolicy {
        per_day: NonZeroU32::new(per_day),
        ..RateLimitPolicy::default()
    };
    stack_under(vendor, rate_limit)
}

fn stack_under(vendor: &Arc<Scripted>, rate_limit: RateLimitPolicy) -> Stack {
    let policy = ConnectionPolicy {
        concurrency: NonZeroU32::new(2).unwrap(),
        rate_limit: Some(rate_limit),
        ..ConnectionPolicy::default()
    };
    let outside = Outside {
        clock: noon(),
        day_count: Arc::new(InMemoryDayCount::default()),
        jitter: jitter(1.0),
        shared_rate: None,
    };
    let provider: Arc<dyn UpsertProvider> = Arc::<Scripted>::clone(vendor);
    let reader: Arc<dyn CustomerReader> = Arc::<Scripted>::clone(vendor);
    standard_stack(provider, Some(reader), &policy, "acme", "crm", outside)
}

async fn list(stack: &Stack) -> Result<(), ProviderError> {
    let reader = stack.reader.as_ref().unwrap();
    reader.list(&context(), &ListQuery::default()).await.map(drop)
}

fn used(stack: &Stack) -> u32 {
    stack.status.snapshot().rate_limit.used_today
}

#[tokio::test(start_paused = true)]
async fn reads_and_writes_share_the_quota() {
    let vendor = Scripted::new([]);
    let stack = stack(&vendor, 4);
    for _ in 0..2 {
        call(&stack.provider).await.unwrap();
        list(&stack).await.unwrap();
    }
    assert_eq!(hold_of(call(&stack.provider).await).0, WaitingFor::Quota);
    assert_eq!(
        list(&stack).await.unwrap_err().held.unwrap().waiting_for,
        WaitingFor::Quota
    );
    assert_eq!((vendor.sent(), stack.status.state()), (4, ConnectionState::QuotaSpent));
}

#[tokio::test(start_paused = true)]
async fn reads_and_writes_share_the_breaker_and_the_429() {
    let vendor = Scripted::new(times(10, fault));
    let failing = stack(&vendor, 1_000);
    for _ in 0..5 {
        let _ = call(&failing.provider).await;
        let _ = list(&failing).await;
    }
    assert_eq!(failing.status.snapshot().breaker.state, BreakerState::Open);
    assert_eq!(hold_of(call(&failing.provider).await).0, WaitingFor::Breaker);
    let mut closings = failing.status.on_breaker_closed();
    advance(secs(15)).await;
    list(&failing).await.unwrap();
    closings.changed().await.unwrap();
    call(&failing.provider).await.unwrap();

    let vendor = Scripted::new(times(1, || throttled(Some(secs(10)))));
    let throttled = stack(&vendor, 1_000);
    assert!(list(&throttled).await.unwrap_err().sent);
    assert_eq!(
        hold_of(call(&throttled.provider).await),
        (WaitingFor::RateLimit, Some(secs(11)))
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_breaker_stops_costs_no_quota() {
    let vendor = Scripted::new(times(10, fault));
    let stack = stack(&vendor, 1_000);
    for _ in 0..30 {
        let _ = call(&stack.provider).await;
    }
    assert_eq!((vendor.sent(), used(&stack)), (10, 10));
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_place_gives_its_quota_back_and_does_not_open_the_breaker() {
    let vendor = Scripted::new((0..2).map(|_| Answer::Slow(secs(9))));
    let stack = stack(&vendor, 1_000);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let provider = Arc::clone(&stack.provider);
        calls.spawn(async move { call(&provider).await });
    }
    tokio::task::yield_now().await;
    for _ in 0..12 {
        let queued = stack
            .provider
            .upsert(&within(Duration::from_millis(500)), &prepared())
            .await;
        assert_eq!(hold_of(queued).0, WaitingFor::RateLimit);
    }
    let snapshot = stack.status.snapshot();
    assert_eq!(
        (snapshot.rate_limit.used_today, snapshot.breaker.state),
        (2, BreakerState::Closed)
    );
    assert!(calls.join_all().await.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn time_outs_open_the_breaker_and_free_their_places() {
    let vendor = Scripted::new((0..10).map(|_| Answer::Never));
    let stack = stack(&vendor, 1_000);
    for _ in 0..10 {
        let error = timeout(secs(11), call(&stack.provider)).await.unwrap().unwrap_err();
        assert!(error.sent);
        advance(secs(0)).await;
    }
    let snapshot = stack.status.snapshot();
    assert_eq!(snapshot.concurrency.in_use, 0);
    assert_eq!(snapshot.breaker.faults, 3, "those of the last 30 s: too few to open");
    assert_eq!(stack.status.state(), ConnectionState::Degraded);
}

#[tokio::test(start_paused = true)]
async fn a_dead_vendor_sees_little_more_than_its_first_calls() {
    // I11: 500 calls a second for 60 s at a vendor that always fails, each retried as the rule says.
    let vendor = Scripted::new(times(40_000, fault));
    let stack = stack(&vendor, 1_000_000);
    for _ in 0..60 {
        for _ in 0..500 {
            for attempt in 1..=4 {
                let Err(error) = call(&stack.provider).await else {
                    panic!("the script only fails")
                };
                let decision = stack
                    .retry
                    .decide(&error, attempt, Repeat::Safe, Duration::from_hours(1));
                if !matches!(decision, Decision::Retry { .. }) {
                    break;
                }
            }
        }
        advance(secs(1)).await;
    }
    // Ten open the breaker; then a probe after 15 s and one after 30 s more.
    assert_eq!(vendor.sent(), 12);
}

#[tokio::test(start_paused = true)]
async fn the_snapshot_is_json_without_surprises() {
    let vendor = Scripted::new([Answer::Taken, Answer::Error(quota_spent(None))]);
    let stack = stack(&vendor, 1_000);
    assert_eq!(stack.status.state(), ConnectionState::Healthy);
    for _ in 0..2 {
        let _ = call(&stack.provider).await;
    }
    assert_eq!(serde_json::to_value(stack.status.state()).unwrap(), "quota_spent");
    let snapshot = serde_json::to_value(stack.status.snapshot()).unwrap();
    let expected = serde_json::json!({
        "breaker": { "state": "closed", "until": null, "calls": 2, "faults": 0, "failing_since": null, "failing_with": null },
        "rate_limit": {
            "per_second": null, "burst": null, "per_day": 1_000, "used_today": 2, "left_today": 998,
            "left_today_for_bulk": 898, "per_day_for_bulk": 900, "opens_at": "2026-11-21T00:00:00Z",
            "blocked_until": "2026-11-21T00:00:00Z", "blocked_by": "quota",
        },
        "concurrency": { "places": 2, "in_use": 0, "waiting": 0 },
        "health": {
            "last_success_at": "2026-11-20T12:00:00Z", "last_failure_at": "2026-11-20T12:00:00Z",
            "last_failure_kind": "quota_spent", "in_flight": 0,
            "latency_p50_ms": 0.0, "latency_p95_ms": 0.0, "latency_p99_ms": 0.0, "latency_usual_ms": 0.0,
        },
    });
    assert_eq!(snapshot, expected);
}

#[tokio::test(start_paused = true)]
async fn what_was_ended_before_others_were_told_of_it_is_not_told_any_more() {
    let hour = Duration::from_hours(1);
    let vendor = Scripted::new(times(1, || throttled(Some(hour))));
    let stack = stack(&vendor, 10);
    let said = stack.status.on_blocked();
    call(&stack.provider).await.unwrap_err();
    assert!(said.borrow().throttled_until.is_some());
    stack.status.lift_blocks();
    assert!(said.borrow().is_empty());
    call(&stack.provider).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_in_line_until_the_vendor_is_called() {
    let vendor = Scripted::new([Answer::Never, Answer::Never]);
    let stack = stack_under(
        &vendor,
        RateLimitPolicy {
            per_second: NonZeroU32::new(1),
            ..RateLimitPolicy::default()
        },
    );
    let (first, second) = (context(), context());
    let prepared = prepared();
    let calls = async {
        tokio::join!(
            stack.provider.upsert(&first, &prepared),
            stack.provider.upsert(&second, &prepared)
        )
    };
    timeout(Duration::from_millis(10), calls).await.unwrap_err();
    assert_eq!((first.in_line.is_waiting(), second.in_line.is_waiting()), (false, true));
}

#[tokio::test(start_paused = true)]
async fn bulk_calls_are_told_from_interactive_ones() {
    let vendor = Scripted::new([]);
    let stack = stack(&vendor, 10);
    let bulk = || upsert_core::CallContext {
        priority: Priority::Bulk,
        ..context()
    };
    for _ in 0..9 {
        stack.provider.upsert(&bulk(), &prepared()).await.unwrap();
    }
    assert_eq!(
        hold_of(stack.provider.upsert(&bulk(), &prepared()).await).0,
        WaitingFor::Quota
    );
    call(&stack.provider).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_room_of_a_connection_is_what_its_layers_would_let_through() {
    let vendor = Scripted::new([]);
    let room = |stack: &Stack, priority| stack.status.room(priority);
    let free = stack(&vendor, 20);
    assert_eq!(room(&free, Priority::Interactive), Ok(2), "two places");
    for _ in 0..18 {
        call(&free.provider).await.unwrap();
    }
    assert_eq!(room(&free, Priority::Interactive), Ok(2));
    let shut = room(&free, Priority::Bulk).unwrap_err();
    assert_eq!(shut.waiting_for, WaitingFor::Quota, "the reserve is not for bulk work");
    call(&free.provider).await.unwrap();
    assert_eq!(room(&free, Priority::Interactive), Ok(1), "the day's last call");
    call(&free.provider).await.unwrap();
    let shut = room(&free, Priority::Interactive).unwrap_err();
    assert_eq!(
        (shut.waiting_for, shut.for_at_least),
        (WaitingFor::Quota, Some(secs(12 * 3_600)))
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_had_its_turn_or_gave_up_leaves_room_in_line() {
    let vendor = Scripted::new([]);
    let rate_limit = RateLimitPolicy {
        per_second: NonZeroU32::new(1),
        ..RateLimitPolicy::default()
    };
    let slow = stack_under(&vendor, rate_limit);
    for _ in 0..4 {
        call(&slow.provider).await.unwrap();
    }
    assert_eq!(slow.status.room(Priority::Interactive), Ok(2));
    for _ in 0..4 {
        let gives_up = timeout(Duration::from_millis(100), call(&slow.provider));
        assert!(gives_up.await.is_err());
    }
    assert_eq!(slow.status.room(Priority::Interactive), Ok(2));
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_foreseen_by_latency_places_and_the_days_calls() {
    let vendor = Scripted::new((0..4).map(|_| Answer::Slow(secs(10))));
    let stack = stack(&vendor, 10);
    for _ in 0..4 {
        call(&stack.provider).await.unwrap();
    }
    // Ten calls a day, one of them the reserve, four gone.
    for (calls, seconds) in [
        (0, 0),
        (1, 5),
        (5, 25),
        // 40 s after noon; the sixth goes out first thing tomorrow.
        (6, 12 * 3_600 - 40 + 5),
        (14, 12 * 3_600 - 40 + 45),
        (15, 36 * 3_600 - 40 + 5),
    ] {
        assert_eq!(stack.status.through_in(calls), Some(secs(seconds)), "{calls}");
    }
}

#[tokio::test(start_paused = true)]
async fn there_is_no_room_while_the_breaker_is_open_and_then_for_one_probe() {
    let vendor = Scripted::new((0..10).map(|_| Answer::Error(fault())));
    let stack = stack(&vendor, 1_000);
    for _ in 0..10 {
        let _ = call(&stack.provider).await;
    }
    let shut = stack.status.room(Priority::Interactive).unwrap_err();
    assert_eq!(shut.waiting_for, WaitingFor::Breaker);
    advance(shut.for_at_least.unwrap()).await;
    assert_eq!(stack.status.room(Priority::Interactive), Ok(1));
    call(&stack.provider).await.unwrap();
    assert_eq!(stack.status.room(Priority::Interactive), Ok(2));
}

/// So many calls at once, the places taken by those of the script, the others in the queue for a place.
async fn queued(stack: &Stack, calls: usize) -> Vec<Result<UpsertReceipt, ProviderError>> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..calls {
        let provider = Arc::clone(&stack.provider);
        tasks.spawn(async move { call(&provider).await });
    }
    tasks.join_all().await
}

#[tokio::test(start_paused = true)]
async fn what_queued_for_a_place_is_not_sent_to_a_vendor_that_asked_us_to_wait_meanwhile() {
    let told = || throttled(Some(secs(60)));
    let vendor = Scripted::new((0..2).map(|_| Answer::SlowError(secs(1), told())));
    let stack = stack(&vendor, 1_000);
    let answered = queued(&stack, 10).await;
    assert_eq!(vendor.sent(), 2, "those that were out already");
    let held = answered
        .into_iter()
        .filter(|one| one.as_ref().is_err_and(|error| !error.sent));
    assert_eq!(
        held.map(|one| hold_of(one).0).collect::<Vec<_>>(),
        [WaitingFor::RateLimit; 8]
    );
    assert_eq!(used(&stack), 2, "what was not sent is given back");
}

#[tokio::test(start_paused = true)]
async fn what_queued_for_a_place_is_not_sent_once_the_days_calls_are_spent_but_a_probe_is() {
    let vendor = Scripted::new((0..2).map(|_| Answer::SlowError(secs(1), quota_spent(None))));
    let stack = stack(&vendor, 1_000);
    let answered = queued(&stack, 10).await;
    assert_eq!((vendor.sent(), answered.len()), (2, 10));
    // The probe, an hour later, goes out: nothing else finds out whether the window is open.
    advance(Duration::from_hours(1)).await;
    assert!(call(&stack.provider).await.is_ok());
    assert_eq!(vendor.sent(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_queued_for_a_place_is_not_sent_once_the_breaker_is_open() {
    let vendor = Scripted::new(times(9, fault));
    let stack = stack(&vendor, 1_000);
    for _ in 0..9 {
        assert!(call(&stack.provider).await.is_err());
    }
    vendor.then((0..2).map(|_| Answer::SlowError(secs(1), fault())));
    let answered = queued(&stack, 10).await;
    assert_eq!(vendor.sent(), 11, "the tenth opened it; of the queue nothing went out");
    let held = answered
        .into_iter()
        .filter(|one| one.as_ref().is_err_and(|error| !error.sent));
    assert_eq!(
        held.map(|one| hold_of(one).0).collect::<Vec<_>>(),
        [WaitingFor::Breaker; 8]
    );
}
