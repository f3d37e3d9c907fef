//! `GET /v1/connections/{merchant}/{name}/customers`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};

use upsert_api::{PageQuery, VendorCustomerPage, VendorFilter, VendorProblem};
use upsert_core::ListQuery;

use crate::http::access::{Access, ReadCustomers};
use crate::http::merchant_id;
use crate::http::problem::Problem;
use crate::http::query::read_list;
use crate::routes::reply;
use crate::state::State;

/// What the vendor holds, read there now and turned into our words.
///
/// Scope: `customers:read`. It counts against the connection's quota.
#[utoipa::path(
    tag = "operations",
    params(
        ("merchant" = String, Path, description = "The merchant's id"),
        ("name" = String, Path, description = "The connection's name"),
        ("Merchant-Id" = Option<String>, Header, description = "Has to be the path's merchant, if given"),
        VendorFilter, PageQuery,
    ),
    responses(
        (status = 200, description = "A page", body = VendorCustomerPage),
        (status = 404, description = "`not_found`: no such connection"),
        (status = 501, description = "`unsupported_by_provider`: it cannot read"),
        (status = 502, description = "`provider_failed`: the vendor is down or refuses; `error` as a delivery's",
            body = VendorProblem, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`: the vendor throttles or the day's calls are used up; `error` as a delivery's",
            body = VendorProblem, content_type = "application/problem+json"),
    ),
)]
#[get("/v1/connections/{merchant}/{name}/customers")]
pub(crate) async fn list_vendor_customers(
    caller: Access<ReadCustomers>,
    path: Path<(String, String)>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let (merchant, name) = path.into_inner();
    let merchant = merchant_id::in_path(&caller, request.headers(), &merchant, "connection")?;
    let (filter, page) = read_list::<VendorFilter>(&request)?;
    let query = ListQuery {
        archived: filter.archived,
        limit: page.limit.try_into().unwrap_or(u32::MAX),
        search: filter.search,
        status: filter.status,
        tags: filter.tag.into_iter().collect(),
        cursor: page.cursor,
    };
    let found = state
        .gateway
        .operations
        .vendor_customers(&merchant, &name, query)
        .await?;
    Ok(reply::json(&found))
}
