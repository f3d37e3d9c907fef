//! `GET /v1/upserts`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};

use upsert_api::{ListedUpsert, Page, PageQuery, UpsertFilter};

use crate::http::access::ReadCustomers;
use crate::http::merchant_id::ForMerchant;
use crate::http::problem::Problem;
use crate::http::query::read_list;
use crate::routes::reply;
use crate::state::State;

/// Upserts of the merchant with their deliveries, newest first.
///
/// Scope: `customers:read`. Where few of very many match, a page may have fewer entries than it could, or none: the list
/// has ended only where `next_cursor` is null.
#[utoipa::path(
    tag = "upserts",
    params(
        ("Merchant-Id" = Option<String>, Header, description = "Whose; required unless the key lists exactly one merchant"),
        UpsertFilter, PageQuery,
    ),
    responses((status = 200, description = "A page", body = Page<ListedUpsert>)),
)]
#[get("/v1/upserts")]
pub(crate) async fn list_upserts(
    caller: ForMerchant<ReadCustomers>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let (mut filter, page) = read_list::<UpsertFilter>(&request)?;
    filter.merchant.clone_from(&caller.merchant.id);
    let visibility = caller.access.visibility();
    let found = state.gateway.queries.list_upserts(&filter, &page, visibility).await?;
    Ok(reply::json(&found))
}
