use super::*;
use ConnectionState::{Healthy, Open};
use upsert_api::{Breaker, BreakerState, Concurrency, ConnectionStatus, Health, RateLimit};

pub(crate) fn connection(name: &str, state: ConnectionState, waiting: u64) -> Connection {
    Connection {
        merchant_id: "acme".to_owned(),
        name: name.to_owned(),
        provider: "p".to_owned(),
        required: true,
        state,
        paused_by: None,
        paused_since: None,
        pause_reason: None,
        waiting,
        in_flight: 0,
        oldest_waiting_seconds: None,
        through_at: None,
        work_seconds: None,
        dead_letters: 0,
        status: status(),
    }
}

fn status() -> ConnectionStatus {
    ConnectionStatus {
        breaker: Breaker {
            state: BreakerState::Closed,
            until: None,
            calls: 0,
            faults: 0,
            failing_since: None,
            failing_with: None,
        },
        rate_limit: RateLimit {
            per_second: None,
            burst: None,
            per_day: None,
            used_today: 0,
            left_today: None,
            left_today_for_bulk: None,
            per_day_for_bulk: None,
            opens_at: Timestamp::UNIX_EPOCH,
            blocked_until: None,
            blocked_by: None,
        },
        concurrency: Concurrency {
            places: 16,
            in_use: 0,
            waiting: 0,
        },
        health: Health {
            last_success_at: None,
            last_failure_at: None,
            last_failure_kind: None,
            in_flight: 0,
            latency_p50_ms: Some(4.0),
            latency_p95_ms: None,
            latency_p99_ms: None,
            latency_usual_ms: None,
        },
    }
}

fn endings(name: &str, created: u64, failed: u64) -> (String, String, Endings) {
    let mut counts = Endings::default();
    counts[Ending::Created as usize] = created;
    counts[Ending::Failed as usize] = failed;
    ("acme".to_owned(), name.to_owned(), counts)
}

fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
}

#[test]
fn rates_are_what_ended_between_two_samples_and_connections_are_summed() {
    let mut history = History::default();
    let both = [connection("a", Healthy, 1), connection("b", Healthy, 2)];
    history.take(at(0), &both, &[endings("a", 100, 0)]);
    history.take(at(5), &both, &[endings("a", 110, 5), endings("b", 5, 0)]);
    let sum = series(history.seen(|_| true));
    assert_eq!(sum.at, [0, 5]);
    assert_eq!(
        sum.ended[Ending::Created as usize],
        [0.0, 3.0],
        "what was before the first sample is no rate"
    );
    assert_eq!(sum.ended[Ending::Failed as usize], [0.0, 1.0]);
    assert_eq!(sum.waiting, [3, 3]);
    assert!((history.rate(|_| true) - 4.0).abs() < 1e-9);
    assert!(history.rate(|_| false).abs() < 1e-9);
    assert_eq!(series(history.seen(|_| false)).at, [0; 0]);
}

#[test]
fn changes_of_state_are_kept_and_a_connection_that_is_gone_is_forgotten() {
    let mut history = History::default();
    for (second, state) in [(0, Healthy), (5, Open), (10, Open), (15, Healthy)] {
        history.take(at(second), &[connection("a", state, 0), connection("b", state, 0)], &[]);
    }
    let track = history.of("acme", "a").unwrap();
    let changes: Vec<_> = track.changes.iter().map(|change| change.state).collect();
    assert_eq!(changes, [Healthy, Open, Healthy]);
    history.take(at(20), &[connection("a", Healthy, 0)], &[]);
    assert!(history.of("acme", "b").is_none() && history.of("acme", "a").is_some());
}

#[test]
fn with_more_connections_than_are_followed_all_are_counted_and_a_new_one_takes_a_place_that_is_free() {
    let mut history = History::default();
    let names: Vec<String> = (0..=MOST).map(|number| format!("c{number:03}")).collect();
    let all: Vec<Connection> = names.iter().map(|name| connection(name, Healthy, 0)).collect();
    let last = &names[MOST];
    history.take(at(0), &all, &[endings(last, 7, 0)]);
    assert!(history.rate(|_| true).abs() < 1e-9, "when those were is not known");
    history.take(at(5), &all, &[endings(last, 27, 3), endings("c000", 2, 0)]);
    assert!((history.rate(|merchant| merchant == "acme") - 5.0).abs() < 1e-9);
    assert!(history.rate(|merchant| merchant == "globex").abs() < 1e-9);
    assert!(history.leaves_out(&all[MOST]) && !history.leaves_out(&all[0]));

    // As many as before: one is gone, and another has come.
    let mut others = all[1..].to_vec();
    others.push(connection("new", Healthy, 0));
    history.take(at(10), &others, &[endings(last, 27, 3)]);
    assert!(history.of("acme", "c000").is_none(), "it is there no more");
    assert!(history.of("acme", last).is_some() && !history.leaves_out(&all[MOST]));
    assert!(history.leaves_out(&others[MOST]));
    assert_eq!(history.seen(|_| true).count(), MOST);
}

#[test]
fn until_there_are_too_many_none_is_left_out() {
    let mut history = History::default();
    history.take(at(0), &[connection("a", Healthy, 0)], &[]);
    assert!(!history.leaves_out(&connection("b", Healthy, 0)), "not yet seen");
}

#[test]
fn the_pace_of_the_days_calls_begins_anew_at_midnight() {
    let night = 24 * 60 * 60;
    let calls = |from: i64, used: &[u32]| {
        let mut history = History::default();
        for (step, used_today) in (0..).zip(used) {
            let mut one = connection("a", Healthy, 0);
            one.status.rate_limit.used_today = *used_today;
            history.take(at(from + step * STEP), &[one], &[]);
        }
        let calls = history.of("acme", "a").unwrap().calls();
        calls.map(|(calls, over)| (calls, over.as_secs()))
    };
    assert_eq!(calls(0, &[10, 12, 16]), Some((6, 10)));
    // A call that was not made after all is given back, by day.
    assert_eq!(calls(0, &[10, 18, 17, 20]), Some((10, 15)));
    // More today already than at the beginning of what is remembered, and less.
    assert_eq!(calls(night - 2 * STEP, &[10, 50, 2, 8, 14]), Some((12, 10)));
    assert_eq!(calls(night - 2 * STEP, &[100, 120, 0, 130]), Some((130, 5)));
    assert_eq!(calls(night - 2 * STEP, &[100, 120, 3]), None);
    assert_eq!(calls(0, &[5, 5, 5]), None);
    assert_eq!(calls(0, &[5]), None);
}

#[test]
fn half_an_hour_is_kept() {
    let mut history = History::default();
    for step in 0..400 {
        history.take(at(step * STEP), &[connection("a", Healthy, 0)], &[]);
    }
    assert_eq!(history.of("acme", "a").unwrap().samples.len(), KEPT);
}
