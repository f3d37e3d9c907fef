//! `POST /v1/endpoints/{merchant}/{name}/enable`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, post};

use upsert_api::Endpoint;

use crate::http::access::{Access, WriteOperations};
use crate::http::merchant_id;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::reply;
use crate::state::State;

/// Has events go to an endpoint again that was disabled by its answer 410. What became a dead letter meanwhile is brought by
/// a replay.
///
/// Scope: `ops:write`.
#[utoipa::path(
    tag = "webhooks",
    params(
        ("merchant" = String, Path, description = "The merchant's id"),
        ("name" = String, Path, description = "The endpoint's name, as `GET /v1/webhooks` shows it"),
        ("Merchant-Id" = Option<String>, Header, description = "Has to be the path's merchant, if given"),
    ),
    responses(
        (status = 200, description = "The endpoint as it is now", body = Endpoint),
        (status = 404, description = "`not_found`"),
    ),
)]
#[post("/v1/endpoints/{merchant}/{name}/enable")]
pub(crate) async fn enable_endpoint(
    caller: Access<WriteOperations>,
    path: Path<(String, String)>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let (merchant, name) = path.into_inner();
    let merchant = merchant_id::in_path(&caller, request.headers(), &merchant, "endpoint")?;
    let shown = state
        .gateway
        .operations
        .enable_endpoint(&merchant, &name, &caller.key.name)
        .await?;
    Ok(reply::json(&shown))
}
