//! Every code that this server can answer with: the whole answer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use upsert_core::Word as _;

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use upsert_api::{ProblemCode, ProblemCode as Code};
use upsert_testkit::MemoryStore;

use crate::served::{ConfigSnapshot, Folder, read};
use crate::settled::whole;

/// Codes that are shown elsewhere: by a slow client, while stopping.
const ELSEWHERE: [ProblemCode; 2] = [ProblemCode::RequestTimeout, ProblemCode::ShuttingDown];

/// A request for each code; what they need is there when they are sent.
async fn requests(served: &ConfigSnapshot) -> Vec<(ProblemCode, RequestBuilder)> {
    let mut requests = refused_at_the_door(served);
    requests.extend(refused_by_what_is_known(served).await);
    requests.extend(refused_by_vendors(served));
    requests.extend(refused_to_be_tried(served).await);
    requests.extend(refused_of_merchants(served));
    // What is used up is there again in a second.
    requests.insert(0, (Code::RateLimited, used_up(served).await));
    // Last and sent first: it is in progress for a moment only.
    requests.insert(0, (Code::IdempotencyInProgress, being_answered(served).await));
    requests
}

/// A request whose idempotency key belongs to one that is still being answered.
async fn being_answered(served: &ConfigSnapshot) -> RequestBuilder {
    let body = json!({ "email": "lee@example.com", "notes": "dawdle" });
    let slow = served.upsert(&body).header("Idempotency-Key", "slow");
    let again = slow.try_clone().unwrap();
    tokio::spawn(slow.send());
    tokio::time::sleep(Duration::from_millis(60)).await;
    again
}

/// A request of a key that has used up its limit.
async fn used_up(served: &ConfigSnapshot) -> RequestBuilder {
    for _ in 0..2 {
        read(served.get("/v1/providers", "slow")).await;
    }
    served.get("/v1/providers", "slow")
}

fn refused_at_the_door(served: &ConfigSnapshot) -> Vec<(ProblemCode, RequestBuilder)> {
    let raw = |body: &'static str, content_type: &'static str| {
        let request = served.request(Method::POST, "/v1/customers", "acme");
        request.header("Content-Type", content_type).body(body)
    };
    let body = json!({ "email": "ann@example.com" });
    let long = json!({ "email": "a@example.com", "notes": "x".repeat(70_000) });
    vec![
        (
            Code::MalformedJson,
            raw("{\n  \"email\": \"ann@exam", "application/json"),
        ),
        (Code::MerchantRequired, served.post("/v1/customers", "both", &body)),
        (
            Code::InvalidHeader,
            served.upsert(&body).header("Idempotency-Key", "not visible"),
        ),
        (
            Code::InvalidQuery,
            served.get("/v1/customers?emial=ann@example.com", "acme"),
        ),
        (Code::Unauthenticated, served.post("/v1/customers", "", &body)),
        (Code::ScopeMissing, served.post("/v1/customers", "reader", &body)),
        (
            Code::MerchantForbidden,
            served.upsert(&body).header("Merchant-Id", "globex"),
        ),
        (
            Code::MethodNotAllowed,
            served.request(Method::PUT, "/v1/customers", "acme"),
        ),
        (
            Code::NotAcceptable,
            served.get("/v1/customers", "acme").header("Accept", "text/html"),
        ),
        (Code::BodyTooLarge, served.upsert(&long)),
        (
            Code::UnsupportedMediaType,
            raw("email=ann", "application/x-www-form-urlencoded"),
        ),
        (
            Code::ValidationFailed,
            served.upsert(&json!({ "email": "ann@", "emial": "x", "phone": true })),
        ),
    ]
}

