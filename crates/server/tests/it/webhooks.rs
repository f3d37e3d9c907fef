//! Webhooks over HTTP: what a sender is told, what operators see, and that every answer is as documented.

use jiff::Timestamp;
use reqwest::RequestBuilder;
use serde_json::{Value as Json, json};

use upsert_webhook::{SigningKey, sign};

use crate::answers::documented;
use crate::served::{ConfigSnapshot, read};

/// Secrets come from the environment's one variable.
const SECRET: &str = "1234";

const WEBHOOKS: &str = r#"
[[webhooks.in]]
source = "shop"
verify = { scheme = "standard-webhooks", secret = { env = "PIN" } }
event_id = "/id"
order_by = "/version"
order_kind = "number"
handling = "strict"
only = { "/type" = ["customer.updated"] }
map = { email = "/customer/email", given_name = "/customer/name" }

[[webhooks.in]]
source = "list"
verify = { scheme = "hmac", header = "x-signature", algorithm = "sha256", encoding = "hex", secret = { env = "PIN" } }
event_id = "$/id"
each = "/customers"
map = { email = "/email" }

[[webhooks.out]]
name = "nobody"
url = "http://127.0.0.1:9/hooks?token=canary"
events = ["customer.upserted", "customer.delivery_failed"]
secret = { env = "PIN" }
"#;

fn event(id: &str, version: u32, email: &str, name: &str) -> Json {
    json!({ "id": id, "type": "customer.updated", "version": version, "customer": { "email": email, "name": name } })
}

/// As the shop sends it.
fn signed(served: &ConfigSnapshot, body: String) -> RequestBuilder {
    #[expect(clippy::disallowed_methods, reason = "the sender's clock is the machine's")]
    let now = Timestamp::now();
    let key = SigningKey::standard(SECRET).unwrap();
    served
        .client
        .post(served.url("/v1/webhooks/acme/shop"))
        .header("webhook-id", "msg_1")
        .header("webhook-timestamp", now.as_second())
        .header("webhook-signature", sign(&[key], "msg_1", now, body.as_bytes()))
        .body(body)
}

fn hmac_signed(served: &ConfigSnapshot, body: &Json) -> RequestBuilder {
    use upsert_webhook::{Hmac, HmacHash, SignatureEncoding, Signed};
    let hmac = Hmac {
        keys: Vec::new(),
        header: "x-signature".to_owned(),
        hash: HmacHash::Sha256,
        encoding: SignatureEncoding::Hex,
        prefix: String::new(),
        timestamp: None,
        signed: vec![Signed::Body],
    };
    let text = body.to_string();
    let signature = hmac.signature(&SigningKey::raw(SECRET), "", "POST", text.as_bytes());
    served
        .client
        .post(served.url("/v1/webhooks/acme/list"))
        .header("x-signature", signature)
        .body(text)
}

const IN: &str = "POST /v1/webhooks/{merchant}/{source}";

#[tokio::test]
async fn an_event_is_answered_by_what_became_of_it_as_documented() {
    let served = ConfigSnapshot::with_acme(WEBHOOKS).await;
    let (_, document) = read(served.get("/openapi.json", "")).await;
    let ann = event("e1", 2, "ann@example.com", "Ann").to_string();
    let taken = documented(&document, IN, signed(&served, ann.clone())).await;
    assert_eq!(taken["data"][0]["result"], "accepted");
    let (status, again) = read(signed(&served, ann)).await;
    assert_eq!((status, &again["data"][0]["result"]), (200, &json!("repeated")));
    let (status, older) = read(signed(&served, event("e0", 1, "ann@example.com", "An").to_string())).await;
    assert_eq!((status, &older["data"][0]["result"]), (202, &json!("outdated")));
    let other = json!({ "id": "e2", "type": "order.created" }).to_string();
    let left_out = documented(&document, IN, signed(&served, other.clone())).await;
    assert_eq!(left_out["data"][0]["result"], "left_out");
    assert_eq!(signed(&served, other).send().await.unwrap().status(), 200);
    served.running.stop().await;
}

