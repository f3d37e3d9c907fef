//! `GET /v1/providers`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use serde_json::{Value as Json, json};

use upsert_core::Form;
use upsert_provider_kit::{ProviderDescription, Registry};

use crate::http::access::{Access, AnyKey};
use crate::http::problem::Problem;
use crate::http::query::no_query;
use crate::http::schema;
use crate::routes::reply;
use crate::state::State;

/// What each provider can do: fields, required fields, match keys in order.
///
/// Any key. It is made by the adapters' own code, under their default settings.
#[utoipa::path(
    tag = "operations",
    responses((status = 200, description = "All providers", body = schema::ProviderPage)),
)]
#[get("/v1/providers")]
pub(crate) async fn providers(
    _caller: Access<AnyKey>,
    request: HttpRequest,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    no_query(&request)?;
    Ok(reply::json_reply(&state.providers))
}

/// The whole answer; nothing changes it while the process lives.
pub(crate) fn document(registry: &Registry) -> Json {
    let data: Vec<Json> = registry.describe().map(described).collect();
    json!({ "data": data, "next_cursor": null })
}

fn described(provider: &ProviderDescription) -> Json {
    let can = &provider.capabilities;
    json!({
        "name": provider.kind,
        "title": can.title,
        "docs_url": can.docs_url,
        "default_base_url": provider.default_base_url,
        "forms": can.forms.iter().map(form).collect::<Vec<_>>(),
        "tells_created_from_updated": can.tells_created_from_updated,
        "can_clear": can.can_clear,
        "merges_tags": can.merges_tags,
        "updates_by_id": can.updates_by_id,
        "can_read": can.can_read,
        "default_payload": can.default_payload,
        "credentials": can.credentials,
        "protected": can.protected,
        "known_daily_limit": can.known_daily_limit,
    })
}

fn form(form: &Form) -> Json {
    let required = form.fields.iter().filter(|field| field.required);
    json!({
        "kinds": form.kinds,
        "fields": form.fields,
        "required_fields": required.map(|field| field.field.pointer()).collect::<Vec<_>>(),
        "match_keys": form.match_keys,
    })
}
