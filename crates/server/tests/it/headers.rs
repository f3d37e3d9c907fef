//! Headers of answers, whatever they say.

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::served::{ConfigSnapshot, header, secret};

#[tokio::test]
async fn every_answer_names_its_request() {
    let served = ConfigSnapshot::start().await;
    for (method, path) in [
        (Method::GET, "/livez"),
        (Method::GET, "/nowhere"),
        (Method::PATCH, "/v1/customers"),
        (Method::GET, "/v1/customers"),
        (Method::GET, "/docs"),
    ] {
        let request = |id: &str| {
            served
                .client
                .request(method.clone(), served.url(path))
                .header("X-Request-Id", id)
        };
        let taken_over = request("id-1/2").send().await.unwrap();
        assert_eq!(header(&taken_over, "x-request-id"), Some("id-1/2"), "{path}");
        let long = "x".repeat(129);
        for odd in ["with space", long.as_str()] {
            let made = request(odd).send().await.unwrap();
            assert_eq!(header(&made, "x-request-id").map(str::len), Some(32), "{path}");
        }
    }
    served.running.stop().await;
}

#[tokio::test]
async fn a_problem_names_the_request_and_the_path_without_the_query() {
    let served = ConfigSnapshot::start().await;
    let response = served.get("/v1/nowhere?email=canary", "").send().await.unwrap();
    let body: Json = response.json().await.unwrap();
    assert_eq!(body["request_id"], "a-test");
    assert_eq!(body["instance"], "/v1/nowhere");
    served.running.stop().await;
}

#[tokio::test]
async fn no_answer_with_personal_data_may_be_cached_and_none_is_shared_across_origins() {
    let served = ConfigSnapshot::start().await;
    let id = served.customer("ann@example.com").await;
    for path in [format!("/v1/customers/{id}"), "/v1/customers".to_owned()] {
        let request = served.get(&path, "acme").header("Origin", "https://elsewhere.example");
        let response = request.send().await.unwrap();
        assert_eq!(header(&response, "cache-control"), Some("no-store"));
        assert_eq!(header(&response, "access-control-allow-origin"), None);
    }
    served.running.stop().await;
}

#[tokio::test]
async fn both_headers_for_keys_are_understood() {
    let served = ConfigSnapshot::start().await;
    let request = served.client.get(served.url("/v1/providers"));
    let own = request.try_clone().unwrap().header("X-Api-Key", secret("acme"));
    let bearer = request.header("Authorization", format!("bearer {}", secret("acme")));
    for request in [own, bearer] {
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    served.running.stop().await;
}

#[tokio::test]
async fn a_body_may_be_any_json_type_but_no_other_encoding() {
    let served = ConfigSnapshot::start().await;
    let text = json!({ "email": "ann@example.com" }).to_string();
    for (name, value, wanted) in [
        ("Content-Type", "application/json", 201),
        ("Content-Type", "application/merge-patch+json; charset=utf-8", 200),
        ("Content-Type", "application/json; charset=latin1", 415),
        ("Content-Type", "text/json", 415),
        ("Content-Encoding", "gzip", 415),
    ] {
        let mut request = served.request(Method::POST, "/v1/customers", "acme").body(text.clone());
        if name != "Content-Type" {
            request = request.header("Content-Type", "application/json");
        }
        assert_eq!(
            request.header(name, value).send().await.unwrap().status(),
            wanted,
            "{value}"
        );
    }
    served.running.stop().await;
}
