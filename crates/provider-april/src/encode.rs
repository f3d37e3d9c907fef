//! From a customer to `POST /customers`.

use std::collections::BTreeSet;

use serde_json::json;

use upsert_core::{
    Customer, Field, Form, Intent, KeyKind, Kind, MatchKey, PreparedUpsert, Repeat, UpsertRequest, Value, Violation,
};
use upsert_provider_kit::{EncodeRules, Encoded, encode as encode_by_table, post, violation};

use crate::April;
use crate::capabilities::{EMAIL, METADATA, REFERENCE};

pub(crate) const PATH: &str = "/customers";
/// A person's wrapper `[D]`.
const PERSON_WRAPPER: &str = "UpsertConsumerCustomer";

/// Words the request. It may always be repeated: the business key is always in it, and repeating makes no second
/// record `[D]`.
pub(crate) fn encode(vendor: &April, request: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>> {
    let kind = request.customer.kind();
    let Some(form) = vendor.capabilities.form(kind) else {
        let detail = format!("{} knows no such kind", vendor.capabilities.title);
        return Err(vec![violation(Field::Kind, "unsupported_kind", detail)]);
    };
    let mut encoded = match with_default_verified(vendor, request) {
        None => by_table(vendor, form, request),
        Some((customer, cleared)) => {
            let with_default = UpsertRequest {
                customer: &customer,
                cleared: &cleared,
                ..*request
            };
            by_table(vendor, form, &with_default)
        }
    };
    let (key, vendor_field) = match kind {
        Kind::Person => (key(request, KeyKind::Email, Field::Email), EMAIL),
        Kind::Organisation => (key(request, KeyKind::Reference, Field::Reference), REFERENCE),
    };
    let Some(key) = key.filter(|_| encoded.violations.is_empty()) else {
        return Err(encoded.violations);
    };
    // Whatever was passed through, the key is the one that the plan names.
    encoded.pin(vendor_field, key.kind.pointer(), key.value.as_str());
    let link = request.link.filter(|link| *link.key == key);
    let wrapper = match kind {
        Kind::Person => PERSON_WRAPPER,
        Kind::Organisation => vendor.settings.organisation_wrapper.as_str(),
    };
    Ok(PreparedUpsert {
        request: post(PATH, json!({ wrapper: encoded.body })),
        sent: encoded.sent,
        match_key: Some(key.clone()),
        matches_by: vec![key.clone()],
        known_by: vec![key.clone()],
        link_key: key,
        // Another key makes another record, so its id is not known yet.
        expected_id: link.map(|link| link.provider_customer_id.to_owned()),
        intent: link.map_or(Intent::Upsert, |_| Intent::Update),
        repeat: Repeat::Safe,
        warnings: encoded.warnings,
    })
}

fn by_table(vendor: &April, form: &Form, request: &UpsertRequest<'_>) -> Encoded {
    let rules = EncodeRules {
        title: vendor.capabilities.title,
        form,
        clear_with: vendor.settings.clear_with,
        // The wrapper says it.
        silent: &[Field::Kind],
        always: &[EMAIL, REFERENCE, METADATA],
        merges_tags: false,
        translate: &|_, value| value.to_json(),
    };
    encode_by_table(&rules, request)
}

/// The customer with `settings.default_verified`, where that is set and nobody has set `verified`. A `verified` that was
/// taken back is then not cleared but falls back to the default.
fn with_default_verified(vendor: &April, request: &UpsertRequest<'_>) -> Option<(Customer, BTreeSet<Field>)> {
    let default = vendor.settings.default_verified?;
    if request.customer.get(Field::Verified).is_some() {
        return None;
    }
    let mut customer = request.customer.clone();
    customer.set(Field::Verified, Value::Flag(default));
    let mut cleared = request.cleared.clone();
    cleared.remove(&Field::Verified);
    Some((customer, cleared))
}

fn key(request: &UpsertRequest<'_>, kind: KeyKind, field: Field) -> Option<MatchKey> {
    request.customer.text(field).map(|value| MatchKey::new(kind, value))
}
