//! When what waits will be through.

use std::time::Duration;

use jiff::Timestamp;

use upsert_api::{Concurrency, RateLimit};

use crate::day_budget::time_until;

const DAY: Duration = Duration::from_hours(24);

/// How long so many calls take: at the pace that the limit and the vendor's usual latency allow, within what is left of
/// each day's calls beside the reserve. None: nothing limits them and nothing is known of the vendor, or the reserve
/// leaves bulk work no calls at all.
pub fn forecast(
    calls: u64,
    rate_limit: &RateLimit,
    concurrency: &Concurrency,
    latency_p50_ms: Option<f64>,
    blocked: Duration,
    now: Timestamp,
) -> Option<Duration> {
    if calls == 0 {
        return Some(Duration::ZERO);
    }
    let blocked = rate_limit
        .blocked_until
        .map_or(blocked, |until| time_until(until, now).max(blocked));
    let pace = pace(rate_limit, concurrency, latency_p50_ms);
    let (Some(per_day), Some(left)) = (rate_limit.per_day_for_bulk, rate_limit.left_today_for_bulk) else {
        return Some(blocked + duration(calls, pace?));
    };
    // Where nothing is known of the pace, the days alone tell.
    let within = |calls| pace.map_or(Duration::ZERO, |pace| duration(calls, pace));
    let left = u64::from(left);
    if calls <= left {
        return Some(blocked + within(calls));
    }
    let later = calls - left;
    let full_days = (later - 1).checked_div(u64::from(per_day))?;
    let on_the_last = later - full_days * u64::from(per_day);
    let opens = time_until(rate_limit.opens_at, now).max(blocked);
    let days = u32::try_from(full_days).unwrap_or(u32::MAX);
    Some(
        opens
            .saturating_add(DAY.saturating_mul(days))
            .saturating_add(within(on_the_last)),
    )
}

/// Calls a second: the slower of the limit and of what the places allow at the usual latency.
fn pace(rate_limit: &RateLimit, concurrency: &Concurrency, latency_p50_ms: Option<f64>) -> Option<f64> {
    let limit = rate_limit.per_second.map(f64::from);
    #[expect(clippy::cast_precision_loss, reason = "a few places")]
    let places = concurrency.places as f64;
    let by_latency = latency_p50_ms.filter(|ms| *ms > 0.0).map(|ms| places * 1_000.0 / ms);
    match (limit, by_latency) {
        (Some(limit), Some(by_latency)) => Some(limit.min(by_latency)),
        (limit, by_latency) => limit.or(by_latency),
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn duration(calls: u64, pace: f64) -> Duration {
    Duration::try_from_secs_f64(calls as f64 / pace).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(per_second: u32, per_day_for_bulk: Option<u32>, left: u32) -> RateLimit {
        RateLimit {
            per_second: Some(per_second).filter(|calls| *calls > 0),
            burst: None,
            per_day: None,
            used_today: 0,
            left_today: None,
            left_today_for_bulk: per_day_for_bulk.map(|_| left),
            per_day_for_bulk,
            opens_at: "2026-11-22T00:00:00Z".parse().unwrap(),
            blocked_until: None,
            blocked_by: None,
        }
    }

    fn seconds(calls: u64, rate_limit: &RateLimit, latency: Option<f64>) -> Option<u64> {
        let concurrency = Concurrency {
            places: 16,
            in_use: 0,
            waiting: 0,
        };
        let now = "2026-11-21T18:00:00Z".parse().unwrap();
        forecast(calls, rate_limit, &concurrency, latency, Duration::ZERO, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn without_a_quota_the_slower_of_limit_and_latency_sets_the_pace() {
        assert_eq!(seconds(1_000, &limits(10, None, 0), None), Some(100));
        assert_eq!(seconds(1_000, &limits(10, None, 0), Some(100.0)), Some(100));
        assert_eq!(seconds(1_000, &limits(10, None, 0), Some(16_000.0)), Some(1_000));
        assert_eq!(seconds(1_600, &limits(0, None, 0), Some(100.0)), Some(10));
        assert_eq!(seconds(1, &limits(0, None, 0), None), None, "nothing is known");
        assert_eq!(seconds(0, &limits(0, None, 0), None), Some(0));
    }

    #[test]
    fn what_is_blocked_begins_when_the_longest_block_is_over() {
        let concurrency = Concurrency {
            places: 16,
            in_use: 0,
            waiting: 0,
        };
        let now: Timestamp = "2026-11-21T18:00:00Z".parse().unwrap();
        for (blocked, until, quota, calls, expected) in [
            (0, None, None, 100, 10),
            (30, None, None, 100, 40),
            (30, Some("2026-11-21T18:00:20Z"), None, 100, 40),
            (30, Some("2026-11-21T18:01:00Z"), None, 100, 70),
            (30, Some("2026-11-21T17:00:00Z"), None, 100, 40),
            (30, None, Some(900), 100, 40),
            (30, None, Some(900), 510, 6 * 3_600 + 1),
            (0, Some("2026-11-22T01:00:00Z"), Some(900), 510, 7 * 3_600 + 1),
            (0, None, Some(900), 500 + 3 * 900 + 20, 6 * 3_600 + 3 * 86_400 + 2),
        ] {
            let mut rate_limit = limits(10, quota, 500);
            rate_limit.blocked_until = until.map(|until| until.parse().unwrap());
            let wait = forecast(
                calls,
                &rate_limit,
                &concurrency,
                None,
                Duration::from_secs(blocked),
                now,
            );
            assert_eq!(
                wait,
                Some(Duration::from_secs(expected)),
                "{calls} calls, {blocked} s, {until:?}, {quota:?}"
            );
        }
    }

    #[test]
    fn a_latency_of_nothing_says_nothing_of_the_pace() {
        assert_eq!(seconds(10, &limits(0, None, 0), Some(0.0)), None);
        assert_eq!(seconds(10, &limits(5, None, 0), Some(0.0)), Some(2));
    }

    #[test]
    fn with_a_quota_what_is_too_much_for_today_waits_for_the_days_to_come() {
        let six_hours = 6 * 3_600;
        let day = 24 * 3_600;
        let quota = |left| limits(10, Some(900), left);
        assert_eq!(seconds(500, &quota(500), None), Some(50));
        assert_eq!(
            seconds(501, &quota(500), None),
            Some(six_hours),
            "one has to wait for midnight"
        );
        assert_eq!(seconds(500 + 900, &quota(500), None), Some(six_hours + 90));
        assert_eq!(seconds(500 + 901, &quota(500), None), Some(six_hours + day));
        assert_eq!(
            seconds(10, &limits(10, Some(0), 0), None),
            None,
            "the reserve is all there is"
        );
    }
}
