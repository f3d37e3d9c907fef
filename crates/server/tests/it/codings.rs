//! Content codings in both directions: answers by what `Accept-Encoding` wants, bodies within the same limits.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures_util::StreamExt as _;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value as Json, json};

use crate::served::{ConfigSnapshot, header, secret};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A client that takes answers as they come.
fn plain() -> Client {
    Client::builder().no_proxy().no_gzip().build().unwrap()
}

fn asked(served: &ConfigSnapshot, method: Method, path: &str, wants: &str) -> RequestBuilder {
    let request = plain().request(method, served.url(path)).bearer_auth(secret("all"));
    request.header("Merchant-Id", "acme").header("Accept-Encoding", wants)
}

async fn unpacked(answer: Response) -> String {
    assert_eq!(header(&answer, "content-encoding"), Some("gzip"));
    let bytes = answer.bytes().await.unwrap();
    let mut text = String::new();
    GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn answers_are_coded_for_whoever_takes_it_and_say_so_for_caches() {
    let served = ConfigSnapshot::start().await;
    let id = served.customer("ann@example.com").await;
    for path in [
        "/metrics",
        "/openapi.json",
        "/docs/index.css",
        "/docs",
        "/ops",
        "/v1/providers",
    ] {
        let bare = asked(&served, Method::GET, path, "identity").send().await.unwrap();
        assert_eq!(header(&bare, "content-encoding"), None, "{path}");
        assert_eq!(header(&bare, "vary"), Some("accept-encoding"), "{path}");
        let bare = bare.text().await.unwrap();
        for wants in ["gzip", "br, gzip;q=0.5", "*"] {
            let packed = asked(&served, Method::GET, path, wants).send().await.unwrap();
            if bare.len() < 1024 {
                assert_eq!(header(&packed, "content-encoding"), None, "{path} is short");
                continue;
            }
            let length: usize = header(&packed, "content-length").unwrap().parse().unwrap();
            assert_eq!(header(&packed, "vary"), Some("accept-encoding"), "{path}");
            let head = asked(&served, Method::HEAD, path, wants).send().await.unwrap();
            assert_eq!(header(&head, "content-encoding"), Some("gzip"), "{path}");
            let text = unpacked(packed).await;
            assert!(length < text.len(), "{path}: {length} of {}", text.len());
            if path != "/metrics" {
                assert_eq!(text, bare, "{path}");
            }
        }
    }
    // What is short gains nothing, but is coded for who takes nothing else.
    let path = format!("/v1/customers/{id}/history");
    let short = asked(&served, Method::GET, &path, "gzip").send().await.unwrap();
    assert_eq!(header(&short, "content-encoding"), None);
    let forced = asked(&served, Method::GET, &path, "gzip, identity;q=0")
        .send()
        .await
        .unwrap();
    assert!(unpacked(forced).await.contains("\"version\""));
    served.running.stop().await;
}

#[tokio::test]
async fn who_takes_nothing_that_there_is_is_told_so_before_anything_is_done() {
    let served = ConfigSnapshot::start().await;
    let request = asked(&served, Method::POST, "/v1/customers", "br, identity;q=0");
    let answer = request
        .json(&json!({ "email": "ann@example.com" }))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 406);
    assert_eq!(answer.json::<Json>().await.unwrap()["code"], "not_acceptable");
    let found = asked(&served, Method::GET, "/v1/customers", "identity")
        .send()
        .await
        .unwrap();
    assert_eq!(found.json::<Json>().await.unwrap()["data"], json!([]));
    served.running.stop().await;
}

#[tokio::test]
async fn a_body_may_be_coded_and_its_limit_holds_without_the_coding() {
    let served = ConfigSnapshot::start().await;
    let send = |coding: &'static str, body: Vec<u8>| {
        let request = served.request(Method::POST, "/v1/customers", "acme");
        request
            .header("Content-Type", "application/json")
            .header("Content-Encoding", coding)
            .body(body)
            .send()
    };
    let of = |notes: usize| {
        json!({ "email": "ann@example.com", "notes": "n".repeat(notes) })
            .to_string()
            .into_bytes()
    };
    let taken = send("gzip", gzip(&of(1000))).await.unwrap();
    assert_eq!(taken.status(), 201);
    assert_eq!(send("X-GZip", gzip(&of(1000))).await.unwrap().status(), 200);
    // A few hundred bytes on the wire, more than 64 KiB without the coding.
    let bomb = send("gzip", gzip(&of(10_000_000))).await.unwrap();
    assert_eq!(bomb.status(), 413);
    assert!(
        bomb.json::<Json>().await.unwrap()["detail"]
            .as_str()
            .unwrap()
            .contains("65536")
    );
    let broken = send("gzip", b"{}".to_vec()).await.unwrap();
    assert_eq!(
        (
            broken.status().as_u16(),
            broken.json::<Json>().await.unwrap()["code"].clone()
        ),
        (400, json!("malformed_json"))
    );
    for coding in ["br", "gzip, gzip", "deflate"] {
        let unknown = send(coding, gzip(&of(1))).await.unwrap();
        assert_eq!(
            (unknown.status().as_u16(), header(&unknown, "accept-encoding")),
            (415, Some("gzip")),
            "{coding}"
        );
    }
    served.running.stop().await;
}

