//! The same over HTTP, for scripts.

use reqwest::Method;
use serde_json::{Value, json};
use upsert_simulators::{SimulatorOptions, Vendor};

use crate::desk::{Desk, client};

pub(crate) async fn control(desk: &Desk, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let mut request = client().request(method, format!("{}{path}", desk.simulator.control_url()));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (
        status,
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null),
    )
}

#[tokio::test]
async fn faults_are_put_read_and_deleted() {
    let desk = Desk::start(Vendor::Rotor);
    let faults = json!([
        {"effect": {"kind": "answer", "status": 429, "headers": {"retry-after": "2"}, "when": "after_write"}, "times": 1},
        {"effect": {"kind": "cut", "at": "mid_answer"}, "probability": 0.5, "only": {"method": "GET"}}
    ]);
    assert_eq!(control(&desk, Method::PUT, "/faults", Some(faults)).await.0, 204);
    assert_eq!(desk.upsert(&json!({"phone": "+1"})).await.0, 429);
    assert_eq!(desk.simulator.records().len(), 1);
    let (_, left) = control(&desk, Method::GET, "/faults", None).await;
    assert_eq!(left.as_array().unwrap().len(), 1);
    assert_eq!(left[0]["effect"], json!({"kind": "cut", "at": "mid_answer"}));
    assert_eq!(control(&desk, Method::DELETE, "/faults", None).await.0, 204);
    assert!(desk.simulator.faults().list().is_empty());
}

#[tokio::test]
async fn a_fault_that_is_none_is_400_with_a_reason() {
    let desk = Desk::start(Vendor::Rotor);
    let (status, body) = control(
        &desk,
        Method::PUT,
        "/faults",
        Some(json!([{"effect": {"kind": "explode"}}])),
    )
    .await;
    assert_eq!(status, 400);
    assert!(body["error"].as_str().unwrap().contains("explode"));
    let (status, body) = control(&desk, Method::PUT, "/faults", Some(json!([{"effect": {"kind": {}}}]))).await;
    let said = body["error"].as_str().unwrap();
    assert!(
        status == 400 && said.contains(r#"expected a list of faults, such as [{"effect""#),
        "{said}"
    );
}

#[tokio::test]
async fn journal_and_records_are_read_and_all_is_reset() {
    let desk = Desk::start(Vendor::Rotor);
    desk.upsert(&json!({"phone": "+1", "first_name": "Ann"})).await;
    let (_, journal) = control(&desk, Method::GET, "/journal", None).await;
    assert_eq!(
        journal["counts"],
        json!({"received": 1, "finished": 1, "writes": 1, "created": 1})
    );
    assert_eq!(journal["entries"][0]["vendor"], "rotor");
    assert_eq!(journal["entries"][0]["answered"]["status"], 201);
    let (_, records) = control(&desk, Method::GET, "/records", None).await;
    assert_eq!(records[0]["fields"]["first_name"], "Ann");
    assert_eq!(records[0]["id"], journal["entries"][0]["write"]["record"]);

    assert_eq!(control(&desk, Method::POST, "/reset", None).await.0, 204);
    let (_, journal) = control(&desk, Method::GET, "/journal", None).await;
    assert_eq!(
        (&journal["counts"]["received"], &journal["entries"]),
        (&json!(0), &json!([]))
    );
    assert!(desk.simulator.records().is_empty());
}

#[tokio::test]
async fn records_are_seeded_archived_and_deleted() {
    let desk = Desk::start(Vendor::Rotor);
    let seed = json!({"account": "company-1", "body": {"phone": "+1"}});
    let (status, body) = control(&desk, Method::POST, "/records", Some(seed)).await;
    assert_eq!(status, 201);
    let id = body["id"].as_str().unwrap();
    assert_eq!(desk.upsert(&json!({"phone": "+1"})).await.1["id"], id);
    assert_eq!(
        control(&desk, Method::POST, &format!("/records/{id}/archive"), None)
            .await
            .0,
        204
    );
    assert!(desk.simulator.records()[0].archived);
    assert_eq!(
        control(&desk, Method::DELETE, &format!("/records/{id}"), None).await.0,
        204
    );
    assert_eq!(
        control(&desk, Method::DELETE, &format!("/records/{id}"), None).await.0,
        404
    );
    assert!(desk.simulator.records().is_empty());
}

#[tokio::test]
async fn an_organisation_is_seeded_in_its_wrapper() {
    let desk = Desk::start(Vendor::April);
    let fields = json!({"referenceCustomerId": "ORG-1", "organisationName": "Star"});
    let seed = json!({"account": "mcht_acme", "body": {"UpsertOrganisationCustomer": fields}});
    control(&desk, Method::POST, "/records", Some(seed)).await;
    let records = desk.simulator.records();
    assert_eq!(
        (records[0].kind, &records[0].fields["organisationName"]),
        ("organisation", &json!("Star"))
    );
}

#[tokio::test]
async fn a_new_day_is_begun_and_health_answers() {
    let mut options = SimulatorOptions::default();
    options.rotor.daily_limit = Some(0);
    let desk = Desk::with(Vendor::Rotor, options);
    assert_eq!(desk.get("/auth/test").await.0, 429);
    assert_eq!(control(&desk, Method::POST, "/window", None).await.0, 204);
    assert_eq!(control(&desk, Method::GET, "/health", None).await.0, 204);
    assert_eq!(control(&desk, Method::GET, "/other", None).await.0, 404);
    assert_eq!(
        desk.simulator.journal().counts().received,
        1,
        "control is not in the journal"
    );
}
