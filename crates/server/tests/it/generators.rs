//! What generators of clients need of the document, as laws: they hold for routes and types that are still to come.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use upsert_core::{EventKind, Word as _};

use crate::openapi::collect;
use crate::served::{ConfigSnapshot, read};

async fn document() -> Json {
    let served = ConfigSnapshot::start().await;
    let (_, document) = read(served.get("/openapi.json", "")).await;
    served.running.stop().await;
    document
}

/// Where a reference leads; else the value itself.
fn led<'d>(document: &'d Json, json: &'d Json) -> &'d Json {
    match json["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => json,
    }
}

/// Every operation, those of events that go out as well.
fn operations(document: &Json) -> Vec<&Json> {
    let items = ["paths", "webhooks"].map(|member| document[member].as_object().unwrap().values());
    let items = items.into_iter().flatten().map(|item| led(document, item));
    items.flat_map(|item| item.as_object().unwrap().values()).collect()
}

fn id(operation: &Json) -> &str {
    operation["operationId"].as_str().unwrap()
}

fn texts(list: &Json) -> BTreeSet<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_str().unwrap())
        .collect()
}

/// What an operation begins with. A new verb belongs here.
const VERBS: &str = "change check delete discard enable erase get list pause plan put receive renew replay resume rotate tell \
    test try unlink upsert verify";

#[tokio::test]
async fn every_operation_is_called_by_a_verb_that_is_its_own() {
    let document = document().await;
    let mut ids = BTreeSet::new();
    for operation in operations(&document) {
        let id = id(operation);
        let verb = id.split(|c: char| c.is_ascii_uppercase()).next().unwrap();
        assert!(VERBS.split_whitespace().any(|known| known == verb), "{id}");
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
        assert!(ids.insert(id), "{id} is there twice");
    }
    assert!(
        ids.contains("upsertCustomer") && ids.contains("listDeliveries"),
        "{ids:?}"
    );
}

#[tokio::test]
async fn every_operation_says_who_may_call_it_and_under_which_tag_it_stands() {
    let document = document().await;
    assert_eq!(document["info"]["license"]["identifier"], "Apache-2.0");
    assert_eq!(document["servers"][0]["url"], "/");
    let mut tags = BTreeSet::new();
    for operation in operations(&document) {
        assert!(operation["security"].is_array(), "{}", id(operation));
        tags.extend(texts(&operation["tags"]));
    }
    let declared = document["tags"].as_array().unwrap().iter();
    let declared: BTreeSet<&str> = declared.map(|tag| tag["name"].as_str().unwrap()).collect();
    assert_eq!(tags, declared);
    // A generator writes what has one tag into one file: what goes out would take the place of what comes in.
    let of = |member: &str| -> BTreeSet<&str> {
        let items = document[member].as_object().unwrap().values();
        let items = items.map(|item| led(&document, item));
        let operations = items.flat_map(|item| item.as_object().unwrap().values());
        operations.flat_map(|operation| texts(&operation["tags"])).collect()
    };
    assert!(of("paths").is_disjoint(&of("webhooks")));
}

#[tokio::test]
async fn answers_that_name_a_place_or_a_time_declare_its_header() {
    let document = document().await;
    for operation in operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let says = response["description"].as_str().unwrap_or_default();
            let is_upsert = response["content"]["application/json"]["schema"]["$ref"]
                .as_str()
                .is_some_and(|reference| reference.ends_with("/UpsertAnswer"));
            let needed: &[&str] = match status.as_str() {
                "201" if is_upsert => &["Location"],
                "202" if is_upsert => &["Location", "Retry-After"],
                "401" => &["WWW-Authenticate"],
                "409" if says.contains("`idempotency_in_progress`") => &["Retry-After"],
                "429" => &["Retry-After", "RateLimit", "RateLimit-Policy"],
                "503" => &["Retry-After"],
                _ => &[],
            };
            for header in needed {
                let schema = &response["headers"][header]["schema"];
                assert!(schema.is_object(), "{} {status}: {header}", id(operation));
            }
        }
    }
}

