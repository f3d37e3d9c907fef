//! What became of each field: the request held against the vendor's echo.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use upsert_core::{Differs, FieldOutcomes, Sent};

/// The member at a vendor field's path (`a/b` is `b` in `a`).
pub fn at_path<'a>(body: &'a Json, vendor_field: &str) -> Option<&'a Json> {
    vendor_field.split('/').try_fold(body, |value, name| value.get(name))
}

/// Holds what was sent against what the answer shows. A vendor that adds tags confirms them by showing all of ours.
pub fn field_outcomes(sent: &BTreeMap<String, Sent>, echo: &Json) -> FieldOutcomes {
    let mut confirmed = BTreeSet::new();
    let mut unconfirmed = BTreeSet::new();
    let mut outcomes = FieldOutcomes::default();
    for (vendor_field, sent) in sent {
        match at_path(echo, vendor_field) {
            None => drop(unconfirmed.insert(sent.pointer.clone())),
            Some(kept) if is_same(sent, kept) => drop(confirmed.insert(sent.pointer.clone())),
            Some(kept) => outcomes.differs.push(Differs {
                pointer: sent.pointer.clone(),
                kept: kept.clone(),
            }),
        }
    }
    outcomes.confirmed = confirmed.into_iter().collect();
    outcomes.unconfirmed = unconfirmed.into_iter().collect();
    outcomes
}

fn is_same(sent: &Sent, kept: &Json) -> bool {
    match (&sent.value, kept) {
        (Json::Array(ours), Json::Array(theirs)) if sent.merged => ours.iter().all(|tag| theirs.contains(tag)),
        // A cleared field may be shown as empty or as null, whichever of them was sent.
        (Json::Null, Json::String(text)) => text.is_empty(),
        (Json::String(text), Json::Null) => text.is_empty(),
        (ours, theirs) => ours == theirs,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fate(value: Json, merged: bool, echo: &Json) -> Json {
        let sent = Sent {
            pointer: "/tags".into(),
            value,
            merged,
        };
        let outcomes = field_outcomes(&BTreeMap::from([("a/b".to_owned(), sent)]), echo);
        json!(outcomes)
    }

    #[test]
    fn a_field_is_confirmed_by_the_same_value_in_the_same_place() {
        let confirmed = || json!({ "confirmed": ["/tags"], "differs": [], "unconfirmed": [] });
        let differs = |kept: Json| json!({ "confirmed": [], "differs": [{ "pointer": "/tags", "kept": kept }], "unconfirmed": [] });
        let unconfirmed = || json!({ "confirmed": [], "differs": [], "unconfirmed": ["/tags"] });
        for (sent, merged, echo, fate_of_it) in [
            (json!("x"), false, json!({ "a": { "b": "x" } }), confirmed()),
            (json!("x"), false, json!({ "a": { "b": "y" } }), differs(json!("y"))),
            (json!("x"), false, json!({ "a": { "b": null } }), differs(Json::Null)),
            (json!("x"), false, json!({ "a": {}, "b": "x" }), unconfirmed()),
            (json!("x"), false, json!([]), unconfirmed()),
            // Cleared is cleared, however it is shown.
            (json!(""), false, json!({ "a": { "b": null } }), confirmed()),
            (json!(null), false, json!({ "a": { "b": "" } }), confirmed()),
            (json!(null), false, json!({ "a": { "b": null } }), confirmed()),
            (json!(null), false, json!({ "a": { "b": "x" } }), differs(json!("x"))),
            // A vendor that adds ours to its own shows both.
            (json!(["y"]), true, json!({ "a": { "b": ["x", "y"] } }), confirmed()),
            (
                json!(["y", "z"]),
                true,
                json!({ "a": { "b": ["x", "y"] } }),
                differs(json!(["x", "y"])),
            ),
            (
                json!(["y"]),
                false,
                json!({ "a": { "b": ["x", "y"] } }),
                differs(json!(["x", "y"])),
            ),
        ] {
            assert_eq!(fate(sent.clone(), merged, &echo), fate_of_it, "{sent} {merged} {echo}");
        }
    }
}
