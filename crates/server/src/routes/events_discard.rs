//! `POST /v1/events/{direction}/discard`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, post};

use upsert_api::{EventSelectionBody, EventsDone};
use upsert_app::DeadLetterAction;

use crate::http::access::{Access, WriteOperations};
use crate::http::body::JsonBody;
use crate::http::merchant_id;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::events::{dead_letters, direction};
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
    request_body(content = EventSelectionBody, content_type = "application/json"),
    responses(
        (status = 200, description = "What became of them", body = EventsDone),
        (status = 404, description = "`not_found`: no such direction"),
        (status = 422, description = "`validation_failed`"),
    ),
)]
#[post("/v1/events/{direction}/discard")]
pub(crate) async fn discard_events(
    caller: Access<WriteOperations>,
    path: Path<String>,
    body: JsonBody,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let letters = dead_letters(direction(&path)?, &body.0)?;
    let merchants = merchant_id::in_sight(&caller, request.headers())?;
    let action = DeadLetterAction::Discard;
    let done = state
        .gateway
        .operations
        .event_dead_letters(
            &caller.caller(),
            merchants.as_ref(),
            letters,
            action,
            caller.visibility(),
        )
        .await?;
    Ok(reply::json(&done))
}
