//! Rotor's upsert, against seeds 000 to 002.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use upsert_simulators::{RotorKey, SimulatorOptions, Vendor};

use crate::desk::{Desk, answer, client};

/// The sample of S1 without what the vendor adds.
fn sample() -> Value {
    json!({
        "billing_city": "billing_city",
        "billing_country": "billing_country",
        "billing_same_as_property": true,
        "billing_state": "billing_state",
        "billing_street1": "billing_street1",
        "billing_street2": "billing_street2",
        "billing_zip": "billing_zip",
        "company_name": "company_name",
        "email": "dev@stainless.com",
        "first_name": "first_name",
        "last_name": "last_name",
        "notes": "notes",
        "phone": "phone",
        "property_city": "property_city",
        "property_country": "property_country",
        "property_state": "property_state",
        "property_street1": "property_street1",
        "property_street2": "property_street2",
        "property_zip": "property_zip",
        "service_frequency": "service_frequency",
        "service_type": "service_type",
        "source": "source",
        "status": "active",
        "tags": ["string"]
    })
}

/// The one problem of a 400.
fn problem(body: &Value) -> (&str, &str) {
    assert_eq!(
        (&body["status"], &body["message"]),
        (&json!("error"), &json!("Validation failed"))
    );
    assert_eq!(body["errors"].as_array().unwrap().len(), 1, "{body}");
    (
        body["errors"][0]["field"].as_str().unwrap(),
        body["errors"][0]["message"].as_str().unwrap(),
    )
}

#[tokio::test]
async fn the_sample_of_the_page_is_answered_with_itself_an_id_a_stamp_and_created() {
    let desk = Desk::start(Vendor::Rotor);
    let (status, mut body) = desk.upsert(&sample()).await;
    assert_eq!(status, 201);
    assert_eq!(body["message"], "Customer created successfully");
    assert!(uuid::Uuid::try_parse(body["id"].as_str().unwrap()).is_ok());
    let stamp = body["created_at"].as_str().unwrap();
    assert_eq!(stamp.len(), "2019-12-27T18:11:19.117Z".len());
    assert!(stamp.parse::<Timestamp>().is_ok());
    for added in ["id", "created_at", "message"] {
        body.as_object_mut().unwrap().remove(added);
    }
    assert_eq!(body, sample());
}

#[tokio::test]
async fn a_second_write_updates_with_200_and_keeps_what_it_does_not_name() {
    let desk = Desk::start(Vendor::Rotor);
    let (_, first) = desk
        .upsert(&json!({"phone": "+15550100", "first_name": "Ann", "notes": "gate code"}))
        .await;
    let (status, second) = desk.upsert(&json!({"phone": "+15550100", "first_name": "Anna"})).await;
    assert_eq!(
        (status, &second["message"]),
        (200, &json!("Customer updated successfully"))
    );
    assert_eq!(second["id"], first["id"]);
    assert_eq!(second["created_at"], first["created_at"]);
    assert_eq!(
        (&second["first_name"], &second["notes"]),
        (&json!("Anna"), &json!("gate code"))
    );
    assert_eq!(second["last_name"], Value::Null, "unset fields are there, as null");
}

#[tokio::test]
async fn the_phone_wins_over_the_email() {
    let desk = Desk::start(Vendor::Rotor);
    let (_, by_phone) = desk.upsert(&json!({"phone": "+1"})).await;
    let (_, by_email) = desk.upsert(&json!({"email": "ann@example.com"})).await;
    let (_, both) = desk.upsert(&json!({"phone": "+1", "email": "ann@example.com"})).await;
    assert_eq!(both["id"], by_phone["id"]);
    let (status, email_only) = desk.upsert(&json!({"phone": "+2", "email": "ann@example.com"})).await;
    assert_eq!(status, 200);
    let ids = [&by_phone["id"], &by_email["id"]];
    assert_eq!(
        &email_only["id"], ids[0],
        "of two records with one email the oldest is found"
    );
}

#[tokio::test]
async fn the_id_wins_over_phone_and_email() {
    let desk = Desk::start(Vendor::Rotor);
    let (_, ann) = desk.upsert(&json!({"phone": "+1"})).await;
    let (_, bob) = desk.upsert(&json!({"phone": "+2"})).await;
    let (status, answer) = desk
        .upsert(&json!({"id": ann["id"], "phone": "+2", "first_name": "Ann"}))
        .await;
    assert_eq!((status, &answer["id"]), (200, &ann["id"]));
    assert_ne!(answer["id"], bob["id"]);
}

#[tokio::test]
async fn keys_match_by_their_exact_text() {
    let desk = Desk::start(Vendor::Rotor);
    desk.upsert(&json!({"phone": "+17635550100", "email": "ann@example.com"}))
        .await;
    assert_eq!(desk.upsert(&json!({"phone": "(763) 555-0100"})).await.0, 201);
    assert_eq!(desk.upsert(&json!({"email": "Ann@example.com"})).await.0, 201);
}

