//! Upserts, and what they would do: `POST /v1/customers`, `POST /v1/customers/plan`.

use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, post};

use upsert_api::{Plan, UpsertAnswer, UpsertProblem, UpsertRefusal, UpsertRequest};
use upsert_app::{Answer, Caller, UpsertCommand};
use upsert_core::Priority;
use upsert_settings::BasePath;
use upsert_store::Through;

use crate::http::access::WriteCustomers;
use crate::http::body::JsonBody;
use crate::http::headers::{Wishes, wants_fresh};
use crate::http::in_force::visibility_of;
use crate::http::merchant_id::ForMerchant;
use crate::http::middleware::Observed;
use crate::http::mount;
use crate::http::prefer::Preferences;
use crate::http::problem::{self, PROBLEM_JSON, Problem};
use crate::http::query::NoQuery;
use crate::routes::reply;
use crate::state::State;

/// Idempotency keys are scoped to it.
const ROUTE: &str = "POST /v1/customers";

/// Create or update a customer, here and at every vendor that the merchant's routes name.
///
/// Scope: `customers:write`. Without `customers:read` as well, the customer's data are covered but for what was sent, and so
/// are the vendors' words. It answers as soon as every delivery to a required connection has ended, or none of those
/// still open could end in time; then 202, and it goes on by itself.
#[utoipa::path(
    tag = "customers",
    params(
        ForMerchant<WriteCustomers>,
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters, bare or quoted"),
        ("Prefer" = Option<String>, Header, description = "`respond-async`: 202 right after the durable commit; `handling=lenient`: optional members that cannot be read are left out (`ignored`) instead of refusing the whole. Several may be given (RFC 7240)"),
        ("Cache-Control" = Option<String>, Header, description = "`no-cache`: call the vendors even if nothing has changed"),
        ("traceparent" = Option<String>, Header, description = "W3C trace context; passed on where the connection allows it"),
        ("tracestate" = Option<String>, Header, description = "Beside a valid `traceparent`: goes with it, if it is valid itself"),
    ),
    request_body(content = UpsertRequest, content_type = "application/json"),
    responses(
        (status = 200, description = "Done; the customer was known", body = UpsertAnswer,
            headers(("Preference-Applied" = String, description = "The preferences that held"),
                ("Idempotent-Replayed" = String, description = "`true`: an idempotency key was used again"))),
        (status = 201, description = "Done; the customer is new", body = UpsertAnswer,
            headers(("Location" = String, description = "The customer"),
                ("Preference-Applied" = String, description = "The preferences that held"),
                ("Idempotent-Replayed" = String, description = "`true`: an idempotency key was used again"))),
        (status = 202, description = "Stored; a required delivery has not ended", body = UpsertAnswer,
            headers(("Location" = String, description = "The upsert"),
                ("Retry-After" = u64, description = "Seconds"),
                ("Preference-Applied" = String, description = "The preferences that held"),
                ("Idempotent-Replayed" = String, description = "`true`: an idempotency key was used again"))),
        (status = 404, description = "`not_found`: no customer has this id"),
        (status = 409, description = "`identity_conflict`, `link_conflict`, `match_key_collision`, `business_key_change`, `idempotency_in_progress`, `erased`",
            headers(("Retry-After" = u64, description = "Seconds, with `idempotency_in_progress`"))),
        (status = 422, description = "`validation_failed`, `idempotency_key_reused`; `provider_rejected`, with the answer's members beside",
            body = UpsertRefusal, content_type = "application/problem+json"),
        (status = 502, description = "`provider_failed`, with the answer's members beside",
            body = UpsertProblem, content_type = "application/problem+json"),
    ),
)]
#[post("/v1/customers")]
pub(crate) async fn upsert_customer(
    caller: ForMerchant<WriteCustomers>,
    wishes: Wishes,
    body: JsonBody,
    _: NoQuery,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let request_id = request
        .extensions()
        .get::<Observed>()
        .map_or_else(String::new, |observed| observed.id.as_str().to_owned());
    // The body may have taken its time.
    let in_force = caller.in_force(&state);
    let key = in_force.key()?;
    let (visibility, merchant) = (visibility_of(&key), in_force.merchant(&caller.merchant.id).await?);
    let command = UpsertCommand {
        body: body.0,
        idempotency_key: wishes.idempotency_key,
        route: ROUTE,
        through: Through::Request,
        respond_async: wishes.prefers.respond_async,
        force: wishes.force,
        handling: wishes.prefers.handling.unwrap_or_default(),
        traceparent: wishes.traceparent,
        tracestate: wishes.tracestate,
        priority: Priority::Interactive,
        request_id,
        visibility,
    };
    let caller = Caller { name: key.name.clone() };
    let answer = state.gateway.upserts.upsert(&caller, &merchant, command).await?;
    if let Some(observed) = request.extensions_mut().get_mut::<Observed>() {
        observed.upsert = Some(answer.upsert);
    }
    // Vendors may have taken their time: what it did stands, and only who still may is told of it.
    let answer = in_force.may_be_told(answer, visibility)?;
    Ok(reply::answer(below(answer, &mount::of(&request)), wishes.prefers))
}

/// A refusal that is kept says where it was sent to, and is told whoever sees that somewhere else.
fn below(mut answer: Answer, base: &BasePath) -> Answer {
    if PROBLEM_JSON == answer.content_type {
        answer.body = problem::below(&answer.body, base).into_owned();
    }
    answer
}

/// What an upsert with this body would do. Stores and sends nothing.
///
/// Scope: `customers:write`. Without `customers:read` as well, what is known of the customer is covered but for what was sent.
#[utoipa::path(
    tag = "customers",
    params(
        ForMerchant<WriteCustomers>,
        ("Prefer" = Option<String>, Header, description = "`handling=lenient`: optional members that cannot be read are left out (`ignored`)"),
        ("Cache-Control" = Option<String>, Header, description = "`no-cache`: plan a call even if nothing has changed"),
    ),
    request_body(content = UpsertRequest, content_type = "application/json"),
    responses(
        (status = 200, description = "What would be sent, by connection", body = Plan,
            headers(("Preference-Applied" = String, description = "The preferences that held"))),
        (status = 404, description = "`not_found`: no customer has this id"),
        (status = 409, description = "`identity_conflict`, `link_conflict`"),
        (status = 422, description = "`validation_failed`"),
    ),
)]
#[post("/v1/customers/plan")]
pub(crate) async fn plan_upsert(
    caller: ForMerchant<WriteCustomers>,
    body: JsonBody,
    _: NoQuery,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let force = wants_fresh(request.headers());
    let prefers = Preferences::of(request.headers());
    let handling = prefers.handling.unwrap_or_default();
    // The body may have taken its time.
    let in_force = caller.in_force(&state);
    let key = in_force.key()?;
    let visibility = visibility_of(&key);
    let merchant = in_force.merchant(&caller.merchant.id).await?;
    let upserts = &state.gateway.upserts;
    let plan = upserts.plan(&merchant, &body.0, handling, force, visibility).await?;
    let mut response = reply::json(&plan);
    if let Some(held) = prefers.applied(false).and_then(|held| held.parse().ok()) {
        response.headers_mut().insert(reply::PREFERENCE_APPLIED, held);
    }
    Ok(response)
}
