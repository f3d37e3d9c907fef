//! `GET /v1/attention`, `/v1/configuration`, `/v1/providers`.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};

use upsert_api::{AttentionPage, Configuration, Page, Provider};
use upsert_provider_kit::{ProviderDescription, Registry};

use crate::http::access::{Access, AnyKey, ReadOperations};
use crate::http::merchant_id::InSight;
use crate::http::problem::Problem;
use crate::http::query::NoQuery;
use crate::routes::reply;
use crate::state::State;

/// What needs somebody, the worst first: one entry a connection, endpoint or source, and the gateway's own.
///
/// What costs most stands first: what waits times the age of the oldest of it, then what was given up. The gateway's own
/// stands before all.
///
/// Scope: `ops:read`. That the last reading of the configuration was refused is told to every key.
#[utoipa::path(
    tag = "operations",
    params(InSight<ReadOperations>),
    responses((status = 200, description = "The worst first", body = AttentionPage)),
)]
#[get("/v1/attention")]
pub(crate) async fn list_attention(
    caller: InSight<ReadOperations>,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let refused = state.history.refused();
    let data = state
        .gateway
        .queries
        .attention(|merchant| caller.covers(merchant), refused)
        .await?;
    Ok(reply::json(&AttentionPage { data }))
}

/// The configuration in force: since when, what each generation since the start changed, and why the last reading of the
/// files was refused, if it was. Secrets are shown as where they are kept.
///
/// Scope: `ops:read`. What is the gateway's own (`server`, `store`, `api_keys`, `telemetry`) is told to keys for all merchants alone.
#[utoipa::path(
    tag = "operations",
    params(InSight<ReadOperations>),
    responses((status = 200, description = "The configuration", body = Configuration)),
)]
#[get("/v1/configuration")]
pub(crate) async fn get_configuration(
    caller: InSight<ReadOperations>,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let id = caller.only.as_ref().map(|merchant| merchant.id.as_str());
    Ok(reply::json(&state.history.shown(caller.merchants.as_ref(), id)))
}

/// What each provider can do: fields, required fields, match keys in order.
///
/// Any key. It is made by the adapters' own code, under their default settings.
#[utoipa::path(
    tag = "operations",
    responses((status = 200, description = "All providers", body = Page<Provider>)),
)]
#[get("/v1/providers")]
pub(crate) async fn list_providers(
    _caller: Access<AnyKey>,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    Ok(reply::json(&state.providers))
}

/// The whole answer; nothing changes it while the process lives.
pub(crate) fn providers(registry: &Registry) -> Page<Provider> {
    let providers = registry.describe();
    let shown = |one: &ProviderDescription| Provider::of(one.kind, one.default_base_url, &one.capabilities);
    Page::whole(providers.map(shown).collect())
}
