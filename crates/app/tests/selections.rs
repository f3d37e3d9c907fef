//! What a list or a selection is refused for, beyond what its filter says by itself.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Act, House, Vendor, all_of_it, body, connection};
use serde_json::{Value as Json, json};

use upsert_api::{
    DeliveryFilter, DeliverySelection, EventSelection, IncomingFilter, PageQuery, ProblemCode, Visibility,
};
use upsert_app::{Caller, DeadLetterAction, DeadLetters, Refusal};
use upsert_core::Repeat;

fn operator() -> Caller {
    Caller {
        name: "operator".to_owned(),
    }
}

async fn house() -> House {
    House::new(vec![connection("v", &Vendor::new(Repeat::Safe))]).await
}

/// What each of both says to a body: a replay and a discard.
async fn refused(house: &House, body: &Json, visibility: Visibility) -> [Refusal; 2] {
    let (operations, caller) = (&house.gateway.operations, operator());
    let selection = || DeliverySelection::read(body).unwrap();
    let replayed = operations
        .replay_matching(&caller, selection(), visibility, &|| Ok(()))
        .await;
    let discarded = operations
        .discard_matching(&caller, selection(), visibility, &|| Ok(()))
        .await;
    [replayed.unwrap_err(), discarded.unwrap_err()]
}

