//! A new key fits its hash, and the block that comes with it is a right one.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;
use upsert_settings::{Environment, Reach, Scope, Secrets, Settings};

use crate::demo::on_a_runtime;
use crate::own_gateway::OwnGateway;
use crate::process::{gateway, run, stderr, stdout};

#[test]
fn the_printed_hash_is_the_keys_and_the_block_makes_the_gateway_know_it() {
    let arguments = [
        "keys",
        "new",
        "--json",
        "--name",
        "crm",
        "--merchant",
        "acme",
        "--merchant",
        "solo",
        "--scope",
        "ops:read",
    ];
    let answer: Value = serde_json::from_str(&stdout(&run(&mut gateway(&arguments), ""))).unwrap();
    let key = answer["key"].as_str().unwrap();
    assert_eq!(answer["key_sha256"], HEXLOWER.encode(&Sha256::digest(key)));

    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("merchants")).unwrap();
    for id in ["acme", "solo"] {
        let merchant = format!("id = \"{id}\"\n[[connections]]\nname = \"a\"\nprovider = \"rotor\"\n");
        fs::write(folder.path().join(format!("merchants/{id}.toml")), merchant).unwrap();
    }
    fs::write(folder.path().join("gateway.toml"), answer["toml"].as_str().unwrap()).unwrap();
    let settings = Settings::load(folder.path(), &Environment::default(), Secrets::Resolve).unwrap();
    let known = &settings.api_keys[0];
    assert_eq!(known.key_sha256[..], Sha256::digest(key)[..]);
    assert_eq!(
        known.merchants,
        Reach::Merchants(vec!["acme".to_owned(), "solo".to_owned()])
    );
    assert_eq!(
        (known.name.as_str(), known.scopes.as_slice()),
        ("crm", [Scope::OpsRead].as_slice())
    );
}

#[test]
fn people_get_the_key_once_its_hash_and_the_block() {
    let text = stdout(&run(&mut gateway(&["keys", "new"]), ""));
    let key = text
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("ugk_"))
        .unwrap();
    assert_eq!(text.matches(key).count(), 1);
    let hash = HEXLOWER.encode(&Sha256::digest(key));
    assert!(text.contains(&format!("\n  {hash}\n")), "{text}");
    let block = &text[text.find("[[api_keys]]").unwrap()..];
    let block: toml::Table = block.parse().unwrap();
    assert_eq!(block["api_keys"][0]["key_sha256"].as_str(), Some(hash.as_str()));
}

#[test]
fn the_first_key_wraps_what_others_have_and_makes_new_data_keys_where_that_is_asked() {
    let gateway = OwnGateway::start("", &[]);
    let rotated = gateway.run_by_platform(&["keys", "rotate"], "");
    assert_eq!(
        stdout(&rotated),
        "All is sealed with the key `one`: 0 data keys wrapped anew, 0 merchants sealed anew.\n",
        "{}",
        stderr(&rotated)
    );
    let renewed = gateway.run_by_platform(&["keys", "rotate", "--data-keys", "--json"], "");
    let renewed: Value = serde_json::from_str(&stdout(&renewed)).unwrap();
    assert_eq!((&renewed["key"], &renewed["encryption"]), (&"one".into(), &"on".into()));
}

/// How often a customer is made and read while keys are rotated: 120 requests a second and more.
const EVERY: Duration = Duration::from_millis(16);

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn email(number: usize) -> String {
    format!("ann{number}@example.com")
}

/// Makes customers and reads them, whether or not what came before was answered; until it is over. How many were made.
async fn load(url: String, key: &'static str, is_over: Arc<AtomicBool>) -> usize {
    let client = reqwest::Client::builder().build().unwrap();
    let (mut under_way, mut made, mut ticks) = (JoinSet::new(), 0, tokio::time::interval(EVERY));
    while !is_over.load(Ordering::Relaxed) {
        ticks.tick().await;
        let body = json!({ "email": email(made), "given_name": "Ann" });
        let upsert = client.post(format!("{url}/v1/customers")).bearer_auth(key).json(&body);
        let read = client.get(format!("{url}/v1/customers?email={}", email(made)));
        let read = read.bearer_auth(key);
        under_way.spawn(async move {
            let answer = upsert.send().await.unwrap();
            let (status, text) = (answer.status(), answer.text().await.unwrap());
            assert_eq!(status, 201, "{text}");
            let found: Value = read.send().await.unwrap().json().await.unwrap();
            assert_eq!(found["data"][0]["given_name"], "Ann", "{found}");
        });
        made += 1;
    }
    while let Some(done) = under_way.join_next().await {
        done.unwrap();
    }
    made
}

const ONE: &str = "{ id = \"one\", key = { file = \"sealing.key\" } }";
const TWO: &str = "{ id = \"two\", key = { file = \"later.key\" } }";

fn rotated(gateway: &OwnGateway, more: &[&str]) -> Value {
    let output = gateway.run_by_platform(&[&["keys", "rotate", "--json"], more].concat(), "");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[test]
fn keys_are_rotated_under_load_without_an_error_and_the_old_one_may_go_but_for_the_audit_trail() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("gateway.db").display());
    let gateway = OwnGateway::start_on(folder, &store, "", &[]);
    gateway.written("config-0/later.key", &data_encoding::BASE64.encode(&[9; 32]));
    // It is on record, in an entry that is keyed with the first key.
    assert_eq!(rotated(&gateway, &[])["audit_keys"], json!([]));

    let is_over = Arc::new(AtomicBool::new(false));
    let ((url, key), until) = (gateway.target(), is_over.clone());
    let loading = std::thread::spawn(move || on_a_runtime(load(url, key, until)));
    let began = Instant::now();
    gateway.reconfigure(|text| text.replace(ONE, &format!("{TWO}, {ONE}")));
    let last = loop {
        let last = rotated(&gateway, &[]);
        if last["key"] == "two" {
            break last;
        }
        assert!(began.elapsed() < PATIENCE, "{last}");
    };
    assert_eq!(last["audit_keys"], json!(["one"]));
    assert_eq!(rotated(&gateway, &["--data-keys"])["encryption"], "on");
    is_over.store(true, Ordering::Relaxed);
    let (took, made) = (began.elapsed(), loading.join().unwrap());
    assert!(made > 0 && took < PATIENCE, "{made} in {took:?}");

    gateway.reconfigure(|text| text.replace(&format!("{TWO}, {ONE}"), TWO));
    let gateway = gateway.again_until_it_says("entries of the audit trail are keyed with keys that");
    for number in [0, made / 2, made - 1] {
        let found = gateway.get(&format!("/v1/customers?email={}", email(number)));
        assert_eq!(found["data"][0]["given_name"], "Ann", "{number}: {found}");
    }
    let verified = gateway.run_by_platform(&["audit", "verify"], "");
    assert_eq!(verified.status.code(), Some(1));
    assert!(stdout(&verified).contains("unknown_key"), "{}", stdout(&verified));
}
