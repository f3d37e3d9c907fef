//! From a vendor's record to a customer in our words, by the same table that requests are encoded by. What cannot be
//! read costs its own field, a record its own place: never the page.

use serde_json::{Map, Value as Json};

use upsert_core::canonicalise::canonical_text;
use upsert_core::field::Rule;
use upsert_core::{Customer, Field, Form, ListQuery, Problem, ReadCustomer, Unreadable, Value};

use crate::field_outcomes::at_path;
use crate::record_id::record_id;

/// Stands for the vendor's id among what is unreadable.
pub(crate) const ID_POINTER: &str = "/provider_customer_id";

/// How a vendor's records are read.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// The table.
    pub form: &'a Form,
    /// The member that holds the vendor's id.
    pub id: &'a str,
    /// Where a record shows what is written as this vendor field.
    pub path: &'a dyn Fn(&str) -> String,
    /// Reads a value that the vendor words otherwise than we do; for all others it gives [`canonical_value`].
    pub translate: &'a dyn Fn(Field, &Json) -> Option<Value>,
}

impl Reading<'_> {
    /// A record in our words, with what has no home in them, and with all that cannot be read: fields that the vendor
    /// takes and does not show, values that are no canonical ones, an id that is none, a record that is none. A null or
    /// empty value is an absent field.
    pub fn record(&self, record: &Json) -> ReadCustomer {
        let mut read = ReadCustomer {
            provider_customer_id: None,
            customer: Customer::default(),
            unreadable: Vec::new(),
            vendor_fields: Map::new(),
        };
        let Json::Object(members) = record else {
            read.unreadable.push(Unreadable::new("", record.clone()));
            return read;
        };
        read.vendor_fields.clone_from(members);
        let id = read.vendor_fields.remove(self.id).unwrap_or_default();
        read.provider_customer_id = record_id(&id);
        if read.provider_customer_id.is_none() {
            read.unreadable.push(Unreadable::new(ID_POINTER, id));
        }
        for map in &self.form.fields {
            let path = (self.path)(map.vendor_field);
            let shown = at_path(record, &path).filter(|json| !is_empty(json));
            take_out(&mut read.vendor_fields, &path);
            match shown.map(|json| (json, (self.translate)(map.field, json))) {
                Some((_, Some(value))) => read.customer.set(map.field, value),
                Some((json, None)) => read.unreadable.push(Unreadable::new(map.field.pointer(), json.clone())),
                None if map.readable => {}
                None => read.unreadable.push(Unreadable::new(map.field.pointer(), Json::Null)),
            }
        }
        read
    }
}

/// Takes the member at a path out, and the objects that are empty without it.
fn take_out(members: &mut Map<String, Json>, path: &str) {
    let Some((head, rest)) = path.split_once('/') else {
        members.remove(path);
        return;
    };
    if let Some(Json::Object(inner)) = members.get_mut(head) {
        take_out(inner, rest);
        if inner.is_empty() {
            members.remove(head);
        }
    }
}

/// The canonical value that a vendor's JSON stands for, if the field's rule takes it. Numbers in texts and labels in
/// lists are not guessed at; phone numbers without a country code are those of the region, if there is one.
pub fn canonical_value(field: Field, json: &Json, region: Option<&str>) -> Option<Value> {
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
        _ => canonical_text(field, json.as_str()?, region).ok().map(Value::Text),
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

/// The list of a page: the page itself, or the first of these members that is there. None: the page has none of them,
/// or null in their place.
///
/// # Errors
/// What stands there is no list.
pub fn list_of<'a>(page: &'a Json, members: &[&str]) -> Result<Option<&'a [Json]>, &'static str> {
    let list = match page {
        Json::Array(records) => return Ok(Some(records)),
        Json::Object(page) => members
            .iter()
            .find_map(|name| page.get(*name).filter(|list| !list.is_null())),
        _ => return Err("it is neither a list nor an object"),
    };
    match list {
        None => Ok(None),
        Some(Json::Array(records)) => Ok(Some(records)),
        Some(_) => Err("what stands in the place of its list is none"),
    }
}

/// What a page says beside its list.
pub fn page_fields(page: &Json, members: &[&str]) -> Map<String, Json> {
    let mut said = page.as_object().cloned().unwrap_or_default();
    said.retain(|name, _| !members.contains(&name.as_str()));
    said
}

