//! Lists of deliveries and upserts, and what is done to dead letters.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Delivery, DeliveryError, Ignored, Through, UpsertState};

/// A page of deliveries, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryPage {
    /// The deliveries.
    pub data: Vec<ListedDelivery>,
    /// Where the next page starts; null: this was the last.
    pub next_cursor: Option<String>,
}

/// A delivery, and whose it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListedDelivery {
    /// As in the upsert's answer.
    #[serde(flatten)]
    pub delivery: Delivery,
    /// Whose customer.
    pub merchant_id: String,
    /// `cus_…`
    pub customer_id: String,
    /// `ups_…`
    pub upsert_id: String,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it ended.
    #[schema(format = DateTime)]
    pub ended_at: Option<String>,
}

/// A delivery, whose it is, and what was sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryWithAttempts {
    /// As in the list.
    #[serde(flatten)]
    pub delivery: ListedDelivery,
    /// Its calls, in order. Those of deliveries that it took over stand there.
    pub attempt_log: Vec<Attempt>,
}

/// One call.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// When it was about to go out.
    #[schema(format = DateTime)]
    pub started_at: String,
    /// When it was over; null: it is under way, or nobody knows what became of it.
    #[schema(format = DateTime)]
    pub ended_at: Option<String>,
    /// An outcome, an error's kind, or `not_sent`.
    pub result: Option<String>,
    /// HTTP status, of an acceptance too.
    pub vendor_status: Option<u16>,
    /// What an acceptance said beside the record: message, times and the like, in the vendor's own members.
    #[schema(value_type = Object, additional_properties = true)]
    pub vendor_said: Map<String, Value>,
    /// What went out, as the plan words it; null: the call was made before requests were kept.
    pub request: Option<SentRequest>,
    /// This call's own failure, with the vendor's words.
    pub error: Option<DeliveryError>,
}

/// What went out to the vendor. Credentials are never in it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SentRequest {
    /// HTTP method.
    pub method: String,
    /// Path under the connection's base URL; null without `customers:read`.
    pub path: Option<String>,
    /// The body; without `customers:read` every value in it is `•••`.
    pub body: Value,
}

/// A page of upserts, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct UpsertPage {
    /// The upserts.
    pub data: Vec<ListedUpsert>,
    /// Where the next page starts; null: this was the last.
    pub next_cursor: Option<String>,
}

/// An upsert without its customer's data.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListedUpsert {
    /// `ups_…`
    pub upsert_id: String,
    /// Over all deliveries.
    pub state: UpsertState,
    /// Whose customer.
    pub merchant_id: String,
    /// `cus_…`
    pub customer_id: String,
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
    /// How it came: a request of its own, a line of a batch (an import is one), an event of a webhook source, a replay.
    /// Null where the upsert is older than this member.
    pub through: Option<Through>,
    /// When it was accepted.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When its last delivery ended.
    #[schema(format = DateTime)]
    pub ended_at: Option<String>,
    /// What could not be read and was left out.
    pub ignored: Vec<Ignored>,
    /// One for each connection.
    pub deliveries: Vec<Delivery>,
}

/// Which deliveries are meant; every filter that is given has to hold. Unknown members are refused.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "connection": "crm", "error_kind": "rejected", "dry_run": true }))]
pub struct DeliverySelection {
    /// One state, or several.
    pub state: Option<States>,
    /// The connection's name.
    pub connection: Option<String>,
    /// What the error means.
    pub error_kind: Option<String>,
    /// The error's code.
    pub error_code: Option<String>,
    /// Why it waits.
    pub waiting_for: Option<String>,
    /// `cus_…`
    pub customer_id: Option<String>,
    /// `ups_…`
    pub upsert_id: Option<String>,
    /// Made at or after this moment.
    #[schema(format = DateTime)]
    pub since: Option<String>,
    /// Made before this moment.
    #[schema(format = DateTime)]
    pub until: Option<String>,
    /// Only count them.
    pub dry_run: Option<bool>,
    /// `counted_at` of a dry run: what was made or has failed since is left alone. What waited then and has begun to match
    /// since is not: `limit` bounds that.
    #[schema(format = DateTime)]
    pub counted_at: Option<String>,
    /// How many at the most, the newest first.
    #[schema(minimum = 1, maximum = 1000, default = 1000)]
    pub limit: Option<u32>,
    /// `next_cursor` of the answer before.
    pub cursor: Option<String>,
}

/// States by name.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum States {
    /// One, or several with commas between.
    Text(String),
    /// Several.
    List(Vec<String>),
}

/// What became of deliveries that matched.
#[derive(Debug, Serialize, ToSchema)]
pub struct SelectionDone {
    /// Whether they were only counted.
    pub dry_run: bool,
    /// How many matched: of this request, at most `limit`; counted, at most 10,000.
    pub matched: u64,
    /// How many were replayed or discarded.
    pub done: u64,
    /// How many were refused.
    pub refused: u64,
    /// Why, for the first hundred of them.
    pub refusals: Vec<SelectionRefusal>,
    /// Whether more match.
    pub more: bool,
    /// Where the next request goes on.
    pub next_cursor: Option<String>,
    /// Of a dry run: when they were counted.
    #[schema(format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted_at: Option<String>,
}

/// A delivery that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub struct SelectionRefusal {
    /// `dlv_…`
    pub delivery_id: String,
    /// A problem's code.
    pub code: String,
    /// For people.
    pub detail: String,
}
