//! `GET /v1/connections/{merchant}/{name}/customers`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use upsert_core::ListQuery;

use crate::http::access::{Access, ReadCustomers};
use crate::http::problem::Problem;
use crate::http::query::{flag, limit, read_query};
use crate::http::{merchant_id, schema};
use crate::routes::reply;
use crate::state::State;

/// What to list; a filter that the vendor does not know is refused.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filters {
    /// Free text.
    search: Option<String>,
    /// `active` or `inactive`.
    status: Option<String>,
    /// A label that the record carries.
    tag: Option<String>,
    /// Archived records too.
    #[param(value_type = Option<bool>)]
    archived: Option<String>,
    /// How many at the most; the vendor may give fewer.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What the vendor holds, read there now and turned into our words.
///
/// Scope: `customers:read`. It counts against the connection's quota.
#[utoipa::path(
    tag = "operations",
    params(
        ("merchant" = String, Path, description = "The merchant's id"),
        ("name" = String, Path, description = "The connection's name"),
        ("Merchant-Id" = Option<String>, Header, description = "Has to be the path's merchant, if given"),
        Filters,
    ),
    responses(
        (status = 200, description = "A page", body = schema::VendorCustomerPage),
        (status = 404, description = "`not_found`: no such connection", body = schema::Problem, content_type = "application/problem+json"),
        (status = 501, description = "`unsupported_by_provider`: it cannot read", body = schema::Problem, content_type = "application/problem+json"),
        (status = 502, description = "`provider_failed`: the vendor is down or refuses; `error` as a delivery's",
            body = schema::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`: the vendor throttles or the day's calls are used up; `error` as a delivery's",
            body = schema::Problem, content_type = "application/problem+json", headers(("Retry-After" = u64))),
    ),
)]
#[get("/v1/connections/{merchant}/{name}/customers")]
pub(crate) async fn vendor_customers(
    caller: Access<ReadCustomers>,
    path: Path<(String, String)>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let (merchant, name) = path.into_inner();
    let merchant = merchant_id::in_path(&caller, request.headers(), &merchant, "connection")?;
    let filters: Filters = read_query(&request)?;
    let query = ListQuery {
        archived: flag("archived", filters.archived.as_deref())?,
        limit: limit(filters.limit.as_deref())?.try_into().unwrap_or(u32::MAX),
        search: filters.search,
        status: filters.status,
        tags: filters.tag.into_iter().collect(),
        cursor: filters.cursor,
    };
    let (listing, vendor_fields) = state
        .gateway
        .operations
        .vendor_customers(&merchant, &name, query)
        .await?;
    Ok(reply::json_reply(&json!({
        "data": listing.data, "next_cursor": listing.next_cursor, "vendor_fields": vendor_fields,
    })))
}
