//! From a vendor's record to a customer in our words, by the same table that requests are encoded by.

use serde_json::Value as Json;

use upsert_core::canonicalise::canonical_text;
use upsert_core::field::Rule;
use upsert_core::{Customer, Field, Form, ListQuery, Problem, Value};

use crate::fates::at_path;

/// Turns a vendor's record into our words. `translate` reads a value that the vendor words otherwise than we do; for
/// all others it gives [`canonical_value`]. With the customer come the pointers of what cannot be read: fields that the
/// vendor takes and does not show, and values that are no canonical ones. A null or empty value is an absent field.
pub fn read_back(
    form: &Form,
    record: &Json,
    translate: &dyn Fn(Field, &Json) -> Option<Value>,
) -> (Customer, Vec<String>) {
    let mut customer = Customer::default();
    let mut unreadable = Vec::new();
    for map in &form.fields {
        let shown = at_path(record, map.vendor_field).filter(|json| !is_empty(json));
        match shown {
            _ if !map.readable => unreadable.push(map.field.pointer().to_owned()),
            None => {}
            Some(json) => match translate(map.field, json) {
                Some(value) => customer.set(map.field, value),
                None => unreadable.push(map.field.pointer().to_owned()),
            },
        }
    }
    (customer, unreadable)
}

/// The canonical value that a vendor's JSON stands for, if the field's rule takes it. Numbers in texts and labels in
/// lists are not guessed at.
pub fn canonical_value(field: Field, json: &Json) -> Option<Value> {
    match field.rule() {
        Rule::Flag => json.as_bool().map(Value::Flag),
        Rule::Tags => {
            let tags = json.as_array()?.iter();
            let tags = tags.map(|tag| canonical_text(field, tag.as_str()?, None).ok());
            tags.collect::<Option<_>>().map(Value::Tags)
        }
        Rule::Map => {
            let members = json.as_object()?.iter();
            let members = members.map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
            members.collect::<Option<_>>().map(Value::Map)
        }
        _ => canonical_text(field, json.as_str()?, None).ok().map(Value::Text),
    }
}

fn is_empty(json: &Json) -> bool {
    match json {
        Json::Null => true,
        Json::String(text) => text.trim().is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// The filters of a query that are set and not among `known` (`search`, `status`, `tag`, `archived`), each as a problem
/// that names the query parameter.
pub fn unknown_filters(query: &ListQuery, known: &[&str]) -> Vec<Problem> {
    let set = [
        ("search", query.search.is_some()),
        ("status", query.status.is_some()),
        ("tag", !query.tags.is_empty()),
        ("archived", query.archived.is_some()),
    ];
    set.into_iter()
        .filter(|(name, is_set)| *is_set && !known.contains(name))
        .map(|(name, _)| Problem::new(name, "unsupported_filter", "this vendor cannot filter by it"))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use upsert_core::FieldMap;

    use super::*;

    fn map(field: Field, vendor_field: &'static str, readable: bool) -> FieldMap {
        FieldMap {
            field,
            vendor_field,
            required: false,
            soft_limit: None,
            readable,
        }
    }

    #[test]
    fn what_is_shown_is_canonical_and_what_is_not_is_named() {
        let form = Form {
            kinds: vec![],
            match_keys: vec![],
            fields: vec![
                map(Field::Email, "mail", true),
                map(Field::Phone, "phone", true),
                map(Field::NotifyEmail, "notify/email", true),
                map(Field::Notes, "notes", false),
                map(Field::Source, "source", true),
                map(Field::Tags, "tags", true),
                map(Field::Metadata, "meta", true),
            ],
        };
        let record = json!({
            "mail": "Jo@X.com", "phone": "call me", "notify": { "email": false }, "source": "",
            "tags": ["b", "a"], "meta": { "a": 1 }
        });
        let (customer, unreadable) = read_back(&form, &record, &canonical_value);
        assert_eq!(
            customer.to_json(false),
            *json!({ "email": "jo@x.com", "notifications": { "email": false }, "tags": ["a", "b"] })
                .as_object()
                .unwrap()
        );
        assert_eq!(unreadable, ["/phone", "/notes", "/metadata"]);
    }

    #[test]
    fn each_filter_that_is_not_known_is_named() {
        let query = ListQuery {
            search: Some("x".to_owned()),
            tags: vec!["a".to_owned()],
            archived: Some(false),
            ..ListQuery::default()
        };
        let pointers: Vec<String> = unknown_filters(&query, &["search"])
            .into_iter()
            .map(|problem| problem.pointer)
            .collect();
        assert_eq!(pointers, ["tag", "archived"]);
    }
}
