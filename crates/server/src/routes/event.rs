//! `GET /v1/events/{direction}/{id}`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};

use upsert_api::{Direction, WholeEvent};

use crate::http::access::{Access, ReadOperations};
use crate::http::merchant_id;
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::events::{direction, event_id};
use crate::routes::reply;
use crate::state::State;

/// One event, with what it says as long as that is kept: `raw` of a dead letter that came in, `body` of one that has not
/// reached its endpoint.
///
/// Scope: `ops:read`. Without `customers:read` as well, what it says is shown without its values.
#[utoipa::path(
    tag = "webhooks",
    params(
        ("direction" = String, Path, description = "`in` or `out`"),
        ("id" = String, Path, description = "`evt_…`"),
        ("Merchant-Id" = Option<String>, Header, description = "Only this merchant's"),
    ),
    responses(
        (status = 200, description = "As it stands", body = WholeEvent),
        (status = 404, description = "`not_found`"),
    ),
)]
#[get("/v1/events/{direction}/{id}")]
pub(crate) async fn get_event(
    caller: Access<ReadOperations>,
    path: Path<(String, String)>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    let merchants = merchant_id::in_sight(&caller, request.headers())?;
    let (id, visibility) = (event_id(&path.1)?, caller.visibility());
    let (queries, merchants) = (&state.gateway.queries, merchants.as_ref());
    Ok(match direction(&path.0)? {
        Direction::In => reply::json(&queries.get_incoming(merchants, id, visibility).await?),
        Direction::Out => reply::json(&queries.get_outgoing(merchants, id, visibility).await?),
    })
}
