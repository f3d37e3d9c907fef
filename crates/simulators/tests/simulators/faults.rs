//! Faults as a caller on the wire sees them, and what they leave at the vendor.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use upsert_simulators::{Answer, Answered, Cut, Effect, Fault, SimulatorOptions, Vendor, When};

use crate::desk::{Desk, answer};

fn ann() -> Value {
    json!({"phone": "+15550100", "first_name": "Ann"})
}

/// What a raw client reads until the connection is gone.
async fn raw_upsert(desk: &Desk) -> String {
    let mut stream = TcpStream::connect(desk.simulator.address()).await.unwrap();
    let body = ann().to_string();
    let head = format!(
        "POST /open-api/customers HTTP/1.1\r\nhost: rotor\r\nx-api-key: rotor_sim_secret\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    // A reset is as good an end as a close; a connection left open is not.
    let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut read))
        .await
        .expect("the connection stays open");
    String::from_utf8(read).unwrap()
}

async fn cut_at(at: Cut) -> (String, usize, Desk) {
    let desk = Desk::start(Vendor::Rotor);
    desk.simulator.faults().add(Fault::once(Effect::Cut { at }));
    let read = raw_upsert(&desk).await;
    let entry = desk.simulator.journal().entries().remove(0);
    assert_eq!(entry.answered, Some(Answered::Cut { at }));
    assert_eq!(entry.fault, Some(Effect::Cut { at }));
    let written = desk.simulator.records().len();
    assert_eq!(entry.write.is_some(), written == 1);
    (read, written, desk)
}

#[tokio::test]
async fn a_cut_before_reading_or_before_the_write_leaves_nothing_and_sends_no_byte() {
    let (read, written, desk) = cut_at(Cut::BeforeReading).await;
    assert_eq!((read.as_str(), written), ("", 0));
    assert_eq!(desk.simulator.journal().entries()[0].body, "");
    let (read, written, desk) = cut_at(Cut::BeforeWrite).await;
    assert_eq!((read.as_str(), written), ("", 0));
    assert_eq!(desk.simulator.journal().entries()[0].body, ann().to_string());
}

#[tokio::test]
async fn a_cut_after_the_write_leaves_the_record_and_sends_no_byte() {
    let (read, written, desk) = cut_at(Cut::AfterWrite).await;
    assert_eq!((read.as_str(), written), ("", 1));
    assert_eq!(
        desk.upsert(&ann()).await.0,
        200,
        "the next request is served, and finds the record"
    );
}

#[tokio::test]
async fn a_cut_in_the_middle_sends_the_head_and_half_of_the_body() {
    let (read, written, _desk) = cut_at(Cut::MidAnswer).await;
    assert_eq!(written, 1);
    let (head, body) = read.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 201"), "{head}");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap();
    assert_eq!(body.len(), length.parse::<usize>().unwrap() / 2);
    assert!(body.starts_with('{'));
}

