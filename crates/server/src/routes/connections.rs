//! `GET /v1/connections`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use serde_json::{Value as Json, json};

use upsert_app::Refusal;

use crate::http::access::{Access, ReadOperations};
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::http::{merchant_id, schema};
use crate::routes::reply;
use crate::state::State;

/// How every connection is doing that the key may see.
///
/// Scope: `ops:read`.
#[utoipa::path(
    tag = "operations",
    params(("Merchant-Id" = Option<String>, Header, description = "Only this merchant's")),
    responses((status = 200, description = "All connections", body = schema::ConnectionPage)),
)]
#[get("/v1/connections")]
pub(crate) async fn connections(
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
    let data: Vec<Json> = views.into_iter().map(|view| view.0).collect();
    Ok(reply::json_reply(&json!({ "data": data, "next_cursor": null })))
}
