//! `GET /v1/deliveries`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};

use upsert_api::{DeliveryFilter, ListedDelivery, Page, PageQuery};

use crate::http::access::{Access, ReadOperations};
use crate::http::merchant_id;
use crate::http::problem::Problem;
use crate::http::query::read_list;
use crate::routes::reply;
use crate::state::State;

/// Deliveries that the key may see, newest first.
///
/// Scope: `ops:read`. Without `customers:read` as well, what it says of the customer and the vendor's words are covered. Where few of very many match, a page may have fewer entries than it could, or none: the list has
/// ended only where `next_cursor` is null.
#[utoipa::path(
    tag = "deliveries",
    params(("Merchant-Id" = Option<String>, Header, description = "Only this merchant's"), DeliveryFilter, PageQuery),
    responses((status = 200, description = "A page", body = Page<ListedDelivery>)),
)]
#[get("/v1/deliveries")]
pub(crate) async fn list_deliveries(
    caller: Access<ReadOperations>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let (mut filter, page) = read_list::<DeliveryFilter>(&request)?;
    filter.merchants = merchant_id::in_sight(&caller, request.headers())?;
    let visibility = caller.visibility();
    let found = state
        .gateway
        .queries
        .list_deliveries(&filter, &page, visibility)
        .await?;
    Ok(reply::json(&found))
}
