//! How long each connection will take, by the rule that the gateway itself goes by.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use upsert_core::{Clock as _, SystemClock};
use upsert_policy::{ConcurrencySnapshot, RateLimitSnapshot, forecast};

use crate::import::dry_run::ask::Ask;
use crate::import::dry_run::counts::Counts;

/// What `GET /v1/connections` says of one, as far as it is needed.
#[derive(Debug, Deserialize)]
struct Connection {
    name: String,
    state: String,
    waiting: u64,
    rate_limit: RateLimitSnapshot,
    concurrency: ConcurrencySnapshot,
    breaker: Breaker,
    health: Health,
}

#[derive(Debug, Deserialize)]
struct Breaker {
    until: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct Health {
    latency_p50_ms: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Page {
    data: Vec<Connection>,
}

/// One connection's.
#[derive(Debug)]
pub(super) struct Estimate {
    /// What waits there already.
    pub(super) waiting: u64,
    pub(super) is_paused: bool,
    pub(super) rate_limit: RateLimitSnapshot,
    /// Until all rows and what waits already have gone out; none where it is paused or nothing is known of its pace.
    pub(super) takes: Option<Duration>,
    /// That moment.
    pub(super) through_at: Option<Timestamp>,
}

/// By connection; none where the key may not see how they are.
pub(super) async fn all(ask: &Ask<'_>, counts: &Counts) -> anyhow::Result<Option<BTreeMap<String, Estimate>>> {
    let Some(answer) = ask.connections().await? else {
        return Ok(None);
    };
    let page: Page = serde_json::from_value(answer).context("the gateway's answer cannot be read")?;
    let now = SystemClock.now();
    let one = |connection: Connection| {
        let calls = counts.connections.get(&connection.name)?.calls();
        Some((connection.name.clone(), connection.estimate(calls, now)))
    };
    Ok(Some(page.data.into_iter().filter_map(one).collect()))
}

impl Connection {
    fn estimate(self, calls: u64, now: Timestamp) -> Estimate {
        let is_paused = self.state == "paused";
        let shut_for = self.breaker.until.map(|until| until.duration_since(now));
        let shut_for = shut_for.and_then(|wait| Duration::try_from(wait).ok());
        let takes = forecast(
            calls + self.waiting,
            &self.rate_limit,
            &self.concurrency,
            self.health.latency_p50_ms,
            shut_for.unwrap_or_default(),
            now,
        )
        .filter(|_| !is_paused);
        let through_at = takes
            .and_then(|takes| SignedDuration::try_from(takes).ok())
            .and_then(|takes| now.checked_add(takes).ok());
        Estimate {
            waiting: self.waiting,
            is_paused,
            rate_limit: self.rate_limit,
            takes,
            through_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn takes(calls: u64, state: &str) -> Option<u64> {
        let connection: Connection = serde_json::from_value(json!({
            "name": "rotor", "state": state, "waiting": 100, "breaker": { "state": "closed", "until": null },
            "rate_limit": { "per_second": 10, "burst": 20, "per_day": 1000, "used_today": 500, "left_today": 500,
                "left_today_for_bulk": 400, "per_day_for_bulk": 900, "opens_at": "2026-11-22T00:00:00Z",
                "blocked_until": null, "blocked_by": null },
            "concurrency": { "places": 16, "in_use": 0, "waiting": 0 },
            "health": { "latency_p50_ms": 20.0 },
        }))
        .unwrap();
        let estimate = connection.estimate(calls, "2026-11-21T18:00:00Z".parse().unwrap());
        estimate.takes.map(|takes| takes.as_secs())
    }

    #[test]
    fn the_days_quota_and_what_waits_already_set_the_time() {
        let six_hours = 6 * 3_600;
        assert_eq!(takes(300, "healthy"), Some(40), "all of it today");
        assert_eq!(takes(1_200, "healthy"), Some(six_hours + 90), "900 of them tomorrow");
        assert_eq!(takes(1_201, "healthy"), Some(six_hours + 24 * 3_600));
        assert_eq!(takes(1, "paused"), None);
    }
}
