//! `GET /livez`.

use actix_web::{HttpResponse, get};
use serde_json::json;

use crate::http::schema;

/// The process lives.
#[utoipa::path(
    tag = "process",
    responses((status = 200, description = "It does", body = schema::Alive)),
)]
#[get("/livez")]
pub(crate) async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "alive" }))
}
