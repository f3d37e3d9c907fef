//! Reading the configuration anew.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};

use upsert_testkit::MemoryStore;

use crate::answers::documented;
use crate::served::{ConfigSnapshot, Folder, gateway_toml, read};

/// Waits until `/readyz` shows this of the configuration.
async fn shows(served: &ConfigSnapshot, member: &str, wanted: Json) {
    for _ in 0..600 {
        let (_, ready) = read(served.get("/readyz", "")).await;
        if ready["configuration"][member] == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("`{member}` never was {wanted}");
}

#[tokio::test]
async fn a_changed_file_takes_effect_and_a_wrong_one_changes_nothing() {
    let served = ConfigSnapshot::start().await;
    served.customer("ann@example.com").await;
    served.folder.write("merchants/initech.toml", "id = \"initech\"\n");
    shows(&served, "merchants", json!(3)).await;
    let initech = served.get("/v1/customers", "all").header("Merchant-Id", "initech");
    assert_eq!(read(initech).await.0, 200);

    served
        .folder
        .write("gateway.toml", &gateway_toml("body_limit = \"1 KiB\"\nworker = 2"));
    shows(&served, "last_reading", json!("refused")).await;
    served.customer("bob@example.com").await;
    let long = json!({ "email": "eve@example.com", "notes": "x".repeat(2_000) });
    assert_eq!(read(served.upsert(&long)).await.0, 201);
    let metrics = served.get("/metrics", "").send().await.unwrap().text().await.unwrap();
    for (line, is_there) in [
        ("upsert_gateway_config_reloads_total{result=\"refused\"} 0", false),
        ("upsert_gateway_config_reloads_total{result=\"ok\"} 0", false),
        ("upsert_gateway_config_refused 1", true),
        ("upsert_gateway_config_generation 2", true),
    ] {
        assert_eq!(metrics.contains(line), is_there, "{line}: {metrics}");
    }

    served
        .folder
        .write("gateway.toml", &gateway_toml("body_limit = \"1KiB\""));
    shows(&served, "last_reading", json!("taken_over")).await;
    assert_eq!(read(served.upsert(&long)).await.0, 413);
    served.running.stop().await;
}

#[tokio::test]
async fn what_the_store_was_too_busy_to_write_down_is_taken_over_once_it_can_be() {
    let store = Arc::new(MemoryStore::new());
    let served = ConfigSnapshot::over_store(Folder::new(""), store.clone()).await;
    store.fail_next(u32::MAX);
    served.folder.write("merchants/initech.toml", "id = \"initech\"\n");
    let is_refused = async || {
        let metrics = served.get("/metrics", "").send().await.unwrap().text().await.unwrap();
        metrics.contains("upsert_gateway_config_refused 1")
    };
    while !is_refused().await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Nobody touches the files any more.
    store.fail_next(0);
    shows(&served, "last_reading", json!("taken_over")).await;
    shows(&served, "merchants", json!(3)).await;
    served.running.stop().await;
}

#[tokio::test]
async fn what_changed_and_what_was_refused_is_told_as_documented() {
    let served = ConfigSnapshot::start().await;
    let (_, document) = read(served.get("/openapi.json", "")).await;
    let told = async |request| documented(&document, "GET /v1/configuration", request).await;
    let own = served.get("/v1/configuration", "all").header("Merchant-Id", "acme");
    let first = told(own).await;
    assert_eq!(
        (&first["generation"], &first["history"][0]["changes"]),
        (&json!(1), &json!([]))
    );
    assert!(first["configured"].as_array().unwrap().len() > 10, "{first:#}");

    served.folder.write("merchants/initech.toml", "id = \"initech\"\n");
    shows(&served, "generation", json!(2)).await;
    served
        .folder
        .write("merchants/globex.toml", "id = \"globex\"\nsinc_deadline = \"1s\"\n");
    shows(&served, "last_reading", json!("refused")).await;
    let whole = told(served.get("/v1/configuration", "all")).await;
    let added = json!([{ "place": "merchants/initech", "from": null, "to": "initech" }]);
    assert_eq!(
        (&whole["generation"], &whole["history"][0]["changes"]),
        (&json!(2), &added)
    );
    assert_eq!(
        (&whole["stale"], &whole["problems"][0]["line"]),
        (&json!(true), &json!(2))
    );
    let acme = told(served.get("/v1/configuration", "acme")).await;
    assert_eq!((&acme["problems"], &acme["other_problems"]), (&json!([]), &json!(1)));
    assert_eq!(
        (&acme["history"][0]["changes"], &acme["configured"]),
        (&json!([]), &json!([]))
    );
    served.running.stop().await;
}

#[tokio::test]
async fn what_a_provider_refuses_is_refused_before_anything_changes() {
    let served = ConfigSnapshot::start().await;
    served.folder.write(
        "merchants/globex.toml",
        "id = \"globex\"\n[[connections]]\nname = \"ledger\"\nprovider = \"no-such-provider\"\n",
    );
    shows(&served, "last_reading", json!("refused")).await;
    let request = served.post("/v1/customers", "globex", &json!({ "email": "ann@example.com" }));
    assert_eq!(read(request).await.0, 201);
    served.running.stop().await;
}

#[tokio::test]
async fn sighup_reads_the_configuration_anew() {
    let served = ConfigSnapshot::start().await;
    shows(&served, "generation", json!(1)).await;
    let process = std::process::id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-HUP", &process])
        .status()
        .unwrap();
    assert!(sent.success());
    shows(&served, "generation", json!(2)).await;
    served.running.stop().await;
}

#[tokio::test]
async fn a_connection_that_says_the_same_keeps_what_it_has_written() {
    let served = ConfigSnapshot::start().await;
    served.customer("ann@example.com").await;
    served.folder.write("merchants/initech.toml", "id = \"initech\"\n");
    shows(&served, "merchants", json!(3)).await;
    // The made-up vendor lives in the connection: a new one would have an empty book.
    let (_, held) = read(served.get("/v1/connections/acme/ledger/customers", "acme")).await;
    assert_eq!(held["data"][0]["provider_customer_id"], "page of ann@example.com");
    served.running.stop().await;
}

#[tokio::test]
async fn a_file_that_is_still_being_written_is_not_taken_over() {
    let served = ConfigSnapshot::start().await;
    let whole = gateway_toml("body_limit = \"1KiB\"");
    // Each piece is a valid file without any API key; one of them is there whenever it is looked at.
    for piece in 0..30 {
        served.folder.write("gateway.toml", &"#".repeat(piece));
        let (status, _) = read(served.get("/v1/providers", "all")).await;
        assert_eq!(status, 200, "the keys of a half-written file were taken over");
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    served.folder.write("gateway.toml", &whole);
    let long = json!({ "email": "eve@example.com", "notes": "x".repeat(2_000) });
    for _ in 0..100 {
        let (status, _) = read(served.upsert(&long)).await;
        assert_ne!(status, 401, "the keys of a half-written file were taken over");
        if status == 413 {
            served.running.stop().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the whole file was never taken over");
}
