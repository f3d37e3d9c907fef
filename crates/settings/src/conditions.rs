//! `when`, `only`: what an event has to say.

use std::collections::BTreeSet;

use serde_json::Value;

use upsert_webhook::Pointer;
use upsert_webhook::mapping::Conditions;

use crate::json::json;
use crate::section::Spot;

/// Pointers and the values that they must have.
pub(crate) fn conditions(spot: &Spot<'_>) -> Option<Conditions> {
    let mut conditions = Vec::new();
    let mut whole = true;
    for (entry, spot) in spot.entries()? {
        let values = spot.one_or_some(value);
        let pointer = spot.column(&entry.key).or_else(|| Pointer::parse(&entry.key));
        let pointer = pointer.filter(|_| !entry.key.is_empty());
        if pointer.is_none() {
            spot.refuse_but::<()>("not a JSON Pointer", "it starts with /, such as \"/type\"");
        }
        match (pointer, values) {
            (Some(pointer), Some(values)) => conditions.push((pointer, values.into_iter().collect::<BTreeSet<_>>())),
            _ => whole = false,
        }
    }
    whole.then_some(Conditions(conditions))
}

/// What a value in an event is compared with: its text.
fn value(spot: &Spot<'_>) -> Option<String> {
    match json(spot)? {
        Value::String(text) => Some(text),
        other @ (Value::Number(_) | Value::Bool(_)) => Some(other.to_string()),
        _ => spot.expected("a text, a number, or true or false"),
    }
}
