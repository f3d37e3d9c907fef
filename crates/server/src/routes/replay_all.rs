//! `POST /v1/deliveries/replay`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, post};

use upsert_api::{DeliveriesDone, DeliverySelection};
use upsert_app::Refusal;

use crate::http::access::{Access, WriteOperations};
use crate::http::body::JsonBody;
use crate::http::merchant_id;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::reply;
use crate::state::State;

/// Replays all deliveries that have failed and match; several of one customer at one connection become one call.
///
/// Scope: `ops:write`.
#[utoipa::path(
    tag = "deliveries",
    params(("Merchant-Id" = Option<String>, Header, description = "Only this merchant's")),
    request_body(content = DeliverySelection, content_type = "application/json"),
    responses(
        (status = 202, description = "What became of them", body = DeliveriesDone),
        (status = 422, description = "`validation_failed`"),
    ),
)]
#[post("/v1/deliveries/replay")]
pub(crate) async fn replay_deliveries(
    caller: Access<WriteOperations>,
    body: JsonBody,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let merchants = merchant_id::in_sight(&caller, request.headers())?;
    let mut selection = DeliverySelection::read(&body.0).map_err(Refusal::invalid)?;
    selection.filter.merchants = merchants;
    let done = state
        .gateway
        .operations
        .replay_matching(&caller.caller(), selection, caller.visibility())
        .await?;
    Ok(reply::accepted(&done))
}
