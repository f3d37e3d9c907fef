//! `GET /v1/configuration`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};

use upsert_api::Configuration;

use crate::http::access::{Access, ReadOperations};
use crate::http::merchant_id;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::reply;
use crate::state::State;

/// The configuration in force: since when, what each generation since the start changed, and why the last reading of the
/// files was refused, if it was. Secrets are shown as where they are kept.
///
/// Scope: `ops:read`. What is the gateway's own (`server`, `store`, `api_keys`, `telemetry`) is told to keys for all merchants alone.
#[utoipa::path(
    tag = "operations",
    params(("Merchant-Id" = Option<String>, Header, description = "Only this merchant's, and what is configured for it")),
    responses((status = 200, description = "The configuration", body = Configuration)),
)]
#[get("/v1/configuration")]
pub(crate) async fn get_configuration(
    caller: Access<ReadOperations>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let merchant = merchant_id::filter(&caller, request.headers())?;
    let merchants = merchant_id::in_sight(&caller, request.headers())?;
    let id = merchant.as_ref().map(|merchant| merchant.id.as_str());
    Ok(reply::json(&state.history.shown(merchants.as_ref(), id)))
}
