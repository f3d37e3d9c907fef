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
        json!({ "externalId": 1.5 }),
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

#[test]
fn the_two_moments_tell_only_what_they_can() {
    use upsert_core::{Evidence, Outcome};
    let began = "2026-01-02T03:04:05Z".parse().unwrap();
    let (created, updated, nobody) = (
        (Outcome::Created, Evidence::Inferred),
        (Outcome::Updated, Evidence::Inferred),
        (Outcome::Upserted, Evidence::None),
    );
    for (made, changed, told) in [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z", created),
        ("2026-01-02T03:04:05.1Z", "2026-01-02T03:04:05.900Z", created),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z", created),
        ("2026-01-02T05:04:05+02:00", "2026-01-02T03:04:05.000Z", created),
        ("2026-01-02T03:03:05Z", "2026-01-02T03:03:05Z", created),
        ("2026-01-02T03:04:44Z", "2026-01-02T03:04:45Z", created),
        // One that was never changed since it was made has equal moments too.
        ("2026-01-02T03:03:04.999Z", "2026-01-02T03:03:05Z", nobody),
        ("2024-03-20T10:00:00Z", "2024-03-20T10:00:00Z", nobody),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:06.001Z", updated),
        ("2024-03-20T10:00:00Z", "2026-01-02T03:04:05Z", updated),
        ("2026-01-02T03:04:07Z", "2026-01-02T03:04:05Z", updated),
        ("yesterday", "2026-01-02T03:04:05Z", nobody),
        ("2026-01-02T03:04:05Z", "", nobody),
        ("2026-01-02 03:04:05", "2026-01-02 03:04:05", nobody),
    ] {
        let mut record = record();
        record["createdAt"] = json!(made);
        record["updatedAt"] = json!(changed);
        let reply = WireReply {
            began_at: began,
            ..WireReply::of_json(200, &record)
        };
        let receipt = vendor().decode(&prepared(), &reply).unwrap();
        assert_eq!((receipt.outcome, receipt.evidence), told, "{made} {changed}");
        assert_eq!(receipt.vendor_said.members["createdAt"], made);
    }
}

#[test]
fn an_id_that_is_a_number_equals_its_text() {
    let ask = Ask::default();
    let mut customer = john();
    customer.set(
        upsert_core::Field::Reference,
        upsert_core::Value::Text("1022".to_owned()),
    );
    let prepared = ask.of(&vendor(), &customer).unwrap();
    for shown in [json!(1022), json!(1022.0), json!("1022")] {
        let reply = WireReply::of_json(200, &json!({ "externalId": shown }));
        let receipt = vendor().decode(&prepared, &reply).unwrap();
        assert_eq!(receipt.provider_customer_id, "1022", "{shown}");
        assert_eq!(receipt.fields.confirmed, ["/reference"], "{shown}");
    }
}

#[test]
fn an_error_under_a_success_is_a_failure_with_the_vendors_words() {
    let body = json!({ "error": {
        "code": "VALIDATION_ERROR", "message": "Not valid", "details": [{ "field": "body.email", "message": "bad" }]
    }});
    let error = vendor()
        .decode(&prepared(), &WireReply::of_json(200, &body))
        .unwrap_err();
    golden!("answer_error_in_disguise", shown_error(&error));
    let framework = json!({ "statusCode": 400, "message": ["email must be an email"], "error": "Bad Request" });
    let error = vendor()
        .decode(&prepared(), &WireReply::of_json(200, &framework))
        .unwrap_err();
    assert_eq!(error.errors[0].pointer.as_deref(), Some("/email"));
}

#[test]
fn a_success_with_half_of_the_frameworks_error_is_no_error_but_cannot_be_understood() {
    for body in [json!({ "message": "Saved" }), json!({ "statusCode": 200 })] {
        let error = vendor()
            .decode(&prepared(), &WireReply::of_json(200, &body))
            .unwrap_err();
        assert!(
            error.detail.starts_with("the vendor's answer cannot be understood: "),
            "{}",
            error.detail
        );
    }
}
