//! Where events come from and where they go: `/v1/webhooks`, `/v1/endpoints`.

use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};

use upsert_api::{Endpoint, EndpointTest, Webhooks};

use crate::http::access::{ReadOperations, WriteOperations};
use crate::http::body::NoBody;
use crate::http::merchant_id::{At, InSight};
use crate::http::problem::Problem;
use crate::http::query::NoQuery;
use crate::routes::reply;
use crate::state::State;

/// Where events come from and where they go, and how both are doing.
///
/// Scope: `ops:read`.
#[utoipa::path(
    tag = "webhooks",
    params(InSight<ReadOperations>),
    responses((status = 200, description = "Sources and endpoints", body = Webhooks)),
)]
#[get("/v1/webhooks")]
pub(crate) async fn list_webhooks(
    caller: InSight<ReadOperations>,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    Ok(reply::json(
        &state
            .gateway
            .queries
            .webhooks(|merchant| caller.covers(merchant))
            .await?,
    ))
}

/// Sends an event of type `gateway.test` to an endpoint, once and now, signed like any other; nothing of it is stored.
///
/// Scope: `ops:write`.
#[utoipa::path(
    tag = "webhooks",
    params(
        At<WriteOperations>,
    ),
    responses(
        (status = 200, description = "What the endpoint answered", body = EndpointTest),
        (status = 404, description = "`not_found`"),
        (status = 422, description = "`validation_failed`: there is a body"),
    ),
)]
#[post("/v1/endpoints/{merchant}/{name}/test")]
pub(crate) async fn test_endpoint(
    caller: At<WriteOperations>,
    _: NoBody,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let shown = state
        .gateway
        .operations
        .test_endpoint(&caller.merchant, &caller.name, &caller.key.name)
        .await?;
    Ok(reply::json(&shown))
}

/// Has events go to an endpoint again that was disabled by its answer 410. What became a dead letter meanwhile is brought by
/// a replay.
///
/// Scope: `ops:write`.
#[utoipa::path(
    tag = "webhooks",
    params(
        At<WriteOperations>,
    ),
    responses(
        (status = 200, description = "The endpoint as it is now", body = Endpoint),
        (status = 404, description = "`not_found`"),
        (status = 422, description = "`validation_failed`: there is a body"),
    ),
)]
#[post("/v1/endpoints/{merchant}/{name}/enable")]
pub(crate) async fn enable_endpoint(
    caller: At<WriteOperations>,
    _: NoBody,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let shown = state
        .gateway
        .operations
        .enable_endpoint(&caller.merchant, &caller.name, &caller.key.name)
        .await?;
    Ok(reply::json(&shown))
}
