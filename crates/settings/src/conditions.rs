//! `when`, `only`: what an event has to say.

use std::collections::BTreeSet;

use serde_json::Value;

use upsert_webhook::Pointer;
use upsert_webhook::mapping::Conditions;

use crate::json::json;
use crate::section::Spot;

/// Pointers and the values that they must have.
pub(crate) fn conditions(spot: &Spot<'_>) -> Option<Conditions> {
    let conditions = spot.each_entry(|entry, spot| {
        let values = spot.one_or_some(value);
        let pointer = spot.column(&entry.key).or_else(|| Pointer::parse(&entry.key));
        let Some(pointer) = pointer.filter(|_| !entry.key.is_empty()) else {
            return spot.refuse_but("not a JSON Pointer", "it starts with /, such as \"/type\"");
        };
        Some((pointer, values?.into_iter().collect::<BTreeSet<_>>()))
    });
    conditions.map(Conditions)
}

/// What a value in an event is compared with: its text.
fn value(spot: &Spot<'_>) -> Option<String> {
    match json(spot)? {
        Value::String(text) => Some(text),
        other @ (Value::Number(_) | Value::Bool(_)) => Some(other.to_string()),
        _ => spot.expected("a text, a number, or true or false"),
    }
}
