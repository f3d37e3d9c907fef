//! `GET /v1/events/{direction}`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use serde_json::Value as Json;

use upsert_api::{Direction, Event, EventParameters, EventSelection, IncomingFilter, OutgoingFilter, Page, PageQuery};
use upsert_app::{DeadLetters, Refusal};
use upsert_core::EventId;

use crate::http::access::{Access, ReadOperations};
use crate::http::merchant_id;
use crate::http::problem::Problem;
use crate::http::query::read_events;
use crate::routes::reply;
use crate::state::State;

/// Events that came in or go out, newest first, without what they say.
///
/// Scope: `ops:read`. Without `customers:read` as well, what was wrong with an event is told without its words.
/// Events that were done are kept for 7 days, dead letters for 30.
#[utoipa::path(
    tag = "webhooks",
    params(
        ("direction" = String, Path, description = "`in` or `out`"),
        ("Merchant-Id" = Option<String>, Header, description = "Only this merchant's"),
        EventParameters, PageQuery,
    ),
    responses(
        (status = 200, description = "A page", body = Page<Event>),
        (status = 404, description = "`not_found`: no such direction"),
    ),
)]
#[get("/v1/events/{direction}")]
pub(crate) async fn list_events(
    caller: Access<ReadOperations>,
    direction_of: Path<String>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let direction = direction(&direction_of)?;
    let merchants = merchant_id::in_sight(&caller, request.headers())?;
    let queries = &state.gateway.queries;
    let found = match direction {
        Direction::In => {
            let (mut filter, page) = read_events::<IncomingFilter>(&request)?;
            filter.merchants = merchants;
            queries.list_incoming(&filter, &page, caller.visibility()).await?
        }
        Direction::Out => {
            let (mut filter, page) = read_events::<OutgoingFilter>(&request)?;
            filter.merchants = merchants;
            queries.list_outgoing(&filter, &page).await?
        }
    };
    Ok(reply::json(&found))
}

/// Any other word names nothing.
pub(crate) fn direction(text: &str) -> Result<Direction, Problem> {
    Ok(text.parse().map_err(|_| Refusal::not_found("direction"))?)
}

/// The dead letters that a body names.
pub(crate) fn dead_letters(direction: Direction, body: &Json) -> Result<DeadLetters, Problem> {
    let letters = match direction {
        Direction::In => EventSelection::read(body).map(DeadLetters::In),
        Direction::Out => EventSelection::read(body).map(DeadLetters::Out),
    };
    Ok(letters.map_err(Refusal::invalid)?)
}

/// What is no id finds nothing.
pub(crate) fn event_id(text: &str) -> Result<EventId, Problem> {
    Ok(text.parse().map_err(|_| Refusal::not_found("event"))?)
}
