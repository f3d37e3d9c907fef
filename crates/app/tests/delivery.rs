//! Retries, crashes, order and parking, under a paused clock.
#![allow(clippy::disallowed_methods, reason = "a test has tasks of its own")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Act, House, TokioClock, Vendor, body, connection, merchant};
use serde_json::json;

use upsert_api::{Attempt, SentRequest, Visibility};
use upsert_app::Answer;
use upsert_core::{ErrorKind, Repeat, StateAtVendor};
use upsert_store::{
    Changeset, ConnectionStore as _, CustomerStore as _, DeliveryState, DeliveryStore as _, Store, Write,
};
use upsert_testkit::records::{delivery_error, delivery_id, delivery_record, noon, plain_progress};

#[tokio::test(start_paused = true)]
async fn a_repeat_unsafe_request_is_never_sent_twice_after_an_unknown_outcome() {
    let vendor = Vendor::new(Repeat::Unsafe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    vendor.then([Act::AcceptUnseen]);
    let answer = house
        .upsert(json!({ "reference": "r", "given_name": "A" }))
        .await
        .unwrap();
    assert_eq!(answer.status, 502, "{}", answer.body);
    tokio::time::sleep(Duration::from_secs(4 * 3_600)).await;
    assert_eq!(vendor.calls(), 1);
    assert_eq!(body(&answer)["deliveries"][0]["error"]["state_at_vendor"], "unknown");
}

#[tokio::test(start_paused = true)]
async fn a_repeat_safe_request_is_sent_again_and_leaves_one_record() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    vendor.then([Act::AcceptUnseen, Act::Down]);
    let answer = house
        .upsert(json!({ "reference": "r", "given_name": "A" }))
        .await
        .unwrap();
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(vendor.calls(), 3);
    assert_eq!(vendor.record("r"), json!({ "ref": "r", "first": "A" }));
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_is_down_for_a_day_gets_the_latest_state_in_one_call_when_it_is_back() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    vendor.usually(Act::Down);
    let first = house
        .upsert(json!({ "reference": "r", "given_name": "A" }))
        .await
        .unwrap();
    assert_eq!(first.status, 202);
    let mut all = vec![first];
    for n in 0..5 {
        tokio::time::sleep(Duration::from_secs(4 * 3_600)).await;
        all.push(
            house
                .upsert(json!({ "reference": "r", "notes": format!("n{n}") }))
                .await
                .unwrap(),
        );
    }
    let tried = vendor.calls();
    assert!(
        (20..60).contains(&tried),
        "delays grow to an hour: {tried} calls in a day"
    );
    vendor.usually(Act::Accept);
    tokio::time::sleep(Duration::from_secs(2 * 3_600)).await;
    assert_eq!(vendor.calls(), tried + 1);
    assert_eq!(vendor.record("r"), json!({ "ref": "r", "first": "A", "notes": "n4" }));
    for answer in &all {
        assert_eq!(house.look(answer).await["state"], "succeeded");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_max_age_fails_for_good() {
    let vendor = Vendor::new(Repeat::Safe);
    let mut short = connection("v", &vendor);
    short.max_age = Duration::from_secs(3_600);
    let house = House::new(vec![short]).await;
    vendor.usually(Act::Down);
    let answer = house.upsert(json!({ "reference": "r" })).await.unwrap();
    assert_eq!(answer.status, 202);
    tokio::time::sleep(Duration::from_secs(4 * 3_600)).await;
    let shown = house.look(&answer).await;
    assert_eq!(
        (&shown["state"], &shown["deliveries"][0]["error"]["kind"]),
        (&json!("failed"), &json!("transient"))
    );
    let tried = vendor.calls();
    tokio::time::sleep(Duration::from_secs(24 * 3_600)).await;
    assert_eq!(vendor.calls(), tried);
}

#[tokio::test(start_paused = true)]
async fn the_first_success_makes_all_that_waits_at_the_connection_due_at_once() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    vendor.usually(Act::Down);
    let mut all = Vec::new();
    for n in 0..10 {
        all.push(house.upsert(json!({ "reference": format!("r{n}") })).await.unwrap());
    }
    tokio::time::sleep(Duration::from_secs(3 * 3_600)).await;
    vendor.usually(Act::Accept);
    let back = house.upsert(json!({ "reference": "new" })).await.unwrap();
    assert_eq!(back.status, 201, "{}", back.body);
    tokio::time::sleep(Duration::from_secs(5)).await;
    for answer in &all {
        assert_eq!(house.look(answer).await["state"], "succeeded");
    }
}

#[tokio::test(start_paused = true)]
async fn edits_of_one_customer_go_one_at_a_time_and_in_order() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = Arc::new(House::new(vec![connection("v", &vendor)]).await);
    house.upsert(json!({ "reference": "r" })).await.unwrap();
    vendor.usually(Act::Slow(Duration::from_millis(300)));
    let mut tasks = Vec::new();
    for n in 0..8 {
        let other = house.clone();
        tasks.push(async move {
            other
                .upsert(json!({ "reference": "r", "notes": format!("n{n}") }))
                .await
        });
    }
    let answers = futures_util::future::join_all(tasks).await;
    for answer in answers {
        assert_eq!(answer.unwrap().status, 200);
    }
    assert!(vendor.calls() <= 4, "what waited was joined: {} calls", vendor.calls());
    let known = house
        .store
        .customers("acme", &upsert_store::CustomerFilter::default(), None, 10)
        .await
        .unwrap();
    let notes = known.entries[0]
        .customer
        .text(upsert_core::Field::Notes)
        .unwrap()
        .to_owned();
    assert_eq!(vendor.record("r")["notes"], json!(notes));
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_process_had_in_flight_is_sent_again_by_the_next_one() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    vendor.usually(Act::Slow(Duration::from_secs(1_000_000)));
    let upsert = house.upsert(json!({ "reference": "r", "given_name": "A" }));
    assert!(
        tokio::time::timeout(Duration::from_secs(1), upsert).await.is_err(),
        "the process dies during the call"
    );
    house.kill().await;
    assert_eq!(vendor.calls(), 1);

    let after = Vendor::new(Repeat::Safe);
    let next = House::on(house.store.clone(), house.clock.clone(), vec![connection("v", &after)]).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(after.calls(), 1);
    assert_eq!(after.record("r"), json!({ "ref": "r", "first": "A" }));
    let open = next.store.waiting().await.unwrap();
    assert!(open.is_empty(), "{open:?}");
}

