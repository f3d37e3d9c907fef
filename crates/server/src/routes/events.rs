//! Events in and out, and what operators do with dead letters: `/v1/events`.

use std::sync::Arc;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use serde_json::Value as Json;

use upsert_api::{
    Direction, Event, EventParameters, EventReplayed, EventSelection, EventSelectionBody, EventsDone, IncomingFilter,
    OutgoingFilter, Page, PageQuery, ReplayOf, WholeEvent,
};
use upsert_app::{DeadLetterAction, DeadLetters, Refusal};
use upsert_core::EventId;

use crate::http::access::{ReadOperations, WriteOperations};
use crate::http::body::{JsonBody, MaybeJson, NoBody};
use crate::http::merchant_id::InSight;
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, read_events};
use crate::routes::deliveries::customer_meant;
use crate::routes::reply;
use crate::state::State;

/// Events that came in or go out, newest first, without what they say.
///
/// Scope: `ops:read`. Without `customers:read` as well, what was wrong with an event is told without its words.
/// Events that were done are kept for 7 days, or for good where nothing says when they were; dead letters for 30.
#[utoipa::path(
    tag = "webhooks",
    params(
        ("direction" = Direction, Path, description = "Which way"),
        InSight<ReadOperations>,
        EventParameters, PageQuery,
    ),
    responses(
        (status = 200, description = "A page", body = Page<Event>),
        (status = 404, description = "`not_found`: no such direction"),
    ),
)]
#[get("/v1/events/{direction}")]
pub(crate) async fn list_events(
    caller: InSight<ReadOperations>,
    direction_of: Path<String>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let direction = direction(&direction_of)?;
    let queries = &state.gateway.queries;
    let found = match direction {
        Direction::In => {
            let (mut filter, page) = read_events::<IncomingFilter>(&request)?;
            filter.merchants = caller.merchants.clone();
            queries.list_incoming(&filter, &page, caller.visibility()).await?
        }
        Direction::Out => {
            let (mut filter, page) = read_events::<OutgoingFilter>(&request)?;
            filter.merchants = caller.merchants.clone();
            queries.list_outgoing(&filter, &page, caller.visibility()).await?
        }
    };
    Ok(reply::json(&found))
}

/// One event, with what it says as long as that is kept: `raw` of a dead letter that came in, `body` of one that has not
/// reached its endpoint.
///
/// Scope: `ops:read`. Without `customers:read` as well, what it says is shown without its values.
#[utoipa::path(
    tag = "webhooks",
    params(
        ("direction" = Direction, Path, description = "Which way"),
        ("id" = String, Path, description = "`evt_…`"),
        InSight<ReadOperations>,
    ),
    responses(
        (status = 200, description = "As it stands", body = WholeEvent),
        (status = 404, description = "`not_found`"),
    ),
)]
#[get("/v1/events/{direction}/{id}")]
pub(crate) async fn get_event(
    caller: InSight<ReadOperations>,
    path: Path<(String, String)>,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let (id, visibility) = (event_id(&path.1)?, caller.visibility());
    let (queries, merchants) = (&state.gateway.queries, caller.merchants.as_ref());
    Ok(match direction(&path.0)? {
        Direction::In => reply::json(&queries.get_incoming(merchants, id, visibility).await?),
        Direction::Out => reply::json(&queries.get_outgoing(merchants, id, visibility).await?),
    })
}

/// Tries a dead letter again: one that came in by the mapping of now, one that goes out with the same id as before.
///
/// Scope: `ops:write`.
#[utoipa::path(
    tag = "webhooks",
    params(
        ("direction" = Direction, Path, description = "Which way"),
        ("id" = String, Path, description = "`evt_…`"),
        InSight<WriteOperations>,
    ),
    request_body(content = Option<ReplayOf>, content_type = "application/json", description = "May be absent: whom an event that came in is about"),
    responses(
        (status = 202, description = "Durable", body = EventReplayed),
        (status = 404, description = "`not_found`"),
        (status = 422, description = "`validation_failed`: it is no dead letter, `customer_id` is said of one that goes out or that carries several customers, its source or endpoint is not configured any more or disabled, or it still cannot be taken"),
    ),
)]
#[post("/v1/events/{direction}/{id}/replay")]
pub(crate) async fn replay_event(
    caller: InSight<WriteOperations>,
    path: Path<(String, String)>,
    body: MaybeJson,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let action = customer_meant(body)?.map_or(DeadLetterAction::Replay, DeadLetterAction::ReplayFor);
    Ok(reply::accepted(&act(&caller, &path, action, &state).await?))
}

