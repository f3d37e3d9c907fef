//! Dead letters: what a replay and a discard do, under a paused clock.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Act, House, Vendor, all_of_it, body, connection, merchant};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use upsert_api::{
    DeliveriesDone, DeliveryFilter, DeliverySelection, DeliveryState, ListedDelivery, ProblemCode, UpsertFilter,
    UpsertState, Visibility,
};
use upsert_app::{Answer, Caller, Connection, Directory, Refusal};
use upsert_core::{DeliveryId, ErrorKind, KeyKind, MatchKey, Payload, Repeat, traceparent_of_attempt};
use upsert_store::CustomerStore as _;

/// `v` accepts whatever comes; what `w` does is for each test to say.
async fn two_vendors(payload: Payload) -> (House, Arc<Vendor>, Arc<Vendor>) {
    let (v, w) = (Vendor::new(Repeat::Safe), Vendor::new(Repeat::Safe));
    let other = Connection {
        payload,
        ..connection("w", &w)
    };
    let house = House::new(vec![connection("v", &v), other]).await;
    (house, v, w)
}

fn operator() -> Caller {
    Caller {
        name: "operator".to_owned(),
    }
}

async fn listed(house: &House, state: DeliveryState) -> Vec<ListedDelivery> {
    let filter = DeliveryFilter {
        state: [state].into(),
        ..DeliveryFilter::default()
    };
    house
        .gateway
        .queries
        .list_deliveries(&filter, &all_of_it(), Visibility::Whole)
        .await
        .unwrap()
        .data
}

async fn upserts_that_failed(house: &House) -> usize {
    let filter = UpsertFilter {
        merchant: house.merchant.id.clone(),
        state: [UpsertState::Failed, UpsertState::PartiallyFailed].into(),
        ..UpsertFilter::default()
    };
    let listing = house
        .gateway
        .queries
        .list_upserts(&filter, &all_of_it(), Visibility::Whole)
        .await
        .unwrap();
    listing.data.len()
}

fn id_of(delivery: &Json) -> DeliveryId {
    delivery["id"].as_str().unwrap().parse().unwrap()
}

async fn replay(house: &House, id: DeliveryId) -> Result<Answer, Refusal> {
    house
        .gateway
        .operations
        .replay_delivery(&operator(), None, id, None, Visibility::Whole)
        .await
}

async fn discard(house: &House, id: DeliveryId) -> Result<ListedDelivery, Refusal> {
    house
        .gateway
        .operations
        .discard_delivery(&operator(), None, id, Visibility::Whole)
        .await
}

async fn replay_all(house: &House, body: Json) -> DeliveriesDone {
    let selection = DeliverySelection::read(&body).unwrap();
    let operations = &house.gateway.operations;
    operations
        .replay_matching(&operator(), selection, Visibility::Whole, &|| Ok(()))
        .await
        .unwrap()
}

async fn discard_all(house: &House, body: Json) -> Result<DeliveriesDone, Refusal> {
    let selection = DeliverySelection::read(&body).unwrap();
    let operations = &house.gateway.operations;
    operations
        .discard_matching(&operator(), selection, Visibility::Whole, &|| Ok(()))
        .await
}

/// The delivery at `w` of an answer.
fn at_w(answer: &Json) -> Json {
    let deliveries = answer["deliveries"].as_array().unwrap();
    deliveries.iter().find(|one| one["connection"] == "w").unwrap().clone()
}

/// A customer that both vendors have, and a change of the name that `w` refuses.
async fn refused_name(house: &House, w: &Vendor) -> DeliveryId {
    let made = house
        .upsert(json!({ "reference": "r", "given_name": "A", "notes": "n" }))
        .await
        .unwrap();
    assert_eq!(made.status, 201, "{}", made.body);
    w.then([Act::Reject]);
    let refused = house
        .upsert(json!({ "reference": "r", "given_name": "B" }))
        .await
        .unwrap();
    assert_eq!(refused.status, 422, "{}", refused.body);
    id_of(&at_w(&body(&refused)))
}

