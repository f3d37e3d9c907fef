//! The document says what the server does.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::Value as Json;

use upsert_api::ProblemCode;
use upsert_core::{Field, Word as _};

use crate::served::{ConfigSnapshot, header, read};

#[tokio::test]
async fn the_document_lists_every_route_with_its_statuses() {
    let served = ConfigSnapshot::start().await;
    let (_, document) = read(served.get("/openapi.json", "")).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut routes = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let statuses: Vec<&String> = operation["responses"].as_object().unwrap().keys().collect();
            routes.insert(format!("{} {path}", method.to_uppercase()), format!("{statuses:?}"));
        }
    }
    insta::assert_json_snapshot!("routes", routes);
    served.running.stop().await;
}

#[tokio::test]
async fn every_path_answers_other_methods_with_those_that_are_documented() {
    let served = ConfigSnapshot::start().await;
    let (_, document) = read(served.get("/openapi.json", "")).await;
    for (template, item) in document["paths"].as_object().unwrap() {
        let path = template.replace(['{', '}'], "");
        let response = served.request(Method::PATCH, &path, "acme").send().await.unwrap();
        assert_eq!(response.status(), 405, "{template}");
        let documented: Vec<String> = item
            .as_object()
            .unwrap()
            .keys()
            .map(|method| method.to_uppercase())
            .collect();
        let mut allowed: Vec<&str> = header(&response, "allow").unwrap().split(", ").collect();
        // These hold for every path and stand in no document.
        allowed.retain(|method| !["HEAD", "OPTIONS"].contains(method));
        allowed.sort_unstable();
        assert_eq!(allowed, documented, "{template}");
    }
    served.running.stop().await;
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_every_answer_carries_its_request_id() {
    let served = ConfigSnapshot::start().await;
    let (_, document) = read(served.get("/openapi.json", "")).await;
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 50);
    for reference in references {
        assert!(
            document.pointer(reference.trim_start_matches('#')).is_some(),
            "{reference}"
        );
    }
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            for response in operation["responses"].as_object().unwrap().values() {
                assert!(response["headers"]["X-Request-Id"].is_object());
            }
        }
    }
    served.running.stop().await;
}

fn collect<'a>(json: &'a Json, references: &mut Vec<&'a str>) {
    match json {
        Json::Object(members) => {
            references.extend(members.get("$ref").and_then(Json::as_str));
            members.values().for_each(|member| collect(member, references));
        }
        Json::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[tokio::test]
async fn the_request_has_every_field_of_a_customer_and_the_document_every_code() {
    let served = ConfigSnapshot::start().await;
    let (_, document) = read(served.get("/openapi.json", "")).await;
    let schemas = &document["components"]["schemas"];
    for name in ["UpsertRequest", "Customer"] {
        for field in Field::ALL {
            let mut schema = &schemas[name];
            for member in field.pointer().split('/').skip(1) {
                schema = &schema["properties"][member];
                let choice = schema["oneOf"]
                    .as_array()
                    .and_then(|choices| choices.iter().find(|one| one["$ref"].is_string()));
                let reference = choice.unwrap_or(schema)["$ref"].as_str();
                if let Some(reference) = reference {
                    schema = document.pointer(reference.trim_start_matches('#')).unwrap();
                }
            }
            assert!(!schema.is_null(), "{name} lacks {}", field.pointer());
        }
    }
    assert_eq!(schemas["UpsertRequest"]["additionalProperties"], false);
    let text = document["paths"].to_string();
    for code in ProblemCode::ALL {
        assert!(
            text.contains(&format!("`{}`", code.as_str())) || *code == ProblemCode::MethodNotAllowed,
            "{code:?} is answered nowhere"
        );
    }
    served.running.stop().await;
}

#[tokio::test]
async fn generators_of_clients_find_what_they_need() {
    let served = ConfigSnapshot::start().await;
    let (_, document) = read(served.get("/openapi.json", "")).await;
    assert_eq!(document["info"]["license"]["identifier"], "Apache-2.0");
    assert_eq!(document["servers"][0]["url"], "/");
    let named = |member: &str| {
        let all = document[member].as_array().unwrap().iter();
        all.map(|tag| tag["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (mut ids, mut tags) = (Vec::new(), Vec::new());
    for member in ["paths", "webhooks"] {
        for item in document[member].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
                ids.push(id.to_owned());
                assert!(operation["security"].is_array(), "{id}");
                tags.extend(
                    operation["tags"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|tag| tag.as_str().unwrap().to_owned()),
                );
            }
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "an operation's id is its own");
    for id in ["upsertCustomer", "planUpsert", "listDeliveries", "onCustomerUpserted"] {
        assert!(ids.iter().any(|known| known == id), "{id}: {ids:?}");
    }
    let mut declared = named("tags");
    declared.sort();
    tags.sort();
    tags.dedup();
    assert_eq!(tags, declared);
    assert_eq!(
        document["webhooks"].as_object().unwrap().len(),
        upsert_core::EventKind::ALL.len()
    );
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut references = Vec::new();
    collect(&document, &mut references);
    for name in schemas.keys() {
        let used = references
            .iter()
            .any(|reference| reference.ends_with(&format!("/{name}")));
        assert!(used, "{name} is used nowhere");
    }
    assert!(
        !schemas.contains_key("Configuration"),
        "generators have a class of that name"
    );
    references_stand_alone(&document);
    served.running.stop().await;
}

fn references_stand_alone(json: &Json) {
    match json {
        Json::Object(members) => {
            for combined in ["oneOf", "anyOf", "allOf"] {
                let parts = members.get(combined).and_then(Json::as_array).into_iter().flatten();
                for part in parts
                    .filter_map(Json::as_object)
                    .filter(|part| part.contains_key("$ref"))
                {
                    assert_eq!(part.len(), 1, "{part:?}");
                }
            }
            members.values().for_each(references_stand_alone);
        }
        Json::Array(items) => items.iter().for_each(references_stand_alone),
        _ => {}
    }
}
