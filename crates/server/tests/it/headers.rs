//! Headers of answers, whatever they say.

use std::collections::BTreeSet;

use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::{Value as Json, json};

use crate::matrix::{guarded, sent};
use crate::served::{ConfigSnapshot, Folder, gateway_toml, header, read, secret};

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
async fn every_answer_to_a_key_with_a_limit_says_what_is_left_of_it() {
    let served = ConfigSnapshot::start().await;
    for (path, status, left) in [
        ("/v1/customers", 200, "\"key\";r=1;t=1"),
        // A refusal too.
        ("/v1/deliveries", 403, "\"key\";r=0;t=2"),
        ("/v1/customers", 429, "\"key\";r=0;t=1"),
    ] {
        let response = served.get(path, "slow").send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(header(&response, "ratelimit"), Some(left));
        assert_eq!(header(&response, "ratelimit-policy"), Some("\"key\";q=2;w=2"));
    }
    let unlimited = served.get("/v1/customers", "acme").send().await.unwrap();
    assert_eq!(header(&unlimited, "ratelimit"), None);
    served.running.stop().await;
}

/// Keys that may do everything, so often.
fn limited(name: &str, per_second: u32, burst: u32) -> String {
    let hash = data_encoding::HEXLOWER.encode(&upsert_settings::key_hash(&secret(name)));
    format!(
        "[[api_keys]]\nname = \"{name}\"\nkey_sha256 = \"{hash}\"\nmerchants = [\"*\"]\nscopes = [\"customers:read\", \
         \"customers:write\", \"ops:read\", \"ops:write\", \"admin\"]\n\
         rate_limit = {{ per_second = {per_second}, burst = {burst} }}\n"
    )
}

async fn served_to_limited() -> ConfigSnapshot {
    let folder = Folder::new("");
    let keys = limited("often", 1, 1_000) + &limited("once", 1, 1);
    let server = "base_path = \"/gw\"\ncors_origins = [\"https://app.example\"]";
    folder.write("gateway.toml", &(gateway_toml(server) + &keys));
    let options = folder.options();
    let client = Client::builder().no_proxy().redirect(Policy::none());
    ConfigSnapshot {
        client: client.build().unwrap(),
        ..ConfigSnapshot::over(folder, options).await
    }
}

/// Asserts that the answer says what the key has left, and gives its status.
#[track_caller]
fn says_what_is_left(response: &reqwest::Response, of: &str) -> u16 {
    let status = response.status().as_u16();
    for (name, begins) in [("ratelimit-policy", "\"key\";q="), ("ratelimit", "\"key\";r=")] {
        let said = header(response, name);
        assert!(
            said.is_some_and(|said| said.starts_with(begins)),
            "{of}, {status}, {name}: {said:?}"
        );
    }
    status
}

#[tokio::test]
async fn whatever_a_key_with_a_limit_is_answered_says_what_is_left_of_it() {
    let served = served_to_limited().await;
    let mut statuses = BTreeSet::new();
    for (method, path) in guarded(&served).await {
        let response = sent(&served, &method, &path, "often").send().await.unwrap();
        statuses.insert(says_what_is_left(&response, &format!("{method} {path}")));
    }
    let upsert = |kind: &'static str, body: String| {
        let request = served
            .request(Method::POST, "/v1/customers", "often")
            .header("merchant-id", "acme");
        request.header("content-type", kind).body(body)
    };
    let one = json!({ "email": "ann@example.com" }).to_string();
    let batch = served
        .request(Method::POST, "/v1/customers/batch", "often")
        .header("merchant-id", "acme");
    for (request, status) in [
        (upsert("application/json", one.clone()), 201),
        (upsert("application/json", "{".to_owned()), 400),
        (upsert("text/plain", one.clone()), 415),
        (
            upsert("application/json", format!("{{\"notes\":\"{}\"}}", "n".repeat(70_000))),
            413,
        ),
        (upsert("application/json", "{\"email\":\"none\"}".to_owned()), 422),
        (
            batch.header("content-type", "application/x-ndjson").body(one.clone()),
            200,
        ),
        (served.get("/v1/providers", "often").header("accept", "text/html"), 406),
        (served.request(Method::PATCH, "/v1/customers", "often"), 405),
        (served.get("/v1/nowhere", "often"), 404),
        (served.get("/nowhere", "often"), 404),
        (
            served
                .get("/gw/v1/providers", "often")
                .header("accept-encoding", "gzip"),
            200,
        ),
        (
            served
                .get("/v1/providers", "often")
                .header("accept-encoding", "br, identity;q=0"),
            406,
        ),
        (
            served
                .get("/v1/providers", "often")
                .header("origin", "https://app.example"),
            200,
        ),
        (served.request(Method::HEAD, "/v1/providers", "often"), 200),
        (served.request(Method::HEAD, "/v1/nowhere", "often"), 404),
        (served.request(Method::OPTIONS, "/v1/customers", "often"), 204),
        (served.get("/gw/v1/providers/", "often"), 308),
        (served.get("/gw/", "often"), 404),
        (
            upsert("application/json", one.clone()).header("merchant-id", "globex"),
            400,
        ),
        (
            upsert("application/json", one.clone()).header("content-encoding", "br"),
            415,
        ),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(
            says_what_is_left(&response, &status.to_string()),
            status,
            "{}",
            response.url()
        );
        statuses.insert(status);
    }
    assert!(
        statuses.is_superset(&[200, 201, 400, 404, 405, 406, 413, 415, 422].into()),
        "{statuses:?}"
    );
    // Nobody is told of a limit that is nobody's.
    let stranger = served.get("/v1/nowhere", "").send().await.unwrap();
    assert_eq!(
        (stranger.status().as_u16(), header(&stranger, "ratelimit")),
        (404, None)
    );
    // What is refused since it came too often says so wherever it went.
    served.get("/v1/customers", "once").send().await.unwrap();
    for path in ["/v1/customers", "/v1/nowhere", "/nowhere"] {
        let response = served.get(path, "once").send().await.unwrap();
        assert_eq!(says_what_is_left(&response, path), 429);
        assert!(header(&response, "retry-after").is_some(), "{path}");
    }
    served.running.stop().await;
}

