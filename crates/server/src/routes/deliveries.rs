//! `GET /v1/deliveries`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Deserialize;
use utoipa::IntoParams;

use upsert_app::DeliveryListQuery;

use crate::http::access::{Access, ReadOperations};
use crate::http::problem::Problem;
use crate::http::query::{limit, read_query};
use crate::http::{merchant_id, schema};
use crate::routes::reply;
use crate::state::State;

/// Which deliveries to list; every filter that is given has to hold.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filters {
    /// One state or more, with commas between. Dead letters are `failed`.
    #[param(example = "failed")]
    state: Option<String>,
    /// The connection's name.
    connection: Option<String>,
    /// `rejected`, `unauthorised`, `rate_limited`, `quota_spent`, `transient` or `broken_contract`.
    error_kind: Option<String>,
    /// The vendor's code, or one of ours.
    error_code: Option<String>,
    /// `paused`, `quota`, `rate_limit`, `breaker` or `predecessor`.
    waiting_for: Option<String>,
    /// `cus_…`
    customer_id: Option<String>,
    /// `ups_…`
    upsert_id: Option<String>,
    /// Made at or after this moment, RFC 3339.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Made before this moment, RFC 3339.
    #[param(format = DateTime)]
    until: Option<String>,
    /// How many at the most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Deliveries that the key may see, newest first.
///
/// Scope: `ops:read`. Without `customers:read` as well, what it says of the customer and the vendor's words are covered. Where few of very many match, a page may have fewer entries than it could, or none: the list has
/// ended only where `next_cursor` is null.
#[utoipa::path(
    tag = "deliveries",
    params(("Merchant-Id" = Option<String>, Header, description = "Only this merchant's"), Filters),
    responses((status = 200, description = "A page", body = schema::DeliveryPage)),
)]
#[get("/v1/deliveries")]
pub(crate) async fn deliveries(
    caller: Access<ReadOperations>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let filters: Filters = read_query(&request)?;
    let query = DeliveryListQuery {
        merchants: merchant_id::in_sight(&caller, request.headers())?,
        limit: limit(filters.limit.as_deref())?,
        state: filters.state,
        connection: filters.connection,
        error_kind: filters.error_kind,
        error_code: filters.error_code,
        waiting_for: filters.waiting_for,
        customer_id: filters.customer_id,
        upsert_id: filters.upsert_id,
        since: filters.since,
        until: filters.until,
        cursor: filters.cursor,
    };
    let listing = state
        .gateway
        .queries
        .list_deliveries(query, caller.visibility())
        .await?;
    Ok(reply::page(&listing))
}
