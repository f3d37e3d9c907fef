//! `GET /v1/customers/{id}/history`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::access::ReadCustomers;
use crate::http::merchant_id::ForMerchant;
use crate::http::problem::Problem;
use crate::http::query::{limit, read_query};
use crate::http::schema;
use crate::routes::customer::customer_id;
use crate::routes::reply;
use crate::state::State;

/// Which part of the history.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// How many at the most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A customer's versions, newest first; refused ones too.
///
/// Scope: `customers:read`.
#[utoipa::path(
    tag = "customers",
    params(
        ("id" = String, Path, description = "`cus_…`"),
        ("Merchant-Id" = Option<String>, Header, description = "Whose; required unless the key lists exactly one merchant"),
        Page,
    ),
    responses(
        (status = 200, description = "A page", body = schema::HistoryPage),
        (status = 404, description = "`not_found`", body = schema::Problem, content_type = "application/problem+json"),
    ),
)]
#[get("/v1/customers/{id}/history")]
pub(crate) async fn history(
    caller: ForMerchant<ReadCustomers>,
    id: Path<String>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let page: Page = read_query(&request)?;
    let limit = limit(page.limit.as_deref())?;
    let id = customer_id(&id)?;
    let listing = state
        .gateway
        .queries
        .customer_history(&caller.merchant, id, limit, page.cursor)
        .await?;
    Ok(reply::page(&listing))
}
