//! Two gateways over one PostgreSQL database that look by themselves once an hour: what either is told the other one hears of.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use upsert_server::StartOptions;
use upsert_testkit::postgres::Database;

use crate::served::{ConfigSnapshot, Folder, gateway_toml, read};

async fn replica(database: &Database) -> ConfigSnapshot {
    let folder = Folder::new("");
    let store = format!("[store]\nurl = \"{}\"", database.url());
    folder.write("gateway.toml", &gateway_toml(&store));
    let options = StartOptions {
        store: None,
        look_every: Duration::from_hours(1),
        ..folder.options()
    };
    ConfigSnapshot::over(folder, options).await
}

/// The first connection as it is seen there, when it is in this state.
async fn in_state(at: &ConfigSnapshot, state: &str) -> Json {
    let looked_for = async {
        loop {
            let (_, connections) = read(at.get("/v1/connections", "acme")).await;
            if connections["data"][0]["state"] == state {
                return connections["data"][0].clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looked_for).await.unwrap()
}

#[tokio::test]
async fn what_the_vendor_said_of_waiting_to_one_gateway_the_other_need_not_find_out() {
    for (notes, state, waiting_for) in [
        ("throttle", "throttled", "rate_limit"),
        ("spend", "quota_spent", "quota"),
    ] {
        let database = Database::new();
        let (one, other) = (replica(&database).await, replica(&database).await);
        let asked = one.upsert(&json!({ "email": "ann@example.com", "notes": notes }));
        assert_eq!(read(asked).await.0, 202, "{notes}");
        let heard = in_state(&other, state).await;
        let of_one = in_state(&one, state).await;
        let until = |view: &Json| {
            let until = view.pointer("/rate_limit/blocked_until").and_then(Json::as_str);
            until
                .unwrap_or_else(|| panic!("{view:#}"))
                .parse::<Timestamp>()
                .unwrap()
        };
        let apart = until(&heard).duration_since(until(&of_one)).abs();
        assert!(apart < SignedDuration::from_secs(5), "{notes}: {apart}");
        let (status, answer) = read(other.upsert(&json!({ "email": "bob@example.com", "notes": "x" }))).await;
        let delivery = &answer["deliveries"][0];
        assert_eq!(
            (status, &delivery["waiting_for"], &delivery["attempts"]),
            (202, &json!(waiting_for), &json!(0)),
            "{answer:#}"
        );
        one.running.stop().await;
        other.running.stop().await;
    }
}

#[tokio::test]
async fn whoever_resumes_a_connection_ends_what_the_vendor_said_of_waiting_at_every_gateway() {
    for (notes, state) in [("throttle", "throttled"), ("spend", "quota_spent")] {
        let database = Database::new();
        let (one, other) = (replica(&database).await, replica(&database).await);
        let asked = one.upsert(&json!({ "email": "ann@example.com", "notes": notes }));
        assert_eq!(read(asked).await.0, 202, "{notes}");
        in_state(&other, state).await;
        // What the vendor is to be told next it would take.
        let mended = other.upsert(&json!({ "email": "ann@example.com", "notes": "x" }));
        assert_eq!(read(mended).await.0, 202, "{notes}");
        // Not the one that was told.
        let resume = other.post("/v1/connections/acme/ledger/resume", "acme", &json!({}));
        let (status, resumed) = read(resume).await;
        assert_eq!((status, &resumed["state"]), (200, &json!("healthy")), "{resumed:#}");
        in_state(&one, "healthy").await;
        for (gateway, person) in [(&one, "bob"), (&other, "eve")] {
            let asked = gateway.upsert(&json!({ "email": format!("{person}@example.com"), "notes": "x" }));
            assert_eq!(read(asked).await.0, 201, "{notes}: {person}");
        }
        one.running.stop().await;
        other.running.stop().await;
    }
}
