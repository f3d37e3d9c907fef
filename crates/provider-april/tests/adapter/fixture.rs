//! Connections, customers and requests to test with, and golden files.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;
use serde_json::{Value as Json, json};

use upsert_core::{
    Customer, CustomerId, Field, LinkView, MatchKey, PreparedUpsert, ProviderError, Selection, Terms, UpsertRequest,
    Violation, canonicalise,
};
use upsert_provider_april::April;
use upsert_provider_kit::{Credentials, HttpVendor, SettingProblem, VendorSetup, WireReply};

pub(crate) const SECRET: &str = "sandbox_sk_canary";
pub(crate) const MARKETPLACE: &str = "sandbox_api_canary";

/// Holds a JSON value against its golden file.
macro_rules! golden {
    ($name:expr, $value:expr) => {
        insta::with_settings!({ sort_maps => true, prepend_module_to_snapshot => false }, {
            insta::assert_json_snapshot!($name, $value);
        })
    };
}
pub(crate) use golden;

pub(crate) fn try_vendor(settings: Json, key: &str, base_url: &str) -> Result<April, Vec<SettingProblem>> {
    let secret = ("secret_key".to_owned(), SecretString::from(key.to_owned()));
    April::new(VendorSetup {
        settings: serde_json::from_value(settings).unwrap(),
        credentials: Credentials::new(BTreeMap::from([secret])),
        base_url: url::Url::parse(base_url).unwrap(),
    })
}

pub(crate) fn vendor_with(settings: Json) -> April {
    try_vendor(settings, SECRET, April::DEFAULT_BASE_URL).unwrap()
}

pub(crate) fn vendor() -> April {
    vendor_with(json!({}))
}

/// With a key that may read.
pub(crate) fn marketplace() -> April {
    try_vendor(json!({ "merchant_id": "mcht_1" }), MARKETPLACE, April::DEFAULT_BASE_URL).unwrap()
}

pub(crate) fn customer(body: &Json) -> Customer {
    Customer::default().merged(&canonicalise(body, &Terms::strict(Some("AU"))).unwrap().patch)
}

/// The person of the vendor's own page.
pub(crate) fn lucy() -> Customer {
    customer(&json!({
        "reference": "CUST-48822821", "given_name": "Lucy", "middle_name": "Sky", "family_name": "Diamond",
        "email": "lucy.diamond@star.com", "phone": "0401 234 567"
    }))
}

pub(crate) fn acme() -> Customer {
    customer(&json!({
        "kind": "organisation", "reference": "ORG-1", "organisation_name": "Acme Pty Ltd", "tax_id": "51824753556",
        "email": "accounts@acme.example"
    }))
}

/// A request in parts, so that a test names only what it is about.
#[derive(Default)]
pub(crate) struct Ask {
    pub(crate) link: Option<MatchKey>,
    pub(crate) only: Option<BTreeSet<String>>,
    pub(crate) cleared: BTreeSet<Field>,
    pub(crate) provider_fields: Json,
}

impl Ask {
    pub(crate) fn of(&self, vendor: &April, customer: &Customer) -> Result<PreparedUpsert, Vec<Violation>> {
        vendor.encode(&UpsertRequest {
            customer,
            customer_id: "cus_01K8Z3V6E4TQ5N7M2R9X0YABCC".parse::<CustomerId>().unwrap(),
            link: self.link.as_ref().map(|key| LinkView {
                provider_customer_id: "cust_1",
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
    Ask::default().of(&vendor(), &lucy()).unwrap()
}

/// A plan as JSON, or what refuses it.
pub(crate) fn shown(plan: &Result<PreparedUpsert, Vec<Violation>>) -> Json {
    match plan {
        Ok(plan) => {
            let sent = plan.sent.iter().map(|(vendor_field, sent)| {
                assert!(!sent.merged, "nothing is known to be merged at this vendor");
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
