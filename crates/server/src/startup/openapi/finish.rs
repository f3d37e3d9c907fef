//! What the routes' own annotations cannot say yet, and generators of clients need.

use serde_json::{Map, Value as Json, json};

use upsert_core::{EventKind, Word as _};

const SCHEMAS: &str = "/components/schemas";

/// The document as it is served.
pub(super) fn finish(mut document: Json) -> Json {
    name_items_of_pages(&mut document);
    references_alone(&mut document);
    close_combinations(&mut document);
    tell_of_webhooks(&mut document);
    document
}

fn reference(name: &str) -> Json {
    json!({ "$ref": format!("#{SCHEMAS}/{name}") })
}

/// A page has its items' schema written out, which makes a class of its own of each.
fn name_items_of_pages(document: &mut Json) {
    let Some(schemas) = document.pointer_mut(SCHEMAS).and_then(Json::as_object_mut) else {
        return;
    };
    let names: Vec<String> = schemas.keys().cloned().collect();
    for page in names {
        let Some(name) = page.strip_prefix("Page_").filter(|name| schemas.contains_key(*name)) else {
            continue;
        };
        if let Some(items) = schemas[&page].pointer_mut("/properties/data/items") {
            *items = reference(name);
        }
    }
}

/// In a choice or a combination a reference stands alone; what is said of it is said of the whole.
fn references_alone(document: &mut Json) {
    each(document, &mut |json| {
        for combined in ["oneOf", "anyOf", "allOf"] {
            let mut said = None;
            let parts = json.get_mut(combined).and_then(Json::as_array_mut);
            for part in parts.into_iter().flatten().filter_map(Json::as_object_mut) {
                if part.contains_key("$ref") && part.len() > 1 {
                    said = said.or(part.remove("description"));
                    part.retain(|member, _| member == "$ref");
                }
            }
            if let (Some(said), Some(whole)) = (said, json.as_object_mut()) {
                whole.entry("description").or_insert(said);
            }
        }
    });
}

/// Every value in it that is an object or a list, the outer ones first.
fn each(json: &mut Json, act: &mut impl FnMut(&mut Json)) {
    act(json);
    match json {
        Json::Object(members) => members.values_mut().for_each(|member| each(member, act)),
        Json::Array(items) => items.iter_mut().for_each(|item| each(item, act)),
        _ => {}
    }
}

