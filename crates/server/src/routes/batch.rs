//! `POST /v1/customers/batch`.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderName};
use actix_web::web::{Data, Payload};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, post};

use upsert_api::{BatchAnswer, BatchLine, ProblemCode};

use crate::batch::{Batch, Terms};
use crate::http::access::WriteBatches;
use crate::http::decoding::{self, Encoding};
use crate::http::headers::Wishes;
use crate::http::merchant_id::ForMerchant;
use crate::http::middleware::Observed;
use crate::http::mount;
use crate::http::problem::Problem;
use crate::http::query::NoQuery;
use crate::routes::reply::PREFERENCE_APPLIED;
use crate::state::{State, Streaming};

const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const NDJSON: &str = "application/x-ndjson";

/// Many upserts, a line each.
///
/// Scope: `customers:write`. One upsert body a line, any number of lines; the answer has a line for each, in the order in
/// which they are done, with `line` (from 1) and either the upsert's answer and its `status`, or `problem`. A bad line
/// never stops the others. Lines that share an identifier are committed in their order. Each line may carry
/// `idempotency_key`. Lines are read only as fast as answers are taken: a client has to read while it writes.
#[utoipa::path(
    tag = "customers",
    params(
        ForMerchant<WriteBatches>,
        ("Prefer" = Option<String>, Header, description = "`respond-async`: each line is answered right after its durable commit; `handling=lenient`: of each line, optional members that cannot be read are left out (`ignored`)"),
        ("Cache-Control" = Option<String>, Header, description = "`no-cache`: call the vendors even if nothing has changed"),
        ("traceparent" = Option<String>, Header, description = "W3C trace context; passed on where the connection allows it"),
        ("tracestate" = Option<String>, Header, description = "Beside a valid `traceparent`: goes with it, if it is valid itself"),
    ),
    request_body(content = BatchLine, content_type = "application/x-ndjson"),
    responses(
        (status = 200, description = "A line for each line", body = BatchAnswer, content_type = "application/x-ndjson",
            headers(("Preference-Applied" = String, description = "The preferences that held, of every line"))),
        (status = 415, description = "`unsupported_media_type`: it is not NDJSON, or its content coding is not gzip"),
    ),
)]
#[post("/v1/customers/batch")]
pub(crate) async fn upsert_batch(
    caller: ForMerchant<WriteBatches>,
    wishes: Wishes,
    _: NoQuery,
    payload: Payload,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let is_ndjson = request
        .mime_type()
        .ok()
        .flatten()
        .is_some_and(|mime| mime.essence_str() == NDJSON);
    if !is_ndjson {
        let detail = "the body has to be application/x-ndjson, in UTF-8";
        return Err(Problem::new(ProblemCode::UnsupportedMediaType, detail));
    }
    let encoding = Encoding::of(&request)?;
    if wishes.idempotency_key.is_some() {
        let detail = "holds for one upsert: in a batch each line has its own `idempotency_key`";
        return Err(Problem::invalid_header("Idempotency-Key", detail));
    }
    let request_id = request
        .extensions()
        .get::<Observed>()
        .map_or_else(String::new, |observed| observed.id.as_str().to_owned());
    let state: Arc<State> = state.into_inner();
    let terms = Terms {
        caller: caller.in_force(&state),
        merchant: caller.merchant.id.clone(),
        wishes,
        request_id,
        base: mount::of(&request),
        line_limit: state.served.load().body_limit,
        state: state.clone(),
    };
    let held = terms.wishes.prefers.applied(true);
    let lines = decoding::pieces(payload.into_inner(), encoding);
    let answers = Batch::new(terms, lines, Streaming::of(&state)).answers();
    let mut response = HttpResponse::Ok();
    response.content_type(NDJSON);
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    // nginx would gather the answers: a client that waits for one before it sends more would wait for good.
    response.insert_header((X_ACCEL_BUFFERING, "no"));
    if let Some(held) = held {
        response.insert_header((PREFERENCE_APPLIED, held));
    }
    Ok(response.streaming(answers))
}