#[tokio::test]
async fn an_updated_phone_is_found_and_the_old_one_is_not() {
    let desk = Desk::start(Vendor::Rotor);
    let (_, ann) = desk.upsert(&json!({"phone": "+1", "email": "ann@example.com"})).await;
    desk.upsert(&json!({"id": ann["id"], "phone": "+2"})).await;
    assert_eq!(desk.upsert(&json!({"phone": "+2"})).await.1["id"], ann["id"]);
    assert_eq!(desk.upsert(&json!({"phone": "+1"})).await.0, 201);
}

#[tokio::test]
async fn an_unknown_id_is_404_and_one_that_is_no_uuid_is_400() {
    let desk = Desk::start(Vendor::Rotor);
    let unknown = json!({"id": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "phone": "+1"});
    assert_eq!(
        desk.upsert(&unknown).await,
        (404, json!({"status": "error", "message": "Not found"}))
    );
    let (status, body) = desk.upsert(&json!({"id": "cust-1"})).await;
    assert_eq!((status, problem(&body)), (400, ("id", "Invalid uuid")));
    assert!(desk.simulator.records().is_empty());
}

#[tokio::test]
async fn a_body_without_id_phone_and_email_makes_a_new_record_each_time() {
    let desk = Desk::start(Vendor::Rotor);
    for body in [
        json!({}),
        json!({}),
        json!({"first_name": "Ann"}),
        json!({"first_name": "Ann", "phone": ""}),
    ] {
        assert_eq!(desk.upsert(&body).await.0, 201);
    }
    assert_eq!(desk.simulator.records().len(), 4);
}

#[tokio::test]
async fn tags_are_merged_in_order_and_never_removed() {
    let desk = Desk::start(Vendor::Rotor);
    desk.upsert(&json!({"phone": "+1", "tags": ["vip", "north"]})).await;
    let (_, merged) = desk.upsert(&json!({"phone": "+1", "tags": ["pool", "vip"]})).await;
    assert_eq!(merged["tags"], json!(["vip", "north", "pool"]));
    let (_, emptied) = desk.upsert(&json!({"phone": "+1", "tags": []})).await;
    assert_eq!(emptied["tags"], json!(["vip", "north", "pool"]));
}

#[tokio::test]
async fn a_bad_email_is_answered_in_the_words_of_the_page() {
    let desk = Desk::start(Vendor::Rotor);
    let golden = json!({
        "status": "error",
        "message": "Validation failed",
        "errors": [{"field": "email", "message": "Invalid email format"}]
    });
    assert_eq!(desk.upsert(&json!({"email": "ann at example"})).await, (400, golden));
}

#[tokio::test]
async fn null_unknown_fields_wrong_types_and_other_statuses_are_400() {
    let desk = Desk::start(Vendor::Rotor);
    let cases = [
        (json!({"phone": "+1", "notes": null}), "notes"),
        (json!({"phone": "+1", "nickname": "A"}), "nickname"),
        (json!({"phone": 1}), "phone"),
        (json!({"billing_same_as_property": "yes"}), "billing_same_as_property"),
        (json!({"tags": ["a", 1]}), "tags"),
        (json!({"status": "prospect"}), "status"),
        (json!([]), "body"),
    ];
    for (body, field) in cases {
        let (status, answer) = desk.upsert(&body).await;
        assert_eq!((status, problem(&answer).0), (400, field), "{body}");
    }
    assert!(desk.simulator.records().is_empty());
}