#[tokio::test]
async fn what_is_not_signed_as_the_source_signs_is_401_and_nothing_is_kept() {
    let served = ConfigSnapshot::with_acme(WEBHOOKS).await;
    let body = event("e1", 1, "ann@example.com", "Ann").to_string();
    let wrong = [
        signed(&served, body.clone()).header("webhook-id", "msg_2"),
        signed(&served, body.clone()).body(body.replace("Ann", "Bob")),
        served
            .client
            .post(served.url("/v1/webhooks/acme/shop"))
            .body(body.clone()),
        signed(&served, body.clone()).header("webhook-signature", "v1,AAAA"),
    ];
    for request in wrong {
        let (status, problem) = read(request).await;
        assert_eq!(
            (status, &problem["code"]),
            (401, &json!("unauthenticated")),
            "{problem}"
        );
        assert_eq!(problem["title"], "A valid API key or signature is needed");
    }
    for path in [
        "/v1/webhooks/acme/none",
        "/v1/webhooks/globex/shop",
        "/v1/webhooks/none/shop",
    ] {
        let (status, _) = read(served.client.post(served.url(path)).body("{}")).await;
        assert_eq!(status, 404, "{path}");
    }
    let (_, listed) = read(served.get("/v1/events/in", "acme")).await;
    assert_eq!(listed["data"], json!([]));
    let (status, problem) = read(signed(&served, "no JSON".to_owned())).await;
    assert_eq!((status, &problem["code"]), (400, &json!("malformed_json")));
    let (status, _) = read(signed(&served, format!("\"{}\"", "x".repeat(2_200_000)))).await;
    assert_eq!(status, 413);
    served.running.stop().await;
}

#[tokio::test]
async fn an_event_that_cannot_be_taken_is_422_and_a_dead_letter_that_operators_see() {
    let served = ConfigSnapshot::with_acme(WEBHOOKS).await;
    let (_, document) = read(served.get("/openapi.json", "")).await;
    let bad = json!({ "id": "e1", "type": "customer.updated", "customer": { "email": 7, "name": { "first": "Ann" } } });
    let (status, problem) = read(signed(&served, bad.to_string())).await;
    assert_eq!((status, &problem["code"]), (422, &json!("validation_failed")));
    let pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(pointers, ["/customer/email", "/customer/name"], "{problem:#}");
    assert_eq!(problem["events"][0]["result"], "refused");
    let id = problem["events"][0]["id"].as_str().unwrap().to_owned();

    let list = "GET /v1/events/{direction}";
    let listed = documented(
        &document,
        list,
        served.get("/v1/events/in?state=failed&source=shop", "acme"),
    )
    .await;
    assert_eq!(listed["data"][0]["problem"]["errors"][1]["pointer"], "/customer/name");
    let one = served.get(&format!("/v1/events/in/{id}"), "acme");
    let one = documented(&document, "GET /v1/events/{direction}/{id}", one).await;
    assert_eq!(one["raw"], bad.to_string());
    let webhooks = documented(&document, "GET /v1/webhooks", served.get("/v1/webhooks", "acme")).await;
    assert_eq!(webhooks["sources"][0]["dead_letters"], 1);
    assert_eq!(
        webhooks["endpoints"][0]["url"], "http://127.0.0.1:9/hooks",
        "no query: it may be a secret"
    );

    let replay = served.post(&format!("/v1/events/in/{id}/replay"), "acme", &json!({}));
    assert_eq!(replay.send().await.unwrap().status(), 422);
    let counted = served.post(
        "/v1/events/in/discard",
        "acme",
        &json!({ "source": "shop", "dry_run": true }),
    );
    let counted = documented(&document, "POST /v1/events/{direction}/discard", counted).await;
    assert_eq!(counted["matched"], 1);
    let discard = served.post(&format!("/v1/events/in/{id}/discard"), "acme", &json!({}));
    let discarded = documented(&document, "POST /v1/events/{direction}/{id}/discard", discard).await;
    assert_eq!(discarded["state"], "discarded");
    served.running.stop().await;
}

