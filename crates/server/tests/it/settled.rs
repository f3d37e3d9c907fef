//! Answers with what differs from run to run taken out.

use serde_json::{Map, Value as Json, json};

use reqwest::RequestBuilder;

/// Headers that say something; `date` and lengths do not, and whether a connection is closed depends on how much of a
/// body had arrived.
const HEADERS: [&str; 12] = [
    "allow",
    "cache-control",
    "content-type",
    "idempotent-replayed",
    "location",
    "preference-applied",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "www-authenticate",
    "x-content-type-options",
    "x-request-id",
];

/// A whole answer: status, headers, body.
pub(crate) async fn whole(request: RequestBuilder) -> Json {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let headers: Map<String, Json> = HEADERS
        .iter()
        .filter_map(|name| {
            let value = response.headers().get(*name)?.to_str().unwrap();
            Some(((*name).to_owned(), settled(&json!(value))))
        })
        .collect();
    let body: Json = response.json().await.unwrap();
    json!({ "status": status, "headers": headers, "body": settled(&body) })
}

/// Ids, moments and durations replaced by what they are.
pub(crate) fn settled(json: &Json) -> Json {
    match json {
        Json::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let value = if name == "duration_ms" && value.is_number() {
                    json!("<ms>")
                } else {
                    settled(value)
                };
                (name.clone(), value)
            })
            .collect(),
        Json::Array(items) => items.iter().map(settled).collect(),
        Json::String(text) => json!(settled_text(text)),
        other => other.clone(),
    }
}

fn settled_text(text: &str) -> String {
    if text.len() >= 20 && text.ends_with('Z') && text.as_bytes()[4] == b'-' && text.as_bytes()[10] == b'T' {
        return "<moment>".to_owned();
    }
    let mut settled = text.to_owned();
    for prefix in ["cus_", "ups_", "dlv_", "evt_", "ers_"] {
        if let Some(at) = settled.find(prefix)
            && settled.len() >= at + 30
        {
            settled.replace_range(at..at + 30, &format!("{prefix}…"));
        }
    }
    settled
}
