//! Answers that refuse.

use std::time::Duration;

use serde_json::json;
use upsert_core::RetryAdvice;
use upsert_provider_kit::{HttpVendor, RetryAfter, WireReply};

use crate::fixture::{golden, prepared, raw, shown_error, vendor};

#[test]
fn every_documented_status_has_its_meaning() {
    for status in [400, 401, 403, 404, 405, 406, 409, 422, 429, 500, 503] {
        let body = json!({
            "statusCode": status, "errorCode": "some_code", "message": "April's words", "detail": "More of them",
            "tracer": "0b9df1c0-6a34-4bb1-9a5b-2f0f7c3d1f11", "errorTypeDescription": "Category", "metadata": { "a": 1 }
        });
        let error = vendor()
            .decode(&prepared(), &WireReply::of_json(status, &body))
            .unwrap_err();
        golden!(format!("refusal_{status}"), shown_error(&error));
    }
}

#[test]
fn any_member_may_be_missing() {
    for (name, body) in [
        ("category_alone", json!({ "errorTypeDescription": "Invalid request" })),
        (
            "detail_alone",
            json!({ "detail": "More words", "errorCode": 7, "tracer": null }),
        ),
        ("nothing", json!({})),
    ] {
        let error = vendor()
            .decode(&prepared(), &WireReply::of_json(400, &body))
            .unwrap_err();
        golden!(format!("refusal_with_{name}"), shown_error(&error));
    }
}

#[test]
fn a_refusal_without_a_body_keeps_our_words() {
    for status in [302, 408, 425, 502, 504] {
        let error = vendor().decode(&prepared(), &raw(status, "")).unwrap_err();
        golden!(format!("refusal_{status}_empty"), shown_error(&error));
    }
}

#[test]
fn throttling_waits_as_long_as_the_vendor_says() {
    let mut reply = raw(429, "");
    reply.retry_after = RetryAfter::Wait(Duration::from_secs(7));
    let error = vendor().decode(&prepared(), &reply).unwrap_err();
    assert_eq!(error.advice, RetryAdvice::After(Duration::from_secs(7)));
}

#[test]
fn endless_words_are_cut() {
    let body = json!({ "message": "x".repeat(5_000), "tracer": "y".repeat(5_000) });
    let error = vendor()
        .decode(&prepared(), &WireReply::of_json(400, &body))
        .unwrap_err();
    assert_eq!(error.detail.chars().count(), 1_000);
    assert_eq!(error.vendor_request_id.unwrap().chars().count(), 1_000);
}

#[test]
fn a_field_is_found_wherever_april_names_it() {
    let named = |body: &serde_json::Value| {
        let error = vendor()
            .decode(&prepared(), &WireReply::of_json(400, body))
            .unwrap_err();
        let named = error
            .errors
            .into_iter()
            .map(|it| (it.pointer.unwrap_or_default(), it.detail));
        named.collect::<Vec<_>>()
    };
    let found = |pointer: &str, detail: &str| vec![(pointer.to_owned(), detail.to_owned())];
    for (body, errors) in [
        (
            json!({ "detail": "phoneNumber: Invalid" }),
            found("/phone", "phoneNumber: Invalid"),
        ),
        (
            json!({ "message": "Email is taken" }),
            found("/email", "Email is taken"),
        ),
        (
            json!({ "metadata": { "field": "UpsertConsumerCustomer.familyName", "message": "Required" } }),
            found("/family_name", "Required"),
        ),
        (
            json!({ "metadata": { "errors": [{ "path": "body.givenName", "message": "Bad" }] } }),
            found("/given_name", "Bad"),
        ),
        (json!({ "metadata": { "phone_number": "Bad" } }), found("/phone", "Bad")),
        (json!({ "metadata": { "a": 1 }, "message": "Nothing works" }), vec![]),
        (json!({ "metadata": "text", "detail": "It is late" }), vec![]),
    ] {
        assert_eq!(named(&body), errors, "{body}");
    }
}
