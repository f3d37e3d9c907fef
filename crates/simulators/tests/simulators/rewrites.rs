//! A vendor that stores other values than it was sent.

use reqwest::Method;
use serde_json::{Value, json};
use upsert_simulators::{Rewrite, Rewrites, SimulatorOptions, Vendor};

use crate::control::control;
use crate::desk::{Desk, object};

fn person() -> Value {
    json!({"externalId": "e-1", "firstName": "Ann", "lastName": "Longname", "phoneNumber": "+15550100123"})
}

#[tokio::test]
async fn what_is_rewritten_is_stored_and_shown_in_the_answer() {
    let desk = Desk::start(Vendor::AddUpdate);
    let rewrites = json!({"firstName": "upper", "lastName": "cut:4", "phoneNumber": "spaced_phone"});
    assert_eq!(control(&desk, Method::PUT, "/rewrites", Some(rewrites)).await.0, 204);
    let (_, answer) = desk.upsert(&person()).await;
    assert_eq!(
        (&answer["firstName"], &answer["lastName"], &answer["phoneNumber"]),
        (&json!("ANN"), &json!("Long"), &json!("+1 555-010-0123"))
    );
    assert_eq!(desk.get("/customers/e-1").await.1, answer);
}

#[tokio::test]
async fn what_is_rewritten_silently_is_stored_so_but_answered_as_sent() {
    for vendor in [Vendor::AddUpdate, Vendor::Rotor] {
        let (name, sent) = match vendor {
            Vendor::Rotor => ("first_name", json!({"phone": "+1", "first_name": "Ann"})),
            _ => ("firstName", person()),
        };
        let desk = Desk::start(vendor);
        let rewrites = Some(json!({ name: "upper" }));
        assert_eq!(
            control(&desk, Method::PUT, "/rewrites?silent=true", rewrites).await.0,
            204
        );
        assert_eq!(desk.upsert(&sent).await.1[name], "Ann");
        assert_eq!(desk.simulator.records()[0].fields[name], "ANN");
    }
}

#[tokio::test]
async fn the_same_value_sent_again_finds_the_record_and_changes_nothing() {
    let options = SimulatorOptions {
        rewrites: Rewrites::of([("phone", Rewrite::SpacedPhone), ("email", Rewrite::Lower)]),
        ..SimulatorOptions::default()
    };
    let desk = Desk::with(Vendor::Rotor, options);
    let sent = json!({"phone": "+15550100123", "email": "Ann@Shop.example"});
    assert_eq!(desk.upsert(&sent).await.0, 201);
    let (status, answer) = desk.upsert(&sent).await;
    assert_eq!((status, &answer["email"]), (200, &json!("ann@shop.example")));
    assert_eq!(desk.simulator.records()[0].version, 1);
}

#[tokio::test]
async fn an_edit_and_a_seed_are_stored_as_they_are() {
    let desk = Desk::start(Vendor::April);
    desk.simulator
        .rewrite(Rewrites::of([("givenName", Rewrite::Upper)]))
        .unwrap();
    let id = desk.simulator.seed(
        "mcht_acme",
        object(json!({"emailAddress": "a@b.example", "givenName": "Ann"})),
    );
    assert_eq!(desk.simulator.records()[0].fields["givenName"], "Ann");
    let edited = desk.simulator.edit(&id, &object(json!({"givenName": "Anna"}))).unwrap();
    assert_eq!(edited.fields["givenName"], "Anna");
    let sent =
        json!({"emailAddress": "a@b.example", "givenName": "Bea", "familyName": "B", "phoneNumber": "+61401234567"});
    desk.upsert(&json!({"UpsertConsumerCustomer": sent})).await;
    assert_eq!(desk.simulator.records()[0].fields["givenName"], "BEA");
}

#[tokio::test]
async fn a_field_or_a_rewrite_that_nobody_knows_is_400_and_changes_nothing() {
    let desk = Desk::start(Vendor::AddUpdate);
    control(&desk, Method::PUT, "/rewrites", Some(json!({"firstName": "upper"}))).await;
    for wrong in [
        json!({"first_name": "upper"}),
        json!({"firstName": "loud"}),
        json!({"active": "upper"}),
    ] {
        let (status, body) = control(&desk, Method::PUT, "/rewrites", Some(wrong)).await;
        assert_eq!((status, body["error"].is_string()), (400, true));
    }
    assert_eq!(desk.upsert(&person()).await.1["firstName"], "ANN");
    desk.simulator.reset();
    assert_eq!(
        desk.upsert(&person()).await.1["firstName"],
        "Ann",
        "a reset goes back to the start"
    );
}
