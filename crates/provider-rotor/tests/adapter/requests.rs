//! Golden requests.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use upsert_core::{Field, WarningCode, Word as _};

use crate::samples::{Ask, ROTOR_ID, assert_golden, full_person, plan, rotor};

#[test]
fn a_new_person_is_sent_whole_and_matched_by_phone_then_email() {
    assert_golden!("new_person", plan(&Ask::of(&full_person()).prepare(&rotor(json!({})))));
}

#[test]
fn an_organisation_is_sent_under_its_company_name() {
    let organisation = json!({
        "reference": "crm-2", "kind": "organisation", "organisation_name": "Acme Pty Ltd", "tax_id": "51824753556",
        "email": "office@acme.example", "verified": true, "metadata": { "tier": "gold" },
        "notifications": { "email": true, "phone": false }
    });
    assert_golden!(
        "new_organisation",
        plan(&Ask::of(&organisation).prepare(&rotor(json!({}))))
    );
}

#[test]
fn a_known_record_gets_its_id_and_what_changed_alone() {
    let ask = Ask::of(&full_person()).linked().only(&["last_name", "property_zip"]);
    assert_golden!("changed_only", plan(&ask.prepare(&rotor(json!({})))));
}

#[test]
fn a_changed_phone_number_still_goes_to_the_same_record() {
    let prepared = Ask::of(&full_person())
        .linked()
        .only(&["phone"])
        .prepare(&rotor(json!({})));
    assert_eq!(
        prepared.request.body,
        json!({ "id": ROTOR_ID, "phone": "+12025550123" })
    );
}

#[test]
fn without_an_id_both_match_keys_go_along_whatever_was_selected() {
    let prepared = Ask::of(&full_person()).only(&["notes"]).prepare(&rotor(json!({})));
    assert_eq!(
        prepared.request.body,
        json!({ "phone": "+12025550123", "email": "jane@example.com", "notes": "Gate code at the door.\nDog." })
    );
}

#[test]
fn a_national_phone_number_is_the_same_in_body_and_keys() {
    let prepared = Ask::of(&full_person()).prepare(&rotor(json!({ "phone_format": "national" })));
    assert_eq!(prepared.request.body["phone"], "(202) 555-0123");
    for key in [
        prepared.match_key.as_ref(),
        prepared.matches_by.first(),
        prepared.known_by.first(),
        Some(&prepared.link_key),
    ] {
        assert_eq!(key.unwrap().value, "(202) 555-0123");
    }
}

#[test]
fn the_link_key_is_the_first_key_that_is_there() {
    for (record, kind, value) in [
        (
            json!({ "phone": "+12025550123", "email": "a@b.example" }),
            "phone",
            "+12025550123",
        ),
        (json!({ "phone": "+12025550123" }), "phone", "+12025550123"),
        (json!({ "email": "a@b.example" }), "email", "a@b.example"),
    ] {
        let key = Ask::of(&record).prepare(&rotor(json!({}))).link_key;
        assert_eq!((key.kind.as_str(), key.value.as_str()), (kind, value));
    }
}

#[test]
fn a_customer_that_rotor_could_not_match_again_is_refused() {
    let nameless = json!({ "reference": "crm-3", "given_name": "Jo" });
    let violations = Ask::of(&nameless).encode(&rotor(json!({}))).unwrap_err();
    assert_eq!(violations.len(), 1);
    assert_eq!(
        (violations[0].pointer.as_str(), violations[0].code),
        ("/phone", "required")
    );
    assert!(violations[0].detail.contains("phone number or an e-mail"));
    let linked = Ask::of(&nameless).linked().prepare(&rotor(json!({})));
    assert_eq!(linked.request.body, json!({ "id": ROTOR_ID, "first_name": "Jo" }));
    assert!(linked.known_by.is_empty());
}

fn clearing() -> Ask {
    Ask {
        cleared: BTreeSet::from([
            Field::GivenName,
            Field::Notes,
            Field::Tags,
            Field::TaxId,
            Field::BillingLine2,
        ]),
        tags_lost: true,
        ..Ask::of(&json!({ "email": "jane@example.com" }))
    }
    .linked()
    .only(&["first_name", "notes", "tags", "billing_street2"])
}

#[test]
fn what_cannot_be_cleared_is_warned_about() {
    assert_golden!("clear_by_default", plan(&clearing().prepare(&rotor(json!({})))));
}

#[test]
fn fields_are_cleared_by_null_where_a_connection_says_so() {
    let rotor = rotor(json!({ "clear_with": "null" }));
    assert_golden!("clear_with_null", plan(&clearing().prepare(&rotor)));
}

#[test]
fn fields_are_cleared_by_empty_texts_where_a_connection_says_so() {
    let rotor = rotor(json!({ "clear_with": "empty" }));
    assert_golden!("clear_with_empty", plan(&clearing().prepare(&rotor)));
}

#[test]
fn texts_over_a_soft_limit_are_sent_whole_with_a_warning() {
    for (record, name, limit) in [
        (
            |text: &str| json!({ "phone": "+12025550123", "notes": text }),
            "notes",
            2_000,
        ),
        (
            |text: &str| json!({ "phone": "+12025550123", "service": { "type": text } }),
            "service_type",
            100,
        ),
    ] as [(fn(&str) -> Json, &str, usize); 2]
    {
        let (fits, over) = ("é".repeat(limit), "é".repeat(limit + 1));
        assert!(Ask::of(&record(&fits)).prepare(&rotor(json!({}))).warnings.is_empty());
        let prepared = Ask::of(&record(&over)).prepare(&rotor(json!({})));
        assert_eq!(prepared.request.body[name], Json::String(over));
        let codes: Vec<WarningCode> = prepared.warnings.iter().map(|warning| warning.code).collect();
        assert_eq!(codes, [WarningCode::MayBeCut]);
    }
}

#[test]
fn fields_of_the_vendors_own_are_passed_through_over_the_mapping() {
    let fields = json!({ "source": "import", "priority": "high" });
    let ask = Ask {
        provider_fields: fields.as_object().cloned(),
        ..Ask::of(&json!({ "phone": "+12025550123", "source": "web" }))
    };
    let prepared = ask.prepare(&rotor(json!({})));
    assert_eq!(
        prepared.request.body,
        json!({ "phone": "+12025550123", "source": "import", "priority": "high" })
    );
    assert_eq!(prepared.sent["priority"].pointer, "/provider_fields/priority");
}