#[tokio::test]
async fn an_event_has_to_come_as_it_was_signed() {
    let served = ConfigSnapshot::with_acme(
        "[[webhooks.in]]\nsource = \"shop\"\nverify = { scheme = \"hmac\", header = \"x-sig\", \
         algorithm = \"sha256\", encoding = \"hex\", secret = { env = \"PIN\" } }\nevent_id = \"/id\"\nmap = { email = \"/email\" }\n",
    )
    .await;
    let request = served.request(Method::POST, "/v1/webhooks/acme/shop", "");
    let request = request
        .header("Content-Type", "application/json")
        .header("Content-Encoding", "gzip");
    let answer = request.body(gzip(b"{}")).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "accept-encoding")),
        (415, Some("identity"))
    );
    served.running.stop().await;
}

#[tokio::test]
async fn a_batch_may_be_coded_both_ways_and_each_line_is_answered_before_the_next_is_sent() {
    let served = ConfigSnapshot::start().await;
    let (lines, queue) = tokio::sync::mpsc::channel::<Vec<u8>>(1);
    let body = futures_util::stream::unfold(queue, |mut queue| async move {
        Some((Ok::<_, std::convert::Infallible>(queue.recv().await?), queue))
    });
    let request = asked(&served, Method::POST, "/v1/customers/batch", "gzip");
    let request = request
        .header("Content-Type", "application/x-ndjson")
        .header("Content-Encoding", "gzip");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let mut line = |number: usize| {
        writeln!(encoder, "{{\"email\":\"p{number}@example.com\"}}").unwrap();
        encoder.flush().unwrap();
        std::mem::take(encoder.get_mut())
    };
    let first = line(1);
    let sending = tokio::spawn(request.body(reqwest::Body::wrap_stream(body)).send());
    lines.send(first).await.unwrap();
    let answer = sending.await.unwrap().unwrap();
    assert_eq!(header(&answer, "content-encoding"), Some("gzip"));
    assert_eq!(header(&answer, "x-accel-buffering"), Some("no"));
    let mut decoder = flate2::write::GzDecoder::new(Vec::new());
    let mut pieces = answer.bytes_stream();
    for number in 1..=3 {
        let count = |text: &[u8]| text.split(|byte| *byte == b'\n').count() - 1;
        while count(decoder.get_ref()) < number {
            decoder.write_all(&pieces.next().await.unwrap().unwrap()).unwrap();
            decoder.flush().unwrap();
        }
        if number < 3 {
            lines.send(line(number + 1)).await.unwrap();
        }
    }
    // Cut off: what was begun is answered, and the next line says why there are no more.
    drop(lines);
    while let Some(piece) = pieces.next().await {
        decoder.write_all(&piece.unwrap()).unwrap();
    }
    let text = String::from_utf8(decoder.finish().unwrap()).unwrap();
    let last: Json = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(
        (text.lines().count(), &last["line"], &last["problem"]["code"]),
        (4, &json!(4), &json!("malformed_json")),
        "{text}"
    );
    served.running.stop().await;
}

#[tokio::test]
async fn a_body_where_there_is_nothing_to_say_is_judged_without_its_coding() {
    let served = ConfigSnapshot::start().await;
    let pause = |coding: &'static str, body: Vec<u8>| {
        let request = served.request(Method::POST, "/v1/connections/acme/ledger/pause", "acme");
        let request = request.header("Content-Type", "application/json");
        request.header("Content-Encoding", coding).body(body).send()
    };
    for (coding, body, status, code) in [
        ("gzip", gzip(b"{}"), 200, None),
        ("gzip", gzip(b"{\"why\":\"x\"}"), 422, Some("validation_failed")),
        ("gzip", gzip(&vec![b' '; 10_000_000]), 413, Some("body_too_large")),
        ("gzip", b"{}".to_vec(), 400, Some("malformed_json")),
        ("br", gzip(b"{}"), 415, Some("unsupported_media_type")),
    ] {
        let answer = pause(coding, body).await.unwrap();
        assert_eq!(answer.status(), status, "{code:?}");
        let told: Json = answer.json().await.unwrap();
        assert_eq!(told["code"].as_str(), code, "{told}");
    }
    served.running.stop().await;
}

#[tokio::test]
async fn a_line_of_a_batch_is_as_long_as_it_is_without_the_coding() {
    let served = ConfigSnapshot::start().await;
    let mut lines = b"{\"email\":\"ann@example.com\"}\n".to_vec();
    // Some kilobytes on the wire, twice.
    lines.extend(vec![b'x'; 20_000_000]);
    lines.extend(vec![b'\n'; 20_000_000]);
    lines.extend(b"{\"email\":\"bob@example.com\"}\n");
    let request = served.request(Method::POST, "/v1/customers/batch", "acme");
    let request = request
        .header("Content-Type", "application/x-ndjson")
        .header("Content-Encoding", "gzip");
    let answer = request.body(gzip(&lines)).send().await.unwrap().text().await.unwrap();
    let mut told: Vec<(Json, Json)> = answer
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap())
        .map(|line| (line["status"].clone(), line["problem"]["code"].clone()))
        .collect();
    told.sort_by_key(|(status, _)| status.is_null());
    assert_eq!(
        told,
        [
            (json!(201), Json::Null),
            (json!(201), Json::Null),
            (Json::Null, json!("body_too_large"))
        ]
    );
    served.running.stop().await;
}

#[tokio::test]
async fn metrics_with_an_address_of_their_own_are_compressed_and_have_a_head_too() {
    let served = ConfigSnapshot::with("metrics_bind = \"127.0.0.1:0\"").await;
    let url = format!("http://{}/metrics", served.running.metrics_addr.unwrap());
    let packed = plain()
        .get(&url)
        .header("Accept-Encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert!(unpacked(packed).await.contains("upsert_gateway_"));
    let head = plain().head(&url).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert!(head.bytes().await.unwrap().is_empty());
    served.running.stop().await;
}