#[tokio::test]
async fn of_several_customers_in_one_event_a_bad_one_stops_no_other() {
    let served = ConfigSnapshot::with_acme(WEBHOOKS).await;
    let event = json!({ "id": "batch-1", "customers": [
        { "email": "ann@example.com" }, { "email": "nonsense" }, { "email": "bob@example.com" }
    ] });
    let (status, problem) = read(hmac_signed(&served, &event)).await;
    let results = |body: &Json| -> Vec<String> {
        body["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["result"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        (status, results(&problem)),
        (422, vec!["accepted".into(), "refused".into(), "accepted".into()])
    );
    let (status, again) = read(hmac_signed(&served, &event)).await;
    assert_eq!(
        (status, results(&again)),
        (422, vec!["repeated".into(), "refused".into(), "repeated".into()])
    );
    let (_, listed) = read(served.get("/v1/events/in?state=failed", "acme")).await;
    let letter = &listed["data"][0];
    assert_eq!(
        (letter["tries"].as_u64(), &letter["event_id"]),
        (Some(2), &json!("batch-1#1"))
    );
    let (_, one) = read(served.get(&format!("/v1/events/in/{}", letter["id"].as_str().unwrap()), "acme")).await;
    let raw: Json = serde_json::from_str(one["raw"].as_str().unwrap()).unwrap();
    assert_eq!(raw, json!({ "id": "batch-1", "customers": [{ "email": "nonsense" }] }));
    let (_, customers) = read(served.get("/v1/customers", "acme")).await;
    assert_eq!(customers["data"].as_array().unwrap().len(), 2);
    served.running.stop().await;
}

#[tokio::test]
async fn events_that_go_out_are_listed_tested_and_replayed_as_documented() {
    let served = ConfigSnapshot::with_acme(WEBHOOKS).await;
    let (_, document) = read(served.get("/openapi.json", "")).await;
    served.customer("ann@example.com").await;
    let listed = loop {
        let (_, listed) = read(served.get("/v1/events/out?type=customer.upserted", "acme")).await;
        if listed["data"][0]["attempts"]
            .as_u64()
            .is_some_and(|attempts| attempts > 0)
        {
            break listed;
        }
    };
    let list = served.get("/v1/events/out?endpoint=nobody", "acme");
    documented(&document, "GET /v1/events/{direction}", list).await;
    assert_eq!(listed["data"][0]["last_error"], "could not connect");
    let id = listed["data"][0]["id"].as_str().unwrap().to_owned();
    let one = served.get(&format!("/v1/events/out/{id}"), "acme");
    let one = documented(&document, "GET /v1/events/{direction}/{id}", one).await;
    let body: Json = serde_json::from_str(one["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["data"]["customer"]["email"], "ann@example.com");
    let (status, _) = read(served.post(&format!("/v1/events/out/{id}/replay"), "acme", &json!({}))).await;
    assert_eq!(status, 422, "it is no dead letter");

    let test = served.post("/v1/endpoints/acme/nobody/test", "acme", &json!({}));
    let test = documented(&document, "POST /v1/endpoints/{merchant}/{name}/test", test).await;
    assert_eq!(
        (&test["delivered"], &test["error"]),
        (&json!(false), &json!("could not connect"))
    );
    let enable = served.post("/v1/endpoints/acme/nobody/enable", "acme", &json!({}));
    documented(&document, "POST /v1/endpoints/{merchant}/{name}/enable", enable).await;
    let (_, metrics) = {
        let response = served.get("/metrics", "").send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    };
    assert!(metrics.contains("upsert_gateway_events_out_total{"), "{metrics}");
    served.running.stop().await;
}
