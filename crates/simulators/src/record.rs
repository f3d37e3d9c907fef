//! A record that a vendor has, and how it is found and written.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::journal::Write;

/// One stored customer.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// The vendor's own id. add-update never shows it.
    pub id: String,
    /// The company or merchant it belongs to.
    pub account: String,
    /// What sort of customer it is, in the vendor's word.
    pub kind: &'static str,
    /// The fields as they were written, in the vendor's write shape.
    pub fields: Map<String, Value>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was written or edited last; equal to `created_at` until then, a millisecond or more later each time.
    pub updated_at: Timestamp,
    /// Hidden from Rotor's list.
    pub archived: bool,
    /// How often it was written, its creation included; an edit in the vendor's own screen is none.
    pub writes: u64,
    /// 1 when it is new, one more with every write or edit that changed a field.
    pub version: u64,
}

impl Record {
    /// A text field, `""` when absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A field, `null` when absent.
    pub(crate) fn value(&self, name: &str) -> Value {
        self.fields.get(name).cloned().unwrap_or(Value::Null)
    }

    /// Whether one of the fields contains the text, whatever its case.
    pub(crate) fn mentions(&self, text: &str, fields: &[&str]) -> bool {
        let text = text.to_lowercase();
        fields.iter().any(|name| self.text(name).to_lowercase().contains(&text))
    }
}

/// One match key with a value, such as `phone` with `+15550100`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) key: &'static str,
    pub(crate) value: String,
}

impl Probe {
    /// A probe for the text of a field; none when the field is absent or empty.
    pub(crate) fn of(fields: &Map<String, Value>, key: &'static str) -> Option<Self> {
        let value = fields
            .get(key)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())?;
        Some(Self {
            key,
            value: value.to_owned(),
        })
    }
}

/// One write: whose, of what kind, found by which keys in which order.
pub(crate) struct Upsert<'a> {
    pub(crate) account: &'a str,
    pub(crate) kind: &'static str,
    pub(crate) probes: Vec<Probe>,
    pub(crate) matches_archived: bool,
    pub(crate) new_id: String,
    pub(crate) now: Timestamp,
}

/// What a write did.
pub(crate) struct Written {
    pub(crate) record: Record,
    pub(crate) created: bool,
    pub(crate) matched_on: Option<&'static str>,
    /// Whether a field is other than before; a new record always is.
    pub(crate) changed: bool,
}

impl Written {
    /// The line for the journal.
    pub(crate) fn note(&self) -> Write {
        Write {
            record: self.record.id.clone(),
            account: self.record.account.clone(),
            created: self.created,
            matched_on: self.matched_on.map(str::to_owned),
        }
    }
}
