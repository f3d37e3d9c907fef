//! The keys that seal what is stored: `/v1/encryption`.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};

use upsert_api::{AuditAction, KeysRotated};
use upsert_app::{Act, Refusal};
use upsert_core::Problem as Wrong;

use crate::config::rotation;
use crate::http::access::{Access, AdministerAll};
use crate::http::body::NoBody;
use crate::http::problem::Problem;
use crate::http::query::NoQuery;
use crate::routes::reply;
use crate::state::State;

/// Wraps every data key with the first of `store.encryption_keys`, and seals the credentials of merchants in the store with it.
/// It is done when this answers, but for what `merchants_left` names; afterwards the other keys may go, but for those that
/// `audit_keys` names. It is done every few seconds anyway.
///
/// Scope: `admin`, for every merchant (`*`).
#[utoipa::path(
    tag = "process",
    responses(
        (status = 200, description = "What was done", body = KeysRotated),
        (status = 422, description = "`validation_failed`: no key is configured"),
    ),
)]
#[post("/v1/encryption/rotate")]
pub(crate) async fn rotate_keys(
    caller: Access<AdministerAll>,
    _: NoBody,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    Ok(reply::json(
        &rotated(&state, &caller.key.name, AuditAction::KeysRotate).await?,
    ))
}

/// The same, and makes a new data key for each merchant that has one: what is written within a minute is sealed with it, and
/// what was written before opens as ever.
///
/// Scope: `admin`, for every merchant (`*`).
#[utoipa::path(
    tag = "process",
    responses(
        (status = 200, description = "What was done", body = KeysRotated),
        (status = 422, description = "`validation_failed`: no key is configured"),
    ),
)]
#[post("/v1/encryption/renew")]
pub(crate) async fn renew_data_keys(
    caller: Access<AdministerAll>,
    _: NoBody,
    _: NoQuery,
    state: Data<State>,
) -> Result<HttpResponse, Problem> {
    let rotated = rotated(&state, &caller.key.name, AuditAction::KeysRenew).await?;
    let new_data_keys = rotation::renew(&state.gateway).await.map_err(Refusal::from)?;
    Ok(reply::json(&KeysRotated {
        new_data_keys,
        ..rotated
    }))
}

/// It is written down before it is done, as asked for.
async fn rotated(state: &State, by: &str, action: AuditAction) -> Result<KeysRotated, Problem> {
    if let Some(key) = state.merchant_builder.seals_with() {
        let act = Act::new(by, action, "encryption").with("key", key);
        state.gateway.audit.record(&[act]).await.map_err(Refusal::from)?;
    }
    let rotated = rotation::rotate(&state.gateway, &state.merchant_builder).await;
    let rotated = rotated.map_err(Refusal::from)?;
    let none = || Wrong::new("", "no_encryption_key", "`store.encryption_keys` is empty");
    let rotated = rotated.ok_or_else(|| Refusal::invalid(vec![none()]))?;
    let audit_keys = state.audit_keys.but(&rotated.key, &state.gateway).await;
    Ok(KeysRotated {
        audit_keys: audit_keys.map_err(Refusal::from)?,
        ..rotated
    })
}
