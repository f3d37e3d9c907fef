//! What vendors and endpoints say is kept: with the error, with the attempt, and in what is read there.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::time::Duration;

use serde_json::{Value as Json, json};
use upsert_simulators::{Answer, Cut, Effect, Fault};
use upsert_tests::{Answered, KEY, Manner, Operator, Plan, Receiver, World, api_key};

const PATIENCE: Duration = Duration::from_secs(20);

fn ann() -> Json {
    json!({ "reference": "ann", "given_name": "Ann", "family_name": "Lee", "email": "ann@x.example", "phone": "2025550123" })
}

fn says(status: u16, body: &str) -> Fault {
    Fault::once(Effect::Answer(Answer::new(status).body(body)))
}

async fn rotor_alone(more: &str) -> World {
    World::with(Plan {
        only: vec!["rotor"],
        rotor: more.to_owned(),
        ..Plan::default()
    })
    .await
}

async fn attempts(world: &World, delivery: &Json) -> Json {
    let path = format!("/v1/deliveries/{}", delivery["id"].as_str().unwrap());
    world.get(&path).await.body["attempt_log"].clone()
}

#[tokio::test]
async fn an_attempt_that_was_accepted_keeps_the_vendors_status_message_and_times() {
    let world = World::start().await;
    let made = world.upsert(&ann()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    for (connection, status, members) in [
        ("rotor", 201, vec!["message", "created_at"]),
        ("wallet", 200, vec!["createdAt", "updatedAt"]),
        ("april", 200, vec!["merchantId"]),
    ] {
        let log = attempts(&world, made.delivery(connection)).await;
        assert_eq!(log[0]["vendor_status"], status, "{connection}: {log}");
        for member in members {
            assert!(log[0]["vendor_said"][member].is_string(), "{connection}: {log}");
        }
    }
    let log = attempts(&world, made.delivery("rotor")).await;
    assert_eq!(log[0]["vendor_said"]["message"], "Customer created successfully");
}

#[tokio::test]
async fn an_error_carries_the_vendors_own_document() {
    let world = rotor_alone("").await;
    let long = "x".repeat(20_000);
    for (body, kept) in [
        (
            r#"{"status":"error","message":"No","errors":[{"field":"Customer.Email","message":"bad"}],"hint":7}"#,
            json!({ "status": "error", "message": "No", "errors": [{ "field": "Customer.Email", "message": "bad" }], "hint": 7 }),
        ),
        ("<h1>No</h1>", json!("<h1>No</h1>")),
        (long.as_str(), Json::Null),
    ] {
        world.rotor.faults().add(says(422, body));
        let refused = world.upsert(&ann()).await;
        assert_eq!(refused.status, 422, "{}", refused.text);
        let error = &refused.delivery("rotor")["error"];
        if kept.is_null() {
            let text = error["vendor_body"].as_str().unwrap();
            assert!(text.ends_with('…') && text.len() <= 4 * 1024, "cut visibly");
        } else {
            assert_eq!(error["vendor_body"], kept);
        }
        let log = attempts(&world, refused.delivery("rotor")).await;
        assert_eq!(log[0]["error"]["vendor_body"], error["vendor_body"]);
    }
}

#[tokio::test]
async fn what_the_gateway_holds_back_never_takes_the_place_of_the_vendors_words() {
    let world = rotor_alone("retry = { attempts = 1, base = \"10ms\", cap = \"20ms\" }").await;
    let busy = r#"{"status":"error","message":"Back in a minute","error_code":"BUSY"}"#;
    world.rotor.faults().set(vec![Fault::always(Effect::Answer(
        Answer::new(429).body(busy).retry_after(60),
    ))]);
    let waiting = world.upsert(&ann()).await;
    assert_eq!(waiting.status, 202, "{}", waiting.text);
    let delivery = waiting.delivery("rotor");
    assert_eq!(
        (&delivery["waiting_for"], &delivery["error"]["code"]),
        (&json!("rate_limit"), &json!("BUSY"))
    );
    let is_blocked = |connections: &Answered| !connections.body["data"][0]["rate_limit"]["blocked_until"].is_null();
    world.until_all("/v1/connections", PATIENCE, is_blocked).await;
    // A newer one meets the gateway's own memory of it, and has nothing of the vendor's to show.
    let other = json!({ "reference": "bob", "given_name": "Bob", "phone": "2025550199" });
    let held = world.upsert(&other).await;
    assert_eq!(
        (held.status, &held.delivery("rotor")["error"]),
        (202, &Json::Null),
        "{}",
        held.text
    );
    assert_eq!(held.delivery("rotor")["waiting_for"], "rate_limit");
}

#[tokio::test]
async fn reads_show_what_has_no_home_and_the_raw_value_of_what_cannot_be_read() {
    let world = rotor_alone("").await;
    let body = json!({ "reference": "r", "given_name": "Ann", "phone": "2025550123",
        "addresses": { "property": { "line1": "1 Main St", "city": "Springfield", "country": "US" } } });
    let made = world.upsert(&body).await;
    let id = made.delivery("rotor")["provider_customer_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = "/v1/connections/acme/rotor/customers";
    // The same record, whatever the letters of its id.
    for id in [id.clone(), id.to_uppercase()] {
        let text = json!({ "data": { "id": id, "first_name": "Ann", "phone": "call me", "is_auto_pay": true,
            "location": [44.98, -93.27], "created_at": "2026-01-02T03:04:05Z", "address": { "line": 7 } } });
        world.rotor.faults().add(says(200, &text.to_string()));
        let one = world.get(&format!("{path}/{id}")).await;
        assert_eq!(one.status, 200, "{}", one.text);
        assert_eq!(
            one.body["vendor_fields"],
            json!({ "is_auto_pay": true, "location": [44.98, -93.27], "created_at": "2026-01-02T03:04:05Z", "address": { "line": 7 } })
        );
        assert_eq!(
            one.body["unreadable"][0],
            json!({ "pointer": "/phone", "value": "call me" })
        );
        assert_eq!(one.body["linked_customer_id"], made.body["customer"]["id"]);
    }
    let page = world.get(path).await;
    assert_eq!(page.body["vendor_fields"]["pagination"]["total"], 1, "{}", page.text);
    assert!(
        page.body["data"][0]["vendor_fields"]["created_at"].is_string(),
        "{}",
        page.text
    );
}

#[tokio::test]
async fn reads_speak_of_failures_as_writes_do() {
    let world = rotor_alone("").await;
    let path = "/v1/connections/acme/rotor/customers";
    let body = r#"{"status":"error","message":"Validation failed","error_code":"ODD","errors":[{"field":"limit","message":"bad"}]}"#;
    world.rotor.faults().add(says(400, body));
    let refused = world.get(path).await;
    assert_eq!(
        (refused.status, refused.code()),
        (502, "provider_failed"),
        "{}",
        refused.text
    );
    let error = &refused.body["error"];
    assert_eq!((&error["kind"], &error["code"]), (&json!("rejected"), &json!("ODD")));
    assert_eq!(
        error["errors"][0],
        json!({ "pointer": null, "vendor_field": "limit", "detail": "bad" })
    );
    assert_eq!(error["vendor_body"], serde_json::from_str::<Json>(body).unwrap());

    // A key that may write and not read is good for what it is for.
    world.rotor.faults().add(says(403, "{}"));
    assert_eq!(world.get(path).await.status, 502);
    assert_eq!(world.upsert(&ann()).await.status, 201);

    world.rotor.faults().add(says(401, "{}"));
    assert_eq!(world.get(path).await.status, 502);
    let is_paused = |connections: &Answered| connections.body["data"][0]["state"] == "paused";
    let connections = world.until_all("/v1/connections", PATIENCE, is_paused).await;
    let state = &connections.body["data"][0];
    assert_eq!(
        (&state["state"], &state["paused_by"]),
        (&json!("paused"), &json!("vendor")),
        "{}",
        connections.text
    );
}

#[tokio::test]
async fn the_first_429_of_a_day_tells_a_reader_when_the_day_opens_and_teaches_the_limit() {
    let world = rotor_alone("").await;
    let body = r#"{"status":"error","message":"Daily API key request limit of 2500 exceeded","error_code":"RATE_LIMIT_EXCEEDED"}"#;
    world
        .rotor
        .faults()
        .add(Fault::once(Effect::Answer(Answer::new(429).body(body).retry_after(1))));
    let spent = world.get("/v1/connections/acme/rotor/customers").await;
    assert_eq!((spent.status, spent.code()), (503, "overloaded"), "{}", spent.text);
    assert_eq!(spent.body["error"]["code"], "RATE_LIMIT_EXCEEDED");
    // Of several processes the one that was told of the number knows it.
    let is_told = |connections: &Answered| connections.body["data"][0]["rate_limit"]["per_day"] == 2_500;
    let connections = world.until("/v1/connections", PATIENCE, is_told).await;
    let limit = &connections.body["data"][0]["rate_limit"];
    assert_eq!(
        (&limit["per_day"], &limit["blocked_by"]),
        (&json!(2500), &json!("quota")),
        "{}",
        connections.text
    );
    let opens: jiff::Timestamp = limit["opens_at"].as_str().unwrap().parse().unwrap();
    let blocked: jiff::Timestamp = limit["blocked_until"].as_str().unwrap().parse().unwrap();
    assert!(
        blocked.duration_since(opens).abs().as_secs() <= 1,
        "the later of both: {limit}"
    );
}

#[tokio::test]
async fn the_example_bodies_of_the_vendors_own_pages_can_be_sent_and_read_back() {
    let world = World::with(Plan {
        april_key: Some("sandbox_api_sim"),
        ..Plan::default()
    })
    .await;
    // Those of add-update and April, in our words.
    let john = json!({ "reference": "CUST-123", "given_name": "John", "family_name": "Doe", "email": "john@example.com",
        "phone": "+1234567890", "status": "active", "notifications": { "email": false, "phone": false } });
    let lucy = json!({ "reference": "CUST-48822821", "given_name": "Lucy", "middle_name": "Sky", "family_name": "Diamond",
        "email": "lucy.diamond@star.com", "phone": "+61401234567", "verified": true });
    for (body, connection, id) in [(john, "wallet", Some("CUST-123")), (lucy, "april", None)] {
        let made = world.upsert(&body).await;
        let delivery = made.delivery(connection);
        assert_eq!(delivery["state"], "succeeded", "{}", made.text);
        let id = id.or(delivery["provider_customer_id"].as_str()).unwrap();
        let read = world
            .get(&format!("/v1/connections/acme/{connection}/customers/{id}"))
            .await;
        assert_eq!(read.status, 200, "{}", read.text);
        for (name, sent) in body.as_object().unwrap() {
            assert_eq!(read.body["customer"][name], *sent, "{name}: {}", read.text);
        }
    }
}

#[tokio::test]
async fn what_a_vendor_said_stands_with_each_attempt_in_causes_and_on_its_pages() {
    let world = rotor_alone("retry = { attempts = 2, base = \"5ms\", cap = \"10ms\" }").await;
    let page = "<html>\r\n<title>502 Bad\u{202e} Gateway</title><p>for ann@x.example</p></html>";
    let answer = || {
        Answer::new(502)
            .body(page)
            .header("server", "nginx")
            .header("set-cookie", "s=1")
    };
    let cut = Fault::once(Effect::Cut { at: Cut::BeforeWrite });
    world
        .rotor
        .faults()
        .set(vec![cut, Fault::always(Effect::Answer(answer()))]);
    let waiting = world.upsert(&ann()).await;
    assert_eq!(waiting.status, 202, "{}", waiting.text);
    let path = format!("/v1/deliveries/{}", waiting.delivery("rotor")["id"].as_str().unwrap());
    let has_two = |shown: &Answered| shown.body["attempt_log"][1]["error"]["vendor_body"].is_string();
    let shown = world.until(&path, PATIENCE, has_two).await;
    let log = &shown.body["attempt_log"];
    let unanswered = &log[0]["error"];
    let detail = unanswered["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("no answer came after the request went out"),
        "{detail}"
    );
    assert_eq!(
        (&unanswered["vendor_body"], unanswered.get("vendor_headers")),
        (&Json::Null, None)
    );
    let answered = &log[1]["error"];
    assert_eq!(
        (&log[1]["vendor_status"], &answered["vendor_body"]),
        (&json!(502), &json!(page))
    );
    assert_eq!(answered["vendor_headers"]["server"], "nginx");
    assert_eq!(answered["vendor_headers"].get("set-cookie"), None);
    let causes = world.get("/v1/connections/acme/rotor/failures").await;
    assert_eq!(
        causes.body["data"][0]["sample_answer"], "502 Bad Gateway",
        "{}",
        causes.text
    );

    let browser = Operator::sign_in(&world, KEY).await.unwrap();
    for page in ["/ops/connections/acme/rotor", "/ops/deliveries"] {
        let html = browser.page(page).await;
        assert!(
            html.contains("<small dir=\"auto\">502 Bad Gateway</small>"),
            "{page}: {html}"
        );
    }
    let html = browser.page(&path.replace("/v1/", "/ops/")).await;
    for part in [
        "<dt><code>server</code></dt><dd dir=\"auto\">nginx</dd>",
        "for ann@x.example",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
}

const SIGNS: &str = "whsec_b2xkIG9sZCBvbGQgb2xkIG9sZCBvbGQgMTIz";
const OPERATOR: &str = "a-key-that-may-not-see-customers";
const TOKEN: &str = "T0KEN-in-the-address";

/// Rotor, and an endpoint whose address is a secret.
async fn told(receiver: &Receiver) -> World {
    let tables = format!(
        "\n[[webhooks.out]]\nname = \"hooks\"\nurl = \"{}/{TOKEN}?key={TOKEN}\"\nevents = [\"customer.upserted\"]\n\
         secret = {{ file = \"told.secret\" }}\n",
        receiver.url()
    );
    let plan = Plan {
        only: vec!["rotor"],
        gateway: api_key("operator", OPERATOR, "acme", "ops:read"),
        tables,
        ..Plan::default()
    };
    World::with_files(plan, &[("told.secret", SIGNS)]).await
}

#[expect(clippy::disallowed_methods, reason = "a client of the test's own")]
async fn as_operator(world: &World, path: &str) -> Json {
    let request = reqwest::Client::new().get(format!("{}{path}", world.url()));
    request
        .bearer_auth(OPERATOR)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap()
}

#[tokio::test]
async fn what_an_endpoint_said_that_did_not_take_an_event_is_kept_until_it_takes_it() {
    let receiver = Receiver::start(SIGNS);
    receiver.answers(Manner::Says(502, "<title>Bad\u{202e} Gateway</title>".to_owned()));
    let world = told(&receiver).await;
    assert_eq!(world.upsert(&ann()).await.status, 201);
    let is_tried = |events: &Answered| events.body["data"][0]["last_status"] == 502;
    let events = world.until("/v1/events/out", PATIENCE, is_tried).await;
    let listed = &events.body["data"][0];
    assert_eq!(listed["last_answer"], "Bad Gateway", "{}", events.text);
    let path = format!("/v1/events/out/{}", listed["id"].as_str().unwrap());
    let shown = world.get(&path).await;
    let failed = &shown.body["failed_attempts"][0];
    assert_eq!(
        (&failed["status"], &failed["headers"]["server"]),
        (&json!(502), &json!("receiver"))
    );
    let body = failed["body"].as_str().unwrap();
    assert!(
        body.contains("ann@x.example") && !shown.text.contains(TOKEN),
        "{}",
        shown.text
    );
    let masked = as_operator(&world, &path).await;
    assert_eq!(masked["last_answer"], "•••");
    assert_eq!(masked["failed_attempts"][0]["body"], "•••");
    assert_eq!(masked["failed_attempts"][0]["headers"]["server"], "•••");
    assert_eq!(
        as_operator(&world, "/v1/events/out").await["data"][0]["last_answer"],
        "•••"
    );

    let browser = Operator::sign_in(&world, KEY).await.unwrap();
    let html = browser.page("/ops/events/out").await;
    assert!(html.contains("<small dir=\"auto\">Bad Gateway</small>"), "{html}");
    let html = browser.page(&path.replace("/v1/", "/ops/")).await;
    assert!(
        html.contains("<dd dir=\"auto\">receiver</dd>") && !html.contains(TOKEN),
        "{html}"
    );

    receiver.answers(Manner::Status(204));
    let is_taken = |event: &Answered| event.body["state"] == "succeeded";
    let taken = world.until(&path, PATIENCE, is_taken).await;
    let failed = &taken.body["failed_attempts"][0];
    assert_eq!(
        (&failed["status"], failed.get("body"), failed.get("headers")),
        (&json!(502), None, None)
    );
    assert_eq!(taken.body["last_answer"], Json::Null, "it may repeat what it was sent");
}
