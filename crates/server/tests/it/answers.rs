//! Answers that go well: whole, and of the documented shape.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value as Json, json};

use crate::served::{ConfigSnapshot, header, read};
use crate::settled::whole;
use crate::shape::misfits;

/// The answer's body; it has the status, and the shape that the document gives for it.
pub(crate) async fn documented(document: &Json, operation: &str, request: RequestBuilder) -> Json {
    let (status, body) = read(request).await;
    let (method, template) = operation.split_once(' ').unwrap();
    let response = &document["paths"][template][method.to_lowercase()]["responses"][status.to_string()];
    let schema = &response["content"]["application/json"]["schema"];
    assert!(
        !schema.is_null(),
        "{operation} answers {status}, which is not documented: {body}"
    );
    assert_eq!(
        misfits(document, schema, &body),
        Vec::<String>::new(),
        "{operation}: {body:#}"
    );
    body
}

#[tokio::test]
async fn every_answer_has_the_shape_that_is_documented() {
    let served = ConfigSnapshot::start().await;
    let (_, document) = read(served.get("/openapi.json", "")).await;
    let body = json!({
        "reference": "CUST-1", "given_name": "Ann", "email": "ann@example.com", "tags": ["vip"], "tax_id": "1",
        "addresses": { "billing": { "line1": "1 Main St", "country": "US" } }, "metadata": { "plan": "gold" },
        "provider_fields": { "ledger": { "colour": "red" } }
    });
    let post = "POST /v1/customers";
    let plan = served.post("/v1/customers/plan", "acme", &body);
    documented(&document, "POST /v1/customers/plan", plan).await;
    let made = documented(&document, post, served.upsert(&body)).await;
    documented(&document, post, served.upsert(&body)).await;
    let asynchronous = served.upsert(&body).header("Prefer", "respond-async");
    documented(&document, post, asynchronous).await;
    let failing = json!({ "email": "eve@example.com", "notes": "fail" });
    let failed = documented(&document, post, served.upsert(&failing)).await;
    let delivery = failed["deliveries"][0]["id"].as_str().unwrap();

    let customer = made["customer"]["id"].as_str().unwrap();
    let upsert = made["upsert_id"].as_str().unwrap();
    let vendor = "/v1/connections/acme/ledger/customers";
    for (operation, path) in [
        (
            "GET /v1/customers",
            "/v1/customers?email=Ann@Example.com&limit=1".to_owned(),
        ),
        ("GET /v1/customers/{id}", format!("/v1/customers/{customer}")),
        (
            "GET /v1/customers/{id}/history",
            format!("/v1/customers/{customer}/history"),
        ),
        ("GET /v1/upserts/{id}", format!("/v1/upserts/{upsert}")),
        ("GET /v1/upserts", "/v1/upserts?limit=2".to_owned()),
        ("GET /v1/deliveries", "/v1/deliveries?state=failed,succeeded".to_owned()),
        ("GET /v1/deliveries/{id}", format!("/v1/deliveries/{delivery}")),
        ("GET /v1/providers", "/v1/providers".to_owned()),
        ("GET /v1/connections", "/v1/connections".to_owned()),
        ("GET /v1/connections/{merchant}/{name}/customers", vendor.to_owned()),
        (
            "GET /v1/connections/{merchant}/{name}/customers/{provider_customer_id}",
            format!("{vendor}/page%20of%20ann@example.com"),
        ),
        ("GET /livez", "/livez".to_owned()),
        ("GET /readyz", "/readyz".to_owned()),
    ] {
        let answer = documented(&document, operation, served.get(&path, "acme")).await;
        if let Some(data) = answer["data"].as_array() {
            assert!(
                !data.is_empty(),
                "{operation} lists nothing: its items were not held against their shape"
            );
        }
    }
    served.running.stop().await;
}

#[tokio::test]
async fn the_document_names_each_parameter_of_an_operation_once_and_all_of_its_path() {
    let served = ConfigSnapshot::start().await;
    let (_, document) = read(served.get("/openapi.json", "")).await;
    served.running.stop().await;
    let mut operations = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let in_path: Vec<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        for (method, operation) in item.as_object().unwrap() {
            let none = Vec::new();
            let parameters = operation["parameters"].as_array().unwrap_or(&none);
            let mut named: Vec<_> = parameters
                .iter()
                .map(|one| (one["in"].as_str(), one["name"].as_str()))
                .collect();
            let count = named.len();
            named.sort_unstable();
            named.dedup();
            assert_eq!(named.len(), count, "{method} {path}: {parameters:?}");
            let of_path = named.iter().filter(|(place, _)| *place == Some("path")).count();
            let has_all = in_path.iter().all(|name| named.contains(&(Some("path"), Some(name))));
            assert!(has_all && of_path == in_path.len(), "{method} {path}: {named:?}");
            operations += 1;
        }
    }
    assert!(operations > 40, "{operations}");
}

