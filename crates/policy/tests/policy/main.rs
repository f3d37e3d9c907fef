//! The layers, alone and as the standard stack, against a provider that does as it is told. Time is paused.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod attempt_timeout;
mod breaker;
mod budget;
mod concurrency;
mod contract;
mod observe;
mod rate_limit;
mod retry;
mod scripted;
mod stack;
mod trial;
