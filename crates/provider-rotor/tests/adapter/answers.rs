//! Golden answers: every one that the pages document, and those that have to be expected beside them.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value as Json, json};

use upsert_core::{ErrorKind, Evidence, KeyKind, Outcome, PreparedUpsert, ProviderError, UpsertReceipt};
use upsert_provider_kit::{HttpVendor as _, RetryAfter, WireReply};

use crate::samples::{Ask, ROTOR_ID, answer, assert_golden, decode, full_person, rotor};

const CREATED: &str = "Customer created successfully";
const UPDATED: &str = "Customer updated successfully";

fn new_customer() -> PreparedUpsert {
    Ask::of(&full_person()).prepare(&rotor(json!({})))
}

fn known_customer() -> PreparedUpsert {
    Ask::of(&full_person())
        .linked()
        .only(&["first_name", "email"])
        .prepare(&rotor(json!({})))
}

fn read(prepared: &PreparedUpsert, reply: &WireReply) -> Result<UpsertReceipt, ProviderError> {
    rotor(json!({})).decode(prepared, reply)
}

/// The sample of the pages [S0].
fn documented_record() -> Json {
    json!({
        "id": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "billing_city": "billing_city",
        "billing_country": "billing_country", "billing_same_as_property": true, "billing_state": "billing_state",
        "billing_street1": "billing_street1", "billing_street2": "billing_street2", "billing_zip": "billing_zip",
        "company_name": "company_name", "created_at": "2019-12-27T18:11:19.117Z", "email": "dev@stainless.com",
        "first_name": "first_name", "last_name": "last_name", "message": "Customer created successfully",
        "notes": "notes", "phone": "phone", "property_city": "property_city", "property_country": "property_country",
        "property_state": "property_state", "property_street1": "property_street1",
        "property_street2": "property_street2", "property_zip": "property_zip",
        "service_frequency": "service_frequency", "service_type": "service_type", "source": "source",
        "status": "active", "tags": ["string"]
    })
}

#[test]
fn the_documented_record_is_a_creation_that_shows_what_differs() {
    assert_golden!(
        "documented_record",
        decode(&rotor(json!({})), &new_customer(), 200, &documented_record())
    );
}

#[test]
fn an_echo_of_what_was_sent_confirms_every_field() {
    let prepared = new_customer();
    let mut echo = prepared.request.body.clone();
    echo["id"] = json!(ROTOR_ID);
    echo["message"] = json!("Customer updated successfully");
    // Rotor adds tags to those that it has.
    echo["tags"] = json!(["garden", "older", "vip"]);
    let receipt = read(&prepared, &WireReply::of_json(200, &echo)).unwrap();
    assert_eq!(receipt.fields.confirmed.len(), prepared.sent.len());
    assert!(receipt.fields.differs.is_empty() && receipt.fields.unconfirmed.is_empty());
    assert_eq!(receipt.provider_customer_id, ROTOR_ID);
}

#[test]
fn a_status_that_is_the_envelopes_is_no_echo_of_the_customers() {
    let reply = WireReply::of_json(200, &json!({ "id": ROTOR_ID, "status": "success" }));
    let fields = read(&new_customer(), &reply).unwrap().fields;
    assert!(fields.differs.is_empty());
    assert!(fields.unconfirmed.contains(&"/status".into()));
}

