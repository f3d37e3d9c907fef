//! `POST /v1/events/{direction}/{id}/replay`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, post};

use upsert_api::{EventReplayed, ReplayOf};
use upsert_app::DeadLetterAction;

use crate::http::access::{Access, WriteOperations};
use crate::http::body::MaybeJson;
use crate::http::merchant_id;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::events::{direction, event_id};
use crate::routes::replay::customer_meant;
use crate::routes::reply;
use crate::state::State;

/// Tries a dead letter again: one that came in by the mapping of now, one that goes out with the same id as before.
///
/// Scope: `ops:write`.
#[utoipa::path(
    tag = "webhooks",
    params(
        ("direction" = String, Path, description = "`in` or `out`"),
        ("id" = String, Path, description = "`evt_…`"),
        ("Merchant-Id" = Option<String>, Header, description = "Only this merchant's"),
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
    caller: Access<WriteOperations>,
    path: Path<(String, String)>,
    body: MaybeJson,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let merchants = merchant_id::in_sight(&caller, request.headers())?;
    let letter = (direction(&path.0)?, event_id(&path.1)?);
    let action = customer_meant(body)?.map_or(DeadLetterAction::Replay, DeadLetterAction::ReplayFor);
    let done = state
        .gateway
        .operations
        .event_dead_letter(
            &caller.caller(),
            merchants.as_ref(),
            letter,
            action,
            caller.visibility(),
        )
        .await?;
    Ok(reply::accepted(&done))
}
