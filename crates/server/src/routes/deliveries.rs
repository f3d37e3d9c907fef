//! Deliveries, and what operators do with them: `/v1/deliveries`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use serde_json::Value as Json;

use upsert_api::{
    DeliveriesDone, DeliveryFilter, DeliverySelection, ListedDelivery, Page, PageQuery, ReplayOf, UpsertAnswer,
    WholeDelivery,
};
use upsert_app::Refusal;
use upsert_core::customer::escape;
use upsert_core::{CustomerId, DeliveryId, Problem as Wrong};

use crate::http::access::{ReadOperations, WriteOperations};
use crate::http::body::{JsonBody, MaybeJson, NoBody};
use crate::http::merchant_id::InSight;
use crate::http::prefer::Preferences;
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, read_list};
use crate::routes::reply;
use crate::state::State;

/// Deliveries that the key may see, newest first.
///
/// Scope: `ops:read`. Without `customers:read` as well, what it says of the customer and the vendor's words are covered. Where few of very many match, a page may have fewer entries than it could, or none: the list has
/// ended only where `next_cursor` is null.
#[utoipa::path(
    tag = "deliveries",
    params(InSight<ReadOperations>, DeliveryFilter, PageQuery),
    responses((status = 200, description = "A page", body = Page<ListedDelivery>)),
)]
#[get("/v1/deliveries")]
pub(crate) async fn list_deliveries(
    caller: InSight<ReadOperations>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let (mut filter, page) = read_list::<DeliveryFilter>(&request)?;
    filter.merchants.clone_from(&caller.merchants);
    let found = state
        .gateway
        .queries
        .list_deliveries(&filter, &page, caller.visibility())
        .await?;
    Ok(reply::json(&found))
}

/// One delivery with its attempts.
///
/// Scope: `ops:read`. Without `customers:read` as well, what was sent is shown without its values, and the vendor's words are covered.
#[utoipa::path(
    tag = "deliveries",
    params(
        ("id" = String, Path, description = "`dlv_…`"),
        InSight<ReadOperations>,
    ),
    responses(
        (status = 200, description = "As it stands", body = WholeDelivery),
        (status = 404, description = "`not_found`"),
    ),
)]
#[get("/v1/deliveries/{id}")]
pub(crate) async fn get_delivery(
    caller: InSight<ReadOperations>,
    id: Path<String>,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let shown = state
        .gateway
        .queries
        .get_delivery(caller.merchants.as_ref(), delivery_id(&id)?, caller.visibility())
        .await?;
    Ok(reply::json(&shown))
}

/// Sends the customer's current state in the place of a delivery that has failed.
///
/// Scope: `ops:write`. It is a new upsert with one delivery; the failed one is `superseded` by it.
/// Without `customers:read` as well, what says who the customer is stands there as `•••`, a yes or no as null.
#[utoipa::path(
    tag = "deliveries",
    params(
        ("id" = String, Path, description = "`dlv_…`"),
        InSight<WriteOperations>,
    ),
    request_body(content = Option<ReplayOf>, content_type = "application/json", description = "May be absent"),
    responses(
        (status = 202, description = "Durable", body = UpsertAnswer,
            headers(("Location" = String, description = "The upsert: how it stands"), ("Retry-After" = u64, description = "Seconds"))),
        (status = 404, description = "`not_found`: no such delivery, or its customer is gone"),
        (status = 409, description = "`match_key_collision` or `business_key_change`"),
        (status = 422, description = "`validation_failed`: it has not failed, it is another customer's than `customer_id` says, its connection is not configured any more, or the vendor asks for something that is not there"),
    ),
)]
#[post("/v1/deliveries/{id}/replay")]
pub(crate) async fn replay_delivery(
    caller: InSight<WriteOperations>,
    id: Path<String>,
    body: MaybeJson,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let id = delivery_id(&id)?;
    let of = customer_meant(body)?;
    let answer = state
        .gateway
        .operations
        .replay_delivery(&caller.caller(), caller.merchants.as_ref(), id, of, caller.visibility())
        .await?;
    Ok(reply::answer(answer, Preferences::default()))
}

/// Gives a delivery up that has failed or waits.
///
/// Scope: `ops:write`. What it would have brought is not wanted at this connection until it changes again.
#[utoipa::path(
    tag = "deliveries",
    params(
        ("id" = String, Path, description = "`dlv_…`"),
        InSight<WriteOperations>,
    ),
    responses(
        (status = 200, description = "The delivery as it is now", body = ListedDelivery),
        (status = 404, description = "`not_found`"),
        (status = 422, description = "`validation_failed`: it has ended otherwise"),
        (status = 503, description = "`overloaded`: a delivery of this customer is in flight there"),
    ),
)]
#[post("/v1/deliveries/{id}/discard")]
pub(crate) async fn discard_delivery(
    caller: InSight<WriteOperations>,
    id: Path<String>,
    _: NoBody,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let id = delivery_id(&id)?;
    let delivery = state
        .gateway
        .operations
        .discard_delivery(&caller.caller(), caller.merchants.as_ref(), id, caller.visibility())
        .await?;
    Ok(reply::json(&delivery))
}

/// Replays all deliveries that have failed and match; several of one customer at one connection become one call.
///
/// Scope: `ops:write`.
#[utoipa::path(
    tag = "deliveries",
    params(InSight<WriteOperations>),
    request_body(content = DeliverySelection, content_type = "application/json"),
    responses(
        (status = 202, description = "What became of them", body = DeliveriesDone),
        (status = 422, description = "`validation_failed`"),
    ),
)]
#[post("/v1/deliveries/replay")]
pub(crate) async fn replay_deliveries(
    caller: InSight<WriteOperations>,
    body: JsonBody,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let selection = selected(&caller, &body.0)?;
    let in_force = caller.in_force(&state);
    let operations = &state.gateway.operations;
    let done = operations
        .replay_matching(&caller.caller(), selection, caller.visibility(), &|| {
            in_force.still_may()
        })
        .await?;
    Ok(reply::accepted(&done))
}

/// Discards all deliveries that match: those that have failed, unless `state` says otherwise.
///
/// Scope: `ops:write`. At least one filter has to be named.
#[utoipa::path(
    tag = "deliveries",
    params(InSight<WriteOperations>),
    request_body(content = DeliverySelection, content_type = "application/json"),
    responses(
        (status = 202, description = "What became of them", body = DeliveriesDone),
        (status = 422, description = "`validation_failed`"),
    ),
)]
#[post("/v1/deliveries/discard")]
pub(crate) async fn discard_deliveries(
    caller: InSight<WriteOperations>,
    body: JsonBody,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let selection = selected(&caller, &body.0)?;
    let in_force = caller.in_force(&state);
    let operations = &state.gateway.operations;
    let done = operations
        .discard_matching(&caller.caller(), selection, caller.visibility(), &|| {
            in_force.still_may()
        })
        .await?;
    Ok(reply::accepted(&done))
}

fn selected(caller: &InSight<WriteOperations>, body: &Json) -> Result<DeliverySelection, Problem> {
    let mut selection = DeliverySelection::read(body).map_err(Refusal::invalid)?;
    selection.filter.merchants.clone_from(&caller.merchants);
    Ok(selection)
}

/// What is no id finds nothing.
fn delivery_id(text: &str) -> Result<DeliveryId, Problem> {
    Ok(text.parse().map_err(|_| Refusal::not_found("delivery"))?)
}

const CUSTOMER: &str = "customer_id";

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
