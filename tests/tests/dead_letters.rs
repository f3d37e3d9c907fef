//! Deliveries that failed for good: seen with the vendor's words, replayed, discarded, one or all that match.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value as Json, json};
use upsert_simulators::{Answer, Effect, Fault};
use upsert_tests::{Answered, Plan, Vendored, World};

const PATIENCE: Duration = Duration::from_secs(20);

fn ann() -> Json {
    json!({ "reference": "ann", "given_name": "Ann", "family_name": "Lee", "email": "ann@x.example", "phone": "2025550123" })
}

fn customer(number: u32) -> Json {
    json!({ "reference": format!("c{number}"), "given_name": "Ann", "family_name": "Lee", "email": format!("c{number}@x.example"), "phone": format!("202555{:04}", 1000 + number) })
}

fn refuses(body: &'static str) -> Fault {
    Fault::once(Effect::Answer(Answer::new(400).body(body)))
}

async fn post(world: &World, path: &str, body: Option<&Json>) -> Answered {
    world.send(Method::POST, path, body, &[]).await
}

async fn failed(world: &World) -> Vec<Json> {
    let page = world.get("/v1/deliveries?state=failed&limit=200").await;
    assert_eq!(page.status, 200, "{}", page.text);
    page.body["data"].as_array().unwrap().clone()
}

/// The body of the last call that the vendor took in.
fn last_body(vendor: &Vendored) -> Json {
    let entries = vendor.journal().entries();
    let last = entries.last().unwrap();
    serde_json::from_str(&last.body).unwrap()
}

async fn until_succeeded(world: &World, replayed: &Answered) -> Answered {
    assert_eq!(replayed.status, 202, "{}", replayed.text);
    let location = replayed.header("location").unwrap().to_owned();
    let is_done = |upsert: &Answered| upsert.body["state"] == "succeeded";
    world.until(&location, PATIENCE, is_done).await
}

