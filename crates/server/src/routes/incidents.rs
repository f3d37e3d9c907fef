//! Outages of connections: `/v1/incidents`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};

use upsert_api::{Incident, IncidentFilter, ListedIncident, Page, PageQuery, ProblemCode};
use upsert_app::Refusal;

use crate::http::access::ReadOperations;
use crate::http::merchant_id::InSight;
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, read_list};
use crate::routes::reply;
use crate::state::State;

/// Outages of connections, newest first: each from the first failure until what waited is sent.
///
/// Scope: `ops:read`. They are kept for 90 days after they ended.
#[utoipa::path(
    tag = "operations",
    params(InSight<ReadOperations>, IncidentFilter, PageQuery),
    responses((status = 200, description = "A page", body = Page<ListedIncident>)),
)]
#[get("/v1/incidents")]
pub(crate) async fn list_incidents(
    caller: InSight<ReadOperations>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let (mut filter, page) = read_list::<IncidentFilter>(&request)?;
    filter.merchants.clone_from(&caller.merchants);
    if let Some(merchant) = &filter.merchant
        && !caller.key.reach.covers(merchant)
    {
        let detail = "the key may not speak for this merchant";
        return Err(Problem::new(ProblemCode::MerchantForbidden, detail));
    }
    Ok(reply::json(
        &state.gateway.queries.list_incidents(&filter, &page).await?,
    ))
}

/// One outage of a connection: what happened, whom it touched, what the vendor said, and a message for its support.
///
/// Scope: `ops:read`. Without `customers:read` as well, the vendor's words are covered.
#[utoipa::path(
    tag = "operations",
    params(
        ("id" = String, Path, description = "`inc_…`"),
        InSight<ReadOperations>,
    ),
    responses(
        (status = 200, description = "As it stands", body = Incident),
        (status = 404, description = "`not_found`"),
    ),
)]
#[get("/v1/incidents/{id}")]
pub(crate) async fn get_incident(
    caller: InSight<ReadOperations>,
    id: Path<String>,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let id = id.parse().map_err(|_| Refusal::not_found("incident"))?;
    let queries = &state.gateway.queries;
    let shown = queries
        .get_incident(caller.merchants.as_ref(), id, caller.visibility())
        .await?;
    Ok(reply::json(&shown))
}