/// A part that knows no other members than its own would refuse those of the parts beside it: it stands there in the open, and
/// the whole is closed. What nothing refers to any more is left out.
fn close_combinations(document: &mut Json) {
    let schemas = document
        .pointer(SCHEMAS)
        .and_then(Json::as_object)
        .cloned()
        .unwrap_or_default();
    let mut opened = Vec::new();
    each(document, &mut |json| {
        let Some(whole) = json.as_object_mut() else { return };
        let mut is_closed = false;
        for part in whole
            .get_mut("allOf")
            .and_then(Json::as_array_mut)
            .into_iter()
            .flatten()
        {
            let name = part["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
            let named = name.and_then(|name| Some((name.to_owned(), schemas.get(name)?)));
            if let Some((name, schema)) = named.filter(|(_, schema)| schema["additionalProperties"] == false) {
                *part = schema.clone();
                opened.push(name);
            }
            if part["additionalProperties"] == false {
                part.as_object_mut().map(|part| part.remove("additionalProperties"));
                is_closed = true;
            }
        }
        if is_closed {
            whole.insert("unevaluatedProperties".to_owned(), json!(false));
        }
    });
    opened.retain(|name| !refers_to(document, &reference(name)["$ref"]));
    if let Some(schemas) = document.pointer_mut(SCHEMAS).and_then(Json::as_object_mut) {
        schemas.retain(|name, _| !opened.contains(name));
    }
}

fn refers_to(json: &Json, reference: &Json) -> bool {
    match json {
        Json::Object(members) => {
            members.get("$ref") == Some(reference) || members.values().any(|member| refers_to(member, reference))
        }
        Json::Array(items) => items.iter().any(|item| refers_to(item, reference)),
        _ => false,
    }
}

/// Events that go out, by their kind. Each is referred to: some generators make clients of what stands there itself, as if the
/// gateway were asked that way, and clients for Python that cannot be loaded.
fn tell_of_webhooks(document: &mut Json) {
    let (mut webhooks, mut items) = (Map::new(), Map::new());
    for kind in EventKind::all() {
        let name = kind.as_str().replace('.', "_");
        webhooks.insert(
            kind.as_str().to_owned(),
            json!({ "$ref": format!("#/components/pathItems/{name}") }),
        );
        items.insert(name, json!({ "post": told(kind) }));
    }
    document["webhooks"] = webhooks.into();
    document["components"]["pathItems"] = items.into();
}

fn told(kind: EventKind) -> Json {
    let (about, summary) = match kind {
        EventKind::CustomerUpserted => ("UpsertAnswer", "The required deliveries of an upsert have ended well"),
        EventKind::CustomerDeliveryFailed => ("ListedDelivery", "A delivery has failed for good"),
        EventKind::CustomerErased => ("Erasure", "A customer was erased"),
        EventKind::ConnectionPaused => ("Connection", "A connection was paused"),
        EventKind::ConnectionResumed => ("Connection", "A connection goes on"),
        EventKind::QuotaRunningOut => ("Connection", "The day's calls are running out"),
    };
    let ids = json!({ "type": "object", "description": "With `payload = \"ids\"`", "additionalProperties": { "type": ["string", "null"] } });
    let header = |name: &str, description: &str| json!({ "name": name, "in": "header", "required": true, "description": description, "schema": { "type": "string" } });
    json!({
        "operationId": format!("tell{kind:?}"),
        "tags": ["events"],
        "summary": summary,
        "description": "Sent to the merchant's endpoints that ask for it, signed as Standard Webhooks asks, at least once.",
        "security": [],
        "parameters": [
            header("webhook-id", "The event's id, the same with every try"),
            header("webhook-timestamp", "Seconds since 1970"),
            header("webhook-signature", "`v1,` and the signature in Base64; several with blanks between while secrets are rotated"),
        ],
        "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": {
                "type": "object",
                "required": ["type", "timestamp", "data"],
                "properties": {
                    "type": { "type": "string", "const": kind.as_str() },
                    "timestamp": { "type": "string", "format": "date-time" },
                    "data": { "anyOf": [reference(about), ids] },
                },
            } } },
        },
        "responses": {
            "2XX": { "description": "Taken" },
            "410": { "description": "Nothing is wanted any more: the endpoint is disabled" },
            "default": { "description": "Tried again later" },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_in_a_choice_stands_alone_and_its_words_are_those_of_the_whole() {
        let described = json!({ "$ref": "#/x", "description": "One." });
        let mut schema = json!({ "properties": { "a": { "oneOf": [described, { "type": "null" }] }, "b": described } });
        references_alone(&mut schema);
        let whole = json!({ "oneOf": [{ "$ref": "#/x" }, { "type": "null" }], "description": "One." });
        assert_eq!(schema, json!({ "properties": { "a": whole, "b": described } }));
    }

    #[test]
    fn a_closed_part_is_opened_and_closes_the_whole_and_is_left_out_where_it_stood_for_nothing_else() {
        let closed = json!({ "properties": { "a": {} }, "additionalProperties": false });
        let combined = json!({ "allOf": [{ "$ref": "#/components/schemas/Part" }, { "properties": { "b": {} } }] });
        let mut document = json!({ "components": { "schemas": { "Part": closed, "Whole": combined } } });
        close_combinations(&mut document);
        let whole = json!({ "allOf": [{ "properties": { "a": {} } }, { "properties": { "b": {} } }], "unevaluatedProperties": false });
        assert_eq!(document, json!({ "components": { "schemas": { "Whole": whole } } }));

        let used = json!({ "$ref": "#/components/schemas/Part" });
        let mut document = json!({ "components": { "schemas": { "Part": closed, "Whole": combined, "Other": used } } });
        close_combinations(&mut document);
        assert_eq!(document["components"]["schemas"]["Part"], closed);
        assert_eq!(document["components"]["schemas"]["Whole"], whole);
    }
}
