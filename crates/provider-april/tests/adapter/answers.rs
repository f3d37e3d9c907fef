//! Answers that accept.

use serde_json::{Value as Json, json};
use upsert_core::{ErrorKind, KeyKind, MatchKey, StateAtVendor};
use upsert_provider_kit::{HttpVendor, WireReply};

use crate::fixture::{Ask, acme, golden, lucy, prepared, raw, shown_error, vendor, vendor_with};

fn answer() -> Json {
    json!({ "customerId": "cust_1", "merchantId": "mcht_1", "somethingNew": {} })
}

#[test]
fn one_status_for_both_leaves_the_outcome_open() {
    let receipt = vendor()
        .decode(&prepared(), &WireReply::of_json(200, &answer()))
        .unwrap();
    golden!("answer_upserted", receipt);
}

#[test]
fn a_known_link_tells_an_update() {
    let ask = Ask {
        link: Some(MatchKey::new(KeyKind::Email, "lucy.diamond@star.com")),
        ..Ask::default()
    };
    let known = ask.of(&vendor(), &lucy()).unwrap();
    golden!(
        "answer_updated_link",
        vendor().decode(&known, &WireReply::of_json(200, &answer())).unwrap()
    );
}

#[test]
fn an_organisation_is_matched_by_its_reference() {
    let organisation = Ask::default().of(&vendor(), &acme()).unwrap();
    golden!(
        "answer_organisation",
        vendor()
            .decode(&organisation, &WireReply::of_json(200, &answer()))
            .unwrap()
    );
}

#[test]
fn a_201_would_be_the_vendors_word() {
    golden!(
        "answer_created_said",
        vendor()
            .decode(&prepared(), &WireReply::of_json(201, &answer()))
            .unwrap()
    );
}

#[test]
fn an_answer_for_another_merchant_breaks_the_contract() {
    let ours = vendor_with(json!({ "merchant_id": "mcht_1" }));
    assert!(ours.decode(&prepared(), &WireReply::of_json(200, &answer())).is_ok());
    assert!(
        ours.decode(
            &prepared(),
            &WireReply::of_json(200, &json!({ "customerId": "cust_1" }))
        )
        .is_ok()
    );
    let theirs = vendor_with(json!({ "merchant_id": "mcht_2" }));
    let error = theirs
        .decode(&prepared(), &WireReply::of_json(200, &answer()))
        .unwrap_err();
    golden!("answer_other_merchant", shown_error(&error));
}

#[test]
fn a_2xx_without_the_id_breaks_the_contract() {
    for body in [
        json!({ "merchantId": "mcht_1" }),
        json!([]),
        json!({ "customerId": "" }),
        json!({ "customerId": 1.5 }),
    ] {
        let error = vendor()
            .decode(&prepared(), &WireReply::of_json(200, &body))
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::BrokenContract, "{body}");
        assert_eq!(error.state, StateAtVendor::Unknown, "{body}");
    }
    let error = vendor().decode(&prepared(), &raw(204, "")).unwrap_err();
    golden!("answer_not_json", shown_error(&error));
}

#[test]
fn an_error_under_a_success_is_a_failure_with_the_vendors_words() {
    let body = json!({
        "statusCode": 422, "errorCode": "unprocessable", "message": "Not possible", "tracer": "t-1",
        "detail": "UpsertConsumerCustomer.emailAddress: is taken"
    });
    let error = vendor()
        .decode(&prepared(), &WireReply::of_json(200, &body))
        .unwrap_err();
    golden!("answer_error_in_disguise", shown_error(&error));
}