#[tokio::test]
async fn a_cut_is_an_error_of_the_connection_to_an_ordinary_client() {
    let desk = Desk::start(Vendor::Rotor);
    for at in [Cut::BeforeReading, Cut::BeforeWrite, Cut::AfterWrite] {
        desk.simulator.faults().add(Fault::once(Effect::Cut { at }));
        let sent = desk.request(Method::POST, "/customers").json(&ann()).send().await;
        assert!(sent.is_err(), "{at:?}");
    }
    desk.simulator
        .faults()
        .add(Fault::once(Effect::Cut { at: Cut::MidAnswer }));
    let response = desk
        .request(Method::POST, "/customers")
        .json(&ann())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn a_status_comes_before_the_write_or_after_it_in_the_vendors_own_words() {
    for vendor in [Vendor::Rotor, Vendor::AddUpdate, Vendor::April] {
        let desk = Desk::start(vendor);
        let body = match vendor {
            Vendor::Rotor => ann(),
            Vendor::AddUpdate => json!({"externalId": "C1", "firstName": "Ann"}),
            Vendor::April => json!({"UpsertConsumerCustomer": {
                "emailAddress": "a@example.com", "phoneNumber": "+61401234567", "familyName": "Lee"
            }}),
        };
        for status in [401, 403, 429, 500, 502, 503, 504] {
            desk.simulator
                .faults()
                .add(Fault::once(Effect::Answer(Answer::new(status))));
            let (got, answer) = desk.upsert(&body).await;
            assert_eq!(got, status, "{vendor:?}");
            let worded = match vendor {
                Vendor::Rotor => answer["status"] == "error",
                Vendor::AddUpdate => answer["error"]["code"].is_string(),
                Vendor::April => answer["statusCode"] == status,
            };
            assert!(worded, "{vendor:?} {status}: {answer}");
            assert!(desk.simulator.records().is_empty(), "{vendor:?} {status}");
        }
        desk.simulator
            .faults()
            .add(Fault::once(Effect::Answer(Answer::new(503).after_write())));
        assert_eq!(desk.upsert(&body).await.0, 503);
        assert_eq!(desk.simulator.records().len(), 1, "{vendor:?}");
        assert!(desk.simulator.journal().entries().last().unwrap().write.is_some());
    }
}

#[tokio::test]
async fn rotors_429_and_500_are_those_of_the_page() {
    let desk = Desk::start(Vendor::Rotor);
    desk.simulator
        .faults()
        .add(Fault::once(Effect::Answer(Answer::new(429))));
    desk.simulator
        .faults()
        .add(Fault::once(Effect::Answer(Answer::new(500))));
    let limit = json!({
        "status": "error",
        "message": "Daily API key request limit of 1000 exceeded",
        "error_code": "RATE_LIMIT_EXCEEDED"
    });
    assert_eq!(desk.upsert(&ann()).await, (429, limit));
    assert_eq!(
        desk.upsert(&ann()).await,
        (500, json!({"status": "error", "message": "Internal server error"}))
    );
}

#[tokio::test]
async fn retry_after_is_absent_in_seconds_or_a_date() {
    let desk = Desk::start(Vendor::Rotor);
    let at = "2026-11-21T00:00:00Z".parse().unwrap();
    let answers = [
        Answer::new(429),
        Answer::new(429).retry_after(7),
        Answer::new(429).retry_at(at),
    ];
    let expected = [None, Some("7"), Some("Sat, 21 Nov 2026 00:00:00 GMT")];
    for (answer, expected) in answers.into_iter().zip(expected) {
        desk.simulator.faults().add(Fault::once(Effect::Answer(answer)));
        let response = desk
            .request(Method::POST, "/customers")
            .json(&ann())
            .send()
            .await
            .unwrap();
        let header = response
            .headers()
            .get("retry-after")
            .map(|value| value.to_str().unwrap());
        assert_eq!((response.status().as_u16(), header), (429, expected));
    }
}

#[tokio::test]
async fn an_answer_may_have_a_body_of_its_own() {
    let desk = Desk::start(Vendor::Rotor);
    let own = Answer::new(418).body(r#"{"short":"and stout"}"#).header("x-pot", "tea");
    desk.simulator.faults().add(Fault::once(Effect::Answer(own)));
    assert_eq!(desk.upsert(&ann()).await, (418, json!({"short": "and stout"})));
}

#[tokio::test]
async fn a_fault_strikes_as_often_as_it_says_and_only_what_it_matches() {
    let desk = Desk::start(Vendor::Rotor);
    let faults = desk.simulator.faults();
    faults.add(Fault::times(2, Effect::Answer(Answer::new(503))).only("POST", "/customers"));
    assert_eq!(desk.get("/customers").await.0, 200);
    assert_eq!(desk.upsert(&ann()).await.0, 503);
    assert_eq!(faults.list()[0].times, Some(1));
    assert_eq!(desk.upsert(&ann()).await.0, 503);
    assert_eq!(desk.upsert(&ann()).await.0, 201);
    assert!(faults.list().is_empty());
    faults.add(Fault::always(Effect::Answer(Answer::new(500))));
    for _ in 0..3 {
        assert_eq!(desk.upsert(&ann()).await.0, 500);
    }
    faults.clear();
    assert_eq!(desk.upsert(&ann()).await.0, 200);
}

#[tokio::test]
async fn odds_are_thrown_with_the_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let desk = Desk::with(
            Vendor::Rotor,
            SimulatorOptions {
                fault_seed: 42,
                ..SimulatorOptions::quick()
            },
        );
        desk.simulator
            .faults()
            .add(Fault::always(Effect::Answer(Answer::new(503))).probability(0.5));
        let mut statuses = Vec::new();
        for _ in 0..40 {
            statuses.push(desk.get("/auth/test").await.0);
        }
        assert!(statuses.contains(&200) && statuses.contains(&503));
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn a_delay_takes_its_time_and_answers_as_usual() {
    let desk = Desk::start(Vendor::Rotor);
    desk.simulator.faults().add(Fault::once(Effect::Delay { millis: 150 }));
    let begin = Instant::now();
    assert_eq!(desk.upsert(&ann()).await.0, 201);
    assert!(begin.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn a_caller_who_gives_up_does_not_undo_the_write() {
    let desk = Desk::start(Vendor::Rotor);
    desk.simulator.faults().add(Fault::once(Effect::Delay { millis: 300 }));
    let sent = desk
        .request(Method::POST, "/customers")
        .timeout(Duration::from_millis(60))
        .json(&ann())
        .send()
        .await;
    assert!(sent.unwrap_err().is_timeout());
    assert!(desk.simulator.records().is_empty(), "not yet");
    let written = async {
        while desk.simulator.records().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(5), written)
        .await
        .expect("the write is executed though nobody listens");
}

#[tokio::test]
async fn wrong_bodies_come_with_200_after_the_write() {
    let desk = Desk::start(Vendor::Rotor);
    for effect in [Effect::Garbage, Effect::EmptyObject, Effect::Html] {
        desk.simulator.reset();
        desk.simulator.faults().add(Fault::once(effect.clone()));
        let response = desk
            .request(Method::POST, "/customers")
            .json(&ann())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        let text = response.text().await.unwrap();
        let parsed = serde_json::from_str::<Value>(&text).ok();
        match effect {
            Effect::EmptyObject => assert_eq!(parsed, Some(json!({}))),
            Effect::Html => assert!(kind.starts_with("text/html") && text.contains("<html>") && parsed.is_none()),
            _ => assert!(kind.starts_with("application/json") && parsed.is_none()),
        }
        assert_eq!(desk.simulator.records().len(), 1, "{effect:?}");
    }
}

#[tokio::test]
async fn a_huge_body_is_as_large_as_asked_and_valid_json() {
    let desk = Desk::start(Vendor::Rotor);
    desk.simulator
        .faults()
        .add(Fault::once(Effect::Huge { bytes: 3_000_000 }));
    let response = desk
        .request(Method::POST, "/customers")
        .json(&ann())
        .send()
        .await
        .unwrap();
    assert!(response.content_length().unwrap() >= 3_000_000);
    let body = response.bytes().await.unwrap();
    assert!(body.len() >= 3_000_000);
    assert!(serde_json::from_slice::<Value>(&body).is_ok());
}

#[tokio::test]
async fn a_redirect_names_its_target_and_executes_nothing() {
    let desk = Desk::start(Vendor::Rotor);
    let location = "http://169.254.169.254/latest".to_owned();
    desk.simulator.faults().add(Fault::once(Effect::Redirect {
        location: location.clone(),
    }));
    let response = desk
        .request(Method::POST, "/customers")
        .json(&ann())
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            response.headers()["location"].to_str().unwrap()
        ),
        (307, location.as_str())
    );
    assert!(desk.simulator.records().is_empty());
}

#[tokio::test]
async fn a_hanging_request_is_never_answered_before_or_after_the_write() {
    for (when, written) in [(When::BeforeWrite, 0), (When::AfterWrite, 1)] {
        let desk = Desk::start(Vendor::Rotor);
        desk.simulator.faults().add(Fault::once(Effect::Hang { when }));
        let request = desk
            .request(Method::POST, "/customers")
            .json(&ann())
            .timeout(Duration::from_millis(400));
        assert!(request.send().await.unwrap_err().is_timeout());
        let entry = desk.simulator.journal().entries().remove(0);
        assert_eq!((entry.answered, entry.finished_tick), (None, None));
        assert_eq!(desk.simulator.records().len(), written, "{when:?}");
        let address = desk.simulator.address();
        timeout(Duration::from_secs(5), desk.simulator.stop())
            .await
            .expect("a hanging request does not keep it up");
        assert!(TcpStream::connect(address).await.is_err());
    }
}

#[tokio::test]
async fn a_dripping_answer_comes_byte_by_byte() {
    let desk = Desk::start(Vendor::Rotor);
    desk.simulator
        .faults()
        .add(Fault::once(Effect::Drip { every_millis: 1 }));
    let begin = Instant::now();
    let mut response = desk
        .request(Method::POST, "/customers")
        .json(&ann())
        .send()
        .await
        .unwrap();
    let (mut chunks, mut bytes) = (0u32, Vec::new());
    while let Some(chunk) = response.chunk().await.unwrap() {
        chunks += 1;
        bytes.extend_from_slice(&chunk);
    }
    assert!(serde_json::from_slice::<Value>(&bytes).is_ok());
    assert!(chunks > 50, "{chunks} chunks");
    assert!(begin.elapsed() >= Duration::from_millis(1) * u32::try_from(bytes.len()).unwrap());
}

#[tokio::test]
async fn a_body_over_eight_mebibytes_is_413() {
    let desk = Desk::start(Vendor::Rotor);
    let body = format!("{{\"notes\":\"{}\"}}", "x".repeat(9 * 1024 * 1024));
    let request = desk
        .request(Method::POST, "/customers")
        .header("content-type", "application/json")
        .body(body);
    assert_eq!(answer(request).await.0, 413);
}
