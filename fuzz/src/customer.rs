//! Bodies of upserts: read, made canonical, merged.

use serde_json::Value as Json;
use upsert_core::field::Rule;
use upsert_core::{Customer, Field, Handling, Terms, Value, canonicalise};

/// One body, strict and lenient, of a merchant somewhere or nowhere.
pub(crate) fn body(data: &[u8]) {
    let Ok(body) = upsert_app::read_json(data) else { return };
    for region in [None, Some("US"), Some("DE")] {
        for handling in [Handling::Strict, Handling::Lenient] {
            let terms = Terms {
                handling,
                ..Terms::strict(region)
            };
            match canonicalise(&body, &terms) {
                Ok(canonical) => {
                    assert!(handling == Handling::Lenient || canonical.ignored.is_empty());
                    is_canonical(&Customer::default().merged(&canonical.patch));
                }
                Err(problems) => assert!(!problems.is_empty(), "refused without a reason"),
            }
        }
    }
}

/// Bodies, a line each, one after the other about one customer.
pub(crate) fn merge(data: &[u8]) {
    let terms = Terms {
        handling: Handling::Lenient,
        ..Terms::strict(Some("US"))
    };
    let mut customer = Customer::default();
    for line in data.split(|byte| *byte == b'\n').take(16) {
        let Ok(body) = upsert_app::read_json(line) else {
            continue;
        };
        let Ok(canonical) = canonicalise(&body, &terms) else {
            continue;
        };
        let merged = customer.merged(&canonical.patch);
        let again = merged.merged(&canonical.patch);
        assert!(
            merged.changes_to(&again).is_empty(),
            "the same patch once more changes something"
        );
        let changes = customer.changes_to(&merged);
        assert_eq!(
            changes.is_empty(),
            customer.to_json(true) == merged.to_json(true),
            "{changes:?}"
        );
        is_canonical(&merged);
        customer = merged;
    }
}

/// A canonical customer comes back out of its JSON, and each of its texts is its own canonical form.
fn is_canonical(customer: &Customer) {
    let json = Json::Object(customer.to_json(false));
    let read = Customer::from_json(&json).expect("what was written can be read");
    assert_eq!(Json::Object(read.to_json(false)), json);
    for (field, value) in customer.fields() {
        if let Value::Text(text) = value {
            stays(field, text, None);
        }
    }
}

/// One value for every field that is a text.
pub(crate) fn value(data: &[u8]) {
    let Ok(raw) = str::from_utf8(data) else { return };
    for field in Field::ALL {
        if matches!(field.rule(), Rule::Flag | Rule::Tags | Rule::Map) {
            continue;
        }
        for region in [None, Some("US"), Some("AU"), Some("GB")] {
            if let Ok(text) = upsert_core::canonicalise::canonical_text(*field, raw, region) {
                stays(*field, &text, region);
            }
        }
    }
}

fn stays(field: Field, text: &str, region: Option<&str>) {
    let again = upsert_core::canonicalise::canonical_text(field, text, region);
    assert_eq!(
        again.as_deref(),
        Ok(text),
        "{field:?}: a canonical value has another canonical form"
    );
}
