//! `POST /v1/deliveries/{id}/replay`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, post};
use serde_json::Value as Json;

use upsert_api::{ReplayOf, UpsertAnswer};
use upsert_app::Refusal;
use upsert_core::customer::escape;
use upsert_core::{CustomerId, Problem as Wrong};

use crate::http::access::{Access, WriteOperations};
use crate::http::body::MaybeJson;
use crate::http::merchant_id;
use crate::http::prefer::Preferences;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::delivery::delivery_id;
use crate::routes::reply;
use crate::state::State;

const CUSTOMER: &str = "customer_id";

/// Sends the customer's current state in the place of a delivery that has failed.
///
/// Scope: `ops:write`. It is a new upsert with one delivery; the failed one is `superseded` by it.
/// Without `customers:read` as well, what says who the customer is stands there as `•••`, a yes or no as null.
#[utoipa::path(
    tag = "deliveries",
    params(
        ("id" = String, Path, description = "`dlv_…`"),
        ("Merchant-Id" = Option<String>, Header, description = "Only this merchant's"),
    ),
    request_body(content = Option<ReplayOf>, content_type = "application/json", description = "May be absent"),
    responses(
        (status = 202, description = "Durable; `Location` says how it stands", body = UpsertAnswer),
        (status = 404, description = "`not_found`: no such delivery, or its customer is gone"),
        (status = 409, description = "`match_key_collision` or `business_key_change`"),
        (status = 422, description = "`validation_failed`: it has not failed, it is another customer's than `customer_id` says, its connection is not configured any more, or the vendor asks for something that is not there"),
    ),
)]
#[post("/v1/deliveries/{id}/replay")]
pub(crate) async fn replay_delivery(
    caller: Access<WriteOperations>,
    id: Path<String>,
    body: MaybeJson,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let merchants = merchant_id::in_sight(&caller, request.headers())?;
    let id = delivery_id(&id)?;
    let of = customer_meant(body)?;
    let answer = state
        .gateway
        .operations
        .replay_delivery(&caller.caller(), merchants.as_ref(), id, of, caller.visibility())
        .await?;
    Ok(reply::answer(answer, Preferences::default()))
}

/// Whom the body says that a replay is about; none where it says nothing.
pub(crate) fn customer_meant(body: MaybeJson) -> Result<Option<CustomerId>, Problem> {
    let wrong = |pointer: String, code: &str, detail: &str| -> Problem {
        Refusal::invalid(vec![Wrong::new(pointer, code, detail)]).into()
    };
    let members = match body.0 {
        None | Some(Json::Null) => return Ok(None),
        Some(Json::Object(members)) => members,
        Some(_) => return Err(wrong(String::new(), "invalid_type", "the body has to be a JSON object")),
    };
    if let Some(name) = members.keys().find(|name| *name != CUSTOMER) {
        let detail = "is not known; did you mean `customer_id`?";
        return Err(wrong(format!("/{}", escape(name)), "unknown_field", detail));
    }
    match members.get(CUSTOMER) {
        None | Some(Json::Null) => Ok(None),
        Some(id) => match id.as_str().and_then(|id| id.parse().ok()) {
            Some(id) => Ok(Some(id)),
            None => Err(wrong(
                format!("/{CUSTOMER}"),
                "invalid_id",
                "has to be a customer's id, `cus_…`",
            )),
        },
    }
}
