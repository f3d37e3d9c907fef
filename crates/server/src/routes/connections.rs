//! Connections, and what their vendors hold: `/v1/connections`.

// By another name, since utoipa documents whatever is called `Path` once more.
use actix_web::web::{Data, Path as OfPath};
use actix_web::{HttpRequest, HttpResponse, get, post};

use upsert_api::{
    CausePage, Connection, Page, PageQuery, ResumedConnection, TriedConnection, VendorCustomer, VendorCustomerPage,
    VendorFilter, VendorProblem,
};
use upsert_app::Refusal;
use upsert_core::ListQuery;

use crate::http::access::{ReadCustomers, ReadOperations, WriteOperations};
use crate::http::body::NoBody;
use crate::http::in_force::visibility_of;
use crate::http::merchant_id::{At, InSight};
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, read_list};
use crate::routes::reply;
use crate::state::State;

/// How every connection is doing that the key may see.
///
/// Scope: `ops:read`.
#[utoipa::path(
    tag = "operations",
    params(InSight<ReadOperations>),
    responses((status = 200, description = "All connections", body = Page<Connection>)),
)]
#[get("/v1/connections")]
pub(crate) async fn list_connections(
    caller: InSight<ReadOperations>,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let queries = &state.gateway.queries;
    let views = queries.connection_views(|merchant| caller.covers(merchant)).await;
    let views = views.map_err(Refusal::from)?;
    Ok(reply::json(&Page::whole(views)))
}

/// What the newest 1,000 deliveries of a connection failed of that have failed, are tried again or wait after an error,
/// by the error's kind and code.
///
/// Scope: `ops:read`. Without `customers:read` as well, the vendor's words are covered.
#[utoipa::path(
    tag = "operations",
    params(
        At<ReadOperations>,
    ),
    responses(
        (status = 200, description = "The most frequent cause first", body = CausePage),
        (status = 404, description = "`not_found`"),
    ),
)]
#[get("/v1/connections/{merchant}/{name}/failures")]
pub(crate) async fn list_failures(
    caller: At<ReadOperations>,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let causes = state
        .gateway
        .queries
        .failures_by_cause(&caller.merchant, &caller.name, caller.visibility())
        .await?;
    Ok(reply::json(&causes))
}

/// Stops sending to a connection; what comes meanwhile waits, in order.
///
/// Scope: `ops:write`.
#[utoipa::path(
    tag = "operations",
    params(
        At<WriteOperations>,
    ),
    responses(
        (status = 200, description = "The connection as it is now", body = Connection),
        (status = 404, description = "`not_found`"),
        (status = 422, description = "`validation_failed`: there is a body"),
    ),
)]
#[post("/v1/connections/{merchant}/{name}/pause")]
pub(crate) async fn pause_connection(
    caller: At<WriteOperations>,
    _: NoBody,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let connection = state
        .gateway
        .operations
        .pause(&caller.merchant, &caller.name, &caller.key.name)
        .await?;
    Ok(reply::json(&connection))
}

/// Lifts a pause, whoever made it, and ends what the vendor said of waiting. One call finds out first how the vendor is; then what
/// waits is due at once.
///
/// Scope: `ops:write`. Without `customers:read` as well, the vendor's words are covered.
#[utoipa::path(
    tag = "operations",
    params(
        At<WriteOperations>,
    ),
    responses(
        (status = 200, description = "The connection as it is now, and what came of the first call", body = ResumedConnection),
        (status = 404, description = "`not_found`"),
        (status = 422, description = "`validation_failed`: there is a body"),
    ),
)]
#[post("/v1/connections/{merchant}/{name}/resume")]
pub(crate) async fn resume_connection(
    caller: At<WriteOperations>,
    _: NoBody,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let in_force = caller.in_force(&state);
    let resumed = state
        .gateway
        .operations
        .resume(&caller.merchant, &caller.name, &caller.key.name)
        .await?;
    // The vendor took its time: what the key may see by now counts.
    Ok(reply::json(&visibility_of(&*in_force.key()?).show(resumed)))
}

