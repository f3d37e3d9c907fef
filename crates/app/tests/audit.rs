//! Who did what when, under a paused clock: what is forgotten, what is not done, and what several processes write.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{House, TokioClock, Vendor, connection, merchant};
use jiff::SignedDuration;

use upsert_api::{AuditCheck, AuditEntry, AuditFilter, PageQuery};
use upsert_app::{Retention, SessionId};
use upsert_core::Repeat;
use upsert_store::SessionStore as _;
use upsert_testkit::MemoryStore;

const DAY: Duration = Duration::from_secs(24 * 3_600);

async fn house(store: &Arc<MemoryStore>, audit: Option<SignedDuration>) -> House {
    let retention = Retention {
        audit,
        ..Retention::default()
    };
    let merchant = merchant(vec![connection("v", &Vendor::new(Repeat::Safe))]);
    House::keeping(store.clone(), store.clone(), TokioClock::new(), merchant, retention).await
}

/// So many days later, when the background pass has gone round.
async fn later(days: u32) {
    tokio::time::advance(DAY * days).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
}

async fn pause(house: &House) -> bool {
    let paused = house.gateway.operations.pause(&house.merchant, "v", "ann").await;
    paused.is_ok()
}

async fn resume(house: &House) -> bool {
    let resumed = house.gateway.operations.resume(&house.merchant, "v", "bob").await;
    resumed.is_ok()
}

/// Newest first.
async fn entries(house: &House) -> Vec<AuditEntry> {
    let (all, first) = (AuditFilter::default(), PageQuery::default());
    house.gateway.queries.list_audit(&all, &first).await.unwrap().data
}

/// Numbers and who did it.
async fn listed(house: &House) -> Vec<(u64, String)> {
    let entries = entries(house).await.into_iter();
    entries.map(|entry| (entry.number, entry.by)).collect()
}

async fn check(house: &House) -> AuditCheck {
    house.gateway.queries.verify_audit(None, None).await.unwrap()
}

fn by(entries: &[(u64, &str)]) -> Vec<(u64, String)> {
    entries.iter().map(|(number, by)| (*number, (*by).to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn old_entries_are_forgotten_from_the_old_end_and_what_is_left_still_verifies() {
    let house = house(&Arc::new(MemoryStore::new()), Some(SignedDuration::from_hours(30 * 24))).await;
    house.gateway.run_background();
    assert!(pause(&house).await);
    later(20).await;
    assert!(resume(&house).await && pause(&house).await);
    assert_eq!(listed(&house).await, by(&[(3, "ann"), (2, "bob"), (1, "ann")]));
    later(15).await;
    assert_eq!(listed(&house).await, by(&[(3, "ann"), (2, "bob")]));
    let walked = check(&house).await;
    assert_eq!(
        (walked.fits, walked.checked, walked.forgotten),
        (true, 2, 1),
        "{walked:?}"
    );
    later(31).await;
    assert_eq!(listed(&house).await, by(&[]));
    let walked = check(&house).await;
    assert_eq!(
        (walked.fits, walked.checked, walked.forgotten),
        (true, 0, 3),
        "{walked:?}"
    );
    assert!(resume(&house).await);
    assert_eq!(listed(&house).await, by(&[(4, "bob")]));
    assert!(check(&house).await.fits);
    house.gateway.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn more_entries_than_are_forgotten_at_once_all_go() {
    let house = house(&Arc::new(MemoryStore::new()), Some(SignedDuration::from_hours(24))).await;
    for _ in 0..300 {
        assert!(pause(&house).await && resume(&house).await);
    }
    assert_eq!(check(&house).await.checked, 600);
    house.gateway.run_background();
    later(2).await;
    assert_eq!(listed(&house).await, by(&[]));
    let walked = check(&house).await;
    assert_eq!((walked.fits, walked.forgotten), (true, 600), "{walked:?}");
    house.gateway.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_down_is_not_done() {
    let store = Arc::new(MemoryStore::new());
    let house = house(&store, None).await;
    let state = || async {
        let views = house.gateway.queries.connection_views(|_| true).await.unwrap();
        views[0].state.to_string()
    };
    store.fail_next(1);
    assert!(!pause(&house).await);
    assert_eq!(state().await, "healthy");
    let id = SessionId([7; 32]);
    store.fail_next(1);
    assert!(house.gateway.sessions.begin(id, [8; 32], "ann").await.is_err());
    assert_eq!(store.session(&id).await.unwrap(), None);
    assert_eq!(listed(&house).await, by(&[]));
    assert!(pause(&house).await);
    assert_eq!(
        (state().await, listed(&house).await),
        ("paused".to_owned(), by(&[(1, "ann")]))
    );
    assert!(check(&house).await.fits);
}

#[tokio::test(start_paused = true)]
async fn keys_that_do_not_open_the_dashboard_are_told_at_most_once_a_minute() {
    let house = house(&Arc::new(MemoryStore::new()), None).await;
    house.gateway.run_background();
    let counts = || async {
        let count = |entry: AuditEntry| entry.detail.unwrap()["count"].as_u64().unwrap();
        entries(&house).await.into_iter().map(count).collect::<Vec<_>>()
    };
    for _ in 0..1_000 {
        house.gateway.sessions.refused().await;
    }
    assert_eq!(counts().await, [1]);
    tokio::time::sleep(Duration::from_secs(180)).await;
    assert_eq!(counts().await, [999, 1]);
    house.gateway.sessions.refused().await;
    house.gateway.sessions.refused().await;
    house.gateway.shut_down().await;
    assert_eq!(
        counts().await,
        [1, 1, 999, 1],
        "what was counted is told before the process ends"
    );
}

#[tokio::test(start_paused = true)]
async fn processes_that_write_at_once_never_fork_the_chain() {
    let store = Arc::new(MemoryStore::shared());
    let houses = [house(&store, None).await, house(&store, None).await];
    let acts = (0..40).map(|number| {
        let house = &houses[number % 2];
        async move {
            if number % 4 < 2 {
                pause(house).await
            } else {
                resume(house).await
            }
        }
    });
    let done = futures_util::future::join_all(acts).await;
    assert!(done.into_iter().all(|done| done));
    for house in &houses {
        let walked = check(house).await;
        assert_eq!((walked.fits, walked.checked), (true, 40), "{walked:?}");
    }
    let numbers: Vec<u64> = listed(&houses[0]).await.into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, (1..=40).rev().collect::<Vec<_>>());
}
