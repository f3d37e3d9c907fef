//! What events that go out say: the same as the API, or ids and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has to stop"
)]

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value as Json, json};
use upsert_simulators::{Answer, Effect, Fault};
use upsert_tests::{Answered, Came, Plan, Receiver, World};

const PATIENCE: Duration = Duration::from_secs(20);
const SECRET: &str = "whsec_b2xkIG9sZCBvbGQgb2xkIG9sZCBvbGQgMTIz";

const CANARIES: [&str; 6] = [
    "Canaria",
    "Zeisig",
    "zeisig.canaria",
    "202555014",
    "sings at night",
    "Yellowfeather",
];

fn canary(reference: &str) -> Json {
    json!({
        "reference": reference, "given_name": "Canaria", "family_name": "Zeisig",
        "email": format!("zeisig.canaria.{reference}@example.com"), "phone": format!("+1202555014{}", reference.len()), "notes": "sings at night",
        "metadata": { "plumage": "Yellowfeather" },
    })
}

/// Rotor alone, and two endpoints that are told everything: one in full, one ids.
async fn world(rotor: &str) -> (World, Receiver, Receiver) {
    let (full, ids) = (Receiver::start(SECRET), Receiver::start(SECRET));
    let events = "events = [\"customer.upserted\", \"customer.delivery_failed\", \"customer.erased\", \"connection.paused\", \
                  \"connection.resumed\", \"quota.running_out\"]\nsecret = { file = \"hook.secret\" }";
    let tables = format!(
        "\n[[webhooks.out]]\nurl = \"{}\"\n{events}\n\n[[webhooks.out]]\nurl = \"{}\"\npayload = \"ids\"\n{events}\n",
        full.url(),
        ids.url()
    );
    let plan = Plan {
        only: vec!["rotor"],
        rotor: rotor.to_owned(),
        tables,
        ..Plan::default()
    };
    let world = World::with_files(plan, &[("hook.secret", SECRET)]).await;
    (world, full, ids)
}

async fn told(receiver: &Receiver, kind: &str) -> Came {
    let is_it = |one: &Came| one.kind() == kind;
    let came = receiver.until(kind, PATIENCE, |came| came.iter().any(is_it)).await;
    came.into_iter().find(is_it).unwrap()
}

/// Of both endpoints; what the second one got holds nothing personal.
async fn told_both(full: &Receiver, ids: &Receiver, kind: &str) -> (Json, Json) {
    let (full, thin) = (told(full, kind).await, told(ids, kind).await);
    for one in [&full, &thin] {
        assert_eq!(one.doubt, None);
        assert!(one.body["timestamp"].as_str().unwrap().ends_with('Z'));
        assert_eq!(one.body.as_object().unwrap().len(), 3);
    }
    let leaked: Vec<_> = CANARIES.iter().filter(|canary| thin.text.contains(**canary)).collect();
    assert!(leaked.is_empty(), "{leaked:?} in {}", thin.text);
    (full.body["data"].clone(), thin.body["data"].clone())
}

fn rotor(answered: &upsert_tests::Answered) -> Json {
    answered.body["data"][0].clone()
}

#[tokio::test]
async fn an_upsert_that_went_well_is_told_as_the_api_shows_it() {
    let (world, full, ids) = world("").await;
    let answer = world.upsert(&canary("well")).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let (data, thin) = told_both(&full, &ids, "customer.upserted").await;
    for canary in CANARIES {
        assert!(
            data.to_string().contains(canary),
            "what is looked for below would be found: {canary}"
        );
    }
    let upsert = answer.body["upsert_id"].as_str().unwrap();
    let shown = world.get(&format!("/v1/upserts/{upsert}")).await;
    assert_eq!(data, shown.body);
    let delivery = &answer.delivery("rotor")["id"];
    let customer = answer.customer_id();
    assert_eq!(
        thin,
        json!({ "upsert_id": upsert, "customer": { "id": customer }, "deliveries": [{ "id": delivery }] })
    );
}

#[tokio::test]
async fn a_delivery_that_failed_for_good_is_told_as_the_api_shows_it_and_no_success_with_it() {
    let (world, full, ids) = world("").await;
    let refuses = Answer::new(422).body(json!({ "error": "Canaria is not welcome" }).to_string());
    world.rotor.faults().set(vec![Fault::always(Effect::Answer(refuses))]);
    let answer = world.upsert(&canary("badly")).await;
    assert_eq!(answer.delivery("rotor")["state"], "failed", "{}", answer.text);
    let (data, thin) = told_both(&full, &ids, "customer.delivery_failed").await;
    let listed = world.get("/v1/deliveries?state=failed").await;
    assert_eq!(data, listed.body["data"][0]);
    assert_eq!(data["error"]["vendor_status"], 422, "{data}");
    assert_eq!(
        thin,
        json!({ "id": data["id"], "upsert_id": answer.body["upsert_id"], "customer_id": answer.customer_id() })
    );
    world.rotor.faults().clear();
    world.upsert(&canary("well")).await;
    told(&full, "customer.upserted").await;
    assert_eq!(
        full.came().len(),
        2,
        "the failed one was told once, and not as a success"
    );
}

