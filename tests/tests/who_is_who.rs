//! Two people with one phone and two e-mails, placeholders, and records that callers know: nobody gets another's data, at no
//! vendor, whatever came first and whichever way it came.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value as Json, json};
use standardwebhooks::Webhook;
use upsert_simulators::{Answer, Effect, Fault, Record};
use upsert_tests::{Answered, HOOK_SECRET, Plan, World};

const PHONE: &str = "+12025550123";

const SOURCE: &str = r#"
[[webhooks.in]]
source = "shop"
verify = { scheme = "standard-webhooks", secret = { file = "hook.secret" } }
event_id = "/id"
map = { email = "/email", phone = "/phone", given_name = "/given_name", family_name = "/family_name", notes = "/notes" }
"#;

/// The ways by which a body comes in. (`import` and `upsert`, the commands, are in crates/gateway/tests/it/who_is_who.rs.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Upsert,
    Lenient,
    Batch,
    Webhook,
    Plan,
}

const WAYS: [Way; 5] = [Way::Upsert, Way::Lenient, Way::Batch, Way::Webhook, Way::Plan];

async fn world() -> World {
    World::with(Plan {
        // What Rotor refuses is told in its own delivery, so that the other vendors are seen too.
        rotor: "required = false".to_owned(),
        tables: SOURCE.to_owned(),
        ..Plan::default()
    })
    .await
}

fn ann(notes: &str) -> Json {
    json!({ "email": "ann@x.example", "phone": PHONE, "given_name": "Ann", "family_name": "Lee", "notes": notes })
}

fn bob(notes: &str) -> Json {
    json!({ "email": "bob@x.example", "phone": PHONE, "given_name": "Bob", "family_name": "Lee", "notes": notes })
}

async fn bring(world: &World, way: Way, body: &Json, number: usize) -> u16 {
    match way {
        Way::Upsert => world.upsert(body).await.status,
        Way::Lenient => {
            let mut odd = body.clone();
            odd["addresses"] = json!({ "billing": { "country": "Atlantis" } });
            let answered = world.upsert_with(&odd, LENIENT).await;
            assert_eq!(
                answered.body["ignored"][0]["code"], "invalid_country",
                "{}",
                answered.text
            );
            answered.status
        }
        Way::Plan => planned(world, body).await,
        Way::Batch => {
            let answered = raw(
                world,
                "/v1/customers/batch",
                "application/x-ndjson",
                body.to_string(),
                &[],
            )
            .await;
            answered.status
        }
        Way::Webhook => {
            let mut event = body.clone();
            event["id"] = json!(format!("evt-{number}"));
            hook(world, &event).await.status
        }
    }
}

/// The one who is not meant is named where a vendor would mix them up, by `id`, and nowhere else.
fn told_only_as_in_the_way(planned: &Answered, other: &str) {
    let mut rest = planned.body.clone();
    for row in rest["connections"].as_array_mut().unwrap() {
        let refusals = row["refusals"].as_array().unwrap().clone();
        let is_collision = |refusal: &Json| refusal["code"] == "match_key_collision" && refusal["customer_id"] == other;
        if refusals.iter().any(is_collision) {
            assert_eq!(
                (&row["connection"], &row["action"], &row["request"], &row["match_key"]),
                (&json!("rotor"), &Json::Null, &Json::Null, &Json::Null),
                "{}",
                planned.text
            );
        }
        row["refusals"] = refusals.into_iter().filter(|refusal| !is_collision(refusal)).collect();
    }
    assert!(!rest.to_string().contains(other), "{}", planned.text);
}

/// A plan says what would become of whom it means, not a word of whom it does not mean, and nothing is otherwise after it.
async fn planned(world: &World, body: &Json) -> u16 {
    quiet(world).await;
    let before = everything(world).await;
    let planned = world.plan(body).await;
    let name = |of: &Json| of["given_name"].as_str().unwrap().to_lowercase();
    let meant = before.0.iter().find(|customer| name(customer) == name(body));
    let own = meant.map_or(&Json::Null, |customer| &customer["id"]);
    assert_eq!(&planned.body["customer_id"], own, "{}", planned.text);
    for other in before.0.iter().filter(|customer| name(customer) != name(body)) {
        assert!(!names(&planned.text, &name(other)), "{}", planned.text);
        told_only_as_in_the_way(&planned, other["id"].as_str().unwrap());
    }
    assert_eq!(everything(world).await, before);
    planned.status
}

