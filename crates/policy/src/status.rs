//! How one connection is doing, for operators and for the delivery engine.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::watch;

use upsert_core::WaitingFor;

use crate::breaker::{Breaker, BreakerSnapshot, BreakerState};
use crate::concurrency::{Concurrency, ConcurrencySnapshot};
use crate::health::HealthSnapshot;
use crate::observe::Observe;
use crate::rate_limit::{RateLimit, RateLimitSnapshot};

/// The state of a connection's layers, shared by its provider and its reader.
#[derive(Debug)]
pub struct ConnectionStatus {
    pub(crate) observe: Arc<Observe>,
    pub(crate) breaker: Arc<Breaker>,
    pub(crate) rate_limit: Arc<RateLimit>,
    pub(crate) concurrency: Arc<Concurrency>,
}

/// That state at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatusSnapshot {
    /// `healthy`, `degraded`, `throttled`, `open` or `quota_spent`. A pause is durable and not known here.
    pub state: &'static str,
    /// Whether calls to a failing vendor are stopped.
    pub breaker: BreakerSnapshot,
    /// Limits and the day's quota.
    pub rate_limit: RateLimitSnapshot,
    /// What is under way.
    pub concurrency: ConcurrencySnapshot,
    /// Last success and failure, latency.
    pub health: HealthSnapshot,
}

impl ConnectionStatus {
    /// How it is doing now.
    pub fn snapshot(&self) -> StatusSnapshot {
        let (breaker, rate_limit) = (self.breaker.snapshot(), self.rate_limit.snapshot());
        StatusSnapshot {
            state: state(&breaker, &rate_limit),
            breaker,
            rate_limit,
            concurrency: self.concurrency.snapshot(),
            health: self.observe.health(),
        }
    }

    /// The one word of it: `healthy`, `degraded`, `throttled`, `open` or `quota_spent`.
    pub fn state(&self) -> &'static str {
        state(&self.breaker.snapshot(), &self.rate_limit.snapshot())
    }

    /// Changes each time that the breaker closes: all that waits for this connection is due at once.
    pub fn on_breaker_closed(&self) -> watch::Receiver<u64> {
        self.breaker.on_closed()
    }
}

fn state(breaker: &BreakerSnapshot, rate_limit: &RateLimitSnapshot) -> &'static str {
    match (breaker.state, rate_limit.blocked_by) {
        (BreakerState::Open, _) => "open",
        (_, Some(WaitingFor::Quota)) => "quota_spent",
        (_, Some(_)) => "throttled",
        (BreakerState::HalfOpen, None) => "degraded",
        (BreakerState::Closed, None) if breaker.faults > 0 => "degraded",
        (BreakerState::Closed, None) => "healthy",
    }
}
