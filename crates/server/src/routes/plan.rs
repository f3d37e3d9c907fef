//! `POST /v1/customers/plan`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, post};

use upsert_api::{Plan, UpsertRequest};

use crate::http::access::WriteCustomers;
use crate::http::body::JsonBody;
use crate::http::headers::wants_fresh;
use crate::http::merchant_id::ForMerchant;
use crate::http::prefer::Preferences;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::reply;
use crate::state::State;

/// What an upsert with this body would do. Stores and sends nothing.
///
/// Scope: `customers:write`.
#[utoipa::path(
    tag = "customers",
    params(
        ("Merchant-Id" = Option<String>, Header, description = "For whom; required unless the key lists exactly one merchant"),
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
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let force = wants_fresh(request.headers());
    let prefers = Preferences::of(request.headers());
    let handling = prefers.handling.unwrap_or_default();
    let plan = state
        .gateway
        .upserts
        .plan(&caller.merchant, &body.0, handling, force)
        .await?;
    let mut response = reply::json(&plan);
    if let Some(held) = prefers.applied(false).and_then(|held| held.parse().ok()) {
        response.headers_mut().insert(reply::PREFERENCE_APPLIED, held);
    }
    Ok(response)
}
