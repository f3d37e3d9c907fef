//! What a key that may write customers, and not read them, is told: whatever it asks, nothing of a person but what it has sent
//! itself. Everything that others have put there holds `canary`.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value as Json, json};

use crate::served::{ConfigSnapshot, Folder, gateway_toml, read, secret};

/// May write alone. Two keys of one name, and another one.
fn keys() -> String {
    use data_encoding::HEXLOWER;
    use upsert_settings::key_hash;
    let key = |name: &str, of: &str| {
        format!(
            "[[api_keys]]\nname = \"{name}\"\nkey_sha256 = \"{}\"\nmerchants = [\"acme\"]\nscopes = [\"customers:write\"]\n",
            HEXLOWER.encode(&key_hash(&secret(of)))
        )
    };
    [
        key("writer", "writer"),
        key("writer", "writer-next"),
        key("other", "other"),
        key("operator", "operator").replace(
            "[\"customers:write\"]",
            "[\"customers:write\", \"ops:read\", \"ops:write\"]",
        ),
    ]
    .concat()
}

async fn served() -> ConfigSnapshot {
    let folder = Folder::new("");
    folder.write("gateway.toml", &(gateway_toml("") + &keys()));
    let options = folder.options();
    ConfigSnapshot::over(folder, options).await
}

/// Somebody whom a key that may read has put there.
async fn ann(served: &ConfigSnapshot, email: &str) -> String {
    let whole = json!({
        "email": email, "reference": format!("canary-{email}"), "given_name": "canarygiven", "family_name": "canaryfamily",
        "phone": "+12025550199", "notes": "canarynotes", "tags": ["canarytag"], "metadata": { "canaryname": "canaryvalue" },
        "verified": true, "status": "active", "addresses": { "billing": { "line1": "canaryline" } }, "service": { "type": "canarytype" },
        "tax_id": "canarytax", "source": "canarysource",
    });
    let (status, made) = read(served.upsert(&whole)).await;
    assert_eq!(status, 201, "{made}");
    made["customer"]["id"].as_str().unwrap().to_owned()
}

fn is_covered(what: &str, told: &Json) {
    let text = told.to_string().to_lowercase();
    assert!(
        !text.contains("canary") && !text.contains("5550199"),
        "{what}: {told:#}"
    );
}

#[tokio::test]
async fn an_upsert_tells_whoever_may_not_read_the_id_the_version_and_what_was_sent() {
    let served = served().await;
    let id = ann(&served, "ann@example.com").await;
    let changed = json!({ "email": "ann@example.com", "family_name": "Lee" });
    let (status, told) = read(served.post("/v1/customers", "writer", &changed)).await;
    assert_eq!(status, 200, "{told}");
    is_covered("upsert", &told);
    let customer = &told["customer"];
    assert_eq!((&customer["id"], &customer["version"]), (&json!(id), &json!(2)));
    assert_eq!(
        (&customer["email"], &customer["family_name"]),
        (&json!("ann@example.com"), &json!("Lee"))
    );
    for covered in ["given_name", "kind", "status"] {
        assert_eq!(customer[covered], "•••");
    }
    assert!(customer["verified"].is_null());
    assert_eq!(told["deliveries"].as_array().unwrap().len(), 2);
    served.running.stop().await;
}

#[tokio::test]
async fn a_plan_a_batch_and_an_upsert_that_is_looked_at_are_covered_alike() {
    let served = served().await;
    let id = ann(&served, "ann@example.com").await;
    let by_id = json!({ "id": id, "notes": "x" });
    let (status, plan) = read(served.post("/v1/customers/plan", "writer", &by_id)).await;
    assert_eq!(status, 200, "{plan}");
    is_covered("plan", &plan);
    assert_eq!(plan["customer"]["notes"], "x");

    let lines = format!(
        "{by_id}\n{}\n",
        json!({ "email": "ann@example.com", "given_name": "Ann" })
    );
    let batch = served.request(Method::POST, "/v1/customers/batch", "writer");
    let batch = batch
        .header(CONTENT_TYPE, "application/x-ndjson")
        .body(lines)
        .send()
        .await
        .unwrap();
    let text = batch.text().await.unwrap();
    for line in text.lines() {
        let line: Json = serde_json::from_str(line).unwrap();
        assert_eq!(line["status"], 200, "{line}");
        is_covered("batch", &line);
        let path = format!("/v1/upserts/{}", line["upsert_id"].as_str().unwrap());
        for key in ["writer", "writer-next"] {
            let (status, own) = read(served.get(&path, key)).await;
            assert_eq!((status, &own["customer"]["id"]), (200, &json!(id)), "{own}");
            is_covered("own upsert", &own);
        }
        assert_eq!(
            read(served.get(&path, "reader")).await.1["customer"]["family_name"],
            "canaryfamily"
        );
    }
    served.running.stop().await;
}

