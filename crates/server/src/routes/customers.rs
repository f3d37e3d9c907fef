//! `GET /v1/customers`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};

use upsert_api::{CustomerFilter, CustomerRecord, Page, PageQuery};

use crate::http::access::ReadCustomers;
use crate::http::merchant_id::ForMerchant;
use crate::http::problem::Problem;
use crate::http::query::read_list;
use crate::routes::reply;
use crate::state::State;

/// Customers of the merchant, oldest first.
///
/// Scope: `customers:read`.
#[utoipa::path(
    tag = "customers",
    params(
        ("Merchant-Id" = Option<String>, Header, description = "Whose; required unless the key lists exactly one merchant"),
        CustomerFilter, PageQuery,
    ),
    responses((status = 200, description = "A page", body = Page<CustomerRecord>)),
)]
#[get("/v1/customers")]
pub(crate) async fn list_customers(
    caller: ForMerchant<ReadCustomers>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let (filter, page) = read_list::<CustomerFilter>(&request)?;
    let visibility = caller.access.visibility();
    let found = state
        .gateway
        .queries
        .list_customers(&caller.merchant, &filter, &page, visibility)
        .await?;
    Ok(reply::json(&found))
}
