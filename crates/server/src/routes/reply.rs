//! How answers are put together.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use serde_json::{Value as Json, json};

use upsert_app::{Answer, Listing};

use crate::http::prefer::Preferences;

const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// 200 with personal data in it, which no cache may keep.
pub(crate) fn json_reply(body: &Json) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(header::ContentType::json())
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(body.to_string())
}

/// 202: it is done durably, and what it began goes on by itself.
pub(crate) fn accepted(body: &Json) -> HttpResponse {
    HttpResponse::Accepted()
        .content_type(header::ContentType::json())
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(body.to_string())
}

/// `{ "data": … }`.
pub(crate) fn data(data: &[Json]) -> String {
    json!({ "data": data }).to_string()
}

/// A page of a list.
pub(crate) fn page(listing: &Listing) -> HttpResponse {
    json_reply(&json!({ "data": listing.data, "next_cursor": listing.next_cursor }))
}

/// An upsert's answer.
pub(crate) fn answer(answer: Answer, prefers: Preferences) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    response.content_type(answer.content_type);
    if let Some(location) = answer.location {
        response.insert_header((header::LOCATION, location));
    }
    if let Some(seconds) = answer.retry_after {
        response.insert_header((header::RETRY_AFTER, HeaderValue::from(seconds)));
    }
    if answer.replayed {
        response.insert_header((IDEMPOTENT_REPLAYED, "true"));
    }
    if let Some(held) = prefers.applied(status == StatusCode::ACCEPTED) {
        response.insert_header((PREFERENCE_APPLIED, held));
    }
    response.body(answer.body)
}