#[tokio::test]
async fn what_others_made_is_not_there_for_a_key_that_may_not_read() {
    let served = served().await;
    let (_, made) = read(served.upsert(&json!({ "email": "ann@example.com" }))).await;
    let theirs = made["upsert_id"].as_str().unwrap();
    let missing = "ups_00000000000000000000000000";
    let mut bodies = Vec::new();
    for id in [theirs, missing, "nonsense"] {
        let (status, mut body) = read(served.get(&format!("/v1/upserts/{id}"), "other")).await;
        assert_eq!(status, 404);
        body["instance"] = json!("");
        bodies.push(body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:#?}");
    for path in ["/v1/upserts", "/v1/customers"] {
        assert_eq!(read(served.get(path, "other")).await.0, 403, "{path}");
    }
    served.running.stop().await;
}

#[tokio::test]
async fn a_replay_is_its_own_too_for_the_key_that_made_it() {
    let served = served().await;
    ann(&served, "ann@example.com").await;
    let refused = json!({ "email": "ann@example.com", "notes": "refuse" });
    assert_eq!(read(served.upsert(&refused)).await.0, 422);
    let failed = read(served.get("/v1/deliveries?state=failed", "operator")).await.1;
    let path = format!("/v1/deliveries/{}/replay", failed["data"][0]["id"].as_str().unwrap());
    let (status, replayed) = read(served.request(Method::POST, &path, "operator")).await;
    assert_eq!(status, 202, "{replayed}");
    let path = format!("/v1/upserts/{}", replayed["upsert_id"].as_str().unwrap());
    let (status, own) = read(served.get(&path, "operator")).await;
    assert_eq!((status, &own["customer"]["notes"]), (200, &json!("•••")), "{own}");
    is_covered("a replay", &own);
    assert_eq!(read(served.get(&path, "other")).await.0, 404);
    served.running.stop().await;
}

#[tokio::test]
async fn a_request_that_is_repeated_is_stored_whole_and_covered_at_the_door() {
    let served = served().await;
    ann(&served, "ann@example.com").await;
    let body = json!({ "email": "ann@example.com", "given_name": "Ann" });
    let asked = |key: &str| {
        served
            .post("/v1/customers", key, &body)
            .header("Idempotency-Key", "once")
    };
    let (status, first) = read(asked("writer")).await;
    assert_eq!(status, 200, "{first}");
    for key in ["writer", "writer-next"] {
        let answer = asked(key).send().await.unwrap();
        assert_eq!(answer.headers()["idempotent-replayed"], "true");
        let again: Json = answer.json().await.unwrap();
        is_covered("replay", &again);
        assert_eq!(again, first);
    }
    // The name is what keys are scoped to: one that may read has the whole of what one that may not made.
    let readable = gateway_toml("") + &keys().replace("\"customers:write\"", "\"customers:write\", \"customers:read\"");
    served.folder.write("gateway.toml", &readable);
    for _ in 0..200 {
        let (_, again) = read(asked("writer")).await;
        if again["customer"]["family_name"] == "canaryfamily" {
            served.running.stop().await;
            return;
        }
        is_covered("replay", &again);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("it was not stored whole");
}

#[tokio::test]
async fn what_a_vendor_says_when_it_refuses_is_covered_and_a_conflict_names_ids_alone() {
    let served = served().await;
    let id = ann(&served, "ann@example.com").await;
    ann_by(&served, "bob@example.com", "+12025550188").await;
    for (notes, expected) in [("refuse", 422), ("babble", 502), ("fail", 202)] {
        let (status, told) = read(served.post("/v1/customers", "writer", &json!({ "id": id, "notes": notes }))).await;
        assert_eq!(status, expected, "{notes}: {told}");
        is_covered(notes, &told);
        for delivery in told["deliveries"].as_array().unwrap() {
            let error = &delivery["error"];
            for member in ["detail", "vendor_body"] {
                assert!(
                    error[member].is_null() || error[member] == "•••" || error[member] == "",
                    "{error}"
                );
            }
        }
    }
    let both = json!({ "email": "ann@example.com", "phone": "+12025550188" });
    for path in ["/v1/customers", "/v1/customers/plan"] {
        let (_, told) = read(served.post(path, "writer", &both)).await;
        is_covered(path, &told);
    }
    let wrong = json!({ "email": "no address", "phone": "x", "nonsense": "mine" });
    let (status, told) = read(served.post("/v1/customers", "writer", &wrong)).await;
    assert_eq!(status, 422);
    let details = told["errors"].as_array().unwrap().iter();
    assert!(
        details.clone().count() > 1 && details.into_iter().all(|error| error["detail"] != "•••"),
        "{told:#}"
    );
    served.running.stop().await;
}

async fn ann_by(served: &ConfigSnapshot, email: &str, phone: &str) {
    let whole = json!({ "email": email, "phone": phone, "given_name": "canaryother" });
    let (status, made) = read(served.upsert(&whole)).await;
    assert_eq!(status, 201, "{made}");
}
