//! Somebody edits a record in the vendor's own screen.

use reqwest::Method;
use serde_json::{Value, json};
use upsert_simulators::{Running, Vendor};

use crate::control::control;
use crate::desk::{Desk, object};

fn versions(simulator: &Running) -> Vec<u64> {
    simulator.records().iter().map(|record| record.version).collect()
}

#[tokio::test]
async fn an_edit_merges_into_what_is_stored_and_the_vendor_shows_it() {
    let desk = Desk::start(Vendor::Rotor);
    let (_, made) = desk
        .upsert(&json!({"phone": "+1", "first_name": "Ann", "notes": "x", "tags": ["a"]}))
        .await;
    let path = format!("/records/{}", made["id"].as_str().unwrap());
    let patch = json!({"first_name": "Anna", "notes": null, "tags": ["b"]});
    let (status, record) = control(&desk, Method::PATCH, &path, Some(patch)).await;
    assert_eq!((status, &record["version"]), (200, &json!(2)));
    assert_eq!(
        record["fields"],
        json!({"phone": "+1", "first_name": "Anna", "tags": ["b"], "status": "active"})
    );
    assert!(record["updated_at"].as_str() > record["created_at"].as_str());
    let (_, shown) = desk.get(&format!("/customers/{}", made["id"].as_str().unwrap())).await;
    assert_eq!(
        (&shown["data"]["first_name"], &shown["data"]["notes"]),
        (&json!("Anna"), &Value::Null)
    );
}

#[tokio::test]
async fn an_edit_of_nobody_is_404_and_one_that_is_no_object_400() {
    let desk = Desk::start(Vendor::April);
    let patch = Some(json!({"givenName": "Ann"}));
    assert_eq!(control(&desk, Method::PATCH, "/records/cust_0", patch).await.0, 404);
    assert_eq!(
        control(&desk, Method::PATCH, "/records/cust_0", Some(json!([])))
            .await
            .0,
        400
    );
    assert!(desk.simulator.edit("cust_0", &object(json!({}))).is_none());
}

#[tokio::test]
async fn an_edited_match_key_finds_the_record_and_the_old_one_no_more() {
    let desk = Desk::start(Vendor::AddUpdate);
    desk.upsert(&json!({"externalId": "e-1", "firstName": "Ann"})).await;
    let id = desk.simulator.records()[0].id.clone();
    desk.simulator.edit(&id, &object(json!({"externalId": "e-2"}))).unwrap();
    desk.upsert(&json!({"externalId": "e-2", "firstName": "Anna"})).await;
    assert_eq!(desk.simulator.records().len(), 1);
    desk.upsert(&json!({"externalId": "e-1", "firstName": "Bob"})).await;
    assert_eq!(desk.simulator.records().len(), 2);
}

#[tokio::test]
async fn the_version_grows_by_one_with_every_change_and_with_nothing_else() {
    let desk = Desk::start(Vendor::AddUpdate);
    let ann = json!({"externalId": "e-1", "firstName": "Ann"});
    let anna = json!({"externalId": "e-1", "firstName": "Anna"});
    for (sent, version) in [(&ann, 1), (&ann, 1), (&anna, 2), (&anna, 2), (&ann, 3)] {
        desk.upsert(sent).await;
        assert_eq!(versions(&desk.simulator), [version]);
    }
    let before = desk.simulator.records()[0].clone();
    let same = desk
        .simulator
        .edit(&before.id, &object(json!({"firstName": "Ann"})))
        .unwrap();
    assert_eq!((same.version, same.updated_at), (3, before.updated_at));
    let other = desk
        .simulator
        .edit(&before.id, &object(json!({"firstName": "A."})))
        .unwrap();
    assert_eq!((other.version, other.writes), (4, before.writes));
    assert!(other.updated_at > before.updated_at);
    let (_, shown) = desk.get("/customers/e-1").await;
    let shown_at: jiff::Timestamp = shown["updatedAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(shown_at.as_millisecond(), other.updated_at.as_millisecond());
}
