//! How upserts stand: `/v1/upserts`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};

use upsert_api::{ListedUpsert, Page, PageQuery, UpsertAnswer, UpsertFilter, Visibility};
use upsert_app::Refusal;
use upsert_core::UpsertId;

use crate::http::access::{ReadCustomers, ReadUpserts};
use crate::http::merchant_id::ForMerchant;
use crate::http::prefer::Preferences;
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, read_list};
use crate::routes::reply;
use crate::state::State;

/// Upserts of the merchant with their deliveries, newest first.
///
/// Scope: `customers:read`. Where few of very many match, a page may have fewer entries than it could, or none: the list
/// has ended only where `next_cursor` is null.
#[utoipa::path(
    tag = "upserts",
    params(
        ForMerchant<ReadCustomers>,
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
    let visibility = caller.visibility();
    let found = state.gateway.queries.list_upserts(&filter, &page, visibility).await?;
    Ok(reply::json(&found))
}

/// How an upsert stands; 200 for failed ones too.
///
/// Scope: `customers:read`; or `customers:write`, for those that a key of the same name made, with the customer's data and the
/// vendors' words covered.
#[utoipa::path(
    tag = "upserts",
    params(
        ("id" = String, Path, description = "`ups_…`"),
        ForMerchant<ReadUpserts>,
    ),
    responses(
        (status = 200, description = "As it stands", body = UpsertAnswer),
        (status = 404, description = "`not_found`"),
    ),
)]
#[get("/v1/upserts/{id}")]
pub(crate) async fn get_upsert(
    caller: ForMerchant<ReadUpserts>,
    id: Path<String>,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let id: UpsertId = id.parse().map_err(|_| Refusal::not_found("upsert"))?;
    let queries = &state.gateway.queries;
    let answer = match caller.visibility() {
        Visibility::Whole => queries.get_upsert(&caller.merchant, id).await?,
        Visibility::Masked => queries.get_own_upsert(&caller.merchant, id, &caller.key.name).await?,
    };
    Ok(reply::answer(answer, Preferences::default()))
}
