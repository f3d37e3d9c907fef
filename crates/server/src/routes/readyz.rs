//! `GET /readyz`.

use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use tokio::time::timeout;

use upsert_api::{ProblemCode, Ready, ReadyConfiguration};
use upsert_app::Refusal;

use crate::http::middleware::shutting_down;
use crate::http::problem::Problem;
use crate::lifecycle::Phase;
use crate::state::State;

/// A store that answers later than this is as good as away.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether requests are welcome: configuration loaded, store reachable, migrations done. Vendors have no say in it.
#[utoipa::path(
    tag = "process",
    responses(
        (status = 200, description = "They are", body = Ready),
        (status = 503, description = "`shutting_down`, or the store cannot be reached (`overloaded`)"),
    ),
)]
#[get("/readyz")]
pub(crate) async fn check_readiness(state: Data<State>) -> Result<HttpResponse, Problem> {
    if state.lifecycle.phase() != Phase::Serving {
        return Err(shutting_down().into());
    }
    let checked = timeout(PATIENCE, state.gateway.store().check()).await;
    if !matches!(checked, Ok(Ok(()))) {
        let refusal = Refusal::new(ProblemCode::Overloaded, "the store cannot be reached").retry_after(1);
        return Err(refusal.into());
    }
    let served = state.served.load();
    Ok(HttpResponse::Ok().json(Ready {
        status: "ready".to_owned(),
        configuration: ReadyConfiguration {
            generation: served.generation,
            merchants: served.directory.iter().count(),
            last_reading: if served.is_stale { "refused" } else { "taken_over" }.to_owned(),
        },
        store: "reachable".to_owned(),
        // The store is opened only with its schema up to date.
        migrations: "done".to_owned(),
        encryption: "off".to_owned(),
    }))
}
