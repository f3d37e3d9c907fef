//! From the canonical customer to `POST /customers`.

use serde_json::Value as Json;

use upsert_core::phone::national_phone;
use upsert_core::{
    Customer, Field, Intent, KeyKind, MatchKey, PreparedUpsert, Repeat, UpsertRequest, Value, Violation,
};
use upsert_provider_kit::{EncodeRules, encode as encode_by_table, post, violation};

use crate::settings::PhoneFormat;
use crate::{Rotor, TITLE};

/// The link store joins by Rotor's id, and `company_name` implies the kind: losing these two is no news.
const SILENT: [Field; 2] = [Field::Reference, Field::Kind];

/// What Rotor matches by where it is given no id, in its order `[S0]`.
const MATCHED_FIELDS: [(Field, KeyKind); 2] = [(Field::Phone, KeyKind::Phone), (Field::Email, KeyKind::Email)];

/// Where every write goes.
pub(crate) const PATH: &str = "/customers";

pub(crate) fn encode(rotor: &Rotor, request: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>> {
    let format = rotor.settings.phone_format;
    let id = request.link.map(|link| link.provider_customer_id);
    let encoded = encode_by_table(
        &EncodeRules {
            title: TITLE,
            form: &rotor.form,
            clear_with: rotor.settings.clear_with,
            silent: &SILENT,
            always: if id.is_some() { &[] } else { &["phone", "email"] },
            merges_tags: true,
            translate: &|field, value| translate(field, value, format),
        },
        request,
    );
    let known_by = match_keys(request.customer, format);
    let matches_by = match id {
        Some(id) => vec![MatchKey::new(KeyKind::Id, id)],
        None => known_by.clone(),
    };
    let mut violations = encoded.violations;
    let Some(key) = matches_by.first().cloned() else {
        let detail =
            format!("{TITLE} needs a phone number or an e-mail address: without, it makes a new record each time");
        violations.push(violation(Field::Phone, "required", detail));
        return Err(violations);
    };
    if !violations.is_empty() {
        return Err(violations);
    }
    let mut body = encoded.body;
    if let Some(id) = id {
        body.insert("id".to_owned(), Json::String(id.to_owned()));
    }
    Ok(PreparedUpsert {
        request: post(PATH, body),
        sent: encoded.sent,
        match_key: Some(key.clone()),
        matches_by,
        known_by,
        link_key: key,
        expected_id: id.map(str::to_owned),
        intent: if id.is_some() { Intent::Update } else { Intent::Upsert },
        // With an id, a phone number or an e-mail the same record is matched again, and merging tags twice is once.
        repeat: Repeat::Safe,
        warnings: encoded.warnings,
    })
}

fn match_keys(customer: &Customer, format: PhoneFormat) -> Vec<MatchKey> {
    MATCHED_FIELDS
        .into_iter()
        .filter_map(|(field, kind)| {
            let sent = translate(field, customer.get(field)?, format);
            Some(MatchKey::new(kind, sent.as_str()?))
        })
        .collect()
}

/// The value in Rotor's words: ours, but for the notation of phone numbers.
fn translate(field: Field, value: &Value, format: PhoneFormat) -> Json {
    match (field, format, value) {
        (Field::Phone, PhoneFormat::National, Value::Text(e164)) => {
            Json::String(national_phone(e164).unwrap_or_else(|| e164.clone()))
        }
        _ => value.to_json(),
    }
}
