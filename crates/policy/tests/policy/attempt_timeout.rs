//! The time-out of one attempt.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use upsert_core::{ErrorKind, RetryAdvice, StateAtVendor, UpsertProvider, WaitingFor};
use upsert_policy::{AttemptTimeout, wrap};

use crate::scripted::{Answer, Scripted, call, hold_of, prepared, secs, within};

fn ten_seconds(vendor: &Arc<Scripted>) -> Arc<dyn UpsertProvider> {
    let provider: Arc<dyn UpsertProvider> = Arc::<Scripted>::clone(vendor);
    wrap(&Arc::new(AttemptTimeout::new(secs(10))), provider)
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_ends_with_an_unknown_outcome() {
    let vendor = Scripted::new([Answer::Never]);
    let began = Instant::now();
    let error = call(&ten_seconds(&vendor)).await.unwrap_err();
    assert_eq!(began.elapsed(), secs(10));
    assert_eq!(
        (error.kind, error.state),
        (ErrorKind::Transient, StateAtVendor::Unknown)
    );
    assert_eq!(
        (error.advice, error.sent, error.held),
        (RetryAdvice::Backoff, true, None)
    );
    assert_eq!(error.to_string(), "transient: no answer within 10000 ms");
}

#[tokio::test(start_paused = true)]
async fn the_sooner_of_time_out_and_deadline_holds() {
    let vendor = Scripted::new([Answer::Never, Answer::Slow(secs(9))]);
    let (stack, began) = (ten_seconds(&vendor), Instant::now());
    let error = stack.upsert(&within(secs(3)), &prepared()).await.unwrap_err();
    assert_eq!((began.elapsed(), error.state), (secs(3), StateAtVendor::Unknown));
    assert!(call(&stack).await.is_ok(), "nine seconds are within the time-out");
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_time_is_over_is_not_sent() {
    let vendor = Scripted::new([]);
    let late = ten_seconds(&vendor).upsert(&within(Duration::ZERO), &prepared()).await;
    assert_eq!(hold_of(late).0, WaitingFor::RateLimit);
    assert_eq!(vendor.sent(), 0);
}
