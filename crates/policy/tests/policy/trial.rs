//! A call that somebody makes to find out how the vendor is: what it passes, and what it changes for the calls after it.

use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::advance;

use upsert_core::{CallContext, ErrorKind, Priority, ProviderError, WaitingFor};
use upsert_policy::{
    BreakerPolicy, ConnectionPolicy, InMemoryDayCount, Outside, RateLimitPolicy, Stack, standard_stack,
};

use crate::scripted::{
    Answer, Scripted, call, context, fault, hold_of, jitter, noon, prepared, quota_spent, secs, throttled, times,
    unavailable_for,
};

fn trial() -> CallContext {
    CallContext {
        is_trial: true,
        ..context()
    }
}

/// Opens on two faults for 15 s; three calls a day.
fn stack(script: impl IntoIterator<Item = Answer>, per_day: u32) -> (Stack, Arc<Scripted>) {
    let vendor = Scripted::new(script);
    let policy = ConnectionPolicy {
        breaker: BreakerPolicy {
            min_calls: NonZeroU32::new(2).unwrap(),
            ..BreakerPolicy::default()
        },
        rate_limit: Some(RateLimitPolicy {
            per_day: NonZeroU32::new(per_day),
            ..RateLimitPolicy::default()
        }),
        ..ConnectionPolicy::default()
    };
    let outside = Outside {
        clock: noon(),
        day_count: Arc::new(InMemoryDayCount::default()),
        jitter: jitter(0.5),
        shared_rate: None,
    };
    let stack = standard_stack(Arc::<Scripted>::clone(&vendor), None, &policy, "acme", "crm", outside);
    (stack, vendor)
}

async fn tried(stack: &Stack) -> Option<ErrorKind> {
    let answer = stack.provider.upsert(&trial(), &prepared()).await;
    answer.err().map(|error| error.kind)
}

fn closed(stack: &Stack) -> bool {
    stack.status.room(Priority::Interactive).is_ok_and(|room| room > 1)
}

#[tokio::test(start_paused = true)]
async fn a_trial_goes_through_an_open_breaker_and_a_retry_after_and_a_good_answer_closes_it() {
    let script = times(1, fault)
        .into_iter()
        .chain(times(1, || unavailable_for(secs(3_600))));
    let (stack, vendor) = stack(script, 100);
    for _ in 0..2 {
        let _failed = call(&stack.provider).await;
    }
    assert_eq!(hold_of(call(&stack.provider).await).0, WaitingFor::Breaker);
    assert_eq!(tried(&stack).await, None);
    assert!(closed(&stack));
    assert_eq!(vendor.sent(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_fails_leaves_the_breaker_open_and_makes_no_later_probe_the_rarer() {
    let (stack, vendor) = stack(times(20, fault), 100);
    for _ in 0..2 {
        let _failed = call(&stack.provider).await;
    }
    for _ in 0..5 {
        advance(secs(1)).await;
        assert_eq!(tried(&stack).await, Some(ErrorKind::Transient));
    }
    assert_eq!(vendor.sent(), 7);
    let (_, left) = hold_of(call(&stack.provider).await);
    assert_eq!(left, Some(secs(15)), "as long as the first time, from the last call on");
}

#[tokio::test(start_paused = true)]
async fn what_a_vendor_said_of_waiting_holds_no_trial_back_and_is_over_once_it_takes_one() {
    let words: [fn() -> ProviderError; 2] = [|| throttled(Some(secs(3_600))), || quota_spent(None)];
    for said in words {
        let (stack, vendor) = stack(times(2, said), 100);
        let _said = call(&stack.provider).await;
        assert!(call(&stack.provider).await.unwrap_err().held.is_some());
        assert!(tried(&stack).await.is_some());
        assert!(
            call(&stack.provider).await.unwrap_err().held.is_some(),
            "it said so again"
        );
        assert_eq!(tried(&stack).await, None);
        assert!(call(&stack.provider).await.is_ok());
        assert_eq!(vendor.sent(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn our_own_day_holds_a_trial_back_and_counts_it() {
    let (stack, vendor) = stack([], 2);
    assert_eq!(tried(&stack).await, None);
    assert_eq!(tried(&stack).await, None);
    assert_eq!(tried(&stack).await, Some(ErrorKind::QuotaSpent));
    assert_eq!(vendor.sent(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_call_finds_out_and_a_trial_that_is_dropped_leaves_the_breaker_as_it_was() {
    let script = times(2, fault).into_iter().chain([Answer::Never]);
    let (stack, vendor) = stack(script, 100);
    for _ in 0..2 {
        let _failed = call(&stack.provider).await;
    }
    let provider = Arc::clone(&stack.provider);
    let mut first = JoinSet::new();
    first.spawn(async move { provider.upsert(&trial(), &prepared()).await.is_ok() });
    while vendor.sent() < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        tried(&stack).await,
        Some(ErrorKind::Transient),
        "the other one finds out"
    );
    assert_eq!(vendor.sent(), 3);
    first.shutdown().await;
    let (waiting_for, left) = hold_of(call(&stack.provider).await);
    assert_eq!((waiting_for, left), (WaitingFor::Breaker, Some(secs(15))));
}