/// Waits for the deliveries to Rotor: nobody waited for them, since Rotor is not required here.
async fn quiet(world: &World) {
    let open = "/v1/deliveries?state=pending,in_flight,retrying,waiting";
    let nothing = |answered: &Answered| answered.body["data"] == json!([]);
    world.until(open, std::time::Duration::from_secs(20), nothing).await;
}

/// Whether a text has the name of one of them, by itself or in an e-mail. (An id may spell "ann" by chance.)
fn names(text: &str, name: &str) -> bool {
    let text = text.to_lowercase();
    text.contains(&format!("\"{name}\"")) || text.contains(&format!("{name}@"))
}

/// Every customer, every upsert, every record of a vendor and how many writes it was sent.
async fn everything(world: &World) -> (Vec<Json>, Vec<Json>, Vec<String>) {
    let upserts = world.get("/v1/upserts?limit=200").await;
    let ids = upserts.body["data"].as_array().unwrap().iter();
    let ids = ids.map(|upsert| upsert["upsert_id"].clone()).collect();
    let vendors = [&world.rotor, &world.wallet, &world.april].map(|vendor| {
        let writes = vendor.journal().counts().writes;
        format!("{writes} {:?}", vendor.records())
    });
    (customers(world).await, ids, vendors.to_vec())
}

async fn raw(world: &World, path: &str, kind: &str, body: String, headers: &[(&str, &str)]) -> Answered {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's own client, not the gateway's transport"
    )]
    let client = reqwest::Client::new();
    let mut sending = client
        .post(format!("{}{path}", world.url()))
        .header("authorization", format!("Bearer {}", upsert_tests::KEY))
        .header("content-type", kind)
        .body(body);
    for (name, value) in headers {
        sending = sending.header(*name, *value);
    }
    let response = sending.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    Answered {
        status,
        headers,
        body: serde_json::from_str(&text).unwrap_or(Json::Null),
        text,
    }
}

async fn hook(world: &World, event: &Json) -> Answered {
    #[expect(clippy::disallowed_methods, reason = "the sender's clock is the machine's")]
    let at = Timestamp::now().as_second();
    let (id, body) = (event["id"].as_str().unwrap(), event.to_string());
    let signature = Webhook::new(HOOK_SECRET)
        .unwrap()
        .sign(id, at, body.as_bytes())
        .unwrap();
    let at = at.to_string();
    let headers = [
        ("webhook-id", id),
        ("webhook-timestamp", at.as_str()),
        ("webhook-signature", signature.as_str()),
    ];
    raw(world, "/v1/webhooks/acme/shop", "application/json", body, &headers).await
}

/// Whatever a vendor has of one of them is that one's alone.
fn nobody_has_anothers_data(world: &World) {
    for vendor in [&world.rotor, &world.wallet, &world.april] {
        for record in vendor.records() {
            let shown = format!("{:?}", record.fields);
            let (is_anns, is_bobs) = (names(&shown, "ann"), names(&shown, "bob"));
            assert!(!(is_anns && is_bobs), "a record of both: {shown}");
        }
    }
}

