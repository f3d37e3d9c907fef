//! The root, paths with a slash too many, headers that are repeated, and offers that are not taken.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value as Json, json};

use crate::served::{ConfigSnapshot, Folder, header, secret};

fn follows_nothing() -> Client {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

#[tokio::test]
async fn the_root_leads_browsers_to_the_dashboard_and_tells_programs_where_the_api_is_described() {
    for (server, base) in [("", ""), ("base_path = \"/gw\"", "/gw")] {
        let served = ConfigSnapshot::with(server).await;
        let root = served.url(&format!("{base}/"));
        let browser = follows_nothing()
            .get(&root)
            .header("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        let browser = browser.send().await.unwrap();
        assert_eq!(
            (browser.status().as_u16(), header(&browser, "location")),
            (302, Some(&*format!("{base}/ops")))
        );
        for accept in ["*/*", "application/json"] {
            let program = follows_nothing()
                .get(&root)
                .header("Accept", accept)
                .send()
                .await
                .unwrap();
            assert_eq!(program.status(), 404);
            let link = header(&program, "link").unwrap().to_owned();
            assert!(link.contains(&format!("<{base}/docs>; rel=\"service-doc\"")), "{link}");
            let problem: Json = program.json().await.unwrap();
            assert_eq!(problem["code"], "not_found");
            assert!(
                problem["detail"].as_str().unwrap().contains(&format!("`{base}/docs`")),
                "{problem}"
            );
        }
        served.running.stop().await;
    }
}

#[tokio::test]
async fn a_slash_too_many_leads_to_the_path_with_method_body_and_query() {
    let served = ConfigSnapshot::start().await;
    for (path, leads_to) in [
        ("/v1/customers/?limit=1", "/v1/customers?limit=1"),
        ("/openapi.json/", "/openapi.json"),
        ("/docs/", "/docs"),
        ("/ops/session/", "/ops/session"),
    ] {
        let answer = follows_nothing().get(served.url(path)).send().await.unwrap();
        let expected = if path.starts_with("/ops") { 401 } else { 308 };
        assert_eq!(answer.status(), expected, "{path}");
        if expected == 308 {
            assert_eq!(header(&answer, "location"), Some(leads_to), "{path}");
        }
    }
    // A client that follows has done what it wanted.
    let request = served.post("/v1/customers/", "acme", &json!({ "email": "ann@example.com" }));
    assert_eq!(request.send().await.unwrap().status(), 201);
    for path in ["//evil.example/", "/nowhere/", "/v1/customers//"] {
        let answer = follows_nothing().get(served.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
    served.running.stop().await;
}

#[tokio::test]
async fn equal_headers_are_one_and_different_ones_are_refused() {
    let served = ConfigSnapshot::start().await;
    let upsert = |headers: &[(&'static str, &'static str)]| {
        let mut request = served.request(Method::POST, "/v1/customers", "both");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(json!({ "email": "ann@example.com" }).to_string()).send()
    };
    let (json_type, acme, key) = (
        ("Content-Type", "application/json"),
        ("Merchant-Id", "acme"),
        ("Idempotency-Key", "one"),
    );
    let twice = upsert(&[json_type, json_type, acme, acme, key, key]).await.unwrap();
    assert_eq!(twice.status(), 201);
    for (other, name) in [
        (("Content-Type", "text/plain"), "Content-Type"),
        (("Merchant-Id", "globex"), "Merchant-Id"),
        (("Idempotency-Key", "two"), "Idempotency-Key"),
    ] {
        let refused = upsert(&[json_type, acme, key, other]).await.unwrap();
        assert_eq!(refused.status(), 400, "{name}");
        let problem: Json = refused.json().await.unwrap();
        assert_eq!(
            (&problem["code"], &problem["errors"][0]["pointer"]),
            (&json!("invalid_header"), &json!(name))
        );
    }
    served.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_is_offered_is_not_taken_and_the_request_is_answered() {
    let served = ConfigSnapshot::start().await;
    let offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    let body = "{\"email\":\"ann@example.com\"}";
    let head = format!(
        "POST /v1/customers HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\n{offer}Content-Length: {}\r\n\r\n{body}",
        secret("acme"),
        body.len()
    );
    let mut connection = TcpStream::connect(served.running.addr).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let answered = tokio::task::spawn_blocking(move || {
        connection.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer.to_ascii_lowercase()
    });
    let answer = answered.await.unwrap();
    assert!(answer.starts_with("http/1.1 201 "), "{answer}");
    assert!(
        answer.contains("connection: close") && !answer.contains("upgrade"),
        "{answer}"
    );
    served.running.stop().await;
}

#[tokio::test]
async fn a_prefix_that_is_configured_anew_holds_without_a_restart() {
    let folder = Folder::new("");
    let options = folder.options();
    let served = ConfigSnapshot::over(folder, options).await;
    let nowhere = served.get("/gw/livez", "").send().await.unwrap();
    assert_eq!(nowhere.status(), 404);
    served
        .folder
        .write("gateway.toml", &crate::served::gateway_toml("base_path = \"/gw\""));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while served.get("/gw/livez", "").send().await.unwrap().status() != 200 {
        assert!(tokio::time::Instant::now() < deadline, "it is never taken over");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    served.running.stop().await;
}
