//! What providers can do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use upsert_core::{Capabilities, KeyKind, Kind, Payload};

/// What a provider can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent fact about a vendor"
)]
pub struct Provider {
    /// Its name in the configuration.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// The vendor's own page.
    pub docs_url: String,
    /// Where it is unless a connection says otherwise.
    pub default_base_url: String,
    /// The shapes of request it knows, by kind of customer.
    pub forms: Vec<Form>,
    /// Whether its answer tells a created record from an updated one.
    pub tells_created_from_updated: bool,
    /// Whether it can clear a field.
    pub can_clear: bool,
    /// Whether it adds tags and removes none.
    pub merges_tags: bool,
    /// Whether a known record is updated by the vendor's id, so that its match keys may change.
    pub updates_by_id: bool,
    /// Whether it can read what the vendor holds.
    pub can_read: bool,
    /// What it is sent unless configured otherwise.
    pub default_payload: Payload,
    /// Names of its credentials.
    pub credentials: Vec<String>,
    /// Vendor fields that `provider_fields` may not name.
    pub protected: Vec<String>,
    /// Calls a day that the vendor is known to allow.
    pub known_daily_limit: Option<u32>,
}

/// One shape of request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Form {
    /// The kinds of customer it is for.
    pub kinds: Vec<Kind>,
    /// Where each field goes.
    pub fields: Vec<FieldMap>,
    /// Pointers of fields that it asks for.
    pub required_fields: Vec<String>,
    /// What the vendor matches by, in its order.
    pub match_keys: Vec<KeyKind>,
}

/// Where one field goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldMap {
    /// Ours, as a JSON Pointer.
    pub pointer: String,
    /// The vendor's.
    pub vendor_field: String,
    /// Whether the vendor asks for it.
    pub required: bool,
    /// Longer texts may be cut by the vendor.
    pub soft_limit: Option<usize>,
    /// Whether it can be read back.
    pub readable: bool,
}

impl Provider {
    /// Of what its adapter says of it.
    pub fn of(name: &str, default_base_url: &str, can: &Capabilities) -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            name: name.to_owned(),
            title: can.title.to_owned(),
            docs_url: can.docs_url.to_owned(),
            default_base_url: default_base_url.to_owned(),
            forms: can.forms.iter().map(Form::from).collect(),
            tells_created_from_updated: can.tells_created_from_updated,
            can_clear: can.can_clear,
            merges_tags: can.merges_tags,
            updates_by_id: can.updates_by_id,
            can_read: can.can_read,
            default_payload: can.default_payload,
            credentials: texts(can.credentials),
            protected: texts(can.protected),
            known_daily_limit: can.known_daily_limit,
        }
    }
}

impl From<&upsert_core::Form> for Form {
    fn from(form: &upsert_core::Form) -> Self {
        let required = form.fields.iter().filter(|field| field.required);
        Self {
            kinds: form.kinds.clone(),
            required_fields: required.map(|field| field.field.pointer().to_owned()).collect(),
            fields: form.fields.iter().map(FieldMap::from).collect(),
            match_keys: form.match_keys.clone(),
        }
    }
}

impl From<&upsert_core::FieldMap> for FieldMap {
    fn from(map: &upsert_core::FieldMap) -> Self {
        Self {
            pointer: map.field.pointer().to_owned(),
            vendor_field: map.vendor_field.to_owned(),
            required: map.required,
            soft_limit: map.soft_limit,
            readable: map.readable,
        }
    }
}
