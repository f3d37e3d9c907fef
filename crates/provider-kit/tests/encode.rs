//! What the declared table of a vendor makes of a customer.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use upsert_core::canonicalise::{Terms, canonicalise};
use upsert_core::{Customer, Field, FieldMap, Form, Selection, UpsertRequest, Value};
use upsert_provider_kit::{ClearWith, EncodeRules, Encoded, encode};

fn map(field: Field, vendor_field: &'static str) -> FieldMap {
    FieldMap {
        field,
        vendor_field,
        required: field == Field::Email,
        soft_limit: (field == Field::GivenName).then_some(5),
        readable: true,
    }
}

fn form() -> Form {
    Form {
        kinds: Vec::new(),
        match_keys: Vec::new(),
        fields: vec![
            map(Field::Email, "mail"),
            map(Field::Phone, "phone"),
            map(Field::GivenName, "name/first"),
            map(Field::FamilyName, "name/last"),
            map(Field::Status, "status"),
            map(Field::Verified, "verified"),
            map(Field::Tags, "labels"),
            map(Field::Metadata, "extra"),
        ],
    }
}

fn customer(body: &Json) -> Customer {
    Customer::default().merged(&canonicalise(body, &Terms::strict(None)).unwrap().patch)
}

fn ann() -> Customer {
    customer(&json!({
        "email": "ann@shop.example", "phone": "+12025550123", "given_name": "Ann", "family_name": "Lee",
        "tags": ["vip"], "notes": "Rings twice"
    }))
}

/// What is asked of the vendor beside the customer.
struct Ask<'a> {
    clear_with: Option<ClearWith>,
    merges_tags: bool,
    only: Option<&'a [&'a str]>,
    cleared: &'a [Field],
    tags_lost: bool,
    provider_fields: Json,
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Self {
            clear_with: None,
            merges_tags: false,
            only: None,
            cleared: &[],
            tags_lost: false,
            provider_fields: Json::Null,
        }
    }
}

impl Ask<'_> {
    fn of(&self, customer: &Customer) -> Encoded {
        let form = form();
        let rules = EncodeRules {
            title: "The vendor",
            form: &form,
            clear_with: self.clear_with,
            silent: &[Field::Kind],
            always: &["phone"],
            merges_tags: self.merges_tags,
            translate: &|field, value| match (field, value) {
                (Field::FamilyName, Value::Text(text)) => json!(text.to_uppercase()),
                _ => value.to_json(),
            },
        };
        let only = self
            .only
            .map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        encode(
            &rules,
            &UpsertRequest {
                customer,
                customer_id: "cus_01K8Z3V6E4TQ5N7M2R9X0YABCC".parse().unwrap(),
                link: None,
                selection: only.as_ref().map_or(Selection::All, Selection::Only),
                cleared: &self.cleared.iter().copied().collect::<BTreeSet<_>>(),
                tags_lost: self.tags_lost,
                provider_fields: self.provider_fields.as_object(),
            },
        )
    }
}

fn body(encoded: &Encoded) -> Json {
    Json::Object(encoded.body.clone())
}

/// Every value by the vendor's field: our pointer, the value, whether the vendor adds it to what it has.
fn sent(encoded: &Encoded) -> Json {
    let sent = encoded.sent.iter();
    let shown = sent.map(|(name, sent)| (name.clone(), json!([sent.pointer, sent.value, sent.merged])));
    Json::Object(shown.collect::<Map<_, _>>())
}

fn warnings(encoded: &Encoded) -> Json {
    let told = encoded.warnings.iter();
    told.map(|it| json!([it.code, it.pointer, it.detail])).collect()
}

