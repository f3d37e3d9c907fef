//! Promises that hold for every customer and every answer.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value as Json, json};

use upsert_core::field::Rule;
use upsert_core::{Customer, Field, KeyKind, MatchKey, Value, Word as _};
use upsert_provider_april::{April, AprilSettings};
use upsert_provider_kit::{HttpVendor, WireReply};

use crate::fixture::{Ask, marketplace, prepared, raw, vendor, vendor_with};

fn plausible(field: Field) -> Value {
    match field.rule() {
        Rule::Flag => Value::Flag(true),
        Rule::Tags => Value::Tags(BTreeSet::from(["vip".to_owned()])),
        Rule::Map => Value::Map(BTreeMap::from([("a".to_owned(), "b".to_owned())])),
        Rule::Word(words) => Value::Text((*words.last().unwrap()).to_owned()),
        Rule::Email => Value::Text("jo@example.com".to_owned()),
        Rule::Phone => Value::Text("+12025550123".to_owned()),
        Rule::Country => Value::Text("US".to_owned()),
        Rule::Text(_) => Value::Text(format!("text of {}", field.pointer())),
    }
}

fn of_fields(fields: &[Field]) -> Customer {
    let mut customer = Customer::default();
    for field in fields {
        customer.set(*field, plausible(*field));
    }
    customer
}

fn any_json() -> impl Strategy<Value = Json> {
    let names = [
        "customerId",
        "merchantId",
        "emailAddress",
        "organisationName",
        "metadata",
        "isVerified",
        "statusCode",
        "errorCode",
        "message",
        "tracer",
        "detail",
        "errorTypeDescription",
        "OrganisationCustomer",
    ];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        "\\PC{0,12}".prop_map(Json::from),
        Just(json!("2024-03-20T10:00:00Z")),
        select(names.to_vec()).prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Json::Array),
            proptest::collection::vec((select(names.to_vec()), inner), 0..6).prop_map(|members| members
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<Map<_, _>>()
                .into()),
        ]
    })
}

fn survives(reply: &WireReply) {
    let vendor = marketplace();
    match vendor.decode(&prepared(), reply) {
        Ok(receipt) => assert!(reply.is_success() && !receipt.provider_customer_id.is_empty()),
        Err(error) => assert_eq!(error.vendor_status, Some(reply.status)),
    }
    let reads = vendor.reads().unwrap();
    let _ = reads.decode_list(&upsert_core::ListQuery::default(), reply);
    let _ = reads.decode_read(reply);
}

proptest! {
    #[test]
    fn no_canonical_field_is_lost_without_a_warning(
        fields in subsequence(Field::ALL, 0..=Field::ALL.len()),
        key in any::<bool>(),
        cleared in subsequence(Field::ALL, 0..8),
        strict: bool,
        default_verified in select(vec![json!(null), json!(false), json!(true)]),
        clear_with in select(vec![json!(null), json!("null"), json!("empty")]),
        link in select(vec![None, Some(KeyKind::Email), Some(KeyKind::Reference)]),
    ) {
        let vendor = vendor_with(json!({
            "strict": strict, "default_verified": default_verified, "clear_with": clear_with,
        }));
        let mut customer = of_fields(&fields);
        if key {
            // Most random customers lack something that is required: half of them are helped.
            for field in [Field::Email, Field::Phone, Field::FamilyName, Field::Reference, Field::OrganisationName, Field::TaxId] {
                customer.set(field, plausible(field));
            }
        }
        let cleared: BTreeSet<Field> = cleared.into_iter().filter(|field| customer.get(*field).is_none()).collect();
        let link = link.map(|kind| MatchKey::new(kind, "jo@example.com"));
        let ask = Ask { link, cleared: cleared.clone(), ..Ask::default() };
        match ask.of(&vendor, &customer) {
            Ok(plan) => {
                let told: BTreeSet<&str> = plan.sent.values().map(|sent| sent.pointer.as_ref())
                    .chain(plan.warnings.iter().map(|warning| warning.pointer.as_ref()))
                    .collect();
                for (field, _) in customer.fields().filter(|(field, _)| *field != Field::Kind) {
                    prop_assert!(told.contains(field.pointer()), "{field:?} is lost");
                }
                let capabilities = April::capabilities(&AprilSettings::default());
                let form = capabilities.form(customer.kind()).unwrap();
                for map in form.fields.iter().filter(|map| cleared.contains(&map.field)) {
                    prop_assert!(told.contains(map.field.pointer()), "clearing {:?} is lost", map.field);
                }
                prop_assert_eq!(plan.match_key, Some(plan.link_key));
            }
            Err(violations) => {
                prop_assert!(!violations.is_empty());
                for violation in violations {
                    let field = Field::from_pointer(&violation.pointer).unwrap();
                    prop_assert!(customer.get(field).is_none());
                }
            }
        }
    }

    #[test]
    fn no_null_is_sent_unless_it_is_how_to_clear(
        fields in subsequence(Field::ALL, 0..=Field::ALL.len()),
        cleared in subsequence(Field::ALL, 0..8),
    ) {
        let customer = of_fields(&fields);
        let ask = Ask { cleared: cleared.into_iter().collect(), ..Ask::default() };
        if let Ok(plan) = ask.of(&vendor(), &customer) {
            prop_assert!(!plan.request.body.to_string().contains("null"));
        }
    }

    #[test]
    fn no_bytes_make_decoding_panic(status in 100u16..1_000, body: Vec<u8>) {
        survives(&raw(status, body));
    }

    #[test]
    fn no_json_makes_decoding_panic(
        status in prop_oneof![Just(200u16), Just(201), Just(204), Just(400), Just(409), 100u16..1_000],
        body in any_json(),
    ) {
        survives(&WireReply::of_json(status, &body));
    }
}

#[test]
fn every_field_of_the_capabilities_is_sent() {
    let capabilities = April::capabilities(&AprilSettings::default());
    assert_eq!(capabilities.forms.len(), 2);
    for form in &capabilities.forms {
        let mut customer = of_fields(&form.fields.iter().map(|map| map.field).collect::<Vec<_>>());
        customer.set(Field::Kind, Value::Text(form.kinds[0].as_str().to_owned()));
        let plan = Ask::default().of(&vendor(), &customer).unwrap();
        let declared: BTreeSet<&str> = form.fields.iter().map(|map| map.vendor_field).collect();
        let sent: BTreeSet<&str> = plan.sent.keys().map(String::as_str).collect();
        assert_eq!(sent, declared);
        let wrapper = plan.request.body.as_object().unwrap().values().next().unwrap();
        for (vendor_field, sent) in &plan.sent {
            assert_eq!(wrapper.get(vendor_field), Some(&sent.value), "{vendor_field}");
        }
        assert_eq!(plan.match_key.map(|key| key.kind), form.match_keys.first().copied());
        for required in form.fields.iter().filter(|map| map.required) {
            let mut without = Customer::default();
            for (field, value) in customer.fields().filter(|(field, _)| *field != required.field) {
                without.set(field, value.clone());
            }
            let violations = Ask::default().of(&vendor(), &without).unwrap_err();
            assert_eq!(violations[0].pointer, required.field.pointer());
        }
    }
}
