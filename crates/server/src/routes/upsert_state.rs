//! `GET /v1/upserts/{id}`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};

use upsert_api::UpsertAnswer;
use upsert_app::Refusal;
use upsert_core::UpsertId;

use crate::http::access::ReadCustomers;
use crate::http::merchant_id::ForMerchant;
use crate::http::prefer::Preferences;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::reply;
use crate::state::State;

/// How an upsert stands; 200 for failed ones too.
///
/// Scope: `customers:read`.
#[utoipa::path(
    tag = "upserts",
    params(
        ("id" = String, Path, description = "`ups_…`"),
        ("Merchant-Id" = Option<String>, Header, description = "Whose; required unless the key lists exactly one merchant"),
    ),
    responses(
        (status = 200, description = "As it stands", body = UpsertAnswer),
        (status = 404, description = "`not_found`"),
    ),
)]
#[get("/v1/upserts/{id}")]
pub(crate) async fn get_upsert(
    caller: ForMerchant<ReadCustomers>,
    id: Path<String>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let id: UpsertId = id.parse().map_err(|_| Refusal::not_found("upsert"))?;
    let answer = state.gateway.queries.get_upsert(&caller.merchant, id).await?;
    Ok(reply::answer(answer, Preferences::default()))
}
