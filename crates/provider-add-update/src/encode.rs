//! From a customer to `POST /customers/add-update`.

use serde_json::Value as Json;

use upsert_core::{Field, Intent, KeyKind, MatchKey, PreparedUpsert, Repeat, UpsertRequest, Value, Violation};
use upsert_provider_kit::{EncodeRules, encode as encode_by_table, post, violation};

use crate::AddUpdate;
use crate::capabilities::EXTERNAL_ID;

pub(crate) const PATH: &str = "/customers/add-update";

/// Words the request. It may always be repeated: the vendor looks up by `externalId`, which is always sent `[S3]`.
pub(crate) fn encode(vendor: &AddUpdate, request: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>> {
    let Some(form) = vendor.capabilities.form(request.customer.kind()) else {
        let detail = format!("{} knows persons only", vendor.capabilities.title);
        return Err(vec![violation(Field::Kind, "unsupported_kind", detail)]);
    };
    let rules = EncodeRules {
        title: vendor.capabilities.title,
        form,
        clear_with: vendor.settings.clear_with,
        silent: &[Field::Kind],
        always: &[EXTERNAL_ID],
        merges_tags: false,
        translate: &translate,
    };
    // The key is never cleared: without a reference it is the gateway's id.
    let mut cleared = request.cleared.clone();
    cleared.remove(&Field::Reference);
    let mut encoded = encode_by_table(
        &rules,
        &UpsertRequest {
            cleared: &cleared,
            ..*request
        },
    );
    if !encoded.violations.is_empty() {
        return Err(encoded.violations);
    }
    let external_id = external_id(request);
    encoded.pin(EXTERNAL_ID, Field::Reference.pointer(), external_id.as_str());
    let key = MatchKey::new(KeyKind::Reference, external_id.clone());
    let is_known = request.link.is_some_and(|link| *link.key == key);
    Ok(PreparedUpsert {
        request: post(PATH, encoded.body),
        sent: encoded.sent,
        match_key: Some(key.clone()),
        matches_by: vec![key.clone()],
        known_by: vec![key.clone()],
        link_key: key,
        expected_id: Some(external_id),
        intent: if is_known { Intent::Update } else { Intent::Upsert },
        repeat: Repeat::Safe,
        warnings: encoded.warnings,
    })
}

/// The id that the vendor gets: the merchant's reference, else the gateway's id of the customer. A record that was made
/// with the gateway's id goes on under it when a reference comes later: another id would make a second record. So does
/// one that was there under an id of somebody else's.
fn external_id(request: &UpsertRequest<'_>) -> String {
    if let Some(link) = request.link.filter(|link| link.adopted) {
        return link.key.value.clone();
    }
    let own = request.customer_id.to_string();
    let made_with_own = request.link.is_some_and(|link| link.key.value == own);
    match request.customer.reference() {
        Some(reference) if !made_with_own => reference.to_owned(),
        _ => own,
    }
}

/// `status` is `active` there, true or false `[S3]`; all other values are as ours.
fn translate(field: Field, value: &Value) -> Json {
    match (field, value) {
        (Field::Status, Value::Text(status)) => Json::Bool(status == "active"),
        _ => value.to_json(),
    }
}
