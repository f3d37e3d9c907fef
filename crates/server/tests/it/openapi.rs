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

pub(crate) fn collect<'a>(json: &'a Json, references: &mut Vec<&'a str>) {
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
