//! Who did what when: `/v1/audit`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use utoipa::IntoParams;

use upsert_api::{AuditCheck, AuditEntry, AuditFilter, Page, PageQuery, ProblemCode};

use crate::http::access::{Access, ReadAllOperations, ReadOperations};
use crate::http::merchant_id::InSight;
use crate::http::problem::Problem;
use crate::http::query::{read_list, read_texts};
use crate::routes::reply;
use crate::state::State;

/// What operators did, newest first. It never holds personal data.
///
/// Scope: `ops:read`. What is about the gateway as a whole, such as signing in at the dashboard, is told to keys for all
/// merchants alone. Where few of very many match, a page may have fewer entries than it could, or none: the list has ended only
/// where `next_cursor` is null.
#[utoipa::path(
    tag = "operations",
    params(InSight<ReadOperations>, AuditFilter, PageQuery),
    responses((status = 200, description = "A page", body = Page<AuditEntry>)),
)]
#[get("/v1/audit")]
pub(crate) async fn list_audit(
    caller: InSight<ReadOperations>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let (mut filter, page) = read_list::<AuditFilter>(&request)?;
    filter.merchants.clone_from(&caller.merchants);
    if let Some(merchant) = &filter.merchant
        && !caller.key.reach.covers(merchant)
    {
        // One that is not configured any more still has its entries, for whom it may concern.
        let detail = "the key may not speak for this merchant";
        return Err(Problem::new(ProblemCode::MerchantForbidden, detail));
    }
    Ok(reply::json(&state.gateway.queries.list_audit(&filter, &page).await?))
}

/// From where the audit trail is verified, and against what.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is how a query may write them")]
struct WalkQuery {
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
    /// An entry that was noted elsewhere, as `number:hash`: it has to be there still.
    #[param(example = "42:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    noted: Option<String>,
}

/// Walks through the audit trail, some 10,000 entries a request, and tells the first that does not fit: changed, taken out, put
/// in, or cut off.
///
/// Scope: `ops:read`, for every merchant (`*`). The walk goes on with `next_cursor` until it is null or something does not fit.
#[utoipa::path(
    tag = "operations",
    params(WalkQuery),
    responses((status = 200, description = "What became of it", body = AuditCheck)),
)]
#[get("/v1/audit/verify")]
pub(crate) async fn verify_audit(
    _caller: Access<ReadAllOperations>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let texts = read_texts(&request, &["cursor", "noted"])?;
    let given = |name: &str| texts.get(name).map(String::as_str);
    let queries = &state.gateway.queries;
    Ok(reply::json(
        &queries.verify_audit(given("cursor"), given("noted")).await?,
    ))
}
