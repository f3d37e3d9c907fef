//! Erasing customers, and the certificates of it: `DELETE /v1/customers/{id}`, `/v1/erasures`.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get};

use upsert_api::Erasure;
use upsert_app::Refusal;

use crate::http::access::{ReadCustomers, WriteCustomers};
use crate::http::body::NoBody;
use crate::http::merchant_id::ForMerchant;
use crate::http::problem::Problem;
use crate::http::query::NoQuery;
use crate::routes::customers::customer_id;
use crate::routes::reply;
use crate::state::State;

/// Erases what the gateway holds of a person, and says what is left to do at each vendor.
///
/// Scope: `customers:write`. What still waits is ended, and is not sent any more. A tombstone of keyed hashes keeps webhook
/// events and lines of batches from bringing the person back; a single upsert does it on purpose. `provider_customer_id`
/// stands in this answer alone, and in that to another `DELETE` until the erasure has ended: `GET /v1/erasures/{id}` has a keyed
/// hash of it.
#[utoipa::path(
    tag = "customers",
    params(
        ("id" = String, Path, description = "`cus_…`"),
        ForMerchant<WriteCustomers>,
    ),
    responses(
        (status = 200, description = "The certificate", body = Erasure),
        (status = 404, description = "`not_found`"),
    ),
)]
#[delete("/v1/customers/{id}")]
pub(crate) async fn erase_customer(
    caller: ForMerchant<WriteCustomers>,
    id: Path<String>,
    _: NoBody,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let id = customer_id(&id)?;
    let by = &caller.key.name;
    let certificate = state.gateway.operations.erase(&caller.merchant, id, by).await?;
    Ok(reply::json(&certificate))
}

/// The certificate of an erasure. Nothing in it says who the person was.
///
/// Scope: `customers:read`.
#[utoipa::path(
    tag = "customers",
    params(
        ("id" = String, Path, description = "`ers_…`"),
        ForMerchant<ReadCustomers>,
    ),
    responses(
        (status = 200, description = "The certificate", body = Erasure),
        (status = 404, description = "`not_found`"),
    ),
)]
#[get("/v1/erasures/{id}")]
pub(crate) async fn get_erasure(
    caller: ForMerchant<ReadCustomers>,
    id: Path<String>,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let id = id.parse().map_err(|_| Refusal::not_found("erasure"))?;
    let certificate = state.gateway.queries.get_erasure(&caller.merchant, id).await?;
    Ok(reply::json(&certificate))
}
