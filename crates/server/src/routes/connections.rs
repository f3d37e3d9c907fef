//! `GET /v1/connections`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};

use upsert_api::{Connection, Page};
use upsert_app::Refusal;

use crate::http::access::{Access, ReadOperations};
use crate::http::merchant_id;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::reply;
use crate::state::State;

/// How every connection is doing that the key may see.
///
/// Scope: `ops:read`.
#[utoipa::path(
    tag = "operations",
    params(("Merchant-Id" = Option<String>, Header, description = "Only this merchant's")),
    responses((status = 200, description = "All connections", body = Page<Connection>)),
)]
#[get("/v1/connections")]
pub(crate) async fn list_connections(
    caller: Access<ReadOperations>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let only = merchant_id::filter(&caller, request.headers())?;
    let views = state
        .gateway
        .queries
        .connection_views(|merchant| {
            let is_wanted = only.as_ref().is_none_or(|only| only.id == merchant.id);
            is_wanted && caller.key.reach.covers(&merchant.id)
        })
        .await
        .map_err(Refusal::from)?;
    Ok(reply::json(&Page::whole(views)))
}
