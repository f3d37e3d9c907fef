//! `GET /v1/connections/{merchant}/{name}/failures`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};

use upsert_api::CausePage;

use crate::http::access::{Access, ReadOperations};
use crate::http::merchant_id;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::reply;
use crate::state::State;

/// What the newest 1,000 deliveries of a connection failed of that have failed, are tried again or wait after an error,
/// by the error's kind and code.
///
/// Scope: `ops:read`. Without `customers:read` as well, the vendor's words are covered.
#[utoipa::path(
    tag = "operations",
    params(
        ("merchant" = String, Path, description = "The merchant's id"),
        ("name" = String, Path, description = "The connection's name"),
        ("Merchant-Id" = Option<String>, Header, description = "Has to be the path's merchant, if given"),
    ),
    responses(
        (status = 200, description = "The most frequent cause first", body = CausePage),
        (status = 404, description = "`not_found`"),
    ),
)]
#[get("/v1/connections/{merchant}/{name}/failures")]
pub(crate) async fn list_failures(
    caller: Access<ReadOperations>,
    path: Path<(String, String)>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let (merchant, name) = path.into_inner();
    let merchant = merchant_id::in_path(&caller, request.headers(), &merchant, "connection")?;
    let data = state
        .gateway
        .queries
        .failures_by_cause(&merchant, &name, caller.visibility())
        .await?;
    Ok(reply::json(&CausePage { data }))
}
