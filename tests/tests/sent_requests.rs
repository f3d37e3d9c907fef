//! What was sent to a vendor and what it said to it, attempt by attempt: for who may see customers, for who may not, and
//! never with a credential.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value as Json, json};
use upsert_simulators::{Answer, Effect, Fault};
use upsert_tests::{Answered, Plan, Vendored, World, api_key};

const PATIENCE: Duration = Duration::from_secs(20);

/// May look after deliveries and not at customers.
const OPERATOR: &str = "a-key-that-may-not-see-customers";

/// What the gateway signs in with at the three vendors.
const CREDENTIALS: [&str; 3] = ["rotor_sim_secret", "sim-key", "sandbox_sk_sim"];

fn ann() -> Json {
    json!({ "reference": "ann", "given_name": "Ann", "family_name": "Lee", "email": "ann@x.example", "phone": "2025550123" })
}

async fn world() -> World {
    World::with(plan()).await
}

fn plan() -> Plan {
    Plan {
        gateway: api_key("operator", OPERATOR, "acme", "ops:read"),
        ..Plan::default()
    }
}

#[expect(clippy::disallowed_methods, reason = "a client of the test's own")]
async fn as_operator(world: &World, path: &str) -> Json {
    let response = reqwest::Client::new()
        .get(format!("{}{path}", world.url()))
        .bearer_auth(OPERATOR)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.json().await.unwrap()
}

fn path_of(delivery: &Json) -> String {
    format!("/v1/deliveries/{}", delivery["id"].as_str().unwrap())
}

/// The bodies of the calls that the vendor took in.
fn bodies(vendor: &Vendored) -> Vec<Json> {
    let entries = vendor.journal().entries();
    let calls = entries.iter().filter(|entry| entry.method == "POST");
    calls.map(|entry| serde_json::from_str(&entry.body).unwrap()).collect()
}

fn says(status: u16, body: &'static str) -> Fault {
    Fault::once(Effect::Answer(Answer::new(status).body(body)))
}

const INVALID: &str =
    r#"{"status":"error","message":"Validation failed","errors":[{"field":"email","message":"Invalid email format"}]}"#;

/// Rotor cannot take it at first, and then refuses it.
async fn refused(world: &World) -> Answered {
    world
        .rotor
        .faults()
        .add(says(503, "{\"message\":\"back in a minute\"}"));
    world.rotor.faults().add(says(400, INVALID));
    let refused = world.upsert(&ann()).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    refused
}

#[tokio::test]
async fn each_attempt_shows_what_was_sent_and_the_vendors_own_words_to_it() {
    let world = world().await;
    let refused = refused(&world).await;
    let shown = world.get(&path_of(refused.delivery("rotor"))).await;
    let log = shown.body["attempt_log"].as_array().unwrap();
    let results: Vec<_> = log.iter().map(|attempt| &attempt["result"]).collect();
    assert_eq!(results, ["transient", "rejected"], "{}", shown.text);
    let sent = bodies(&world.rotor);
    assert_eq!(sent[1]["email"], "ann@x.example");
    for (attempt, sent) in log.iter().zip(&sent) {
        let request = json!({ "method": "POST", "path": "/customers", "body": sent });
        assert_eq!(attempt["request"], request);
    }
    assert_eq!(log[0]["error"]["vendor_status"], 503);
    assert_eq!(log[0]["error"]["kind"], "transient");
    assert_eq!(log[1]["error"]["errors"][0]["detail"], "Invalid email format");
    assert_eq!(log[1]["error"], shown.body["error"], "the last one's is the delivery's");

    let april = world.get(&path_of(refused.delivery("april"))).await;
    let attempt = &april.body["attempt_log"][0];
    assert_eq!(attempt["error"], Json::Null, "it went well");
    assert_eq!(attempt["request"]["body"], bodies(&world.april)[0]);
}

#[tokio::test]
async fn without_the_scope_to_see_customers_only_the_shape_of_a_request_is_shown() {
    let world = world().await;
    let refused = refused(&world).await;
    let shown = as_operator(&world, &path_of(refused.delivery("rotor"))).await;
    let request = &shown["attempt_log"][0]["request"];
    assert_eq!((&request["method"], &request["path"]), (&json!("POST"), &Json::Null));
    let names = |body: &Json| body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&request["body"]), names(&bodies(&world.rotor)[0]));
    assert_eq!(request["body"]["email"], "•••");
    let april = as_operator(&world, &path_of(refused.delivery("april"))).await;
    let wrapped = &april["attempt_log"][0]["request"]["body"]["UpsertConsumerCustomer"];
    assert_eq!(wrapped["emailAddress"], "•••", "{april}");
    for (shown, connection) in [(shown, "rotor"), (april, "april")] {
        let requests = shown["attempt_log"].to_string();
        for datum in ["ann@x.example", "2025550123", "Ann", "Lee"] {
            assert!(!requests.contains(datum), "{connection} shows {datum}: {requests}");
        }
    }
}

