//! `POST /v1/webhooks/{merchant}/{source}`.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, post};

use upsert_api::{AnyEvent, Beside, ProblemCode, RefusedEvents, WebhookProblem};
use upsert_app::{Intake, Merchant, Refusal, Source, TraceContext};
use upsert_settings::is_name;
use upsert_webhook::Received;

use crate::http::body;
use crate::http::middleware::{is_signed, traceparent, tracestate};
use crate::http::problem::Problem;
use crate::routes::reply;
use crate::state::State;

/// An event of a system that the merchant's configuration names as a source.
///
/// No API key: the event is signed, as the source's `verify` says. What the source's mapping makes of it is upserted. It
/// is answered once it is durable; its deliveries go on by themselves.
#[utoipa::path(
    tag = "webhooks",
    params(
        ("merchant" = String, Path, description = "The merchant's id"),
        ("source" = String, Path, description = "The source's name"),
        ("traceparent" = Option<String>, Header, description = "W3C trace context; passed on where the connection allows it"),
        ("tracestate" = Option<String>, Header, description = "Beside a valid `traceparent`: goes with it, if it is valid itself"),
    ),
    request_body(content = AnyEvent, content_type = "application/json", description = "Any JSON, signed to the byte"),
    responses(
        (status = 200, description = "Nothing was to be done: every part of it was here before, or is left out by the source's `only`, or it is the sender's test call, told by `ping`", body = upsert_api::Intake),
        (status = 202, description = "Durable", body = upsert_api::Intake),
        (status = 400, description = "`malformed_json`: it is signed, and no JSON"),
        (status = 401, description = "`unauthenticated`: the signature does not fit, or is too old"),
        (status = 404, description = "`not_found`: no such source"),
        (status = 413, description = "`body_too_large`: twice as long as the source's `body_limit`; up to there it is kept as a dead letter"),
        (status = 415, description = "`unsupported_media_type`: the body has a content coding"),
        (status = 422, description = "`validation_failed`: it could not be taken, and is kept as a dead letter; `events` stands beside",
            body = WebhookProblem, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`, `shutting_down`: to be sent again"),
    ),
)]
#[post("/v1/webhooks/{merchant}/{source}")]
pub(crate) async fn receive_event(
    path: Path<(String, String)>,
    payload: Payload,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let (merchant, source) = path.into_inner();
    if is_name(&merchant) {
        state.gateway.load_merchant(&merchant).await?;
    }
    let (_, announced) = source_of(&state, &merchant, &source)?;
    let body = body::event(&request, payload, announced.body_limit).await?;
    // It may have taken its time: the secret, or the whole source, may be gone since.
    let (merchant, source) = &source_of(&state, &merchant, &source)?;
    let header = |name: &str| only(request.headers(), name);
    let received = Received {
        header: &header,
        method: request.method().as_str(),
        body: &body,
    };
    let (traceparent, tracestate) = (traceparent(&request), tracestate(&request));
    let trace = TraceContext::of(traceparent.as_deref(), tracestate.as_deref());
    let event = state.gateway.inbox.read_event(merchant, source, &received, trace)?;
    is_signed(&request);
    let intake = state.gateway.inbox.take_event(event).await?;
    answer(intake)
}

/// A source, as it is configured now.
fn source_of(state: &State, merchant: &str, source: &str) -> Result<(Arc<Merchant>, Arc<Source>), Problem> {
    let merchant = state.served.load().directory.get(merchant);
    let found = merchant.and_then(|merchant| {
        let source = merchant.source(source)?.clone();
        Some((merchant, source))
    });
    Ok(found.ok_or_else(|| Refusal::not_found("source"))?)
}

/// The value of a header that is there once, as text.
fn only(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name);
    let value = values.next()?;
    match values.next() {
        None => value.to_str().ok().map(str::to_owned),
        Some(_) => None,
    }
}

fn answer(intake: Intake) -> Result<HttpResponse, Problem> {
    if let Some(mut refusal) = intake.refusal {
        // Whatever it was that refused it, to the sender the event is what is not valid.
        let reason = std::mem::replace(&mut refusal.code, ProblemCode::ValidationFailed);
        refusal.beside = Some(Beside::Events(RefusedEvents {
            reason,
            events: intake.data,
        }));
        return Err(refusal.into());
    }
    let status = if intake.is_new {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    Ok(reply::with_status(status, &upsert_api::Intake { data: intake.data }))
}
