//! add-update, against seed 003.

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use upsert_simulators::{AddUpdateAuth, SimulatorOptions, Vendor};

use crate::desk::{Desk, answer};

fn sample() -> Value {
    json!({
        "externalId": "CUST-123",
        "firstName": "John",
        "lastName": "Doe",
        "email": "john@example.com",
        "phoneNumber": "+1234567890",
        "active": true,
        "notificationOptions": {"notifyEmail": false, "notifyPhone": false}
    })
}

/// Envelope, code and the fields of its details.
fn refused(body: &Value) -> (&str, Vec<&str>) {
    let details = body["error"]["details"].as_array().map_or(&[][..], Vec::as_slice);
    let fields = details.iter().map(|detail| {
        assert!(detail["message"].is_string());
        detail["field"].as_str().unwrap()
    });
    assert!(body["error"]["message"].is_string(), "{body}");
    (body["error"]["code"].as_str().unwrap(), fields.collect())
}

#[tokio::test]
async fn the_sample_of_the_page_is_answered_with_itself_and_two_equal_stamps() {
    let desk = Desk::start(Vendor::AddUpdate);
    let (status, mut body) = desk.upsert(&sample()).await;
    assert_eq!(status, 200);
    assert_eq!(body["createdAt"], body["updatedAt"]);
    assert!(body["createdAt"].as_str().unwrap().parse::<Timestamp>().is_ok());
    body.as_object_mut()
        .unwrap()
        .retain(|name, _| name != "createdAt" && name != "updatedAt");
    assert_eq!(body, sample(), "and no id of the vendor's own");
}

#[tokio::test]
async fn the_same_external_id_updates_and_moves_the_second_stamp() {
    let desk = Desk::start(Vendor::AddUpdate);
    let (_, first) = desk.upsert(&sample()).await;
    let (status, second) = desk
        .upsert(&json!({"externalId": "CUST-123", "firstName": "Johnny"}))
        .await;
    assert_eq!(
        (status, &second["firstName"], &second["lastName"]),
        (200, &json!("Johnny"), &json!("Doe"))
    );
    assert_eq!(second["createdAt"], first["createdAt"]);
    assert_ne!(second["updatedAt"], second["createdAt"]);
    assert_eq!(desk.simulator.records().len(), 1);
}

#[tokio::test]
async fn a_creation_is_201_where_the_rules_say_so() {
    let mut options = SimulatorOptions::default();
    options.add_update.created_status = 201;
    let desk = Desk::with(Vendor::AddUpdate, options);
    assert_eq!(desk.upsert(&sample()).await.0, 201);
    assert_eq!(desk.upsert(&sample()).await.0, 200);
}

#[tokio::test]
async fn both_headers_are_required() {
    let desk = Desk::start(Vendor::AddUpdate);
    let bare = || desk.bare(Method::POST, "/customers/add-update").json(&sample());
    let cases = [
        bare(),
        bare().header("x-api-key", "sim-key"),
        bare().header("x-merchant-id", "shop-1"),
        bare().header("x-api-key", "other").header("x-merchant-id", "shop-1"),
        bare().bearer_auth("sim-key").header("x-merchant-id", "shop-1"),
    ];
    for request in cases {
        let (status, body) = answer(request).await;
        assert_eq!((status, refused(&body)), (401, ("UNAUTHORIZED", vec![])));
    }
    assert!(desk.simulator.records().is_empty());
}

#[tokio::test]
async fn the_key_is_expected_where_the_rules_say() {
    for (auth, with_header, with_bearer, with_both) in [
        (AddUpdateAuth::XApiKey, 200, 401, 200),
        (AddUpdateAuth::Bearer, 401, 200, 200),
        (AddUpdateAuth::Both, 401, 401, 200),
    ] {
        let mut options = SimulatorOptions::default();
        options.add_update.auth = auth;
        let desk = Desk::with(Vendor::AddUpdate, options);
        let bare = || {
            desk.bare(Method::POST, "/customers/add-update")
                .header("x-merchant-id", "m")
                .json(&sample())
        };
        assert_eq!(
            answer(bare().header("x-api-key", "sim-key")).await.0,
            with_header,
            "{auth:?}"
        );
        assert_eq!(answer(bare().bearer_auth("sim-key")).await.0, with_bearer, "{auth:?}");
        let both = bare().bearer_auth("sim-key").header("x-api-key", "sim-key");
        assert_eq!(answer(both).await.0, with_both, "{auth:?}");
    }
}