#[test]
fn created_is_told_from_updated_by_status_then_words_then_the_link() {
    use Evidence::{Link, None as Nothing, VendorSaid};
    use Outcome::{Created, Updated, Upserted};
    let table = [
        // status, message, whether the id was sent: outcome, evidence, matched by
        (201, Some(CREATED), false, Created, VendorSaid, None),
        (201, None, false, Created, VendorSaid, None),
        (201, Some("Customer updated"), false, Created, VendorSaid, None),
        (200, Some(CREATED), false, Created, VendorSaid, None),
        (
            200,
            Some(" customer CREATED successfully. "),
            false,
            Created,
            VendorSaid,
            None,
        ),
        (200, Some(UPDATED), false, Updated, VendorSaid, Some(KeyKind::Phone)),
        (200, Some("OK"), false, Upserted, Nothing, Some(KeyKind::Phone)),
        (200, None, false, Upserted, Nothing, Some(KeyKind::Phone)),
        (202, None, false, Upserted, Nothing, Some(KeyKind::Phone)),
        // Other words than those of the pages decide nothing: they may say anything.
        (
            200,
            Some("No customer was created"),
            false,
            Upserted,
            Nothing,
            Some(KeyKind::Phone),
        ),
        (200, Some("0 updated"), false, Upserted, Nothing, Some(KeyKind::Phone)),
        (
            200,
            Some("Created by: web"),
            false,
            Upserted,
            Nothing,
            Some(KeyKind::Phone),
        ),
        (200, Some("Not updated"), false, Upserted, Nothing, Some(KeyKind::Phone)),
        (
            200,
            Some("Customer created successfully (dry run)"),
            false,
            Upserted,
            Nothing,
            Some(KeyKind::Phone),
        ),
        // A record whose id was sent was there before, whatever they say.
        (201, Some(CREATED), true, Updated, Link, Some(KeyKind::Id)),
        (200, Some(CREATED), true, Updated, Link, Some(KeyKind::Id)),
        (200, Some(UPDATED), true, Updated, VendorSaid, Some(KeyKind::Id)),
        (200, Some("OK"), true, Updated, Link, Some(KeyKind::Id)),
        (200, None, true, Updated, Link, Some(KeyKind::Id)),
    ];
    for (status, message, linked, outcome, evidence, matched_by) in table {
        let prepared = if linked { known_customer() } else { new_customer() };
        let body = json!({ "id": ROTOR_ID, "message": message });
        let receipt = read(&prepared, &WireReply::of_json(status, &body)).unwrap();
        assert_eq!(
            (receipt.outcome, receipt.evidence, receipt.matched_by),
            (outcome, evidence, matched_by),
            "{status} {message:?} {linked}"
        );
    }
}

#[test]
fn a_customer_without_a_phone_number_was_matched_by_email() {
    let prepared = Ask::of(&json!({ "email": "a@b.example" })).prepare(&rotor(json!({})));
    let reply = WireReply::of_json(200, &json!({ "id": ROTOR_ID, "message": UPDATED }));
    assert_eq!(read(&prepared, &reply).unwrap().matched_by, Some(KeyKind::Email));
}

#[test]
fn every_documented_error_has_one_meaning() {
    let scope = "Forbidden: required scope 'leads:read' not granted for this API key";
    let limit = "Daily API key request limit of 1000 exceeded";
    let errors = [
        (
            400,
            json!({
                "status": "error", "message": "Validation failed",
                "errors": [{ "field": "email", "message": "Invalid email format" }]
            }),
        ),
        (
            401,
            json!({
                "status": "error", "message": "Authentication required. Provide x-api-key header.",
                "error_code": "AUTHENTICATION_REQUIRED"
            }),
        ),
        (
            403,
            json!({ "status": "error", "message": scope, "error_code": "INSUFFICIENT_SCOPE" }),
        ),
        (404, json!({ "status": "error", "message": "Not found" })),
        (
            429,
            json!({ "status": "error", "message": limit, "error_code": "RATE_LIMIT_EXCEEDED" }),
        ),
        (500, json!({ "status": "error", "message": "Internal server error" })),
    ];
    let rotor = rotor(json!({}));
    let meant: Vec<Json> = errors
        .iter()
        .map(|(status, body)| decode(&rotor, &new_customer(), *status, body))
        .collect();
    assert_golden!("documented_errors", meant);
}

#[test]
fn an_id_that_rotor_no_longer_knows_is_a_stale_link() {
    let body = json!({ "status": "error", "message": "Not found" });
    assert_golden!("stale_link", decode(&rotor(json!({})), &known_customer(), 404, &body));
    let page = WireReply {
        body: Bytes::from_static(b"<html>nothing here</html>"),
        ..WireReply::of_json(404, &Json::Null)
    };
    let error = read(&known_customer(), &page).unwrap_err();
    assert_eq!(error.code.as_deref(), Some("link_stale"));
}

