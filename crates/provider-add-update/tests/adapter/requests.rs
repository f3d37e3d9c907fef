//! What is sent.

use std::collections::BTreeSet;

use serde_json::json;
use upsert_core::Field;

use crate::fixture::{Ask, GATEWAY_ID, customer, golden, john, shown, vendor, vendor_with};

#[test]
fn a_new_person_is_sent_whole() {
    let everything = customer(&json!({
        "reference": "CUST-123", "given_name": "John", "middle_name": "Q", "family_name": "Doe",
        "email": "john.doe@example.com", "phone": "(202) 555-0123", "status": "inactive", "notes": "Rings twice",
        "notifications": { "email": false, "phone": true }, "tags": ["vip"], "metadata": { "tier": "gold" },
        "addresses": { "property": { "line1": "1 Main St", "country": "US" } }
    }));
    golden!("request_new_person", shown(&Ask::default().of(&vendor(), &everything)));
}

#[test]
fn without_a_reference_the_gateways_id_is_the_external_id() {
    let nameless = customer(&json!({ "given_name": "John", "email": "john.doe@example.com" }));
    let plan = Ask::default().of(&vendor(), &nameless);
    assert_eq!(plan.as_ref().unwrap().request.body["externalId"], GATEWAY_ID);
    golden!("request_without_reference", shown(&plan));
}

#[test]
fn a_record_made_with_the_gateways_id_goes_on_under_it() {
    let ask = Ask {
        link: Some(GATEWAY_ID),
        ..Ask::default()
    };
    golden!("request_link_by_gateway_id", shown(&ask.of(&vendor(), &john())));
}

#[test]
fn a_changed_field_goes_with_the_key_and_what_is_required() {
    let ask = Ask {
        link: Some("CUST-123"),
        only: Some(BTreeSet::from(["phoneNumber".to_owned()])),
        ..Ask::default()
    };
    golden!("request_changed_phone", shown(&ask.of(&vendor(), &john())));
}

#[test]
fn a_changed_or_cleared_reference_shows_as_another_link_key() {
    let ask = Ask {
        link: Some("OLD-1"),
        cleared: BTreeSet::from([Field::Reference]),
        ..Ask::default()
    };
    let renamed = ask.of(&vendor(), &john()).unwrap();
    assert_eq!(renamed.link_key.value, "CUST-123");
    assert_eq!(renamed.intent, upsert_core::Intent::Upsert);
    let nameless = customer(&json!({ "given_name": "John", "phone": "+12025550123" }));
    let cleared = ask.of(&vendor(), &nameless).unwrap();
    assert_eq!(cleared.link_key.value, GATEWAY_ID);
    assert_eq!(cleared.warnings, []);
}

#[test]
fn a_cleared_field_is_kept_by_the_vendor_unless_it_is_set_how_to_clear() {
    let ask = Ask {
        link: Some("CUST-123"),
        cleared: BTreeSet::from([Field::FamilyName, Field::Notes]),
        ..Ask::default()
    };
    let john = customer(&json!({ "reference": "CUST-123", "given_name": "John" }));
    golden!("request_clear_default", shown(&ask.of(&vendor(), &john)));
    golden!(
        "request_clear_with_null",
        shown(&ask.of(&vendor_with(json!({ "clear_with": "null" })), &john))
    );
    golden!(
        "request_clear_with_empty",
        shown(&ask.of(&vendor_with(json!({ "clear_with": "empty" })), &john))
    );
}

#[test]
fn an_organisation_is_refused_unless_its_name_may_stand_as_first_name() {
    let acme = customer(&json!({
        "reference": "ORG-1", "kind": "organisation", "organisation_name": "Acme", "given_name": "Jo", "tax_id": "51824753556"
    }));
    golden!(
        "request_organisation_refused",
        shown(&Ask::default().of(&vendor(), &acme))
    );
    let lenient = vendor_with(json!({ "organisation_as_first_name": true }));
    golden!(
        "request_organisation_as_first_name",
        shown(&Ask::default().of(&lenient, &acme))
    );
}

#[test]
fn a_missing_first_name_refuses_the_plan() {
    let nameless = customer(&json!({ "reference": "CUST-123" }));
    golden!(
        "request_without_first_name",
        shown(&Ask::default().of(&vendor(), &nameless))
    );
}

#[test]
fn provider_fields_go_over_the_mapping_but_never_over_the_key() {
    let ask = Ask {
        provider_fields: json!({ "loyalty": { "level": 3 }, "lastName": "Smith", "externalId": "EVIL" }),
        ..Ask::default()
    };
    golden!("request_provider_fields", shown(&ask.of(&vendor(), &john())));
}
