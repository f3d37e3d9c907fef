//! What is sent.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use upsert_core::{Customer, Field, Intent, KeyKind, MatchKey};

use crate::fixture::{Ask, acme, customer, golden, lucy, shown, vendor, vendor_with};

fn linked(kind: KeyKind, value: &str) -> Ask {
    Ask {
        link: Some(MatchKey::new(kind, value)),
        ..Ask::default()
    }
}

fn body(settings: Json, customer: &Customer) -> Json {
    Ask::default()
        .of(&vendor_with(settings), customer)
        .unwrap()
        .request
        .body
}

#[test]
fn a_new_person_is_sent_whole() {
    let everything = customer(&json!({
        "reference": "CUST-48822821", "given_name": "Lucy", "middle_name": "Sky", "family_name": "Diamond",
        "email": "Lucy.Diamond@star.com", "phone": "0401 234 567", "verified": true, "metadata": { "tier": "gold" },
        "status": "active", "notes": "Rings twice", "tags": ["vip"], "tax_id": "51824753556",
        "addresses": { "billing": { "line1": "1 Main St" } }
    }));
    golden!("request_new_person", shown(&Ask::default().of(&vendor(), &everything)));
}

#[test]
fn a_person_without_a_reference_has_none_there() {
    let plain = customer(&json!({ "email": "lucy.diamond@star.com", "phone": "0401234567", "family_name": "Diamond" }));
    golden!(
        "request_person_without_reference",
        shown(&Ask::default().of(&vendor(), &plain))
    );
}

#[test]
fn a_new_organisation_has_its_own_wrapper_and_key() {
    let mut everything = acme();
    everything.set(Field::Verified, upsert_core::Value::Flag(true));
    everything.set(Field::Phone, upsert_core::Value::Text("+61401234567".to_owned()));
    golden!(
        "request_new_organisation",
        shown(&Ask::default().of(&vendor(), &everything))
    );
    let wrapper = body(json!({ "organisation_wrapper": "UpsertCompany" }), &acme());
    assert_eq!(wrapper["UpsertCompany"]["taxId"], "51824753556");
}

#[test]
fn a_known_record_is_updated_by_its_key_and_its_id_has_to_come_back() {
    let ask = Ask {
        only: Some(BTreeSet::from(["givenName".to_owned()])),
        ..linked(KeyKind::Email, "lucy.diamond@star.com")
    };
    let mut lucy = lucy();
    lucy.set(
        Field::Metadata,
        upsert_core::Value::Map([("a".to_owned(), "b".to_owned())].into()),
    );
    golden!("request_changed_given_name", shown(&ask.of(&vendor(), &lucy)));
}

#[test]
fn a_changed_key_or_kind_shows_as_another_link_key() {
    for (ask, customer, kind, value) in [
        (
            linked(KeyKind::Email, "old@star.com"),
            lucy(),
            KeyKind::Email,
            "lucy.diamond@star.com",
        ),
        (linked(KeyKind::Reference, "ORG-0"), acme(), KeyKind::Reference, "ORG-1"),
        (
            linked(KeyKind::Email, "accounts@acme.example"),
            acme(),
            KeyKind::Reference,
            "ORG-1",
        ),
    ] {
        let plan = ask.of(&vendor(), &customer).unwrap();
        assert_eq!(plan.link_key, MatchKey::new(kind, value));
        assert_eq!((plan.intent, plan.expected_id), (Intent::Upsert, None));
    }
}

#[test]
fn a_persons_changed_reference_is_a_field_like_any_other() {
    let mut renamed = lucy();
    renamed.set(Field::Reference, upsert_core::Value::Text("CUST-2".to_owned()));
    let plan = linked(KeyKind::Email, "lucy.diamond@star.com")
        .of(&vendor(), &renamed)
        .unwrap();
    assert_eq!(plan.intent, Intent::Update);
    assert_eq!(plan.sent["referenceCustomerId"].value, "CUST-2");
}

#[test]
fn verified_is_sent_only_if_somebody_said_so() {
    let person = |settings| body(settings, &lucy())["UpsertConsumerCustomer"]["isVerified"].clone();
    assert_eq!(person(json!({})), Json::Null);
    assert_eq!(person(json!({ "default_verified": false })), json!(false));
    assert_eq!(person(json!({ "default_verified": true })), json!(true));
    let organisation = body(json!({ "default_verified": true }), &acme());
    assert_eq!(
        organisation["UpsertOrganisationCustomer"]["organisationKyced"],
        json!(true)
    );
    let mut unverified = lucy();
    unverified.set(Field::Verified, upsert_core::Value::Flag(false));
    let said = body(json!({ "default_verified": true }), &unverified);
    assert_eq!(said["UpsertConsumerCustomer"]["isVerified"], json!(false));
}

#[test]
fn verified_that_was_taken_back_falls_to_the_default_if_there_is_one() {
    let ask = Ask {
        cleared: BTreeSet::from([Field::Verified]),
        ..Ask::default()
    };
    let plan = ask
        .of(&vendor_with(json!({ "default_verified": true })), &lucy())
        .unwrap();
    assert_eq!(plan.sent["isVerified"].value, json!(true));
    assert_eq!(plan.warnings, []);
    let plan = ask.of(&vendor(), &lucy()).unwrap();
    assert_eq!(plan.warnings[0].pointer, "/verified");
}

#[test]
fn a_cleared_field_is_kept_by_the_vendor_unless_it_is_set_how_to_clear() {
    let ask = Ask {
        cleared: BTreeSet::from([Field::GivenName, Field::Metadata, Field::Notes]),
        ..linked(KeyKind::Email, "lucy.diamond@star.com")
    };
    let lucy = customer(&json!({ "email": "lucy.diamond@star.com", "phone": "0401234567", "family_name": "Diamond" }));
    golden!("request_clear_default", shown(&ask.of(&vendor(), &lucy)));
    golden!(
        "request_clear_with_null",
        shown(&ask.of(&vendor_with(json!({ "clear_with": "null" })), &lucy))
    );
    golden!(
        "request_clear_with_empty",
        shown(&ask.of(&vendor_with(json!({ "clear_with": "empty" })), &lucy))
    );
}

#[test]
fn what_is_required_depends_on_kind_and_strictness() {
    let bare = customer(&json!({ "reference": "X" }));
    golden!("request_person_refused", shown(&Ask::default().of(&vendor(), &bare)));
    let lenient = vendor_with(json!({ "strict": false }));
    golden!(
        "request_person_refused_lenient",
        shown(&Ask::default().of(&lenient, &bare))
    );
    let by_email = customer(&json!({ "email": "lucy.diamond@star.com" }));
    assert!(Ask::default().of(&lenient, &by_email).is_ok());
    let organisation = customer(&json!({ "kind": "organisation", "phone": "0401234567" }));
    golden!(
        "request_organisation_refused",
        shown(&Ask::default().of(&lenient, &organisation))
    );
}

#[test]
fn provider_fields_go_inside_the_wrapper_but_never_over_the_key() {
    let ask = Ask {
        provider_fields: json!({ "organisationCreditChecked": true, "referenceCustomerId": "EVIL" }),
        ..Ask::default()
    };
    golden!("request_provider_fields", shown(&ask.of(&vendor(), &acme())));
}
