//! Merchants in the store: put, read, deleted, in effect without a restart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value as Json, json};

use upsert_server::StartOptions;
use upsert_store::{Changeset, DeliveryStore as _, MerchantRecord, MerchantStore as _, Store, Write};
use upsert_testkit::MemoryStore;
use upsert_testkit::postgres::Database;

use crate::served::{ConfigSnapshot, Folder, gateway_toml, header, read};

/// What is asked of every replica.
const SOON: Duration = Duration::from_secs(2);

const ONE_KEY: &str = "[store]\nencryption_keys = [{ id = \"a\", key = { env = \"KEY_A\" } }]\n";
const BOTH_KEYS: &str = "[store]\nencryption_keys = [{ id = \"b\", key = { env = \"KEY_B\" } }, \
                         { id = \"a\", key = { env = \"KEY_A\" } }]\n";
const OTHER_KEY: &str = "[store]\nencryption_keys = [{ id = \"b\", key = { env = \"KEY_B\" } }]\n";

fn folder(server: &str, store: &str) -> Folder {
    let folder = Folder::new("");
    folder.write("gateway.toml", &(gateway_toml(server) + store));
    folder
}

async fn served() -> ConfigSnapshot {
    let folder = folder("", ONE_KEY);
    ConfigSnapshot::over_store(folder, Arc::new(MemoryStore::new())).await
}

fn initech() -> Json {
    json!({
        "name": "Initech",
        "sync_deadline": "400ms",
        "connections": [{
            "name": "ledger", "provider": "ledger", "credentials": { "pin": { "value": "canary-pin" } },
            "retry": { "attempts": 1, "base": "100ms", "cap": "1s" },
        }],
    })
}

fn path(id: &str) -> String {
    format!("/v1/merchants/{id}")
}

fn put(served: &ConfigSnapshot, id: &str, body: &Json) -> RequestBuilder {
    served.request(Method::PUT, &path(id), "all").json(body)
}

fn delete(served: &ConfigSnapshot, id: &str) -> RequestBuilder {
    served.request(Method::DELETE, &path(id), "all")
}

fn upsert(served: &ConfigSnapshot, merchant: &str, email: &str, notes: &str) -> RequestBuilder {
    let body = json!({ "email": email, "notes": notes });
    served
        .post("/v1/customers", "all", &body)
        .header("Merchant-Id", merchant)
}

