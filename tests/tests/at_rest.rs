//! What somebody has who gets hold of the store's files, or of a backup of them: with a key nothing of a person and no secret,
//! in whatever form.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has to stop; its client and clock are its own"
)]

use std::path::PathBuf;

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value as Json, json};
use standardwebhooks::Webhook;

use upsert_simulators::{Answer, Effect, Fault};
use upsert_tests::search::{files_of, found_in, found_in_files};
use upsert_tests::{HOOK_SECRET, KEY, Operator, Plan, World, api_key};

const PLATFORM: &str = "canarykey-of-the-platform";
/// What no encoding leaves as it is.
const ODD: &str = "ünï/&çøde";

const TABLES: &str = r#"
[[webhooks.in]]
source = "shop"
verify = { scheme = "standard-webhooks", secret = { file = "hook.secret" } }
event_id = "/id"
handling = "strict"
map = { reference = "/ref", email = "/email", phone = "/phone", given_name = "/given_name" }

[[webhooks.out]]
name = "hook"
url = "http://127.0.0.1:9/"
events = ["customer.upserted", "customer.delivery_failed"]
secret = { file = "hook.secret" }
allow_plain_http = true
"#;

/// Each stands in a field of its own. The first ones are of a customer, the rest of what comes with one.
const PLANTED: [&str; 26] = [
    "canaryref",
    "canarygiven",
    "canarymiddle",
    "canaryfamily",
    "canaryorg",
    "canarytax",
    "canarymail",
    "2025550199",
    "canarybline",
    "canarybcity",
    "canarybstate",
    "canarypline",
    "canarypcity",
    "canarytype",
    "canaryfrequency",
    "canarynotes",
    "canarysource",
    "canarytag",
    "canarymetaname",
    "canarymetavalue",
    "canarypassed",
    ODD,
    "canaryevent",
    "canaryletter",
    "canaryrest",
    "canarywords",
];

fn customer(reference: &str) -> Json {
    json!({ "reference": reference, "given_name": "canarygiven", "middle_name": "canarymiddle", "family_name": "canaryfamily",
        "organisation_name": "canaryorg", "tax_id": "canarytax", "email": format!("canarymail-{reference}@canary.example"),
        "phone": "+12025550199", "status": "active", "verified": true, "billing_same_as_property": false,
        "addresses": { "billing": { "line1": "canarybline", "city": "canarybcity", "state": "canarybstate", "country": "US" },
            "property": { "line1": "canarypline", "city": "canarypcity" } },
        "service": { "type": "canarytype", "frequency": "canaryfrequency" }, "notes": format!("canarynotes {ODD}"),
        "source": "canarysource", "tags": ["canarytag"], "metadata": { "canarymetaname": "canarymetavalue" },
        "notifications": { "email": true }, "provider_fields": { "rotor": { "notes": "canarypassed" } } })
}

async fn event(world: &World, event: &Json) -> u16 {
    let (id, body) = (event["id"].as_str().unwrap(), event.to_string());
    let at = Timestamp::now().as_second();
    let signature = Webhook::new(HOOK_SECRET)
        .unwrap()
        .sign(id, at, body.as_bytes())
        .unwrap();
    let request = reqwest::Client::new()
        .post(format!("{}/v1/webhooks/acme/shop", world.url()))
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", at.to_string())
        .header("webhook-signature", signature);
    request.body(body).send().await.unwrap().status().as_u16()
}

/// Leaves something of everything in the store.
async fn lived_in(is_sealed: bool) -> World {
    let plan = Plan {
        is_one_process: true,
        is_sealed,
        tables: TABLES.to_owned(),
        every_connection:
            "required = false\non_collision = \"proceed\"\nretry = { attempts = 1, base = \"5ms\", cap = \"10ms\" }"
                .to_owned(),
        gateway: api_key("platform", PLATFORM, "*", "admin"),
        ..Plan::default()
    };
    let world = World::with(plan).await;
    let made = world
        .upsert_with(&customer("canaryref"), &[("idempotency-key", "canaryidempotency")])
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let words = json!({ "status": "error", "message": "canarywords", "errorCode": "x", "statusCode": 400 }).to_string();
    for status in [400, 500, 401] {
        for vendor in [&world.rotor, &world.wallet, &world.april] {
            vendor
                .faults()
                .set(vec![Fault::once(Effect::Answer(Answer::new(status).body(&words)))]);
        }
        let changed = json!({ "reference": "canaryref", "notes": format!("canarynotes {ODD} {status}") });
        world.upsert_with(&changed, &[("prefer", "respond-async")]).await;
        let is_idle = |now: &upsert_tests::Answered| now.body["data"].as_array().unwrap().is_empty();
        let open = "/v1/deliveries?state=in_flight";
        world.until(open, std::time::Duration::from_secs(20), is_idle).await;
    }
    let taken =
        json!({ "id": "canaryevent-1", "ref": "canaryref", "given_name": "canaryletter", "more": "canaryrest" });
    assert_eq!(event(&world, &taken).await, 202);
    let refused = json!({ "id": "canaryevent-2", "email": "canarymail is none", "more": "canaryrest" });
    assert_eq!(event(&world, &refused).await, 422);
    let gone = world.upsert(&customer("canarygone")).await.customer_id();
    world
        .send(Method::DELETE, &format!("/v1/customers/{gone}"), None, &[])
        .await;
    if is_sealed {
        let merchant = json!({ "name": "canaryname", "connections": [{ "name": "ledger", "provider": "rotor",
            "credentials": { "api_key": { "value": "canarycredential" } } }] });
        let request = reqwest::Client::new()
            .put(format!("{}/v1/merchants/initech", world.url()))
            .bearer_auth(PLATFORM);
        let put = request.json(&merchant).send().await.unwrap();
        assert_eq!(put.status(), 201, "{}", put.text().await.unwrap());
    }
    let operator = Operator::sign_in(&world, KEY).await.unwrap();
    operator.post("/ops/connections/acme/rotor/pause", &[]).await;
    world
}

