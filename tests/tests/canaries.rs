//! No secret and no personal datum in any log: canaries in every field and secret, everything that was written searched,
//! at TRACE, over good days and bad ones.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use std::io::Write;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use upsert_simulators::{Answer, Cut, Effect, Fault};
use upsert_tests::{KEY, Plan, World};

#[derive(Clone, Default)]
struct Everything(Arc<Mutex<Vec<u8>>>);

impl Write for Everything {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Everything {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

const CANARIES: [&str; 22] = [
    "canaryref",
    "canarygiven",
    "canarymiddle",
    "canaryfamily",
    "canaryorg",
    "canarytax",
    "canarymail",
    "5550199",
    "canarybline",
    "canarybcity",
    "canarybstate",
    "canarypline",
    "canarypcity",
    "canarynotes",
    "canarysource",
    "canarytag",
    "canarymetaname",
    "canarymetavalue",
    "canarytype",
    "canaryfrequency",
    "canarypassed",
    "canaryerror",
];

#[tokio::test]
async fn nothing_that_was_written_holds_a_canary() {
    let written = Everything::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(written.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let more = "retry = { attempts = 2, base = \"5ms\", cap = \"10ms\" }".to_owned();
    let merchant = "sync_deadline = \"1s\"".to_owned();
    let world = World::with(Plan {
        every_connection: more,
        merchant,
        ..Plan::default()
    })
    .await;
    let body = |reference: &str| {
        json!({ "reference": reference, "given_name": "canarygiven", "middle_name": "canarymiddle", "family_name": "canaryfamily",
        "organisation_name": "canaryorg", "tax_id": "canarytax", "email": format!("canarymail-{reference}@canary.example"),
        "phone": "+12025550199", "status": "active", "verified": true, "billing_same_as_property": false,
        "addresses": { "billing": { "line1": "canarybline", "city": "canarybcity", "state": "canarybstate", "country": "US" },
            "property": { "line1": "canarypline", "city": "canarypcity" } },
        "service": { "type": "canarytype", "frequency": "canaryfrequency" }, "notes": "canarynotes", "source": "canarysource",
        "tags": ["canarytag"], "metadata": { "canarymetaname": "canarymetavalue" }, "notifications": { "email": true },
        "provider_fields": { "rotor": { "notes": "canarypassed" } } })
    };
    let path = "/v1/customers?email=canarymail@canary.example&reference=canaryref&phone=2025550199";
    let key = ("idempotency-key", "canaryidempotencykey");
    assert_eq!(world.upsert_with(&body("canaryref"), &[key]).await.status, 201);
    world.upsert_with(&body("canaryref"), &[key]).await;
    world.plan(&body("canaryref")).await;
    world.upsert(&body("canaryref-other")).await;
    world.get(path).await;
    world
        .get("/v1/connections/acme/rotor/customers?search=canaryfamily")
        .await;
    world
        .upsert(&json!({ "reference": "canaryref", "email": "canarymail is none" }))
        .await;
    world
        .upsert(&json!({ "reference": "canaryref", "canaryunknown": "canaryerror" }))
        .await;
    let complaint = r#"{"status":"error","message":"canaryerror","errors":[{"field":"email","message":"canarymail"}],"error":{"code":"X","message":"canaryerror"},"errorCode":"x","statusCode":400}"#;
    // What has the form of a code, and is somebody's name.
    let coded = r#"{"status":"error","message":"needs canaryfamily:write","error_code":"CANARYFAMILY","error":{"code":"CANARYFAMILY"},"errorCode":"CANARYFAMILY","statusCode":403}"#;
    let faults = [
        Effect::Answer(Answer::new(422).body(coded)),
        Effect::Answer(Answer::new(400).body(complaint)),
        Effect::Answer(Answer::new(500).body(complaint)),
        Effect::Garbage,
        Effect::Cut { at: Cut::AfterWrite },
        Effect::Cut { at: Cut::BeforeReading },
        Effect::Answer(Answer::new(429)),
        Effect::Answer(Answer::new(403).body(coded)),
    ];
    for (round, effect) in faults.into_iter().enumerate() {
        for vendor in [&world.rotor, &world.wallet, &world.april] {
            vendor.faults().set(vec![Fault::once(effect.clone())]);
        }
        let changed = json!({ "reference": "canaryref", "notes": format!("canarynotes {round}") });
        world.upsert(&changed).await;
    }
    let client = reqwest::Client::builder().build().unwrap();
    let broken = client
        .post(format!("{}/v1/customers", world.url()))
        .bearer_auth(KEY)
        .header("content-type", "application/json");
    broken
        .body("{ \"email\": \"canarymail@canary.example\", ")
        .send()
        .await
        .unwrap();
    client
        .get(format!("{}/v1/customers", world.url()))
        .bearer_auth("canarywrongkey")
        .send()
        .await
        .unwrap();
    let metrics = world.get("/metrics").await.text;
    drop(world);

    let text = String::from_utf8_lossy(&written.0.lock()).to_lowercase();
    assert!(text.contains("delivery"), "the logs were written and read");
    let secrets = [
        "rotor_sim_secret",
        "sim-key",
        "sandbox_sk_sim",
        KEY,
        "canaryidempotencykey",
        "canarywrongkey",
        "canaryunknown",
    ];
    for canary in CANARIES.iter().copied().chain(secrets) {
        let line = text.lines().find(|line| line.contains(canary));
        assert_eq!(line, None, "a log line holds {canary}");
        assert!(!metrics.to_lowercase().contains(canary), "the metrics hold {canary}");
    }
    for encoded in ["Y2FuYXJ5", "canarymail%40"] {
        assert!(!text.contains(&encoded.to_lowercase()), "the logs hold {encoded}");
    }
}
