//! What holds for every customer and every answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value as Json, json};

use upsert_core::field::Rule;
use upsert_core::{Customer, Field, Kind, ListQuery, Value, Word as _};
use upsert_provider_kit::{HttpVendor, RetryAfter, WireReply};
use upsert_provider_rotor::{Rotor, RotorSettings};

use crate::samples::{Ask, rotor};

/// The fields whose loss is no news: the link store joins records, and a company's name implies the kind.
const SILENT: [&str; 2] = ["/reference", "/kind"];

fn value(field: Field) -> BoxedStrategy<Value> {
    let text = |strategy: BoxedStrategy<String>| strategy.prop_map(Value::Text).boxed();
    match field.rule() {
        Rule::Text(rule) if rule.line_breaks == upsert_core::text::LineBreaks::Kept => {
            text("[a-z]{1,20}(\n[a-z]{0,3000})?".boxed())
        }
        Rule::Text(_) => text("[a-zA-Zé]{1,10}( [a-z]{1,120})?".boxed()),
        Rule::Email => text("[a-z]{1,8}@[a-z]{1,8}\\.example".boxed()),
        Rule::Phone => text("\\+1202555[0-9]{4}".boxed()),
        Rule::Country => text(select(vec!["US", "CA", "AU"]).prop_map(str::to_owned).boxed()),
        Rule::Word(words) => text(select(words).prop_map(str::to_owned).boxed()),
        Rule::Flag => any::<bool>().prop_map(Value::Flag).boxed(),
        Rule::Tags => prop::collection::btree_set("[a-z]{1,8}", 1..4)
            .prop_map(Value::Tags)
            .boxed(),
        Rule::Map => prop::collection::btree_map("[a-z]{1,8}", "[a-z]{1,8}", 1..4)
            .prop_map(Value::Map)
            .boxed(),
    }
}

fn customer_of(fields: Vec<Field>) -> impl Strategy<Value = Customer> {
    let values: Vec<_> = fields.iter().map(|field| value(*field)).collect();
    values.prop_map(move |values| {
        let mut customer = Customer::default();
        for (field, value) in fields.iter().zip(values) {
            customer.set(*field, value);
        }
        customer
    })
}

fn any_customer() -> impl Strategy<Value = Customer> {
    subsequence(Field::ALL.to_vec(), 0..=Field::ALL.len()).prop_flat_map(customer_of)
}

fn settings() -> impl Strategy<Value = Json> {
    (
        select(vec![Json::Null, json!("null"), json!("empty")]),
        select(vec!["e164", "national"]),
    )
        .prop_map(|(clear_with, phone_format)| json!({ "clear_with": clear_with, "phone_format": phone_format }))
}

/// JSON made of the vendor's own words, in right and wrong places.
fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<String>().prop_map(Json::from),
        select(vec![
            "error",
            "success",
            "active",
            "r-1",
            "Customer created",
            "+12025550123"
        ])
        .prop_map(Json::from),
    ];
    let names = select(vec![
        "id",
        "message",
        "status",
        "error_code",
        "errors",
        "field",
        "data",
        "address",
        "country",
        "phone",
        "email",
        "tags",
        "notes",
        "first_name",
        "pagination",
        "has_more",
    ]);
    leaf.prop_recursive(4, 48, 8, move |inner| {
        let members = prop::collection::vec((names.clone(), inner.clone()), 0..8);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Json::Array),
            members.prop_map(|all| {
                let all = all.into_iter().map(|(name, value)| (name.to_owned(), value));
                Json::Object(all.collect::<Map<_, _>>())
            }),
        ]
    })
}

fn any_body() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from),
        any_json().prop_map(|json| Bytes::from(json.to_string())),
    ]
}

fn any_status() -> impl Strategy<Value = u16> {
    prop_oneof![
        3 => select(vec![200_u16, 201, 400, 401, 403, 404, 409, 422, 429, 500, 503]),
        1 => any::<u16>(),
    ]
}

fn any_reply() -> impl Strategy<Value = WireReply> {
    let wait = prop_oneof![
        Just(RetryAfter::Absent),
        Just(RetryAfter::Unreadable),
        (0_u64..100_000).prop_map(|seconds| RetryAfter::Wait(Duration::from_secs(seconds))),
    ];
    (any_status(), any_body(), wait).prop_map(|(status, body, retry_after)| WireReply {
        retry_after,
        body,
        ..WireReply::of_json(status, &Json::Null)
    })
}

