//! `POST /v1/connections/{merchant}/{name}/resume`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, post};

use upsert_api::Connection;

use crate::http::access::{Access, WriteOperations};
use crate::http::merchant_id;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::reply;
use crate::state::State;

/// Lifts a pause, whoever made it; what waits is due at once.
///
/// Scope: `ops:write`.
#[utoipa::path(
    tag = "operations",
    params(
        ("merchant" = String, Path, description = "The merchant's id"),
        ("name" = String, Path, description = "The connection's name"),
        ("Merchant-Id" = Option<String>, Header, description = "Has to be the path's merchant, if given"),
    ),
    responses(
        (status = 200, description = "The connection as it is now", body = Connection),
        (status = 404, description = "`not_found`"),
    ),
)]
#[post("/v1/connections/{merchant}/{name}/resume")]
pub(crate) async fn resume_connection(
    caller: Access<WriteOperations>,
    path: Path<(String, String)>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let (merchant, name) = path.into_inner();
    let merchant = merchant_id::in_path(&caller, request.headers(), &merchant, "connection")?;
    let connection = state
        .gateway
        .operations
        .resume(&merchant, &name, &caller.key.name)
        .await?;
    Ok(reply::json(&connection))
}
