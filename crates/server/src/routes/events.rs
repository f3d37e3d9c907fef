//! `GET /v1/events/{direction}`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Deserialize;
use utoipa::IntoParams;

use upsert_app::{Direction, EventListQuery, Refusal};
use upsert_core::EventId;

use crate::http::access::{Access, ReadOperations};
use crate::http::problem::Problem;
use crate::http::query::{limit, read_query};
use crate::http::{merchant_id, schema};
use crate::routes::reply;
use crate::state::State;

/// Which events to list; every filter that is given has to hold.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filters {
    /// One state or more, with commas between. Dead letters are `failed`.
    #[param(example = "failed")]
    state: Option<String>,
    /// The source's name (`in` alone).
    source: Option<String>,
    /// The sender's id of the event (`in` alone).
    event_id: Option<String>,
    /// `cus_…` (`in` alone).
    customer_id: Option<String>,
    /// The endpoint's name (`out` alone).
    endpoint: Option<String>,
    /// Such as `customer.upserted` (`out` alone).
    r#type: Option<String>,
    /// Received or made at or after this moment, RFC 3339.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Received or made before this moment, RFC 3339.
    #[param(format = DateTime)]
    until: Option<String>,
    /// How many at the most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Events that came in or go out, newest first, without what they say.
///
/// Scope: `ops:read`. Without `customers:read` as well, what was wrong with an event is told without its words.
/// Events that were done are kept for 7 days, dead letters for 30.
#[utoipa::path(
    tag = "webhooks",
    params(
        ("direction" = String, Path, description = "`in` or `out`"),
        ("Merchant-Id" = Option<String>, Header, description = "Only this merchant's"),
        Filters,
    ),
    responses(
        (status = 200, description = "A page", body = schema::EventPage),
        (status = 404, description = "`not_found`: no such direction", body = schema::Problem, content_type = "application/problem+json"),
    ),
)]
#[get("/v1/events/{direction}")]
pub(crate) async fn events(
    caller: Access<ReadOperations>,
    direction_of: Path<String>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let direction = direction(&direction_of)?;
    let filters: Filters = read_query(&request)?;
    let query = EventListQuery {
        merchants: merchant_id::in_sight(&caller, request.headers())?,
        limit: limit(filters.limit.as_deref())?,
        state: filters.state,
        source: filters.source,
        event_id: filters.event_id,
        customer_id: filters.customer_id,
        endpoint: filters.endpoint,
        kind: filters.r#type,
        since: filters.since,
        until: filters.until,
        cursor: filters.cursor,
    };
    query.fits(direction)?;
    let listing = match direction {
        Direction::In => state.gateway.queries.list_incoming(&query, caller.visibility()).await?,
        Direction::Out => state.gateway.queries.list_outgoing(&query).await?,
    };
    Ok(reply::page(&listing))
}

/// Any other word names nothing.
pub(crate) fn direction(text: &str) -> Result<Direction, Problem> {
    match text {
        "in" => Ok(Direction::In),
        "out" => Ok(Direction::Out),
        _ => Err(Refusal::not_found("direction").into()),
    }
}

/// What is no id finds nothing.
pub(crate) fn event_id(text: &str) -> Result<EventId, Problem> {
    Ok(text.parse().map_err(|_| Refusal::not_found("event"))?)
}
