//! What an upsert says it did, and how it knows.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use serde_json::{Value as Json, json};
use upsert_tests::{Plan, World};

fn john() -> Json {
    json!({
        "reference": "CUST-123", "given_name": "John", "family_name": "Doe", "email": "John.Doe@Example.com",
        "phone": "(202) 555-0123", "status": "active", "tags": ["vip"], "notes": "Rings twice.\nHas a dog.",
        "addresses": { "property": { "line1": "1 Main St", "city": "Springfield", "state": "IL", "postal_code": "62701", "country": "usa" } },
        "service": { "type": "pest control", "frequency": "monthly" }, "metadata": { "plan": "gold" },
        "notifications": { "email": false }
    })
}

/// Leaves out what is another one each time.
fn settled(mut body: Json) -> Json {
    for member in ["upsert_id", "request_id"] {
        body.as_object_mut().unwrap().remove(member);
    }
    for member in ["id", "created_at", "updated_at"] {
        body["customer"][member] = json!("…");
    }
    for delivery in body["deliveries"].as_array_mut().unwrap() {
        for member in ["id", "duration_ms", "provider_customer_id"] {
            delivery[member] = json!("…");
        }
    }
    body
}

#[tokio::test]
async fn a_new_person_is_made_at_all_three_vendors_and_the_answer_says_how_it_knows() {
    let world = World::start().await;
    let answered = world.upsert(&john()).await;
    assert_eq!(answered.status, 201, "{}", answered.text);
    insta::assert_json_snapshot!(settled(answered.body));
}

#[tokio::test]
async fn the_same_again_is_unchanged_and_calls_nobody() {
    let world = World::start().await;
    world.upsert(&john()).await;
    let calls = || [&world.rotor, &world.wallet, &world.april].map(|vendor| vendor.journal().counts().received);
    assert_eq!(calls(), [1, 1, 1]);
    let again = world.upsert(&john()).await;
    assert_eq!(again.status, 200, "{}", again.text);
    for connection in ["rotor", "wallet", "april"] {
        let delivery = again.delivery(connection);
        assert_eq!(
            (&delivery["outcome"], &delivery["attempts"]),
            (&json!("unchanged"), &json!(0))
        );
    }
    assert_eq!(again.body["customer"]["version"], 1);
    assert_eq!(calls(), [1, 1, 1]);
}

#[tokio::test]
async fn no_cache_calls_even_if_nothing_has_changed() {
    let world = World::start().await;
    world.upsert(&john()).await;
    let forced = world.upsert_with(&john(), &[("cache-control", "no-cache")]).await;
    assert_eq!(forced.status, 200);
    let outcome = |connection| {
        (
            forced.delivery(connection)["outcome"].clone(),
            forced.delivery(connection)["evidence"].clone(),
        )
    };
    assert_eq!(outcome("rotor"), (json!("updated"), json!("vendor_said")));
    assert_eq!(outcome("wallet"), (json!("updated"), json!("link")));
    assert_eq!(outcome("april"), (json!("updated"), json!("link")));
    assert_eq!(forced.delivery("rotor")["matched_by"], "id");
    assert_eq!(forced.delivery("wallet")["matched_by"], "reference");
    assert_eq!(forced.delivery("april")["matched_by"], "email");
    assert_eq!(
        world.rotor.records().len() + world.wallet.records().len() + world.april.records().len(),
        3
    );
}

#[tokio::test]
async fn rotor_gets_what_changed_and_the_others_get_everything() {
    let world = World::start().await;
    world.upsert(&john()).await;
    let changed = world
        .upsert(&json!({ "reference": "CUST-123", "family_name": "Dough" }))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let sent = |vendor: &upsert_tests::Vendored| -> Json {
        serde_json::from_str(&vendor.journal().entries().last().unwrap().body).unwrap()
    };
    let id = changed.delivery("rotor")["provider_customer_id"].clone();
    assert_eq!(sent(&world.rotor), json!({ "id": id, "last_name": "Dough" }));
    assert_eq!(sent(&world.wallet)["email"], "john.doe@example.com");
    assert_eq!(
        sent(&world.april)["UpsertConsumerCustomer"]["metadata"],
        json!({ "plan": "gold" })
    );
}