#[test]
fn a_429_is_a_spent_quota_unless_rotor_says_how_long_and_names_no_day() {
    let hour = RetryAfter::Wait(Duration::from_secs(3_600));
    let (absent, unreadable) = (RetryAfter::Absent, RetryAfter::Unreadable);
    let day = "Daily API key request limit of 1000 exceeded";
    let table = [
        (absent, day, "quota_spent", "Quota for None", "Backoff"),
        (absent, "Too many requests", "quota_spent", "Quota for None", "Backoff"),
        (unreadable, day, "quota_spent", "Quota for None", "Backoff"),
        (
            unreadable,
            "Too many requests",
            "rate_limited",
            "RateLimit for None",
            "Backoff",
        ),
        (hour, day, "quota_spent", "Quota for Some(3600s)", "After(3600s)"),
        (
            hour,
            "1000 requests PER DAY",
            "quota_spent",
            "Quota for Some(3600s)",
            "After(3600s)",
        ),
        (
            hour,
            "Too many requests",
            "rate_limited",
            "RateLimit for Some(3600s)",
            "After(3600s)",
        ),
    ];
    for (retry_after, message, kind, held, advice) in table {
        let reply = WireReply {
            retry_after,
            ..WireReply::of_json(429, &json!({ "status": "error", "message": message }))
        };
        let shown = answer(&read(&new_customer(), &reply));
        let error = &shown["error"];
        assert_eq!(
            (&error["kind"], &error["held"], &error["advice"], &error["state"]),
            (&json!(kind), &json!(held), &json!(advice), &json!("unchanged")),
            "{message}"
        );
    }
}

#[test]
fn a_complaint_points_at_our_own_field_wherever_it_can() {
    let ask = Ask {
        provider_fields: json!({ "priority": "high" }).as_object().cloned(),
        ..Ask::of(&full_person())
    };
    let prepared = ask.linked().only(&["priority", "phone"]).prepare(&rotor(json!({})));
    let body = json!({ "message": "Validation failed", "errors": [
        { "field": "phone", "message": "bad" },
        { "field": "billing_zip", "message": "bad" },
        { "field": "priority", "message": "bad" },
        { "field": "tags[0]", "message": "bad" },
        { "field": "property_city.0", "message": "bad" },
        { "field": "location" },
        { "message": "something" },
        "no object", 7, {},
    ]});
    let error = read(&prepared, &WireReply::of_json(400, &body)).unwrap_err();
    let pointers: Vec<_> = error
        .errors
        .iter()
        .map(|error| (error.vendor_field.as_str(), error.pointer.as_deref()))
        .collect();
    assert_eq!(
        pointers,
        [
            ("phone", Some("/phone")),
            ("billing_zip", Some("/addresses/billing/postal_code")),
            ("priority", Some("/provider_fields/priority")),
            ("tags[0]", Some("/tags")),
            ("property_city.0", Some("/addresses/property/city")),
            ("location", None),
            ("", None),
            ("", None),
            ("", None),
        ]
    );
    let words: Vec<_> = error.errors[6..].iter().map(|error| error.detail.as_str()).collect();
    assert_eq!(words, ["something", "no object", "7"]);
}

#[test]
fn a_success_that_cannot_be_understood_leaves_the_outcome_unknown() {
    let bodies: [&[u8]; 11] = [
        b"",
        b"OK",
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        br#"{"id": ""}"#,
        br#"{"id": "  "}"#,
        br#"{"id": 7.5}"#,
        br#"{"data": {"id": "x"}, "status": "success"}"#,
        br#"{"id": "x", "status": "error", "message": "Nope", "error_code": "ODD"}"#,
    ];
    for body in bodies {
        let reply = WireReply {
            body: Bytes::from_static(body),
            ..WireReply::of_json(200, &Json::Null)
        };
        let error = answer(&read(&new_customer(), &reply))["error"].clone();
        assert_eq!(
            (&error["kind"], &error["state"], &error["advice"]),
            (&json!("broken_contract"), &json!("unknown"), &json!("Never")),
            "{}",
            String::from_utf8_lossy(body)
        );
    }
}

#[test]
fn an_error_in_disguise_keeps_the_vendors_words() {
    let body = json!({ "status": "error", "message": "Nope", "error_code": "ODD" });
    assert_golden!(
        "error_under_success",
        decode(&rotor(json!({})), &new_customer(), 200, &body)
    );
}

