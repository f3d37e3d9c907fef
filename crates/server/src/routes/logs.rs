//! `GET /v1/logs`.

use actix_web::{HttpRequest, HttpResponse, get};

use upsert_api::Logs;
use upsert_app::Refusal;

use crate::http::access::{Access, Administer};
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::reply;
use crate::telemetry::log_filter;

/// What is logged.
///
/// Scope: `admin`.
#[utoipa::path(
    tag = "process",
    responses(
        (status = 200, description = "The filter in force", body = Logs),
        (status = 404, description = "`not_found`: the process logs by its own rules"),
    ),
)]
#[get("/v1/logs")]
pub(crate) async fn get_logs(_caller: Access<Administer>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let filter = log_filter::of_process().ok_or_else(|| Refusal::not_found("log"))?;
    Ok(reply::json(&filter.shown()))
}