#[tokio::test]
async fn an_upsert_that_failed_is_told_when_a_replay_has_brought_it_home() {
    let receiver = Receiver::start(SECRET);
    let tables = format!(
        "\n[[webhooks.out]]\nurl = \"{}\"\nevents = [\"customer.upserted\"]\nsecret = {{ file = \"hook.secret\" }}\n",
        receiver.url()
    );
    let plan = Plan {
        only: vec!["rotor", "april"],
        tables,
        ..Plan::default()
    };
    let world = World::with_files(plan, &[("hook.secret", SECRET)]).await;
    world
        .rotor
        .faults()
        .set(vec![Fault::always(Effect::Answer(Answer::new(422)))]);
    let answer = world.upsert(&canary("late")).await;
    let delivery = answer.delivery("rotor");
    assert_eq!(
        (&answer.body["state"], &delivery["state"]),
        (&json!("failed"), &json!("failed")),
        "{}",
        answer.text
    );
    world.rotor.faults().clear();
    let path = format!("/v1/deliveries/{}/replay", delivery["id"].as_str().unwrap());
    let replayed = world.send(Method::POST, &path, None, &[]).await;
    assert_eq!(replayed.status, 202, "{}", replayed.text);
    let first = answer.body["upsert_id"].as_str().unwrap();
    let is_it = |one: &Came| one.body["data"]["upsert_id"] == *first;
    let came = receiver
        .until("the first upsert", PATIENCE, |came| came.iter().any(is_it))
        .await;
    assert_eq!(
        came.iter().find(|one| is_it(one)).unwrap().body["data"]["state"],
        "succeeded"
    );
    let shown = world.get(&format!("/v1/upserts/{first}")).await;
    assert_eq!(shown.body["state"], "succeeded");
}

#[tokio::test]
async fn a_connection_that_the_vendor_or_somebody_paused_and_that_goes_on_is_told_once_each() {
    let (world, full, ids) = world("").await;
    world
        .rotor
        .faults()
        .set(vec![Fault::always(Effect::Answer(Answer::new(401)))]);
    let answer = world.upsert(&canary("later")).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let (data, thin) = told_both(&full, &ids, "connection.paused").await;
    let is_paused = |connections: &Answered| rotor(connections)["state"] == "paused";
    let shown = rotor(&world.until_all("/v1/connections", PATIENCE, is_paused).await);
    assert_eq!(
        (&data["state"], &data["paused_by"]),
        (&json!("paused"), &json!("vendor")),
        "{data}"
    );
    assert_eq!(stable(&world, &data), stable(&world, &shown));
    assert_eq!(thin, json!({ "merchant_id": "acme", "name": "rotor" }));

    world.rotor.faults().clear();
    world
        .send(Method::POST, "/v1/connections/acme/rotor/resume", None, &[])
        .await;
    let (data, thin) = told_both(&full, &ids, "connection.resumed").await;
    let goes_on = |connections: &Answered| rotor(connections)["state"] != "paused";
    let shown = rotor(&world.until_all("/v1/connections", PATIENCE, goes_on).await);
    assert_ne!(data["state"], "paused", "{data}");
    assert_eq!(data.as_object().unwrap().len(), shown.as_object().unwrap().len());
    assert_eq!(thin, json!({ "merchant_id": "acme", "name": "rotor" }));
    told(&full, "customer.upserted").await;

    // Each of these tells once, however often it is asked for.
    for path in ["pause", "pause", "resume", "resume"] {
        world
            .send(Method::POST, &format!("/v1/connections/acme/rotor/{path}"), None, &[])
            .await;
    }
    let came = full.until_count(5, PATIENCE).await;
    let by_operator = &came
        .iter()
        .filter(|one| one.kind() == "connection.paused")
        .nth(1)
        .unwrap()
        .body["data"];
    assert_eq!(by_operator["paused_by"], "operator", "{by_operator}");
    let mut kinds: Vec<&str> = came.iter().map(Came::kind).collect();
    kinds.sort_unstable();
    let (paused, resumed) = ("connection.paused", "connection.resumed");
    assert_eq!(kinds, [paused, paused, resumed, resumed, "customer.upserted"]);
}

/// Without what moves by itself, and of several processes without what each has seen itself.
fn stable(world: &World, connection: &Json) -> Json {
    let mut connection = connection.clone();
    let mut left_out = vec![
        "oldest_waiting_seconds",
        "waiting",
        "in_flight",
        "work_seconds",
        "next_probe_at",
    ];
    if world.processes() > 1 {
        left_out.extend(["health", "breaker", "concurrency", "rate_limit"]);
    }
    for member in left_out {
        connection.as_object_mut().unwrap().remove(member);
    }
    connection
}

#[tokio::test]
async fn a_days_quota_that_is_nearly_used_up_is_told_once() {
    let (mut world, full, ids) = world("rate_limit = { per_day = 10, reserve = 0.0 }").await;
    for number in 1..=9 {
        let answer = world.upsert(&canary(&"q".repeat(number))).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    let (data, thin) = told_both(&full, &ids, "quota.running_out").await;
    assert_eq!(data["rate_limit"]["per_day"], 10);
    let shows_it = |connections: &Answered| rotor(connections)["rate_limit"] == data["rate_limit"];
    world.until_all("/v1/connections", PATIENCE, shows_it).await;
    assert_eq!(thin, json!({ "merchant_id": "acme", "name": "rotor" }));
    // Another process knows that it was told.
    world.restart().await;
    let before = full.came().len();
    world
        .upsert(&json!({ "reference": "last", "email": "last@example.com", "given_name": "Last" }))
        .await;
    full.until_count(before + 1, PATIENCE).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let quotas = full
        .came()
        .iter()
        .filter(|one| one.kind() == "quota.running_out")
        .count();
    assert_eq!(quotas, 1);
}
