//! `POST /v1/deliveries/replay`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, post};

use upsert_app::Selection;

use crate::http::access::{Access, WriteOperations};
use crate::http::body::JsonBody;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::http::{merchant_id, schema};
use crate::routes::reply;
use crate::state::State;

/// Replays all deliveries that have failed and match; several of one customer at one connection become one call.
///
/// Scope: `ops:write`.
#[utoipa::path(
    tag = "deliveries",
    params(("Merchant-Id" = Option<String>, Header, description = "Only this merchant's")),
    request_body(content = schema::DeliverySelection, content_type = "application/json"),
    responses(
        (status = 202, description = "What became of them", body = schema::SelectionDone),
        (status = 408, description = "`request_timeout`: the body took too long", body = schema::Problem, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = schema::Problem, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = schema::Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`", body = schema::Problem, content_type = "application/problem+json"),
    ),
)]
#[post("/v1/deliveries/replay")]
pub(crate) async fn replay_all(
    caller: Access<WriteOperations>,
    body: JsonBody,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let merchants = merchant_id::in_sight(&caller, request.headers())?;
    let selection = Selection::read(&body.0, merchants, caller.visibility())?;
    let done = state
        .gateway
        .operations
        .replay_matching(&caller.caller(), selection)
        .await?;
    Ok(reply::accepted(&done))
}
