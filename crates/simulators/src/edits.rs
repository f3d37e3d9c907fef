//! What somebody changes in the vendor's own screen: a JSON merge patch (RFC 7396) on the stored fields.

use serde_json::{Map, Value};

/// Merges a patch: null removes, objects merge member by member, everything else replaces.
pub(crate) fn merge(fields: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                fields.remove(name);
            }
            Value::Object(inner) => {
                let target = fields.entry(name.clone()).or_insert(Value::Null);
                // What is no object is as good as an empty one.
                let mut members = match target.take() {
                    Value::Object(members) => members,
                    _ => Map::new(),
                };
                merge(&mut members, inner);
                *target = Value::Object(members);
            }
            other => {
                fields.insert(name.clone(), other.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::merge;

    fn merged(mut target: Value, patch: &Value) -> Value {
        merge(target.as_object_mut().unwrap(), patch.as_object().unwrap());
        target
    }

    #[test]
    fn the_examples_of_the_rfc_come_out_as_it_says() {
        let examples = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ];
        for (target, patch, wanted) in examples {
            assert_eq!(merged(target.clone(), &patch), wanted, "{target} with {patch}");
        }
    }
}
