//! Customers, connections and views of answers that the tests share.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr as _;

use serde_json::{Map, Value as Json, json};

use upsert_core::{
    Customer, CustomerId, Field, KeyKind, LinkView, MatchKey, PreparedUpsert, ProviderError, Selection, UpsertReceipt,
    UpsertRequest, Violation,
};
use upsert_provider_kit::{Credentials, HttpVendor, VendorSetup, WireReply};
use upsert_provider_rotor::{Rotor, RotorSettings};

pub(crate) const ROTOR_ID: &str = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e";

pub(crate) fn rotor(settings: Json) -> Rotor {
    let settings: RotorSettings = serde_json::from_value(settings).unwrap();
    let secrets = BTreeMap::from([("api_key".to_owned(), "rotor_id_secret".to_owned().into())]);
    Rotor::new(VendorSetup {
        settings,
        credentials: Credentials::new(secrets),
        base_url: Rotor::DEFAULT_BASE_URL.parse().unwrap(),
    })
    .unwrap()
}

pub(crate) fn customer(record: &Json) -> Customer {
    Customer::from_json(record).unwrap()
}

/// Every field that Rotor has a home for, as a person.
pub(crate) fn full_person() -> Json {
    json!({
        "reference": "crm-1",
        "kind": "person",
        "given_name": "Jane",
        "family_name": "Doe",
        "organisation_name": "Doe Lawns",
        "email": "jane@example.com",
        "phone": "+12025550123",
        "status": "active",
        "addresses": {
            "property": {
                "line1": "1 Main St", "line2": "Unit 2", "city": "Edina", "state": "MN",
                "postal_code": "55424", "country": "US"
            },
            "billing": {
                "line1": "PO Box 9", "line2": "c/o Roe", "city": "Toronto", "state": "ON",
                "postal_code": "M5V 2T6", "country": "CA"
            }
        },
        "billing_same_as_property": false,
        "service": { "type": "Lawn care", "frequency": "Quarterly" },
        "notes": "Gate code at the door.\nDog.",
        "source": "web",
        "tags": ["vip", "garden"]
    })
}

/// What is asked of the adapter; the rest of an [`UpsertRequest`] stays as it is for a new customer.
#[derive(Default)]
pub(crate) struct Ask {
    pub(crate) customer: Customer,
    pub(crate) linked: bool,
    pub(crate) only: Option<BTreeSet<String>>,
    pub(crate) cleared: BTreeSet<Field>,
    pub(crate) tags_lost: bool,
    pub(crate) provider_fields: Option<Map<String, Json>>,
}

impl Ask {
    pub(crate) fn of(record: &Json) -> Self {
        Self {
            customer: customer(record),
            ..Self::default()
        }
    }

    pub(crate) fn linked(mut self) -> Self {
        self.linked = true;
        self
    }

    pub(crate) fn only(mut self, vendor_fields: &[&str]) -> Self {
        self.only = Some(vendor_fields.iter().map(|name| (*name).to_owned()).collect());
        self
    }

    pub(crate) fn encode(&self, rotor: &Rotor) -> Result<PreparedUpsert, Vec<Violation>> {
        let key = MatchKey::new(KeyKind::Id, ROTOR_ID);
        rotor.encode(&UpsertRequest {
            customer: &self.customer,
            customer_id: CustomerId::from_str("cus_00000000000000000000000000").unwrap(),
            link: self.linked.then_some(LinkView {
                provider_customer_id: ROTOR_ID,
                key: &key,
                adopted: false,
            }),
            selection: self.only.as_ref().map_or(Selection::All, Selection::Only),
            cleared: &self.cleared,
            tags_lost: self.tags_lost,
            provider_fields: self.provider_fields.as_ref(),
        })
    }

    pub(crate) fn prepare(&self, rotor: &Rotor) -> PreparedUpsert {
        self.encode(rotor).unwrap()
    }
}

/// Everything that a plan says, as JSON.
pub(crate) fn plan(prepared: &PreparedUpsert) -> Json {
    let merged = prepared.sent.iter().filter(|(_, sent)| sent.merged);
    json!({
        "request": prepared.request,
        "sent": prepared.sent.iter().map(|(name, sent)| (name.clone(), json!(sent.pointer))).collect::<Map<_, _>>(),
        "merged": merged.map(|(name, _)| name).collect::<Vec<_>>(),
        "match_key": prepared.match_key,
        "matches_by": prepared.matches_by,
        "known_by": prepared.known_by,
        "link_key": prepared.link_key,
        "expected_id": prepared.expected_id,
        "intent": prepared.intent,
        "repeat": prepared.repeat,
        "warnings": prepared.warnings,
    })
}

/// Everything that an error says, as JSON, and what a log would show of it.
pub(crate) fn failure(error: &ProviderError) -> Json {
    json!({
        "kind": error.kind,
        "state": error.state,
        "advice": format!("{:?}", error.advice),
        "held": error.held.map(|held| format!("{:?} for {:?}", held.waiting_for, held.for_at_least)),
        "sent": error.sent,
        "code": error.code,
        "detail": error.detail,
        "vendor_status": error.vendor_status,
        "errors": error.errors,
        "vendor_body": error.vendor_body,
        "daily_limit": error.daily_limit,
        "log": error.to_string(),
    })
}

pub(crate) fn answer(result: &Result<UpsertReceipt, ProviderError>) -> Json {
    match result {
        Ok(receipt) => json!({ "receipt": receipt }),
        Err(error) => json!({ "error": failure(error) }),
    }
}

pub(crate) fn decode(rotor: &Rotor, prepared: &PreparedUpsert, status: u16, body: &Json) -> Json {
    answer(&rotor.decode(prepared, &WireReply::of_json(status, body)))
}

/// Compares with the file, members in order of their names whatever features serde_json was built with.
macro_rules! assert_golden {
    ($name:literal, $value:expr) => {
        insta::with_settings!({ sort_maps => true, prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_json_snapshot!($name, $value)
        })
    };
}
pub(crate) use assert_golden;