#[test]
fn every_value_goes_where_the_table_says_and_what_has_no_place_is_told() {
    let encoded = Ask::default().of(&ann());
    assert_eq!(
        body(&encoded),
        json!({
            "mail": "ann@shop.example", "phone": "+12025550123", "name": { "first": "Ann", "last": "LEE" },
            "labels": ["vip"]
        })
    );
    assert_eq!(
        sent(&encoded),
        json!({
            "mail": ["/email", "ann@shop.example", false], "phone": ["/phone", "+12025550123", false],
            "name/first": ["/given_name", "Ann", false], "name/last": ["/family_name", "LEE", false],
            "labels": ["/tags", ["vip"], false]
        })
    );
    assert_eq!(
        warnings(&encoded),
        json!([["unsupported_field", "/notes", "The vendor has no place for it"]])
    );
    assert_eq!(encoded.violations, []);
}

#[test]
fn of_a_selection_goes_what_is_in_it_what_is_required_and_what_is_always_sent() {
    let selected = |only: &[&str]| {
        let ask = Ask {
            only: Some(only),
            ..Ask::default()
        };
        body(&ask.of(&ann()))
    };
    let (mail, phone) = ("ann@shop.example", "+12025550123");
    assert_eq!(selected(&[]), json!({ "mail": mail, "phone": phone }));
    assert_eq!(
        selected(&["labels", "shoe_size"]),
        json!({ "mail": mail, "phone": phone, "labels": ["vip"] })
    );
}

#[test]
fn a_text_longer_than_the_vendor_is_known_to_keep_is_sent_whole_and_told() {
    for (name, is_told) in [("Ann", false), ("Anniz", false), ("Ännïz", false), ("Annize", true)] {
        let encoded = Ask::default().of(&customer(&json!({ "email": "ann@shop.example", "given_name": name })));
        assert_eq!(encoded.body["name"]["first"], name);
        let told = json!([[
            "may_be_cut",
            "/given_name",
            "The vendor may keep only 5 characters; it is sent whole"
        ]]);
        assert_eq!(warnings(&encoded), if is_told { told } else { json!([]) }, "{name}");
    }
}

#[test]
fn what_the_vendor_requires_and_the_customer_has_not_refuses() {
    let encoded = Ask::default().of(&customer(&json!({ "phone": "+12025550123" })));
    let missing = encoded.violations.iter();
    let missing: Vec<_> = missing.map(|it| (&*it.pointer, it.code, &*it.detail)).collect();
    assert_eq!(missing, [("/email", "required", "The vendor requires it")]);
}

#[test]
fn a_field_is_cleared_by_what_the_vendor_and_the_fields_rule_take_for_nothing() {
    let cleared = [
        Field::FamilyName,
        Field::Status,
        Field::Verified,
        Field::Tags,
        Field::Metadata,
        // Has no place, so there is nothing to clear.
        Field::Source,
    ];
    for (clear_with, shown) in [
        (
            ClearWith::Null,
            json!({ "name/last": null, "status": null, "verified": null, "labels": null, "extra": null }),
        ),
        (
            ClearWith::Empty,
            json!({ "name/last": "", "status": null, "verified": null, "labels": [], "extra": {} }),
        ),
    ] {
        let ask = Ask {
            clear_with: Some(clear_with),
            cleared: &cleared,
            only: Some(&["name/last", "status", "verified", "labels", "extra"]),
            ..Ask::default()
        };
        let encoded = ask.of(&customer(&json!({ "email": "ann@shop.example" })));
        let mut expected = shown.as_object().unwrap().clone();
        assert_eq!(encoded.body["name"]["last"], expected["name/last"], "{clear_with:?}");
        expected.insert("mail".to_owned(), json!("ann@shop.example"));
        let values: Map<String, Json> = encoded
            .sent
            .iter()
            .map(|(name, sent)| (name.clone(), sent.value.clone()))
            .collect();
        assert_eq!(values, expected, "{clear_with:?}");
        assert_eq!(encoded.sent["extra"].pointer, "/metadata");
        assert_eq!(warnings(&encoded), json!([]));
    }
}

