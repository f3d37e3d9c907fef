//! `POST /v1/customers/plan`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, post};

use crate::access::WriteCustomers;
use crate::body::JsonBody;
use crate::headers::wants_fresh;
use crate::merchant_id::ForMerchant;
use crate::problem::Problem;
use crate::query::no_query;
use crate::routes::reply;
use crate::schema;
use crate::state::State;

/// What an upsert with this body would do. Stores and sends nothing.
///
/// Scope: `customers:write`.
#[utoipa::path(
    tag = "customers",
    params(
        ("Merchant-Id" = Option<String>, Header, description = "For whom; required unless the key lists exactly one merchant"),
        ("Cache-Control" = Option<String>, Header, description = "`no-cache`: plan a call even if nothing has changed"),
    ),
    request_body(content = schema::UpsertRequest, content_type = "application/json"),
    responses(
        (status = 200, description = "What would be sent, by connection", body = schema::Plan),
        (status = 404, description = "`not_found`: no customer has this id", body = schema::Problem, content_type = "application/problem+json"),
        (status = 408, description = "`request_timeout`: the body took too long", body = schema::Problem, content_type = "application/problem+json"),
        (status = 409, description = "`identity_conflict`", body = schema::Problem, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = schema::Problem, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = schema::Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`", body = schema::Problem, content_type = "application/problem+json"),
    ),
)]
#[post("/v1/customers/plan")]
pub(crate) async fn plan(
    caller: ForMerchant<WriteCustomers>,
    body: JsonBody,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let force = wants_fresh(request.headers());
    let plan = state.gateway.plan(&caller.merchant, &body.0, force).await?;
    Ok(reply::json_reply(&plan))
}
