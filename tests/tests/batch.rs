//! Many upserts in one request, streamed both ways.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use reqwest::{Body, RequestBuilder, Response};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use upsert_simulators::{Effect, Fault};
use upsert_tests::{KEY, Plan, World};

async fn world() -> World {
    with(Plan::default()).await
}

/// With Rotor alone.
async fn with(plan: Plan) -> World {
    World::with(Plan {
        only: vec!["rotor"],
        ..plan
    })
    .await
}

fn request(world: &World, headers: &[(&str, &str)]) -> RequestBuilder {
    #[expect(clippy::disallowed_methods, reason = "a test's own client")]
    let client = reqwest::Client::new();
    let mut request = client
        .post(format!("{}/v1/customers/batch", world.url()))
        .bearer_auth(KEY);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request
}

fn batch(world: &World, headers: &[(&str, &str)]) -> RequestBuilder {
    request(world, headers).header("content-type", "application/x-ndjson")
}

/// The lines of the answer, by their numbers; each may be there once.
fn by_line(text: &str) -> BTreeMap<u64, Json> {
    let mut all = BTreeMap::new();
    for line in text.lines() {
        let answer: Json = serde_json::from_str(line).unwrap();
        let earlier = all.insert(answer["line"].as_u64().unwrap(), answer);
        assert!(earlier.is_none(), "a line is answered twice: {line}");
    }
    all
}

fn lines(numbers: std::ops::Range<u32>, line: impl Fn(u32) -> String) -> String {
    numbers.map(line).collect::<Vec<_>>().concat()
}

