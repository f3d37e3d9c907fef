//! Customers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use upsert_core::{CustomerId, Field, Value};

use crate::cover::{Cover, MASK, Own};
use crate::masks::{cover_some, cover_text};
use crate::states::LinkState;

/// A postal address.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// Street and number.
    pub line1: Option<String>,
    /// What does not fit there.
    pub line2: Option<String>,
    /// City.
    pub city: Option<String>,
    /// State or region; left as given.
    pub state: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "US")]
    pub country: Option<String>,
}

/// Addresses by what they are for.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Addresses {
    /// Where bills go.
    #[serde(default)]
    pub billing: Address,
    /// Where the service is done.
    #[serde(default)]
    pub property: Address,
}

/// What is done for the customer.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// What.
    #[schema(example = "pest control")]
    pub r#type: Option<String>,
    /// How often.
    #[schema(example = "monthly")]
    pub frequency: Option<String>,
}

/// Whether the vendor may write to the customer.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Notifications {
    /// By e-mail.
    pub email: Option<bool>,
    /// By phone.
    pub phone: Option<bool>,
}

/// The fields of a customer. (No `Debug`, here and below: it is about a person.)
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Customer {
    /// The merchant's own id.
    #[schema(example = "CUST-123")]
    pub reference: Option<String>,
    /// `person` or `organisation`; `•••` where it is covered.
    #[schema(example = "person")]
    pub kind: Option<String>,
    /// First name.
    pub given_name: Option<String>,
    /// Middle name.
    pub middle_name: Option<String>,
    /// Last name.
    pub family_name: Option<String>,
    /// Name of an organisation.
    pub organisation_name: Option<String>,
    /// Tax number.
    pub tax_id: Option<String>,
    /// In lower case, domain in punycode.
    pub email: Option<String>,
    /// E.164.
    pub phone: Option<String>,
    /// `active` or `inactive`; `•••` where it is covered.
    #[schema(example = "active")]
    pub status: Option<String>,
    /// Whether the merchant has verified who it is.
    pub verified: Option<bool>,
    /// Addresses.
    pub addresses: Addresses,
    /// Whether the billing address is the property's.
    pub billing_same_as_property: Option<bool>,
    /// What is done.
    pub service: Service,
    /// Who may write.
    pub notifications: Notifications,
    /// Free text.
    pub notes: Option<String>,
    /// Where the customer came from.
    pub source: Option<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// The merchant's own values.
    pub metadata: BTreeMap<String, String>,
    /// Passed through to vendors, by connection or provider.
    #[schema(value_type = BTreeMap<String, BTreeMap<String, Json>>)]
    pub provider_fields: BTreeMap<String, Map<String, Json>>,
}

/// Whether somebody is a customer still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum CustomerStatus {
    /// They are.
    Active,
    /// They were.
    Inactive,
}

/// A customer as it is kept.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CustomerRecord {
    /// `cus_…`
    pub id: CustomerId,
    /// Grows by one with each change.
    pub version: u64,
    /// Whose customer.
    pub merchant_id: String,
    /// When it was first heard of.
    pub created_at: Timestamp,
    /// When the version was made.
    pub updated_at: Timestamp,
    /// Its fields.
    #[serde(flatten)]
    pub customer: Customer,
}

/// A customer, and where it is linked.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LinkedCustomer {
    /// The record.
    #[serde(flatten)]
    pub record: CustomerRecord,
    /// Its vendors' records.
    pub links: Vec<Link>,
}

/// What is known of a customer at one connection.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Link {
    /// The connection.
    pub connection: String,
    /// The vendor's id.
    pub provider_customer_id: Option<String>,
    /// How it stands.
    pub state: LinkState,
    /// Whether another customer holds the same record.
    pub shared: bool,
    /// When the vendor last accepted something.
    pub last_delivered_at: Option<Timestamp>,
}

impl From<&upsert_core::Customer> for Customer {
    fn from(customer: &upsert_core::Customer) -> Self {
        let text = |field| customer.text(field).map(str::to_owned);
        let flag = |field| match customer.get(field) {
            Some(Value::Flag(flag)) => Some(*flag),
            _ => None,
        };
        let address = |[line1, line2, city, state, postal_code, country]: [Field; 6]| Address {
            line1: text(line1),
            line2: text(line2),
            city: text(city),
            state: text(state),
            postal_code: text(postal_code),
            country: text(country),
        };
        Self {
            reference: text(Field::Reference),
            kind: text(Field::Kind),
            given_name: text(Field::GivenName),
            middle_name: text(Field::MiddleName),
            family_name: text(Field::FamilyName),
            organisation_name: text(Field::OrganisationName),
            tax_id: text(Field::TaxId),
            email: text(Field::Email),
            phone: text(Field::Phone),
            status: text(Field::Status),
            verified: flag(Field::Verified),
            addresses: Addresses {
                billing: address(BILLING),
                property: address(PROPERTY),
            },
            billing_same_as_property: flag(Field::BillingSameAsProperty),
            service: Service {
                r#type: text(Field::ServiceType),
                frequency: text(Field::ServiceFrequency),
            },
            notifications: Notifications {
                email: flag(Field::NotifyEmail),
                phone: flag(Field::NotifyPhone),
            },
            notes: text(Field::Notes),
            source: text(Field::Source),
            tags: match customer.get(Field::Tags) {
                Some(Value::Tags(tags)) => tags.iter().cloned().collect(),
                _ => Vec::new(),
            },
            metadata: match customer.get(Field::Metadata) {
                Some(Value::Map(members)) => members.clone(),
                _ => BTreeMap::new(),
            },
            provider_fields: customer.provider_fields().clone(),
        }
    }
}

