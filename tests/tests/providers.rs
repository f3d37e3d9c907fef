//! What `GET /v1/providers` says is what the adapters do, and what vendors hold is read back in our words.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value as Json, json};

use upsert_core::field::Rule;
use upsert_core::{
    Clock, Customer, CustomerId, Field, IdSource, Kind, Selection, SystemClock, UpsertRequest, Value, Word as _,
};
use upsert_provider_kit::{ConnectionSetup, Credentials, Incoming, Outgoing, Transport, TransportError};
use upsert_simulators::{Answer, Effect, Fault};
use upsert_tests::{Plan, World};

#[derive(Debug)]
struct NoNetwork;

#[async_trait::async_trait]
impl Transport for NoNetwork {
    async fn send(&self, _: Outgoing) -> Result<Incoming, TransportError> {
        Err(TransportError::NotSent("there is no network".to_owned()))
    }
}

fn plausible(field: Field, kind: Kind) -> Value {
    match (field, field.rule()) {
        (Field::Kind, _) => Value::Text(kind.as_str().to_owned()),
        (_, Rule::Email) => Value::Text("a@x.example".to_owned()),
        (_, Rule::Phone) => Value::Text("+12025550123".to_owned()),
        (_, Rule::Country) => Value::Text("US".to_owned()),
        (_, Rule::Word(words)) => Value::Text(words[0].to_owned()),
        (_, Rule::Flag) => Value::Flag(true),
        (_, Rule::Tags) => Value::Tags(BTreeSet::from(["t".to_owned()])),
        (_, Rule::Map) => Value::Map(BTreeMap::from([("a".to_owned(), "b".to_owned())])),
        (_, Rule::Text(_)) => Value::Text("text".to_owned()),
    }
}

fn built(kind: &str) -> upsert_provider_kit::Built {
    let (name, secret, settings) = match kind {
        "rotor" => ("api_key", "rotor_x_y", json!({})),
        "add-update" => ("api_key", "k", json!({ "merchant_id": "m" })),
        _ => ("secret_key", "sandbox_sk_x", json!({})),
    };
    let credentials = Credentials::new([(name.to_owned(), secret.to_owned().into())].into());
    let setup = ConnectionSetup {
        base_url: None,
        credentials,
        settings,
        transport: Arc::new(NoNetwork),
        clock: Arc::new(SystemClock),
        send_traceparent: false,
    };
    upsert_registry::registry().build(kind, setup).unwrap()
}

fn request<'a>(customer: &'a Customer, customer_id: CustomerId, cleared: &'a BTreeSet<Field>) -> UpsertRequest<'a> {
    UpsertRequest {
        customer,
        customer_id,
        link: None,
        selection: Selection::All,
        cleared,
        tags_lost: false,
        provider_fields: None,
    }
}

