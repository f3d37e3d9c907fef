//! Pages of other origins: which may call the API, and that none gets to the dashboard.

use reqwest::{Method, Response};

use crate::served::{ConfigSnapshot, header};

const APP: &str = "https://app.example";

async fn ahead(served: &ConfigSnapshot, path: &str, origin: &str) -> Response {
    let request = served.request(Method::OPTIONS, path, "").header("Origin", origin);
    let request = request.header("Access-Control-Request-Method", "POST");
    let headers = "authorization,content-type,idempotency-key,merchant-id,prefer";
    request
        .header("Access-Control-Request-Headers", headers)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_page_of_a_named_origin_may_call_the_api_and_read_what_it_needs() {
    let served = ConfigSnapshot::with("cors_origins = [\"https://app.example\"]").await;
    let allowed = ahead(&served, "/v1/customers", APP).await;
    assert_eq!(allowed.status(), 200);
    assert_eq!(header(&allowed, "access-control-allow-origin"), Some(APP));
    for (name, part) in [
        ("access-control-allow-methods", "POST"),
        ("access-control-allow-headers", "idempotency-key"),
        ("access-control-max-age", "600"),
    ] {
        let value = header(&allowed, name).unwrap();
        assert!(value.contains(part), "{name}: {value}");
    }
    assert_eq!(header(&allowed, "access-control-allow-credentials"), None);

    let answer = served
        .get("/v1/customers", "acme")
        .header("Origin", APP)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "access-control-allow-origin")),
        (200, Some(APP))
    );
    let exposed = header(&answer, "access-control-expose-headers")
        .unwrap()
        .to_ascii_lowercase();
    for name in [
        "x-request-id",
        "location",
        "retry-after",
        "ratelimit",
        "ratelimit-policy",
        "preference-applied",
        "etag",
    ] {
        assert!(
            exposed.split(", ").any(|exposed| exposed == name),
            "{name} is not in {exposed}"
        );
    }
    let varies = answer.headers().get_all("vary").iter().any(|value| value == "origin");
    assert!(varies, "a cache has to keep one answer for each origin");
    // What is refused is for the page to read too.
    let refused = served
        .get("/v1/customers", "")
        .header("Origin", APP)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            refused.status().as_u16(),
            header(&refused, "access-control-allow-origin")
        ),
        (401, Some(APP))
    );
    served.running.stop().await;
}

#[tokio::test]
async fn no_other_origin_may_and_is_told_why() {
    let served = ConfigSnapshot::with("cors_origins = [\"https://app.example\"]").await;
    let evil = "https://app.example.evil.example";
    let refused = ahead(&served, "/v1/customers", evil).await;
    assert_eq!(refused.status(), 400);
    assert_eq!(header(&refused, "access-control-allow-origin"), None);
    let problem: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(problem["code"], "invalid_header");
    let answer = served
        .get("/v1/customers", "acme")
        .header("Origin", evil)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "access-control-allow-origin")),
        (200, None)
    );
    served.running.stop().await;
}

#[tokio::test]
async fn nothing_is_told_of_origins_where_none_is_named() {
    let served = ConfigSnapshot::start().await;
    let asked = ahead(&served, "/v1/customers", APP).await;
    assert_eq!(
        (asked.status().as_u16(), header(&asked, "allow")),
        (204, Some("GET, HEAD, POST, OPTIONS"))
    );
    let request = served.get("/v1/customers", "acme").header("Origin", APP);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let nowhere = ahead(&served, "/v1/nowhere", APP).await;
    assert_eq!(nowhere.status(), 404);
    for response in [asked, answer, nowhere] {
        let told = response.headers().iter().find(|(name, value)| {
            name.as_str().starts_with("access-control-") || (*name == "vary" && *value == "origin")
        });
        assert_eq!(told, None, "{}", response.url());
    }
    served.running.stop().await;
}

#[tokio::test]
async fn every_origin_may_where_all_are_meant_but_none_gets_to_the_dashboard_or_its_cookie() {
    let served = ConfigSnapshot::with("cors_origins = [\"*\"]").await;
    let answer = served
        .get("/v1/customers", "acme")
        .header("Origin", "https://any.example")
        .send()
        .await
        .unwrap();
    assert!(header(&answer, "access-control-allow-origin").is_some());
    assert_eq!(header(&answer, "access-control-allow-credentials"), None);
    for path in ["/ops", "/ops/session", "/ops/plan"] {
        let ahead = ahead(&served, path, "https://any.example").await;
        assert_eq!(header(&ahead, "access-control-allow-origin"), None, "{path}");
        let looked = served
            .get(path, "")
            .header("Origin", "https://any.example")
            .send()
            .await
            .unwrap();
        assert_eq!(header(&looked, "access-control-allow-origin"), None, "{path}");
    }
    let request = served
        .request(Method::POST, "/ops/session", "")
        .header("Origin", "https://any.example");
    let posted = request
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body("key=any")
        .send()
        .await
        .unwrap();
    assert_eq!(posted.status(), 403);
    served.running.stop().await;
}