#[test]
fn what_is_cleared_outside_of_the_selection_is_left_for_another_time() {
    let ask = Ask {
        clear_with: Some(ClearWith::Null),
        cleared: &[Field::FamilyName, Field::Status],
        only: Some(&["status"]),
        ..Ask::default()
    };
    let encoded = ask.of(&customer(&json!({ "email": "ann@shop.example" })));
    assert_eq!(body(&encoded), json!({ "mail": "ann@shop.example", "status": null }));
    assert_eq!(warnings(&encoded), json!([]));
}

#[test]
fn a_vendor_that_can_clear_nothing_is_told_of_field_by_field_and_of_merged_tags_once() {
    let cannot = |pointer: &str| {
        let detail = "The vendor cannot clear it and keeps what it has";
        json!(["cannot_clear", pointer, detail])
    };
    let merged = json!(["tags_are_merged", "/tags", "The vendor adds tags and never removes any"]);
    for (merges_tags, tags_lost, told) in [
        (false, false, json!([cannot("/family_name"), cannot("/tags")])),
        (false, true, json!([cannot("/family_name"), cannot("/tags")])),
        (true, false, json!([cannot("/family_name")])),
        (true, true, json!([cannot("/family_name"), merged])),
    ] {
        let ask = Ask {
            merges_tags,
            tags_lost,
            cleared: &[Field::FamilyName, Field::Tags],
            ..Ask::default()
        };
        let encoded = ask.of(&customer(&json!({ "email": "ann@shop.example", "given_name": "Ann" })));
        assert_eq!(warnings(&encoded), told, "{merges_tags} {tags_lost}");
        assert_eq!(
            body(&encoded),
            json!({ "mail": "ann@shop.example", "name": { "first": "Ann" } })
        );
    }
}

#[test]
fn tags_alone_are_merged_and_by_a_vendor_that_merges_them() {
    for merges_tags in [false, true] {
        let ask = Ask {
            merges_tags,
            ..Ask::default()
        };
        let encoded = ask.of(&ann());
        let merged: Vec<_> = encoded.sent.iter().filter(|(_, sent)| sent.merged).collect();
        let names: Vec<_> = merged.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, if merges_tags { vec!["labels"] } else { vec![] });
    }
}

#[test]
fn provider_fields_go_over_what_the_mapping_made_and_keep_its_pointers() {
    let provider_fields = json!({ "name": { "nick": "Annie" }, "labels": ["x"], "a/b": 1, "colour": "red" });
    let all = Ask {
        merges_tags: true,
        provider_fields: provider_fields.clone(),
        ..Ask::default()
    };
    let encoded = all.of(&ann());
    assert_eq!(
        body(&encoded),
        json!({
            "mail": "ann@shop.example", "phone": "+12025550123",
            "name": { "first": "Ann", "last": "LEE", "nick": "Annie" }, "labels": ["x"], "a/b": 1, "colour": "red"
        })
    );
    let sent = sent(&encoded);
    assert_eq!(sent["labels"], json!(["/tags", ["x"], false]));
    assert_eq!(sent["a/b"], json!(["/provider_fields/a~1b", 1, false]));
    let whole = json!({ "first": "Ann", "last": "LEE", "nick": "Annie" });
    assert_eq!(sent["name"], json!(["/provider_fields/name", whole, false]));
    let some = Ask {
        only: Some(&["labels", "colour"]),
        provider_fields,
        ..Ask::default()
    };
    assert_eq!(
        body(&some.of(&ann())),
        json!({ "mail": "ann@shop.example", "phone": "+12025550123", "labels": ["x"], "colour": "red" })
    );
}

#[test]
fn a_provider_field_over_what_is_always_sent_goes_with_it() {
    let ask = Ask {
        only: Some(&[]),
        provider_fields: json!({ "phone": "none", "colour": "red" }),
        ..Ask::default()
    };
    assert_eq!(
        body(&ask.of(&ann())),
        json!({ "mail": "ann@shop.example", "phone": "none" })
    );
}