/// Every value that is an object.
fn each<'d>(json: &'d Json, act: &mut impl FnMut(&'d Map<String, Json>)) {
    match json {
        Json::Object(members) => {
            act(members);
            members.values().for_each(|member| each(member, act));
        }
        Json::Array(items) => items.iter().for_each(|item| each(item, act)),
        _ => {}
    }
}

fn parts<'d>(schema: &'d Map<String, Json>, combined: &str) -> impl Iterator<Item = &'d Json> {
    schema.get(combined).and_then(Json::as_array).into_iter().flatten()
}

#[tokio::test]
async fn a_reference_that_is_combined_stands_alone_and_no_part_is_closed_against_the_others() {
    let document = document().await;
    each(&document, &mut |schema| {
        for combined in ["oneOf", "anyOf", "allOf"] {
            for part in parts(schema, combined).filter(|part| part["$ref"].is_string()) {
                assert_eq!(part.as_object().unwrap().len(), 1, "{part}");
            }
        }
        for part in parts(schema, "allOf") {
            let part = led(&document, part);
            for closing in ["additionalProperties", "unevaluatedProperties"] {
                assert_ne!(part[closing], false, "{part} refuses what stands beside it");
            }
        }
        // A choice within a choice is more than generators for Python and TypeScript take.
        for part in parts(schema, "oneOf") {
            assert!(led(&document, part)["oneOf"].is_null(), "{schema:?}");
        }
    });
}

#[tokio::test]
async fn what_refuses_unknown_members_says_so() {
    let document = document().await;
    // Whatever a source sends, and a merchant's file as JSON, which the settings judge.
    let free = ["receiveEvent", "putMerchant"];
    let mut closed = 0;
    for operation in document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
    {
        let contents = operation["requestBody"]["content"]
            .as_object()
            .into_iter()
            .flat_map(Map::values);
        for content in contents.filter(|_| !free.contains(&id(operation))) {
            let schema = &content["schema"];
            let choices = schema["oneOf"].as_array();
            let named = choices.and_then(|choices| choices.iter().find(|one| one["$ref"].is_string()));
            let schema = led(&document, named.unwrap_or(schema));
            let is_closed = schema["additionalProperties"] == false || schema["unevaluatedProperties"] == false;
            assert!(is_closed, "{}: {schema}", id(operation));
            closed += 1;
        }
    }
    assert!(closed > 5);
}

#[tokio::test]
async fn what_a_request_may_leave_out_has_no_default() {
    let document = document().await;
    // What has a default is there once it was read, so a client's type has to have it: it would have to be sent.
    let mut looked_at = 0;
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let closed = ["additionalProperties", "unevaluatedProperties"];
        if closed.into_iter().all(|closing| schema[closing] != false) {
            continue;
        }
        each(schema, &mut |schema| {
            for (member, schema) in schema.get("properties").and_then(Json::as_object).into_iter().flatten() {
                assert!(schema.get("default").is_none(), "{name}.{member}");
                looked_at += 1;
            }
        });
    }
    assert!(looked_at > 50, "{looked_at}");
}

/// Members that are one of a closed set wherever they stand.
const WORDS: &str = "action actions direction disabled_by encryption error_kind events evidence kind last_failure_kind \
    last_reading matched_by outcome paused_by payload reason repeat result severity state state_at_vendor status through \
    waiting_for code";

/// Those that are not: an address's state, words of vendors or of later versions, and what may be covered by `•••`, which several
/// languages cannot have in a name.
const FREE: &str = "Address.state DeliveryError.code Cause.code AuditEntry.action Customer.kind Customer.status \
    IncidentEvent.reason";

/// Whether a value is one of a closed set, or a list of such, or null.
fn is_enumerated(document: &Json, schema: &Json) -> bool {
    let schema = led(document, schema);
    let choices: Vec<&Json> = parts(schema.as_object().unwrap(), "oneOf").collect();
    if !choices.is_empty() {
        let mut values = choices.into_iter().filter(|one| one["type"] != "null");
        return values.any(|one| is_enumerated(document, one));
    }
    schema["enum"].is_array() || schema["items"].is_object() && is_enumerated(document, &schema["items"])
}

