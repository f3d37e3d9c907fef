//! `GET /v1/deliveries/{id}`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};

use upsert_api::WholeDelivery;
use upsert_app::Refusal;
use upsert_core::DeliveryId;

use crate::http::access::{Access, ReadOperations};
use crate::http::merchant_id;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::reply;
use crate::state::State;

/// One delivery with its attempts.
///
/// Scope: `ops:read`. Without `customers:read` as well, what was sent is shown without its values, and the vendor's words are covered.
#[utoipa::path(
    tag = "deliveries",
    params(
        ("id" = String, Path, description = "`dlv_…`"),
        ("Merchant-Id" = Option<String>, Header, description = "Only this merchant's"),
    ),
    responses(
        (status = 200, description = "As it stands", body = WholeDelivery),
        (status = 404, description = "`not_found`"),
    ),
)]
#[get("/v1/deliveries/{id}")]
pub(crate) async fn get_delivery(
    caller: Access<ReadOperations>,
    id: Path<String>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let merchants = merchant_id::in_sight(&caller, request.headers())?;
    let shown = state
        .gateway
        .queries
        .get_delivery(merchants.as_ref(), delivery_id(&id)?, caller.visibility())
        .await?;
    Ok(reply::json(&shown))
}

/// What is no id finds nothing.
pub(crate) fn delivery_id(text: &str) -> Result<DeliveryId, Problem> {
    Ok(text.parse().map_err(|_| Refusal::not_found("delivery"))?)
}