/// Gives a dead letter up, and forgets what it said.
///
/// Scope: `ops:write`.
#[utoipa::path(
    tag = "webhooks",
    params(
        ("direction" = Direction, Path, description = "Which way"),
        ("id" = String, Path, description = "`evt_…`"),
        InSight<WriteOperations>,
    ),
    responses(
        (status = 200, description = "Durable", body = Event),
        (status = 404, description = "`not_found`"),
        (status = 422, description = "`validation_failed`: it is no dead letter"),
    ),
)]
#[post("/v1/events/{direction}/{id}/discard")]
pub(crate) async fn discard_event(
    caller: InSight<WriteOperations>,
    path: Path<(String, String)>,
    _: NoBody,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    Ok(reply::json(
        &act(&caller, &path, DeadLetterAction::Discard, &state).await?,
    ))
}

/// Tries all dead letters that match again, those that came in in the order in which they came.
///
/// Scope: `ops:write`.
#[utoipa::path(
    tag = "webhooks",
    params(
        ("direction" = Direction, Path, description = "Which way"),
        InSight<WriteOperations>,
    ),
    request_body(content = EventSelectionBody, content_type = "application/json"),
    responses(
        (status = 202, description = "What became of them", body = EventsDone),
        (status = 404, description = "`not_found`: no such direction"),
        (status = 422, description = "`validation_failed`"),
    ),
)]
#[post("/v1/events/{direction}/replay")]
pub(crate) async fn replay_events(
    caller: InSight<WriteOperations>,
    path: Path<String>,
    body: JsonBody,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let done = act_on_all(&caller, &path, &body.0, DeadLetterAction::Replay, &state).await?;
    Ok(reply::accepted(&done))
}

/// Gives all dead letters up that match; at least one filter has to be given.
///
/// Scope: `ops:write`.
#[utoipa::path(
    tag = "webhooks",
    params(
        ("direction" = Direction, Path, description = "Which way"),
        InSight<WriteOperations>,
    ),
    request_body(content = EventSelectionBody, content_type = "application/json"),
    responses(
        (status = 200, description = "What became of them", body = EventsDone),
        (status = 404, description = "`not_found`: no such direction"),
        (status = 422, description = "`validation_failed`"),
    ),
)]
#[post("/v1/events/{direction}/discard")]
pub(crate) async fn discard_events(
    caller: InSight<WriteOperations>,
    path: Path<String>,
    body: JsonBody,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let done = act_on_all(&caller, &path, &body.0, DeadLetterAction::Discard, &state).await?;
    Ok(reply::json(&done))
}

async fn act(
    caller: &InSight<WriteOperations>,
    (to, id): &(String, String),
    action: DeadLetterAction,
    state: &State,
) -> Result<EventReplayed, Problem> {
    let letter = (direction(to)?, event_id(id)?);
    let (operations, merchants) = (&state.gateway.operations, caller.merchants.as_ref());
    let (by, visibility) = (caller.caller(), caller.visibility());
    Ok(operations
        .event_dead_letter(&by, merchants, letter, action, visibility)
        .await?)
}

async fn act_on_all(
    caller: &InSight<WriteOperations>,
    to: &str,
    body: &Json,
    action: DeadLetterAction,
    state: &Arc<State>,
) -> Result<EventsDone, Problem> {
    let letters = match direction(to)? {
        Direction::In => EventSelection::read(body).map(DeadLetters::In),
        Direction::Out => EventSelection::read(body).map(DeadLetters::Out),
    };
    let in_force = caller.in_force(state);
    let (letters, merchants) = (letters.map_err(Refusal::invalid)?, caller.merchants.as_ref());
    let operations = &state.gateway.operations;
    let (by, visibility) = (caller.caller(), caller.visibility());
    Ok(operations
        .event_dead_letters(&by, merchants, letters, action, visibility, &|| in_force.still_may())
        .await?)
}

/// Any other word names nothing.
fn direction(text: &str) -> Result<Direction, Problem> {
    Ok(text.parse().map_err(|_| Refusal::not_found("direction"))?)
}

/// What is no id finds nothing.
fn event_id(text: &str) -> Result<EventId, Problem> {
    Ok(text.parse().map_err(|_| Refusal::not_found("event"))?)
}
