//! `POST /v1/deliveries/{id}/replay`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, post};

use crate::access::{Access, WriteOperations};
use crate::merchant_id;
use crate::problem::Problem;
use crate::query::no_query;
use crate::routes::delivery::delivery_id;
use crate::routes::reply;
use crate::schema;
use crate::state::State;

/// Sends the customer's current state in the place of a delivery that has failed.
///
/// Scope: `ops:write`. It is a new upsert with one delivery; the failed one is `superseded` by it.
/// Without `customers:read` as well, what says who the customer is stands there as `•••`, a yes or no as null.
#[utoipa::path(
    tag = "deliveries",
    params(
        ("id" = String, Path, description = "`dlv_…`"),
        ("Merchant-Id" = Option<String>, Header, description = "Only this merchant's"),
    ),
    responses(
        (status = 202, description = "Durable; `Location` says how it stands", body = schema::UpsertAnswer),
        (status = 404, description = "`not_found`: no such delivery, or its customer is gone", body = schema::Problem, content_type = "application/problem+json"),
        (status = 409, description = "`match_key_collision` or `business_key_change`", body = schema::Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`: it has not failed, its connection is not configured any more, or the vendor asks for something that is not there", body = schema::Problem, content_type = "application/problem+json"),
    ),
)]
#[post("/v1/deliveries/{id}/replay")]
pub(crate) async fn replay(
    caller: Access<WriteOperations>,
    id: Path<String>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let merchants = merchant_id::in_sight(&caller, request.headers())?;
    let id = delivery_id(&id)?;
    let answer = state
        .gateway
        .replay_delivery(&caller.caller(), merchants.as_ref(), id, caller.sight())
        .await?;
    Ok(reply::answer(answer, false))
}
