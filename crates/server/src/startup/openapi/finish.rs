//! What generators of clients need of the document beyond the routes' own annotations.

use serde_json::{Map, Value as Json, json};

use upsert_core::{EventKind, Word as _};

const SCHEMAS: &str = "/components/schemas";

/// What the routes are about.
const TAGS: [(&str, &str); 7] = [
    ("customers", "Creating, changing, reading and erasing customers"),
    ("upserts", "What became of an upsert"),
    ("deliveries", "What goes to vendors, and dead letters"),
    ("operations", "Connections, what needs attention, and who did what"),
    ("webhooks", "Events that come in and that go out"),
    ("merchants", "Merchants in the store"),
    ("process", "The gateway itself"),
];

/// A class of this name is a generator's own in some languages.
const SHADOWING: [(&str, &str); 1] = [("Configuration", "EffectiveConfiguration")];

/// The document as it is served.
pub(super) fn finish(mut document: Json) -> Json {
    document["info"]["license"]["identifier"] = json!("Apache-2.0");
    document["tags"] = TAGS
        .iter()
        .map(|(name, description)| json!({ "name": name, "description": description }))
        .collect();
    for (old, new) in SHADOWING {
        rename(&mut document, old, new);
    }
    name_items_of_pages(&mut document);
    references_alone(&mut document);
    for_each_operation(&mut document, |operation| {
        if let Some(Json::String(id)) = operation.get_mut("operationId") {
            *id = camel(id);
        }
        operation.entry("security").or_insert_with(|| json!([]));
    });
    document["webhooks"] = webhooks();
    document
}

fn for_each_operation(document: &mut Json, mut act: impl FnMut(&mut Map<String, Json>)) {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for item in paths {
        let operations = item.as_object_mut().into_iter().flat_map(Map::values_mut);
        operations.filter_map(Json::as_object_mut).for_each(&mut act);
    }
}

/// `upsert_customer` as `upsertCustomer`.
fn camel(snake: &str) -> String {
    let mut parts = snake.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |camel, part| {
        let (head, tail) = part.split_at(part.len().min(1));
        camel + &head.to_ascii_uppercase() + tail
    })
}

fn reference(name: &str) -> Json {
    json!({ "$ref": format!("#{SCHEMAS}/{name}") })
}

fn rename(document: &mut Json, old: &str, new: &str) {
    let schemas = document.pointer_mut(SCHEMAS).and_then(Json::as_object_mut);
    if let Some(schemas) = schemas
        && let Some(schema) = schemas.remove(old)
    {
        schemas.insert(new.to_owned(), schema);
    }
    let (old, new) = (reference(old)["$ref"].take(), reference(new)["$ref"].take());
    each(document, &mut |json| {
        if let Some(name) = json.get_mut("$ref")
            && *name == old
        {
            name.clone_from(&new);
        }
    });
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

/// Events that go out, by their kind.
fn webhooks() -> Json {
    let kinds = EventKind::all();
    kinds
        .map(|kind| (kind.as_str().to_owned(), json!({ "post": told(kind) })))
        .collect::<Map<_, _>>()
        .into()
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
        "operationId": format!("on{}", camel(&format!("_{}", kind.as_str().replace('.', "_")))),
        "tags": ["webhooks"],
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
    fn an_operation_is_called_by_a_verb_in_one_word() {
        let names = ["upsert_customer", "get_docs_file", "list", "_a_b"].map(camel);
        assert_eq!(names, ["upsertCustomer", "getDocsFile", "list", "AB"]);
    }

    #[test]
    fn a_reference_in_a_choice_stands_alone_and_its_words_are_those_of_the_whole() {
        let described = json!({ "$ref": "#/x", "description": "One." });
        let mut schema = json!({ "properties": { "a": { "oneOf": [described, { "type": "null" }] }, "b": described } });
        references_alone(&mut schema);
        let whole = json!({ "oneOf": [{ "$ref": "#/x" }, { "type": "null" }], "description": "One." });
        assert_eq!(schema, json!({ "properties": { "a": whole, "b": described } }));
    }
}