proptest! {
    #[test]
    fn no_canonical_field_is_lost_without_a_warning(
        customer in any_customer(),
        linked in any::<bool>(),
        settings in settings(),
    ) {
        let ask = Ask { customer: customer.clone(), linked, ..Ask::default() };
        let Ok(prepared) = ask.encode(&rotor(settings)) else {
            let matchable = [Field::Phone, Field::Email].iter().any(|field| customer.get(*field).is_some());
            prop_assert!(!linked && !matchable, "refused though it can be matched");
            return Ok(());
        };
        let sent: BTreeSet<&str> = prepared.sent.values().map(|sent| sent.pointer.as_ref()).collect();
        let warned: BTreeSet<&str> = prepared.warnings.iter().map(|warning| warning.pointer.as_ref()).collect();
        for (field, _) in customer.fields() {
            let pointer = field.pointer();
            let accounted = sent.contains(pointer) || warned.contains(pointer) || SILENT.contains(&pointer);
            prop_assert!(accounted, "{pointer} is lost");
        }
        // What is said to be sent is in the body, and nothing else is, but for the id of the link.
        let body = prepared.request.body.as_object().unwrap();
        let in_body: BTreeMap<&String, &Json> = body.iter().filter(|(name, _)| *name != "id").collect();
        let said: BTreeMap<&String, &Json> = prepared.sent.iter().map(|(name, sent)| (name, &sent.value)).collect();
        prop_assert_eq!(in_body, said);
        prop_assert_eq!(body.contains_key("id"), linked);
    }

    #[test]
    fn every_field_of_the_capabilities_really_appears_in_the_request(
        customer in customer_of(Field::ALL.to_vec()),
        linked in any::<bool>(),
        kind in select(vec![Kind::Person, Kind::Organisation]),
    ) {
        let mut customer = customer;
        customer.set(Field::Kind, Value::Text(kind.as_str().to_owned()));
        let capabilities = Rotor::capabilities(&RotorSettings::default());
        let form = capabilities.form(kind).unwrap();
        let prepared = Ask { customer, linked, ..Ask::default() }.prepare(&rotor(json!({})));
        let promised: BTreeMap<&str, &str> =
            form.fields.iter().map(|map| (map.vendor_field, map.field.pointer())).collect();
        let sent: BTreeMap<&str, &str> =
            prepared.sent.iter().map(|(name, sent)| (name.as_str(), sent.pointer.as_ref())).collect();
        prop_assert_eq!(promised, sent);
        // The keys come in the order that the capabilities promise.
        let order: Vec<usize> = prepared
            .matches_by
            .iter()
            .map(|key| form.match_keys.iter().position(|kind| *kind == key.kind).unwrap())
            .collect();
        prop_assert!(order.is_sorted());
    }

    #[test]
    fn no_answer_makes_decoding_panic_and_no_record_comes_without_an_id(
        reply in any_reply(),
        linked in any::<bool>(),
    ) {
        let rotor = rotor(json!({}));
        let ask = Ask { linked, ..Ask::of(&json!({ "phone": "+12025550123", "tags": ["a"] })) };
        match rotor.decode(&ask.prepare(&rotor), &reply) {
            Ok(receipt) => prop_assert!(reply.is_success() && !receipt.provider_customer_id.trim().is_empty()),
            Err(error) => prop_assert_eq!(error.vendor_status, Some(reply.status)),
        }
        let reads = rotor.reads().unwrap();
        if let Ok(Some(record)) = reads.decode_read(&reply) {
            let has_an_id = record.provider_customer_id.is_some_and(|id| !id.trim().is_empty());
            let says_so = record.unreadable.iter().any(|it| ["", "/provider_customer_id"].contains(&it.pointer.as_str()));
            prop_assert!(has_an_id || says_so);
        }
        if let Ok(page) = reads.decode_list(&ListQuery::default(), &reply) {
            prop_assert!(page.next.is_none() || !page.data.is_empty());
        }
    }
}
