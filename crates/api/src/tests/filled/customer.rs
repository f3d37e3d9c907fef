//! Customers, their history and what vendors hold of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, json};
use upsert_core::field::Rule;
use upsert_core::{CustomerId, ErasureId, Field, Unreadable, UpsertId, Value};

use super::{SECRET, change, ignored, noon, open, secret, some_secret};
use crate::{
    Address, Addresses, Customer, CustomerRecord, ErasedVendor, Erasure, HistoryEntry, Left, Link, LinkState,
    LinkedCustomer, Notifications, Service, VendorCustomer, VendorCustomerPage,
};

fn address(of: &str) -> Address {
    Address {
        line1: Some(format!("{SECRET} {of} line1")),
        line2: Some(format!("{SECRET} {of} line2")),
        city: Some(format!("{SECRET} {of} city")),
        state: Some(format!("{SECRET} {of} state")),
        postal_code: Some(format!("{SECRET} {of} postal code")),
        country: Some(format!("{SECRET} {of} country")),
    }
}

pub(crate) fn customer() -> Customer {
    Customer {
        reference: some_secret("reference"),
        kind: Some("person".to_owned()),
        given_name: some_secret("given name"),
        middle_name: some_secret("middle name"),
        family_name: some_secret("family name"),
        organisation_name: some_secret("organisation name"),
        tax_id: some_secret("tax id"),
        email: some_secret("e-mail"),
        phone: some_secret("phone"),
        status: Some("active".to_owned()),
        verified: Some(true),
        addresses: Addresses {
            billing: address("billing"),
            property: address("property"),
        },
        billing_same_as_property: Some(true),
        service: Service {
            r#type: some_secret("service"),
            frequency: some_secret("frequency"),
        },
        notifications: Notifications {
            email: Some(true),
            phone: Some(false),
        },
        notes: some_secret("notes"),
        source: some_secret("source"),
        tags: vec![secret("tag"), secret("other tag")],
        metadata: BTreeMap::from([(secret("name"), secret("value"))]),
        provider_fields: BTreeMap::from([(
            secret("crm"),
            Map::from_iter([(
                secret("field"),
                json!({ (secret("inner")): [secret("value"), true, 7] }),
            )]),
        )]),
    }
}

pub(crate) fn customer_record() -> CustomerRecord {
    CustomerRecord {
        id: CustomerId::oldest_at(noon()),
        version: 3,
        merchant_id: open("acme"),
        created_at: noon(),
        updated_at: noon(),
        customer: customer(),
    }
}

pub(crate) fn link() -> Link {
    Link {
        connection: open("crm"),
        provider_customer_id: some_secret("record"),
        state: LinkState::InSync,
        shared: true,
        last_delivered_at: Some(noon()),
    }
}

pub(crate) fn linked_customer() -> LinkedCustomer {
    LinkedCustomer {
        record: customer_record(),
        links: vec![link()],
    }
}

pub(crate) fn history_entry() -> HistoryEntry {
    HistoryEntry {
        version: 3,
        at: noon(),
        by: open("shop"),
        upsert_id: Some(UpsertId::oldest_at(noon())),
        erasure_id: Some(ErasureId::oldest_at(noon())),
        changes: vec![change()],
        ignored: vec![ignored()],
        refused: true,
    }
}

/// A certificate is shown whole to whoever may see it at all: it says nothing of a person.
pub(crate) fn erasure() -> Erasure {
    Erasure {
        erasure_id: ErasureId::oldest_at(noon()),
        at: noon(),
        by: open("crm"),
        customer_id: CustomerId::oldest_at(noon()),
        vendors: vec![ErasedVendor {
            connection: open("rotor"),
            provider_customer_id: Some(open("r-1")),
            provider_customer_id_hash: Some(open("0a0b")),
            left: Left::Record,
        }],
        signature: Some(open("c2lnbmVk")),
        public_key: Some(open("a2V5")),
    }
}

/// A customer as the gateway holds it, with every field.
pub(crate) fn of_core() -> upsert_core::Customer {
    let mut customer = upsert_core::Customer::default();
    for field in Field::ALL.iter().copied() {
        let text = format!("{SECRET} {}", field.pointer());
        let value = match field.rule() {
            Rule::Word(words) => Value::Text(words[0].to_owned()),
            Rule::Flag => Value::Flag(true),
            Rule::Tags => Value::Tags(BTreeSet::from([text])),
            Rule::Map => Value::Map(BTreeMap::from([(secret("name"), text)])),
            _ => Value::Text(text),
        };
        customer.set(field, value);
    }
    customer
}

pub(crate) fn vendor_page() -> VendorCustomerPage {
    let one = VendorCustomer {
        provider_customer_id: some_secret("record"),
        customer: of_core(),
        unreadable: vec![Unreadable {
            pointer: open("/email"),
            value: json!(secret("e-mail")),
        }],
        vendor_fields: Map::from_iter([(secret("field"), json!(7.5))]),
        linked_customer_id: Some(CustomerId::oldest_at(noon())),
    };
    VendorCustomerPage {
        data: vec![one],
        next_cursor: Some(open("next")),
        vendor_fields: Map::from_iter([(open("total"), json!(1))]),
    }
}