async fn answers(request: RequestBuilder, body: impl Into<Body>) -> BTreeMap<u64, Json> {
    let response = request.body(body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    by_line(&response.text().await.unwrap())
}

/// A body that a test goes on with when it likes.
fn open_body() -> (mpsc::UnboundedSender<String>, Body) {
    let (send, receive) = mpsc::unbounded_channel::<String>();
    let pieces = futures_util::stream::unfold(receive, |mut receive| async move {
        let piece = receive.recv().await?;
        Some((Ok::<_, Infallible>(piece), receive))
    });
    (send, Body::wrap_stream(pieces))
}

async fn next_line(response: &mut Response, rest: &mut String) -> Option<Json> {
    loop {
        if let Some(at) = rest.find('\n') {
            let line: String = rest.drain(..=at).collect();
            return Some(serde_json::from_str(&line).unwrap());
        }
        let piece = response.chunk().await.unwrap()?;
        rest.push_str(std::str::from_utf8(&piece).unwrap());
    }
}

#[tokio::test]
async fn each_line_is_answered_and_a_bad_one_stops_no_other() {
    let world = world().await;
    let long = format!("{{\"reference\":\"long\",\"notes\":\"{}\"}}", "x".repeat(70_000));
    let mut body = Vec::new();
    for line in [
        br#"{"reference":"a","email":"a@x.example","phone":"2025550101"}"#.as_slice(),
        b"",
        b"{not json",
        br#"["reference"]"#,
        long.as_bytes(),
        br#"{"reference":"b","reference":"c","phone":"2025550101"}"#,
        b"{\"reference\":\"\xff\"}",
        br#"{"reference":"d","email":"nobody"}"#,
        br#"{"reference":"e","nmae":"x","phone":"2025550102"}"#,
        br#"{"reference":"f","idempotency_key":7,"phone":"2025550103"}"#,
        br#"{"reference":"g","email":"g@x.example","phone":"2025550104"}"#,
    ] {
        body.extend_from_slice(line);
        body.extend_from_slice(b"\r\n");
    }
    body.truncate(body.len() - 2);
    let all = answers(batch(&world, &[]), body).await;
    let shown: Vec<(u64, String)> = all
        .iter()
        .map(|(line, answer)| {
            let problem = &answer["problem"];
            let what = if problem.is_null() {
                answer["status"].to_string()
            } else {
                assert_eq!(problem["instance"], "/v1/customers/batch");
                format!(
                    "{} {}",
                    problem["code"].as_str().unwrap(),
                    problem["errors"][0]["pointer"]
                )
            };
            (*line, what)
        })
        .collect();
    let wanted = [
        (1, "201"),
        (3, "malformed_json null"),
        (4, "validation_failed \"\""),
        (5, "body_too_large null"),
        (6, "malformed_json null"),
        (7, "malformed_json null"),
        (8, "validation_failed \"/email\""),
        (9, "validation_failed \"/nmae\""),
        (10, "validation_failed \"/idempotency_key\""),
        (11, "201"),
    ];
    assert_eq!(shown, wanted.map(|(line, what)| (line, what.to_owned())));
    assert_eq!(all[&1]["deliveries"][0]["outcome"], "created");
    assert_eq!(world.rotor.journal().counts().received, 2);
}

#[tokio::test]
async fn lines_that_share_an_identifier_are_committed_in_their_order() {
    let world = world().await;
    let mut body = String::new();
    for n in 1..=200 {
        // Three people; each line names its person by something else than the line before.
        let person = n % 3;
        let by = [
            json!({ "reference": format!("p-{person}"), "email": format!("p{person}@x.example"), "phone": format!("202555010{person}") }),
            json!({ "email": format!("P{person}@X.example"), "phone": format!("+1 (202) 555-010{person}") }),
        ];
        let mut line = by[n / 3 % 2].clone();
        line["given_name"] = json!(format!("n{n}"));
        writeln!(body, "{line}").unwrap();
    }
    let all = answers(batch(&world, &[("prefer", "respond-async")]), body).await;
    let mut versions: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (line, answer) in &all {
        assert_eq!(answer["status"], 202, "{answer}");
        assert_eq!(answer["customer"]["given_name"], format!("n{line}"));
        let version = answer["customer"]["version"].as_u64().unwrap();
        versions.entry(line % 3).or_default().push(version);
    }
    for versions in versions.values() {
        assert!(versions.is_sorted(), "{versions:?}");
        assert_eq!(versions.last().copied(), u64::try_from(versions.len()).ok());
    }
}

#[tokio::test]
async fn a_line_waits_for_the_commit_of_its_person_and_not_for_the_vendor() {
    let world = world().await;
    world.rotor.faults().add(Fault::once(Effect::Delay { millis: 3_000 }));
    let (send, body) = open_body();
    send.send("{\"reference\":\"slow\",\"phone\":\"2025550101\"}\n".to_owned())
        .unwrap();
    let mut response = batch(&world, &[]).body(body).send().await.unwrap();
    while world.rotor.journal().counts().received == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    send.send("{\"reference\":\"quick\",\"phone\":\"2025550102\"}\n".to_owned())
        .unwrap();
    let mut rest = String::new();
    let first = next_line(&mut response, &mut rest).await.unwrap();
    assert_eq!(
        (&first["line"], &first["status"]),
        (&json!(2), &json!(201)),
        "answered while the body is open and an earlier line is in progress"
    );
    send.send("{\"reference\":\"slow\",\"given_name\":\"S\"}\n".to_owned())
        .unwrap();
    let path = "/v1/customers?reference=slow";
    let found = world
        .until(path, Duration::from_secs(2), |found| {
            found.body["data"][0]["version"] == 2
        })
        .await;
    assert_eq!(found.body["data"][0]["given_name"], "S");
    drop(send);
    let mut lines = BTreeSet::new();
    while let Some(answer) = next_line(&mut response, &mut rest).await {
        lines.insert(answer["line"].as_u64().unwrap());
    }
    assert_eq!(lines, BTreeSet::from([1, 3]));
}

#[tokio::test]
async fn a_batch_that_is_sent_again_does_nothing_twice() {
    let mut world = world().await;
    let body = lines(0..50, |n| {
        format!("{{\"idempotency_key\":\"k-{n}\",\"phone\":\"20255501{n:02}\"}}\n")
    });
    let first = answers(batch(&world, &[]), body.clone()).await;
    assert!(first.values().all(|answer| answer["status"] == 201));
    world.restart().await;
    let again = answers(batch(&world, &[]), body).await;
    for (line, answer) in &again {
        assert_eq!(answer["replayed"], true);
        assert_eq!(answer["upsert_id"], first[line]["upsert_id"]);
    }
    assert_eq!(world.rotor.journal().counts().received, 50);
    let other = "{\"idempotency_key\":\"k-1\",\"phone\":\"2025550199\"}\n";
    let refused = answers(batch(&world, &[]), other).await;
    assert_eq!(refused[&1]["problem"]["code"], "idempotency_key_reused");
    // The scope of a key is the route.
    let single = json!({ "phone": "2025550101" });
    let single = world.upsert_with(&single, &[("idempotency-key", "k-1")]).await;
    assert_eq!((single.status, single.header("idempotent-replayed")), (200, None));
}

#[tokio::test]
async fn a_vendors_refusal_is_a_problem_of_its_line() {
    let world = world().await;
    let refusal = upsert_simulators::Answer::new(422);
    world.rotor.faults().add(Fault::once(Effect::Answer(refusal)));
    let all = answers(
        batch(&world, &[]),
        "{\"phone\":\"2025550101\"}\n{\"phone\":\"2025550101\",\"given_name\":\"A\"}\n",
    )
    .await;
    assert_eq!(all[&1]["problem"]["code"], "provider_rejected", "{:?}", all[&1]);
    assert_eq!(all[&1]["problem"]["deliveries"][0]["state"], "failed");
    assert!(all[&1]["problem"]["upsert_id"].is_string());
    assert_eq!(all.len(), 2);
}

#[tokio::test]
async fn what_holds_for_all_lines_is_judged_before_the_first() {
    let world = world().await;
    let line = "{\"phone\":\"2025550101\"}\n";
    for (headers, status, code) in [
        (
            vec![("content-type", "application/json")],
            415,
            "unsupported_media_type",
        ),
        (vec![("content-type", "text/plain")], 415, "unsupported_media_type"),
        (
            vec![("content-type", "application/x-ndjson"), ("content-encoding", "gzip")],
            415,
            "unsupported_media_type",
        ),
        (
            vec![("content-type", "application/x-ndjson"), ("idempotency-key", "k")],
            400,
            "invalid_header",
        ),
        (
            vec![("content-type", "application/x-ndjson"), ("accept", "text/html")],
            406,
            "not_acceptable",
        ),
        (
            vec![("content-type", "application/x-ndjson"), ("merchant-id", "globex")],
            403,
            "merchant_forbidden",
        ),
    ] {
        let response = request(&world, &headers).body(line).send().await.unwrap();
        assert_eq!(response.status(), status, "{headers:?}");
        let problem: Json = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(problem["code"], code);
    }
    assert_eq!(world.rotor.journal().counts().received, 0);
    let accepted = answers(batch(&world, &[("accept", "application/x-ndjson")]), line).await;
    assert_eq!(accepted[&1]["status"], 201);
}

/// Sends a batch of so many lines without reading; the connection, and who writes to it.
async fn send_unread(world: &World, lines: usize) -> (impl AsyncReadExtUnpin, tokio::task::JoinHandle<OwnedWriteHalf>) {
    let address = world.gateway.as_ref().unwrap().addr;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let stream: TcpStream = socket.connect(address).await.unwrap();
    let (read, mut write) = stream.into_split();
    let padding = "x".repeat(9_000);
    let writer = tokio::task::spawn_local(async move {
        let head = format!(
            "POST /v1/customers/batch HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\nprefer: respond-async\r\n\
             content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        let mut broken = write.write_all(head.as_bytes()).await.is_err();
        for n in 0..lines {
            let line = format!(
                "{{\"reference\":\"r{n}\",\"phone\":\"202{:07}\",\"notes\":\"{padding}\"}}\n",
                5_550_000 + n
            );
            let chunk = format!("{:x}\r\n{line}\r\n", line.len());
            broken = broken || write.write_all(chunk.as_bytes()).await.is_err();
        }
        let _gone = write.write_all(b"0\r\n\r\n").await;
        // Dropped, it would close the sending direction, and actix takes that for a body that broke off.
        write
    });
    (read, writer)
}

trait AsyncReadExtUnpin: tokio::io::AsyncRead + Unpin {}
impl<R: tokio::io::AsyncRead + Unpin> AsyncReadExtUnpin for R {}

/// Waits until Rotor is called no more, and says how often it was.
async fn calls_settled(world: &World) -> u64 {
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let now = world.rotor.journal().counts().received;
        if now == before && now > 0 {
            return now;
        }
        before = now;
    }
}

#[tokio::test]
async fn nothing_is_done_that_nobody_reads_and_all_of_it_once_somebody_does() {
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let world = world().await;
            let total = 4_000;
            let (mut read, writer) = send_unread(&world, total).await;
            let held = calls_settled(&world).await;
            assert!(held < 3_500, "{held} lines were done for a client that does not read");
            assert!(!writer.is_finished(), "the whole body was taken in");
            let mut text = Vec::new();
            let mut piece = vec![0; 64 * 1024];
            while !text.ends_with(b"\r\n0\r\n\r\n") {
                let n = read.read(&mut piece).await.unwrap();
                assert!(n > 0, "the answer broke off");
                text.extend_from_slice(&piece[..n]);
            }
            let text = String::from_utf8(text).unwrap();
            assert_eq!(text.matches("\"line\":").count(), total);
            drop(writer.await.unwrap());
        })
        .await;
}

