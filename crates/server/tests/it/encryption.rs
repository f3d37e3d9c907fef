//! Encryption at rest as operators see it: at the start, at `/readyz`, while a key is rotated, and when one is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use upsert_server::{StartError, StartOptions};
use upsert_store::{Changeset, MerchantRecord, Store as _, Write};
use upsert_testkit::MemoryStore;
use upsert_testkit::records::stored_merchant;

use crate::served::{ConfigSnapshot, Folder, gateway_toml, read};

const KEYS_A: &str = "encryption_keys = [{ id = \"a\", key = { env = \"KEY_A\" } }]";
const KEYS_B_A: &str =
    "encryption_keys = [{ id = \"b\", key = { env = \"KEY_B\" } }, { id = \"a\", key = { env = \"KEY_A\" } }]";
const KEYS_B: &str = "encryption_keys = [{ id = \"b\", key = { env = \"KEY_B\" } }]";

fn write_keys(folder: &Folder, keys: &str) {
    let store = format!("[store]\nurl = \"sqlite:{}/g.db\"\n{keys}\n", folder.path().display());
    folder.write("gateway.toml", &gateway_toml(&store));
}

fn options(folder: &Folder) -> StartOptions {
    StartOptions {
        store: None,
        ..folder.options()
    }
}

async fn started(folder: Folder) -> ConfigSnapshot {
    let options = options(&folder);
    ConfigSnapshot::over(folder, options).await
}