async fn refused_by_what_is_known(served: &ConfigSnapshot) -> Vec<(ProblemCode, RequestBuilder)> {
    let ann = served.customer("ann@example.com").await;
    for body in [
        json!({ "email": "ann@example.com", "phone": "+12025550123" }),
        json!({ "email": "bob@example.com", "phone": "+12025550199" }),
        json!({ "reference": "R-1", "email": "ref@example.com" }),
    ] {
        assert!(read(served.upsert(&body)).await.0 < 300);
    }
    let kim = json!({ "email": "kim@example.com" });
    read(served.upsert(&kim).header("Idempotency-Key", "used")).await;
    let gone = json!({ "email": "gone@example.com" });
    let id = served.customer("gone@example.com").await;
    read(served.upsert(&gone).header("Idempotency-Key", "gone")).await;
    read(served.request(Method::DELETE, &format!("/v1/customers/{id}"), "acme")).await;
    let upsert = |body| served.upsert(&body);
    vec![
        (Code::Erased, upsert(gone).header("Idempotency-Key", "gone")),
        (
            Code::NotFound,
            served.get("/v1/customers/cus_00000000000000000000000000", "acme"),
        ),
        (Code::IdentityConflict, upsert(json!({ "id": ann, "reference": "R-1" }))),
        (
            Code::LinkConflict,
            upsert(json!({ "email": "ann@example.com", "links": { "ledger": "another" } })),
        ),
        (
            Code::MatchKeyCollision,
            upsert(json!({ "reference": "R-2", "email": "ref@example.com" })),
        ),
        (
            Code::BusinessKeyChange,
            upsert(json!({ "id": ann, "email": "new@example.com" })),
        ),
        (
            Code::IdempotencyKeyReused,
            upsert(json!({ "email": "jim@example.com" })).header("Idempotency-Key", "used"),
        ),
    ]
}

fn refused_of_merchants(served: &ConfigSnapshot) -> Vec<(ProblemCode, RequestBuilder)> {
    let put = |id: &str| {
        let request = served.request(Method::PUT, &format!("/v1/merchants/{id}"), "all");
        request.json(&json!({}))
    };
    vec![
        (Code::MerchantInFile, put("acme")),
        (Code::PreconditionFailed, put("initech").header("If-Match", "\"7\"")),
    ]
}

fn refused_by_vendors(served: &ConfigSnapshot) -> Vec<(ProblemCode, RequestBuilder)> {
    let noted = |notes: &str| served.upsert(&json!({ "email": format!("{notes}@example.com"), "notes": notes }));
    let internal = json!({ "email": "p@example.com", "notes": "panic in prepare" });
    let vendor = |rest: &str| served.get(&format!("/v1/connections/acme/{rest}"), "acme");
    vec![
        (Code::ProviderRejected, noted("refuse")),
        (Code::ProviderFailed, noted("babble")),
        (Code::Internal, served.upsert(&internal)),
        (Code::UnsupportedByProvider, vendor("mute/customers")),
        (Code::Overloaded, vendor("ledger/customers?tag=throttle")),
    ]
}

async fn refused_to_be_tried(served: &ConfigSnapshot) -> Vec<(ProblemCode, RequestBuilder)> {
    let act = |path: &str| served.request(Method::POST, &format!("/v1/connections/{path}"), "all");
    assert_eq!(read(act("globex/ledger/pause")).await.0, 200);
    let of_another = served.post("/v1/connections/globex/ledger/try", "acme", &json!({}));
    assert_eq!(read(of_another).await.0, 404, "it is another merchant's");
    vec![
        (Code::ConnectionPaused, act("globex/ledger/try")),
        (Code::NothingToTry, act("acme/mute/try")),
    ]
}

#[tokio::test]
async fn every_code_has_its_status_and_its_document() {
    let served = ConfigSnapshot::start().await;
    let mut seen = BTreeSet::new();
    for (code, request) in requests(&served).await {
        let answer = whole(request).await;
        assert_eq!(answer["body"]["code"], code.as_str(), "{answer:#}");
        assert_eq!(answer["status"], code.status());
        assert_eq!(answer["headers"]["content-type"], "application/problem+json");
        assert_eq!(answer["headers"]["x-request-id"], "a-test");
        insta::assert_json_snapshot!(code.as_str(), answer);
        seen.insert(code.as_str());
    }
    let all = ProblemCode::ALL.iter().filter(|code| !ELSEWHERE.contains(code));
    let all: BTreeSet<&str> = all.map(|code| code.as_str()).collect();
    assert_eq!(seen, all);
    served.running.stop().await;
}