#[tokio::test]
async fn after_a_client_has_hung_up_what_was_committed_goes_on_and_no_more_is_read() {
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let world = world().await;
            let (read, writer) = send_unread(&world, 100_000).await;
            while world.rotor.journal().counts().received < 20 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            writer.abort();
            drop(read);
            let done = calls_settled(&world).await;
            assert!(done < 5_000, "{done}");
            let after = world.upsert(&json!({ "reference": "r3", "given_name": "There" })).await;
            assert_eq!((after.status, &after.body["customer"]["version"]), (200, &json!(2)));
        })
        .await;
}

#[tokio::test]
async fn a_stop_in_the_middle_answers_what_is_in_progress_and_says_where_it_ended() {
    let mut world = with(Plan {
        server: "shutdown_grace = \"20s\"".to_owned(),
        ..Plan::default()
    })
    .await;
    world.rotor.faults().add(Fault::always(Effect::Delay { millis: 800 }));
    let (send, body) = open_body();
    for n in 0..5 {
        send.send(format!("{{\"phone\":\"202555010{n}\"}}\n")).unwrap();
    }
    let mut response = batch(&world, &[]).body(body).send().await.unwrap();
    while world.rotor.journal().counts().received < 5 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let reading = async {
        let (mut rest, mut all) = (String::new(), BTreeMap::new());
        while let Some(answer) = next_line(&mut response, &mut rest).await {
            all.insert(answer["line"].as_u64().unwrap(), answer);
        }
        all
    };
    let ((), all) = tokio::join!(world.stop(), reading);
    for line in 1..=5 {
        assert_eq!(all[&line]["status"], 201, "{}", all[&line]);
    }
    assert_eq!(all[&6]["problem"]["code"], "shutting_down");
    assert_eq!(all.len(), 6);
    drop(send);
}

#[tokio::test]
async fn lines_wait_for_the_keys_own_limit() {
    let hash = upsert_settings::key_hash("slow-key");
    let hash = data_encoding::HEXLOWER.encode(&hash);
    let world = with(Plan {
        gateway: format!(
            "[[api_keys]]\nname = \"slow\"\nkey_sha256 = \"{hash}\"\nmerchants = [\"acme\"]\nscopes = [\"customers:write\"]\n\
             rate_limit = {{ per_second = 20, burst = 1 }}\n"
        ),
        ..Plan::default()
    })
    .await;
    #[expect(clippy::disallowed_methods, reason = "a test's own client")]
    let request = reqwest::Client::new()
        .post(format!("{}/v1/customers/batch", world.url()))
        .bearer_auth("slow-key")
        .header("content-type", "application/x-ndjson");
    let body = lines(0..20, |n| format!("{{\"phone\":\"20255501{n:02}\"}}\n"));
    let began = std::time::Instant::now();
    let all = answers(request, body).await;
    assert!(all.values().all(|answer| answer["status"] == 201), "{all:?}");
    assert_eq!(all.len(), 20);
    assert!(began.elapsed() > Duration::from_millis(900), "{:?}", began.elapsed());
}
