//! `POST /v1/events/{direction}/discard`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, post};

use upsert_app::{DeadLetterAction, EventListQuery};

use crate::http::access::{Access, WriteOperations};
use crate::http::body::JsonBody;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::http::{merchant_id, schema};
use crate::routes::events::direction;
use crate::routes::reply;
use crate::state::State;

/// Gives all dead letters up that match; at least one filter has to be given.
///
/// Scope: `ops:write`.
#[utoipa::path(
    tag = "webhooks",
    params(
        ("direction" = String, Path, description = "`in` or `out`"),
        ("Merchant-Id" = Option<String>, Header, description = "Only this merchant's"),
    ),
    request_body(content = schema::EventSelection, content_type = "application/json"),
    responses(
        (status = 200, description = "What became of them", body = schema::EventsDone),
        (status = 404, description = "`not_found`: no such direction", body = schema::Problem, content_type = "application/problem+json"),
        (status = 408, description = "`request_timeout`: the body took too long", body = schema::Problem, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = schema::Problem, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = schema::Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`", body = schema::Problem, content_type = "application/problem+json"),
    ),
)]
#[post("/v1/events/{direction}/discard")]
pub(crate) async fn events_discard(
    caller: Access<WriteOperations>,
    path: Path<String>,
    body: JsonBody,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let direction = direction(&path)?;
    let merchants = merchant_id::in_sight(&caller, request.headers())?;
    let (query, dry_run) = EventListQuery::read(&body.0, merchants, direction)?;
    let action = DeadLetterAction::Discard;
    let done = state
        .gateway
        .operations
        .event_dead_letters(&caller.caller(), query, direction, action, dry_run, caller.visibility())
        .await?;
    Ok(reply::json_reply(&done))
}
