//! The gateway below a path: what it says of paths, and whom it believes.

use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::served::{ConfigSnapshot, read};

async fn below(server: &str) -> ConfigSnapshot {
    ConfigSnapshot {
        client: Client::builder().no_proxy().redirect(Policy::none()).build().unwrap(),
        ..ConfigSnapshot::with(server).await
    }
}

#[tokio::test]
async fn a_problem_names_the_path_as_its_reader_sees_it_wherever_it_stands() {
    let served = below("base_path = \"/gw\"").await;
    let refused = json!({ "email": "ann@example.com", "notes": "refuse" });
    let path = "/gw/v1/customers";
    let request = || served.post(path, "acme", &refused).header("Idempotency-Key", "one");
    let (status, problem) = read(request()).await;
    assert_eq!(
        (status, &problem["code"], &problem["instance"]),
        (422, &json!("provider_rejected"), &json!(path))
    );
    let (_, again) = read(request()).await;
    assert_eq!(again, problem, "what is kept says the same");
    let (_, problem) = read(served.get("/gw/v1/nowhere", "")).await;
    assert_eq!(problem["instance"], "/gw/v1/nowhere");

    let batch = served.request(Method::POST, "/gw/v1/customers/batch", "acme");
    let lines = format!("{refused}\n{{\n");
    let answer = batch
        .header("Content-Type", "application/x-ndjson")
        .body(lines)
        .send()
        .await
        .unwrap();
    let answer = answer.text().await.unwrap();
    let codes: Vec<Json> = answer
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap()["problem"].take())
        .inspect(|problem| assert_eq!(problem["instance"], "/gw/v1/customers/batch", "{problem}"))
        .map(|problem| problem["code"].clone())
        .collect();
    assert!(
        codes.contains(&json!("provider_rejected")) && codes.contains(&json!("malformed_json")),
        "{codes:?}"
    );
    // Beside the proxy nothing stands in front.
    let (_, problem) = read(served.post("/v1/customers", "acme", &json!({ "email": "none" }))).await;
    assert_eq!(problem["instance"], "/gw/v1/customers", "links lead through the proxy");
    served.running.stop().await;
}

#[tokio::test]
async fn a_prefix_that_leads_elsewhere_is_none_whoever_says_it() {
    let served = below("trusted_proxies = [\"127.0.0.1\"]").await;
    let long = format!("/{}", "x".repeat(200));
    for (prefix, leads_to) in [
        ("/gw", "/gw/ops"),
        ("/tools/gw/", "/tools/gw/ops"),
        ("//evil.example", "/ops"),
        ("/\\evil.example", "/ops"),
        ("https://evil.example", "/ops"),
        ("evil.example", "/ops"),
        ("/gw/../..", "/ops"),
        ("/gw?x=", "/ops"),
        ("/gw#", "/ops"),
        ("/gw%0d%0aSet-Cookie:%20a=b", "/ops"),
        ("/\"><script>", "/ops"),
        ("/gw, //evil.example", "/ops"),
        (&long, "/ops"),
    ] {
        let request = served.get("/", "").header("Accept", "text/html");
        let answer = request.header("X-Forwarded-Prefix", prefix).send().await.unwrap();
        assert_eq!(answer.status(), 302, "{prefix}");
        assert_eq!(answer.headers()["location"], leads_to, "{prefix}");
    }
    served.running.stop().await;
}

#[tokio::test]
async fn a_prefix_with_an_end_of_line_in_it_makes_no_header_of_its_own() {
    let served = below("trusted_proxies = [\"127.0.0.1\"]").await;
    for end in ["\r", "\n", "\r\n ", "\0"] {
        let mut stream = TcpStream::connect(served.running.addr).await.unwrap();
        let head = format!(
            "GET / HTTP/1.1\r\nHost: gw\r\nAccept: text/html\r\nConnection: close\r\n\
             X-Forwarded-Prefix: /gw{end}Set-Cookie: evil=1\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let answer = answer.to_ascii_lowercase();
        assert!(
            answer.starts_with("http/1.1 400")
                || answer.contains("location: /ops\r\n")
                || answer.contains("location: /gw/ops\r\n"),
            "{end:?}: {answer}"
        );
        assert!(!answer.contains("\nset-cookie"), "{end:?}: {answer}");
    }
    served.running.stop().await;
}

#[tokio::test]
async fn nobody_else_may_say_a_prefix() {
    for server in ["", "trusted_proxies = [\"10.0.0.1\"]"] {
        let served = below(server).await;
        let request = served.get("/", "").header("Accept", "text/html");
        let answer = request.header("X-Forwarded-Prefix", "/gw").send().await.unwrap();
        assert_eq!(answer.headers()["location"], "/ops");
        let request = served.get("/openapi.json", "").header("X-Forwarded-Prefix", "/gw");
        let (_, document) = read(request).await;
        assert_eq!(document["servers"], json!([{ "url": "/" }]));
        served.running.stop().await;
    }
}