/// Waits for an upsert to be answered so, and says how long that took.
async fn answers(served: &ConfigSnapshot, merchant: &str, wanted: u16) -> Duration {
    let began = Instant::now();
    loop {
        let (status, body) = read(upsert(served, merchant, "ann@example.com", "x")).await;
        if status == wanted || (wanted == 201 && status == 200) {
            return began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{status}: {body}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_merchant_is_put_read_replaced_and_deleted_and_its_secret_is_never_read_back() {
    let served = served().await;
    assert_eq!(read(upsert(&served, "initech", "ann@example.com", "x")).await.0, 403);
    let made = put(&served, "initech", &initech()).send().await.unwrap();
    assert_eq!((made.status().as_u16(), header(&made, "etag")), (201, Some("\"1\"")));
    let made = made.text().await.unwrap();
    let (status, shown) = read(served.get(&path("initech"), "all")).await;
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_str::<Json>(&made).unwrap(), shown);
    assert!(!shown.to_string().contains("canary"), "{shown}");
    let pin = &shown["connections"][0]["credentials"]["pin"];
    assert_eq!(
        (&pin["set"], pin["fingerprint"].as_str().unwrap().len()),
        (&json!(true), 16)
    );
    assert_eq!(
        (&shown["id"], &shown["generation"], &shown["put_by"]),
        (&json!("initech"), &json!(1), &json!("all"))
    );
    assert_eq!(read(upsert(&served, "initech", "ann@example.com", "x")).await.0, 201);

    let other = put(&served, "initech", &json!({ "name": "Other" }));
    let stale = other.try_clone().unwrap().header("If-Match", "\"7\"");
    let (status, body) = read(stale).await;
    assert_eq!((status, &body["code"]), (412, &json!("precondition_failed")));
    let is_new = put(&served, "initech", &initech()).header("If-None-Match", "*");
    assert_eq!(read(is_new).await.0, 412);
    let (status, body) = read(other.header("If-Match", "\"1\"")).await;
    assert_eq!((status, &body["generation"]), (200, &json!(2)));
    let (_, answer) = read(upsert(&served, "initech", "bob@example.com", "x")).await;
    assert_eq!(answer["deliveries"], json!([]), "the connection is gone at once");

    let (_, list) = read(served.get("/v1/merchants", "all")).await;
    assert_eq!(list["data"][0]["name"], "Other");
    let gone = delete(&served, "initech").send().await.unwrap();
    assert_eq!(gone.status(), 204);
    assert_eq!(read(upsert(&served, "initech", "ann@example.com", "x")).await.0, 403);
    assert_eq!(read(served.get(&path("initech"), "all")).await.0, 404);
    assert_eq!(read(delete(&served, "initech")).await.0, 404);
    let (status, body) = read(put(&served, "initech", &initech())).await;
    assert_eq!(
        (status, &body["generation"]),
        (201, &json!(4)),
        "no generation is used twice"
    );
    served.running.stop().await;
}

#[tokio::test]
async fn merchants_are_listed_page_by_page() {
    let served = served().await;
    for id in ["c", "a", "b"] {
        assert_eq!(read(put(&served, id, &json!({}))).await.0, 201);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, page) = read(served.get(&format!("/v1/merchants?limit=2{cursor}"), "all")).await;
        let ids = page["data"].as_array().unwrap().iter();
        seen.extend(ids.map(|one| one["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["a", "b", "c"]);
    let (status, body) = read(served.get("/v1/merchants?cursor=canary", "all")).await;
    assert_eq!((status, &body["code"]), (400, &json!("invalid_query")));
    served.running.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_told_by_pointer_and_nothing_is_put() {
    let served = served().await;
    let body = json!({
        "id": "initech",
        "nmae": "Initech",
        "match_on": ["email", null],
    });
    let (status, refused) = read(put(&served, "initech", &body)).await;
    assert_eq!((status, &refused["errors"][0]["pointer"]), (422, &json!("/match_on/1")));
    let connection = |more: Json| {
        let mut connection = json!({
            "name": "ledger", "provider": "ledger", "credentials": { "pin": { "value": "canary" } }
        });
        connection
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({ "connections": [connection] })
    };
    for (body, pointer, says) in [
        (json!({ "nmae": "x" }), "/nmae", "no member `nmae`"),
        (json!({ "id": "other" }), "/id", "another one"),
        (json!([]), "", "an object"),
        (
            connection(json!({ "timeout": 3 })),
            "/connections/0/timeout",
            "expected a length of time",
        ),
        (
            connection(json!({ "provider": "ledgr" })),
            "/connections/0/provider",
            "ledger",
        ),
        (
            connection(json!({ "settings": { "x": 1 } })),
            "/connections/0/settings/x",
            "is not known",
        ),
        (
            connection(json!({ "credentials": {} })),
            "/connections/0/credentials/pin",
            "is required",
        ),
        (
            connection(json!({ "base_url": "http://127.0.0.1:9" })),
            "/connections/0/base_url",
            "https://",
        ),
        (
            connection(json!({ "base_url": "https://localhost" })),
            "/connections/0/base_url",
            "not a public name",
        ),
        (
            connection(json!({ "base_url": "https://169.254.169.254/latest" })),
            "/connections/0/base_url",
            "not a public address",
        ),
        (
            connection(json!({ "base_url": "https://10.0.0.1", "allow_private_network": true })),
            "/connections/0/allow_private_network",
            "files alone",
        ),
        (
            connection(json!({ "credentials": { "pin": { "env": "PIN" } } })),
            "/connections/0/credentials/pin",
            "api_merchants_may_refer_to",
        ),
        (
            connection(json!({ "credentials": { "pin": { "file": "/etc/passwd" } } })),
            "/connections/0/credentials/pin",
            "api_merchants_may_refer_to",
        ),
        (
            connection(json!({ "credentials": { "pin": { "set": true, "fingerprint": "x" } } })),
            "/connections/0/credentials/pin",
            "never read back",
        ),
        (
            connection(json!({ "credentials": { "pin": "canary" } })),
            "/connections/0/credentials/pin",
            "a secret is an object",
        ),
    ] {
        let (status, refused) = read(put(&served, "initech", &body)).await;
        assert_eq!((status, &refused["code"]), (422, &json!("validation_failed")), "{body}");
        let told = refused["errors"].as_array().unwrap();
        let is_told = |one: &&Json| one["pointer"] == pointer && one["detail"].as_str().unwrap().contains(says);
        assert!(told.iter().any(|one| is_told(&one)), "{pointer}: {refused:#}");
        assert!(!refused.to_string().contains("canary"), "{refused}");
    }
    assert_eq!(read(put(&served, "Not-A-Name", &json!({}))).await.0, 422);
    assert_eq!(read(served.get(&path("initech"), "all")).await.0, 404);
    served.running.stop().await;
}

#[tokio::test]
async fn the_gateways_file_says_what_merchants_of_the_api_may_refer_to_and_whether_they_may_use_loopback() {
    let allowed = "api_merchants_may_use_loopback = true\napi_merchants_may_refer_to = [\"env:PI*\"]";
    let store = Arc::new(MemoryStore::new());
    let served = ConfigSnapshot::over_store(folder(allowed, ""), store.clone()).await;
    let mut body = initech();
    body["connections"][0]["base_url"] = json!("http://127.0.0.1:9");
    body["connections"][0]["credentials"]["pin"] = json!({ "env": "PIN" });
    let (status, shown) = read(put(&served, "initech", &body)).await;
    assert_eq!(
        (status, &shown["connections"][0]["credentials"]["pin"]),
        (201, &json!({ "env": "PIN" }))
    );
    answers(&served, "initech", 201).await;
    assert_eq!(store.merchant("initech").await.unwrap().unwrap().sealed_with, None);
    body["connections"][0]["credentials"]["pin"] = json!({ "env": "KEY_A" });
    assert_eq!(read(put(&served, "initech", &body)).await.0, 422);
    served.running.stop().await;
}

#[tokio::test]
async fn without_a_key_no_credential_is_taken() {
    let served = ConfigSnapshot::start().await;
    let (status, refused) = read(put(&served, "initech", &initech())).await;
    let pointer = "/connections/0/credentials/pin";
    assert_eq!(
        (status, &refused["errors"][0]["pointer"], &refused["errors"][0]["code"]),
        (422, &json!(pointer), &json!("no_encryption_key"))
    );
    assert_eq!(read(served.get("/readyz", "")).await.1["encryption"], "off");
    served.running.stop().await;
}

#[tokio::test]
async fn a_file_wins_over_the_store_and_is_not_changed_over_the_api() {
    let served = served().await;
    for request in [
        put(&served, "acme", &json!({})),
        served.get(&path("acme"), "all"),
        delete(&served, "acme"),
    ] {
        let (status, body) = read(request).await;
        assert_eq!((status, &body["code"]), (409, &json!("merchant_in_file")));
    }
    let without = json!({ "name": "in the store" });
    assert_eq!(read(put(&served, "initech", &without)).await.0, 201);
    let (_, answer) = read(upsert(&served, "initech", "ann@example.com", "x")).await;
    assert_eq!(answer["deliveries"], json!([]));
    let file = "id = \"initech\"\n[[connections]]\nname = \"own\"\nprovider = \"ledger\"\n\
                credentials = { pin = { env = \"PIN\" } }\n";
    served.folder.write("merchants/initech.toml", file);
    let began = Instant::now();
    loop {
        let (_, answer) = read(upsert(&served, "initech", "bob@example.com", "x")).await;
        if answer["deliveries"][0]["connection"] == "own" {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (_, list) = read(served.get("/v1/merchants", "all")).await;
    assert_eq!(list["data"][0]["in_file"], true);
    assert_eq!(read(put(&served, "initech", &without)).await.0, 409);
    served.running.stop().await;
}

#[tokio::test]
async fn only_a_key_for_every_merchant_manages_them() {
    let served = served().await;
    let list = || served.get("/v1/merchants", "admin");
    let (status, body) = read(list()).await;
    assert_eq!((status, &body["code"]), (403, &json!("merchant_forbidden")));
    let own = served.request(Method::PUT, &path("acme"), "admin").json(&json!({}));
    assert_eq!(read(own).await.1["code"], "merchant_forbidden");
    assert_eq!(
        read(served.get("/v1/merchants", "acme")).await.1["code"],
        "scope_missing"
    );
    served.running.stop().await;
}

/// So many merchants in the store that none is loaded before it is needed.
async fn very_many(store: &dyn Store) {
    for number in 0..=1_000 {
        let id = format!("m{number:04}");
        let row = MerchantRecord {
            id: id.clone(),
            revision: 1,
            put_at: jiff::Timestamp::UNIX_EPOCH,
            put_by: "bulk".to_owned(),
            sealed_with: None,
            body: Some(r#"{"document":{},"secrets":{},"data_key":null}"#.to_owned()),
        };
        let changes = Changeset {
            write: vec![Write::PutMerchant(row)],
            ..Changeset::of(&id)
        };
        store.apply(changes).await.unwrap();
    }
}

#[tokio::test]
async fn what_waits_for_a_merchant_in_the_store_is_tried_after_a_restart_without_anybody_calling() {
    let store = Arc::new(MemoryStore::new());
    very_many(&*store).await;
    let first = ConfigSnapshot::over_store(folder("", ONE_KEY), store.clone()).await;
    assert_eq!(read(put(&first, "initech", &initech())).await.0, 201);
    let (status, answer) = read(upsert(&first, "initech", "ann@example.com", "fail")).await;
    assert_eq!((status, &answer["deliveries"][0]["state"]), (202, &json!("retrying")));
    first.running.stop().await;
    let filter = upsert_api::DeliveryFilter::default();
    let attempts = async || store.deliveries(&filter, None, 1).await.unwrap().entries[0].attempts();
    let before = attempts().await;
    let second = ConfigSnapshot::over_store(folder("", ONE_KEY), store.clone()).await;
    let began = Instant::now();
    while attempts().await == before {
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // A merchant whose row says nothing of use is refused, and none of the others is the worse for it.
    assert_eq!(read(upsert(&second, "m0001", "ann@example.com", "x")).await.0, 503);
    assert_eq!(read(upsert(&second, "m-none", "ann@example.com", "x")).await.0, 403);
    assert_eq!(read(upsert(&second, "initech", "bob@example.com", "x")).await.0, 201);
    second.running.stop().await;
}

#[tokio::test]
async fn after_a_rotation_credentials_are_sealed_anew_and_the_old_key_may_go() {
    let store = Arc::new(MemoryStore::new());
    let first = ConfigSnapshot::over_store(folder("", ONE_KEY), store.clone()).await;
    assert_eq!(read(first.get("/readyz", "")).await.1["encryption"], "credentials");
    let (_, made) = read(put(&first, "initech", &initech())).await;
    assert_eq!(store.sealing_keys().await.unwrap(), ["a"]);
    first.folder.write("gateway.toml", &(gateway_toml("") + BOTH_KEYS));
    let began = Instant::now();
    while store.sealing_keys().await.unwrap() != ["b"] {
        assert!(began.elapsed() < Duration::from_secs(40));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (_, after) = read(first.get(&path("initech"), "all")).await;
    assert_eq!(after["generation"], made["generation"]);
    first.running.stop().await;
    let second = ConfigSnapshot::over_store(folder("", OTHER_KEY), store.clone()).await;
    answers(&second, "initech", 201).await;
    second.running.stop().await;
    let third = ConfigSnapshot::over_store(folder("", ONE_KEY), store).await;
    let (status, ready) = read(third.get("/readyz", "")).await;
    assert_eq!(status, 503);
    assert!(ready["detail"].as_str().unwrap().contains("the key `b`"), "{ready}");
    let (status, body) = read(upsert(&third, "initech", "ann@example.com", "x")).await;
    assert_eq!((status, &body["code"]), (503, &json!("overloaded")));
    third.running.stop().await;
}

#[tokio::test]
async fn a_key_that_is_none_is_told_at_the_start() {
    let bad = "[store]\nencryption_keys = [{ id = \"x\", key = { env = \"PIN\" } }]\n";
    let folder = folder("", bad);
    let refused = folder.start(folder.options()).await.unwrap_err().to_string();
    assert!(
        refused.contains("store.encryption_keys") && refused.contains("32 random bytes"),
        "{refused}"
    );
    assert!(!refused.contains("1234"), "{refused}");
}

/// Puts at one, is served at the other; deletes at one, is refused at the other.
async fn change_at_one_and_ask_the_other(one: &ConfigSnapshot, other: &ConfigSnapshot) {
    // Known not to be there, and known to be: each is something to be forgotten.
    assert_eq!(read(upsert(other, "initech", "ann@example.com", "x")).await.0, 403);
    assert_eq!(read(put(one, "initech", &initech())).await.0, 201);
    let took = answers(other, "initech", 201).await;
    assert!(took < SOON, "{took:?}");
    let without = json!({ "name": "Initech" });
    assert_eq!(read(put(one, "initech", &without)).await.0, 200);
    let began = Instant::now();
    loop {
        let (_, answer) = read(upsert(other, "initech", "bob@example.com", "x")).await;
        if answer["deliveries"] == json!([]) {
            break;
        }
        assert!(began.elapsed() < SOON, "{answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(delete(one, "initech").send().await.unwrap().status(), 204);
    let took = answers(other, "initech", 403).await;
    assert!(took < SOON, "{took:?}");
}

#[tokio::test]
async fn of_two_gateways_over_one_postgresql_each_serves_what_the_other_was_told_within_two_seconds() {
    // They hear of each other at once, or look every second.
    for (notify, look_every) in [(true, Duration::from_hours(1)), (false, Duration::from_secs(1))] {
        two_over_postgresql(notify, look_every).await;
    }
}

#[tokio::test]
async fn what_a_vendor_said_of_waiting_a_replica_knows_that_loads_the_merchant_later() {
    let database = Database::new();
    let store = format!("{ONE_KEY}url = \"{}\"\n", database.url());
    let start = async || {
        let folder = folder("", &store);
        let options = StartOptions {
            store: None,
            ..folder.options()
        };
        ConfigSnapshot::over(folder, options).await
    };
    let one = start().await;
    assert_eq!(read(put(&one, "initech", &initech())).await.0, 201);
    let (status, made) = read(upsert(&one, "initech", "ann@example.com", "throttle")).await;
    assert_eq!(status, 202);
    let state_at = async |served: &ConfigSnapshot| {
        let connections = served.get("/v1/connections", "all").header("Merchant-Id", "initech");
        read(connections).await.1["data"][0]["state"].clone()
    };
    assert_eq!(state_at(&one).await, "throttled");
    let later = start().await;
    let began = Instant::now();
    while state_at(&later).await != "throttled" {
        assert!(began.elapsed() < Duration::from_secs(10), "{}", state_at(&later).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (_, waits) = read(upsert(&later, "initech", "bob@example.com", "x")).await;
    let delivery = &waits["deliveries"][0];
    assert_eq!(
        (&delivery["waiting_for"], &delivery["attempts"]),
        (&json!("rate_limit"), &json!(0)),
        "{waits:#}"
    );
    // Nor has it found out by calling what waits.
    let path = format!("/v1/upserts/{}", made["upsert_id"].as_str().unwrap());
    let (_, upsert) = read(later.get(&path, "all").header("Merchant-Id", "initech")).await;
    assert_eq!(upsert["deliveries"][0]["attempts"], 1, "{upsert:#}");
    one.running.stop().await;
    later.running.stop().await;
}

async fn two_over_postgresql(notify: bool, look_every: Duration) {
    let database = Database::new();
    let store = format!("{ONE_KEY}url = \"{}\"\nnotify = {notify}\n", database.url());
    let start = async || {
        let folder = folder("", &store);
        let options = StartOptions {
            store: None,
            look_every,
            ..folder.options()
        };
        ConfigSnapshot::over(folder, options).await
    };
    let (one, other) = (start().await, start().await);
    change_at_one_and_ask_the_other(&one, &other).await;
    change_at_one_and_ask_the_other(&other, &one).await;
    one.running.stop().await;
    other.running.stop().await;
}
