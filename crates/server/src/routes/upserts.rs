//! `GET /v1/upserts`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Deserialize;
use utoipa::IntoParams;

use upsert_app::UpsertListQuery;

use crate::http::access::ReadCustomers;
use crate::http::merchant_id::ForMerchant;
use crate::http::problem::Problem;
use crate::http::query::{limit, read_query};
use crate::http::schema;
use crate::routes::reply;
use crate::state::State;

/// Which upserts to list; every filter that is given has to hold.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filters {
    /// `pending`, `succeeded`, `partially_failed` or `failed`; several with commas between.
    state: Option<String>,
    /// With a delivery to this connection.
    connection: Option<String>,
    /// `cus_…`
    customer_id: Option<String>,
    /// Accepted at or after this moment, RFC 3339.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Accepted before this moment, RFC 3339.
    #[param(format = DateTime)]
    until: Option<String>,
    /// How many at the most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Upserts of the merchant with their deliveries, newest first.
///
/// Scope: `customers:read`. Where few of very many match, a page may have fewer entries than it could, or none: the list
/// has ended only where `next_cursor` is null.
#[utoipa::path(
    tag = "upserts",
    params(
        ("Merchant-Id" = Option<String>, Header, description = "Whose; required unless the key lists exactly one merchant"),
        Filters,
    ),
    responses((status = 200, description = "A page", body = schema::UpsertPage)),
)]
#[get("/v1/upserts")]
pub(crate) async fn upserts(
    caller: ForMerchant<ReadCustomers>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let filters: Filters = read_query(&request)?;
    let query = UpsertListQuery {
        limit: limit(filters.limit.as_deref())?,
        state: filters.state,
        connection: filters.connection,
        customer_id: filters.customer_id,
        since: filters.since,
        until: filters.until,
        cursor: filters.cursor,
    };
    let listing = state
        .gateway
        .queries
        .list_upserts(&caller.merchant, query, caller.access.visibility())
        .await?;
    Ok(reply::page(&listing))
}