async fn encryption(served: &ConfigSnapshot) -> String {
    let (status, ready) = read(served.get("/readyz", "")).await;
    assert_eq!(status, 200, "{ready}");
    ready["encryption"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_sealed_store_says_so_and_is_refused_without_its_key() {
    let folder = Folder::new("");
    write_keys(&folder, KEYS_A);
    let served = started(folder).await;
    assert_eq!(encryption(&served).await, "on");
    let id = served.customer("ann@example.com").await;
    served.running.stop().await;
    let folder = served.folder;
    for keys in ["", KEYS_B] {
        write_keys(&folder, keys);
        let Err(StartError::Store(refused)) = folder.start(options(&folder)).await else {
            panic!("it starts without its key");
        };
        assert!(refused.contains("the key `a`"), "{refused}");
    }
    write_keys(&folder, KEYS_A);
    let served = started(folder).await;
    let (status, customer) = read(served.get(&format!("/v1/customers/{id}"), "acme")).await;
    assert_eq!((status, &customer["email"]), (200, &json!("ann@example.com")));
    let (_, found) = read(served.get("/v1/customers?email=ann@example.com", "acme")).await;
    assert_eq!(found["data"][0]["id"], json!(id));
    served.running.stop().await;
}

#[tokio::test]
async fn a_store_that_gets_its_first_key_is_sealed_by_and_by() {
    let folder = Folder::new("");
    write_keys(&folder, "");
    let served = started(folder).await;
    assert_eq!(encryption(&served).await, "off");
    let id = served.customer("ann@example.com").await;
    served.running.stop().await;
    let is_in_the_clear = |folder: &Folder| {
        let files = ["g.db", "g.db-wal"].map(|name| std::fs::read(folder.path().join(name)).unwrap_or_default());
        let texts = files.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        texts.iter().any(|text| text.contains("ann@example.com"))
    };
    assert!(is_in_the_clear(&served.folder), "it is looked for where it is");
    write_keys(&served.folder, KEYS_A);
    let served = started(served.folder).await;
    let began = Instant::now();
    loop {
        let told = encryption(&served).await;
        if told == "on" {
            break;
        }
        assert_eq!(told, "partly");
        assert!(began.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!is_in_the_clear(&served.folder), "nor is it what was overwritten");
    let (status, customer) = read(served.get(&format!("/v1/customers/{id}"), "acme")).await;
    assert_eq!((status, &customer["email"]), (200, &json!("ann@example.com")));
    assert_eq!(served.customer("ann@example.com").await, id);
    served.running.stop().await;
}

#[tokio::test]
async fn a_key_is_rotated_under_load_without_an_error_and_the_old_one_may_go() {
    let folder = Folder::new("");
    write_keys(&folder, KEYS_A);
    let served = Arc::new(started(folder).await);
    let is_over = Arc::new(AtomicBool::new(false));
    let load = {
        let (served, is_over) = (served.clone(), is_over.clone());
        tokio::spawn(async move {
            let mut done = 0;
            while !is_over.load(Ordering::Relaxed) {
                let body = json!({ "email": format!("{done}@example.com"), "given_name": "Ann" });
                let (status, answer) = read(served.upsert(&body)).await;
                assert!(status < 300, "{status}: {answer}");
                done += 1;
            }
            done
        })
    };
    write_keys(&served.folder, KEYS_B_A);
    let began = Instant::now();
    let rotated = loop {
        assert!(began.elapsed() < Duration::from_secs(30));
        let (status, rotated) = read(served.request(Method::POST, "/v1/encryption/rotate", "all")).await;
        assert_eq!((status, &rotated["encryption"]), (200, &json!("on")), "{rotated}");
        if rotated["key"] == "b" {
            break rotated;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(rotated["wrapped_anew"].as_u64() > Some(0), "{rotated}");
    let (status, renewed) = read(served.request(Method::POST, "/v1/encryption/renew", "all")).await;
    assert_eq!((status, &renewed["wrapped_anew"]), (200, &json!(0)), "all was wrapped");
    assert!(renewed["new_data_keys"].as_u64() > Some(0), "{renewed}");
    is_over.store(true, Ordering::Relaxed);
    assert!(load.await.unwrap() > 0);
    let served = Arc::into_inner(served).unwrap();
    served.running.stop().await;
    write_keys(&served.folder, KEYS_B);
    let served = started(served.folder).await;
    let (_, found) = read(served.get("/v1/customers?email=0@example.com", "acme")).await;
    assert_eq!(found["data"][0]["given_name"], json!("Ann"));
    served.running.stop().await;
}

#[tokio::test]
async fn without_a_key_there_is_nothing_to_rotate() {
    let served = ConfigSnapshot::start().await;
    let (status, problem) = read(served.request(Method::POST, "/v1/encryption/rotate", "all")).await;
    assert_eq!(
        (status, &problem["errors"][0]["code"]),
        (422, &json!("no_encryption_key"))
    );
    served.running.stop().await;
}

#[tokio::test]
async fn a_rotation_names_the_merchants_that_it_had_to_leave() {
    let folder = Folder::new("");
    write_keys(&folder, KEYS_A);
    let store = Arc::new(MemoryStore::new());
    let row = MerchantRecord {
        sealed_with: Some("gone".to_owned()),
        ..stored_merchant("initech", 1)
    };
    let changes = Changeset {
        write: vec![Write::PutMerchant(row)],
        ..Changeset::of("initech")
    };
    store.apply(changes).await.unwrap();
    let options = StartOptions {
        store: Some(store),
        ..folder.options()
    };
    let served = ConfigSnapshot::over(folder, options).await;
    let (status, rotated) = read(served.request(Method::POST, "/v1/encryption/rotate", "all")).await;
    assert_eq!(
        (status, &rotated["merchants_left"]),
        (200, &json!(["initech"])),
        "{rotated}"
    );
    served.running.stop().await;
}

#[tokio::test]
async fn a_row_that_leads_to_another_customer_is_not_followed() {
    let folder = Folder::new("");
    write_keys(&folder, KEYS_A);
    let served = started(folder).await;
    served.customer("ann@example.com").await;
    let bob = served.customer("bob@example.com").await;
    served.running.stop().await;
    let folder = served.folder;
    let raw = rusqlite::Connection::open(folder.path().join("g.db")).unwrap();
    // Whatever leads to the first leads to the other from now on.
    let swapped =
        "UPDATE keys SET customer = (SELECT max(customer) FROM keys) WHERE customer = (SELECT min(customer) FROM keys)";
    assert!(raw.execute(swapped, []).unwrap() > 0);
    drop(raw);
    let served = started(folder).await;
    let (status, problem) = read(served.upsert(&json!({ "email": "ann@example.com", "given_name": "Eve" }))).await;
    assert_eq!((status, &problem["code"]), (500, &json!("internal")), "{problem}");
    let (_, customer) = read(served.get(&format!("/v1/customers/{bob}"), "acme")).await;
    assert_eq!(customer["given_name"], json!(null), "{customer}");
    served.running.stop().await;
}
