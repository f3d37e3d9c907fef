//! `POST /v1/deliveries/{id}/discard`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, post};

use upsert_api::ListedDelivery;

use crate::http::access::{Access, WriteOperations};
use crate::http::merchant_id;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::delivery::delivery_id;
use crate::routes::reply;
use crate::state::State;

/// Gives a delivery up that has failed or waits.
///
/// Scope: `ops:write`. What it would have brought is not wanted at this connection until it changes again.
#[utoipa::path(
    tag = "deliveries",
    params(
        ("id" = String, Path, description = "`dlv_…`"),
        ("Merchant-Id" = Option<String>, Header, description = "Only this merchant's"),
    ),
    responses(
        (status = 200, description = "The delivery as it is now", body = ListedDelivery),
        (status = 404, description = "`not_found`"),
        (status = 422, description = "`validation_failed`: it has ended otherwise"),
        (status = 503, description = "`overloaded`: a delivery of this customer is in flight there"),
    ),
)]
#[post("/v1/deliveries/{id}/discard")]
pub(crate) async fn discard_delivery(
    caller: Access<WriteOperations>,
    id: Path<String>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let merchants = merchant_id::in_sight(&caller, request.headers())?;
    let id = delivery_id(&id)?;
    let delivery = state
        .gateway
        .operations
        .discard_delivery(&caller.caller(), merchants.as_ref(), id, caller.visibility())
        .await?;
    Ok(reply::json(&delivery))
}
