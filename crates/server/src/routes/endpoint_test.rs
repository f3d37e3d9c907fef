//! `POST /v1/endpoints/{merchant}/{name}/test`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, post};

use upsert_api::EndpointTest;

use crate::http::access::{Access, WriteOperations};
use crate::http::merchant_id;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::reply;
use crate::state::State;

/// Sends an event of type `gateway.test` to an endpoint, once and now, signed like any other; nothing of it is stored.
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
        (status = 200, description = "What the endpoint answered", body = EndpointTest),
        (status = 404, description = "`not_found`"),
    ),
)]
#[post("/v1/endpoints/{merchant}/{name}/test")]
pub(crate) async fn test_endpoint(
    caller: Access<WriteOperations>,
    path: Path<(String, String)>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let (merchant, name) = path.into_inner();
    let merchant = merchant_id::in_path(&caller, request.headers(), &merchant, "endpoint")?;
    let shown = state.gateway.operations.test_endpoint(&merchant, &name).await?;
    Ok(reply::json(&shown))
}
