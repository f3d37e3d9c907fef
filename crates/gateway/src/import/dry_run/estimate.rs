//! How long each connection will take, by the rule that the gateway itself goes by.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use upsert_api::{Connection, ConnectionState, RateLimit};
use upsert_core::{Clock as _, SystemClock};
use upsert_policy::forecast;

use crate::import::dry_run::ask::Ask;
use crate::import::dry_run::counts::Counts;

/// One connection's.
#[derive(Debug)]
pub(super) struct Estimate {
    /// What waits there already.
    pub(super) waiting: u64,
    pub(super) is_paused: bool,
    pub(super) rate_limit: RateLimit,
    /// Until all rows and what waits already have gone out; none where it is paused or nothing is known of its pace.
    pub(super) takes: Option<Duration>,
    /// That moment.
    pub(super) through_at: Option<Timestamp>,
}

/// By connection; none where the key may not see how they are.
pub(super) async fn all(ask: &Ask<'_>, counts: &Counts) -> anyhow::Result<Option<BTreeMap<String, Estimate>>> {
    let Some(connections) = ask.connections().await? else {
        return Ok(None);
    };
    let now = SystemClock.now();
    let one = |connection: Connection| {
        let calls = counts.connections.get(&connection.name)?.calls();
        Some((connection.name.clone(), estimate(connection, calls, now)))
    };
    Ok(Some(connections.into_iter().filter_map(one).collect()))
}

fn estimate(connection: Connection, calls: u64, now: Timestamp) -> Estimate {
    let (waiting, status) = (connection.waiting, connection.status);
    let is_paused = connection.state == ConnectionState::Paused;
    let takes = forecast(
        calls + waiting,
        &status.rate_limit,
        &status.concurrency,
        status.health.latency_usual_ms,
        Duration::ZERO,
        now,
    )
    .filter(|_| !is_paused);
    // While the vendor fails nobody knows when it begins.
    let through_at = takes
        .filter(|_| status.breaker.failing_since.is_none())
        .and_then(|takes| SignedDuration::try_from(takes).ok())
        .and_then(|takes| now.checked_add(takes).ok());
    Estimate {
        waiting,
        is_paused,
        rate_limit: status.rate_limit,
        takes,
        through_at,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::samples;

    fn takes(calls: u64, state: &str) -> Option<u64> {
        let connection = samples::connection(json!({
            "state": state, "waiting": 100,
            "rate_limit": { "per_second": 10, "burst": 20, "per_day": 1000, "used_today": 500, "left_today": 500,
                "left_today_for_bulk": 400, "per_day_for_bulk": 900, "opens_at": "2026-11-22T00:00:00Z" },
            "health": { "in_flight": 0, "latency_usual_ms": 20.0 },
        }));
        let estimate = estimate(connection, calls, "2026-11-21T18:00:00Z".parse().unwrap());
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
