//! Requests and answers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::ToSchema;

use upsert_core::{CustomerId, Ignored, Kind, UpsertId};

use crate::cover::{Cover, Own};
use crate::customer::{Addresses, CustomerRecord, CustomerStatus, Notifications, Service};
use crate::delivery::Delivery;
use crate::problem::{BatchProblem, LineProblem};
use crate::states::{Through, UpsertState};

/// What to change. Absent: keep. `null`: clear. A value: set. At least one of `id`, `reference`, `email` and `phone`
/// has to be there, and what the merchant's connections require. Unknown members are refused. (The gateway reads a body
/// in three states and in every way that people write: see `upsert_core::canonicalise`.)
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "reference": "CUST-123", "given_name": "John", "family_name": "Doe", "email": "john.doe@example.com",
    "phone": "+12025550123",
    "addresses": { "billing": { "line1": "1 Main St", "city": "Springfield", "state": "IL", "postal_code": "62701", "country": "US" } },
    "tags": ["vip"], "metadata": { "plan": "gold" }, "links": { "crm": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e" }
}))]
pub struct UpsertRequest {
    /// The gateway's id, `cus_…`.
    pub id: Option<CustomerId>,
    /// The merchant's own id.
    #[schema(max_length = 255)]
    pub reference: Option<String>,
    /// What it is.
    #[schema(value_type = Option<Kind>)]
    pub kind: Option<String>,
    /// First name.
    #[schema(max_length = 255)]
    pub given_name: Option<String>,
    /// Middle name.
    #[schema(max_length = 255)]
    pub middle_name: Option<String>,
    /// Last name.
    #[schema(max_length = 255)]
    pub family_name: Option<String>,
    /// Name of an organisation.
    #[schema(max_length = 255)]
    pub organisation_name: Option<String>,
    /// Tax number.
    #[schema(max_length = 64)]
    pub tax_id: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Phone number; without a country code, of the merchant's region.
    pub phone: Option<String>,
    /// Whether it is a customer still.
    #[schema(value_type = Option<CustomerStatus>)]
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
    #[schema(max_length = 10_000)]
    pub notes: Option<String>,
    /// Where the customer came from.
    #[schema(max_length = 255)]
    pub source: Option<String>,
    /// Labels to add; `null` clears all.
    pub tags: Option<Vec<String>>,
    /// Labels to remove.
    pub tags_removed: Option<Vec<String>>,
    /// The merchant's own values; `null` in a value's place removes it.
    pub metadata: Option<BTreeMap<String, Option<String>>>,
    /// By connection: the vendor's id of a record there that is known to be this customer's. The next call goes by it.
    pub links: Option<BTreeMap<String, String>>,
    /// Passed through to vendors, by connection or provider, over what the mapping made.
    pub provider_fields: Option<BTreeMap<String, Json>>,
}

/// One line of a batch: an upsert's body, and its idempotency key if it has one.
#[derive(Clone, Default, Deserialize, ToSchema)]
pub struct BatchLine {
    /// 1 to 255 visible ASCII characters. Scoped to the route, so it is another key than the same one in a header.
    pub idempotency_key: Option<String>,
    /// The upsert.
    #[serde(flatten)]
    pub upsert: UpsertRequest,
}

/// What an upsert came to. (No `Debug`: it is about a person.)
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UpsertAnswer {
    /// `ups_…`
    pub upsert_id: UpsertId,
    /// Over all deliveries.
    pub state: UpsertState,
    /// The customer as this upsert made it.
    pub customer: CustomerRecord,
    /// One for each connection.
    pub deliveries: Vec<Delivery>,
    /// What could not be read and was left out (`Prefer: handling=lenient`).
    pub ignored: Vec<Ignored>,
}

/// One line of a batch's answer.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum BatchAnswer {
    /// It was taken.
    Taken(Box<TakenLine>),
    /// It was refused, or its vendors did; or, as the last one, the batch was cut short before this line.
    Refused(Box<RefusedLine>),
}

/// A line of a batch that was taken.
#[derive(Clone, Deserialize, ToSchema)]
pub struct TakenLine {
    /// Which line, from 1.
    pub line: u64,
    /// The status that the upsert alone would have been answered with.
    pub status: u16,
    /// `true`: an idempotency key was used again.
    #[serde(default)]
    pub idempotent_replayed: bool,
    /// The answer.
    #[serde(flatten)]
    pub answer: UpsertAnswer,
}

/// A line of a batch that was refused, by the gateway or by vendors; or, as the last one, before which the batch was cut short.
#[derive(Clone, Deserialize, ToSchema)]
pub struct RefusedLine {
    /// Which line, from 1.
    pub line: u64,
    /// Why.
    #[schema(value_type = LineProblem)]
    pub problem: BatchProblem,
}

/// An upsert without its customer's data.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ListedUpsert {
    /// `ups_…`
    pub upsert_id: UpsertId,
    /// Over all deliveries.
    pub state: UpsertState,
    /// Whose customer.
    pub merchant_id: String,
    /// `cus_…`
    pub customer_id: CustomerId,
    /// The customer's version after it.
    pub version: u64,
    /// Whether the customer was new to the gateway.
    pub new_customer: bool,
    /// Whether it changed the customer at all.
    pub changed: bool,
    /// Whether the change was taken back, since every connection refused it.
    pub rolled_back: bool,
    /// API key's name, webhook source, import.
    pub by: String,
    /// How it came. Null where the upsert is older than this member.
    pub through: Option<Through>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When its last delivery ended.
    pub ended_at: Option<Timestamp>,
    /// What could not be read and was left out.
    pub ignored: Vec<Ignored>,
    /// One for each connection.
    pub deliveries: Vec<Delivery>,
}

/// Whatever a source sends.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[schema(value_type = Object)]
pub struct AnyEvent(pub Json);

impl Cover for UpsertAnswer {
    fn cover(&mut self, own: Own<'_>) {
        self.customer.cover(own);
        self.deliveries.cover(own);
        self.ignored.cover(own);
    }
}

impl Cover for ListedUpsert {
    fn cover(&mut self, own: Own<'_>) {
        self.deliveries.cover(own);
        self.ignored.cover(own);
    }
}