/// Numbers, objects, and what is yes or no are no words.
fn may_be_a_word(document: &Json, schema: &Json) -> bool {
    let schema = led(document, schema);
    if schema["items"].is_object() {
        return may_be_a_word(document, &schema["items"]);
    }
    let is =
        |kind: &str| schema["type"] == kind || schema["type"].as_array().is_some_and(|all| all.contains(&kind.into()));
    !["integer", "number", "boolean", "object"].iter().any(|kind| is(kind))
}

#[tokio::test]
async fn every_closed_set_is_listed_in_answers_requests_and_queries() {
    let document = document().await;
    let mut looked_at = 0;
    let mut look = |of: &str, name: &str, schema: &Json| {
        let place = format!("{of}.{name}");
        let is_free = FREE.split_whitespace().any(|free| free == place);
        if WORDS.split_whitespace().any(|word| word == name) && may_be_a_word(&document, schema) {
            assert_ne!(is_enumerated(&document, schema), is_free, "{place}: {schema}");
            looked_at += 1;
        }
    };
    for (of, schema) in document["components"]["schemas"].as_object().unwrap() {
        each(schema, &mut |schema| {
            for (name, member) in schema.get("properties").and_then(Json::as_object).into_iter().flatten() {
                look(of, name, member);
            }
        });
    }
    for operation in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            look(id(operation), parameter["name"].as_str().unwrap(), &parameter["schema"]);
        }
    }
    assert!(looked_at > 40, "{looked_at}");
}

/// What generators, and the languages that they write, have themselves.
const TAKEN: &str = "ApiClient ApiException ApiResponse Client Configuration Date Error File JSON List Map Model ModelApiResponse \
    Object Pair Response ServerConfiguration String Type Unset";

#[tokio::test]
async fn no_model_is_called_like_what_a_generator_brings_and_each_is_used() {
    let document = document().await;
    let mut references = Vec::new();
    collect(&document, &mut references);
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(!TAKEN.split_whitespace().any(|taken| taken == name), "{name}");
        let reference = format!("#/components/schemas/{name}");
        assert!(references.contains(&&*reference), "{name} is used nowhere");
    }
}

#[tokio::test]
async fn a_refusal_that_carries_an_upserts_answer_is_typed_with_it() {
    let document = document().await;
    let schemas = &document["components"]["schemas"];
    let responses = &document["paths"]["/v1/customers"]["post"]["responses"];
    let schema = |status: &str| {
        led(
            &document,
            &responses[status]["content"]["application/problem+json"]["schema"],
        )
    };
    let upsert = serde_json::json!({ "$ref": "#/components/schemas/UpsertProblem" });
    assert_eq!(schema("422")["anyOf"][0], upsert);
    assert_eq!(schema("502"), &schemas["UpsertProblem"]);
    let line = led(&document, &schemas["RefusedLine"]["properties"]["problem"]);
    assert_eq!(line["anyOf"][0], upsert);
    for (of, member) in [
        ("ConnectionStatus", "breaker"),
        ("ConnectionStatus", "health"),
        ("ConnectionStatus", "rate_limit"),
        ("PlannedConnection", "refusals"),
    ] {
        let schema = &schemas[of]["properties"][member];
        let item = schema.get("items").unwrap_or(schema);
        assert!(led(&document, item)["properties"].is_object(), "{of}.{member}");
    }
}

#[tokio::test]
async fn every_event_that_goes_out_stands_under_webhooks_with_what_it_tells() {
    let document = document().await;
    let webhooks = document["webhooks"].as_object().unwrap();
    assert_eq!(webhooks.len(), EventKind::ALL.len());
    for kind in EventKind::all() {
        let body = &led(&document, &webhooks[kind.as_str()])["post"]["requestBody"];
        let members = &body["content"]["application/json"]["schema"]["properties"];
        assert_eq!(members["type"]["const"], kind.as_str());
        let told = led(&document, &members["data"]["anyOf"][0]);
        assert!(
            told["properties"].is_object() || told["allOf"].is_array(),
            "{kind}: {told}"
        );
    }
}
