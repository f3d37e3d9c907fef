//! The process: `/livez`, `/readyz`, `/metrics`, `/openapi.json`.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{self, Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, Resource, get};
use tokio::time::timeout;

use upsert_api::{Alive, LastReading, ProblemCode, Ready, ReadyConfiguration};
use upsert_app::{Gateway, Refusal};
use upsert_store::StoreError;

use crate::config::rotation::word;
use crate::config::stored_merchants::MerchantBuilder;
use crate::http::metrics::recorder;
use crate::http::middleware::shutting_down;
use crate::http::mount;
use crate::http::problem::Problem;
use crate::lifecycle::Phase;
use crate::state::State;
use crate::telemetry::gauges;

/// The process lives.
///
/// No key. It says nothing of what the process can do: that is what `/readyz` is for.
#[utoipa::path(
    tag = "process",
    responses((status = 200, description = "It does", body = Alive)),
)]
#[get("/livez")]
pub(crate) async fn check_liveness() -> HttpResponse {
    let status = "alive".to_owned();
    HttpResponse::Ok().json(Alive { status })
}

/// A store that answers later than this is as good as away.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether requests are welcome.
///
/// No key. Configuration loaded, store reachable, migrations done. Vendors have no say in it.
#[utoipa::path(
    tag = "process",
    responses(
        (status = 200, description = "They are", body = Ready),
        (status = 503, description = "`shutting_down`, or the store cannot be reached or written (as where its disk is full), or what is sealed there cannot be opened (`overloaded`)"),
    ),
)]
#[get("/readyz")]
pub(crate) async fn check_readiness(state: Data<State>) -> Result<HttpResponse, Problem> {
    if state.lifecycle.phase() != Phase::Serving {
        return Err(shutting_down().into());
    }
    let (gateway, merchants) = (state.gateway.clone(), state.merchant_builder.clone());
    state.readiness.ask(checked(gateway, merchants)).await?;
    let store = state.gateway.store();
    let has_key = state.merchant_builder.seals_with().is_some();
    let served = state.served.load();
    Ok(HttpResponse::Ok().json(Ready {
        status: "ready".to_owned(),
        configuration: ReadyConfiguration {
            generation: served.generation,
            merchants: served.directory.in_files(),
            last_reading: if served.is_stale {
                LastReading::Refused
            } else {
                LastReading::TakenOver
            },
        },
        store: "reachable".to_owned(),
        // The store is opened only with its schema up to date.
        migrations: "done".to_owned(),
        encryption: word(store.encryption(), has_key),
    }))
}

/// Whether the store can be used: it writes a row, and what is sealed in it can be opened.
async fn checked(gateway: Gateway, merchants: Arc<MerchantBuilder>) -> Result<(), Refusal> {
    let store = gateway.store();
    let trouble = match timeout(PATIENCE, store.check()).await {
        Ok(Ok(())) => None,
        // A file is there; a database that is not says the same as one that cannot write.
        Ok(Err(StoreError::Unavailable(_))) if !store.is_shared() => {
            Some("the store cannot write: its disk is full, or has failed")
        }
        _ => Some("the store cannot be reached"),
    };
    if let Some(trouble) = trouble {
        return Err(Refusal::new(ProblemCode::Overloaded, trouble).retry_after(1));
    }
    let mut keys = store.sealing_keys().await.map_err(Refusal::from)?;
    keys.extend(store.wrapping_keys().await.map_err(Refusal::from)?);
    if let Some(id) = merchants.missing_key(&keys) {
        let detail = format!("what is stored is sealed with the key `{id}`, which is not configured");
        return Err(Refusal::new(ProblemCode::Overloaded, detail).retry_after(5));
    }
    if !store.can_open().await.map_err(Refusal::from)? {
        let detail = "what is stored cannot be opened: a key has another value than it had";
        return Err(Refusal::new(ProblemCode::Overloaded, detail).retry_after(5));
    }
    Ok(())
}

/// Metrics in the text format of Prometheus.
///
/// No key. Not here if they have an address of their own.
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
pub(crate) fn metrics_apart() -> Resource {
    web::resource("/metrics").route(web::get().to(async |state: Data<State>| rendered(&state).await))
}

async fn rendered(state: &Data<State>) -> HttpResponse {
    let gauges = gauges::page(state.gateway.clone(), Arc::downgrade(state));
    let page = state.metrics.ask(async {
        let gauges = gauges.await;
        Bytes::from(recorder().render() + &gauges)
    });
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(page.await)
}

/// This document.
///
/// No key. `servers` says under which path whoever asks sees the gateway.
#[utoipa::path(
    tag = "process",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)),
)]
#[get("/openapi.json")]
pub(crate) async fn get_openapi(request: HttpRequest, state: Data<State>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(header::ContentType::json())
        .body(state.documented.json_at(&mount::of(&request)))
}