const BILLING: [Field; 6] = [
    Field::BillingLine1,
    Field::BillingLine2,
    Field::BillingCity,
    Field::BillingState,
    Field::BillingPostalCode,
    Field::BillingCountry,
];
const PROPERTY: [Field; 6] = [
    Field::PropertyLine1,
    Field::PropertyLine2,
    Field::PropertyCity,
    Field::PropertyState,
    Field::PropertyPostalCode,
    Field::PropertyCountry,
];

impl Address {
    fn cover(&mut self, fields: [Field; 6], own: Own<'_>) {
        let Self {
            line1,
            line2,
            city,
            state,
            postal_code,
            country,
        } = self;
        for (field, text) in fields
            .into_iter()
            .zip([line1, line2, city, state, postal_code, country])
        {
            own.cover_text(field, text);
        }
    }
}

impl Notifications {
    fn cover(&mut self, own: Own<'_>) {
        own.cover_flag(Field::NotifyEmail, &mut self.email);
        own.cover_flag(Field::NotifyPhone, &mut self.phone);
    }
}

impl Cover for Customer {
    fn cover(&mut self, own: Own<'_>) {
        let Self {
            reference,
            kind,
            status,
            verified,
            given_name,
            middle_name,
            family_name,
            organisation_name,
            tax_id,
            email,
            phone,
            addresses: Addresses { billing, property },
            billing_same_as_property,
            service: Service { r#type, frequency },
            notifications,
            notes,
            source,
            tags,
            metadata,
            provider_fields,
        } = self;
        for (field, text) in [
            (Field::Reference, reference),
            (Field::Kind, kind),
            (Field::Status, status),
            (Field::GivenName, given_name),
            (Field::MiddleName, middle_name),
            (Field::FamilyName, family_name),
            (Field::OrganisationName, organisation_name),
            (Field::TaxId, tax_id),
            (Field::Email, email),
            (Field::Phone, phone),
            (Field::ServiceType, r#type),
            (Field::ServiceFrequency, frequency),
            (Field::Notes, notes),
            (Field::Source, source),
        ] {
            own.cover_text(field, text);
        }
        billing.cover(BILLING, own);
        property.cover(PROPERTY, own);
        own.cover_flag(Field::Verified, verified);
        own.cover_flag(Field::BillingSameAsProperty, billing_same_as_property);
        notifications.cover(own);
        tags.iter_mut().filter(|tag| !own.has_tag(tag)).for_each(cover_text);
        cover_metadata(metadata, own);
        cover_passed_through(provider_fields, own);
    }
}

/// Names are the merchant's own words too: of those that the caller has not sent, it is told that there are some.
fn cover_metadata(metadata: &mut BTreeMap<String, String>, own: Own<'_>) {
    let all = metadata.len();
    metadata.retain(|name, value| own.has_metadata(name, value));
    if metadata.len() < all {
        metadata.insert(MASK.to_owned(), MASK.to_owned());
    }
}

fn cover_passed_through(fields: &mut BTreeMap<String, Map<String, Json>>, own: Own<'_>) {
    let mut is_covered = false;
    for (provider, members) in fields.iter_mut() {
        let all = members.len();
        members.retain(|name, value| own.has_passed_through(provider, name, value));
        is_covered |= members.len() < all;
    }
    fields.retain(|_, members| !members.is_empty());
    if is_covered {
        fields.insert(MASK.to_owned(), Map::from_iter([(MASK.to_owned(), Json::from(MASK))]));
    }
}

impl Cover for CustomerRecord {
    fn cover(&mut self, own: Own<'_>) {
        self.customer.cover(own);
    }
}

impl Cover for LinkedCustomer {
    fn cover(&mut self, own: Own<'_>) {
        self.record.cover(own);
        self.links.cover(own);
    }
}

impl Cover for Link {
    /// Some vendors take the merchant's reference, an e-mail address or a phone number as their id.
    fn cover(&mut self, _own: Own<'_>) {
        cover_some(&mut self.provider_customer_id);
    }
}

impl Link {
    /// Whether it leads to a record of the vendor's now.
    pub fn is_live(&self) -> bool {
        self.provider_customer_id.is_some() && self.state != LinkState::Superseded
    }
}

#[cfg(test)]
mod tests;