#[test]
fn what_a_log_shows_of_an_error_holds_none_of_the_vendors_free_text() {
    let body = json!({
        "message": "no jane@canary.example: canary:jane here, canarycanarycanarycanarycanarycanary:read", "error_code": "canary jane",
        "errors": [{ "field": "email", "message": "canary" }]
    });
    for status in [200, 400, 401, 403, 404, 429, 500] {
        let error = read(&known_customer(), &WireReply::of_json(status, &body)).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("canary") && !shown.contains("jane"),
            "{status}: {shown}"
        );
    }
}

#[test]
fn a_code_that_no_page_of_the_vendor_lists_is_in_no_log_whatever_it_looks_like() {
    for (code, context) in [
        ("RATE_LIMIT_EXCEEDED", "RATE_LIMIT_EXCEEDED"),
        ("MUELLER", "other"),
        ("ANNA_MUELLER", "other"),
        ("INSUFFICIENT_SCOPE_", "other"),
        ("insufficient_scope", "other"),
        ("D4C0FFEE", "other"),
    ] {
        let body = json!({ "status": "error", "message": "no", "error_code": code });
        let error = read(&new_customer(), &WireReply::of_json(422, &body)).unwrap_err();
        assert_eq!((error.context.as_str(), error.code.as_deref()), (context, Some(code)));
    }
}

#[test]
fn operators_are_told_of_the_scope_that_is_missing_and_of_nothing_that_may_be_something_else() {
    for (message, context) in [
        ("Required scope 'leads:read' not granted", "scope leads:read"),
        ("Needs customers:write.", "scope customers:write"),
        ("Needs jane_doe:write.", "scope other"),
        ("Needs leads:admin", ""),
        ("Needs Leads:read", ""),
        ("Needs lead5:read", ""),
        ("Needs :read", ""),
        ("Needs read", ""),
    ] {
        let body = json!({ "status": "error", "message": message });
        let error = read(&new_customer(), &WireReply::of_json(403, &body)).unwrap_err();
        assert_eq!(error.context, context, "{message}");
    }
}

#[test]
fn the_number_of_the_daily_limit_is_learnt() {
    let limit = |status: u16, message: &str| {
        let body = json!({ "status": "error", "message": message, "error_code": "RATE_LIMIT_EXCEEDED" });
        let error = read(&new_customer(), &WireReply::of_json(status, &body)).unwrap_err();
        error.daily_limit.map(std::num::NonZeroU32::get)
    };
    assert_eq!(limit(429, "Daily API key request limit of 2,500 exceeded"), Some(2_500));
    assert_eq!(limit(429, "Limit of 60 requests per minute exceeded"), None);
    assert_eq!(limit(400, "Daily API key request limit of 2500 exceeded"), None);
    // What is no JSON has words too.
    let page = WireReply {
        body: Bytes::from_static(b"<h1>Daily limit of 50 reached</h1>"),
        retry_after: RetryAfter::Wait(Duration::from_secs(5)),
        ..WireReply::of_json(429, &Json::Null)
    };
    let error = read(&new_customer(), &page).unwrap_err();
    assert_eq!(
        (error.kind, error.daily_limit.map(u32::from)),
        (ErrorKind::QuotaSpent, Some(50))
    );
}

#[test]
fn ids_are_compared_as_the_uuids_that_they_are() {
    let canonical = |id: &str| rotor(json!({})).canonical_id(id);
    for id in [
        ROTOR_ID.to_uppercase(),
        format!("{{{ROTOR_ID}}}"),
        format!("urn:uuid:{ROTOR_ID}"),
        ROTOR_ID.replace('-', ""),
    ] {
        assert_eq!(canonical(&id), ROTOR_ID, "{id}");
    }
    for id in ["R-1", "r-1", "", "182bd5e5"] {
        assert_eq!(canonical(id), id);
    }
}

#[test]
fn a_long_text_of_the_vendors_is_cut() {
    let body = json!({ "message": "x".repeat(100_000) });
    let error = read(&new_customer(), &WireReply::of_json(400, &body)).unwrap_err();
    assert!(error.detail.len() < 600);
}
