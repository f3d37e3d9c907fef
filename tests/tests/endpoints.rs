//! Endpoints that say no, that send us elsewhere, that never end, or that are where nobody should be: and what an operator
//! sees of them and does about them.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has to stop"
)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value as Json, json};
use standardwebhooks::Webhook;
use upsert_provider_kit::{Outgoing, Transport as _, TransportError, TransportOptions, Transports};
use upsert_settings::is_public;
use upsert_tests::{Answered, Came, Manner, Plan, Receiver, World};

const PATIENCE: Duration = Duration::from_secs(20);
const SECRET: &str = "whsec_b2xkIG9sZCBvbGQgb2xkIG9sZCBvbGQgMTIz";

fn endpoint(name: &str, url: &str, more: &str) -> String {
    format!(
        "\n[[webhooks.out]]\nname = \"{name}\"\nurl = \"{url}\"\nevents = [\"customer.upserted\"]\n\
         secret = {{ file = \"hook.secret\" }}\n{more}\n"
    )
}

async fn world(endpoints: &str) -> World {
    World::with_files(plan(endpoints), &[("hook.secret", SECRET)]).await
}

fn plan(endpoints: &str) -> Plan {
    Plan {
        only: vec!["rotor"],
        tables: endpoints.to_owned(),
        ..Plan::default()
    }
}

async fn upsert(world: &World, number: usize) {
    let email = format!("c{number}@example.com");
    let body = json!({ "reference": format!("c-{number}"), "given_name": "A", "email": email });
    let answer = world.upsert(&body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
}

fn named<'a>(answered: &'a Answered, name: &str) -> &'a Json {
    let endpoints = answered.body["endpoints"].as_array().unwrap();
    endpoints.iter().find(|one| one["name"] == name).unwrap()
}

async fn post(world: &World, path: &str, body: Option<&Json>) -> Answered {
    world.send(Method::POST, path, body, &[]).await
}