#[tokio::test]
async fn answers_about_dead_letters_have_the_shape_that_is_documented() {
    let served = ConfigSnapshot::start().await;
    let (_, document) = read(served.get("/openapi.json", "")).await;
    served.customer("eve@example.com").await;
    let mut failed = Vec::new();
    for notes in ["refuse", "refuse"] {
        let refused = served.upsert(&json!({ "email": "eve@example.com", "notes": notes }));
        let (_, refused) = read(refused).await;
        failed.push(refused["deliveries"][0]["id"].as_str().unwrap().to_owned());
    }
    let failures = served.get("/v1/connections/acme/ledger/failures", "acme");
    let causes = documented(&document, "GET /v1/connections/{merchant}/{name}/failures", failures).await;
    assert_eq!(causes["data"][0]["states"]["failed"], 2, "{causes}");
    let replay = served.post(&format!("/v1/deliveries/{}/replay", failed[0]), "acme", &json!({}));
    documented(&document, "POST /v1/deliveries/{id}/replay", replay).await;
    let all = json!({ "state": ["failed"], "connection": "ledger", "dry_run": true });
    for route in ["/v1/deliveries/discard", "/v1/deliveries/replay"] {
        let done = documented(&document, &format!("POST {route}"), served.post(route, "acme", &all)).await;
        assert_eq!(done["matched"], 1);
    }
    let discard = served.post(&format!("/v1/deliveries/{}/discard", failed[1]), "acme", &json!({}));
    documented(&document, "POST /v1/deliveries/{id}/discard", discard).await;
    served.running.stop().await;
}

#[tokio::test]
async fn a_first_upsert_is_answered_with_a_receipt_and_a_second_makes_no_call() {
    let served = ConfigSnapshot::start().await;
    let body = json!({ "email": "ann@example.com", "given_name": "Ann" });
    insta::assert_json_snapshot!("first_upsert", whole(served.upsert(&body)).await);
    let (status, second) = read(served.upsert(&body)).await;
    assert_eq!(
        (status, &second["deliveries"][0]["outcome"]),
        (200, &json!("unchanged"))
    );
    let forced = served.upsert(&body).header("Cache-Control", "no-cache");
    let (status, forced) = read(forced).await;
    assert_eq!((status, &forced["deliveries"][0]["outcome"]), (200, &json!("updated")));
    served.running.stop().await;
}

#[tokio::test]
async fn a_location_leads_to_what_it_names() {
    let served = ConfigSnapshot::start().await;
    let created = served
        .upsert(&json!({ "email": "ann@example.com" }))
        .send()
        .await
        .unwrap();
    let location = header(&created, "location").unwrap().to_owned();
    assert_eq!(read(served.get(&location, "acme")).await.0, 200);
    let waiting = served
        .upsert(&json!({ "email": "bob@example.com" }))
        .header("Prefer", "respond-async, wait=1");
    let waiting = waiting.send().await.unwrap();
    assert_eq!(waiting.status(), 202);
    assert_eq!(header(&waiting, "preference-applied"), Some("respond-async"));
    assert!(header(&waiting, "retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    let location = header(&waiting, "location").unwrap().to_owned();
    assert_eq!(read(served.get(&location, "acme")).await.0, 200);
    served.running.stop().await;
}

#[tokio::test]
async fn an_idempotency_key_is_answered_to_the_letter() {
    let served = ConfigSnapshot::start().await;
    let body = json!({ "email": "ann@example.com" });
    let send = |key: &str| served.upsert(&body).header("Idempotency-Key", key).send();
    let first = send("k-1").await.unwrap();
    let again = send("\"k-1\"").await.unwrap();
    assert_eq!((first.status(), again.status()), (again.status(), first.status()));
    assert_eq!(header(&first, "idempotent-replayed"), None);
    assert_eq!(header(&again, "idempotent-replayed"), Some("true"));
    assert_eq!(header(&first, "location"), header(&again, "location"));
    assert_eq!(first.text().await.unwrap(), again.text().await.unwrap());
    served.running.stop().await;
}

#[tokio::test]
async fn pages_follow_one_another_by_their_cursor() {
    let served = ConfigSnapshot::start().await;
    for name in ["a", "b", "c"] {
        served.customer(&format!("{name}@example.com")).await;
    }
    let mut seen = Vec::new();
    let mut path = "/v1/customers?limit=2".to_owned();
    loop {
        let (status, page) = read(served.request(Method::GET, &path, "acme")).await;
        assert_eq!(status, 200);
        seen.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|customer| customer["email"].clone()),
        );
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/customers?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(json!(seen), json!(["a@example.com", "b@example.com", "c@example.com"]));
    served.running.stop().await;
}
