//! The configuration on the dashboard and over the API: what is in force, what each reading of the files changed, what was
//! refused, and never a secret.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use upsert_tests::{HOOK_SECRET, KEY, Operator, Plan, World, api_key, hash_of};

const PATIENCE: Duration = Duration::from_secs(20);
const EVERYBODYS: &str = "a-key-for-all-merchants";
const READER: &str = "a-key-that-may-look";

const TABLES: &str = r#"
[[webhooks.out]]
name = "hooks"
url = "https://hooks.example.com/in?token=canary-query"
events = ["customer.upserted"]
secret = { file = "hook.secret" }
"#;

async fn world() -> World {
    let plan = Plan {
        tables: TABLES.to_owned(),
        gateway: api_key("everybodys", EVERYBODYS, "*", "ops:read") + &api_key("reader", READER, "globex", "ops:read"),
        reloads: true,
        ..Plan::default()
    };
    World::with_files(plan, &[("merchants/globex.toml", "id = \"globex\"\n")]).await
}

fn change(world: &World, file: &str, change: impl Fn(&str) -> String) {
    let path = world.folder().join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, change(&text)).unwrap();
}

/// Nothing that opens a door stands in it.
fn is_free_of_secrets(html: &str) {
    let hashes = [KEY, EVERYBODYS, READER].map(hash_of);
    let secrets = [
        "rotor_sim_secret",
        "sim-key",
        "sandbox_sk_sim",
        HOOK_SECRET,
        KEY,
        "canary-query",
    ];
    for secret in secrets.into_iter().chain(hashes.iter().map(String::as_str)) {
        assert!(!html.contains(secret), "{secret} in {html}");
    }
}

#[tokio::test]
async fn a_changed_file_is_generation_two_with_what_was_and_what_is() {
    let mut world = world().await;
    let ops = Operator::sign_in(&world, KEY).await.unwrap();
    let first = ops.page("/ops/configuration").await;
    for part in [
        "generation 1<",
        "connections.rotor.credentials.api_key</code></th><td>file rotor.secret",
        "webhooks.out.hooks</code></th><td>https://hooks.example.com/in<",
        "sync_deadline</code></th><td>10s",
    ] {
        assert!(first.contains(part), "{part} in {first}");
    }
    is_free_of_secrets(&first);
    world
        .reconfigure(|text| text.replace("name = \"wallet\"", "name = \"purse\"\ntimeout = \"3s\""))
        .await;
    world
        .reconfigure(|text| format!("sync_deadline = \"3s\"\n{text}"))
        .await;
    let third = ops.page("/ops/configuration").await;
    for part in [
        "generation 3<",
        "<code>merchants/acme: sync_deadline</code></th><td><span class=\"from\">10s</span></td><td><span class=\"to\">3s</span>",
        "<code>merchants/acme: connections.wallet</code></th><td><span class=\"from\">provider add-update</span></td><td>gone",
        "<code>merchants/acme: connections.purse</code></th><td>new</td><td><span class=\"to\">provider add-update</span>",
    ] {
        assert!(third.contains(part), "{part} in {third}");
    }
    is_free_of_secrets(&third);

    let told = world.get("/v1/configuration").await;
    assert_eq!(
        (&told.body["generation"], &told.body["stale"]),
        (&json!(3), &json!(false))
    );
    let wanted = json!([{ "place": "merchants/acme: sync_deadline", "from": "10s", "to": "3s" }]);
    assert_eq!(told.body["history"][0]["changes"], wanted, "{}", told.text);
    is_free_of_secrets(&told.text);
    world.stop().await;
}

