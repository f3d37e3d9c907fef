use serde_json::json;

use super::*;
use crate::canonicalise::{Terms, canonicalise};

fn customer(body: &Json) -> Customer {
    after(&Customer::default(), body)
}

fn after(customer: &Customer, body: &Json) -> Customer {
    customer.merged(&canonicalise(body, &Terms::strict(Some("US"))).unwrap().patch)
}

#[test]
fn a_record_says_who_it_is() {
    let record =
        customer(&json!({ "reference": "r", "email": "a@b.co", "phone": "(202) 555-0123", "given_name": "Ann" }));
    assert_eq!(record.reference(), Some("r"));
    assert_eq!(record.text(Field::GivenName), Some("Ann"));
    let held: Vec<(&str, String)> = record
        .identifiers()
        .into_iter()
        .map(|identifier| (identifier.kind.as_str(), identifier.value))
        .collect();
    let expected = [("reference", "r"), ("email", "a@b.co"), ("phone", "+12025550123")];
    assert_eq!(held, expected.map(|(kind, value)| (kind, value.to_owned())));
    let fields: Vec<Field> = record.fields().map(|(field, _)| field).collect();
    assert_eq!(
        fields,
        [
            Field::Reference,
            Field::Kind,
            Field::GivenName,
            Field::Email,
            Field::Phone
        ]
    );
    assert_eq!(Customer::default().reference(), None);
}

#[test]
fn an_identifier_that_could_not_be_read_is_remembered_until_a_readable_one_or_none_comes() {
    let leniently = |customer: &Customer, body: &Json| {
        let terms = Terms {
            handling: crate::Handling::Lenient,
            ..Terms::strict(Some("US"))
        };
        customer.merged(&canonicalise(body, &terms).unwrap().patch)
    };
    let unread = leniently(&Customer::default(), &json!({ "reference": "r", "email": "garbage" }));
    assert_eq!(unread.unread(), &BTreeSet::from([IdentifierKind::Email]));
    let stored: Customer = serde_json::from_value(serde_json::to_value(&unread).unwrap()).unwrap();
    assert_eq!(stored, unread);
    assert!(!unread.to_json(true).contains_key("unread"), "it is no field");
    let same = after(&unread, &json!({ "reference": "r", "notes": "n" }));
    assert_eq!(same.unread(), unread.unread());
    for mended in [json!("a@b.co"), json!(null)] {
        let mended = after(&unread, &json!({ "reference": "r", "email": mended }));
        assert!(mended.unread().is_empty(), "{:?}", mended.to_json(false));
    }
    let known = after(&Customer::default(), &json!({ "reference": "r", "email": "a@b.co" }));
    let kept = leniently(&known, &json!({ "reference": "r", "email": "garbage" }));
    assert_eq!(kept, known);
}

#[test]
fn a_kind_is_kept_whatever_name_comes_later() {
    let person = customer(&json!({ "reference": "r", "given_name": "Ann" }));
    let named = after(
        &person,
        &json!({ "reference": "r", "given_name": null, "organisation_name": "Ann & Co" }),
    );
    assert_eq!(named.kind(), Kind::Person);
    assert_eq!(Customer::default().kind(), Kind::Person);
    let club = customer(&json!({ "reference": "r", "organisation_name": "Club" }));
    assert_eq!(club.kind(), Kind::Organisation);
    assert_eq!(
        customer(&json!({ "reference": "r", "organisation_name": "Club", "family_name": "Doe" })).kind(),
        Kind::Person
    );
}

#[test]
fn all_nulls_are_shown_where_the_whole_shape_is_asked_for() {
    let record = customer(&json!({ "reference": "r", "provider_fields": { "crm": { "a": 1 } } }));
    let short = Json::Object(record.to_json(false));
    assert_eq!(
        short,
        json!({ "reference": "r", "kind": "person", "provider_fields": { "crm": { "a": 1 } } })
    );
    let passed_on = record.provider_fields()["crm"].clone();
    assert_eq!(Json::Object(passed_on), json!({ "a": 1 }));
    let whole = Json::Object(record.to_json(true));
    for field in Field::ALL {
        assert!(whole.pointer(field.pointer()).is_some(), "{field:?}");
    }
    assert_eq!(
        (&whole["tags"], &whole["metadata"], &whole["email"]),
        (&json!([]), &json!({}), &Json::Null)
    );
    assert_eq!(Customer::default().to_json(true)["provider_fields"], json!({}));
    assert!(!Customer::default().to_json(false).contains_key("provider_fields"));
}

