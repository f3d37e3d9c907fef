//! `POST /v1/events/{direction}/{id}/discard`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, post};

use upsert_api::Event;
use upsert_app::DeadLetterAction;

use crate::http::access::{Access, WriteOperations};
use crate::http::merchant_id;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::events::{direction, event_id};
use crate::routes::reply;
use crate::state::State;

/// Gives a dead letter up, and forgets what it said.
///
/// Scope: `ops:write`.
#[utoipa::path(
    tag = "webhooks",
    params(
        ("direction" = String, Path, description = "`in` or `out`"),
        ("id" = String, Path, description = "`evt_…`"),
        ("Merchant-Id" = Option<String>, Header, description = "Only this merchant's"),
    ),
    responses(
        (status = 200, description = "Durable", body = Event),
        (status = 404, description = "`not_found`"),
        (status = 422, description = "`validation_failed`: it is no dead letter"),
    ),
)]
#[post("/v1/events/{direction}/{id}/discard")]
pub(crate) async fn discard_event(
    caller: Access<WriteOperations>,
    path: Path<(String, String)>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let merchants = merchant_id::in_sight(&caller, request.headers())?;
    let letter = (direction(&path.0)?, event_id(&path.1)?);
    let action = DeadLetterAction::Discard;
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
    Ok(reply::json(&done))
}