#[tokio::test]
async fn a_broken_file_is_told_by_its_line_and_what_was_in_force_stays() {
    let mut world = world().await;
    let ops = Operator::sign_in(&world, KEY).await.unwrap();
    world
        .reconfigure(|text| format!("sync_deadline = \"3s\"\n{text}"))
        .await;
    let well = ops.page("/ops").await;
    assert!(!well.contains("/ops/configuration\"><strong>"), "{well}");
    change(&world, "merchants/acme.toml", |text| {
        text.replace("sync_deadline = \"3s\"", "sinc_deadline = \"3s\"")
    });
    let broken = ops
        .until("/ops/configuration", PATIENCE, "The last reading was refused")
        .await;
    assert!(
        broken.contains("generation 2<") && broken.contains("generation 2 stays in force"),
        "{broken}"
    );
    assert!(
        broken.contains("merchants/acme.toml</code></th><td class=\"number\">1</td>"),
        "{broken}"
    );
    assert!(broken.contains("sinc_deadline"), "{broken}");
    let overview = ops.page("/ops").await;
    assert!(
        overview.contains("<a href=\"/ops/configuration\"><strong>configuration</strong>"),
        "{overview}"
    );

    // Somebody else is told that it was refused, and not what stands in the merchant's file.
    let reader = Operator::sign_in(&world, READER).await.unwrap();
    let elsewhere = reader
        .until("/ops/configuration", PATIENCE, "1 problem is in a file")
        .await;
    assert!(!elsewhere.contains("acme"), "{elsewhere}");

    change(&world, "merchants/acme.toml", |text| {
        text.replace("sinc_deadline", "sync_deadline")
    });
    ops.until("/ops/configuration", PATIENCE, "generation 3<").await;
    let well = ops.page("/ops").await;
    assert!(!well.contains("/ops/configuration\"><strong>"), "{well}");
    world.stop().await;
}

#[tokio::test]
async fn the_gateways_own_is_for_keys_of_all_merchants_and_a_merchants_for_those_that_may_see_it() {
    let mut world = world().await;
    let ops = Operator::sign_in(&world, EVERYBODYS).await.unwrap();
    let own = ops.page("/ops/configuration").await;
    for part in [
        "server.body_limit",
        "api_keys.reader.scopes</code></th><td>ops:read",
        "api_keys.everybodys.merchants",
    ] {
        assert!(own.contains(part), "{part} in {own}");
    }
    is_free_of_secrets(&own);
    let acme = ops.page("/ops/configuration?merchant=acme").await;
    assert!(acme.contains("connections.april.credentials.secret_key"), "{acme}");
    is_free_of_secrets(&acme);
    change(&world, "gateway.toml", |text| {
        text.replace("workers = 1", "workers = 2")
    });
    let waiting = ops.until("/ops/configuration", PATIENCE, "Waits for a restart").await;
    assert!(waiting.contains("<code>gateway: server.workers</code>"), "{waiting}");

    let reader = Operator::sign_in(&world, READER).await.unwrap();
    let globex = reader.page("/ops/configuration").await;
    assert!(globex.contains("What is configured for globex"), "{globex}");
    assert!(
        !globex.contains("acme") && !globex.contains("server.") && !globex.contains("everybodys"),
        "{globex}"
    );
    assert_eq!(reader.open("/ops/configuration?merchant=acme").await.status, 404);

    let strangers = [("Merchant-Id", "globex")];
    let refused = world.send(Method::GET, "/v1/configuration", None, &strangers).await;
    assert_eq!((refused.status, refused.code()), (403, "merchant_forbidden"));
    world.stop().await;
}

#[tokio::test]
async fn telemetry_is_shown_and_waits_for_a_restart_and_a_reading_that_changed_nothing_says_so() {
    let mut world = world().await;
    let ops = Operator::sign_in(&world, EVERYBODYS).await.unwrap();
    let telemetry = "[telemetry]\nsample_ratio = 0.5\notlp_headers = { authorization = { file = \"hook.secret\" } }\n";
    change(&world, "gateway.toml", |text| format!("{telemetry}\n{text}"));
    let second = ops.until("/ops/configuration", PATIENCE, "generation 2<").await;
    for part in [
        "Waits for a restart",
        "<code>gateway: telemetry.sample_ratio</code></th><td>1.0</td><td>0.5</td>",
        "<code>gateway: telemetry.otlp_headers.authorization</code></th><td>–</td><td>file hook.secret</td>",
        "<code>telemetry.service_name</code></th><td>upsert-gateway</td>",
    ] {
        assert!(second.contains(part), "{part} in {second}");
    }
    is_free_of_secrets(&second);
    change(&world, "gateway.toml", |text| format!("# A word for people.\n{text}"));
    let third = ops.until("/ops/configuration", PATIENCE, "generation 3<").await;
    assert!(
        third.contains("UTC</time>: nothing that is shown here</summary>"),
        "{third}"
    );
    world.stop().await;
}
