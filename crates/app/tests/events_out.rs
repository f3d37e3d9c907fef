//! Events that go out: told once and for certain, signed, tried again, and held up by nobody else's endpoint.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use common::events::{Got, Listener, key};
use common::untouched::untouched;
use common::{Act, House, TokioClock, Vendor, all_of_it, body, connection, merchant};
use jiff::SignedDuration;
use serde_json::json;

use upsert_api::{
    ConnectionState, EndpointState, Event, EventSelection, EventsDone, OutgoingFilter, RateLimit, UpsertFilter,
    Visibility,
};
use upsert_app::{Caller, Connection, ConnectionStatus, DeadLetterAction, DeadLetters, Directory, Endpoint, EventKind};
use upsert_core::{Clock as _, Held, Priority, Repeat};
use upsert_store::{Applied, Changeset, EventStore as _, OutgoingEvent, Store, UpsertStore as _, Write};
use upsert_testkit::MemoryStore;
use upsert_webhook::{Received, Verifier};

async fn house(connections: Vec<Connection>, endpoints: Vec<Endpoint>) -> House {
    on(Arc::new(MemoryStore::new()), TokioClock::new(), connections, endpoints).await
}

async fn on(
    store: Arc<MemoryStore>,
    clock: Arc<TokioClock>,
    connections: Vec<Connection>,
    endpoints: Vec<Endpoint>,
) -> House {
    let mut merchant = merchant(connections);
    merchant.endpoints = endpoints.into_iter().map(Arc::new).collect();
    let house = House::of(store, clock, merchant).await;
    house.gateway.run_background();
    house
}

async fn seconds(n: u64) {
    tokio::time::sleep(Duration::from_secs(n)).await;
}

fn ops() -> Caller {
    Caller { name: "ops".to_owned() }
}

async fn states(house: &House) -> BTreeMap<String, usize> {
    let mut states = BTreeMap::new();
    let queries = &house.gateway.queries;
    let page = queries
        .list_outgoing(&OutgoingFilter::default(), &all_of_it(), Visibility::Whole)
        .await;
    for event in page.unwrap().data {
        let Event::Outgoing(event) = event else {
            panic!("it goes out")
        };
        *states.entry(event.state.to_string()).or_default() += 1;
    }
    states
}

/// Replays every dead letter that goes out.
async fn replay_all(house: &House) -> EventsDone {
    let all = DeadLetters::Out(EventSelection::read(&json!({})).unwrap());
    let (caller, action) = (ops(), DeadLetterAction::Replay);
    let operations = &house.gateway.operations;
    let done = operations.event_dead_letters(&caller, None, all, action, Visibility::Whole, &|| Ok(()));
    done.await.unwrap()
}

fn is_signed(house: &House, got: &Got) -> bool {
    let headers = BTreeMap::from([
        ("webhook-id", got.id.clone()),
        ("webhook-timestamp", got.timestamp.to_string()),
        ("webhook-signature", got.signature.clone()),
    ]);
    let verifier = Verifier::Standard {
        keys: vec![key()],
        tolerance: Duration::from_secs(86_400),
    };
    let header = |name: &str| headers.get(name).cloned();
    let received = Received {
        header: &header,
        method: "POST",
        body: got.text.as_bytes(),
    };
    verifier.verify(&received, house.clock.now()).is_ok()
}

#[tokio::test(start_paused = true)]
async fn an_upsert_that_ended_well_is_told_once_with_its_answer_and_signed() {
    let (vendor, listener) = (Vendor::new(Repeat::Safe), Listener::new());
    let house = house(vec![connection("v", &vendor)], vec![listener.endpoint("hooks")]).await;
    let answer = house
        .upsert(json!({ "reference": "r", "given_name": "Ann" }))
        .await
        .unwrap();
    seconds(60).await;
    let got = listener.got();
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].body["type"], "customer.upserted");
    assert_eq!(got[0].body["data"], body(&answer));
    assert!(is_signed(&house, &got[0]));
    assert_eq!(states(&house).await, BTreeMap::from([("succeeded".to_owned(), 1)]));
}

#[tokio::test(start_paused = true)]
async fn an_upsert_that_changed_nothing_and_called_nobody_is_not_told() {
    let (vendor, listener) = (Vendor::new(Repeat::Safe), Listener::new());
    let house = house(vec![connection("v", &vendor)], vec![listener.endpoint("hooks")]).await;
    for _ in 0..3 {
        house
            .upsert(json!({ "reference": "r", "given_name": "Ann" }))
            .await
            .unwrap();
    }
    seconds(60).await;
    assert_eq!(listener.kinds(), ["customer.upserted"]);
}

