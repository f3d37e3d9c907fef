//! Customers.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Ignored;

/// A postal address.
#[derive(Debug, Serialize, ToSchema)]
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
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Addresses {
    /// Where bills go.
    pub billing: Option<Address>,
    /// Where the service is done.
    pub property: Option<Address>,
}

/// What is done for the customer.
#[derive(Debug, Serialize, ToSchema)]
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
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Notifications {
    /// By e-mail.
    pub email: Option<bool>,
    /// By phone.
    pub phone: Option<bool>,
}

/// The fields of a customer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Customer {
    /// The merchant's own id.
    #[schema(example = "CUST-123")]
    pub reference: Option<String>,
    /// `person` or `organisation`.
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
    /// `active` or `inactive`.
    pub status: Option<String>,
    /// Whether the merchant has verified who it is.
    pub verified: Option<bool>,
    /// Addresses.
    pub addresses: Option<Addresses>,
    /// Whether the billing address is the property's.
    pub billing_same_as_property: Option<bool>,
    /// What is done.
    pub service: Option<Service>,
    /// Who may write.
    pub notifications: Option<Notifications>,
    /// Free text.
    pub notes: Option<String>,
    /// Where the customer came from.
    pub source: Option<String>,
    /// Labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub tags: Vec<String>,
    /// The merchant's own values.
    #[schema(required = false)]
    pub metadata: BTreeMap<String, String>,
    /// Passed through to vendors, by connection or provider.
    #[schema(required = false)]
    pub provider_fields: BTreeMap<String, BTreeMap<String, Value>>,
}

/// A customer as it is kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct CustomerRecord {
    /// `cus_…`
    pub id: String,
    /// Grows by one with each change.
    pub version: u64,
    /// Whose customer.
    pub merchant_id: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Its fields.
    #[serde(flatten)]
    pub fields: Customer,
}

/// A customer, and where it is linked.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkedCustomer {
    /// The record.
    #[serde(flatten)]
    pub record: CustomerRecord,
    /// Its vendors' records.
    pub links: Vec<Link>,
}

/// What is known of a customer at one connection.
#[derive(Debug, Serialize, ToSchema)]
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
    #[schema(format = DateTime)]
    pub last_delivered_at: Option<String>,
}

/// How a link stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// The vendor has what we have.
    InSync,
    /// Something is on its way or waits.
    Pending,
    /// The vendor refused the last change.
    Failed,
    /// Another record took its place.
    Superseded,
    /// No route leads there any more.
    Unrouted,
}

/// A page of customers.
#[derive(Debug, Serialize, ToSchema)]
pub struct CustomerPage {
    /// Oldest first.
    pub data: Vec<CustomerRecord>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// One field that changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Change {
    /// JSON Pointer.
    pub pointer: String,
    /// What it was.
    pub from: Value,
    /// What it is.
    pub to: Value,
}

/// One version of a customer.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryEntry {
    /// Its number.
    pub version: u64,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// The API key's name, webhook source or import.
    pub by: String,
    /// `ups_…`
    pub upsert_id: String,
    /// What differs from the version before.
    pub changes: Vec<Change>,
    /// What could not be read in the request that made it, and was left out.
    pub ignored: Vec<Ignored>,
    /// Whether all vendors refused it, so that it was taken back.
    pub refused: bool,
}

/// A page of versions.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryPage {
    /// Newest first.
    pub data: Vec<HistoryEntry>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}