#[tokio::test]
async fn every_query_parameter_that_is_not_known_or_not_valid_is_refused() {
    let served = ConfigSnapshot::start().await;
    let id = served.customer("ann@example.com").await;
    for path in [
        "/v1/customers?limit=0",
        "/v1/customers?limit=201",
        "/v1/customers?limit=two",
        "/v1/customers?limit=1&limit=2",
        "/v1/customers?cursor=!",
        "/v1/customers?email=nobody",
        "/v1/customers?kind=robot",
        "/v1/customers?updated_since=yesterday",
        "/v1/connections?state=open",
        "/v1/providers?name=ledger",
        "/v1/connections/acme/ledger/customers?archived=perhaps",
        "/v1/connections/acme/ledger/customers?search=ann",
        &format!("/v1/customers/{id}?fields=email"),
        &format!("/v1/customers/{id}/history?limit=-1"),
    ] {
        let (status, body) = read(served.get(path, "acme")).await;
        assert_eq!(
            (status, &body["code"]),
            (400, &json!("invalid_query")),
            "{path}: {body}"
        );
        assert!(body["errors"][0]["pointer"].is_string(), "{path}: {body}");
    }
    served.running.stop().await;
}

#[tokio::test]
async fn what_is_no_json_is_told_where_and_never_repeated() {
    let served = ConfigSnapshot::start().await;
    for (body, place) in [
        ("", "line 1, column 0"),
        ("{\"canary\":\n 1,}", "line 2, column 4"),
        ("\u{feff}{\"a\":", "line 1"),
        (r#"{"email":"canary@example.com","email":"b@example.com"}"#, "twice"),
    ] {
        let request = served.request(Method::POST, "/v1/customers", "acme");
        let request = request
            .header("Content-Type", "application/json; charset=UTF-8")
            .body(body);
        let (status, problem) = read(request).await;
        assert_eq!((status, &problem["code"]), (400, &json!("malformed_json")));
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(place) && !detail.contains("canary"), "{detail}");
    }
    served.running.stop().await;
}

#[tokio::test]
async fn a_panic_answers_one_request_and_the_next_is_served() {
    let served = ConfigSnapshot::start().await;
    let request = served.upsert(&json!({ "email": "p@example.com", "notes": "panic in prepare" }));
    let (status, body) = read(request).await;
    assert_eq!((status, &body["code"]), (500, &json!("internal")));
    assert!(!body.to_string().contains("canary"));
    served.customer("ann@example.com").await;
    served.running.stop().await;
}

#[tokio::test]
async fn a_store_that_is_away_makes_the_gateway_unready_and_says_nothing_of_the_inside() {
    let store = Arc::new(MemoryStore::new());
    let folder = Folder::new("");
    let mut options = folder.options();
    options.store = Some(store.clone());
    let running = folder.start(options).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let served = ConfigSnapshot {
        folder,
        running,
        client,
    };
    store.fail_next(1_000);
    let (status, body) = read(served.get("/readyz", "")).await;
    assert_eq!((status, &body["detail"]), (503, &json!("the store cannot be reached")));
    let (status, body) = read(served.get("/v1/customers", "acme")).await;
    assert!(status >= 500, "{status}");
    assert_eq!(body["errors"], json!([]));
    store.fail_next(0);
    assert_eq!(read(served.get("/readyz", "")).await.0, 200);
    served.running.stop().await;
}

#[tokio::test]
async fn a_body_is_refused_where_there_is_nothing_to_say_in_one() {
    let served = ConfigSnapshot::start().await;
    let customer = served.customer("ann@example.com").await;
    for path in [
        "/v1/connections/acme/ledger/pause".to_owned(),
        "/v1/connections/acme/ledger/resume".to_owned(),
        "/v1/connections/acme/ledger/try".to_owned(),
        format!("/v1/customers/{customer}/links/ledger/unlink"),
        "/v1/deliveries/dlv_00000000000000000000000000/discard".to_owned(),
    ] {
        let said = json!({ "customer_id": customer });
        let (status, problem) = read(served.post(&path, "acme", &said)).await;
        assert_eq!(
            (status, &problem["errors"][0]["code"]),
            (422, &json!("unknown_field")),
            "{path}: {problem}"
        );
        let (status, problem) = read(served.post(&path, "acme", &json!([1]))).await;
        assert_eq!(
            (status, &problem["errors"][0]["code"]),
            (422, &json!("invalid_type")),
            "{path}: {problem}"
        );
        for nothing in [
            served.request(Method::POST, &path, "acme"),
            served.post(&path, "acme", &json!({})),
        ] {
            let status = nothing.send().await.unwrap().status().as_u16();
            assert!([200, 404].contains(&status), "{path}: {status}");
        }
    }
    served.running.stop().await;
}