/// Whether the vendor knows all filters of a query, and the cursor is one that its list gave.
///
/// # Errors
/// See [`crate::HttpReads::check`].
pub fn check_query(query: &ListQuery, known: &[&str], is_our_cursor: bool) -> Result<(), Vec<Problem>> {
    let mut problems = unknown_filters(query, known);
    if !is_our_cursor {
        problems.push(Problem::new("cursor", "invalid_cursor", "is not a cursor of this list"));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// What a query searches for, as a parameter of a vendor that tells email addresses, by the `@` in them, from anything
/// else.
pub fn search_parameter<'a>(query: &ListQuery, email: &'a str, other: &'a str) -> Option<(&'a str, String)> {
    let search = query.search.as_deref()?.trim();
    if !search.contains('@') {
        return Some((other, search.to_owned()));
    }
    let address = canonical_text(Field::Email, search, None);
    Some((email, address.unwrap_or_else(|_| search.to_owned())))
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

    fn read(record: &Json) -> ReadCustomer {
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
                map(Field::PropertyCity, "city", true),
            ],
        };
        let path = |field: &str| if field == "city" { "place/city" } else { field }.to_owned();
        Reading {
            form: &form,
            id: "id",
            path: &path,
            translate: &|field, json| canonical_value(field, json, Some("US")),
        }
        .record(record)
    }

    fn unreadable(read: &ReadCustomer) -> Json {
        let found = read.unreadable.iter();
        found.map(|it| json!([it.pointer, it.value])).collect()
    }

    #[test]
    fn what_is_shown_is_canonical_and_what_is_not_is_named_with_its_value() {
        let record = json!({
            "id": "r-1", "mail": "Jo@X.com", "phone": "call me", "notify": { "email": false, "sms": true }, "source": "",
            "tags": ["b", "a"], "meta": { "a": 1 }, "place": { "city": "Oslo" }, "made": "then", "score": null
        });
        let read = read(&record);
        assert_eq!(
            Json::Object(read.customer.to_json(false)),
            json!({
                "email": "jo@x.com", "notifications": { "email": false }, "tags": ["a", "b"],
                "addresses": { "property": { "city": "Oslo" } }
            })
        );
        assert_eq!(read.provider_customer_id.as_deref(), Some("r-1"));
        assert_eq!(
            unreadable(&read),
            json!([["/phone", "call me"], ["/notes", null], ["/metadata", { "a": 1 }]])
        );
        assert_eq!(
            Json::Object(read.vendor_fields),
            json!({ "notify": { "sms": true }, "made": "then", "score": null })
        );
    }

    #[test]
    fn what_is_empty_is_absent_and_what_is_not_is_read() {
        for empty in [json!(null), json!(" "), json!([]), json!({})] {
            let read = read(&json!({
                "id": "r-1", "mail": empty, "phone": empty, "source": empty, "tags": empty, "meta": empty, "notes": "x"
            }));
            assert_eq!(
                Json::Object(read.customer.to_json(false)),
                json!({ "notes": "x" }),
                "{empty}"
            );
            assert_eq!(unreadable(&read), json!([]), "{empty}");
        }
        let read = read(&json!({ "id": "r-1", "tags": ["a"], "meta": { "plan": "gold" }, "notes": "x" }));
        assert_eq!(
            Json::Object(read.customer.to_json(false)),
            json!({ "notes": "x", "tags": ["a"], "metadata": { "plan": "gold" } })
        );
        assert_eq!(unreadable(&read), json!([]));
    }

    #[test]
    fn a_field_that_is_shown_against_the_vendors_word_is_read() {
        let read = read(&json!({ "id": "r-1", "notes": "ring twice", "phone": "(202) 555-0123" }));
        assert_eq!(read.customer.text(Field::Notes), Some("ring twice"));
        assert_eq!(read.customer.text(Field::Phone), Some("+12025550123"));
        assert!(read.unreadable.is_empty() && read.vendor_fields.is_empty());
    }

    #[test]
    fn a_record_without_an_id_is_shown_unreadable() {
        for (record, named) in [
            (json!({ "mail": "a@b.example" }), json!(["/provider_customer_id", null])),
            (json!({ "id": null }), json!(["/provider_customer_id", null])),
            (json!({ "id": " " }), json!(["/provider_customer_id", " "])),
            (json!({ "id": 10.5 }), json!(["/provider_customer_id", 10.5])),
            (json!({ "id": ["r"] }), json!(["/provider_customer_id", ["r"]])),
            (json!(7), json!(["", 7])),
            (json!(null), json!(["", null])),
            (json!(["r"]), json!(["", ["r"]])),
        ] {
            let read = read(&record);
            assert_eq!(read.provider_customer_id, None, "{record}");
            assert_eq!(unreadable(&read)[0], named, "{record}");
        }
        assert_eq!(
            read(&json!({ "id": 1022.0 })).provider_customer_id.as_deref(),
            Some("1022")
        );
    }

    #[test]
    fn a_list_is_found_where_it_may_stand_and_anything_else_is_a_fault_of_the_page() {
        let members = ["data", "items"];
        for (page, length) in [
            (json!([1, 2]), Some(2)),
            (json!({ "data": [] }), Some(0)),
            (json!({ "items": [1] }), Some(1)),
            (json!({ "data": null, "items": [1] }), Some(1)),
            (json!({ "data": null }), None),
            (json!({ "records": [1] }), None),
            (json!({}), None),
        ] {
            assert_eq!(list_of(&page, &members).unwrap().map(<[Json]>::len), length, "{page}");
        }
        for page in [
            json!({ "data": {} }),
            json!({ "data": "x" }),
            json!({ "data": 0 }),
            json!("x"),
            json!(null),
        ] {
            assert!(list_of(&page, &members).is_err(), "{page}");
        }
        let page = json!({ "data": [1], "total": 7, "items": [] });
        assert_eq!(Json::Object(page_fields(&page, &members)), json!({ "total": 7 }));
        assert!(page_fields(&json!([1]), &members).is_empty());
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
