//! Methods as RFC 9110 has them: HEAD wherever there is GET, and `Allow` that tells the truth.

use reqwest::{Client, Method};
use serde_json::Value as Json;

use crate::served::{ConfigSnapshot, header, read};

/// Every documented path with the methods that it documents, in capital letters.
async fn documented(served: &ConfigSnapshot, id: &str) -> Vec<(String, Vec<String>)> {
    let (_, document) = read(served.get("/openapi.json", "")).await;
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .map(|(template, item)| {
            let path = template
                .replace("{merchant}", "acme")
                .replace("{name}", "ledger")
                .replace("{connection}", "ledger")
                .replace("{direction}", "in")
                .replace("{file}", "index.css")
                .replace("{id}", id);
            let methods = item.as_object().unwrap().keys().map(|method| method.to_uppercase());
            (path, methods.collect())
        })
        .collect()
}

#[tokio::test]
async fn a_head_is_answered_as_a_get_would_be_without_its_body() {
    let mut served = ConfigSnapshot::start().await;
    // Headers as they come.
    served.client = Client::builder().no_proxy().no_gzip().build().unwrap();
    let id = served.customer("ann@example.com").await;
    let mut answered = 0;
    for (path, methods) in documented(&served, &id).await {
        if !methods.iter().any(|method| method == "GET") {
            continue;
        }
        let get = served
            .get(&path, "all")
            .header("Merchant-Id", "acme")
            .send()
            .await
            .unwrap();
        let head = served.request(Method::HEAD, &path, "all").header("Merchant-Id", "acme");
        let head = head.send().await.unwrap();
        assert_eq!(head.status(), get.status(), "{path}");
        answered += usize::from(get.status() == 200);
        let names = |headers: &reqwest::header::HeaderMap| {
            let mut names: Vec<String> = headers.keys().map(ToString::to_string).collect();
            names.sort_unstable();
            names
        };
        assert_eq!(names(head.headers()), names(get.headers()), "{path}");
        for same in ["content-type", "cache-control", "etag", "location"] {
            assert_eq!(header(&head, same), header(&get, same), "{path}");
        }
        // Metrics and moments differ from one request to the next, but not what is said of their length.
        assert!(
            header(&head, "content-length").is_some_and(|length| length != "0"),
            "{path}"
        );
        assert!(head.bytes().await.unwrap().is_empty(), "{path}");
    }
    assert!(answered > 10, "only {answered} were there");
    served.running.stop().await;
}

#[tokio::test]
async fn options_and_a_refused_method_tell_what_a_path_knows() {
    let served = ConfigSnapshot::start().await;
    for (path, methods) in documented(&served, "cus_1").await {
        let options = served.request(Method::OPTIONS, &path, "").send().await.unwrap();
        assert_eq!(options.status(), 204, "{path}");
        let allowed: Vec<String> = header(&options, "allow")
            .unwrap()
            .split(", ")
            .map(str::to_owned)
            .collect();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            assert_eq!(
                allowed.contains(&method.to_owned()),
                methods.contains(&method.to_owned()),
                "{method} {path}"
            );
        }
        assert_eq!(
            allowed.contains(&"HEAD".to_owned()),
            methods.contains(&"GET".to_owned()),
            "{path}"
        );
        let refused = served.request(Method::PATCH, &path, "all").send().await.unwrap();
        assert_eq!(refused.status(), 405, "{path}");
        assert_eq!(header(&refused, "allow"), header(&options, "allow"), "{path}");
        let problem: Json = refused.json().await.unwrap();
        assert_eq!(problem["code"], "method_not_allowed");
    }
    let head = served
        .request(Method::HEAD, "/v1/connections/acme/ledger/pause", "all")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (head.status().as_u16(), header(&head, "allow")),
        (405, Some("POST, OPTIONS"))
    );
    let nowhere = served.request(Method::OPTIONS, "/v1/nowhere", "").send().await.unwrap();
    assert_eq!(nowhere.status(), 404);
    served.running.stop().await;
}

#[tokio::test]
async fn the_dashboard_tells_its_methods_too() {
    let served = ConfigSnapshot::start().await;
    for (path, allow) in [
        ("/ops", "GET, HEAD, OPTIONS"),
        ("/ops/session", "POST, OPTIONS"),
        ("/ops/plan", "GET, HEAD, POST, OPTIONS"),
        ("/ops/connections/acme/ledger/pause", "POST, OPTIONS"),
    ] {
        let options = served.request(Method::OPTIONS, path, "").send().await.unwrap();
        assert_eq!(
            (options.status().as_u16(), header(&options, "allow")),
            (204, Some(allow)),
            "{path}"
        );
    }
    let refused = served.get("/ops/session", "").send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), header(&refused, "allow")),
        (405, Some("POST, OPTIONS"))
    );
    let head = served.request(Method::HEAD, "/ops", "").send().await.unwrap();
    assert_eq!(head.status(), 200);
    served.running.stop().await;
}