#[tokio::test]
async fn pages_and_acts_of_the_dashboard_say_what_is_left_of_the_key_that_opened_it() {
    let served = served_to_limited().await;
    let sign_in = |key: &str| {
        let request = served.request(Method::POST, "/ops/session", "");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request
            .header("sec-fetch-site", "same-origin")
            .body(format!("key={}", secret(key)))
    };
    let signed_in = sign_in("often").send().await.unwrap();
    assert_eq!(says_what_is_left(&signed_in, "signing in"), 303);
    let cookie = header(&signed_in, "set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let sent = |method: Method, path: &str| {
        let request = served.request(method, path, "").header("cookie", &cookie);
        request.header("sec-fetch-site", "same-origin").send()
    };
    for (method, path, status) in [
        (Method::GET, "/ops", 200),
        (Method::GET, "/ops/audit", 200),
        (Method::POST, "/ops/connections/acme/ledger/pause", 303),
        (Method::POST, "/ops/connections/acme/nobody/pause", 303),
        (Method::GET, "/ops/deliveries/dlv_nothing", 404),
        (Method::GET, "/ops/nowhere", 404),
        (Method::GET, "/ops/audit?since=yesterday", 400),
    ] {
        let response = sent(method, path).await.unwrap();
        assert_eq!(says_what_is_left(&response, path), status, "{path}");
    }
    assert_eq!(says_what_is_left(&sign_in("once").send().await.unwrap(), "once"), 303);
    let refused = sign_in("once").send().await.unwrap();
    assert_eq!(says_what_is_left(&refused, "twice"), 429);
    served.running.stop().await;
}

#[tokio::test]
async fn a_key_that_has_expired_opens_nothing_and_is_told_so() {
    let folder = Folder::new("");
    let expiring = |name: &str, at: &str| {
        let hash = data_encoding::HEXLOWER.encode(&upsert_settings::key_hash(&secret(name)));
        format!(
            "[[api_keys]]\nname = \"crm\"\nkey_sha256 = \"{hash}\"\nmerchants = [\"acme\"]\nscopes = [\"customers:read\"]\n\
             expires_at = \"{at}\"\n"
        )
    };
    // Of one name: the old one is gone, the new one goes on.
    let keys = expiring("old", "2026-01-01T00:00:00Z") + &expiring("new", "2999-01-01T00:00:00Z");
    folder.write("gateway.toml", &(gateway_toml("") + &keys));
    let options = folder.options();
    let served = ConfigSnapshot::over(folder, options).await;
    assert_eq!(read(served.get("/v1/customers", "new")).await.0, 200);
    let response = served.get("/v1/customers", "old").send().await.unwrap();
    assert_eq!(
        header(&response, "www-authenticate"),
        Some("Bearer realm=\"upsert-gateway\", error=\"invalid_token\"")
    );
    let (status, body) = (response.status(), response.json::<Json>().await.unwrap());
    assert_eq!(
        (status.as_u16(), &body["detail"]),
        (401, &json!("the API key has expired"))
    );
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
        ("Content-Encoding", "br", 415),
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