/// One real call now, with the delivery that has waited longest, or with a read where nothing waits that could go: whatever
/// breaker, `Retry-After` and a pause by the vendor say. If the vendor is there, what waits goes out.
///
/// Scope: `ops:write`. Without `customers:read` as well, the vendor's words are covered. It counts against the connection's limits
/// and its day.
#[utoipa::path(
    tag = "operations",
    params(
        At<WriteOperations>,
    ),
    responses(
        (status = 200, description = "What the vendor answered, what follows, and the connection as it is now", body = TriedConnection),
        (status = 404, description = "`not_found`"),
        (status = 409, description = "`connection_paused`: by hand; `nothing_to_try`: nothing waits, and it cannot read"),
        (status = 422, description = "`validation_failed`: there is a body"),
        (status = 503, description = "`overloaded`: the day's calls or the own rate are used up, or another call finds out just now"),
    ),
)]
#[post("/v1/connections/{merchant}/{name}/try")]
pub(crate) async fn try_connection(
    caller: At<WriteOperations>,
    _: NoBody,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let in_force = caller.in_force(&state);
    let tried = state
        .gateway
        .operations
        .try_connection(&caller.merchant, &caller.name, &caller.key.name)
        .await?;
    Ok(reply::json(&visibility_of(&*in_force.key()?).show(tried)))
}

/// What the vendor holds, read there now and turned into our words.
///
/// Scope: `customers:read`. It counts against the connection's quota.
#[utoipa::path(
    tag = "operations",
    params(
        At<ReadCustomers>,
        VendorFilter, PageQuery,
    ),
    responses(
        (status = 200, description = "A page", body = VendorCustomerPage),
        (status = 404, description = "`not_found`: no such connection"),
        (status = 501, description = "`unsupported_by_provider`: it cannot read"),
        (status = 502, description = "`provider_failed`: the vendor is down or refuses; `error` as a delivery's",
            body = VendorProblem, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`: the vendor throttles or the day's calls are used up; `error` as a delivery's",
            body = VendorProblem, content_type = "application/problem+json"),
    ),
)]
#[get("/v1/connections/{merchant}/{name}/customers")]
pub(crate) async fn list_vendor_customers(
    caller: At<ReadCustomers>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let (filter, page) = read_list::<VendorFilter>(&request)?;
    let query = ListQuery {
        archived: filter.archived,
        limit: page.limit.try_into().unwrap_or(u32::MAX),
        search: filter.search,
        status: filter.status,
        tags: filter.tag.into_iter().collect(),
        cursor: page.cursor,
    };
    let in_force = caller.in_force(&state);
    let operations = &state.gateway.operations;
    let found = operations
        .vendor_customers(&caller.merchant, &caller.name, query, &|| in_force.still_may())
        .await?;
    Ok(reply::json(&found))
}

/// One record that the vendor holds, read there now and turned into our words.
///
/// Scope: `customers:read`. It counts against the connection's quota.
#[utoipa::path(
    tag = "operations",
    params(
        ("provider_customer_id" = String, Path, description = "The vendor's id of it"),
        At<ReadCustomers>,
    ),
    responses(
        (status = 200, description = "The record", body = VendorCustomer),
        (status = 404, description = "`not_found`: no such connection, or the vendor does not know the id"),
        (status = 501, description = "`unsupported_by_provider`: it cannot read"),
        (status = 502, description = "`provider_failed`: the vendor is down or refuses; `error` as a delivery's",
            body = VendorProblem, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`: the vendor throttles or the day's calls are used up; `error` as a delivery's",
            body = VendorProblem, content_type = "application/problem+json"),
    ),
)]
#[get("/v1/connections/{merchant}/{name}/customers/{provider_customer_id}")]
pub(crate) async fn get_vendor_customer(
    caller: At<ReadCustomers>,
    path: OfPath<(String, String, String)>,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let in_force = caller.in_force(&state);
    let operations = &state.gateway.operations;
    let record = operations
        .vendor_customer(&caller.merchant, &caller.name, &path.2, &|| in_force.still_may())
        .await?;
    Ok(reply::json(&record))
}