#[tokio::test]
async fn an_edit_in_the_vendors_own_screen_to_another_field_is_not_undone() {
    let world = World::with(Plan {
        only: vec!["rotor"],
        ..Plan::default()
    })
    .await;
    let made = world.upsert(&john()).await;
    let id = made.delivery("rotor")["provider_customer_id"].clone();
    let client = reqwest::Client::builder().build().unwrap();
    let edit = json!({ "id": id, "notes": "Edited by hand." });
    let edited = client
        .post(format!("{}/customers", world.rotor.base_url()))
        .header("x-api-key", "rotor_sim_secret")
        .json(&edit)
        .send()
        .await
        .unwrap();
    assert!(edited.status().is_success());
    world
        .upsert(&json!({ "reference": "CUST-123", "family_name": "Dough" }))
        .await;
    let record = &world.rotor.records()[0];
    assert_eq!(record.fields["notes"], "Edited by hand.");
    assert_eq!(record.fields["last_name"], "Dough");
}

#[tokio::test]
async fn tags_are_added_and_one_that_was_taken_away_is_warned_of() {
    let world = World::with(Plan {
        only: vec!["rotor"],
        ..Plan::default()
    })
    .await;
    world.upsert(&john()).await;
    let more = world
        .upsert(&json!({ "reference": "CUST-123", "tags": ["gold"] }))
        .await;
    assert_eq!(more.body["customer"]["tags"], json!(["gold", "vip"]));
    let less = world
        .upsert(&json!({ "reference": "CUST-123", "tags_removed": ["vip"] }))
        .await;
    assert_eq!(less.body["customer"]["tags"], json!(["gold"]));
    assert_eq!(less.delivery("rotor")["outcome"], "unchanged", "{}", less.text);
    let warnings = less.delivery("rotor")["warnings"].as_array().unwrap();
    assert!(
        warnings
            .iter()
            .any(|w| w["code"] == "tags_are_merged" && w["pointer"] == "/tags"),
        "{warnings:?}"
    );
    assert_eq!(world.rotor.journal().counts().received, 2);
}

#[tokio::test]
async fn a_dry_run_shows_every_request_without_credentials_and_sends_nothing() {
    let world = World::start().await;
    let planned = world.plan(&john()).await;
    assert_eq!(planned.status, 200, "{}", planned.text);
    let mut shown = planned.body.clone();
    shown["connections"][1]["request"]["body"]["externalId"] = json!("CUST-123");
    insta::assert_json_snapshot!(shown);
    for secret in ["rotor_sim_secret", "sim-key", "sandbox_sk_sim"] {
        assert!(!planned.text.contains(secret));
    }
    assert_eq!(world.rotor.journal().counts().received, 0);
    assert_eq!(
        world.get("/v1/customers?reference=CUST-123").await.body["data"],
        json!([])
    );
}