async fn customers(world: &World) -> Vec<Json> {
    let listed = world.get("/v1/customers").await;
    listed.body["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_with_one_phone_and_two_emails_stay_two_in_every_order_and_on_every_way_in() {
    let world = world().await;
    let mut number = 0;
    for first in WAYS {
        for second in WAYS {
            for (one, other) in [(ann as fn(&str) -> Json, bob as fn(&str) -> Json), (bob, ann)] {
                // Who comes first, who comes second, and both again.
                for (way, body) in [
                    (first, one("1")),
                    (second, other("2")),
                    (second, one("3")),
                    (first, other("4")),
                ] {
                    number += 1;
                    let status = bring(&world, way, &body, number).await;
                    assert!((200..300).contains(&status), "{way:?} {body}: {status}");
                }
            }
        }
    }
    let known = customers(&world).await;
    assert_eq!(known.len(), 2, "{known:?}");
    for customer in &known {
        let name = customer["given_name"].as_str().unwrap().to_lowercase();
        assert_eq!(customer["email"], format!("{name}@x.example"));
        let history = world
            .get(&format!("/v1/customers/{}/history", customer["id"].as_str().unwrap()))
            .await;
        let other = if name == "ann" { "bob" } else { "ann" };
        assert!(!names(&history.text, other), "{}", history.text);
    }
    nobody_has_anothers_data(&world);
    assert_eq!(world.april.records().len(), 2, "April knows people by e-mail");
    assert_eq!(
        world.rotor.records().len(),
        1,
        "Rotor would take one for the other, so it has one"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_would_mix_them_up_refuses_and_the_answer_names_whom_to_mean() {
    let world = World::with(Plan {
        only: vec!["rotor"],
        ..Plan::default()
    })
    .await;
    let made = world.upsert(&ann("1")).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let planned = world.plan(&bob("2")).await;
    assert_eq!(planned.body["customer_id"], Json::Null, "{}", planned.text);
    let refused = world.upsert(&bob("2")).await;
    assert_eq!(
        (refused.status, refused.code()),
        (409, "match_key_collision"),
        "{}",
        refused.text
    );
    let expected = json!([{ "customer_id": made.customer_id(), "pointer": "/phone", "connection": "rotor" }]);
    assert_eq!(refused.body["conflicts"], expected);
    assert!(
        refused.body["detail"].as_str().unwrap().contains("`id`"),
        "{}",
        refused.text
    );
    // Ann has another e-mail now, and her caller says that it is she.
    let mut meant = bob("2");
    meant["id"] = json!(made.customer_id());
    assert_eq!(world.upsert(&meant).await.status, 200);
    assert_eq!(world.rotor.records().len(), 1);
    assert_eq!(customers(&world).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn placeholders_find_nobody_and_no_vendor_that_matches_by_them_gets_them() {
    let world = world().await;
    for (number, phone) in ["9999999999", "000-000-0000", "+11111111111"].into_iter().enumerate() {
        let mut made = Vec::new();
        for who in ["ann", "bob"] {
            let body = json!({ "email": format!("{who}{number}@x.example"), "phone": phone, "given_name": who,
                "family_name": "Lee" });
            let answered = world.upsert(&body).await;
            assert_eq!(answered.status, 201, "{phone}: {}", answered.text);
            let warnings = answered.delivery("rotor")["warnings"].to_string();
            assert!(warnings.contains("\"placeholder\""), "{phone}: {warnings}");
            // Rotor is not waited for here.
            let upsert = format!("/v1/upserts/{}", answered.body["upsert_id"].as_str().unwrap());
            let has_it = |answered: &Answered| answered.delivery("rotor")["state"] == "succeeded";
            world.until(&upsert, std::time::Duration::from_secs(20), has_it).await;
            made.push(answered.body["customer"]["phone"].as_str().unwrap().to_owned());
            let alone = world.upsert(&json!({ "phone": phone, "given_name": "Nobody" })).await;
            assert_eq!(alone.status, 422, "{phone}: {}", alone.text);
            assert_eq!(alone.body["errors"][0]["code"], "identifier_missing", "{}", alone.text);
        }
        let found = world
            .get(&format!("/v1/customers?phone={}", made[0].replace('+', "%2B")))
            .await;
        assert_eq!(found.body["data"], json!([]), "{phone} is looked up by nobody");
    }
    assert_eq!(customers(&world).await.len(), 6);
    let has_phone = |record: &Record| record.fields.get("phone").is_some_and(|phone| !phone.is_null());
    assert!(!world.rotor.records().iter().any(has_phone));
    let with_phones = world.april.records();
    assert!(
        with_phones
            .iter()
            .all(|record| format!("{:?}", record.fields).contains("+1")),
        "April does not match by it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_email_is_refused_by_who_matches_by_it_and_needs_it() {
    let world = World::with(Plan {
        only: vec!["april"],
        merchant: "never_match = { email = [\"*@example.invalid\"] }".to_owned(),
        ..Plan::default()
    })
    .await;
    let body = json!({ "reference": "R", "email": "none@example.invalid", "phone": PHONE, "given_name": "A", "family_name": "B" });
    let refused = world.upsert(&body).await;
    assert_eq!(
        (refused.status, refused.code()),
        (422, "validation_failed"),
        "{}",
        refused.text
    );
    assert_eq!(refused.body["errors"][0]["pointer"], "/email");
    let detail = refused.body["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("placeholder"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_record_is_adopted_and_the_next_call_goes_by_its_id() {
    let world = world().await;
    // Somebody made these at the vendors, with other keys than the customer has here.
    let made = world
        .upsert(
            &json!({ "reference": "old", "email": "old@x.example", "phone": "+12025550100", "given_name": "Old",
            "family_name": "Lee" }),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let old = made.customer_id();
    // Rotor is not waited for.
    let upsert = format!("/v1/upserts/{}", made.body["upsert_id"].as_str().unwrap());
    let has_rotor = |upsert: &Answered| upsert.delivery("rotor")["state"] == "succeeded";
    world.until(&upsert, Duration::from_secs(20), has_rotor).await;
    let (rotor, wallet) = (world.rotor.records()[0].id.clone(), "old");
    for connection in ["rotor", "wallet"] {
        let path = format!("/v1/customers/{old}/links/{connection}/unlink");
        assert_eq!(world.send(Method::POST, &path, None, &[]).await.status, 200);
    }
    let body = json!({ "reference": "new", "email": "new@x.example", "phone": PHONE, "given_name": "New",
        "family_name": "Lee", "links": { "rotor": rotor, "wallet": wallet } });
    // add-update would know the old customer by that key, which stays reserved.
    let refused = world.upsert(&body).await;
    assert_eq!(
        (refused.status, refused.code()),
        (409, "match_key_collision"),
        "{}",
        refused.text
    );
    let body = json!({ "reference": "new", "email": "new@x.example", "phone": PHONE, "given_name": "New",
        "family_name": "Lee", "links": { "rotor": rotor, "wallet": "theirs-7" } });
    let planned = world.plan(&body).await;
    let row = &planned.body["connections"][0];
    assert_eq!(
        (&row["action"], &row["match_key"]["value"]),
        (&json!("update"), &json!(rotor)),
        "{}",
        planned.text
    );
    let adopted = world.upsert(&body).await;
    assert_eq!(adopted.status, 201, "{}", adopted.text);
    assert_eq!(adopted.delivery("rotor")["matched_by"], "id");
    assert_eq!(
        world.rotor.records().len(),
        1,
        "the record that was there is the customer's now"
    );
    assert_eq!(world.rotor.records()[0].fields["first_name"], "New");
    assert_eq!(adopted.delivery("wallet")["provider_customer_id"], "theirs-7");
    let id = adopted.customer_id();
    let shown = world.get(&format!("/v1/customers/{id}")).await;
    let links = shown.body["links"].to_string();
    assert!(links.contains(&rotor) && links.contains("theirs-7"), "{links}");
    let history = world.get(&format!("/v1/customers/{id}/history")).await;
    assert!(history.text.contains("/links/rotor"), "{}", history.text);
    // The same links again are none, and the key is kept.
    let again = world.upsert(&body).await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert_eq!(again.body["customer"]["version"], 1);
    let renamed = world.upsert(&json!({ "id": id, "reference": "newer" })).await;
    assert_eq!(
        renamed.delivery("wallet")["provider_customer_id"],
        "theirs-7",
        "{}",
        renamed.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_link_there_or_anothers_record_is_a_link_conflict() {
    let world = World::with(Plan {
        only: vec!["rotor"],
        ..Plan::default()
    })
    .await;
    let ann = world
        .upsert(&json!({ "email": "ann@x.example", "given_name": "Ann" }))
        .await;
    let bob = world
        .upsert(&json!({ "email": "bob@x.example", "given_name": "Bob" }))
        .await;
    let of = |made: &Answered| {
        made.delivery("rotor")["provider_customer_id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let conflict = |answered: &Answered, who: &[&Answered]| {
        assert_eq!(
            (answered.status, answered.code()),
            (409, "link_conflict"),
            "{}",
            answered.text
        );
        let named: Vec<Json> = who
            .iter()
            .map(|made| json!({ "customer_id": made.customer_id(), "pointer": "/links/rotor", "connection": "rotor" }))
            .collect();
        assert_eq!(answered.body["conflicts"], json!(named));
    };
    let fresh = "00000000-0000-4000-8000-000000000000";
    conflict(
        &world
            .upsert(&json!({ "email": "ann@x.example", "links": { "rotor": fresh } }))
            .await,
        &[&ann],
    );
    conflict(
        &world
            .upsert(&json!({ "email": "new@x.example", "links": { "rotor": of(&ann) } }))
            .await,
        &[&ann],
    );
    conflict(
        &world
            .plan(&json!({ "email": "new@x.example", "links": { "rotor": of(&ann) } }))
            .await,
        &[&ann],
    );
    let both = world
        .upsert(&json!({ "email": "ann@x.example", "links": { "rotor": of(&bob) } }))
        .await;
    conflict(&both, &[&bob, &ann]);
    let same = world
        .upsert(&json!({ "email": "ann@x.example", "links": { "rotor": of(&ann) } }))
        .await;
    assert_eq!(same.status, 200, "{}", same.text);
    let unknown = world
        .upsert(&json!({ "email": "ann@x.example", "links": { "nowhere": "1" } }))
        .await;
    assert_eq!(unknown.status, 422);
    assert_eq!(unknown.body["errors"][0]["pointer"], "/links/nowhere");
    let alone = world.upsert(&json!({ "links": { "rotor": fresh } })).await;
    assert_eq!(
        alone.body["errors"][0]["code"], "identifier_missing",
        "a link says whose record it is, not who is meant"
    );
    assert_eq!(customers(&world).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adopted_id_that_the_vendor_does_not_know_is_given_up_with_what_was_refused() {
    let world = World::with(Plan {
        only: vec!["rotor"],
        ..Plan::default()
    })
    .await;
    let gone = "00000000-0000-4000-8000-000000000000";
    let refused = world
        .upsert(&json!({ "email": "new@x.example", "given_name": "N", "links": { "rotor": gone } }))
        .await;
    assert_eq!(
        (refused.status, refused.code()),
        (422, "provider_rejected"),
        "{}",
        refused.text
    );
    assert_eq!(refused.delivery("rotor")["error"]["code"], "link_stale");
    assert_eq!(
        customers(&world).await.len(),
        0,
        "a new customer that all refuse is gone, and so is its link"
    );
    let known = world
        .upsert(&json!({ "email": "ann@x.example", "given_name": "Ann" }))
        .await;
    let id = known.customer_id();
    let path = format!("/v1/customers/{id}/links/rotor/unlink");
    assert_eq!(world.send(Method::POST, &path, None, &[]).await.status, 200);
    let refused = world.upsert(&json!({ "id": id, "links": { "rotor": gone } })).await;
    assert_eq!(refused.body["rolled_back"], true, "{}", refused.text);
    let right = known.delivery("rotor")["provider_customer_id"].clone();
    let adopted = world.upsert(&json!({ "id": id, "links": { "rotor": right } })).await;
    assert_eq!(adopted.status, 200, "{}", adopted.text);
    assert_eq!(adopted.delivery("rotor")["outcome"], "updated");
    let shown = world.get(&format!("/v1/customers/{id}")).await;
    assert_eq!(shown.body["links"][0]["provider_customer_id"], right);
}

#[tokio::test(flavor = "multi_thread")]
async fn april_takes_no_id_so_its_answer_is_held_against_the_adopted_one() {
    let world = World::with(Plan {
        only: vec!["april"],
        ..Plan::default()
    })
    .await;
    let body = |link: &str| {
        json!({ "email": "ann@x.example", "phone": PHONE, "given_name": "Ann", "family_name": "Lee",
        "links": { "april": link } })
    };
    let other = world.upsert(&body("not-that-one")).await;
    assert_eq!((other.status, other.code()), (502, "provider_failed"), "{}", other.text);
    assert_eq!(other.delivery("april")["error"]["code"], "other_record");
    let warnings = other.delivery("april")["warnings"].to_string();
    assert!(warnings.contains("link_is_checked_afterwards"), "{warnings}");
    let theirs = world.april.records()[0].id.clone();
    let id = other.customer_id();
    let path = format!("/v1/customers/{id}/links/april/unlink");
    assert_eq!(world.send(Method::POST, &path, None, &[]).await.status, 200);
    let right = world.upsert(&body(&theirs)).await;
    assert_eq!(right.status, 200, "{}", right.text);
    assert_eq!(right.delivery("april")["provider_customer_id"], theirs);
}

const LENIENT: &[(&str, &str)] = &[("prefer", "respond-later, handling=lenient")];

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_left_out_where_that_is_asked_for_and_is_told_wherever_the_upsert_is() {
    let world = World::with(Plan {
        only: vec!["wallet"],
        ..Plan::default()
    })
    .await;
    let body = json!({ "reference": "L", "given_name": "Lee", "email": "garbage", "phone": "030 123456 privat",
        "addresses": { "billing": { "country": "Atlantis" } } });
    assert_eq!(world.upsert(&body).await.status, 422, "strict is what nobody asks for");
    let strict = world.upsert_with(&body, &[("prefer", "handling=strict")]).await;
    assert_eq!(
        (strict.status, strict.body["errors"].as_array().unwrap().len()),
        (422, 3),
        "{}",
        strict.text
    );

    let planned = world
        .send(Method::POST, "/v1/customers/plan", Some(&body), LENIENT)
        .await;
    assert_eq!(planned.status, 200, "{}", planned.text);
    assert_eq!(planned.header("preference-applied"), Some("handling=lenient"));
    let mut keyed = LENIENT.to_vec();
    keyed.push(("idempotency-key", "k1"));
    let done = world.upsert_with(&body, &keyed).await;
    assert_eq!(done.status, 201, "{}", done.text);
    assert_eq!(done.header("preference-applied"), Some("handling=lenient"));
    let ignored = done.body["ignored"].clone();
    assert_eq!(planned.body["ignored"], ignored);
    let told: Vec<(&str, &str)> = ignored
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["pointer"].as_str().unwrap(), one["code"].as_str().unwrap()))
        .collect();
    let mut sorted = told.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            ("/addresses/billing/country", "invalid_country"),
            ("/email", "invalid_email"),
            ("/phone", "invalid_phone"),
        ]
    );
    // The key's request was the same whatever its preferences: it is answered as it was.
    let again = world
        .upsert_with(&body, &[("idempotency-key", "k1"), ("prefer", "handling=strict")])
        .await;
    assert_eq!(
        (again.status, &again.body["ignored"]),
        (201, &ignored),
        "{}",
        again.text
    );
    let upsert = done.body["upsert_id"].as_str().unwrap();
    assert_eq!(
        world.get(&format!("/v1/upserts/{upsert}")).await.body["ignored"],
        ignored
    );
    let history = world
        .get(&format!("/v1/customers/{}/history", done.customer_id()))
        .await;
    assert_eq!(history.body["data"][0]["ignored"], ignored);
    assert_eq!(world.get("/v1/upserts").await.body["data"][0]["ignored"], ignored);

    let mut asynchronous = body.clone();
    asynchronous["notes"] = json!("more");
    let both = [("prefer", "respond-async"), ("prefer", "Handling=\"lenient\"")];
    let accepted = world.upsert_with(&asynchronous, &both).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    assert_eq!(
        accepted.header("preference-applied"),
        Some("respond-async, handling=lenient")
    );
    assert_eq!(accepted.body["ignored"], ignored);
    assert_eq!(accepted.body["customer"]["email"], Json::Null);
    let metrics = world.get("/metrics").await;
    let counted = metrics
        .text
        .lines()
        .find(|line| line.starts_with("upsert_gateway_ignored_total") && line.contains("invalid_phone"));
    assert!(counted.is_some_and(|line| line.ends_with(" 2")), "{counted:?}");
    let understood = world.upsert(&json!({ "reference": "L", "notes": "fine" })).await;
    assert_eq!(understood.body["ignored"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preference_holds_for_every_line_of_a_batch_and_keeps_their_order() {
    let world = World::with(Plan {
        only: vec!["wallet"],
        ..Plan::default()
    })
    .await;
    let line = |number: usize| json!({ "reference": "same", "given_name": "Lee", "notes": number.to_string(), "phone": "privat" });
    let lines: Vec<String> = (1..=20).map(|number| line(number).to_string()).collect();
    let path = "/v1/customers/batch";
    let answered = raw(
        &world,
        path,
        "application/x-ndjson",
        lines.join("\n"),
        &[("prefer", "handling=lenient")],
    )
    .await;
    assert_eq!(answered.status, 200, "{}", answered.text);
    assert_eq!(answered.header("preference-applied"), Some("handling=lenient"));
    let told: Vec<Json> = answered
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(told.len(), 20);
    assert!(
        told.iter().all(|line| line["ignored"][0]["pointer"] == "/phone"),
        "{}",
        answered.text
    );
    let customer = &world.get("/v1/customers?reference=same").await.body["data"][0];
    assert_eq!((&customer["notes"], &customer["version"]), (&json!("20"), &json!(20)));
    let strict = raw(&world, path, "application/x-ndjson", lines.join("\n"), &[]).await;
    assert_eq!(strict.text.matches("invalid_phone").count(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_identifier_is_never_replaced_by_a_weaker_one() {
    let world = world().await;
    let made = world.upsert(&ann("1")).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let refused = world
        .upsert_with(
            &json!({ "email": "garbage", "phone": PHONE, "given_name": "Bob" }),
            LENIENT,
        )
        .await;
    assert_eq!(
        (refused.status, refused.code()),
        (422, "validation_failed"),
        "{}",
        refused.text
    );
    let named = json!({ "id": made.customer_id(), "email": "garbage", "notes": "2" });
    let kept = world.upsert_with(&named, LENIENT).await;
    assert_eq!(kept.body["customer"]["email"], "ann@x.example", "{}", kept.text);
    assert_eq!(kept.body["ignored"][0]["pointer"], "/email");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_says_whose_delivery_it_takes_it_for_and_is_refused_for_another() {
    let world = World::with(Plan {
        only: vec!["rotor"],
        ..Plan::default()
    })
    .await;
    let other = world
        .upsert(&json!({ "email": "bob@x.example", "given_name": "Bob" }))
        .await;
    let ann = world
        .upsert(&json!({ "email": "ann@x.example", "given_name": "Ann" }))
        .await;
    let right = ann.delivery("rotor")["provider_customer_id"].clone();
    let path = format!("/v1/customers/{}/links/rotor/unlink", ann.customer_id());
    assert_eq!(world.send(Method::POST, &path, None, &[]).await.status, 200);
    world.rotor.faults().add(Fault::once(Effect::Answer(Answer::new(422))));
    let failed = world
        .upsert(&json!({ "id": ann.customer_id(), "notes": "n", "links": { "rotor": right } }))
        .await;
    let path = format!(
        "/v1/deliveries/{}/replay",
        failed.delivery("rotor")["id"].as_str().unwrap()
    );
    let wrong = world
        .send(
            Method::POST,
            &path,
            Some(&json!({ "customer_id": other.customer_id() })),
            &[],
        )
        .await;
    assert_eq!(
        (wrong.status, &wrong.body["errors"][0]["code"]),
        (422, &json!("other_customer")),
        "{}",
        wrong.text
    );
    let odd = world
        .send(Method::POST, &path, Some(&json!({ "customer": "x" })), &[])
        .await;
    assert_eq!(odd.body["errors"][0]["pointer"], "/customer");
    let right = world
        .send(
            Method::POST,
            &path,
            Some(&json!({ "customer_id": ann.customer_id() })),
            &[],
        )
        .await;
    assert_eq!(right.status, 202, "{}", right.text);
}