#[test]
fn what_was_shown_is_read_again() {
    let record = customer(
        &json!({ "reference": "r", "verified": true, "tags": ["a"], "metadata": { "m": "1" },
        "addresses": { "billing": { "city": "C" } }, "provider_fields": { "crm": { "a": { "b": 1 } } } }),
    );
    for with_nulls in [false, true] {
        let shown = Json::Object(record.to_json(with_nulls));
        assert!(Customer::from_json(&shown).unwrap() == record, "{shown}");
        assert!(serde_json::from_value::<Customer>(shown).unwrap() == record);
    }
    assert!(serde_json::from_value::<Customer>(serde_json::to_value(&record).unwrap()).unwrap() == record);
    let empty = json!({ "tags": [], "metadata": {} });
    assert!(Customer::from_json(&empty).unwrap() == Customer::default());
    for bad in [
        json!({ "email": 5 }),
        json!({ "verified": "yes" }),
        json!({ "tags": ["a", 1] }),
        json!({ "tags": "a" }),
        json!({ "metadata": { "a": 1 } }),
        json!({ "provider_fields": { "crm": 1 } }),
    ] {
        assert!(Customer::from_json(&bad).is_none(), "{bad}");
    }
}

#[test]
fn what_is_taken_away_leaves_nothing_behind() {
    let record = customer(
        &json!({ "reference": "r", "tags": ["a", "b"], "metadata": { "m": "1" }, "notes": "n",
        "provider_fields": { "crm": { "a": 1 }, "rotor": { "r": { "s": 1 } } } }),
    );
    let less = after(
        &record,
        &json!({ "reference": "r", "tags_removed": ["a", "b"], "metadata": { "m": null }, "notes": null,
            "provider_fields": { "crm": { "a": null }, "rotor": { "r": { "t": 2 } } } }),
    );
    assert_eq!(
        Json::Object(less.to_json(false)),
        json!({ "reference": "r", "kind": "person", "provider_fields": { "rotor": { "r": { "s": 1, "t": 2 } } } })
    );
    assert!(less.get(Field::Tags).is_none() && less.get(Field::Metadata).is_none());
    let none = after(
        &less,
        &json!({ "reference": "r", "metadata": null, "tags": null, "provider_fields": { "rotor": null } }),
    );
    assert!(none.provider_fields().is_empty());
    let again = after(&record, &json!({ "reference": "r", "tags": null, "metadata": null }));
    assert!(again.get(Field::Tags).is_none() && again.get(Field::Metadata).is_none());
}

#[test]
fn changes_name_each_leaf_with_what_it_was_and_is() {
    let before = customer(
        &json!({ "reference": "r", "notes": "n", "metadata": { "a/b": "1", "same": "s" },
        "provider_fields": { "crm": { "a": 1 } } }),
    );
    let later = after(
        &before,
        &json!({ "reference": "r", "notes": null, "source": "web", "metadata": { "a/b": "2", "c~d": "3" },
            "provider_fields": { "crm": { "a": 2 } } }),
    );
    let changes: Vec<(String, Json, Json)> = before
        .changes_to(&later)
        .into_iter()
        .map(|change| (change.pointer, change.from, change.to))
        .collect();
    assert_eq!(
        changes,
        [
            ("/notes".to_owned(), json!("n"), Json::Null),
            ("/source".to_owned(), Json::Null, json!("web")),
            ("/metadata/a~1b".to_owned(), json!("1"), json!("2")),
            ("/metadata/c~0d".to_owned(), Json::Null, json!("3")),
            ("/provider_fields/crm".to_owned(), json!({ "a": 1 }), json!({ "a": 2 })),
        ]
    );
    assert!(later.changes_to(&later).is_empty());
}

#[test]
fn objects_are_merged_as_json_merge_patch_asks() {
    let mut target = json!({ "keep": 1, "gone": 2, "deep": { "a": 1, "b": 2 }, "text": "t" });
    let patch = json!({ "gone": null, "deep": { "b": null, "c": 3 }, "text": { "now": "object" }, "new": { "x": 1 } });
    merge_objects(target.as_object_mut().unwrap(), patch.as_object().unwrap());
    assert_eq!(
        target,
        json!({ "keep": 1, "deep": { "a": 1, "c": 3 }, "text": { "now": "object" }, "new": { "x": 1 } })
    );
}
