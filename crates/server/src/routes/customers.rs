//! `GET /v1/customers`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Deserialize;
use utoipa::IntoParams;

use upsert_app::CustomerListQuery;

use crate::http::access::ReadCustomers;
use crate::http::merchant_id::ForMerchant;
use crate::http::problem::Problem;
use crate::http::query::{limit, read_query};
use crate::http::schema;
use crate::routes::reply;
use crate::state::State;

/// Which customers to list; every filter that is given has to hold.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filters {
    /// The merchant's own id.
    reference: Option<String>,
    /// Canonicalised like a request's.
    email: Option<String>,
    /// Canonicalised like a request's.
    phone: Option<String>,
    /// A label that it carries.
    tag: Option<String>,
    /// `active` or `inactive`.
    status: Option<String>,
    /// `person` or `organisation`.
    kind: Option<String>,
    /// Changed at or after this moment, RFC 3339.
    #[param(format = DateTime)]
    updated_since: Option<String>,
    /// How many at the most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Customers of the merchant, oldest first.
///
/// Scope: `customers:read`.
#[utoipa::path(
    tag = "customers",
    params(
        ("Merchant-Id" = Option<String>, Header, description = "Whose; required unless the key lists exactly one merchant"),
        Filters,
    ),
    responses((status = 200, description = "A page", body = schema::CustomerPage)),
)]
#[get("/v1/customers")]
pub(crate) async fn customers(
    caller: ForMerchant<ReadCustomers>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let filters: Filters = read_query(&request)?;
    let query = CustomerListQuery {
        limit: limit(filters.limit.as_deref())?,
        reference: filters.reference,
        email: filters.email,
        phone: filters.phone,
        tag: filters.tag,
        status: filters.status,
        kind: filters.kind,
        updated_since: filters.updated_since,
        cursor: filters.cursor,
    };
    let listing = state.gateway.queries.list_customers(&caller.merchant, query).await?;
    Ok(reply::page(&listing))
}
