//! What is asked of the layers of one connection; the defaults are the configuration contract's.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// The policies of one connection.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionPolicy {
    /// The longest that one attempt may take.
    pub timeout: Duration,
    /// Calls at the same time.
    pub concurrency: NonZeroU32,
    /// Its own limit; none: only the vendor's word counts.
    pub rate_limit: Option<RateLimitPolicy>,
    /// How a call that failed is repeated.
    pub retry: RetryPolicy,
    /// When calls to a failing vendor stop for a while.
    pub breaker: BreakerPolicy,
}

impl Default for ConnectionPolicy {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            concurrency: count(16),
            rate_limit: None,
            retry: RetryPolicy::default(),
            breaker: BreakerPolicy::default(),
        }
    }
}

/// How often a connection may be called.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimitPolicy {
    /// Calls a second.
    pub per_second: Option<NonZeroU32>,
    /// Calls at once; `per_second` unless given.
    pub burst: Option<NonZeroU32>,
    /// Calls a day, UTC.
    pub per_day: Option<NonZeroU32>,
    /// Whether `per_day` is what is known of the vendor, and nobody's wish: what the vendor says itself counts in its place.
    pub per_day_is_assumed: bool,
    /// The part of the day's calls that bulk work may not use: 0 or more, less than 1.
    pub reserve: f64,
}

impl Default for RateLimitPolicy {
    fn default() -> Self {
        Self {
            per_second: None,
            burst: None,
            per_day: None,
            per_day_is_assumed: false,
            reserve: 0.1,
        }
    }
}

/// How a failed call is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts, the first included, before it goes on in the background.
    pub attempts: NonZeroU32,
    /// The first delay, before jitter.
    pub base: Duration,
    /// The longest delay of these attempts, and the first one of the background.
    pub cap: Duration,
    /// How old a delivery may become.
    pub max_age: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: count(4),
            base: Duration::from_millis(200),
            cap: Duration::from_secs(20),
            max_age: Duration::from_hours(72),
        }
    }
}

/// When the breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerPolicy {
    /// The part of the calls that must fail: more than 0, at most 1.
    pub failure_ratio: f64,
    /// The time over which calls are counted.
    pub window: Duration,
    /// It never opens on fewer calls than this.
    pub min_calls: NonZeroU32,
    /// How long it stays open before a probe.
    pub open_for: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failure_ratio: 0.5,
            window: Duration::from_secs(30),
            min_calls: count(10),
            open_for: Duration::from_secs(15),
        }
    }
}

/// Whose connection it is: for labels and log fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionNames {
    /// The merchant's id.
    pub merchant: Arc<str>,
    /// The connection's name.
    pub connection: Arc<str>,
    /// The provider's name, as its [`upsert_core::ProviderInfo`] has it.
    pub provider: &'static str,
}

impl ConnectionNames {
    /// The connection of this name of this merchant, at this provider.
    pub fn new(merchant: &str, connection: &str, provider: &'static str) -> Self {
        Self {
            merchant: merchant.into(),
            connection: connection.into(),
            provider,
        }
    }
}

const fn count(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(count) => count,
        None => NonZeroU32::MIN,
    }
}
