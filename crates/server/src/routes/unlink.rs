//! `POST /v1/customers/{id}/links/{connection}/unlink`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, post};

use upsert_api::LinkedCustomer;

use crate::http::access::WriteOperations;
use crate::http::merchant_id::ForMerchant;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::customer::customer_id;
use crate::routes::reply;
use crate::state::State;

/// Forgets which record of the vendor a customer is, where that record is gone (`link_stale`).
///
/// Scope: `ops:write`. The next upsert is matched by the vendor's own keys again. Without `customers:read` as well,
/// what says who the customer is stands there as `•••`, a yes or no as null.
#[utoipa::path(
    tag = "operations",
    params(
        ("id" = String, Path, description = "`cus_…`"),
        ("connection" = String, Path, description = "The connection's name"),
        ("Merchant-Id" = Option<String>, Header, description = "Whose; required unless the key lists exactly one merchant"),
    ),
    responses(
        (status = 200, description = "The customer with the links that are left", body = LinkedCustomer),
        (status = 404, description = "`not_found`: no such customer or link"),
        (status = 503, description = "`overloaded`: a delivery is in flight there"),
    ),
)]
#[post("/v1/customers/{id}/links/{connection}/unlink")]
pub(crate) async fn unlink_customer(
    caller: ForMerchant<WriteOperations>,
    path: Path<(String, String)>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let (id, connection) = path.into_inner();
    let customer = state
        .gateway
        .operations
        .unlink(
            &caller.merchant,
            customer_id(&id)?,
            &connection,
            caller.access.visibility(),
        )
        .await?;
    Ok(reply::json(&customer))
}