#[tokio::test]
async fn a_dry_run_shows_what_each_connection_refuses() {
    let world = World::start().await;
    let planned = world.plan(&json!({ "reference": "r", "given_name": "A" })).await;
    assert_eq!(planned.status, 200, "{}", planned.text);
    let actions: Vec<&Json> = planned.body["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|connection| &connection["action"])
        .collect();
    assert_eq!(actions, [&Json::Null, &json!("upsert"), &Json::Null]);
    assert_eq!(planned.body["connections"][0]["refusals"][0]["pointer"], "/phone");
}

#[tokio::test]
async fn routes_pick_the_connections_and_a_link_that_is_not_routed_any_more_stays() {
    let tables = "\n[[routes]]\nwhen = { status = \"inactive\" }\nto = [\"wallet\"]\n\n[[routes]]\nwhen = { country = \"US\" }\nto = [\"rotor\", \"wallet\"]\n";
    let world = World::with(Plan {
        tables: tables.to_owned(),
        ..Plan::default()
    })
    .await;
    let made = world.upsert(&john()).await;
    let connections: Vec<&Json> = made.body["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| &d["connection"])
        .collect();
    assert_eq!(connections, [&json!("rotor"), &json!("wallet")]);
    let inactive = world
        .upsert(&json!({ "reference": "CUST-123", "status": "inactive" }))
        .await;
    assert_eq!(inactive.body["deliveries"].as_array().unwrap().len(), 1);
    let shown = world.get(&format!("/v1/customers/{}", made.customer_id())).await;
    let states: Vec<(&Json, &Json)> = shown.body["links"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| (&l["connection"], &l["state"]))
        .collect();
    assert_eq!(
        states,
        [
            (&json!("rotor"), &json!("unrouted")),
            (&json!("wallet"), &json!("in_sync"))
        ]
    );
    let nowhere = world
        .upsert(&json!({ "reference": "x", "given_name": "X", "phone": "2025550177" }))
        .await;
    assert_eq!((nowhere.status, nowhere.code()), (422, "validation_failed"));
    assert_eq!(nowhere.body["errors"][0]["code"], "no_route");
}

#[tokio::test]
async fn an_organisation_goes_to_april_by_its_reference() {
    let world = World::with(Plan {
        only: vec!["april"],
        ..Plan::default()
    })
    .await;
    let body = json!({ "reference": "ORG-1", "organisation_name": "Acme Pty", "tax_id": "51824753556", "email": "o@x.example" });
    let made = world.upsert(&body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.body["customer"]["kind"], "organisation");
    let moved = world
        .upsert(&json!({ "reference": "ORG-1", "email": "new@x.example" }))
        .await;
    assert_eq!(
        moved.status, 200,
        "an organisation's e-mail is not its key: {}",
        moved.text
    );
    assert_eq!(world.april.records().len(), 1);
    let person = world.upsert(&json!({ "reference": "ORG-1", "kind": "person", "given_name": "A", "family_name": "B", "phone": "2025550123" })).await;
    assert_eq!(
        (person.status, person.code()),
        (409, "business_key_change"),
        "{}",
        person.text
    );
}

#[tokio::test]
async fn history_tells_each_change_with_who_and_when() {
    let world = World::with(Plan {
        only: vec!["wallet"],
        ..Plan::default()
    })
    .await;
    let made = world
        .upsert(&json!({ "reference": "r", "given_name": "A", "metadata": { "a": "1" } }))
        .await;
    world
        .upsert(&json!({ "reference": "r", "given_name": "B", "metadata": { "a": null, "b": "2" } }))
        .await;
    world.upsert(&json!({ "reference": "r", "given_name": "B" })).await;
    let history = world
        .get(&format!("/v1/customers/{}/history", made.customer_id()))
        .await;
    let entries = history.body["data"].as_array().unwrap();
    assert_eq!(
        entries.len(),
        2,
        "an upsert that changes nothing makes no version: {}",
        history.text
    );
    assert_eq!(entries[0]["version"], 2);
    assert_eq!(entries[0]["by"], "tests");
    assert_eq!(
        entries[0]["changes"],
        json!([
            { "pointer": "/given_name", "from": "A", "to": "B" },
            { "pointer": "/metadata/a", "from": "1", "to": null },
            { "pointer": "/metadata/b", "from": null, "to": "2" },
        ])
    );
    let page = world
        .get(&format!("/v1/customers/{}/history?limit=1", made.customer_id()))
        .await;
    let cursor = page.body["next_cursor"].as_str().unwrap();
    let rest = world
        .get(&format!(
            "/v1/customers/{}/history?limit=1&cursor={cursor}",
            made.customer_id()
        ))
        .await;
    assert_eq!(rest.body["data"][0]["version"], 1);
    assert_eq!(rest.body["next_cursor"], Json::Null);
}

#[tokio::test]
async fn customers_are_listed_by_canonical_values_in_pages() {
    let world = World::with(Plan {
        only: vec!["wallet"],
        ..Plan::default()
    })
    .await;
    for n in 0..5 {
        let body = json!({ "reference": format!("r{n}"), "given_name": "A", "phone": "2025550123", "tags": [format!("t{n}")] });
        assert_eq!(world.upsert(&body).await.status, 201);
    }
    let by_phone = world.get("/v1/customers?phone=(202)%20555-0123&limit=2").await;
    assert_eq!(by_phone.body["data"].as_array().unwrap().len(), 2, "{}", by_phone.text);
    let mut seen: Vec<String> = Vec::new();
    let mut path = "/v1/customers?phone=2025550123&limit=2".to_owned();
    loop {
        let page = world.get(&path).await;
        seen.extend(
            page.body["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|c| c["reference"].as_str().unwrap().to_owned()),
        );
        match page.body["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/customers?phone=2025550123&limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, ["r0", "r1", "r2", "r3", "r4"]);
    let by_tag = world.get("/v1/customers?tag=t3").await;
    assert_eq!(by_tag.body["data"][0]["reference"], "r3");
    let bad = world.get("/v1/customers?email=nobody").await;
    assert_eq!((bad.status, bad.code()), (400, "invalid_query"));
    let bad = world.get("/v1/customers?emial=a@x.example").await;
    assert_eq!((bad.status, bad.code()), (400, "invalid_query"));
}