#[tokio::test(start_paused = true)]
async fn thin_events_say_ids_alone() {
    let (vendor, listener) = (Vendor::new(Repeat::Safe), Listener::new());
    let mut endpoint = listener.endpoint("hooks");
    endpoint.payload = upsert_core::EventPayload::Ids;
    let house = house(vec![connection("v", &vendor)], vec![endpoint]).await;
    let answer = body(
        &house
            .upsert(json!({ "reference": "secret-7", "given_name": "Ann" }))
            .await
            .unwrap(),
    );
    vendor.usually(Act::Reject);
    house
        .upsert(json!({ "reference": "other", "given_name": "Bob" }))
        .await
        .unwrap();
    seconds(60).await;
    let got = listener.got();
    assert_eq!(
        got[0].body["data"],
        json!({
            "upsert_id": answer["upsert_id"],
            "customer": { "id": answer["customer"]["id"] },
            "deliveries": [{ "id": answer["deliveries"][0]["id"] }],
        })
    );
    assert_eq!(got[1].body["type"], "customer.delivery_failed");
    let members: Vec<&String> = got[1].body["data"].as_object().unwrap().keys().collect();
    assert_eq!(members, ["customer_id", "id", "upsert_id"]);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_failed_is_told_and_its_upsert_is_not() {
    let (good, bad, listener) = (Vendor::new(Repeat::Safe), Vendor::new(Repeat::Safe), Listener::new());
    let connections = vec![connection("good", &good), connection("bad", &bad)];
    let house = house(connections, vec![listener.endpoint("hooks")]).await;
    bad.usually(Act::Reject);
    let answer = house.upsert(json!({ "reference": "r" })).await.unwrap();
    seconds(60).await;
    let got = listener.got();
    assert_eq!(listener.kinds(), ["customer.delivery_failed"]);
    assert_eq!(got[0].body["data"]["connection"], "bad");
    assert_eq!(got[0].body["data"]["upsert_id"], body(&answer)["upsert_id"]);
    assert_eq!(got[0].body["data"]["error"]["kind"], "rejected");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_required_holds_no_event_back() {
    let (needed, other, listener) = (Vendor::new(Repeat::Safe), Vendor::new(Repeat::Safe), Listener::new());
    let mut optional = connection("other", &other);
    optional.required = false;
    let connections = vec![connection("needed", &needed), optional];
    let house = house(connections, vec![listener.endpoint("hooks")]).await;
    other.usually(Act::Down);
    house.upsert(json!({ "reference": "r" })).await.unwrap();
    seconds(5).await;
    assert_eq!(listener.kinds(), ["customer.upserted"]);
    other.usually(Act::Accept);
    seconds(7_200).await;
    assert_eq!(listener.kinds(), ["customer.upserted"], "once");
}

#[tokio::test(start_paused = true)]
async fn pausing_and_resuming_are_told_with_the_connection_as_it_is_then() {
    let (vendor, listener) = (Vendor::new(Repeat::Safe), Listener::new());
    let house = house(vec![connection("v", &vendor)], vec![listener.endpoint("hooks")]).await;
    vendor.then([Act::Unauthorised]);
    house.upsert(json!({ "reference": "r" })).await.unwrap();
    house
        .gateway
        .operations
        .pause(&house.merchant, "v", "ops")
        .await
        .unwrap();
    house
        .gateway
        .operations
        .resume(&house.merchant, "v", "ops")
        .await
        .unwrap();
    seconds(60).await;
    let got = listener.got();
    let mut kinds = listener.kinds();
    kinds.sort();
    assert_eq!(kinds, ["connection.paused", "connection.resumed", "customer.upserted"]);
    let paused = got.iter().find(|got| got.body["type"] == "connection.paused").unwrap();
    assert_eq!(
        (&paused.body["data"]["state"], &paused.body["data"]["paused_by"]),
        (&json!("paused"), &json!("vendor"))
    );
    let resumed = got.iter().find(|got| got.body["type"] == "connection.resumed").unwrap();
    assert_eq!(
        (&resumed.body["data"]["state"], &resumed.body["data"]["paused_by"]),
        (&json!("healthy"), &json!(null))
    );
}

#[derive(Debug)]
struct NearlySpent;

impl ConnectionStatus for NearlySpent {
    fn snapshot(&self) -> upsert_api::ConnectionStatus {
        let untouched = untouched();
        upsert_api::ConnectionStatus {
            rate_limit: RateLimit {
                per_day: Some(1_000),
                left_today: Some(99),
                left_today_for_bulk: Some(0),
                ..untouched.rate_limit
            },
            ..untouched
        }
    }
    fn state(&self) -> ConnectionState {
        ConnectionState::Healthy
    }
    fn room(&self, _: Priority) -> Result<usize, Held> {
        Ok(16)
    }
    fn through_in(&self, _: u64) -> Option<Duration> {
        None
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_is_running_out_is_told_once_a_day_through_restarts_and_pauses() {
    let (vendor, listener) = (Vendor::new(Repeat::Safe), Listener::new());
    let (store, clock) = (Arc::new(MemoryStore::new()), TokioClock::new());
    let spent = || {
        let mut connection = connection("v", &vendor);
        connection.counts_calls = true;
        connection.status = Arc::new(NearlySpent);
        vec![connection]
    };
    let first = on(store.clone(), clock.clone(), spent(), vec![listener.endpoint("hooks")]).await;
    seconds(60).await;
    first
        .gateway
        .operations
        .pause(&first.merchant, "v", "ops")
        .await
        .unwrap();
    first
        .gateway
        .operations
        .resume(&first.merchant, "v", "ops")
        .await
        .unwrap();
    first.kill().await;
    let _second = on(store, clock, spent(), vec![listener.endpoint("hooks")]).await;
    seconds(3_600).await;
    let told = || {
        listener
            .kinds()
            .iter()
            .filter(|kind| *kind == "quota.running_out")
            .count()
    };
    assert_eq!(told(), 1);
    seconds(86_400).await;
    assert_eq!(told(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_was_not_taken_comes_again_with_the_same_id_by_the_schedule() {
    let (vendor, listener) = (Vendor::new(Repeat::Safe), Listener::new());
    let house = house(vec![connection("v", &vendor)], vec![listener.endpoint("hooks")]).await;
    listener.then([Ok(500), Err("could not connect".to_owned()), Ok(302), Ok(200)]);
    house.upsert(json!({ "reference": "r" })).await.unwrap();
    seconds(3 * 3_600).await;
    let got = listener.got();
    assert_eq!(got.len(), 4);
    assert!(
        got.iter()
            .all(|one| one.id == got[0].id && one.body == got[0].body && is_signed(&house, one))
    );
    let waits: Vec<u64> = got.windows(2).map(|pair| (pair[1].at - pair[0].at).as_secs()).collect();
    assert!((5..=7).contains(&waits[0]) && (300..=331).contains(&waits[1]) && (1_800..=1_981).contains(&waits[2]));
    assert_eq!(states(&house).await, BTreeMap::from([("succeeded".to_owned(), 1)]));
}

#[tokio::test(start_paused = true)]
async fn gone_disables_the_endpoint_durably_until_it_is_enabled_and_its_dead_letters_are_replayed() {
    let (vendor, listener) = (Vendor::new(Repeat::Safe), Listener::new());
    let (store, clock) = (Arc::new(MemoryStore::new()), TokioClock::new());
    let connections = || vec![connection("v", &vendor)];
    let first = on(
        store.clone(),
        clock.clone(),
        connections(),
        vec![listener.endpoint("hooks")],
    )
    .await;
    listener.usually(410);
    first.upsert(json!({ "reference": "one" })).await.unwrap();
    seconds(10).await;
    first.kill().await;
    listener.usually(204);
    let second = on(store, clock, connections(), vec![listener.endpoint("hooks")]).await;
    second.upsert(json!({ "reference": "two" })).await.unwrap();
    seconds(86_400).await;
    assert_eq!(listener.got().len(), 1);
    assert_eq!(states(&second).await, BTreeMap::from([("failed".to_owned(), 2)]));
    let shown = second.gateway.queries.webhooks(|_| true).await.unwrap();
    assert_eq!(shown.endpoints[0].state, EndpointState::Disabled);
    assert_eq!(shown.endpoints[0].dead_letters, 2);
    second
        .gateway
        .operations
        .enable_endpoint(&second.merchant, "hooks", "ops")
        .await
        .unwrap();
    let done = replay_all(&second).await;
    assert_eq!((done.done, done.refused), (2, 0));
    seconds(10).await;
    let got = listener.got();
    assert_eq!(got.len(), 3);
    assert!(
        got[1..].iter().any(|again| again.id == got[0].id),
        "the same id as before"
    );
}

#[tokio::test(start_paused = true)]
async fn a_dead_endpoint_is_left_alone_and_gets_everything_once_it_is_back() {
    let (vendor, dead, living) = (Vendor::new(Repeat::Safe), Listener::new(), Listener::new());
    dead.usually(503);
    dead.takes(Duration::from_secs(15));
    let endpoints = vec![dead.endpoint("dead"), living.endpoint("living")];
    let house = house(vec![connection("v", &vendor)], endpoints).await;
    for n in 0..200 {
        house.upsert(json!({ "reference": format!("r{n}") })).await.unwrap();
    }
    seconds(5).await;
    assert_eq!(living.got().len(), 200, "a dead endpoint delays nobody");
    seconds(600).await;
    let tried = dead.got().len();
    assert!(tried < 60, "{tried} tries of 200 events in ten minutes");
    dead.usually(204);
    dead.takes(Duration::ZERO);
    seconds(120).await;
    let ids: BTreeSet<String> = dead.got().iter().map(|got| got.id.clone()).collect();
    assert_eq!(ids.len(), 200);
    assert_eq!(states(&house).await, BTreeMap::from([("succeeded".to_owned(), 400)]));
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_process_owed_is_told_by_the_next_one() {
    let (vendor, listener) = (Vendor::new(Repeat::Safe), Listener::new());
    let (store, clock) = (Arc::new(MemoryStore::new()), TokioClock::new());
    let first = on(
        store.clone(),
        clock.clone(),
        vec![connection("v", &vendor)],
        vec![listener.endpoint("hooks")],
    )
    .await;
    vendor.then([Act::Slow(Duration::from_secs(3_600))]);
    first
        .command(json!({ "reference": "r" }), |command| command.respond_async = true)
        .await
        .unwrap();
    first.kill().await;
    // Of the dead one the vendor has nothing.
    let vendor = Vendor::new(Repeat::Safe);
    let second = on(
        store,
        clock,
        vec![connection("v", &vendor)],
        vec![listener.endpoint("hooks")],
    )
    .await;
    seconds(600).await;
    assert_eq!(listener.kinds(), ["customer.upserted"]);
    let filter = UpsertFilter {
        merchant: "acme".to_owned(),
        ..UpsertFilter::default()
    };
    let page = second.store.upserts(&filter, None, 10).await.unwrap();
    assert!(page.entries.iter().all(|(upsert, _)| !upsert.owes_event()));
}

#[tokio::test(start_paused = true)]
async fn a_test_event_is_sent_at_once_and_told_of() {
    let (vendor, listener) = (Vendor::new(Repeat::Safe), Listener::new());
    let house = house(vec![connection("v", &vendor)], vec![listener.endpoint("hooks")]).await;
    listener.then([Ok(204), Ok(500), Err("could not connect".to_owned())]);
    let test = || house.gateway.operations.test_endpoint(&house.merchant, "hooks", "ops");
    assert!(test().await.unwrap().delivered);
    let refused = test().await.unwrap();
    assert_eq!((refused.delivered, refused.status), (false, Some(500)));
    assert_eq!(test().await.unwrap().error.as_deref(), Some("could not connect"));
    assert_eq!(listener.kinds()[0], "gateway.test");
    assert!(is_signed(&house, &listener.got()[0]));
    assert!(
        house
            .gateway
            .operations
            .test_endpoint(&house.merchant, "none", "ops")
            .await
            .is_err()
    );
    assert!(states(&house).await.is_empty(), "nothing of it is stored");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_hears_only_of_what_it_asked_for() {
    let (vendor, listener) = (Vendor::new(Repeat::Safe), Listener::new());
    let mut endpoint = listener.endpoint("hooks");
    endpoint.events = BTreeSet::from([EventKind::ConnectionPaused]);
    let house = house(vec![connection("v", &vendor)], vec![endpoint]).await;
    house.upsert(json!({ "reference": "r" })).await.unwrap();
    house
        .gateway
        .operations
        .pause(&house.merchant, "v", "ops")
        .await
        .unwrap();
    seconds(60).await;
    assert_eq!(listener.kinds(), ["connection.paused"]);
}

#[tokio::test(start_paused = true)]
async fn two_systems_that_tell_each_other_of_every_upsert_come_to_rest() {
    let (vendor, listener) = (Vendor::new(Repeat::Safe), Listener::new());
    let mut merchant = merchant(vec![connection("v", &vendor)]);
    merchant.sources = vec![Arc::new(common::events::source("mirror", None))];
    merchant.endpoints = vec![Arc::new(listener.endpoint("hooks"))];
    let house = House::of(Arc::new(MemoryStore::new()), TokioClock::new(), merchant).await;
    house.gateway.run_background();
    house
        .upsert(json!({ "reference": "r", "given_name": "Ann" }))
        .await
        .unwrap();
    let mut answered = 0;
    for _round in 0..20 {
        seconds(5).await;
        for got in listener.got().split_off(answered) {
            answered += 1;
            let customer = &got.body["data"]["customer"];
            let who = json!({ "ref": customer["reference"], "first": customer["given_name"] });
            house.told("mirror", &json!({ "id": got.id, "who": who })).await;
        }
    }
    assert_eq!(answered, 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_taken_comes_again_by_the_schedule_however_busy_the_endpoint_is() {
    for in_trouble_before in [false, true] {
        let (vendor, listener) = (Vendor::new(Repeat::Safe), Listener::new());
        let house = house(vec![connection("v", &vendor)], vec![listener.endpoint("hooks")]).await;
        if in_trouble_before {
            listener.then(vec![Ok(503); 5]);
            for n in 0..6 {
                house.upsert(json!({ "reference": format!("t{n}") })).await.unwrap();
            }
            seconds(4).await;
        }
        listener.takes(Duration::from_secs(2));
        let before = listener.got().len();
        listener.then([Ok(503)]);
        // There is always one under way.
        for n in 0..60 {
            house.upsert(json!({ "reference": format!("r{n}") })).await.unwrap();
            seconds(1).await;
        }
        let got = listener.got().split_off(before);
        let failed = got[0].id.clone();
        let tries = got.iter().filter(|got| got.id == failed).count();
        assert_eq!(tries, 2, "of the one that failed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_replayed_has_its_whole_schedule_again() {
    let (vendor, listener) = (Vendor::new(Repeat::Safe), Listener::new());
    let house = house(vec![connection("v", &vendor)], vec![listener.endpoint("hooks")]).await;
    house.upsert(json!({ "reference": "r" })).await.unwrap();
    seconds(1).await;
    let (all, tried) = (OutgoingFilter::default(), listener.got().len());
    let taken = house
        .store
        .outgoing_events(&all, None, 1)
        .await
        .unwrap()
        .entries
        .remove(0);
    let (body, old) = (
        r#"{"type":"customer.upserted"}"#,
        taken.created_at - SignedDuration::from_hours(100),
    );
    let mut event = OutgoingEvent::new(taken.id, "acme", "hooks", &taken.kind, body.to_owned(), old);
    event.give_up("the endpoint answered 503", old);
    let write = vec![Write::PutOutgoingEvent(event)];
    let given_up = Changeset {
        write,
        ..Changeset::of("acme")
    };
    assert_eq!(house.store.apply(given_up).await.unwrap(), Applied::Done);
    listener.usually(503);
    assert_eq!(replay_all(&house).await.done, 1);
    seconds(2).await;
    assert_eq!(listener.got().len(), tried + 1);
    listener.usually(204);
    seconds(60).await;
    assert_eq!(states(&house).await, BTreeMap::from([("succeeded".to_owned(), 1)]));
}

#[tokio::test(start_paused = true)]
async fn a_busy_endpoint_is_sent_to_as_it_is_configured_now() {
    let (vendor, old, new) = (Vendor::new(Repeat::Safe), Listener::new(), Listener::new());
    let house = house(vec![connection("v", &vendor)], vec![old.endpoint("hooks")]).await;
    // There is always one under way.
    old.takes(Duration::from_secs(2));
    new.takes(Duration::from_secs(2));
    for n in 0..20 {
        house.upsert(json!({ "reference": format!("r{n}") })).await.unwrap();
        seconds(1).await;
        if n == 9 {
            let mut changed = merchant(vec![connection("v", &vendor)]);
            changed.endpoints = vec![Arc::new(new.endpoint("hooks"))];
            house.gateway.operations.replace_directory(Directory::new([changed]));
        } else if n == 14 {
            let removed = merchant(vec![connection("v", &vendor)]);
            house.gateway.operations.replace_directory(Directory::new([removed]));
        }
    }
    assert_eq!((old.got().len(), new.got().len()), (10, 5));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_takes_its_time_holds_no_other_one_up() {
    let (vendor, listener) = (Vendor::new(Repeat::Safe), Listener::new());
    let house = house(vec![connection("v", &vendor)], vec![listener.endpoint("hooks")]).await;
    listener.takes(Duration::from_secs(15));
    house.upsert(json!({ "reference": "slow" })).await.unwrap();
    seconds(1).await;
    assert_eq!(listener.got().len(), 1);
    listener.takes(Duration::ZERO);
    house.upsert(json!({ "reference": "quick" })).await.unwrap();
    seconds(1).await;
    assert_eq!(listener.got().len(), 2);
}