#[tokio::test]
async fn every_problem_is_told_at_once() {
    let desk = Desk::start(Vendor::Rotor);
    let (_, body) = desk.upsert(&json!({"email": "x", "status": "x", "notes": null})).await;
    assert_eq!(body["errors"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn broken_json_and_another_content_type_are_400() {
    let desk = Desk::start(Vendor::Rotor);
    let post = || desk.request(Method::POST, "/customers");
    let broken = post().header("content-type", "application/json").body("{\"phone\":");
    assert_eq!(answer(broken).await.0, 400);
    assert_eq!(
        answer(post().header("content-type", "text/plain").body("{}")).await.0,
        400
    );
}

#[tokio::test]
async fn a_missing_or_unknown_key_is_401_in_the_words_of_the_page() {
    let desk = Desk::start(Vendor::Rotor);
    let golden = json!({
        "status": "error",
        "message": "Authentication required. Provide x-api-key header.",
        "error_code": "AUTHENTICATION_REQUIRED"
    });
    let bare = || desk.bare(Method::POST, "/customers").json(&json!({"phone": "+1"}));
    assert_eq!(answer(bare()).await, (401, golden.clone()));
    assert_eq!(
        answer(bare().header("x-api-key", "rotor_other_secret")).await,
        (401, golden)
    );
    assert!(desk.simulator.records().is_empty());
}

#[tokio::test]
async fn a_key_without_the_scope_is_403_with_the_scope_in_the_message() {
    let mut options = SimulatorOptions::default();
    options.rotor.keys[0].scopes = vec!["customers:read".to_owned()];
    let desk = Desk::with(Vendor::Rotor, options);
    let golden = json!({
        "status": "error",
        "message": "Forbidden: required scope 'customers:write' not granted for this API key",
        "error_code": "INSUFFICIENT_SCOPE"
    });
    assert_eq!(desk.upsert(&json!({"phone": "+1"})).await, (403, golden));
    assert_eq!(desk.get("/customers").await.0, 200);
}

#[tokio::test]
async fn the_version_header_may_be_left_out_but_not_be_another() {
    let desk = Desk::start(Vendor::Rotor);
    let with = |version: &str| {
        desk.request(Method::POST, "/customers")
            .header("rotor-api-version", version)
            .json(&json!({"phone": "+1"}))
    };
    assert_eq!(answer(with("1.1.0")).await.0, 201);
    let (status, body) = answer(with("1.2.0")).await;
    assert_eq!((status, problem(&body).0), (400, "rotor-api-version"));
}

#[tokio::test]
async fn companies_do_not_see_each_other() {
    let mut options = SimulatorOptions::default();
    options.rotor.keys.push(RotorKey::new("rotor_two_secret", "company-2"));
    let desk = Desk::with(Vendor::Rotor, options);
    let (_, ours) = desk.upsert(&json!({"phone": "+1"})).await;
    let theirs = |method, path: &str| desk.bare(method, path).header("x-api-key", "rotor_two_secret");
    assert_eq!(
        answer(theirs(Method::POST, "/customers").json(&json!({"phone": "+1"})))
            .await
            .0,
        201
    );
    let by_id = json!({"id": ours["id"], "first_name": "Eve"});
    assert_eq!(answer(theirs(Method::POST, "/customers").json(&by_id)).await.0, 404);
    let path = format!("/customers/{}", ours["id"].as_str().unwrap());
    assert_eq!(answer(theirs(Method::GET, &path)).await.0, 404);
    assert_eq!(
        answer(theirs(Method::GET, "/customers")).await.1["pagination"]["total"],
        1
    );
}

#[tokio::test]
async fn the_limit_of_a_day_counts_reads_and_the_credential_check_and_ends_at_midnight_utc() {
    let now = Arc::new(AtomicI64::new(
        "2026-03-01T23:59:00Z".parse::<Timestamp>().unwrap().as_second(),
    ));
    let clock = Arc::clone(&now);
    let mut options = SimulatorOptions {
        clock: Arc::new(move || Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap()),
        ..SimulatorOptions::default()
    };
    options.rotor.daily_limit = Some(3);
    let desk = Desk::with(Vendor::Rotor, options);
    assert_eq!(desk.upsert(&json!({"phone": "+1"})).await.0, 201);
    assert_eq!(desk.get("/customers").await.0, 200);
    assert_eq!(desk.get("/auth/test").await.0, 200);
    let golden = json!({
        "status": "error",
        "message": "Daily API key request limit of 3 exceeded",
        "error_code": "RATE_LIMIT_EXCEEDED"
    });
    assert_eq!(desk.upsert(&json!({"phone": "+2"})).await, (429, golden.clone()));
    assert_eq!(desk.get("/auth/test").await, (429, golden));
    assert_eq!(desk.simulator.records().len(), 1, "nothing was written over the limit");

    now.fetch_add(61, Ordering::SeqCst);
    assert_eq!(desk.upsert(&json!({"phone": "+2"})).await.0, 201);
}

#[tokio::test]
async fn a_new_window_ends_the_limit_by_hand() {
    let mut options = SimulatorOptions::default();
    options.rotor.daily_limit = Some(1);
    let desk = Desk::with(Vendor::Rotor, options);
    assert_eq!(desk.get("/auth/test").await.0, 200);
    assert_eq!(desk.get("/auth/test").await.0, 429);
    desk.simulator.new_rate_window();
    assert_eq!(desk.get("/auth/test").await.0, 200);
}

#[tokio::test]
async fn a_thousand_a_day_is_the_default() {
    assert_eq!(SimulatorOptions::default().rotor.daily_limit, Some(1000));
}

#[tokio::test]
async fn the_path_without_its_prefix_is_the_same() {
    let desk = Desk::start(Vendor::Rotor);
    assert!(desk.simulator.base_url().ends_with("/open-api"));
    let url = desk.simulator.base_url().replace("/open-api", "/customers");
    let post = client()
        .post(url)
        .header("x-api-key", "rotor_sim_secret")
        .json(&json!({"phone": "+1"}));
    assert_eq!(answer(post).await.0, 201);
    assert_eq!(desk.upsert(&json!({"phone": "+1"})).await.0, 200);
}
