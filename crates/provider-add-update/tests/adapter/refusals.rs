//! Answers that refuse.

use std::time::Duration;

use serde_json::{Value as Json, json};
use upsert_core::RetryAdvice;
use upsert_provider_kit::{HttpVendor, RetryAfter, WireReply};

use crate::fixture::{golden, prepared, raw, shown_error, vendor};

fn refused(status: u16, body: &Json) -> Json {
    shown_error(
        &vendor()
            .decode(&prepared(), &WireReply::of_json(status, body))
            .unwrap_err(),
    )
}

fn envelope(code: &str) -> Json {
    json!({ "error": { "code": code, "message": format!("The vendor's words for {code}") } })
}

#[test]
fn every_documented_error_has_its_meaning() {
    let table = [
        (401, "UNAUTHORIZED"),
        (404, "NOT_FOUND"),
        (409, "DUPLICATE"),
        (422, "DECLINED"),
        (500, "INTERNAL_ERROR"),
        (503, "SERVICE_UNAVAILABLE"),
    ];
    for (status, code) in table {
        golden!(format!("refusal_{status}"), refused(status, &envelope(code)));
    }
}

#[test]
fn complaints_of_fields_point_at_ours() {
    let body = json!({ "error": {
        "code": "VALIDATION_ERROR", "message": "Invalid request",
        "details": [
            { "field": "email", "message": "must be an email" },
            { "field": "externalId", "message": "is too long" },
            { "field": "notificationOptions.notifyEmail", "message": "must be a boolean" },
            { "field": "shoeSize", "message": "is unknown" },
            { "message": "no field at all" }, 7
        ]
    }});
    golden!("refusal_400_details", refused(400, &body));
}

#[test]
fn the_frameworks_own_shape_is_understood() {
    let list = json!({
        "statusCode": 400, "error": "Bad Request",
        "message": ["phoneNumber must be a valid phone number", "property age should not exist"]
    });
    golden!("refusal_400_framework_list", refused(400, &list));
    let text = json!({ "statusCode": 404, "message": "Cannot POST /customers/add-update", "error": "Not Found" });
    golden!("refusal_404_framework", refused(404, &text));
}

#[test]
fn an_error_that_is_one_text_is_told_in_the_vendors_words() {
    let error = refused(400, &json!({ "error": "phoneNumber must be a valid phone number" }));
    assert_eq!(error["detail"], "phoneNumber must be a valid phone number");
    assert_eq!(error["errors"][0]["pointer"], "/phone");
}

#[test]
fn throttling_waits_as_long_as_the_vendor_says() {
    let mut reply = raw(429, "");
    golden!(
        "refusal_429",
        shown_error(&vendor().decode(&prepared(), &reply).unwrap_err())
    );
    reply.retry_after = RetryAfter::Wait(Duration::from_secs(7));
    let error = vendor().decode(&prepared(), &reply).unwrap_err();
    assert_eq!(error.advice, RetryAdvice::After(Duration::from_secs(7)));
}

#[test]
fn a_refusal_without_a_body_keeps_our_words() {
    for status in [302, 400, 403, 408, 425, 502, 504] {
        golden!(
            format!("refusal_{status}_empty"),
            shown_error(&vendor().decode(&prepared(), &raw(status, "")).unwrap_err())
        );
    }
}

#[test]
fn endless_words_are_cut() {
    let error = vendor()
        .decode(
            &prepared(),
            &WireReply::of_json(400, &json!({ "message": "x".repeat(5_000) })),
        )
        .unwrap_err();
    assert_eq!(error.detail.chars().count(), 1_000);
}
