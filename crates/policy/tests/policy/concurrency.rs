//! Places and the queue for them.

use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::{Instant, advance};

use upsert_core::{UpsertProvider, WaitingFor};
use upsert_policy::{Concurrency, wrap};

use crate::scripted::{Answer, Scripted, hold_of, prepared, secs, within};

fn two_places(vendor: &Arc<Scripted>) -> (Arc<Concurrency>, Arc<dyn UpsertProvider>) {
    let layer = Arc::new(Concurrency::new(NonZeroU32::new(2).unwrap()));
    let provider: Arc<dyn UpsertProvider> = Arc::<Scripted>::clone(vendor);
    let stack = wrap(&layer, provider);
    (layer, stack)
}

fn slow(count: usize) -> Vec<Answer> {
    (0..count).map(|_| Answer::Slow(secs(2))).collect()
}

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_than_places_are_under_way() {
    let vendor = Scripted::new(slow(6));
    let (layer, stack) = two_places(&vendor);
    let (mut calls, began) = (JoinSet::new(), Instant::now());
    for _ in 0..6 {
        let stack = Arc::clone(&stack);
        calls.spawn(async move { stack.upsert(&within(secs(60)), &prepared()).await });
    }
    settle().await;
    assert_eq!(vendor.sent(), 2);
    assert_eq!((layer.snapshot().in_use, layer.snapshot().waiting), (2, 4));
    while let Some(call) = calls.join_next().await {
        assert!(call.unwrap().is_ok());
    }
    assert_eq!(began.elapsed(), secs(6), "three rounds of two");
    assert_eq!((layer.snapshot().in_use, layer.snapshot().waiting), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_queue_ends_with_the_deadline_and_nothing_is_sent() {
    let vendor = Scripted::new(slow(2));
    let (layer, stack) = two_places(&vendor);
    let mut calls = JoinSet::new();
    for _ in 0..2 {
        let stack = Arc::clone(&stack);
        calls.spawn(async move { stack.upsert(&within(secs(60)), &prepared()).await });
    }
    settle().await;
    let began = Instant::now();
    let (waiting_for, wait) = hold_of(stack.upsert(&within(secs(1)), &prepared()).await);
    assert_eq!((began.elapsed(), waiting_for), (secs(1), WaitingFor::RateLimit));
    assert!(wait.unwrap() <= secs(1));
    assert_eq!((vendor.sent(), layer.snapshot().waiting), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_so_long_for_a_place_that_no_time_is_left_for_the_vendor() {
    let vendor = Scripted::new((0..2).map(|_| Answer::Slow(secs(60))));
    let (_layer, stack) = two_places(&vendor);
    let mut calls = JoinSet::new();
    for _ in 0..2 {
        let stack = Arc::clone(&stack);
        calls.spawn(async move { stack.upsert(&within(secs(90)), &prepared()).await });
    }
    settle().await;
    let began = Instant::now();
    let (waiting_for, _) = hold_of(stack.upsert(&within(secs(90)), &prepared()).await);
    assert_eq!((began.elapsed(), waiting_for), (secs(5), WaitingFor::RateLimit));
    assert_eq!(vendor.sent(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_at_once() {
    let vendor = Scripted::new(slow(10));
    let (layer, stack) = two_places(&vendor);
    let mut calls = JoinSet::new();
    for _ in 0..10 {
        let stack = Arc::clone(&stack);
        calls.spawn(async move { stack.upsert(&within(secs(60)), &prepared()).await });
    }
    settle().await;
    assert_eq!(layer.snapshot().waiting, 8, "four for each place");
    let began = Instant::now();
    assert_eq!(
        hold_of(stack.upsert(&within(secs(60)), &prepared()).await).0,
        WaitingFor::RateLimit
    );
    assert_eq!(began.elapsed(), secs(0));
    advance(secs(2)).await;
    settle().await;
    assert_eq!(layer.snapshot().waiting, 6, "two have moved up");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cancelled_in_the_queue_leaves_it() {
    let vendor = Scripted::new(slow(2));
    let (layer, stack) = two_places(&vendor);
    let mut calls = JoinSet::new();
    for _ in 0..5 {
        let stack = Arc::clone(&stack);
        calls.spawn(async move { stack.upsert(&within(secs(60)), &prepared()).await });
    }
    settle().await;
    assert_eq!(layer.snapshot().waiting, 3);
    calls.shutdown().await;
    assert_eq!((layer.snapshot().in_use, layer.snapshot().waiting), (0, 0));
    assert_eq!(vendor.sent(), 2);
}
