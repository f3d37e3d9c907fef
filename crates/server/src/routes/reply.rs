//! How answers are put together.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use serde::Serialize;

use upsert_app::Answer;

use crate::http::prefer::Preferences;

const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// 200 with personal data in it, which no cache may keep.
pub(crate) fn json(body: &impl Serialize) -> HttpResponse {
    with_status(StatusCode::OK, body)
}

/// 202: it is done durably, and what it began goes on by itself.
pub(crate) fn accepted(body: &impl Serialize) -> HttpResponse {
    with_status(StatusCode::ACCEPTED, body)
}

/// With this status.
pub(crate) fn with_status(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(body)
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
