//! `GET /v1/webhooks`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};

use upsert_api::Webhooks;

use crate::http::access::{Access, ReadOperations};
use crate::http::merchant_id;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::reply;
use crate::state::State;

/// Where events come from and where they go, and how both are doing.
///
/// Scope: `ops:read`.
#[utoipa::path(
    tag = "webhooks",
    params(("Merchant-Id" = Option<String>, Header, description = "Only this merchant's")),
    responses((status = 200, description = "Sources and endpoints", body = Webhooks)),
)]
#[get("/v1/webhooks")]
pub(crate) async fn list_webhooks(
    caller: Access<ReadOperations>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let merchants = merchant_id::in_sight(&caller, request.headers())?;
    let may_see = |merchant: &upsert_app::Merchant| merchants.as_ref().is_none_or(|all| all.contains(&merchant.id));
    Ok(reply::json(&state.gateway.queries.webhooks(may_see).await?))
}
