//! `GET /v1/customers/{id}/history`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};

use upsert_api::{HistoryEntry, Page, PageQuery};

use crate::http::access::ReadCustomers;
use crate::http::merchant_id::ForMerchant;
use crate::http::problem::Problem;
use crate::http::query::read_page;
use crate::routes::customer::customer_id;
use crate::routes::reply;
use crate::state::State;

/// A customer's versions, newest first; refused ones too.
///
/// Scope: `customers:read`.
#[utoipa::path(
    tag = "customers",
    params(
        ("id" = String, Path, description = "`cus_…`"),
        ("Merchant-Id" = Option<String>, Header, description = "Whose; required unless the key lists exactly one merchant"),
        PageQuery,
    ),
    responses(
        (status = 200, description = "A page", body = Page<HistoryEntry>),
        (status = 404, description = "`not_found`"),
    ),
)]
#[get("/v1/customers/{id}/history")]
pub(crate) async fn get_customer_history(
    caller: ForMerchant<ReadCustomers>,
    id: Path<String>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let page = read_page(&request)?;
    let id = customer_id(&id)?;
    let visibility = caller.access.visibility();
    let found = state
        .gateway
        .queries
        .customer_history(&caller.merchant, id, &page, visibility)
        .await?;
    Ok(reply::json(&found))
}
