//! `GET /livez`.

use actix_web::{HttpResponse, get};

use upsert_api::Alive;

/// The process lives.
#[utoipa::path(
    tag = "process",
    responses((status = 200, description = "It does", body = Alive)),
)]
#[get("/livez")]
pub(crate) async fn check_liveness() -> HttpResponse {
    let status = "alive".to_owned();
    HttpResponse::Ok().json(Alive { status })
}
