//! `GET /openapi.json`.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpResponse, get};

use crate::state::State;

/// This document.
#[utoipa::path(
    tag = "process",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)),
)]
#[get("/openapi.json")]
pub(crate) async fn get_openapi(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(header::ContentType::json())
        .body(state.documented.json.clone())
}
