//! `GET /v1/providers`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};

use upsert_api::{Page, Provider};
use upsert_provider_kit::{ProviderDescription, Registry};

use crate::http::access::{Access, AnyKey};
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::routes::reply;
use crate::state::State;

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
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    Ok(reply::json(&state.providers))
}

/// The whole answer; nothing changes it while the process lives.
pub(crate) fn document(registry: &Registry) -> Page<Provider> {
    let providers = registry.describe();
    let shown = |one: &ProviderDescription| Provider::of(one.kind, one.default_base_url, &one.capabilities);
    Page::whole(providers.map(shown).collect())
}
