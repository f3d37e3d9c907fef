//! `GET /v1/connections/{merchant}/{name}/customers/{provider_customer_id}`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};

use upsert_api::{VendorCustomer, VendorProblem};

use crate::http::access::{Access, ReadCustomers};
use crate::http::merchant_id;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::reply;
use crate::state::State;

/// One record that the vendor holds, read there now and turned into our words.
///
/// Scope: `customers:read`. It counts against the connection's quota.
#[utoipa::path(
    tag = "operations",
    params(
        ("merchant" = String, Path, description = "The merchant's id"),
        ("name" = String, Path, description = "The connection's name"),
        ("provider_customer_id" = String, Path, description = "The vendor's id of it"),
        ("Merchant-Id" = Option<String>, Header, description = "Has to be the path's merchant, if given"),
    ),
    responses(
        (status = 200, description = "The record", body = VendorCustomer),
        (status = 404, description = "`not_found`: no such connection, or the vendor does not know the id"),
        (status = 501, description = "`unsupported_by_provider`: it cannot read"),
        (status = 502, description = "`provider_failed`: the vendor is down or refuses; `error` as a delivery's",
            body = VendorProblem, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`: the vendor throttles or the day's calls are used up; `error` as a delivery's",
            body = VendorProblem, content_type = "application/problem+json"),
    ),
)]
#[get("/v1/connections/{merchant}/{name}/customers/{provider_customer_id}")]
pub(crate) async fn get_vendor_customer(
    caller: Access<ReadCustomers>,
    path: Path<(String, String, String)>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let (merchant, name, id) = path.into_inner();
    let merchant = merchant_id::in_path(&caller, request.headers(), &merchant, "connection")?;
    let record = state.gateway.operations.vendor_customer(&merchant, &name, &id).await?;
    Ok(reply::json(&record))
}
