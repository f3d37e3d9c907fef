//! `GET /v1/attention`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};

use upsert_api::AttentionPage;

use crate::http::access::{Access, ReadOperations};
use crate::http::merchant_id;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::reply;
use crate::state::State;

/// What needs somebody, the worst first: one entry a connection, endpoint or source, and the gateway's own.
///
/// Scope: `ops:read`. That the last reading of the configuration was refused is told to every key.
#[utoipa::path(
    tag = "operations",
    params(("Merchant-Id" = Option<String>, Header, description = "Only this merchant's, and the gateway's own")),
    responses((status = 200, description = "The worst first", body = AttentionPage)),
)]
#[get("/v1/attention")]
pub(crate) async fn list_attention(
    caller: Access<ReadOperations>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let merchants = merchant_id::in_sight(&caller, request.headers())?;
    let may_see = |merchant: &upsert_app::Merchant| merchants.as_ref().is_none_or(|all| all.contains(&merchant.id));
    let refused = state.history.refused();
    let data = state.gateway.queries.attention(may_see, refused).await?;
    Ok(reply::json(&AttentionPage { data }))
}