fn told(refusal: &Refusal) -> Vec<(&str, &str)> {
    let errors = refusal.errors.iter();
    errors.map(|one| (&*one.pointer, &*one.code)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_code_that_would_be_covered_cannot_be_asked_for_either() {
    let house = house().await;
    let filter = |code: &str| DeliveryFilter {
        error_code: Some(code.to_owned()),
        ..DeliveryFilter::default()
    };
    let list = async |code: &str, visibility| {
        let (filter, all) = (filter(code), all_of_it());
        let listed = house.gateway.queries.list_deliveries(&filter, &all, visibility).await;
        listed.map(|page| page.data.len())
    };
    for code in ["Ada Lee is known", "2025550123", "a@x.example"] {
        assert_eq!(list(code, Visibility::Whole).await.unwrap(), 0);
        let refusal = list(code, Visibility::Masked).await.unwrap_err();
        assert_eq!(refusal.code, ProblemCode::InvalidQuery);
        assert_eq!(told(&refusal), [("error_code", "invalid_value")]);
        assert!(
            refusal.errors[0]
                .detail
                .ends_with("for another one the key needs `customers:read`")
        );
        for refusal in refused(&house, &json!({ "error_code": code }), Visibility::Masked).await {
            assert_eq!(refusal.code, ProblemCode::ValidationFailed);
            assert_eq!(told(&refusal), [("/error_code", "invalid_value")]);
        }
    }
    assert_eq!(list("E_400", Visibility::Masked).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_cannot_be_read_is_told_where_it_stands() {
    let house = house().await;
    let page = PageQuery {
        limit: 10,
        cursor: Some("garbage".to_owned()),
    };
    let filter = DeliveryFilter::default();
    let listed = house
        .gateway
        .queries
        .list_deliveries(&filter, &page, Visibility::Whole)
        .await;
    let refusal = listed.map(drop).unwrap_err();
    assert_eq!(
        (refusal.code, told(&refusal)),
        (ProblemCode::InvalidQuery, vec![("cursor", "invalid_cursor")])
    );
    let body = json!({ "connection": "v", "cursor": "garbage" });
    for refusal in refused(&house, &body, Visibility::Whole).await {
        assert_eq!(refusal.code, ProblemCode::ValidationFailed);
        assert_eq!(told(&refusal), [("/cursor", "invalid_cursor")]);
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_has_failed_can_be_replayed() {
    let house = house().await;
    let selection = DeliverySelection::read(&json!({ "state": "failed,waiting" })).unwrap();
    let (operations, caller) = (&house.gateway.operations, operator());
    let replayed = operations.replay_matching(&caller, selection, Visibility::Whole, &|| Ok(()));
    let refusal = replayed.await.unwrap_err();
    assert_eq!(told(&refusal), [("/state", "invalid_value")]);
}

#[tokio::test(start_paused = true)]
async fn what_failed_after_it_was_counted_is_left_alone() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    let fail = async |reference: &str| {
        vendor.then([Act::Reject]);
        let refused = house.upsert(json!({ "reference": reference })).await.unwrap();
        assert_eq!(refused.status, 422, "{}", refused.body);
        body(&refused)["deliveries"][0]["id"].as_str().unwrap().to_owned()
    };
    let discard = async |body: Json| {
        let selection = DeliverySelection::read(&body).unwrap();
        let (operations, caller) = (&house.gateway.operations, operator());
        let done = operations.discard_matching(&caller, selection, Visibility::Whole, &|| Ok(()));
        done.await.unwrap()
    };
    fail("one").await;
    let counted = discard(json!({ "connection": "v", "dry_run": true })).await;
    assert_eq!((counted.dry_run, counted.matched, counted.done), (true, 1, 0));
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    fail("two").await;
    let done = discard(json!({ "connection": "v", "counted_at": counted.counted_at })).await;
    assert_eq!((done.matched, done.done, done.refused), (1, 1, 0));
    let rest = discard(json!({ "connection": "v" })).await;
    assert_eq!((rest.matched, rest.counted_at), (1, None));
}

#[tokio::test(start_paused = true)]
async fn whoever_may_not_any_more_has_the_rest_refused() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    for number in 0..20 {
        let reference = format!("r{number}");
        house.upsert(json!({ "reference": reference })).await.unwrap();
        vendor.then([Act::Reject]);
        let changed = json!({ "reference": reference, "given_name": "Ann" });
        let refused = house.upsert(changed).await.unwrap();
        assert_eq!(refused.status, 422, "{}", refused.body);
    }
    let asked = AtomicUsize::new(0);
    let for_a_while = || match asked.fetch_add(1, Ordering::Relaxed) {
        0..3 => Ok(()),
        _ => Err(Refusal::new(ProblemCode::Unauthenticated, "the API key was removed")),
    };
    let (operations, caller) = (&house.gateway.operations, operator());
    let selection = || DeliverySelection::read(&json!({ "connection": "v" })).unwrap();
    let discarded = operations.discard_matching(&caller, selection(), Visibility::Whole, &for_a_while);
    let discarded = discarded.await.unwrap();
    assert_eq!((discarded.done, discarded.refused), (3, 17));
    assert!(
        discarded
            .refusals
            .iter()
            .all(|refused| refused.code == ProblemCode::Unauthenticated)
    );
    asked.store(0, Ordering::Relaxed);
    let replayed = operations.replay_matching(&caller, selection(), Visibility::Whole, &for_a_while);
    let replayed = replayed.await.unwrap();
    assert_eq!((replayed.done, replayed.refused), (3, 14));
    let left = DeliverySelection::read(&json!({ "connection": "v", "dry_run": true })).unwrap();
    let left = operations.discard_matching(&caller, left, Visibility::Whole, &|| Ok(()));
    assert_eq!(left.await.unwrap().matched, 14);
}

#[tokio::test(start_paused = true)]
async fn an_events_id_that_would_be_covered_cannot_be_asked_for_either() {
    let house = house().await;
    let (queries, operations, caller) = (&house.gateway.queries, &house.gateway.operations, operator());
    for (id, may_ask) in [("e-1", true), ("ann@example.com", false), ("2025550123", false)] {
        let filter = IncomingFilter {
            event_id: Some(id.to_owned()),
            ..IncomingFilter::default()
        };
        for (visibility, is_told) in [(Visibility::Whole, true), (Visibility::Masked, may_ask)] {
            let listed = queries.list_incoming(&filter, &all_of_it(), visibility).await;
            let refusal = listed.map(drop).err();
            assert_eq!(refusal.is_none(), is_told, "{id}");
            let wrong = refusal.as_ref().map(told).unwrap_or_default();
            assert!(is_told || wrong == [("event_id", "invalid_value")], "{wrong:?}");
            for action in [DeadLetterAction::Replay, DeadLetterAction::Discard] {
                let letters = DeadLetters::In(EventSelection::read(&json!({ "event_id": id })).unwrap());
                let done = operations.event_dead_letters(&caller, None, letters, action, visibility, &|| Ok(()));
                let refusal = done.await.map(drop).err();
                assert_eq!(refusal.is_none(), is_told, "{id}");
                let wrong = refusal.as_ref().map(told).unwrap_or_default();
                assert!(is_told || wrong == [("/event_id", "invalid_value")], "{wrong:?}");
            }
        }
    }
}
