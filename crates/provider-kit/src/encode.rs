//! From a declared field table to a request body: what is sent, what is lost, what is missing.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use upsert_core::customer::merge_objects;
use upsert_core::field::Rule;
use upsert_core::{Field, FieldMap, Form, Selection, Sent, UpsertRequest, Value, Violation, Warning, WarningCode};

/// How a field is cleared, for whoever knows that the vendor can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClearWith {
    /// By sending null.
    Null,
    /// By sending an empty text.
    Empty,
}

/// What an adapter's own knowledge adds to the table.
#[derive(Clone, Copy)]
pub struct EncodeRules<'a> {
    /// The provider's name for people.
    pub title: &'static str,
    /// The table.
    pub form: &'a Form,
    /// Whether and how fields are cleared.
    pub clear_with: Option<ClearWith>,
    /// Fields without a home whose loss is no news (the kind that the form implies).
    pub silent: &'a [Field],
    /// Vendor fields that are always sent when they are known: match keys.
    pub always: &'a [&'a str],
    /// Whether the vendor adds tags to what it has.
    pub merges_tags: bool,
    /// A value in the vendor's words.
    pub translate: &'a dyn Fn(Field, &Value) -> Json,
}

/// A body, and what came of the customer's fields on the way.
#[derive(Debug, Default)]
pub struct Encoded {
    /// The body's members, nested as the vendor wants them.
    pub body: Map<String, Json>,
    /// Every value in it, by the vendor's field.
    pub sent: BTreeMap<String, Sent>,
    /// What is lost.
    pub warnings: Vec<Warning>,
    /// What is missing.
    pub violations: Vec<Violation>,
}

/// Encodes the customer by the table. Match keys and ids that are no fields of ours are added by the adapter.
pub fn encode(rules: &EncodeRules<'_>, request: &UpsertRequest<'_>) -> Encoded {
    let mut encoded = Encoded::default();
    for (field, value) in request.customer.fields() {
        match rules.map_of(field) {
            Some(map) => encoded.put_field(rules, request, map, value),
            None if rules.silent.contains(&field) => {}
            None => encoded.warn(rules, WarningCode::UnsupportedField, field, "has no place for it"),
        }
    }
    encoded.require(rules, request);
    encoded.clear(rules, request);
    encoded.pass_through(request);
    encoded
}

impl EncodeRules<'_> {
    fn map_of(&self, field: Field) -> Option<&FieldMap> {
        self.form.fields.iter().find(|map| map.field == field)
    }

    fn selects(&self, selection: Selection<'_>, map: &FieldMap) -> bool {
        match selection {
            Selection::All => true,
            Selection::Only(fields) => {
                map.required || self.always.contains(&map.vendor_field) || fields.contains(map.vendor_field)
            }
        }
    }
}

impl Encoded {
    fn put_field(&mut self, rules: &EncodeRules<'_>, request: &UpsertRequest<'_>, map: &FieldMap, value: &Value) {
        if !rules.selects(request.selection, map) {
            return;
        }
        if let (Some(limit), Value::Text(text)) = (map.soft_limit, value)
            && text.chars().count() > limit
        {
            let what = format!("may keep only {limit} characters; it is sent whole");
            self.warn(rules, WarningCode::MayBeCut, map.field, &what);
        }
        let merged = rules.merges_tags && map.field == Field::Tags;
        let value = (rules.translate)(map.field, value);
        self.put(map.vendor_field, map.field.pointer(), value, merged);
    }

    /// `what`: of the vendor.
    fn warn(&mut self, rules: &EncodeRules<'_>, code: WarningCode, field: Field, what: &str) {
        let detail = format!("{} {what}", rules.title);
        self.warnings.push(Warning::new(code, field.pointer(), detail));
    }

    fn require(&mut self, rules: &EncodeRules<'_>, request: &UpsertRequest<'_>) {
        for map in rules.form.fields.iter().filter(|map| map.required) {
            if request.customer.get(map.field).is_none() {
                let detail = format!("{} requires it", rules.title);
                self.violations.push(violation(map.field, "required", detail));
            }
        }
    }

    fn clear(&mut self, rules: &EncodeRules<'_>, request: &UpsertRequest<'_>) {
        for field in request.cleared {
            let Some(map) = rules.map_of(*field) else { continue };
            match rules.clear_with {
                Some(with) if rules.selects(request.selection, map) => {
                    let empty = match (with, map.field.rule()) {
                        (ClearWith::Empty, Rule::Tags) => Json::Array(Vec::new()),
                        (ClearWith::Empty, Rule::Map) => Json::Object(Map::new()),
                        // An empty text is no flag and none of a few words.
                        (ClearWith::Null, _) | (ClearWith::Empty, Rule::Flag | Rule::Word(_)) => Json::Null,
                        (ClearWith::Empty, _) => Json::String(String::new()),
                    };
                    self.put(map.vendor_field, field.pointer(), empty, false);
                }
                Some(_) => {}
                None if *field == Field::Tags && rules.merges_tags => {}
                None => self.warn(
                    rules,
                    WarningCode::CannotClear,
                    *field,
                    "cannot clear it and keeps what it has",
                ),
            }
        }
        if request.tags_lost && rules.merges_tags {
            let what = "adds tags and never removes any";
            self.warn(rules, WarningCode::TagsAreMerged, Field::Tags, what);
        }
    }

    fn pass_through(&mut self, request: &UpsertRequest<'_>) {
        let Some(fields) = request.provider_fields else { return };
        let mut chosen = fields.clone();
        if let Selection::Only(only) = request.selection {
            chosen.retain(|name, _| only.contains(name) || self.sent.contains_key(name));
        }
        merge_objects(&mut self.body, &chosen);
        for (name, _) in chosen {
            let pointer = match self.sent.get(&name) {
                Some(sent) => sent.pointer.clone(),
                None => format!("/provider_fields/{}", upsert_core::customer::escape(&name)).into(),
            };
            let value = self.body.get(&name).cloned().unwrap_or(Json::Null);
            self.note(&name, pointer, value, false);
        }
    }

    /// Puts a value there, whatever stands there already.
    pub fn pin(&mut self, vendor_field: &str, pointer: &'static str, value: impl Into<Json>) {
        self.put(vendor_field, pointer, value.into(), false);
    }

    fn put(&mut self, vendor_field: &str, pointer: &'static str, value: Json, merged: bool) {
        put_at(&mut self.body, vendor_field, value.clone());
        self.note(vendor_field, pointer.into(), value, merged);
    }

    fn note(&mut self, vendor_field: &str, pointer: Cow<'static, str>, value: Json, merged: bool) {
        let sent = Sent { pointer, value, merged };
        self.sent.insert(vendor_field.to_owned(), sent);
    }
}

/// What the vendor asks for in this field.
pub fn violation(field: Field, code: &'static str, detail: impl Into<String>) -> Violation {
    Violation {
        pointer: field.pointer().to_owned(),
        code,
        detail: detail.into(),
    }
}

fn put_at(body: &mut Map<String, Json>, vendor_field: &str, value: Json) {
    match vendor_field.split_once('/') {
        None => drop(body.insert(vendor_field.to_owned(), value)),
        Some((head, rest)) => {
            let slot = body.entry(head.to_owned()).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(slot) = slot {
                put_at(slot, rest, value);
            }
        }
    }
}
