//! Connections, customers and requests to test with, and golden files.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;
use serde_json::{Value as Json, json};

use upsert_core::{
    Customer, CustomerId, Field, KeyKind, LinkView, MatchKey, PreparedUpsert, ProviderError, Selection, Terms,
    UpsertRequest, Violation, canonicalise,
};
use upsert_provider_add_update::AddUpdate;
use upsert_provider_kit::{Credentials, HttpVendor, SettingProblem, VendorSetup, WireReply};

pub(crate) const KEY: &str = "canary-key-8f1c";
pub(crate) const GATEWAY_ID: &str = "cus_01K8Z3V6E4TQ5N7M2R9X0YABCC";

/// Holds a JSON value against its golden file.
macro_rules! golden {
    ($name:expr, $value:expr) => {
        insta::with_settings!({ sort_maps => true, prepend_module_to_snapshot => false }, {
            insta::assert_json_snapshot!($name, $value);
        })
    };
}
pub(crate) use golden;

pub(crate) fn try_vendor(settings: &Json, key: &str) -> Result<AddUpdate, Vec<SettingProblem>> {
    let secret = ("api_key".to_owned(), SecretString::from(key.to_owned()));
    AddUpdate::new(VendorSetup {
        settings: serde_json::from_value(settings.clone()).unwrap(),
        credentials: Credentials::new(BTreeMap::from([secret])),
        base_url: url::Url::parse(AddUpdate::DEFAULT_BASE_URL).unwrap(),
    })
}

pub(crate) fn vendor_with(mut settings: Json) -> AddUpdate {
    settings["merchant_id"] = json!("m-1");
    try_vendor(&settings, KEY).unwrap()
}

pub(crate) fn vendor() -> AddUpdate {
    vendor_with(json!({}))
}

pub(crate) fn customer(body: &Json) -> Customer {
    Customer::default().merged(&canonicalise(body, &Terms::strict(Some("US"))).unwrap().patch)
}

/// The person of the vendor's own page.
pub(crate) fn john() -> Customer {
    customer(&json!({
        "reference": "CUST-123", "given_name": "John", "family_name": "Doe", "email": "john.doe@example.com",
        "phone": "+12025550123", "status": "active"
    }))
}

/// A request in parts, so that a test names only what it is about.
#[derive(Default)]
pub(crate) struct Ask {
    pub(crate) link: Option<&'static str>,
    pub(crate) only: Option<BTreeSet<String>>,
    pub(crate) cleared: BTreeSet<Field>,
    pub(crate) provider_fields: Json,
}

impl Ask {
    pub(crate) fn of(&self, vendor: &AddUpdate, customer: &Customer) -> Result<PreparedUpsert, Vec<Violation>> {
        let key = self.link.map(|value| MatchKey::new(KeyKind::Reference, value));
        vendor.encode(&UpsertRequest {
            customer,
            customer_id: GATEWAY_ID.parse::<CustomerId>().unwrap(),
            link: key.as_ref().map(|key| LinkView {
                provider_customer_id: &key.value,
                key,
                adopted: false,
            }),
            selection: self.only.as_ref().map_or(Selection::All, Selection::Only),
            cleared: &self.cleared,
            tags_lost: false,
            provider_fields: self.provider_fields.as_object(),
        })
    }
}

pub(crate) fn prepared() -> PreparedUpsert {
    Ask::default().of(&vendor(), &john()).unwrap()
}

/// A plan as JSON, or what refuses it.
pub(crate) fn shown(plan: &Result<PreparedUpsert, Vec<Violation>>) -> Json {
    match plan {
        Ok(plan) => {
            let sent = plan.sent.iter().map(|(vendor_field, sent)| {
                assert!(!sent.merged, "nothing is merged at this vendor");
                (vendor_field.clone(), json!([sent.pointer, sent.value]))
            });
            json!({
                "request": plan.request, "sent": sent.collect::<serde_json::Map<_, _>>(), "match_key": plan.match_key,
                "matches_by": plan.matches_by, "known_by": plan.known_by, "link_key": plan.link_key,
                "expected_id": plan.expected_id, "intent": plan.intent, "repeat": plan.repeat,
                "warnings": plan.warnings,
            })
        }
        Err(violations) => {
            let violations = violations.iter().map(|v| json!([v.pointer, v.code, v.detail]));
            json!({ "refused": violations.collect::<Vec<_>>() })
        }
    }
}

/// An error as JSON.
pub(crate) fn shown_error(error: &ProviderError) -> Json {
    json!({
        "kind": error.kind, "state": error.state, "advice": format!("{:?}", error.advice),
        "held": error.held.map(|held| format!("{held:?}")), "sent": error.sent, "code": error.code,
        "detail": error.detail, "vendor_status": error.vendor_status, "vendor_request_id": error.vendor_request_id,
        "errors": error.errors, "vendor_body": error.vendor_body, "context": error.context,
    })
}

pub(crate) fn raw(status: u16, body: impl Into<Vec<u8>>) -> WireReply {
    let mut reply = WireReply::of_json(status, &Json::Null);
    reply.body = bytes::Bytes::from(body.into());
    reply
}
