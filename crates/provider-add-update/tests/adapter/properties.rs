//! Promises that hold for every customer and every answer.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value as Json, json};

use upsert_core::field::Rule;
use upsert_core::{Customer, Field, Value, Word as _};
use upsert_provider_add_update::AddUpdate;
use upsert_provider_kit::{HttpVendor, WireReply};

use crate::fixture::{Ask, GATEWAY_ID, prepared, raw, vendor, vendor_with};

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
        "externalId",
        "firstName",
        "email",
        "active",
        "createdAt",
        "updatedAt",
        "error",
        "code",
        "message",
        "details",
        "field",
        "statusCode",
        "notificationOptions",
        "notifyEmail",
        "data",
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
    let vendor = vendor();
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
        cleared in subsequence(Field::ALL, 0..8),
        organisation_as_first_name: bool,
        clear_with in select(vec![json!(null), json!("null"), json!("empty")]),
        link in select(vec![None, Some("OLD-1"), Some(GATEWAY_ID)]),
    ) {
        let vendor = vendor_with(json!({
            "organisation_as_first_name": organisation_as_first_name, "clear_with": clear_with,
        }));
        let customer = of_fields(&fields);
        let cleared: BTreeSet<Field> = cleared.into_iter().filter(|field| customer.get(*field).is_none()).collect();
        let ask = Ask { link, cleared: cleared.clone(), ..Ask::default() };
        match ask.of(&vendor, &customer) {
            Ok(plan) => {
                let told: BTreeSet<&str> = plan.sent.values().map(|sent| sent.pointer.as_ref())
                    .chain(plan.warnings.iter().map(|warning| warning.pointer.as_ref()))
                    .collect();
                for field in fields.iter().filter(|field| **field != Field::Kind) {
                    prop_assert!(told.contains(field.pointer()), "{field:?} is lost");
                }
                let clearable = clearable(&customer);
                for field in cleared.iter().filter(|field| clearable.contains(field)) {
                    prop_assert!(told.contains(field.pointer()), "clearing {field:?} is lost");
                }
                prop_assert_eq!(plan.link_key.value, plan.expected_id.unwrap());
            }
            Err(violations) => {
                prop_assert!(!violations.is_empty());
                for violation in violations {
                    let field = Field::from_pointer(&violation.pointer).unwrap();
                    prop_assert!(field == Field::Kind || customer.get(field).is_none());
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

/// The fields that can be cleared or warned about. The key is never cleared: it shows as another link key.
fn clearable(customer: &Customer) -> Vec<Field> {
    let settings = serde_json::from_value(json!({ "organisation_as_first_name": true })).unwrap();
    let capabilities = AddUpdate::capabilities(&settings);
    let form = capabilities.form(customer.kind()).unwrap();
    let fields = form.fields.iter().map(|map| map.field);
    fields.filter(|field| *field != Field::Reference).collect()
}

#[test]
fn every_field_of_the_capabilities_is_sent() {
    let settings = json!({ "organisation_as_first_name": true });
    let capabilities = AddUpdate::capabilities(&serde_json::from_value(settings.clone()).unwrap());
    assert_eq!(capabilities.forms.len(), 2);
    for form in &capabilities.forms {
        let mut customer = of_fields(&form.fields.iter().map(|map| map.field).collect::<Vec<_>>());
        customer.set(Field::Kind, Value::Text(form.kinds[0].as_str().to_owned()));
        let plan = Ask::default().of(&vendor_with(settings.clone()), &customer).unwrap();
        let declared: BTreeSet<&str> = form.fields.iter().map(|map| map.vendor_field).collect();
        let sent: BTreeSet<&str> = plan.sent.keys().map(String::as_str).collect();
        assert_eq!(sent, declared);
        for (vendor_field, sent) in &plan.sent {
            let path = format!("/{vendor_field}");
            assert_eq!(plan.request.body.pointer(&path), Some(&sent.value), "{vendor_field}");
        }
        assert_eq!(plan.match_key.map(|key| key.kind), form.match_keys.first().copied());
        for required in form.fields.iter().filter(|map| map.required) {
            let mut without = Customer::default();
            customer
                .fields()
                .filter(|(field, _)| *field != required.field)
                .for_each(|(f, v)| without.set(f, v.clone()));
            let violations = Ask::default().of(&vendor_with(settings.clone()), &without).unwrap_err();
            assert_eq!(violations[0].pointer, required.field.pointer());
        }
    }
}
