//! The OpenAPI 3.1 document, made of the routes' own annotations; what holds for every route is added here once.

mod finish;

use std::collections::HashMap;

use actix_web::App;
use actix_web::http::Method;
use actix_web::web::Bytes;
use utoipa::PartialSchema as _;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::info::LicenseBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ContentBuilder, Info, ObjectBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder, Server, Type,
};
use utoipa_actix_web::AppExt as _;

use upsert_api::{AuditAction, Direction, EventState, Problem};

use crate::http::documented::Documented;
use crate::routes;

/// Makes the document.
pub(crate) fn documented() -> Documented {
    let (_app, mut api) = App::new()
        .into_utoipa_app()
        .configure(|config| routes::all(config))
        .split_for_parts();
    api.info = Info::new("Upsert Gateway", env!("CARGO_PKG_VERSION"));
    api.info.description =
        Some("One request to create or update a customer, at every vendor, with a receipt.".to_owned());
    api.servers = Some(vec![Server::new("/")]);
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0"));
    api.info.license = Some(license.build());
    let tags = TAGS.map(|(name, says)| TagBuilder::new().name(name).description(Some(says)).build());
    api.tags = Some(tags.to_vec());
    let components = api.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let own = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Api-Key")));
    components.add_security_scheme("api_key", own);
    // Paths, queries and what is added below name them, and no body does.
    for (name, schema) in [
        ("AuditAction", AuditAction::schema()),
        ("Direction", Direction::schema()),
        ("EventState", EventState::schema()),
        ("Problem", Problem::schema()),
    ] {
        components.schemas.insert(name.to_owned(), schema);
    }
    let mut methods = HashMap::new();
    for (path, item) in &mut api.paths.paths {
        let mut known = Vec::new();
        for (method, operation) in operations(item) {
            known.push(method);
            let needs_key = path.starts_with("/v1/") && !is_signed(path);
            operation.operation_id = operation.operation_id.as_deref().map(camel);
            operation.security = Some(if needs_key { by_key() } else { Vec::new() });
            complete(operation, needs_key);
        }
        methods.insert(path.clone(), known);
    }
    Documented::new(rendered(&api), methods)
}

/// What the routes are about, and the events that go out.
const TAGS: [(&str, &str); 8] = [
    ("customers", "Creating, changing, reading and erasing customers"),
    ("upserts", "What became of an upsert"),
    ("deliveries", "What goes to vendors, and dead letters"),
    ("operations", "Connections, what needs attention, and who did what"),
    ("webhooks", "Events that come in and that go out"),
    ("merchants", "Merchants in the store"),
    ("process", "The gateway itself"),
    ("events", "What merchants' own systems are told, by webhooks"),
];

/// Either of the two.
fn by_key() -> Vec<SecurityRequirement> {
    let either = ["bearer", "api_key"].map(|name| SecurityRequirement::new(name, Vec::<String>::new()));
    either.to_vec()
}

/// `upsert_customer` as `upsertCustomer`: what generated clients call a method.
fn camel(snake: &str) -> String {
    let mut parts = snake.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |camel, part| {
        let (head, tail) = part.split_at(part.len().min(1));
        camel + &head.to_ascii_uppercase() + tail
    })
}

/// Events that come in prove who sent them by their signature.
fn is_signed(path: &str) -> bool {
    path.starts_with("/v1/webhooks/")
}

fn rendered(api: &OpenApi) -> Bytes {
    let document = serde_json::to_value(api).map(finish::finish);
    document
        .map(|document| Bytes::from(document.to_string()))
        .unwrap_or_default()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PUT, &mut item.put),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// What any route may answer.
const ANY: [(&str, &str); 2] = [("400", "`invalid_header`"), ("406", "`not_acceptable`")];
/// What any route with a key may answer.
const WITH_A_KEY: [(&str, &str); 6] = [
    (
        "400",
        "`malformed_json`, `merchant_required`, `invalid_header`, `invalid_query`",
    ),
    ("401", "`unauthenticated`"),
    ("403", "`scope_missing`, `merchant_forbidden`"),
    ("429", "`rate_limited`"),
    ("500", "`internal`"),
    ("503", "`overloaded`, `shutting_down`"),
];
/// What any route that takes JSON may answer.
const WITH_A_BODY: [(&str, &str); 3] = [
    ("408", "`request_timeout`: the body took too long"),
    ("413", "`body_too_large`"),
    ("415", "`unsupported_media_type`"),
];

fn complete(operation: &mut Operation, needs_key: bool) {
    let responses = &mut operation.responses.responses;
    let is_422_documented = responses.contains_key("422");
    let mut add = |all: &[(&str, &str)]| {
        for (status, description) in all {
            let response = || RefOr::T(ResponseBuilder::new().description(*description).build());
            responses.entry((*status).to_owned()).or_insert_with(response);
        }
    };
    if needs_key {
        add(&WITH_A_KEY);
    }
    add(&ANY);
    let takes_json = |body: &RefOr<RequestBody>| match body {
        RefOr::T(body) => body.content.contains_key("application/json"),
        RefOr::Ref(_) => false,
    };
    // 422 is said of a body, and of one where there is nothing to say in it.
    let judges_a_body = operation.request_body.as_ref().is_some_and(takes_json) || is_422_documented;
    if judges_a_body {
        add(&WITH_A_BODY);
    }
    for (status, response) in responses {
        if let RefOr::T(response) = response {
            if status.as_str() >= "400" {
                as_problem(status, response);
            }
            let id = header("The request's id: yours, if it was sane");
            response.headers.insert("X-Request-Id".to_owned(), RefOr::T(id));
        }
    }
}

/// A refusal is a problem document, and has its headers.
fn as_problem(status: &str, response: &mut Response) {
    if response.content.is_empty() {
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Problem")))
            .build();
        response
            .content
            .insert("application/problem+json".to_owned(), RefOr::T(content));
    }
    let headers: &[(&str, &str)] = match status {
        "401" => &[("WWW-Authenticate", "Bearer")],
        "429" => &[
            ("Retry-After", "Seconds"),
            ("RateLimit", "What remains, and when there is more"),
            ("RateLimit-Policy", "The key's quota and its window"),
        ],
        "503" => &[("Retry-After", "Seconds")],
        _ => &[],
    };
    for (name, description) in headers {
        let header = || RefOr::T(header(description));
        response.headers.entry((*name).to_owned()).or_insert_with(header);
    }
}

fn header(description: &str) -> utoipa::openapi::Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some(description))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_called_by_a_verb_in_one_word() {
        let names = ["upsert_customer", "get_docs_file", "list", "_a_b"].map(camel);
        assert_eq!(names, ["upsertCustomer", "getDocsFile", "list", "AB"]);
    }
}