fn ids(answered: &Answered) -> BTreeSet<String> {
    let data = answered.body["data"].as_array().unwrap();
    data.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

fn ids_of(came: &[Came]) -> BTreeSet<String> {
    came.iter().map(|one| one.id.clone()).collect()
}

#[tokio::test]
async fn an_endpoint_that_answers_410_is_disabled_until_it_is_enabled_and_its_dead_letters_are_replayed() {
    let receiver = Receiver::start(SECRET);
    let mut world = world(&endpoint("hooks", &receiver.url(), "")).await;
    upsert(&world, 0).await;
    receiver.until_count(1, PATIENCE).await;
    receiver.answers(Manner::Status(410));
    for number in 1..=5 {
        upsert(&world, number).await;
    }
    let failed = "/v1/events/out?state=failed&endpoint=hooks";
    let letters = world.until(failed, PATIENCE, |answered| ids(answered).len() == 5).await;
    let said_so = |one: &&Json| one["last_status"] == 410 && one["attempts"] == 1;
    let data = letters.body["data"].as_array().unwrap();
    assert!(data.iter().filter(said_so).count() >= 1, "{}", letters.text);
    let tried = receiver.came().len();
    assert!(ids_of(&receiver.came()[1..]).is_subset(&ids(&letters)));

    let is_disabled = |webhooks: &Answered| named(webhooks, "hooks")["state"] == "disabled";
    let webhooks = world.until_all("/v1/webhooks", PATIENCE, is_disabled).await;
    let hooks = named(&webhooks, "hooks");
    assert_eq!(
        (&hooks["state"], &hooks["disabled_by"]),
        (&json!("disabled"), &json!("endpoint")),
        "{hooks}"
    );
    assert_eq!(
        (&hooks["dead_letters"], &hooks["waiting"]),
        (&json!(5), &json!(0)),
        "{hooks}"
    );
    let one = ids(&letters).first().unwrap().clone();
    let refused = post(&world, &format!("/v1/events/out/{one}/replay"), None).await;
    assert_eq!(
        (refused.status, refused.code()),
        (422, "validation_failed"),
        "{}",
        refused.text
    );

    // It stays so when the process is another one.
    world.restart().await;
    receiver.answers(Manner::Status(204));
    assert_eq!(named(&world.get("/v1/webhooks").await, "hooks")["state"], "disabled");
    upsert(&world, 6).await;
    let letters = world.until(failed, PATIENCE, |answered| ids(answered).len() == 6).await;
    assert_eq!(receiver.came().len(), tried, "nothing goes there");

    let enabled = post(&world, "/v1/endpoints/acme/hooks/enable", None).await;
    assert_eq!(
        (enabled.status, &enabled.body["state"]),
        (200, &json!("healthy")),
        "{}",
        enabled.text
    );
    let is_healthy = |webhooks: &Answered| named(webhooks, "hooks")["state"] == "healthy";
    world.until_all("/v1/webhooks", PATIENCE, is_healthy).await;
    upsert(&world, 7).await;
    receiver.until_count(tried + 1, PATIENCE).await;
    let replayed = post(&world, &format!("/v1/events/out/{one}/replay"), None).await;
    assert_eq!(
        (replayed.status, &replayed.body["state"]),
        (202, &json!("pending")),
        "{}",
        replayed.text
    );
    let all = post(&world, "/v1/events/out/replay", Some(&json!({ "endpoint": "hooks" }))).await;
    assert_eq!((all.status, &all.body["done"]), (202, &json!(5)), "{}", all.text);
    let came = receiver.until_count(tried + 7, PATIENCE).await;
    let arrived = ids_of(&came[tried + 1..]);
    assert_eq!(arrived, ids(&letters), "the same ids as before");
    assert!(came.iter().all(|one| one.doubt.is_none()));
    world.until(failed, PATIENCE, |answered| ids(answered).is_empty()).await;
    assert_eq!(named(&world.get("/v1/webhooks").await, "hooks")["dead_letters"], 0);
}

#[tokio::test]
async fn a_test_event_is_sent_once_and_now_and_nothing_of_it_is_stored() {
    let receiver = Receiver::start(SECRET);
    let world = world(&endpoint("hooks", &receiver.url(), "")).await;
    let tested = post(&world, "/v1/endpoints/acme/hooks/test", None).await;
    let said = (&tested.body["delivered"], &tested.body["status"], &tested.body["error"]);
    assert_eq!(
        (tested.status, said),
        (200, (&json!(true), &json!(204), &Json::Null)),
        "{}",
        tested.text
    );
    let came = receiver.came();
    assert_eq!((came.len(), came[0].kind(), &came[0].doubt), (1, "gateway.test", &None));
    assert_eq!(came[0].id, tested.body["id"]);
    assert_eq!(
        came[0].body["data"],
        json!({ "merchant_id": "acme", "endpoint": "hooks" })
    );

    receiver.answers(Manner::Status(500));
    let tested = post(&world, "/v1/endpoints/acme/hooks/test", None).await;
    let said = (&tested.body["delivered"], &tested.body["status"], &tested.body["error"]);
    assert_eq!(said, (&json!(false), &json!(500), &json!("the endpoint answered 500")));
    assert_eq!(receiver.came().len(), 2, "once");
    assert!(ids(&world.get("/v1/events/out").await).is_empty());
    assert_eq!(named(&world.get("/v1/webhooks").await, "hooks")["state"], "healthy");
    let unknown = post(&world, "/v1/endpoints/acme/nobody/test", None).await;
    assert_eq!((unknown.status, unknown.code()), (404, "not_found"));
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let (receiver, elsewhere) = (Receiver::start(SECRET), Receiver::start(SECRET));
    receiver.answers(Manner::Redirect(elsewhere.url()));
    let world = world(&endpoint("hooks", &receiver.url(), "")).await;
    upsert(&world, 1).await;
    let waiting = |answered: &Answered| !ids(answered).is_empty();
    let events = world.until("/v1/events/out?state=retrying", PATIENCE, waiting).await;
    let event = &events.body["data"][0];
    let said = (&event["last_status"], &event["last_error"]);
    assert_eq!(said, (&json!(307), &json!("the endpoint answered 307")), "{event}");
    receiver.answers(Manner::Status(200));
    // The second try comes five seconds later.
    let came = receiver.until_count(2, PATIENCE).await;
    assert_eq!(came[0].id, came[1].id);
    assert!(elsewhere.came().is_empty());
}

#[tokio::test]
async fn a_body_without_an_end_holds_up_nobody() {
    let (endless, drip) = (Receiver::start(SECRET), Receiver::start(SECRET));
    endless.answers(Manner::Endless);
    drip.answers(Manner::Drip);
    let tables = endpoint("endless", &endless.url(), "") + &endpoint("drip", &drip.url(), "");
    let world = world(&tables).await;
    let tested = tokio::join!(post(&world, "/v1/endpoints/acme/drip/test", None), async {
        for number in 0..40 {
            upsert(&world, number).await;
        }
        endless.until_count(40, Duration::from_secs(10)).await;
        world
            .until(
                "/v1/events/out?endpoint=endless&state=succeeded",
                PATIENCE,
                |answered| ids(answered).len() == 40,
            )
            .await;
    });
    assert_eq!(
        ids_of(&endless.came()).len(),
        endless.came().len(),
        "its status says that it took them"
    );
    let (error, took) = (&tested.0.body["error"], tested.0.body["duration_ms"].as_u64().unwrap());
    assert_eq!(error, "no answer within 15 s", "{}", tested.0.text);
    assert!((14_000..20_000).contains(&took), "{took} ms");
}

/// This machine's own name: it resolves to an address that is not for everybody.
fn this_machine() -> String {
    let output = std::process::Command::new("hostname").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// With the transport that endpoints have. (Settings refuse a name without a dot, and names inside, before that.)
#[tokio::test]
async fn a_name_that_resolves_to_an_address_inside_is_refused_unless_that_is_allowed() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let receiver = Receiver::start(SECRET);
    let transports = Transports::new(Arc::new(is_public));
    let send = async |allow_private_network| {
        let options = TransportOptions {
            allow_plain_http: true,
            allow_private_network,
        };
        let url = format!("http://{}:{}/hooks", this_machine(), receiver.port());
        let outgoing = Outgoing {
            method: Method::POST,
            url: url.parse().unwrap(),
            headers: HeaderMap::new(),
            body: None,
        };
        transports.get("webhooks", options).unwrap().send(outgoing).await
    };
    assert_eq!(send(true).await.unwrap().status, 204);
    let refused = send(false).await;
    assert!(matches!(refused, Err(TransportError::NotSent(_))));
    assert_eq!(receiver.came().len(), 1);
}

/// The value of the one line of this metric that has all of these labels.
fn value(metrics: &str, name: &str, labels: &[&str]) -> Option<u64> {
    let lines = metrics.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    let mut found = lines.filter(|line| labels.iter().all(|label| line.contains(label)));
    let line = found.next()?;
    assert_eq!(found.next(), None, "more than one");
    line.rsplit(' ').next()?.parse().ok()
}

/// An event comes in without what the mapping asks for.
async fn taken_badly(world: &World) {
    let (id, now, body) = ("e-1", jiff::Timestamp::now().as_second(), json!({ "id": "e-1" }));
    let signature = Webhook::new(SECRET)
        .unwrap()
        .sign(id, now, body.to_string().as_bytes())
        .unwrap();
    let now = now.to_string();
    let headers = [
        ("webhook-id", id),
        ("webhook-timestamp", &now),
        ("webhook-signature", &signature),
    ];
    let path = "/v1/webhooks/acme/m-shop";
    let answered = world.send(Method::POST, path, Some(&body), &headers).await;
    assert_eq!(answered.status, 422, "{}", answered.text);
}

#[tokio::test]
async fn metrics_tell_what_was_sent_where_and_how_it_went_and_what_waits_or_is_dead() {
    let (good, bad, gone) = (
        Receiver::start(SECRET),
        Receiver::start(SECRET),
        Receiver::start(SECRET),
    );
    bad.answers(Manner::Status(503));
    gone.answers(Manner::Status(410));
    let tables = endpoint("m-good", &good.url(), "") + &endpoint("m-bad", &bad.url(), "");
    let source = "\n[[webhooks.in]]\nsource = \"m-shop\"\nverify = { scheme = \"standard-webhooks\", secret = { file = \
                  \"hook.secret\" } }\nevent_id = \"/id\"\nmap = { email = \"/mail\" }\n";
    let plan = Plan {
        // Metrics are a process's own.
        is_one_process: true,
        ..plan(&(tables + &endpoint("m-gone", &gone.url(), "") + source))
    };
    let world = World::with_files(plan, &[("hook.secret", SECRET)]).await;
    taken_badly(&world).await;
    for number in 0..3 {
        upsert(&world, number).await;
    }
    good.until_count(3, PATIENCE).await;
    let (waiting, dead) = (
        "upsert_gateway_events_out_waiting",
        "upsert_gateway_events_out_dead_letters",
    );
    let sent = "upsert_gateway_events_out_total";
    let of = |name: &str| format!("merchant=\"acme\",endpoint=\"{name}\"");
    let is_so = |answered: &Answered| {
        let text = &answered.text;
        let sent = |name: &str, result: &str| {
            let (result, kind) = (format!("result=\"{result}\""), "type=\"customer.upserted\"");
            value(text, sent, &[&of(name), kind, &result])
        };
        let gauges = |name: &str| (value(text, waiting, &[&of(name)]), value(text, dead, &[&of(name)]));
        let tries = (
            sent("m-good", "succeeded"),
            sent("m-bad", "retrying"),
            sent("m-gone", "failed"),
        );
        matches!(tries, (Some(3), Some(3..), Some(1..=3)))
            && gauges("m-good") == (Some(0), Some(0))
            && gauges("m-bad") == (Some(3), Some(0))
            && gauges("m-gone") == (Some(0), Some(3))
    };
    let shown = world.until("/metrics", PATIENCE, is_so).await;
    let dead_in = "upsert_gateway_events_in_dead_letters";
    let shop = "merchant=\"acme\",source=\"m-shop\"";
    assert_eq!(value(&shown.text, dead_in, &[shop]), Some(1));
    for name in [waiting, dead, sent, dead_in] {
        assert!(shown.text.contains(&format!("# HELP {name} ")), "{name} is described");
    }
    post(&world, "/v1/endpoints/acme/m-gone/enable", None).await;
    gone.answers(Manner::Status(200));
    post(&world, "/v1/events/out/replay", Some(&json!({ "endpoint": "m-gone" }))).await;
    world
        .until("/metrics", PATIENCE, |answered| {
            value(&answered.text, dead, &[&of("m-gone")]) == Some(0)
        })
        .await;
}