#[tokio::test]
async fn a_rejected_delivery_is_seen_with_the_vendors_words_and_replayed_once_the_vendor_is_mended() {
    let world = World::start().await;
    let words = r#"{"status":"error","message":"Validation failed","errors":[{"field":"email","message":"Invalid email format"}]}"#;
    world.rotor.faults().add(refuses(words));
    let key = [("Idempotency-Key", "once")];
    let refused = world.upsert_with(&ann(), &key).await;
    assert_eq!(refused.status, 422, "{}", refused.text);

    let seen = failed(&world).await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    let dead = &seen[0];
    assert_eq!(dead["connection"], "rotor");
    assert_eq!(dead["merchant_id"], "acme");
    assert_eq!(dead["customer_id"], refused.body["customer"]["id"]);
    assert_eq!(dead["upsert_id"], refused.body["upsert_id"]);
    assert_eq!(dead["error"]["errors"][0]["detail"], "Invalid email format");
    assert_eq!(dead["error"]["errors"][0]["pointer"], "/email");
    let id = dead["id"].as_str().unwrap();
    let one = world.get(&format!("/v1/deliveries/{id}")).await;
    assert_eq!(one.body["attempt_log"][0]["result"], "rejected");
    assert_eq!(one.body["attempt_log"][0]["vendor_status"], 400);

    let replayed = post(&world, &format!("/v1/deliveries/{id}/replay"), None).await;
    let done = until_succeeded(&world, &replayed).await;
    assert_eq!(done.delivery("rotor")["outcome"], "created");
    assert_eq!(done.body["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!(world.rotor.records().len(), 1);
    assert_eq!(failed(&world).await, Vec::<Json>::new());
    let old = world.get(&format!("/v1/deliveries/{id}")).await;
    assert_eq!(old.body["state"], "superseded");
    assert_eq!(old.body["superseded_by"], done.delivery("rotor")["id"]);
    let again = world.upsert_with(&ann(), &key).await;
    assert_eq!(
        (again.status, &again.text),
        (422, &refused.text),
        "the stored answer stays as it was"
    );
}

#[tokio::test]
async fn of_two_replays_at_once_one_is_done_and_the_vendor_is_called_once() {
    let world = World::start().await;
    world.rotor.faults().add(refuses("{}"));
    world.upsert(&ann()).await;
    let path = format!(
        "/v1/deliveries/{}/replay",
        failed(&world).await[0]["id"].as_str().unwrap()
    );
    let calls = world.rotor.journal().counts().received;
    let (one, other) = tokio::join!(post(&world, &path, None), post(&world, &path, None));
    let (winner, loser) = if one.status == 202 { (one, other) } else { (other, one) };
    until_succeeded(&world, &winner).await;
    assert_eq!(
        (loser.status, loser.code()),
        (422, "validation_failed"),
        "{}",
        loser.text
    );
    assert!(
        loser.body["detail"].as_str().unwrap().contains("newer delivery"),
        "{}",
        loser.text
    );
    assert_eq!(world.rotor.journal().counts().received, calls + 1);
}

#[tokio::test]
async fn what_was_discarded_stays_unsent_over_a_restart_until_it_changes_again() {
    let mut world = World::with(Plan {
        only: vec!["rotor", "wallet"],
        ..Plan::default()
    })
    .await;
    assert_eq!(world.upsert(&ann()).await.status, 201);
    world.wallet.faults().add(refuses("{}"));
    let refused = world
        .upsert(&json!({ "reference": "ann", "family_name": "Leigh" }))
        .await;
    assert_eq!(refused.delivery("wallet")["state"], "failed", "{}", refused.text);

    let id = refused.delivery("wallet")["id"].as_str().unwrap();
    let discarded = post(&world, &format!("/v1/deliveries/{id}/discard"), None).await;
    assert_eq!((discarded.status, &discarded.body["state"]), (200, &json!("discarded")));
    world.restart().await;
    let calls = world.wallet.journal().counts().received;
    let same = world
        .upsert(&json!({ "reference": "ann", "family_name": "Leigh" }))
        .await;
    assert_eq!(same.delivery("wallet")["outcome"], "unchanged", "{}", same.text);
    assert_eq!(world.wallet.journal().counts().received, calls);
    let other = world
        .upsert(&json!({ "reference": "ann", "email": "ann2@x.example" }))
        .await;
    assert_eq!(other.status, 200, "{}", other.text);
    let sent = last_body(&world.wallet);
    assert!(sent.to_string().contains("ann2@x.example"), "{sent}");
    assert!(
        sent.to_string().contains("Lee\""),
        "the last accepted one stands in its place: {sent}"
    );
    world
        .upsert(&json!({ "reference": "ann", "family_name": "Leighton" }))
        .await;
    assert!(last_body(&world.wallet).to_string().contains("Leighton"));
}

#[tokio::test]
async fn a_discarded_change_is_left_out_where_only_changes_are_sent() {
    let world = World::with(Plan {
        only: vec!["rotor", "wallet"],
        ..Plan::default()
    })
    .await;
    assert_eq!(world.upsert(&ann()).await.status, 201);
    world.rotor.faults().add(refuses("{}"));
    let refused = world.upsert(&json!({ "reference": "ann", "given_name": "Anna" })).await;
    let id = refused.delivery("rotor")["id"].as_str().unwrap();
    let path = format!("/v1/deliveries/{id}/discard");
    assert_eq!(post(&world, &path, None).await.status, 200);
    let twice = post(&world, &path, None).await;
    assert_eq!((twice.status, twice.code()), (422, "validation_failed"));
    let link = world.get(&format!("/v1/customers/{}", refused.customer_id())).await;
    let links = link.body["links"].as_array().unwrap();
    let rotor = links.iter().find(|link| link["connection"] == "rotor").unwrap();
    assert_eq!(rotor["state"], "in_sync", "nothing is wanted there that is not there");
    let other = world.upsert(&json!({ "reference": "ann", "notes": "gate code" })).await;
    assert_eq!(other.status, 200, "{}", other.text);
    let sent = last_body(&world.rotor);
    assert!(
        sent.get("first_name").is_none() && sent.to_string().contains("gate code"),
        "{sent}"
    );
    assert_eq!(world.rotor.records()[0].fields["first_name"], "Ann");
}

#[tokio::test]
async fn many_are_paged_without_gaps_counted_and_replayed_by_filter() {
    let world = World::start().await;
    world
        .rotor
        .faults()
        .add(Fault::always(Effect::Answer(Answer::new(422).body("{}"))));
    for number in 0..25 {
        let refused = world.upsert(&customer(number)).await;
        assert_eq!(refused.code(), "provider_rejected", "{}", refused.text);
    }
    let (mut seen, mut path) = (
        Vec::new(),
        "/v1/deliveries?state=failed&connection=rotor&limit=4".to_owned(),
    );
    for page_number in 25.. {
        let page = world.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.text);
        seen.extend(
            page.body["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        let newer = world.upsert(&customer(page_number)).await;
        assert_eq!(newer.code(), "provider_rejected", "one more comes in meanwhile");
        match page.body["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/deliveries?state=failed&connection=rotor&limit=4&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 25);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 25);
    assert!(seen.is_sorted_by(|one, next| one > next), "newest first");

    world.rotor.faults().clear();
    let all = failed(&world).await.len();
    let filter = json!({ "connection": "rotor", "error_kind": "rejected" });
    let mut counting = filter.clone();
    counting["dry_run"] = json!(true);
    let counted = post(&world, "/v1/deliveries/replay", Some(&counting)).await;
    assert_eq!(
        (counted.status, &counted.body["matched"]),
        (202, &json!(all)),
        "{}",
        counted.text
    );
    assert_eq!(failed(&world).await.len(), all, "a dry run does nothing");
    let done = post(&world, "/v1/deliveries/replay", Some(&filter)).await;
    assert_eq!(
        (&done.body["done"], &done.body["more"]),
        (&json!(all), &json!(false)),
        "{}",
        done.text
    );
    let open = "/v1/deliveries?state=pending,in_flight,retrying,waiting";
    world.until(open, PATIENCE, |page| page.body["data"] == json!([])).await;
    assert_eq!(failed(&world).await, Vec::<Json>::new());
    assert_eq!(world.rotor.records().len(), all);
    let unsettled = "/v1/upserts?state=failed,pending&limit=200";
    world
        .until(unsettled, PATIENCE, |page| page.body["data"] == json!([]))
        .await;
    let upserts = world.get("/v1/upserts?state=succeeded&limit=200").await;
    assert_eq!(
        upserts.body["data"].as_array().unwrap().len(),
        2 * all,
        "those that failed at first, and one replay for each"
    );
}

#[tokio::test]
async fn no_more_is_done_than_was_counted_whatever_has_failed_since() {
    let world = World::with(Plan {
        only: vec!["rotor"],
        ..Plan::default()
    })
    .await;
    let refuses = Effect::Answer(Answer::new(400).body("{}"));
    world.rotor.faults().add(Fault::always(refuses));
    assert_eq!(world.upsert(&customer(1)).await.status, 422);
    let pause = post(&world, "/v1/connections/acme/rotor/pause", None).await;
    assert_eq!(pause.status, 200, "{}", pause.text);
    let waits = world.upsert_with(&customer(2), &[("Prefer", "respond-async")]).await;
    assert_eq!(waits.status, 202, "{}", waits.text);

    let filter = json!({ "connection": "rotor", "dry_run": true });
    let counted = post(&world, "/v1/deliveries/discard", Some(&filter)).await;
    assert_eq!(counted.body["matched"], 1, "{}", counted.text);
    post(&world, "/v1/connections/acme/rotor/resume", None).await;
    let failed_since = |page: &Answered| page.body["data"].as_array().unwrap().len() == 2;
    world.until("/v1/deliveries?state=failed", PATIENCE, failed_since).await;
    assert_eq!(world.upsert(&customer(3)).await.status, 422);

    let confirmed = json!({ "connection": "rotor", "counted_at": counted.body["counted_at"] });
    let done = post(&world, "/v1/deliveries/discard", Some(&confirmed)).await;
    assert_eq!(
        (&done.body["matched"], &done.body["done"]),
        (&json!(1), &json!(1)),
        "{}",
        done.text
    );
    assert_eq!(failed(&world).await.len(), 2);

    for (body, pointer, code) in [
        (
            json!({ "connection": "rotor", "counted_at": "now" }),
            "/counted_at",
            "invalid_time",
        ),
        (
            json!({ "connection": "rotor", "counted_at": 5 }),
            "/counted_at",
            "invalid_type",
        ),
        (
            json!({ "connection": "rotor", "counted_at": "2026-11-21T00:00:00Z", "dry_run": true }),
            "/counted_at",
            "contradiction",
        ),
    ] {
        let refused = post(&world, "/v1/deliveries/discard", Some(&body)).await;
        assert_eq!(refused.status, 422, "{}", refused.text);
        let error = &refused.body["errors"][0];
        assert_eq!((&error["pointer"], &error["code"]), (&json!(pointer), &json!(code)));
    }
}

#[tokio::test]
async fn what_nobody_knows_is_refused_with_what_is_known() {
    let world = World::start().await;
    for (path, code, known) in [
        (
            "/v1/deliveries?state=fialed",
            "invalid_value",
            "retrying, waiting, superseded, failed",
        ),
        (
            "/v1/deliveries?error_kind=bad",
            "invalid_value",
            "rejected, unauthorised",
        ),
        (
            "/v1/deliveries?waiting_for=godot",
            "invalid_value",
            "breaker, predecessor",
        ),
        (
            "/v1/deliveries?status=failed",
            "unknown_parameter",
            "error_code, waiting_for",
        ),
        ("/v1/deliveries?cursor=x", "invalid_cursor", ""),
        ("/v1/deliveries?since=today", "invalid_time", ""),
        ("/v1/upserts?state=done", "invalid_value", "partially_failed"),
        ("/v1/upserts?error_kind=rejected", "unknown_parameter", "customer_id"),
        ("/v1/upserts?customer_id=ann", "invalid_id", "cus_"),
        ("/v1/deliveries?connection=rotr", "unknown_value", "no such connection"),
        ("/v1/upserts?connection=rotr", "unknown_value", "no such connection"),
        ("/v1/events/in?source=shpify", "unknown_value", "no such source"),
        ("/v1/events/out?endpoint=hoks", "unknown_value", "no such endpoint"),
    ] {
        let refused = world.get(path).await;
        assert_eq!((refused.status, refused.code()), (400, "invalid_query"), "{path}");
        let error = &refused.body["errors"][0];
        assert_eq!(error["code"], code, "{path}");
        assert!(error["detail"].as_str().unwrap().contains(known), "{path}: {error}");
    }
    let typo = json!({ "conection": "rotor" });
    let refused = post(&world, "/v1/deliveries/discard", Some(&typo)).await;
    assert_eq!((refused.status, refused.code()), (422, "validation_failed"));
    assert_eq!(refused.body["errors"][0]["pointer"], "/conection");
    for path in [
        "/v1/deliveries/dlv_00000000000000000000000000",
        "/v1/deliveries/nonsense",
    ] {
        assert_eq!(world.get(path).await.status, 404);
    }
}