#[tokio::test(start_paused = true)]
async fn what_waited_behind_a_delivery_goes_out_at_once_if_the_process_died_before_calling_it() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    vendor.usually(Act::Slow(Duration::from_secs(1_000_000)));
    for name in ["A", "B"] {
        let body = json!({ "reference": "r", "given_name": name });
        house
            .command(body, |command| command.respond_async = true)
            .await
            .unwrap();
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    house.kill().await;
    // The last thing that it did: the first delivery's result is durable, the second one has not been called.
    let mut first = house.store.abandoned(None, 2).await.unwrap().remove(0);
    let known = house.store.customer("acme", first.customer).await.unwrap().unwrap();
    let mut lane = known.lane("v").unwrap().clone();
    lane.end_call();
    let _nobody_else_is_there = lane.change();
    first = first.with_progress(plain_progress(DeliveryState::Succeeded));
    let changes = Changeset {
        write: vec![Write::PutLane(lane), Write::PutDelivery(first, None)],
        ..Changeset::of("acme")
    };
    house.store.apply(changes).await.unwrap();

    let after = Vendor::new(Repeat::Safe);
    let next = House::on(house.store.clone(), house.clock.clone(), vec![connection("v", &after)]).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(after.record("r")["first"], "B");
    assert!(next.store.waiting().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_process_had_in_flight_is_not_sent_again_where_that_is_not_safe() {
    let vendor = Vendor::new(Repeat::Unsafe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    vendor.usually(Act::Slow(Duration::from_secs(1_000_000)));
    let upsert = house.upsert(json!({ "reference": "r", "given_name": "A" }));
    assert!(tokio::time::timeout(Duration::from_secs(1), upsert).await.is_err());
    house.kill().await;

    let after = Vendor::new(Repeat::Unsafe);
    let next = House::on(house.store.clone(), house.clock.clone(), vec![connection("v", &after)]).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(after.calls(), 0);
    assert!(next.store.waiting().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_field_of_unknown_outcome_is_sent_again_even_if_it_is_back_to_what_was_accepted() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    house
        .upsert(json!({ "reference": "r", "given_name": "A" }))
        .await
        .unwrap();
    vendor.usually(Act::AcceptUnseen);
    let unseen = house
        .upsert(json!({ "reference": "r", "given_name": "B" }))
        .await
        .unwrap();
    assert_eq!(unseen.status, 202);
    assert_eq!(vendor.record("r")["first"], "B");
    let back = house
        .upsert(json!({ "reference": "r", "given_name": "A" }))
        .await
        .unwrap();
    assert_eq!(back.status, 202, "it waits in the place of the other one");
    vendor.usually(Act::Accept);
    tokio::time::sleep(Duration::from_secs(3_700)).await;
    assert_eq!(vendor.record("r")["first"], "A");
}

#[tokio::test(start_paused = true)]
async fn a_paused_connection_is_probed_rarely_and_resumes_with_everything_that_waited() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    vendor.usually(Act::Unauthorised);
    let mut all = Vec::new();
    for n in 0..20 {
        all.push(house.upsert(json!({ "reference": format!("r{n}") })).await.unwrap());
    }
    assert_eq!(vendor.calls(), 1);
    tokio::time::sleep(Duration::from_secs(24 * 3_600)).await;
    assert!(vendor.calls() <= 26, "about one probe an hour: {}", vendor.calls());
    for answer in &all {
        assert_eq!(house.look(answer).await["deliveries"][0]["waiting_for"], "paused");
    }
    vendor.usually(Act::Accept);
    tokio::time::sleep(Duration::from_secs(2 * 3_600)).await;
    for answer in &all {
        assert_eq!(house.look(answer).await["state"], "succeeded");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_credentials_that_were_replaced_meanwhile_pauses_nothing_and_is_tried_anew_at_once() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    vendor.then([Act::SlowlyUnauthorised(Duration::from_secs(1))]);
    let renewed = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let with_another_credential = upsert_app::Connection {
            fingerprint: "another".to_owned(),
            ..connection("v", &vendor)
        };
        let directory = upsert_app::Directory::new([merchant(vec![with_another_credential])]);
        house.gateway.operations.replace_directory(directory);
    };
    let (answer, ()) = tokio::join!(house.upsert(json!({ "reference": "r" })), renewed);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let shown = house.look(&answer.unwrap()).await;
    assert_eq!((&shown["state"], vendor.calls()), (&json!("succeeded"), 2), "{shown}");
    let paused = house.store.connections().await.unwrap();
    assert!(paused.iter().all(|record| record.pause.is_none()));
}

#[tokio::test(start_paused = true)]
async fn the_time_spent_paused_does_not_count_as_age() {
    let vendor = Vendor::new(Repeat::Safe);
    let mut short = connection("v", &vendor);
    short.max_age = Duration::from_secs(3_600);
    let house = House::new(vec![short]).await;
    vendor.usually(Act::Unauthorised);
    let answer = house.upsert(json!({ "reference": "r" })).await.unwrap();
    tokio::time::sleep(Duration::from_secs(24 * 3_600)).await;
    vendor.usually(Act::Down);
    tokio::time::sleep(Duration::from_secs(2 * 3_600)).await;
    vendor.usually(Act::Accept);
    tokio::time::sleep(Duration::from_secs(3 * 3_600)).await;
    let shown = house.look(&answer).await;
    assert!(
        shown["state"] == "succeeded" || shown["deliveries"][0]["attempts"].as_u64() > Some(20),
        "{shown}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_caller_is_answered_at_the_deadline_and_not_later() {
    let vendor = Vendor::new(Repeat::Safe);
    let mut patient = connection("v", &vendor);
    patient.timeout = Duration::from_secs(100);
    let house = House::new(vec![patient]).await;
    vendor.usually(Act::Slow(Duration::from_secs(60)));
    let started = tokio::time::Instant::now();
    let answer = house.upsert(json!({ "reference": "r" })).await.unwrap();
    assert_eq!(answer.status, 202);
    assert_eq!(started.elapsed().as_secs(), 10);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(house.look(&answer).await["state"], "succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up_strands_nothing() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    for n in 0..50_u64 {
        let upsert = house.upsert(json!({ "reference": format!("r{n}"), "given_name": "A" }));
        let _hung_up = tokio::time::timeout(Duration::from_micros(n * 10), upsert).await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(house.store.waiting().await.unwrap().is_empty());
    let customers = house
        .store
        .customers("acme", &upsert_store::CustomerFilter::default(), None, 100)
        .await
        .unwrap();
    for known in &customers.entries {
        assert_eq!(vendor.record(known.customer.reference().unwrap())["first"], "A");
    }
    assert_eq!(vendor.calls(), customers.entries.len());
}

#[tokio::test(start_paused = true)]
async fn a_slow_optional_connection_never_delays_the_answer() {
    let (quick, slow) = (Vendor::new(Repeat::Safe), Vendor::new(Repeat::Safe));
    slow.usually(Act::Slow(Duration::from_secs(5)));
    let mut optional = connection("slow", &slow);
    optional.required = false;
    let house = House::new(vec![connection("quick", &quick), optional]).await;
    let started = tokio::time::Instant::now();
    let answer = house.upsert(json!({ "reference": "r" })).await.unwrap();
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(body(&answer)["state"], "pending");
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(house.look(&answer).await["state"], "succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_refused_new_customer_stays_if_a_newer_version_already_waits() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = Arc::new(House::new(vec![connection("v", &vendor)]).await);
    vendor.then([Act::Slow(Duration::from_secs(1))]);
    let other = house.clone();
    let first = house.upsert(json!({ "reference": "r", "given_name": "A" }));
    let second = async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        other.upsert(json!({ "reference": "r", "given_name": "B" })).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.unwrap().status, second.unwrap().status), (201, 200));
    assert_eq!(vendor.record("r")["first"], "B");
    let open = house.store.waiting_at("acme", "v", None, 10).await.unwrap();
    assert!(
        open.iter().all(|delivery| delivery.state() != DeliveryState::Pending),
        "{open:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_refuses_and_sends_nothing() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::quiet(Arc::default(), TokioClock::new(), vec![connection("v", &vendor)]).await;
    house.store.fail_next(1);
    let refused = house.upsert(json!({ "reference": "r" })).await.unwrap_err();
    assert_eq!(refused.code.status(), 500);
    assert_eq!(vendor.calls(), 0);
    assert_eq!(house.upsert(json!({ "reference": "r" })).await.unwrap().status, 201);
}

#[tokio::test(start_paused = true)]
async fn what_is_durable_is_never_answered_as_refused_though_the_store_cannot_be_asked() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = Arc::new(House::quiet(Arc::default(), TokioClock::new(), vec![connection("v", &vendor)]).await);
    vendor.usually(Act::Slow(Duration::from_secs(30)));
    let first = house.clone();
    let first = tokio::spawn(async move { first.upsert(json!({ "reference": "r" })).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let behind = house.clone();
    let behind = tokio::spawn(async move { behind.upsert(json!({ "reference": "r", "notes": "n" })).await });
    assert_eq!(first.await.unwrap().unwrap().status, 202);
    // At its own deadline, a second later, the other one asks the store how it stands.
    house.store.fail_next(1);
    assert_eq!(behind.await.unwrap().unwrap().status, 202);
    vendor.usually(Act::Accept);
    house
        .upsert(json!({ "reference": "x" }))
        .await
        .expect("the failure was used up");
}

#[tokio::test(start_paused = true)]
async fn an_answer_about_another_record_than_the_request_named_makes_no_link() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    vendor.then([Act::Elsewhere]);
    let answer = house.upsert(json!({ "reference": "r" })).await.unwrap();
    assert_eq!(answer.status, 502, "{}", answer.body);
    let delivery = body(&answer)["deliveries"][0].clone();
    assert_eq!(
        (&delivery["error"]["kind"], &delivery["error"]["code"]),
        (&json!("broken_contract"), &json!("other_record"))
    );
    let again = house.upsert(json!({ "reference": "r" })).await.unwrap();
    assert_eq!((again.status, vendor.calls()), (200, 2), "{}", again.body);
}

/// The attempts of the upsert's one delivery.
#[expect(clippy::unwrap_used, reason = "a test may panic")]
async fn attempts(house: &House, answer: &Answer) -> Vec<Attempt> {
    let id = body(answer)["deliveries"][0]["id"].as_str().unwrap().parse().unwrap();
    let shown = house
        .gateway
        .queries
        .get_delivery(None, id, Visibility::Whole)
        .await
        .unwrap();
    shown.attempt_log
}

#[tokio::test(start_paused = true)]
async fn every_attempt_tells_what_it_sent_and_what_it_failed_of_itself() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    vendor.then([Act::AcceptUnseen, Act::Down]);
    let answer = house
        .upsert(json!({ "reference": "r", "given_name": "A" }))
        .await
        .unwrap();
    assert_eq!(answer.status, 201, "{}", answer.body);
    let log = attempts(&house, &answer).await;
    let states = log.iter().map(|attempt| Some(attempt.error.as_ref()?.state_at_vendor));
    let states: Vec<_> = states.collect();
    assert_eq!(
        states,
        [Some(StateAtVendor::Unknown), Some(StateAtVendor::Unchanged), None]
    );
    for attempt in &log {
        let sent = SentRequest {
            method: "PUT".to_owned(),
            path: Some("/".to_owned()),
            body: json!({ "ref": "r", "first": "A" }),
        };
        assert!(attempt.request == Some(sent), "attempt {}", attempt.number);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_outcome_is_unknown_shows_what_was_sent() {
    let vendor = Vendor::new(Repeat::Safe);
    let (store, clock) = (Arc::new(upsert_testkit::MemoryStore::new()), TokioClock::new());
    let house = House::on(store.clone(), clock.clone(), vec![connection("v", &vendor)]).await;
    vendor.then([Act::Slow(Duration::from_secs(60))]);
    let command = |command: &mut upsert_app::UpsertCommand| command.respond_async = true;
    let answer = house
        .command(json!({ "reference": "r", "given_name": "A" }), command)
        .await
        .unwrap();
    assert_eq!(answer.status, 202, "{}", answer.body);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(vendor.calls(), 1, "it is under way");
    house.kill().await;
    let next = House::quiet(store, clock, vec![connection("v", &Vendor::new(Repeat::Safe))]).await;
    let log = attempts(&next, &answer).await;
    let sent = log[0].request.as_ref().unwrap();
    assert_eq!(sent.body, json!({ "ref": "r", "first": "A" }));
    assert_eq!((log[0].ended_at, &log[0].error), (None, &None));
}

#[tokio::test(start_paused = true)]
async fn nothing_that_is_written_about_an_attempt_shows_what_it_sent_or_was_told() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    vendor.then([Act::Reject]);
    let answer = house
        .upsert(json!({ "reference": "canary", "given_name": "Ada" }))
        .await
        .unwrap();
    let id = body(&answer)["deliveries"][0]["id"].as_str().unwrap().parse().unwrap();
    let attempts = house.store.attempts("acme", id).await.unwrap();
    assert!(attempts[0].request.is_some() && attempts[0].error.is_some());
    let causes = house
        .gateway
        .queries
        .failures_by_cause(&house.merchant, "v", Visibility::Whole)
        .await
        .unwrap();
    assert_eq!(causes.data[0].sample_detail, "as the script says");
    let delivery = house.store.delivery("acme", id).await.unwrap().unwrap();
    let written = Write::PutDelivery(delivery, Some(attempts[0].clone()));
    let shown = format!("{attempts:?} {causes:?} {written:?}");
    for secret in ["canary", "Ada", "as the script says"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_failed_is_told_however_many_wait_that_were_never_tried() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    vendor.then([Act::Reject]);
    let refused = house
        .upsert(json!({ "reference": "r", "given_name": "Ada" }))
        .await
        .unwrap();
    assert_eq!(refused.status, 422, "{}", refused.body);
    let waits = (0..3_500).map(|number| {
        let id = delivery_id(u128::from(u32::MAX) + number);
        Write::PutDelivery(
            delivery_record(&house.merchant.id, "v", id, DeliveryState::Waiting),
            None,
        )
    });
    let changes = Changeset {
        write: waits.collect(),
        ..Changeset::of(&house.merchant.id)
    };
    house.store.apply(changes).await.unwrap();
    let causes = house
        .gateway
        .queries
        .failures_by_cause(&house.merchant, "v", Visibility::Masked);
    let causes = causes.await.unwrap();
    assert_eq!((causes.data.len(), causes.data[0].count), (1, 1));
    assert_eq!(causes.data[0].sample_detail, "•••");
    assert!(causes.counted_all);
}

#[tokio::test(start_paused = true)]
async fn a_causes_count_is_the_count_of_all_and_where_it_is_not_the_page_says_so() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("v", &vendor)]).await;
    let fail = |numbers: std::ops::Range<u128>| {
        let write = numbers.map(|number| {
            let id = delivery_id(u128::from(u32::MAX) + number);
            let mut delivery = delivery_record(&house.merchant.id, "v", id, DeliveryState::InFlight);
            let error = delivery_error(ErrorKind::Rejected, Some("E1"));
            delivery.note_failed_call(&error, true, 1);
            delivery.fail(error, noon());
            Write::PutDelivery(delivery, None)
        });
        house.store.apply(Changeset {
            write: write.collect(),
            ..Changeset::of(&house.merchant.id)
        })
    };
    let counted = async || {
        let queries = &house.gateway.queries;
        let causes = queries
            .failures_by_cause(&house.merchant, "v", Visibility::Whole)
            .await
            .unwrap();
        (causes.data[0].count, causes.counted_all)
    };
    fail(0..4_000).await.unwrap();
    assert_eq!(counted().await, (4_000, true));
    fail(4_000..20_001).await.unwrap();
    assert_eq!(counted().await, (20_000, false));
}
