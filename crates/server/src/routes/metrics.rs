//! `GET /metrics`.

use actix_web::web::{self, Data};
use actix_web::{HttpResponse, Resource, get};

use upsert_app::Refusal;

use crate::http::problem::Problem;
use crate::state::State;
use crate::telemetry::gauges;

/// Metrics in the text format of Prometheus. Not here if they have an address of their own.
#[utoipa::path(
    tag = "process",
    responses(
        (status = 200, description = "All metrics", body = String, content_type = "text/plain"),
        (status = 404, description = "`not_found`: they have an address of their own"),
    ),
)]
#[get("/metrics")]
pub(crate) async fn get_metrics(state: Data<State>) -> Result<HttpResponse, Problem> {
    if state.metrics_apart {
        return Err(Refusal::not_found("page").into());
    }
    Ok(rendered(&state).await)
}

/// The same on an address of its own.
pub(crate) fn apart() -> Resource {
    web::resource("/metrics").route(web::get().to(async |state: Data<State>| rendered(&state).await))
}

async fn rendered(state: &State) -> HttpResponse {
    let gauges = gauges::page(state).await;
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(crate::http::metrics::recorder().render() + &gauges)
}
