//! Answers that accept.

use serde_json::{Value as Json, json};
use upsert_core::{ErrorKind, StateAtVendor};
use upsert_provider_kit::{HttpVendor, WireReply};

use crate::fixture::{Ask, golden, john, prepared, raw, shown_error, vendor};

/// The answer of the vendor's page, for John.
fn record() -> Json {
    json!({
        "externalId": "CUST-123", "firstName": "John", "lastName": "Doe", "email": "john.doe@example.com",
        "phoneNumber": "+12025550123", "active": true,
        "createdAt": "2024-03-20T10:00:00Z", "updatedAt": "2024-03-20T10:00:00.000Z"
    })
}

fn receipt(status: u16, record: &Json) -> Json {
    json!(
        vendor()
            .decode(&prepared(), &WireReply::of_json(status, record))
            .unwrap()
    )
}

#[test]
fn equal_moments_give_a_created_record_away() {
    golden!("answer_created_inferred", receipt(200, &record()));
}

#[test]
fn unequal_moments_give_an_updated_record_away() {
    let mut later = record();
    later["updatedAt"] = json!("2024-03-21T10:00:00Z");
    later["phoneNumber"] = json!("2025550123");
    later["lastName"] = Json::Null;
    golden!("answer_updated_inferred", receipt(200, &later));
}

#[test]
fn a_201_is_the_vendors_word() {
    golden!("answer_created_said", receipt(201, &record()));
}

#[test]
fn without_moments_nobody_can_tell() {
    golden!(
        "answer_upserted",
        receipt(200, &json!({ "externalId": "CUST-123", "createdAt": "yesterday" }))
    );
}

#[test]
fn a_known_link_goes_before_the_moments() {
    let ask = Ask {
        link: Some("CUST-123"),
        ..Ask::default()
    };
    let known = ask.of(&vendor(), &john()).unwrap();
    let receipt = vendor().decode(&known, &WireReply::of_json(200, &record())).unwrap();
    golden!("answer_updated_link", receipt);
}

#[test]
fn another_external_id_is_handed_on_for_the_caller_to_compare() {
    let mut other = record();
    other["externalId"] = json!("CUST-999");
    golden!("answer_other_id", receipt(200, &other));
}

#[test]
fn a_2xx_without_the_id_breaks_the_contract() {
    for body in [
        json!({}),
        json!([]),
        json!({ "externalId": "" }),
        json!({ "externalId": 1 }),
        Json::Null,
    ] {
        let error = vendor()
            .decode(&prepared(), &WireReply::of_json(200, &body))
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::BrokenContract, "{body}");
        assert_eq!(error.state, StateAtVendor::Unknown, "{body}");
    }
    let error = vendor().decode(&prepared(), &raw(200, "<html>ok</html>")).unwrap_err();
    golden!("answer_not_json", shown_error(&error));
}