/// The store's files while it is in use, a backup, and a copy of the file.
fn all_files(world: &World) -> Vec<PathBuf> {
    let database = world.folder().join("data").join("gateway.db");
    let mut files = files_of(&database);
    let (backup, copied) = (world.folder().join("backup.db"), world.folder().join("copied.db"));
    let source = rusqlite::Connection::open(&database).unwrap();
    source.execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    drop(source);
    std::fs::copy(&database, &copied).unwrap();
    files.extend([backup, copied]);
    files
}

#[tokio::test]
async fn no_byte_of_a_person_or_of_a_secret_stands_in_a_sealed_store_its_log_or_a_backup_in_any_form() {
    let mut world = lived_in(true).await;
    let sealing = data_encoding::BASE64.encode(&[7; 32]);
    // What all of them have in common finds those too that nobody thought of.
    let texts = [
        "canary",
        "2025550199",
        ODD,
        "rotor_sim_secret",
        "sandbox_sk_sim",
        KEY,
        HOOK_SECRET,
        &sealing,
    ];
    let files = all_files(&world);
    assert!(files.iter().all(|file| file.exists()));
    let found = found_in_files(&files, &texts);
    assert!(found.is_empty(), "{found:?}");
    world.stop().await;
    let found = found_in_files(&files, &texts);
    assert!(found.is_empty(), "once it is closed: {found:?}");
}

#[tokio::test]
async fn the_same_search_finds_everything_where_the_store_is_not_sealed() {
    if std::env::var_os("UPSERT_TEST_SEALED").is_some() {
        return;
    }
    let world = lived_in(false).await;
    let found = found_in_files(&all_files(&world), &PLANTED);
    for text in PLANTED {
        let stands = |wanted: &str| {
            let mut all = found.iter();
            all.any(|(file, found, how)| *found == text && *how == "plain" && file.ends_with(wanted))
        };
        assert!(stands("backup.db"), "{text} was planted: {found:?}");
    }
}

#[test]
fn a_text_is_found_in_every_form_that_it_may_stand_in() {
    let json = serde_json::to_string(ODD).unwrap();
    let ascii = "\\u00FCn\\u00EF\\/&\\u00e7\\u00f8de";
    for (written, how) in [
        (json.as_str(), "plain"),
        ("ÜNÏ/&ÇØDE", "plain"),
        ("%C3%BCn%C3%AF%2F%26%C3%A7%C3%B8de", "escaped for a URL"),
        (ascii, "escaped in JSON"),
        ("ünï/&amp;çøde", "escaped in HTML"),
        ("C3BC6EC3AF2F26C3A7C3B86465", "in hexadecimal digits"),
    ] {
        let bytes = [b"\xFFbefore ", written.as_bytes(), b" after"].concat();
        assert_eq!(found_in(&bytes, &[ODD]), [(ODD, how)], "{written}");
    }
    for before in ["", "a", "bc", "def"] {
        for (encoding, how) in [
            (data_encoding::BASE64, "in Base64"),
            (data_encoding::BASE64URL_NOPAD, "in Base64 for URLs"),
        ] {
            let written = encoding.encode(format!("{before}{ODD}~~~?").as_bytes());
            let found = found_in(written.as_bytes(), &[ODD, "canary"]);
            assert!(
                !found.is_empty() && found.iter().all(|(text, _)| *text == ODD),
                "{how}: {written}"
            );
        }
    }
    assert!(found_in(b"cana ry", &["canary"]).is_empty());
}
