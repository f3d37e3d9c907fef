//! A connection's policies: rate limit, retry, breaker.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Serialize;

use crate::members::Member;
use crate::section::{Section, Spot, all_or_none};
use crate::values::duration;

pub(crate) const RATE_LIMIT: &[Member] = &[
    Member::optional("per_second"),
    Member::optional("burst"),
    Member::optional("per_day"),
    Member::or("reserve", "0.1"),
];
pub(crate) const RETRY: &[Member] = &[
    Member::or("attempts", "4"),
    Member::or("base", "\"200ms\""),
    Member::or("cap", "\"20s\""),
    Member::or("max_age", "\"72h\""),
];
pub(crate) const BREAKER: &[Member] = &[
    Member::or("failure_ratio", "0.5"),
    Member::or("window", "\"30s\""),
    Member::or("min_calls", "10"),
    Member::or("open_for", "\"15s\""),
];

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// How often a connection may call its vendor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RateLimit {
    /// Calls a second.
    pub per_second: Option<NonZeroU32>,
    /// Calls at once; `per_second` unless given.
    pub burst: Option<NonZeroU32>,
    /// Calls a day; 0: no limit, whatever is known of the vendor; none: what is known of it.
    pub per_day: Option<u32>,
    /// The part of the day's calls that imports and batches may not use: 0 or more, less than 1.
    pub reserve: f64,
}

impl RateLimit {
    pub(crate) fn read(section: &Section<'_>) -> Option<Self> {
        if section.given("per_second").is_none() {
            section.refuse_given(&["burst"], "means nothing without `per_second`");
        }
        let rate = section.maybe("per_second", Spot::count);
        all_or_none!(Self {
            per_second: Some(rate),
            burst: Some(section.maybe("burst", Spot::count).or(rate)),
            per_day: Some(section.maybe("per_day", |spot| spot.whole(0..=u32::MAX))),
            reserve: section.read("reserve", |spot| match spot.number()? {
                reserve if (0.0..1.0).contains(&reserve) => Some(reserve),
                _ => spot.refuse("must be 0 or more and less than 1"),
            }),
        })
    }
}

/// How a call that failed is repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Retry {
    /// Attempts in all, the first included, before it goes on in the background.
    pub attempts: NonZeroU32,
    /// The first delay, before jitter.
    #[serde(serialize_with = "duration")]
    pub base: Duration,
    /// The longest delay of these attempts.
    #[serde(serialize_with = "duration")]
    pub cap: Duration,
    /// How old a delivery may become in the background.
    #[serde(serialize_with = "duration")]
    pub max_age: Duration,
}

impl Retry {
    pub(crate) fn read(section: &Section<'_>) -> Option<Self> {
        let attempts = section.read("attempts", |spot| NonZeroU32::new(spot.whole(1..=20)?));
        let base = section.read("base", |spot| spot.duration(10 * MINUTE));
        let cap = section.read("cap", |spot| spot.duration(HOUR));
        let max_age = section.read("max_age", |spot| spot.duration(HOUR * 24 * 366));
        let (base, cap, max_age) = (base?, cap?, max_age?);
        if base > cap {
            section.spot.refuse::<()>("`base` must not be longer than `cap`");
        }
        if cap > max_age {
            section.spot.refuse::<()>("`cap` must not be longer than `max_age`");
        }
        Some(Self {
            attempts: attempts?,
            base,
            cap,
            max_age,
        })
    }
}

/// When calls to a failing vendor stop for a while.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Breaker {
    /// The part of the calls that must fail: more than 0, at most 1.
    pub failure_ratio: f64,
    /// The time over which calls are counted.
    #[serde(serialize_with = "duration")]
    pub window: Duration,
    /// It never opens on fewer calls than this.
    pub min_calls: NonZeroU32,
    /// How long it stays open before a trial call.
    #[serde(serialize_with = "duration")]
    pub open_for: Duration,
}

impl Breaker {
    pub(crate) fn read(section: &Section<'_>) -> Option<Self> {
        all_or_none!(Self {
            failure_ratio: section.read("failure_ratio", |spot| match spot.number()? {
                ratio if ratio > 0.0 && ratio <= 1.0 => Some(ratio),
                _ => spot.refuse("must be more than 0 and at most 1"),
            }),
            window: section.read("window", |spot| spot.duration(HOUR)),
            min_calls: section.read("min_calls", Spot::count),
            open_for: section.read("open_for", |spot| spot.duration(HOUR)),
        })
    }
}