#[tokio::test]
async fn no_credential_is_in_what_is_kept_of_a_request_or_of_an_answer() {
    let mut world = World::with(Plan {
        // It looks into the store's file.
        is_one_process: true,
        ..plan()
    })
    .await;
    assert_eq!(world.upsert(&ann()).await.status, 201);
    let changed = world
        .upsert(&json!({ "reference": "ann", "family_name": "Leigh" }))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let deliveries = world.get("/v1/deliveries").await;
    let deliveries = deliveries.body["data"].as_array().unwrap();
    assert_eq!(deliveries.len(), 6);
    for delivery in deliveries {
        let shown = world.get(&path_of(delivery)).await;
        assert!(
            shown.body["attempt_log"][0]["request"]["body"].is_object(),
            "{}",
            shown.text
        );
        for credential in CREDENTIALS {
            assert!(!shown.text.contains(credential), "{}", shown.text);
        }
    }
    for (vendor, credential) in [&world.rotor, &world.wallet, &world.april].into_iter().zip(CREDENTIALS) {
        let sent = vendor.journal().entries();
        let has_it = |(_, value): &(String, String)| value.contains(credential);
        assert!(sent[0].headers.iter().any(has_it), "{credential} was sent all the same");
    }
    world.stop().await;
    let data = world.folder().join("data");
    for file in std::fs::read_dir(data).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for credential in CREDENTIALS {
            let mut windows = bytes.windows(credential.len());
            assert!(
                !windows.any(|window| window == credential.as_bytes()),
                "{credential} is in the store"
            );
        }
    }
}

#[tokio::test]
async fn a_connection_tells_how_many_dead_letters_it_has_and_what_they_failed_of() {
    let world = world().await;
    let unknown = world.get("/v1/connections/acme/nowhere/failures").await;
    assert_eq!((unknown.status, unknown.code()), (404, "not_found"));
    let failures = "/v1/connections/acme/rotor/failures";
    assert_eq!(
        world.get(failures).await.body,
        json!({ "data": [], "counted_all": true })
    );

    let person = |number: u32| json!({ "reference": format!("c{number}"), "given_name": "Ann", "family_name": "Lee", "email": format!("c{number}@x.example"), "phone": format!("202555{:04}", 1000 + number) });
    let mut refused = Vec::new();
    let full = r#"{"status":"error","message":"The plan is full","error_code":"plan_full"}"#;
    for (number, words) in [(0, INVALID), (1, full), (2, INVALID)] {
        world.rotor.faults().add(says(400, words));
        refused.push(world.upsert(&person(number)).await);
    }
    let newest = &refused[2];

    let masked = as_operator(&world, failures).await;
    assert_eq!(masked["data"][0]["sample_detail"], "•••", "words may repeat a value");
    let causes = world.get(failures).await.body["data"].as_array().unwrap().clone();
    let invalid = &causes[0];
    assert_eq!(
        (&invalid["kind"], &invalid["count"]),
        (&json!("rejected"), &json!(2)),
        "{causes:?}"
    );
    assert_eq!(invalid["newest_delivery_id"], newest.delivery("rotor")["id"]);
    assert_eq!(invalid["sample_detail"], newest.delivery("rotor")["error"]["detail"]);
    assert_eq!(invalid["states"], json!({ "failed": 2 }));
    assert_eq!(
        (&causes[1]["code"], &causes[1]["count"]),
        (&json!("plan_full"), &json!(1))
    );
    assert_eq!(causes.len(), 2, "{causes:?}");

    let dead_letters = |page: &Answered| {
        let of = |one: &Json| {
            (
                one["name"].as_str().unwrap().to_owned(),
                one["dead_letters"].as_u64().unwrap(),
            )
        };
        page.body["data"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    let counted = dead_letters(&world.get("/v1/connections").await);
    let expected = [("rotor", 3), ("wallet", 0), ("april", 0)].map(|(name, count)| (name.to_owned(), count));
    assert_eq!(counted, expected);

    let replay = format!("{}/replay", path_of(newest.delivery("rotor")));
    let replayed = world.send(Method::POST, &replay, None, &[]).await;
    assert_eq!(replayed.status, 202, "{}", replayed.text);
    let less = |page: &Answered| dead_letters(page)[0].1 == 2;
    world.until("/v1/connections", PATIENCE, less).await;
}
