//! `POST /v1/webhooks/{merchant}/{source}`.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, post};
use serde_json::json;

use upsert_app::{Intake, ProblemCode, Refusal};
use upsert_webhook::Received;

use crate::http::middleware::traceparent;
use crate::http::problem::Problem;
use crate::http::{body, schema};
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
    ),
    request_body(content = schema::AnyEvent, content_type = "application/json", description = "Any JSON, signed to the byte"),
    responses(
        (status = 200, description = "Nothing was to be done: every part of it was here before, or is left out by the source's `only`, or it is the sender's test call, told by `ping`", body = schema::Intake),
        (status = 202, description = "Durable", body = schema::Intake),
        (status = 400, description = "`malformed_json`: it is signed, and no JSON", body = schema::Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`: the signature does not fit, or is too old", body = schema::Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: no such source", body = schema::Problem, content_type = "application/problem+json"),
        (status = 408, description = "`request_timeout`: the body took too long", body = schema::Problem, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`: twice as long as the source's `body_limit`; up to there it is kept as a dead letter", body = schema::Problem, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`: the body has a content coding", body = schema::Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`: it could not be taken, and is kept as a dead letter; `events` stands beside", body = schema::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`, `shutting_down`: to be sent again", body = schema::Problem, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds"))),
    ),
)]
#[post("/v1/webhooks/{merchant}/{source}")]
pub(crate) async fn webhook(
    path: Path<(String, String)>,
    payload: Payload,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let (merchant, source) = path.into_inner();
    let served = state.served.load_full();
    let merchant = served.directory.get(&merchant);
    let found = merchant.and_then(|merchant| Some((merchant, merchant.source(&source)?)));
    let (merchant, source) = found.ok_or_else(|| Refusal::not_found("source"))?;
    let body = body::event(&request, payload, source.body_limit).await?;
    let header = |name: &str| only(request.headers(), name);
    let received = Received {
        header: &header,
        method: request.method().as_str(),
        body: &body,
    };
    let traceparent = traceparent(&request);
    let event = state
        .gateway
        .inbox
        .read_event(merchant, source, &received, traceparent.as_deref())?;
    let intake = state.gateway.inbox.take_event(event).await?;
    answer(intake)
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
        refusal.beside.insert("reason".to_owned(), json!(reason.as_str()));
        refusal.beside.insert("events".to_owned(), json!(intake.data));
        if !refusal.conflicts.is_empty() {
            let conflicts = json!(refusal.conflicts);
            refusal.beside.insert("conflicts".to_owned(), conflicts);
        }
        return Err(refusal.into());
    }
    let status = if intake.is_new {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    response.content_type(header::ContentType::json());
    Ok(response.body(reply::data(&intake.data)))
}
