//! `GET /v1/customers/{id}`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};

use upsert_api::LinkedCustomer;
use upsert_app::Refusal;
use upsert_core::CustomerId;

use crate::http::access::ReadCustomers;
use crate::http::merchant_id::ForMerchant;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::reply;
use crate::state::State;

/// A text that is no id names no customer.
pub(crate) fn customer_id(text: &str) -> Result<CustomerId, Problem> {
    text.parse().map_err(|_| Refusal::not_found("customer").into())
}

/// A customer's record, and in it its links.
///
/// Scope: `customers:read`.
#[utoipa::path(
    tag = "customers",
    params(
        ("id" = String, Path, description = "`cus_…`"),
        ("Merchant-Id" = Option<String>, Header, description = "Whose; required unless the key lists exactly one merchant"),
    ),
    responses(
        (status = 200, description = "The record", body = LinkedCustomer),
        (status = 404, description = "`not_found`"),
    ),
)]
#[get("/v1/customers/{id}")]
pub(crate) async fn get_customer(
    caller: ForMerchant<ReadCustomers>,
    id: Path<String>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let record = state
        .gateway
        .queries
        .get_customer(&caller.merchant, customer_id(&id)?, caller.access.visibility())
        .await?;
    Ok(reply::json(&record))
}