#[tokio::test]
async fn external_ids_belong_to_a_merchant() {
    let desk = Desk::start(Vendor::AddUpdate);
    desk.upsert(&sample()).await;
    let other = |method, path: &str| {
        desk.bare(method, path)
            .header("x-api-key", "sim-key")
            .header("x-merchant-id", "shop-2")
    };
    assert_eq!(answer(other(Method::GET, "/customers/CUST-123")).await.0, 404);
    answer(other(Method::POST, "/customers/add-update").json(&sample())).await;
    let accounts: Vec<String> = desk
        .simulator
        .records()
        .into_iter()
        .map(|record| record.account)
        .collect();
    assert_eq!(accounts, ["shop-1", "shop-2"]);
}

#[tokio::test]
async fn external_id_and_first_name_are_required() {
    let desk = Desk::start(Vendor::AddUpdate);
    let (status, body) = desk.upsert(&json!({"lastName": "Doe"})).await;
    assert_eq!(
        (status, refused(&body)),
        (400, ("VALIDATION_ERROR", vec!["externalId", "firstName"]))
    );
    let (_, body) = desk.upsert(&json!({"externalId": "C", "firstName": ""})).await;
    assert_eq!(refused(&body).1, ["firstName"]);
}

#[tokio::test]
async fn bad_emails_nulls_unknown_fields_and_wrong_types_are_400() {
    let desk = Desk::start(Vendor::AddUpdate);
    let cases = [
        ("email", json!("nobody")),
        ("email", Value::Null),
        ("nickname", json!("J")),
        ("active", json!("yes")),
        ("notificationOptions", json!({"notifyFax": true})),
        ("phoneNumber", json!(1)),
    ];
    for (field, value) in cases {
        let mut body = sample();
        body[field] = value;
        let (status, answer) = desk.upsert(&body).await;
        assert_eq!(
            (status, refused(&answer)),
            (400, ("VALIDATION_ERROR", vec![field])),
            "{body}"
        );
    }
    assert!(desk.simulator.records().is_empty());
}

#[tokio::test]
async fn a_customer_is_read_as_it_was_answered_with_any_external_id() {
    let desk = Desk::start(Vendor::AddUpdate);
    let mut odd = sample();
    odd["externalId"] = json!("a/b c+d&e;%");
    let (_, written) = desk.upsert(&odd).await;
    assert_eq!(
        desk.get("/customers/a%2Fb%20c+d%26e%3B%25").await,
        (200, written.clone())
    );
    let own = desk.simulator.records()[0].id.clone();
    assert_eq!(desk.get(&format!("/customers/{own}")).await, (200, written));
    let (status, body) = desk.get("/customers/nobody").await;
    assert_eq!((status, refused(&body).0), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn the_list_pages_by_offset_and_filters_by_email_and_external_id() {
    let desk = Desk::start(Vendor::AddUpdate);
    for at in 0..25 {
        let email = format!("p{}@example.com", at % 5);
        desk.upsert(&json!({"externalId": format!("C{at}"), "firstName": "P", "email": email}))
            .await;
    }
    let ids = |list: &Value| -> Vec<String> {
        list.as_array()
            .unwrap()
            .iter()
            .map(|row| row["externalId"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&desk.get("/customers").await.1).len(), 20, "the default");
    assert_eq!(ids(&desk.get("/customers?limit=2&offset=24").await.1), ["C24"]);
    assert_eq!(ids(&desk.get("/customers?externalId=C7").await.1), ["C7"]);
    assert_eq!(
        ids(&desk.get("/customers?email=p3%40example.com&limit=100").await.1).len(),
        5
    );
    for query in ["limit=101", "limit=0", "offset=-1"] {
        assert_eq!(desk.get(&format!("/customers?{query}")).await.0, 400, "{query}");
    }
}

#[tokio::test]
async fn the_list_stands_in_a_member_where_the_rules_say_so() {
    let mut options = SimulatorOptions::default();
    options.add_update.list_member = Some("items".to_owned());
    let desk = Desk::with(Vendor::AddUpdate, options);
    desk.upsert(&sample()).await;
    assert_eq!(desk.get("/customers").await.1["items"][0]["externalId"], "CUST-123");
}

#[tokio::test]
async fn an_unknown_path_is_refused_in_the_envelope() {
    let desk = Desk::start(Vendor::AddUpdate);
    let (status, body) = desk.post("/customers", &sample()).await;
    assert_eq!((status, refused(&body).0), (404, "NOT_FOUND"));
}