#[tokio::test(start_paused = true)]
async fn what_was_rolled_back_and_is_discarded_takes_no_newer_value_of_the_same_version_with_it() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    let named = |name: &str| json!({ "reference": "r", "given_name": name });
    assert_eq!(house.upsert(named("A")).await.unwrap().status, 201);
    vendor.then([Act::Reject]);
    let refused = house.upsert(named("B")).await.unwrap();
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert_eq!(body(&refused)["rolled_back"], true);
    vendor.then([Act::Down]);
    let newer = house
        .command(named("C"), |command| command.respond_async = true)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(body(&newer)["customer"]["version"], 2, "the number is taken again");
    let dead = body(&refused)["deliveries"][0]["id"].as_str().unwrap().parse().unwrap();
    discard(&house, dead).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(vendor.record("r")["first"], "C", "nobody has given that up");
}

#[tokio::test(start_paused = true)]
async fn a_replay_is_a_new_upsert_in_the_place_of_the_failed_delivery() {
    let (house, v, w) = two_vendors(Payload::Changed).await;
    let failed = refused_name(&house, &w).await;
    let calls_of_v = v.calls();
    assert_eq!(listed(&house, DeliveryState::Failed).await.len(), 1);
    assert_eq!(upserts_that_failed(&house).await, 1);

    let answer = replay(&house, failed).await.unwrap();
    assert_eq!(answer.status, 202);
    let shown = body(&answer);
    assert_eq!(
        answer.location,
        Some(format!("/v1/upserts/{}", shown["upsert_id"].as_str().unwrap()))
    );
    assert_eq!(shown["customer"]["version"], 2);
    assert_eq!(shown["deliveries"].as_array().unwrap().len(), 1);
    tokio::time::sleep(Duration::from_millis(10)).await;

    let after = house.look(&answer).await;
    assert_eq!(
        (
            &after["state"],
            &after["deliveries"][0]["attempts"],
            &after["deliveries"][0]["outcome"]
        ),
        (&json!("succeeded"), &json!(1), &json!("updated"))
    );
    assert_eq!(w.record("r")["first"], "B");
    assert_eq!(v.calls(), calls_of_v, "only that connection is called");
    assert!(listed(&house, DeliveryState::Failed).await.is_empty());
    let old = house
        .gateway
        .queries
        .get_delivery(None, failed, Visibility::Whole)
        .await
        .unwrap();
    let delivery = &old.listed.delivery;
    assert_eq!(
        (delivery.state, delivery.superseded_by),
        (DeliveryState::Superseded, Some(id_of(&shown["deliveries"][0])))
    );
    assert_eq!(old.attempt_log[0].result.as_deref(), Some("rejected"));
    let again = replay(&house, failed).await.unwrap_err();
    assert_eq!(again.code, ProblemCode::ValidationFailed);
    assert!(
        again.detail.contains("a newer delivery goes in its place"),
        "{}",
        again.detail
    );
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_named_to_the_vendor_apart_and_a_replays_too_which_no_request_has_a_trace_for() {
    let (house, _v, w) = two_vendors(Payload::Changed).await;
    let request = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    w.then([Act::Down, Act::Reject]);
    let whole = json!({ "reference": "r", "given_name": "A" });
    let refused = house
        .command(whole, |command| command.traceparent = Some(request.to_owned()))
        .await
        .unwrap();
    let refused = id_of(&at_w(&body(&refused)));
    w.then([Act::Down]);
    let replayed = replay(&house, refused).await.unwrap();
    let replayed = id_of(&body(&replayed)["deliveries"][0]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let of_request = [1, 2].map(|attempt| traceparent_of_attempt(Some(request), refused, attempt));
    let of_replay = [1, 2].map(|attempt| traceparent_of_attempt(None, replayed, attempt));
    let wanted: Vec<_> = of_request.into_iter().chain(of_replay).map(Some).collect();
    assert_eq!(w.traceparents(), wanted);
}

#[tokio::test(start_paused = true)]
async fn of_two_racing_replays_one_wins_and_one_call_goes_out() {
    let (house, _, w) = two_vendors(Payload::Changed).await;
    let failed = refused_name(&house, &w).await;
    let calls = w.calls();
    let (one, other) = tokio::join!(replay(&house, failed), replay(&house, failed));
    assert!(one.is_ok() != other.is_ok());
    let loser = one.err().or(other.err()).unwrap();
    assert_eq!(loser.code, ProblemCode::ValidationFailed);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(w.calls(), calls + 1);
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_has_nothing_to_bring_is_unchanged_and_calls_nobody() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    house
        .upsert(json!({ "reference": "r", "given_name": "A" }))
        .await
        .unwrap();
    vendor.then([Act::Reject]);
    let refused = house
        .upsert(json!({ "reference": "r", "given_name": "B" }))
        .await
        .unwrap();
    assert_eq!(body(&refused)["rolled_back"], true);
    let failed = id_of(&body(&refused)["deliveries"][0]);
    let answer = replay(&house, failed).await.unwrap();
    assert_eq!(body(&answer)["deliveries"][0]["outcome"], "unchanged");
    assert_eq!(body(&answer)["customer"]["given_name"], "A");
    assert_eq!(vendor.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_replayed_is_refused_and_says_why() {
    let (house, _, w) = two_vendors(Payload::Changed).await;
    let failed = refused_name(&house, &w).await;
    let done = listed(&house, DeliveryState::Succeeded).await[0].delivery.id;
    let refusal = replay(&house, done).await.unwrap_err();
    assert_eq!(refusal.code, ProblemCode::ValidationFailed);
    assert!(refusal.detail.contains("succeeded"), "{}", refusal.detail);
    let others = Some(["globex".to_owned()].into());
    let hidden = house
        .gateway
        .operations
        .replay_delivery(&operator(), others.as_ref(), failed, None, Visibility::Whole)
        .await;
    assert_eq!(hidden.unwrap_err().code, ProblemCode::NotFound);

    let without_w = Directory::new([merchant(vec![connection("v", &w)])]);
    house.gateway.operations.replace_directory(without_w);
    let refusal = replay(&house, failed).await.unwrap_err();
    assert_eq!(refusal.code, ProblemCode::ValidationFailed);
    assert!(refusal.detail.contains("`w` is not configured"), "{}", refusal.detail);
    let discarded = discard(&house, failed).await.unwrap();
    assert_eq!(discarded.delivery.state, DeliveryState::Discarded);
}

#[tokio::test(start_paused = true)]
async fn a_replay_for_a_customer_that_is_gone_finds_nobody() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    vendor.then([Act::Reject]);
    let refused = house.upsert(json!({ "reference": "r" })).await.unwrap();
    assert_eq!(body(&refused)["rolled_back"], true);
    let failed = listed(&house, DeliveryState::Failed).await[0].delivery.id;
    assert_eq!(replay(&house, failed).await.unwrap_err().code, ProblemCode::NotFound);
    assert_eq!(
        listed(&house, DeliveryState::Failed).await.len(),
        1,
        "it stays where it was"
    );
    let discarded = discard(&house, failed).await.unwrap();
    assert_eq!(discarded.delivery.state, DeliveryState::Discarded);
}

#[tokio::test(start_paused = true)]
async fn a_replay_takes_the_place_of_what_waits_in_the_lane() {
    let (house, _, w) = two_vendors(Payload::Changed).await;
    let failed = refused_name(&house, &w).await;
    w.usually(Act::Down);
    let waiting = house
        .command(json!({ "reference": "r", "notes": "m" }), |command| {
            command.respond_async = true;
        })
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let answer = replay(&house, failed).await.unwrap();
    let joined = &body(&answer)["deliveries"][0];
    assert_eq!(
        joined["state"], "retrying",
        "it takes over when the other one was due: {joined}"
    );
    assert_eq!(at_w(&house.look(&waiting).await)["superseded_by"], joined["id"]);
    w.usually(Act::Accept);
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(house.look(&answer).await["state"], "succeeded");
    assert_eq!(house.look(&waiting).await["state"], "succeeded");
    assert_eq!(w.record("r"), json!({ "ref": "r", "first": "B", "notes": "m" }));
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_fails_again_is_a_dead_letter_of_its_own() {
    let (house, _, w) = two_vendors(Payload::Changed).await;
    let failed = refused_name(&house, &w).await;
    w.then([Act::Reject]);
    let answer = replay(&house, failed).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let left = listed(&house, DeliveryState::Failed).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].delivery.id, id_of(&body(&answer)["deliveries"][0]));
    assert_eq!(house.look(&answer).await["state"], "failed");
}

#[tokio::test(start_paused = true)]
async fn what_was_discarded_is_not_sent_until_it_changes_again() {
    let (house, _, w) = two_vendors(Payload::Changed).await;
    let failed = refused_name(&house, &w).await;
    let discarded = discard(&house, failed).await.unwrap().delivery;
    assert_eq!(discarded.state, DeliveryState::Discarded);
    assert_eq!(discarded.error.unwrap().kind, ErrorKind::Rejected);
    assert!(listed(&house, DeliveryState::Failed).await.is_empty());
    let calls = w.calls();

    let same = house
        .upsert(json!({ "reference": "r", "given_name": "B" }))
        .await
        .unwrap();
    assert_eq!(
        (same.status, &at_w(&body(&same))["outcome"]),
        (200, &json!("unchanged"))
    );
    assert_eq!(w.calls(), calls);
    let other = house.upsert(json!({ "reference": "r", "notes": "m" })).await.unwrap();
    assert_eq!(other.status, 200);
    assert_eq!(w.last_body(), json!({ "ref": "r", "notes": "m" }));
    let changed = house
        .upsert(json!({ "reference": "r", "given_name": "C" }))
        .await
        .unwrap();
    assert_eq!(changed.status, 200);
    assert_eq!(w.last_body(), json!({ "ref": "r", "first": "C" }));
    house
        .upsert(json!({ "reference": "r", "given_name": "B" }))
        .await
        .unwrap();
    assert_eq!(w.last_body(), json!({ "ref": "r", "first": "B" }), "the mark is gone");
}

#[tokio::test(start_paused = true)]
async fn a_mark_is_gone_although_the_other_value_never_got_there() {
    let (house, _, w) = two_vendors(Payload::Changed).await;
    let failed = refused_name(&house, &w).await;
    discard(&house, failed).await.unwrap();
    w.then([Act::Reject]);
    house
        .upsert(json!({ "reference": "r", "given_name": "C" }))
        .await
        .unwrap();
    house
        .upsert(json!({ "reference": "r", "given_name": "B" }))
        .await
        .unwrap();
    assert_eq!(w.record("r")["first"], "B");
}

#[tokio::test(start_paused = true)]
async fn a_full_request_has_the_last_accepted_value_in_the_place_of_what_was_discarded() {
    let (house, _, w) = two_vendors(Payload::Full).await;
    house
        .upsert(json!({ "reference": "r", "given_name": "A", "notes": "n" }))
        .await
        .unwrap();
    w.then([Act::Reject]);
    let refused = house
        .upsert(json!({ "reference": "r", "given_name": "B", "email": "a@x.example" }))
        .await
        .unwrap();
    discard(&house, id_of(&at_w(&body(&refused)))).await.unwrap();
    let calls = w.calls();
    let same = house
        .upsert(json!({ "reference": "r", "given_name": "B" }))
        .await
        .unwrap();
    assert_eq!((same.status, w.calls()), (200, calls));
    house.upsert(json!({ "reference": "r", "notes": "m" })).await.unwrap();
    assert_eq!(
        w.last_body(),
        json!({ "ref": "r", "first": "A", "notes": "m" }),
        "no e-mail was ever accepted"
    );
    house
        .upsert(json!({ "reference": "r", "email": "b@x.example" }))
        .await
        .unwrap();
    assert_eq!(
        w.last_body(),
        json!({ "ref": "r", "first": "A", "notes": "m", "mail": "b@x.example" })
    );
    house
        .command(json!({ "reference": "r" }), |command| command.force = true)
        .await
        .unwrap();
    assert_eq!(w.last_body()["first"], "B", "no-cache sends everything known");
}

#[tokio::test(start_paused = true)]
async fn a_discarded_first_delivery_leaves_no_record_until_something_else_changes() {
    let (house, _, w) = two_vendors(Payload::Changed).await;
    w.then([Act::Reject]);
    let refused = house
        .upsert(json!({ "reference": "r", "given_name": "A" }))
        .await
        .unwrap();
    assert_eq!(refused.status, 422);
    let (upsert, failed) = (body(&refused), id_of(&at_w(&body(&refused))));
    discard(&house, failed).await.unwrap();
    assert_eq!(
        house.look(&refused).await["state"],
        "failed",
        "a discarded delivery counts as failed"
    );
    let customer = upsert["customer"]["id"].as_str().unwrap().parse().unwrap();
    let shown = house
        .gateway
        .queries
        .get_customer(&house.merchant, customer, Visibility::Whole)
        .await
        .unwrap();
    assert_eq!(shown.record.version, 1, "nothing goes back through a discard");
    let same = house
        .upsert(json!({ "reference": "r", "given_name": "A" }))
        .await
        .unwrap();
    let delivery = at_w(&body(&same));
    assert_eq!(
        (&delivery["outcome"], &delivery["evidence"]),
        (&json!("unchanged"), &json!("none"))
    );
    assert_eq!(w.calls(), 1);
    house.upsert(json!({ "reference": "r", "notes": "n" })).await.unwrap();
    assert_eq!(w.last_body(), json!({ "ref": "r", "first": "A", "notes": "n" }));
}

#[tokio::test(start_paused = true)]
async fn discarding_what_waits_answers_who_waits_and_gives_the_keys_back() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    vendor.usually(Act::Down);
    let started = Instant::now();
    let (answer, ()) = tokio::join!(
        async {
            house
                .upsert(json!({ "reference": "r", "given_name": "A" }))
                .await
                .unwrap()
        },
        async {
            tokio::time::sleep(Duration::from_millis(2_500)).await;
            let waiting = listed(&house, DeliveryState::Retrying).await;
            discard(&house, waiting[0].delivery.id).await.unwrap();
        }
    );
    assert_eq!(answer.status, 502, "{}", answer.body);
    assert!(started.elapsed() < Duration::from_secs(3));
    let key = [MatchKey::new(KeyKind::Reference, "r")];
    let nobody = "cus_00000000000000000000000000".parse().unwrap();
    let holders = house.store.key_holders("acme", "v", &key, nobody).await.unwrap();
    assert_eq!(holders, Vec::new());
    let calls = vendor.calls();
    tokio::time::sleep(Duration::from_secs(8 * 3_600)).await;
    assert_eq!(vendor.calls(), calls, "nothing goes on");
    let looked = house.look(&answer).await;
    assert_eq!(looked["state"], "failed");
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_cannot_be_discarded() {
    let (house, _, w) = two_vendors(Payload::Changed).await;
    let failed = refused_name(&house, &w).await;
    w.then([Act::Slow(Duration::from_secs(2))]);
    house
        .command(json!({ "reference": "r", "notes": "m" }), |command| {
            command.respond_async = true;
        })
        .await
        .unwrap();
    let flying = listed(&house, DeliveryState::InFlight).await[0].delivery.id;
    for id in [flying, failed] {
        let refusal = discard(&house, id).await.map(drop).unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after), (ProblemCode::Overloaded, Some(1)));
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let late = discard(&house, flying).await.map(drop).unwrap_err();
    assert_eq!(late.code, ProblemCode::ValidationFailed);
    discard(&house, failed).await.unwrap();
    w.usually(Act::Accept);
    let calls = w.calls();
    house.upsert(json!({ "reference": "r" })).await.unwrap();
    assert_eq!(w.calls(), calls, "what came through meanwhile leaves no mark");
}

#[tokio::test(start_paused = true)]
async fn all_that_match_are_replayed_and_those_of_one_customer_become_one_call() {
    let (house, _, w) = two_vendors(Payload::Changed).await;
    refused_name(&house, &w).await;
    w.then([Act::Reject]);
    house
        .upsert(json!({ "reference": "r", "given_name": "C" }))
        .await
        .unwrap();
    for number in 0..5 {
        w.then([Act::Reject]);
        let body = json!({ "reference": format!("r{number}"), "given_name": "A" });
        assert_eq!(house.upsert(body).await.unwrap().status, 422);
    }
    let calls = w.calls();
    let counted = replay_all(&house, json!({ "connection": "w", "dry_run": true })).await;
    assert_eq!((counted.matched, counted.done), (7, 0));
    let first = replay_all(&house, json!({ "error_kind": "rejected", "limit": 3 })).await;
    assert_eq!((first.matched, first.done, first.more), (3, 3, true));
    let rest = replay_all(&house, json!({ "cursor": first.next_cursor })).await;
    assert_eq!((rest.matched, rest.done, rest.more), (4, 4, false));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(w.calls(), calls + 6);
    assert_eq!(w.record("r")["first"], "C");
    assert!(listed(&house, DeliveryState::Failed).await.is_empty());
    assert_eq!(listed(&house, DeliveryState::Superseded).await.len(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_replay_of_all_tells_which_were_refused_and_goes_on_with_the_others() {
    let (house, _, w) = two_vendors(Payload::Changed).await;
    let failed = refused_name(&house, &w).await;
    let elsewhere = Vendor::new(Repeat::Safe);
    elsewhere.usually(Act::Reject);
    house
        .gateway
        .operations
        .replace_directory(Directory::new([merchant(vec![
            connection("v", &w),
            connection("x", &elsewhere),
        ])]));
    let merchant = house.gateway.directory().get("acme").unwrap().clone();
    let house = House { merchant, ..house };
    house.upsert(json!({ "reference": "r", "notes": "m" })).await.unwrap();
    elsewhere.usually(Act::Accept);
    let done = replay_all(&house, json!({})).await;
    assert_eq!((done.matched, done.done, done.refused), (2, 1, 1));
    assert_eq!(done.refusals[0].delivery_id, failed);
    assert_eq!(done.refusals[0].code, ProblemCode::ValidationFailed);
}

#[tokio::test(start_paused = true)]
async fn all_that_match_are_discarded_but_a_filter_has_to_be_named() {
    let (house, _, w) = two_vendors(Payload::Changed).await;
    refused_name(&house, &w).await;
    w.usually(Act::Down);
    let waiting = house
        .command(json!({ "reference": "s" }), |command| command.respond_async = true)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    let refusal = discard_all(&house, json!({ "limit": 5 })).await.unwrap_err();
    assert_eq!(refusal.code, ProblemCode::ValidationFailed);
    let failed = discard_all(&house, json!({ "connection": "w" })).await.unwrap();
    assert_eq!(
        (failed.matched, failed.done),
        (1, 1),
        "`failed` unless states are named"
    );
    let states = json!({ "state": ["retrying", "waiting", "pending"] });
    let open = discard_all(&house, states).await.unwrap();
    assert_eq!((open.matched, open.done), (1, 1));
    assert_eq!(house.look(&waiting).await["state"], "failed");
    assert_eq!(listed(&house, DeliveryState::Discarded).await.len(), 2);
}

#[test]
fn a_selection_that_cannot_be_read_is_refused_with_everything_that_is_wrong() {
    let body = json!({
        "state": "fialed", "error_kind": "rejected,transient", "customer_id": "x", "since": "yesterday", "limit": 1001,
        "dry_run": "yes", "conection": "rotor", "upsert_id": 7
    });
    let wrong = DeliverySelection::read(&body).unwrap_err();
    let found = |pointer: &str| wrong.iter().find(|problem| problem.pointer == pointer);
    for (pointer, code) in [
        ("/state", "invalid_value"),
        ("/error_kind", "invalid_value"),
        ("/customer_id", "invalid_id"),
        ("/since", "invalid_time"),
        ("/limit", "invalid_value"),
        ("/dry_run", "invalid_type"),
        ("/conection", "unknown_field"),
        ("/upsert_id", "invalid_type"),
    ] {
        assert_eq!(
            found(pointer).map(|problem| problem.code.as_str()),
            Some(code),
            "{pointer}"
        );
    }
    assert!(found("/state").unwrap().detail.contains("failed, discarded"));
    assert_eq!(wrong.len(), 8);
}