#[tokio::test]
async fn what_get_providers_says_holds_against_prepare() {
    let world = World::start().await;
    let shown = world.get("/v1/providers").await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    let providers = shown.body["data"].as_array().unwrap();
    let names: Vec<&str> = providers.iter().filter_map(|p| p["name"].as_str()).collect();
    assert_eq!(names, ["add-update", "april", "rotor"]);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let id = IdSource::new(clock).customer("acme");
    for provider in providers {
        let adapter = built(provider["name"].as_str().unwrap()).provider;
        for form in provider["forms"].as_array().unwrap() {
            for kind in form["kinds"].as_array().unwrap() {
                let kind = if kind == "person" {
                    Kind::Person
                } else {
                    Kind::Organisation
                };
                let mut whole = Customer::default();
                for field in Field::ALL {
                    whole.set(*field, plausible(*field, kind));
                }
                let none = BTreeSet::new();
                let prepared = adapter.prepare(&request(&whole, id, &none)).unwrap();
                let said: BTreeSet<&str> = form["fields"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter_map(|f| f["pointer"].as_str())
                    .collect();
                let sent: BTreeSet<&str> = prepared.sent.values().map(|sent| sent.pointer.as_ref()).collect();
                assert_eq!(said, sent, "{provider}");
                let keys: Vec<Json> = prepared.matches_by.iter().map(|key| json!(key.kind)).collect();
                let said: Vec<Json> = form["match_keys"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|key| **key != "id")
                    .cloned()
                    .collect();
                assert_eq!(said, keys, "the match keys are named in the vendor's order");
                for field in form["fields"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|field| field["required"] == true)
                {
                    let pointer = field["pointer"].as_str().unwrap();
                    let mut lacking = Customer::default();
                    for (field, value) in whole.fields().filter(|(field, _)| field.pointer() != pointer) {
                        lacking.set(field, value.clone());
                    }
                    let violations = adapter.prepare(&request(&lacking, id, &none)).unwrap_err();
                    assert!(
                        violations.iter().any(|v| v.pointer == pointer),
                        "{pointer} is said to be required"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn what_rotor_holds_is_read_in_our_words_and_what_cannot_be_read_is_named() {
    let world = World::with(Plan {
        only: vec!["rotor"],
        ..Plan::default()
    })
    .await;
    let body = json!({ "reference": "r", "given_name": "Ann", "phone": "2025550123", "tags": ["vip"],
        "addresses": { "property": { "line1": "1 Main St", "city": "Springfield", "state": "IL", "postal_code": "62701", "country": "US" } },
        "service": { "type": "pest control" } });
    let made = world.upsert(&body).await;
    let id = made.delivery("rotor")["provider_customer_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let one = world.get(&format!("/v1/connections/acme/rotor/customers/{id}")).await;
    assert_eq!(one.status, 200, "{}", one.text);
    assert_eq!(one.body["linked_customer_id"], made.body["customer"]["id"]);
    assert_eq!(one.body["customer"]["addresses"]["property"]["line1"], "1 Main St");
    let unreadable: Vec<&str> = one.body["unreadable"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["pointer"].as_str())
        .collect();
    assert!(
        unreadable.contains(&"/service/type") && unreadable.contains(&"/addresses/billing/line1"),
        "{unreadable:?}"
    );
    for n in 0..3 {
        world
            .upsert(&json!({ "reference": format!("x{n}"), "given_name": "X", "phone": format!("202555014{n}") }))
            .await;
    }
    let mut seen = 0;
    let mut path = "/v1/connections/acme/rotor/customers?limit=2".to_owned();
    loop {
        let page = world.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.text);
        seen += page.body["data"].as_array().unwrap().len();
        match page.body["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/connections/acme/rotor/customers?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, 4);
    let found = world
        .get("/v1/connections/acme/rotor/customers?tag=vip&status=active")
        .await;
    assert_eq!(found.body["data"].as_array().unwrap().len(), 1, "{}", found.text);
    assert_eq!(
        world
            .get("/v1/connections/acme/rotor/customers/00000000-0000-4000-8000-000000000000")
            .await
            .status,
        404
    );
    assert_eq!(world.get("/v1/connections/acme/nobody/customers").await.status, 404);
    assert_eq!(world.get("/v1/connections/other/rotor/customers").await.status, 404);
}

#[tokio::test]
async fn reading_a_vendor_answers_for_its_limits_and_failures() {
    let world = World::with(Plan {
        wallet: "retry = { base = \"10ms\" }".to_owned(),
        ..Plan::default()
    })
    .await;
    let april = world.get("/v1/connections/acme/april/customers").await;
    assert_eq!(
        (april.status, april.code()),
        (501, "unsupported_by_provider"),
        "a secret key cannot read: {}",
        april.text
    );
    let filter = world.get("/v1/connections/acme/wallet/customers?tag=vip").await;
    assert_eq!(
        (filter.status, filter.code()),
        (400, "invalid_query"),
        "{}",
        filter.text
    );
    world
        .rotor
        .faults()
        .set(vec![Fault::once(Effect::Answer(Answer::new(500)))]);
    let down = world.get("/v1/connections/acme/rotor/customers").await;
    assert_eq!((down.status, down.code()), (502, "provider_failed"), "{}", down.text);
    world
        .rotor
        .faults()
        .set(vec![Fault::once(Effect::Answer(Answer::new(429).retry_after(7)))]);
    let throttled = world.get("/v1/connections/acme/rotor/customers").await;
    assert_eq!(
        (throttled.status, throttled.code()),
        (503, "overloaded"),
        "{}",
        throttled.text
    );
    let wait: u64 = throttled.header("retry-after").unwrap().parse().unwrap();
    assert!((7..=8).contains(&wait), "{wait}");
}

#[tokio::test]
async fn with_a_marketplace_key_april_can_be_read() {
    let world = World::with(Plan {
        only: vec!["april"],
        april_key: Some("sandbox_api_sim"),
        ..Plan::default()
    })
    .await;
    let body = json!({ "reference": "r", "given_name": "A", "family_name": "B", "email": "a@x.example", "phone": "2025550123" });
    let made = world.upsert(&body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let listed = world
        .get("/v1/connections/acme/april/customers?search=a@x.example")
        .await;
    assert_eq!(listed.body["data"][0]["customer"]["reference"], "r", "{}", listed.text);
    assert_eq!(
        listed.body["data"][0]["linked_customer_id"],
        made.body["customer"]["id"]
    );
}
