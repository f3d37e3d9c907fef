//! `POST /v1/customers/batch`.

use std::convert::Infallible;

use actix_web::http::header::{self, HeaderName};
use actix_web::web::{Data, Payload};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, post};
use futures_util::stream;

use upsert_app::ProblemCode;

use crate::access::WriteLines;
use crate::batch::{Batch, Grant, Wanted};
use crate::headers::Wishes;
use crate::merchant_id::ForMerchant;
use crate::observe::Observed;
use crate::problem::Problem;
use crate::schema;
use crate::state::State;

/// Its path.
pub(crate) const PATH: &str = "/v1/customers/batch";
/// Idempotency keys are scoped to it.
pub(crate) const ROUTE: &str = "POST /v1/customers/batch";

const NDJSON: &str = "application/x-ndjson";
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Any number of upserts, one a line, streamed both ways.
///
/// Scope: `customers:write`. Each line of the request is the body of an upsert, with an `idempotency_key` if you like;
/// each line of the answer is what became of one of them, in order of completion. Lines count from 1; empty ones are
/// passed over but counted. A bad line stops none of the others. Lines that share `id`, `reference`, `email` or
/// `phone` are committed in their order. Read while you send: as long as nobody reads the answers, nothing more is done.
/// A line longer than `server.body_limit` is refused alone.
#[utoipa::path(
    tag = "customers",
    params(
        ("Merchant-Id" = Option<String>, Header, description = "For whom; required unless the key lists exactly one merchant"),
        ("Prefer" = Option<String>, Header, description = "`respond-async`: each line is answered right after its durable commit"),
        ("Cache-Control" = Option<String>, Header, description = "`no-cache`: call the vendors even if nothing has changed"),
        ("traceparent" = Option<String>, Header, description = "W3C trace context; passed on where the connection allows it"),
    ),
    request_body(content = schema::BatchLine, content_type = "application/x-ndjson"),
    responses(
        (status = 200, description = "One line for each line that is not empty", body = schema::BatchAnswer, content_type = "application/x-ndjson",
            headers(("Preference-Applied" = String, description = "`respond-async`, if that was asked"))),
        (status = 415, description = "`unsupported_media_type`", body = schema::Problem, content_type = "application/problem+json"),
    ),
)]
#[post("/v1/customers/batch")]
pub(crate) async fn batch(
    caller: ForMerchant<WriteLines>,
    wishes: Wishes,
    body: Payload,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    crate::query::no_query(&request)?;
    if wishes.idempotency_key.is_some() {
        let detail = "does not go with a batch: each line may carry `idempotency_key`";
        return Err(Problem::invalid_header("Idempotency-Key", detail));
    }
    if !is_ndjson(&request) {
        let detail = "the body has to be application/x-ndjson, in UTF-8 and without a content coding";
        return Err(Problem::new(ProblemCode::UnsupportedMediaType, detail));
    }
    let request_id = request
        .extensions()
        .get::<Observed>()
        .map_or_else(String::new, |observed| observed.id.as_str().to_owned());
    let wanted = Wanted {
        respond_async: wishes.respond_async,
        force: wishes.force,
        traceparent: wishes.traceparent,
        request_id,
    };
    let grant = Grant {
        key: caller.access.key,
        served: caller.access.served,
        merchant: caller.merchant,
    };
    let batch = Batch::new(state, grant, wanted, body.into_inner());
    let lines = stream::unfold(batch, |mut batch| async move {
        let line = batch.next().await?;
        Some((Ok::<_, Infallible>(line), batch))
    });
    let mut response = HttpResponse::Ok();
    response.content_type(NDJSON);
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    if wishes.respond_async {
        response.insert_header((PREFERENCE_APPLIED, "respond-async"));
    }
    Ok(response.streaming(lines))
}

fn is_ndjson(request: &HttpRequest) -> bool {
    let is_lines = request.mime_type().ok().flatten().is_some_and(|mime| {
        let is_utf8 = mime
            .get_param("charset")
            .is_none_or(|charset| charset.as_str().eq_ignore_ascii_case("utf-8"));
        is_utf8 && mime.essence_str().eq_ignore_ascii_case(NDJSON)
    });
    let encoding = request.headers().get(header::CONTENT_ENCODING);
    is_lines && encoding.is_none_or(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}
