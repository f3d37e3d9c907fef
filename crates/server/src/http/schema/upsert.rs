//! Requests, answers, plans.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Addresses, Customer, CustomerRecord, Delivery, Notifications, Problem, Service, Warning};

/// What to change. Absent: keep. `null`: clear. A value: set. At least one of `id`, `reference`, `email` and `phone`
/// has to be there, and what the merchant's connections require. Unknown members are refused.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "reference": "CUST-123", "given_name": "John", "family_name": "Doe", "email": "john.doe@example.com",
    "phone": "+12025550123",
    "addresses": { "billing": { "line1": "1 Main St", "city": "Springfield", "state": "IL", "postal_code": "62701", "country": "US" } },
    "tags": ["vip"], "metadata": { "plan": "gold" }, "links": { "crm": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e" }
}))]
pub struct UpsertRequest {
    /// The gateway's id, `cus_…`.
    pub id: Option<String>,
    /// The merchant's own id.
    #[schema(max_length = 255)]
    pub reference: Option<String>,
    /// `person` or `organisation`.
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
    pub provider_fields: Option<BTreeMap<String, Value>>,
}

/// What an upsert came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct UpsertAnswer {
    /// `ups_…`
    pub upsert_id: String,
    /// Over all deliveries.
    pub state: UpsertState,
    /// The customer as this upsert made it.
    pub customer: CustomerRecord,
    /// One for each connection.
    pub deliveries: Vec<Delivery>,
    /// What could not be read and was left out (`Prefer: handling=lenient`).
    pub ignored: Vec<Ignored>,
}

/// A member of a request that could not be read and was left out: what was known there is kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ignored {
    /// JSON Pointer into the request.
    pub pointer: String,
    /// The code that it would have been refused with.
    pub code: String,
    /// A sentence for people.
    pub detail: String,
}

/// One line of a batch: an upsert's body, and its idempotency key if it has one.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchLine {
    /// 1 to 255 visible ASCII characters. Scoped to the route, so it is another key than the same one in a header.
    pub idempotency_key: Option<String>,
    /// The upsert.
    #[serde(flatten)]
    pub upsert: UpsertRequest,
}

/// One line of a batch's answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum BatchAnswer {
    /// It was taken.
    Taken {
        /// Which line, from 1.
        line: u64,
        /// The status that the upsert alone would have been answered with.
        status: u16,
        /// `true`: an idempotency key was used again.
        idempotent_replayed: Option<bool>,
        /// The answer.
        #[serde(flatten)]
        answer: Box<UpsertAnswer>,
    },
    /// It was refused, or its vendors did; or, as the last one, the batch was cut short before this line.
    Refused {
        /// Which line, from 1.
        line: u64,
        /// Why.
        problem: Problem,
    },
}

/// How far an upsert is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpsertState {
    /// Something has not ended.
    Pending,
    /// Everything succeeded.
    Succeeded,
    /// Only connections that are not required failed.
    PartiallyFailed,
    /// A required connection failed.
    Failed,
}

/// The way by which an upsert came.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Through {
    /// A request of its own.
    Request,
    /// A line of a batch; imports are batches.
    Batch,
    /// An event of a webhook source.
    Webhook,
    /// The replay of a failed delivery.
    Replay,
}

/// What an upsert would do.
#[derive(Debug, Serialize, ToSchema)]
pub struct Plan {
    /// The customer it would change; null: a new one.
    pub customer_id: Option<String>,
    /// The customer as it would be.
    pub customer: Customer,
    /// One for each connection.
    pub connections: Vec<PlannedConnection>,
    /// What could not be read and would be left out.
    pub ignored: Vec<Ignored>,
}

/// What would go to one connection.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlannedConnection {
    /// The connection.
    pub connection: String,
    /// The provider.
    pub provider: String,
    /// Whether the upsert would fail with it.
    pub required: bool,
    /// `create`, `update`, `upsert` or `unchanged`; null where it is refused.
    pub action: Option<String>,
    /// What the vendor would match by.
    pub match_key: Option<Value>,
    /// What would be sent, without credentials.
    pub request: Option<PlannedRequest>,
    /// `safe` or `unsafe`: whether it may be sent again after an unknown outcome.
    pub repeat: Option<String>,
    /// What this vendor cannot hold or do.
    pub warnings: Vec<Warning>,
    /// Why it would not be sent.
    pub refusals: Vec<Value>,
}

/// A request in the vendor's words.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlannedRequest {
    /// HTTP method.
    pub method: String,
    /// Path under the base URL.
    pub path: String,
    /// The body.
    pub body: Value,
}

/// Whom a replay is about.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayOf {
    /// `cus_…`
    pub customer_id: Option<String>,
}
