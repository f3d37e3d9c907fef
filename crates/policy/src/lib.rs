//! The layers around a provider: everything about a call that is not vendor knowledge.
//!
//! One call of the stack is one attempt. A layer lets the call through or answers at once that the connection is to
//! wait ([`upsert_core::ProviderError::held`], `sent` = false); none of them sleeps, retries or keeps anything durable,
//! since order, parking and repetition belong to the delivery engine. The one wait is the queue for a place in
//! [`Concurrency`], which ends with the call's deadline. The engine asks [`RetryRule`] what a failure leads to.
//!
//! State belongs to the connection: [`standard_stack`] puts the same layers around its provider and its reader.
//!
//! To add a layer: one file with a type that implements [`Layer`], one line in `stack.rs` that says why it stands
//! where it does, one line in the contract tests.

mod attempt_timeout;
mod breaker;
mod budget;
mod concurrency;
mod counted;
mod day_budget;
mod forecast;
mod health;
mod jitter;
mod last_look;
mod layer;
mod observe;
mod rate_limit;
mod retry;
mod settings;
mod shared_rate;
mod sliding_count;
mod stack;
mod status;
mod vendor_block;
mod verdict;

pub use attempt_timeout::AttemptTimeout;
pub use breaker::Breaker;
pub use budget::RetryBudget;
pub use concurrency::Concurrency;
pub use day_budget::{DayCount, InMemoryDayCount};
pub use forecast::forecast;
pub use jitter::Jitter;
pub use layer::{Answer, Layer, Seam, wrap};
pub use observe::{Observe, describe_metrics};
pub use rate_limit::RateLimit;
pub use retry::{Decision, RetryRule, again};
pub use settings::{BreakerPolicy, ConnectionNames, ConnectionPolicy, RateLimitPolicy, RetryPolicy};
pub use shared_rate::{SharedRate, TurnsTaken};
pub use stack::{Outside, Stack, standard_stack};
pub use status::ConnectionStatus;
