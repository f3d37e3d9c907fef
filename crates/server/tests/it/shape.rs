//! Holds a JSON value against a schema of the OpenAPI document: members, required ones, types, words.

use serde_json::Value as Json;

/// What does not fit, by pointer.
pub(crate) fn misfits(document: &Json, schema: &Json, value: &Json) -> Vec<String> {
    let mut misfits = Vec::new();
    check(document, schema, value, "", true, &mut misfits);
    misfits
}

fn resolved<'a>(document: &'a Json, schema: &'a Json) -> &'a Json {
    match schema["$ref"].as_str() {
        Some(reference) => document
            .pointer(reference.trim_start_matches('#'))
            .expect("a schema of this name"),
        None => schema,
    }
}

fn check(document: &Json, schema: &Json, value: &Json, at: &str, is_whole: bool, misfits: &mut Vec<String>) {
    let schema = resolved(document, schema);
    for part in schema["allOf"].as_array().into_iter().flatten() {
        check(document, part, value, at, false, misfits);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = |choice: &Json| {
            let mut own = Vec::new();
            check(document, choice, value, at, true, &mut own);
            own.is_empty()
        };
        if !choices.iter().any(fits) {
            misfits.push(format!("{at}: none of the choices fits"));
        }
        return;
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        misfits.push(format!("{at}: {value} is none of the words"));
    }
    let types: Vec<&str> = match &schema["type"] {
        Json::String(one) => vec![one],
        Json::Array(several) => several.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|name| is_of(value, name)) {
        misfits.push(format!("{at}: {value} is none of {types:?}"));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        if !schema["items"].is_null() {
            check(
                document,
                &schema["items"],
                item,
                &format!("{at}/{index}"),
                true,
                misfits,
            );
        }
    }
    if let Some(members) = value.as_object() {
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
        {
            if !members.contains_key(name) {
                misfits.push(format!("{at}/{name}: is missing"));
            }
        }
        let documented = properties(document, schema);
        for (name, member) in members {
            let at = format!("{at}/{name}");
            match schema["properties"].get(name) {
                Some(schema) => check(document, schema, member, &at, true, misfits),
                None if schema["additionalProperties"].is_object() => {
                    check(document, &schema["additionalProperties"], member, &at, true, misfits);
                }
                None if is_whole && !documented.is_empty() && !documented.contains(name) => {
                    misfits.push(format!("{at}: is not documented"));
                }
                None => {}
            }
        }
    }
}

/// Every member that an object may have.
fn properties(document: &Json, schema: &Json) -> Vec<String> {
    let schema = resolved(document, schema);
    let own = schema["properties"]
        .as_object()
        .into_iter()
        .flat_map(|own| own.keys().cloned());
    let parts = schema["allOf"].as_array().into_iter().flatten();
    own.chain(parts.flat_map(|part| properties(document, part))).collect()
}

fn is_of(value: &Json, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}
