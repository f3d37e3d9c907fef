//! Rotor's reads, against seed 002.

use serde_json::{Value, json};
use upsert_simulators::{SimulatorOptions, Vendor};

use crate::desk::{Desk, object};

const COMPANY: &str = "company-1";

fn ids(list: &Value) -> Vec<&str> {
    list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_customer_is_read_in_the_nested_shape_without_billing_and_service() {
    let desk = Desk::start(Vendor::Rotor);
    let (_, written) = desk
        .upsert(&json!({
            "phone": "phone", "email": "dev@stainless.com", "first_name": "first_name", "last_name": "last_name",
            "company_name": "company_name", "notes": "notes", "source": "source", "status": "active",
            "tags": ["string"], "property_street1": "street1", "property_street2": "street2",
            "property_city": "city", "property_state": "state", "property_zip": "zip", "property_country": "country",
            "billing_city": "hidden", "service_type": "hidden", "billing_same_as_property": false,
        }))
        .await;
    let path = format!("/customers/{}", written["id"].as_str().unwrap());
    let golden = json!({
        "data": {
            "id": written["id"],
            "address": {
                "city": "city", "country": "country", "state": "state",
                "street1": "street1", "zip": "zip", "street2": "street2"
            },
            "company_name": "company_name",
            "created_at": written["created_at"],
            "email": "dev@stainless.com",
            "first_name": "first_name",
            "is_auto_pay": false,
            "last_name": "last_name",
            "location": [44.98, -93.27],
            "notes": "notes",
            "phone": "phone",
            "source": "source",
            "status": "active",
            "tags": ["string"]
        },
        "status": "success"
    });
    assert_eq!(desk.get(&path).await, (200, golden.clone()));
    let (_, list) = desk.get("/customers").await;
    assert_eq!(list["data"][0], golden["data"]);
    assert_eq!(list["status"], "success");
    assert_eq!(
        list["pagination"],
        json!({"has_more": false, "limit": 50, "page": 1, "total": 1})
    );
}

#[tokio::test]
async fn an_unknown_customer_is_404() {
    let desk = Desk::start(Vendor::Rotor);
    let golden = json!({"status": "error", "message": "Not found"});
    assert_eq!(
        desk.get("/customers/182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e").await,
        (404, golden)
    );
}

#[tokio::test]
async fn pages_begin_at_one_and_tell_whether_there_are_more() {
    let desk = Desk::start(Vendor::Rotor);
    let seeded: Vec<String> = (0..5)
        .map(|at| desk.simulator.seed(COMPANY, object(json!({"phone": format!("+{at}")}))))
        .collect();
    let (_, first) = desk.get("/customers?limit=2").await;
    assert_eq!(ids(&first), seeded[..2]);
    assert_eq!(
        first["pagination"],
        json!({"has_more": true, "limit": 2, "page": 1, "total": 5})
    );
    let (_, last) = desk.get("/customers?limit=2&page=3").await;
    assert_eq!(ids(&last), seeded[4..]);
    assert_eq!(last["pagination"]["has_more"], false);
    let (_, beyond) = desk.get("/customers?limit=2&page=4").await;
    assert!(ids(&beyond).is_empty());
}

#[tokio::test]
async fn limits_pages_and_words_out_of_range_are_400() {
    let desk = Desk::start(Vendor::Rotor);
    for query in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "page=0",
        "archived=maybe",
        "status=lost",
    ] {
        assert_eq!(desk.get(&format!("/customers?{query}")).await.0, 400, "{query}");
    }
    assert_eq!(
        desk.get("/customers?limit=1000&page=1&archived=true&status=inactive")
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn search_looks_into_names_email_and_phone_whatever_the_case() {
    let desk = Desk::start(Vendor::Rotor);
    let ann = desk
        .simulator
        .seed(COMPANY, object(json!({"first_name": "Ann", "email": "a@example.com"})));
    let pool = desk.simulator.seed(
        COMPANY,
        object(json!({"company_name": "Pool & Co", "phone": "+15550100"})),
    );
    for (search, expected) in [
        ("ANN", &ann),
        ("a%40example", &ann),
        ("pool%20%26", &pool),
        ("%2B1555", &pool),
    ] {
        let (_, list) = desk.get(&format!("/customers?search={search}")).await;
        assert_eq!(ids(&list), [expected], "{search}");
    }
    assert!(ids(&desk.get("/customers?search=nobody").await.1).is_empty());
}

#[tokio::test]
async fn status_and_tags_filter() {
    let desk = Desk::start(Vendor::Rotor);
    let seed = |status: &str, tags: Value| {
        desk.simulator
            .seed(COMPANY, object(json!({"status": status, "tags": tags})))
    };
    let vip = seed("active", json!(["vip"]));
    let north = seed("inactive", json!(["north"]));
    seed("active", json!([]));
    assert_eq!(ids(&desk.get("/customers?status=inactive").await.1), [&north]);
    assert_eq!(ids(&desk.get("/customers?tags=vip,north").await.1), [&vip, &north]);
    assert_eq!(ids(&desk.get("/customers?tags=vip&status=active").await.1), [&vip]);
}

#[tokio::test]
async fn archived_customers_are_listed_on_demand_only_and_still_match() {
    let desk = Desk::start(Vendor::Rotor);
    let id = desk.simulator.seed(COMPANY, object(json!({"phone": "+1"})));
    assert!(desk.simulator.archive(&id));
    assert!(!desk.simulator.archive("nobody"));
    assert!(ids(&desk.get("/customers").await.1).is_empty());
    assert_eq!(ids(&desk.get("/customers?archived=true").await.1), [&id]);
    assert_eq!(desk.upsert(&json!({"phone": "+1"})).await.1["id"], json!(id));
}

#[tokio::test]
async fn archived_customers_do_not_match_where_the_rules_say_so() {
    let mut options = SimulatorOptions::default();
    options.rotor.matches_archived = false;
    let desk = Desk::with(Vendor::Rotor, options);
    let id = desk.simulator.seed(COMPANY, object(json!({"phone": "+1"})));
    desk.simulator.archive(&id);
    assert_eq!(desk.upsert(&json!({"phone": "+1"})).await.0, 201);
}

#[tokio::test]
async fn a_forgotten_customer_is_gone_for_reads_and_for_matching() {
    let desk = Desk::start(Vendor::Rotor);
    let id = desk.simulator.seed(COMPANY, object(json!({"phone": "+1"})));
    assert!(desk.simulator.forget(&id));
    assert!(!desk.simulator.forget(&id));
    assert_eq!(desk.get(&format!("/customers/{id}")).await.0, 404);
    assert_eq!(desk.upsert(&json!({"id": id, "phone": "+1"})).await.0, 404);
    assert_eq!(desk.upsert(&json!({"phone": "+1"})).await.0, 201);
}

#[tokio::test]
async fn the_credential_check_names_company_and_scopes() {
    let desk = Desk::start(Vendor::Rotor);
    let (status, body) = desk.get("/auth/test").await;
    assert_eq!(
        (status, &body["authenticated"], &body["auth_method"]),
        (200, &json!(true), &json!("api_key"))
    );
    assert_eq!(body["company_id"], COMPANY);
    assert_eq!(body["scopes"], json!(["customers:read", "customers:write"]));
}
