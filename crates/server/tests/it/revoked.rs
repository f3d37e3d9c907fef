//! Revoked means now: whatever takes its time asks the configuration in force before it does anything more.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::stream::unfold;
use jiff::Timestamp;
use reqwest::redirect::Policy;
use reqwest::{Body, Client, Method, Response, header};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use upsert_core::{Clock as _, SystemClock};
use upsert_server::StartOptions;
use upsert_webhook::{SigningKey, sign};

use crate::served::{ConfigSnapshot, Folder, gateway_toml, read, secret};

/// After a reload, until when whatever is open has to end.
const GRACE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(20);

/// The usual `gateway.toml`, its table of this key changed so; none: it is left out.
fn with_key(name: &str, change: impl Fn(&str) -> Option<String>) -> String {
    let usual = gateway_toml("");
    let mut tables = usual.split("[[api_keys]]");
    let mut text = tables.next().unwrap().to_owned();
    for table in tables {
        let is_it = table.contains(&format!("name = \"{name}\""));
        let table = if is_it { change(table) } else { Some(table.to_owned()) };
        text.extend(table.map(|table| format!("[[api_keys]]{table}")));
    }
    text
}

fn without_acme() -> String {
    with_key("acme", |_| None)
}

/// Waits until the configuration was taken over so often.
async fn taken_over(served: &ConfigSnapshot, times: u64) {
    let shows = async {
        loop {
            let (_, ready) = read(served.get("/readyz", "")).await;
            if ready["configuration"]["generation"].as_u64() > Some(times) {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, shows).await.expect("the configuration is taken over");
}

/// A gateway whose clients may take their time over a body.
async fn patient(folder: Folder) -> ConfigSnapshot {
    let options = StartOptions {
        body_timeout: PATIENCE,
        ..folder.options()
    };
    ConfigSnapshot {
        client: Client::builder().no_proxy().redirect(Policy::none()).build().unwrap(),
        ..ConfigSnapshot::over(folder, options).await
    }
}

/// A batch that is open.
struct Batch {
    lines: mpsc::UnboundedSender<String>,
    answer: Response,
    heard: String,
}

impl Batch {
    /// With this line, which has been answered.
    async fn open(served: &ConfigSnapshot, key: &str, first: &Json) -> Self {
        let (lines, waiting) = mpsc::unbounded_channel::<String>();
        let body = unfold(waiting, |mut waiting| async move {
            let line = waiting.recv().await?;
            Some((Ok::<_, Infallible>(line), waiting))
        });
        lines.send(format!("{first}\n")).unwrap();
        let request = served.request(Method::POST, "/v1/customers/batch", key);
        let request = request.header(header::CONTENT_TYPE, "application/x-ndjson");
        let answer = request.body(Body::wrap_stream(body)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut batch = Self {
            lines,
            answer,
            heard: String::new(),
        };
        let first = batch.next().await.expect("an answer");
        assert_eq!(first["status"], 201, "{first}");
        batch
    }

    /// The next line of the answer; none: it has ended.
    async fn next(&mut self) -> Option<Json> {
        loop {
            if let Some(end) = self.heard.find('\n') {
                let line: String = self.heard.drain(..=end).collect();
                return Some(serde_json::from_str(&line).unwrap());
            }
            let chunk = timeout(PATIENCE, self.answer.chunk())
                .await
                .expect("it goes on or ends");
            self.heard.push_str(str::from_utf8(&chunk.unwrap()?).unwrap());
        }
    }

    /// What is still answered once nothing may be done any more, and how long that took.
    async fn rest(mut self, line: &Json) -> (Vec<Json>, Duration) {
        let began = Instant::now();
        // Nobody may be reading any more.
        let _ = self.lines.send(format!("{line}\n"));
        let mut rest = Vec::new();
        while let Some(answer) = self.next().await {
            rest.push(answer);
        }
        (rest, began.elapsed())
    }
}

fn person(number: u32) -> Json {
    json!({ "email": format!("p{number}@example.com") })
}

async fn customers(served: &ConfigSnapshot) -> usize {
    let request = served.get("/v1/customers", "all").header("Merchant-Id", "acme");
    read(request).await.1["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn an_open_batch_ends_when_its_key_is_removed_or_may_do_less() {
    for (change, code) in [
        (without_acme(), "unauthenticated"),
        (
            with_key("acme", |table| Some(table.replace("\"customers:write\", ", ""))),
            "scope_missing",
        ),
        (
            with_key("acme", |table| Some(table.replace("[\"acme\"]", "[\"globex\"]"))),
            "merchant_forbidden",
        ),
    ] {
        let served = ConfigSnapshot::start().await;
        let batch = Batch::open(&served, "acme", &person(1)).await;
        served.folder.write("gateway.toml", &change);
        taken_over(&served, 1).await;
        let (rest, took) = batch.rest(&person(2)).await;
        assert!(took < GRACE, "{code}: it stayed open for {took:?}");
        let codes: Vec<&Json> = rest.iter().map(|answer| &answer["problem"]["code"]).collect();
        assert_eq!(codes, [&json!(code)], "{rest:?}");
        assert_eq!(rest[0]["line"], 2);
        assert_eq!(customers(&served).await, 1, "{code}");
        served.running.stop().await;
    }
}

#[tokio::test]
async fn an_open_batch_ends_when_its_key_expires_without_any_reload() {
    let folder = Folder::new("");
    let expires_at = SystemClock.now() + Duration::from_secs(2);
    folder.write(
        "gateway.toml",
        &with_key("acme", |table| Some(format!("{table}expires_at = \"{expires_at}\"\n"))),
    );
    let served = patient(folder).await;
    let batch = Batch::open(&served, "acme", &person(1)).await;
    let (rest, _) = batch.rest(&person(1)).await;
    let late = SystemClock.now().duration_since(expires_at);
    assert!(late.unsigned_abs() < GRACE && late.is_positive(), "{late:?}");
    let last = rest.last().unwrap();
    assert_eq!(last["problem"]["code"], "unauthenticated", "{last}");
    assert_eq!(last["problem"]["detail"], "the API key has expired");
    served.running.stop().await;
}

#[tokio::test]
async fn a_line_that_a_vendor_dawdles_over_keeps_no_batch_open_and_is_answered_all_the_same() {
    let served = ConfigSnapshot::start().await;
    let mut batch = Batch::open(&served, "acme", &person(1)).await;
    let slow = json!({ "email": "slow@example.com", "notes": "dawdle" });
    batch.lines.send(format!("{slow}\n")).unwrap();
    served.folder.write("gateway.toml", &without_acme());
    taken_over(&served, 1).await;
    let began = Instant::now();
    let mut lines = Vec::new();
    while let Some(answer) = batch.next().await {
        lines.push(answer["line"].as_u64().unwrap());
    }
    assert!(began.elapsed() < GRACE);
    lines.sort_unstable();
    assert_eq!(
        lines,
        [2, 3],
        "each line has its answer, and the first that was not begun says why"
    );
    served.running.stop().await;
}

#[tokio::test]
async fn a_batch_goes_on_over_reloads_that_leave_its_key_as_it_is() {
    let served = ConfigSnapshot::start().await;
    let mut batch = Batch::open(&served, "acme", &person(1)).await;
    served.folder.write("merchants/initech.toml", "id = \"initech\"\n");
    taken_over(&served, 1).await;
    batch.lines.send(format!("{}\n", person(2))).unwrap();
    assert_eq!(batch.next().await.unwrap()["status"], 201);
    served.running.stop().await;
}

/// Signs in; the cookie.
async fn sign_in(served: &ConfigSnapshot, key: &str) -> String {
    let request = served.request(Method::POST, "/ops/session", "");
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = request
        .body(format!("key={}&next=/ops", secret(key)))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 303);
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

async fn page(served: &ConfigSnapshot, cookie: &str, path: &str) -> Response {
    let request = served.request(Method::GET, path, "").header(header::COOKIE, cookie);
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_page_that_lies_open_ends_and_its_session_opens_nothing_once_the_key_is_removed() {
    let served = patient(Folder::new("")).await;
    let cookie = sign_in(&served, "acme").await;
    let mut live = page(&served, &cookie, "/ops/live/overview").await;
    assert!(live.chunk().await.unwrap().is_some());
    served.folder.write("gateway.toml", &without_acme());
    taken_over(&served, 1).await;
    let began = Instant::now();
    let end = async { while let Ok(Some(_part)) = live.chunk().await {} };
    timeout(PATIENCE, end).await.expect("it ends");
    assert!(began.elapsed() < GRACE, "it stayed open for {:?}", began.elapsed());
    assert_eq!(page(&served, &cookie, "/ops/connections").await.status(), 401);
    served.running.stop().await;
}

#[tokio::test]
async fn a_page_that_lies_open_ends_when_its_key_expires_though_nothing_else_happens() {
    let folder = Folder::new("");
    let expires_at = SystemClock.now() + Duration::from_secs(3);
    folder.write(
        "gateway.toml",
        &with_key("acme", |table| Some(format!("{table}expires_at = \"{expires_at}\"\n"))),
    );
    let served = patient(folder).await;
    let cookie = sign_in(&served, "acme").await;
    let mut live = page(&served, &cookie, "/ops/live/overview").await;
    let end = async { while let Ok(Some(_part)) = live.chunk().await {} };
    timeout(PATIENCE, end).await.expect("it ends");
    let late = SystemClock.now().duration_since(expires_at);
    assert!(late.is_positive() && late.unsigned_abs() < GRACE, "{late:?}");
    served.running.stop().await;
}

/// A request whose body is on its way: the last byte is missing.
async fn trickling(served: &ConfigSnapshot, head: &str, body: &str) -> (TcpStream, u8) {
    let mut stream = TcpStream::connect(served.running.addr).await.unwrap();
    let (last, most) = body.as_bytes().split_last().unwrap();
    let head = format!(
        "{head}\r\nhost: gateway\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(most).await.unwrap();
    (stream, *last)
}

async fn answered((mut stream, last): (TcpStream, u8)) -> String {
    stream.write_all(&[last]).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    answer
}

#[tokio::test]
async fn a_body_that_arrives_after_its_key_was_removed_does_nothing() {
    let served = patient(Folder::new("")).await;
    let bearer = format!("authorization: Bearer {}", secret("acme"));
    let json = format!("HTTP/1.1\r\n{bearer}\r\ncontent-type: application/json");
    let body = person(1).to_string();
    let upsert = trickling(&served, &format!("POST /v1/customers {json}"), &body).await;
    let pause = format!("POST /v1/deliveries/discard {json}");
    let discard = trickling(&served, &pause, "{\"state\":\"failed\"}").await;
    let cookie = sign_in(&served, "acme").await;
    let form = format!(
        "POST /ops/connections/acme/ledger/pause HTTP/1.1\r\ncookie: {cookie}\r\nsec-fetch-site: same-origin\r\n\
         content-type: application/x-www-form-urlencoded"
    );
    let form = trickling(&served, &form, "back=x").await;
    served.folder.write("gateway.toml", &without_acme());
    taken_over(&served, 1).await;
    for (what, status) in [(upsert, 401), (discard, 401), (form, 401)] {
        let answer = answered(what).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    assert_eq!(customers(&served).await, 0);
    let connections = served.get("/v1/connections", "all").header("Merchant-Id", "acme");
    assert_eq!(read(connections).await.1["data"][0]["paused_by"], json!(null));
    served.running.stop().await;
}

#[tokio::test]
async fn a_body_that_arrives_after_its_merchant_was_removed_is_for_nobody() {
    let served = patient(Folder::new("")).await;
    let head = |path: &str| {
        let bearer = format!("authorization: Bearer {}", secret("all"));
        format!("POST {path} HTTP/1.1\r\n{bearer}\r\nmerchant-id: globex\r\ncontent-type: application/json")
    };
    let body = person(1).to_string();
    let upsert = trickling(&served, &head("/v1/customers"), &body).await;
    let plan = trickling(&served, &head("/v1/customers/plan"), &body).await;
    std::fs::remove_file(served.folder.path().join("merchants/globex.toml")).unwrap();
    let of_acme_alone = gateway_toml("").replace("[\"globex\"]", "[\"acme\"]");
    let of_acme_alone = of_acme_alone.replace("[\"acme\", \"globex\"]", "[\"acme\"]");
    served.folder.write("gateway.toml", &of_acme_alone);
    taken_over(&served, 1).await;
    for late in [upsert, plan] {
        let answer = answered(late).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert!(answer.contains("merchant_forbidden"), "{answer}");
    }
    served.running.stop().await;
}

#[tokio::test]
async fn a_body_that_arrives_after_its_key_may_read_no_more_is_answered_without_what_is_known() {
    let served = patient(Folder::new("")).await;
    let ann = json!({ "email": "ann@example.com", "family_name": "Canary" });
    assert_eq!(read(served.upsert(&ann)).await.0, 201);
    let head = |path: &str| {
        let bearer = format!("authorization: Bearer {}", secret("acme"));
        format!("POST {path} HTTP/1.1\r\n{bearer}\r\ncontent-type: application/json")
    };
    let body = json!({ "email": "ann@example.com", "given_name": "Ann" }).to_string();
    let upsert = trickling(&served, &head("/v1/customers"), &body).await;
    let plan = trickling(&served, &head("/v1/customers/plan"), &body).await;
    let less = with_key("acme", |table| Some(table.replace("\"customers:read\", ", "")));
    served.folder.write("gateway.toml", &less);
    taken_over(&served, 1).await;
    for late in [upsert, plan] {
        let answer = answered(late).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(
            !answer.contains("Canary") && answer.contains("ann@example.com"),
            "{answer}"
        );
    }
    served.running.stop().await;
}

#[tokio::test]
async fn an_upsert_that_waits_for_a_vendor_tells_its_key_nothing_once_that_is_gone_and_goes_on() {
    let folder = Folder::new("");
    let acme = std::fs::read_to_string(folder.path().join("merchants/acme.toml")).unwrap();
    folder.write("merchants/acme.toml", &acme.replace("\"400ms\"", "\"20s\""));
    let served = patient(folder).await;
    let no_reader = with_key("acme", |table| Some(table.replace("\"customers:read\", ", "")));
    for (email, change, told_with) in [
        ("ann@example.com", no_reader, 200),
        ("bob@example.com", without_acme(), 401),
    ] {
        let whole = json!({ "email": email, "family_name": "Canary" });
        assert_eq!(read(served.upsert(&whole)).await.0, 201);
        let (_, ready) = read(served.get("/readyz", "")).await;
        let before = ready["configuration"]["generation"].as_u64().unwrap();
        let slow = json!({ "email": email, "notes": "linger" });
        let asked = served.post("/v1/customers", "acme", &slow);
        let answer = tokio::spawn(async move { read(asked).await });
        // It is durable, and waits for its vendor.
        let written = async {
            loop {
                let path = format!("/v1/customers?email={email}");
                let request = served.get(&path, "all").header("Merchant-Id", "acme");
                if read(request).await.1["data"][0]["notes"] == slow["notes"] {
                    return;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, written).await.expect("it is stored");
        served.folder.write("gateway.toml", &change);
        taken_over(&served, before).await;
        let (status, told) = answer.await.unwrap();
        assert_eq!(status, told_with, "{told}");
        assert!(!told.to_string().contains("Canary"), "{told}");
    }
    served.running.stop().await;
}

const SHOP: &str = r#"
[[webhooks.in]]
source = "shop"
verify = { scheme = "standard-webhooks", secret = { file = "shop.secret" } }
event_id = "/id"
map = { email = "/email" }
"#;

const OLD: &str = "whsec_b2xkIG9sZCBvbGQgb2xkIG9sZCBvbGQgb2xkIG9sZA==";
const NEW: &str = "whsec_bmV3IG5ldyBuZXcgbmV3IG5ldyBuZXcgbmV3IG5ldw==";

fn event_head(secret: &str, id: &str, body: &str) -> String {
    let now: Timestamp = SystemClock.now();
    let signature = sign(&[SigningKey::standard(secret).unwrap()], id, now, body.as_bytes());
    format!(
        "POST /v1/webhooks/acme/shop HTTP/1.1\r\nwebhook-id: {id}\r\nwebhook-timestamp: {}\r\nwebhook-signature: {signature}\r\n\
         content-type: application/json",
        now.as_second()
    )
}

#[tokio::test]
async fn an_event_that_arrives_after_its_secret_or_its_source_was_taken_away_is_not_believed() {
    let folder = Folder::new("");
    let acme = std::fs::read_to_string(folder.path().join("merchants/acme.toml")).unwrap();
    folder.write("shop.secret", OLD);
    folder.write("merchants/acme.toml", &format!("{acme}{SHOP}"));
    let served = patient(folder).await;
    let body = r#"{"id":"e-1","email":"ann@example.com"}"#;
    // A reading more than one change calls for may come in between: each waits for one that is later than the change.
    let rewritten = async |files: &[(&str, &str)]| {
        let (_, ready) = read(served.get("/readyz", "")).await;
        let before = ready["configuration"]["generation"].as_u64().unwrap();
        for (name, text) in files {
            served.folder.write(name, text);
        }
        taken_over(&served, before).await;
    };
    let with_shop = format!("{acme}{SHOP}");
    let removed = trickling(&served, &event_head(OLD, "m-1", body), body).await;
    rewritten(&[("merchants/acme.toml", &acme)]).await;
    let answer = answered(removed).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    rewritten(&[("merchants/acme.toml", &with_shop)]).await;
    let old = trickling(&served, &event_head(OLD, "m-2", body), body).await;
    let changed = format!("{with_shop}# with another secret\n");
    rewritten(&[("shop.secret", NEW), ("merchants/acme.toml", &changed)]).await;
    let answer = answered(old).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert_eq!(customers(&served).await, 0);
    served.running.stop().await;
}
