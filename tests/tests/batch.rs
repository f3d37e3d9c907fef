//! Batches: many upserts in one request, streamed both ways.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has to stop, and has clients and tasks of its own"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use upsert_simulators::{Answer, Effect, Fault};
use upsert_tests::{KEY, Plan, World, api_key};

const PATH: &str = "/v1/customers/batch";

async fn one_connection() -> World {
    World::with(Plan {
        only: vec!["rotor"],
        ..Plan::default()
    })
    .await
}

async fn answer_to(world: &World, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> reqwest::Response {
    let mut request = reqwest::Client::new()
        .post(format!("{}{PATH}", world.url()))
        .bearer_auth(KEY)
        .header(CONTENT_TYPE, "application/x-ndjson")
        .body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

/// The answers by line.
async fn batch(world: &World, headers: &[(&str, &str)], body: String) -> BTreeMap<u64, Json> {
    let response = answer_to(world, headers, body).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/x-ndjson");
    by_line(&response.text().await.unwrap())
}

fn by_line(text: &str) -> BTreeMap<u64, Json> {
    assert!(text.is_empty() || text.ends_with('\n'), "whole lines");
    let mut answers = BTreeMap::new();
    for line in text.lines() {
        let answer: Json = serde_json::from_str(line).unwrap();
        let number = answer["line"].as_u64().unwrap();
        assert!(answers.insert(number, answer).is_none(), "one answer a line");
    }
    answers
}

fn lines(bodies: impl IntoIterator<Item = Json>) -> String {
    let lines: Vec<String> = bodies.into_iter().map(|body| body.to_string() + "\n").collect();
    lines.concat()
}

fn person(number: usize) -> Json {
    json!({ "reference": format!("r-{number}"), "given_name": "A", "email": format!("a{number}@x.example") })
}

#[tokio::test]
async fn every_line_is_answered_as_the_upsert_alone_would_be_and_bad_lines_stop_nobody() {
    let world = World::start().await;
    let long = format!("{{\"reference\":\"long\",\"notes\":\"{}\"}}", "n".repeat(70_000));
    let body = [
        json!({ "reference": "r-1", "given_name": "A", "family_name": "B", "email": "a@x.example", "phone": "2025550101" })
            .to_string(),
        "{ \"reference\": ".to_owned(),
        String::new(),
        json!({ "reference": "r-2", "email": "no address", "nonsense": 1 }).to_string(),
        "[1, 2]".to_owned(),
        "{\"reference\":\"r\",\"reference\":\"s\"}".to_owned(),
        long,
        json!({ "reference": "r-3", "idempotency_key": "with blanks", "given_name": "C" }).to_string(),
        json!({ "reference": "r-4", "given_name": "D", "family_name": "E", "email": "d@x.example", "phone": "2025550104" })
            .to_string(),
    ]
    .join("\n");
    let answers = batch(&world, &[], body).await;
    let numbers: Vec<u64> = answers.keys().copied().collect();
    assert_eq!(numbers, [1, 2, 4, 5, 6, 7, 8, 9]);
    for line in [1, 9] {
        assert_eq!(answers[&line]["status"], 201, "{}", answers[&line]);
        assert_eq!(answers[&line]["state"], "succeeded");
        assert_eq!(answers[&line]["deliveries"].as_array().unwrap().len(), 3);
        assert!(answers[&line]["problem"].is_null());
    }
    let codes = [2, 4, 5, 6, 7, 8].map(|line| answers[&line]["problem"]["code"].as_str().unwrap().to_owned());
    assert_eq!(
        codes,
        [
            "malformed_json",
            "validation_failed",
            "validation_failed",
            "malformed_json",
            "body_too_large",
            "validation_failed"
        ]
    );
    assert_eq!(answers[&4]["problem"]["errors"].as_array().unwrap().len(), 2);
    assert_eq!(answers[&8]["problem"]["errors"][0]["pointer"], "/idempotency_key");
    assert!(answers[&2]["problem"]["request_id"].is_string());
    assert_eq!(world.wallet.records().len(), 2);
}

#[tokio::test]
async fn lines_about_one_customer_are_committed_in_their_order_and_others_do_not_wait() {
    let world = one_connection().await;
    let edit = |number: usize| json!({ "reference": "r", "given_name": format!("A{number}"), "phone": "2025550101" });
    let by_phone = json!({ "phone": "(202) 555-0101", "given_name": "last" });
    let mut bodies: Vec<Json> = (0..200).map(edit).collect();
    bodies.extend((0..50).map(person));
    bodies.push(by_phone);
    let answers = batch(&world, &[("prefer", "respond-async")], lines(bodies)).await;
    assert_eq!(
        answers.len(),
        251,
        "{:?}",
        answers
            .values()
            .filter(|answer| !answer["problem"].is_null())
            .collect::<Vec<_>>()
    );
    let versions: Vec<u64> = (1..=200)
        .map(|line| {
            answers[&line]["customer"]["version"]
                .as_u64()
                .unwrap_or_else(|| panic!("{}", answers[&line]))
        })
        .collect();
    assert_eq!(
        versions,
        (1..=200).collect::<Vec<u64>>(),
        "each line made the next version"
    );
    assert_eq!(answers[&251]["customer"]["version"], 201);
    assert_eq!(
        answers[&251]["customer"]["reference"], "r",
        "found by its phone in other words"
    );
    assert!(answers.values().all(|answer| answer["status"] == 202));
    let id = answers[&1]["customer"]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/customers/{id}");
    world
        .until(&path, Duration::from_secs(10), |now| {
            now.body["links"][0]["state"] == "in_sync"
        })
        .await;
    let records = world.rotor.records();
    assert_eq!(records.len(), 51);
    assert!(
        records
            .iter()
            .any(|record| record.fields.values().any(|value| value == "last"))
    );
}

#[tokio::test]
async fn a_batch_that_is_sent_again_with_its_keys_is_done_once() {
    let world = one_connection().await;
    let keyed = |number: usize| {
        let mut body = person(number);
        body["idempotency_key"] = json!(format!("import-7-{number}"));
        body
    };
    let body = lines((0..30).map(keyed));
    let first = batch(&world, &[], body.clone()).await;
    assert!(first.values().all(|answer| answer["status"] == 201));
    let calls = world.rotor.journal().entries().len();
    let again = batch(&world, &[], body).await;
    for (line, answer) in &again {
        assert_eq!(answer["upsert_id"], first[line]["upsert_id"]);
        assert_eq!(
            (&answer["status"], &answer["idempotent_replayed"]),
            (&json!(201), &json!(true))
        );
    }
    assert_eq!(world.rotor.journal().entries().len(), calls);
    let mut other = keyed(3);
    other["given_name"] = json!("B");
    let reused = batch(&world, &[], lines([other])).await;
    assert_eq!(reused[&1]["problem"]["code"], "idempotency_key_reused");
}

#[tokio::test]
async fn what_a_vendor_refuses_is_a_problem_with_the_deliveries_beside_it() {
    let world = one_connection().await;
    world.rotor.faults().add(Fault::once(Effect::Answer(Answer::new(422))));
    let answers = batch(&world, &[], lines([person(1)])).await;
    let problem = &answers[&1]["problem"];
    assert_eq!(
        (&problem["code"], &problem["status"]),
        (&json!("provider_rejected"), &json!(422))
    );
    assert_eq!(problem["deliveries"][0]["state"], "failed");
    assert!(answers[&1].get("status").is_none());
}

#[tokio::test]
async fn a_batch_is_refused_as_a_whole_where_its_head_is_wrong() {
    let world = one_connection().await;
    let problem = async |headers: &[(&str, &str)]| {
        let response = answer_to(&world, headers, lines([person(1)])).await;
        let status = response.status().as_u16();
        let problem: Json = response.json().await.unwrap();
        (status, problem["code"].as_str().unwrap().to_owned())
    };
    let whole = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(problem(&[("idempotency-key", "k")]).await, whole(400, "invalid_header"));
    assert_eq!(
        problem(&[("accept", "application/json")]).await,
        whole(406, "not_acceptable")
    );
    assert_eq!(
        problem(&[("content-encoding", "br")]).await,
        whole(415, "unsupported_media_type")
    );
    assert_eq!(
        problem(&[("merchant-id", "other")]).await,
        whole(403, "merchant_forbidden")
    );
    let json = reqwest::Client::new()
        .post(format!("{}{PATH}", world.url()))
        .bearer_auth(KEY)
        .header(ACCEPT, "application/x-ndjson")
        .json(&person(1));
    assert_eq!(json.send().await.unwrap().status(), 415);
    assert!(world.rotor.records().is_empty());
    assert!(
        batch(&world, &[("accept", "application/x-ndjson")], String::new())
            .await
            .is_empty()
    );
}

/// A batch over a bare socket, written and read as a test likes.
async fn open(world: &World) -> TcpStream {
    let address = world.url().trim_start_matches("http://").to_owned();
    let mut socket = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {KEY}\r\nprefer: respond-async\r\n\
         content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket
}

fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

async fn customers(world: &World) -> usize {
    let mut count = 0;
    let mut path = "/v1/customers?limit=200".to_owned();
    loop {
        let page = world.get(&path).await;
        count += page.body["data"].as_array().unwrap().len();
        match page.body["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/customers?limit=200&cursor={cursor}"),
            None => return count,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_come_while_the_request_is_still_being_sent() {
    let world = one_connection().await;
    let mut socket = open(&world).await;
    let mut heard = String::new();
    for number in 0..5 {
        socket.write_all(&chunk(&lines([person(number)]))).await.unwrap();
        while heard.matches("\"upsert_id\"").count() <= number {
            let mut some = [0; 8_192];
            let read = tokio::time::timeout(Duration::from_secs(10), socket.read(&mut some)).await;
            let read = read.unwrap().unwrap();
            assert!(read > 0, "{heard}");
            heard.push_str(&String::from_utf8_lossy(&some[..read]));
        }
    }
    assert!(heard.starts_with("HTTP/1.1 200"), "{heard}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_its_answers_is_not_read_from_either() {
    let world = one_connection().await;
    let socket = open(&world).await;
    let (read_half, mut write_half) = socket.into_split();
    let writer = tokio::spawn(async move {
        let mut written = 0_usize;
        for number in 0..50_000 {
            let mut body = person(number);
            body["notes"] = json!("n".repeat(1_000));
            if write_half.write_all(&chunk(&lines([body]))).await.is_err() {
                break;
            }
            written += 1;
        }
        written
    });
    // It comes to rest: as much as the buffers between here and there hold, and no more.
    let mut before = usize::MAX;
    let mut now = 0;
    while now != before {
        tokio::time::sleep(Duration::from_secs(1)).await;
        before = now;
        now = customers(&world).await;
    }
    assert!(!writer.is_finished(), "the client is held up");
    assert!(now > 64 && now < 25_000, "{now} lines were taken");
    drop(read_half);
    writer.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_goes_on_when_the_client_hangs_up_in_the_middle_of_a_line() {
    let world = one_connection().await;
    let mut socket = open(&world).await;
    socket.write_all(&chunk(&lines((0..20).map(person)))).await.unwrap();
    socket.write_all(&chunk("{\"reference\":\"cut")).await.unwrap();
    let mut some = [0; 256];
    assert!(socket.read(&mut some).await.unwrap() > 0, "the first answers are there");
    drop(socket);
    // What was begun may still be on its way to its commit, or to the vendor.
    let mut left = 200;
    let stored = loop {
        let stored = customers(&world).await;
        let idle = world.get("/v1/connections").await.body["data"][0]["in_flight"] == 0;
        if idle && stored > 0 && world.rotor.records().len() == stored && customers(&world).await == stored {
            break stored;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        left -= 1;
        assert!(left > 0, "all that was stored is delivered");
    };
    assert!((1..=20).contains(&stored));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_stops_ends_the_batch_with_a_word_and_loses_nothing_it_answered() {
    let mut world = one_connection().await;
    let mut socket = open(&world).await;
    socket.write_all(&chunk(&lines((0..10).map(person)))).await.unwrap();
    let mut heard = String::new();
    let mut some = vec![0; 65_536];
    while heard.matches("\"upsert_id\"").count() < 10 {
        let read = socket.read(&mut some).await.unwrap();
        heard.push_str(&String::from_utf8_lossy(&some[..read]));
    }
    world.stop().await;
    loop {
        match socket.read(&mut some).await {
            Ok(0) | Err(_) => break,
            Ok(read) => heard.push_str(&String::from_utf8_lossy(&some[..read])),
        }
    }
    let last = heard.lines().rfind(|line| line.contains("\"line\"")).unwrap();
    let last: Json = serde_json::from_str(last).unwrap();
    assert_eq!(
        (&last["line"], &last["problem"]["code"]),
        (&json!(11), &json!("shutting_down"))
    );
    world.restart().await;
    assert_eq!(customers(&world).await, 10);
}

#[tokio::test]
async fn lines_wait_for_their_keys_rate_limit_instead_of_being_refused() {
    let world = World::with(Plan {
        only: vec!["rotor"],
        gateway: api_key("slow", "a-slow-key", "acme", "customers:write")
            + "rate_limit = { per_second = 20, burst = 5 }\n",
        ..Plan::default()
    })
    .await;
    let began = std::time::Instant::now();
    let response = reqwest::Client::new()
        .post(format!("{}{PATH}", world.url()))
        .bearer_auth("a-slow-key")
        .header(CONTENT_TYPE, "application/x-ndjson")
        .body(lines((0..25).map(person)));
    let answers = by_line(&response.send().await.unwrap().text().await.unwrap());
    assert!(answers.values().all(|answer| answer["status"] == 201));
    assert_eq!(answers.len(), 25);
    assert!(
        began.elapsed() >= Duration::from_millis(900),
        "twenty a second: {:?}",
        began.elapsed()
    );
}
