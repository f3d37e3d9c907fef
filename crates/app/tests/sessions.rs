//! Sessions of the dashboard, as two gateways over one store see them, under a paused clock.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{House, TokioClock};
use upsert_app::{Notice, SessionId};
use upsert_store::SessionStore as _;
use upsert_testkit::MemoryStore;

const IDLE: Duration = Duration::from_hours(2);
const SECOND: Duration = Duration::from_secs(1);

const KEY: [u8; 32] = [7; 32];

fn id(number: u8) -> SessionId {
    SessionId([number; 32])
}

async fn two() -> [House; 2] {
    let store = Arc::new(MemoryStore::shared());
    let house = || House::quiet(store.clone(), TokioClock::new(), Vec::new());
    [house().await, house().await]
}

async fn later(by: Duration) {
    tokio::time::advance(by).await;
}

/// Whether the gateway knows the session, and so looks at it.
async fn is_open(house: &House, session: SessionId, is_looked_at: bool) -> bool {
    let found = house.gateway.sessions.find(&session, is_looked_at).await.unwrap();
    found.is_some_and(|found| found.key_hash == KEY)
}

#[tokio::test(start_paused = true)]
async fn a_session_is_over_when_nobody_looks_and_after_its_longest_time_in_any_case() {
    let [one, other] = two().await;
    one.gateway.sessions.begin(id(1), KEY, "ops").await.unwrap();
    later(IDLE.saturating_sub(SECOND)).await;
    assert!(is_open(&other, id(1), true).await);
    later(IDLE.saturating_sub(SECOND)).await;
    assert!(is_open(&one, id(1), false).await);
    later(SECOND * 2).await;
    assert!(
        !is_open(&one, id(1), true).await,
        "what a page asks for by itself is no look"
    );

    one.gateway.sessions.begin(id(2), KEY, "ops").await.unwrap();
    for hour in 0..12 {
        assert!(is_open([&one, &other][hour % 2], id(2), true).await, "{hour}");
        later(Duration::from_hours(1)).await;
    }
    assert!(!is_open(&other, id(2), true).await);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_at_one_gateway_has_ended_at_the_other() {
    let [one, other] = two().await;
    one.gateway.sessions.begin(id(1), KEY, "ops").await.unwrap();
    one.gateway.sessions.begin(id(2), KEY, "ops").await.unwrap();
    assert!(is_open(&other, id(1), true).await);
    other.gateway.sessions.end(id(1)).await.unwrap();
    assert!(!is_open(&one, id(1), true).await && !is_open(&other, id(1), true).await);
    assert!(is_open(&one, id(2), true).await);
}

#[tokio::test(start_paused = true)]
async fn a_look_is_written_once_a_minute_however_often_somebody_looks() {
    let [one, other] = two().await;
    one.gateway.sessions.begin(id(1), KEY, "ops").await.unwrap();
    let seen = || async { one.store.session(&id(1)).await.unwrap().unwrap().seen_at };
    let begun = seen().await;
    let mut written = vec![begun];
    for _second in 0..150 {
        later(SECOND).await;
        assert!(is_open(&one, id(1), true).await && is_open(&other, id(1), true).await);
        let now = seen().await;
        if written.last() != Some(&now) {
            written.push(now);
        }
    }
    let after: Vec<i64> = written.iter().map(|at| at.duration_since(begun).as_secs()).collect();
    assert_eq!(after, [0, 60, 120]);
}

#[tokio::test(start_paused = true)]
async fn what_is_done_at_one_gateway_is_told_once_by_whichever_answers() {
    let [one, other] = two().await;
    one.gateway.sessions.begin(id(1), KEY, "ops").await.unwrap();
    let notice = |text: &str| Notice {
        is_problem: false,
        text: text.to_owned(),
    };
    other.gateway.sessions.tell(id(1), notice("done")).await.unwrap();
    let told = || async {
        let found = one.gateway.sessions.find(&id(1), true).await.unwrap();
        found.unwrap().notice
    };
    assert_eq!(told().await, Some(notice("done")));
    one.gateway.sessions.told(id(1), notice("done")).await.unwrap();
    assert_eq!(told().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_key_has_at_most_twenty_sessions_and_sessions_that_are_over_are_forgotten() {
    let [one, other] = two().await;
    one.gateway.sessions.begin(id(99), [8; 32], "ops").await.unwrap();
    for number in 0..25 {
        let house = [&one, &other][usize::from(number) % 2];
        house.gateway.sessions.begin(id(number), KEY, "ops").await.unwrap();
        later(SECOND).await;
    }
    let kept = || async {
        let mut kept = Vec::new();
        for number in 0..100 {
            if one.store.session(&id(number)).await.unwrap().is_some() {
                kept.push(number);
            }
        }
        kept
    };
    let newest: Vec<u8> = (5..25).chain([99]).collect();
    assert_eq!(kept().await, newest);
    one.gateway.run_background();
    later(IDLE + SECOND * 90).await;
    // Looked for once a minute.
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert_eq!(kept().await, Vec::<u8>::new());
}

#[tokio::test(start_paused = true)]
async fn nobody_is_signed_in_or_out_where_the_store_does_not_answer() {
    let [one, _] = two().await;
    one.gateway.sessions.begin(id(1), KEY, "ops").await.unwrap();
    one.store.fail_next(3);
    assert!(one.gateway.sessions.begin(id(2), KEY, "ops").await.is_err());
    assert!(one.gateway.sessions.find(&id(1), true).await.is_err());
    assert!(one.gateway.sessions.end(id(1)).await.is_err());
    assert!(is_open(&one, id(1), true).await && !is_open(&one, id(2), true).await);
}
