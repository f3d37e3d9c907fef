//! Deliveries: what became of an upsert at one connection.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// An upsert's work at one connection, and what it proved.
#[derive(Debug, Serialize, ToSchema)]
pub struct Delivery {
    /// `dlv_…`
    pub id: String,
    /// The connection.
    pub connection: String,
    /// The provider.
    pub provider: String,
    /// Whether the upsert fails with it.
    pub required: bool,
    /// How it stands.
    pub state: DeliveryState,
    /// `paused`, `quota`, `rate_limit`, `breaker` or `predecessor`.
    pub waiting_for: Option<String>,
    /// The delivery that goes in its place.
    pub superseded_by: Option<String>,
    /// `created`, `updated`, `upserted` or `unchanged`.
    pub outcome: Option<String>,
    /// `vendor_said`, `link`, `inferred` or `none`.
    pub evidence: Option<String>,
    /// `id`, `reference`, `email` or `phone`; null when it created.
    pub matched_by: Option<String>,
    /// The vendor's id of the record.
    pub provider_customer_id: Option<String>,
    /// Calls that were sent.
    pub attempts: u32,
    /// When it is due again.
    #[schema(format = DateTime)]
    pub next_attempt_at: Option<String>,
    /// How long the last call took.
    pub duration_ms: Option<u64>,
    /// What became of each field.
    pub fields: FieldFates,
    /// What this vendor cannot hold or do.
    pub warnings: Vec<Warning>,
    /// Why it failed, or failed last.
    pub error: Option<DeliveryError>,
}

/// How a delivery stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Not tried.
    Pending,
    /// Being sent.
    InFlight,
    /// Accepted, or nothing had to be sent.
    Succeeded,
    /// Due again at a known time.
    Retrying,
    /// Not to be tried now.
    Waiting,
    /// A newer one goes in its place.
    Superseded,
    /// Failed for good.
    Failed,
    /// An operator gave it up.
    Discarded,
}

/// What the vendor's echo shows of the fields that were sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldFates {
    /// Came back as sent.
    pub confirmed: Vec<String>,
    /// Came back otherwise.
    pub differs: Vec<Differs>,
    /// Not shown.
    pub unconfirmed: Vec<String>,
}

/// A field that the vendor keeps otherwise.
#[derive(Debug, Serialize, ToSchema)]
pub struct Differs {
    /// JSON Pointer.
    pub pointer: String,
    /// What the vendor kept.
    pub kept: Value,
}

/// It never fails a delivery.
#[derive(Debug, Serialize, ToSchema)]
pub struct Warning {
    /// `unsupported_field`, `cannot_clear`, `tags_are_merged`, `may_be_cut`, `key_is_shared`, `new_record`, `placeholder`,
    /// `unlikely_phone`, `may_not_know_country` or `link_is_checked_afterwards`.
    pub code: String,
    /// JSON Pointer.
    pub pointer: String,
    /// For people.
    pub detail: String,
}

/// Why a delivery failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryError {
    /// What it means.
    pub kind: ErrorKind,
    /// `unchanged` or `unknown`.
    pub state_at_vendor: String,
    /// The vendor's code.
    pub code: Option<String>,
    /// For people.
    pub detail: String,
    /// HTTP status.
    pub vendor_status: Option<u16>,
    /// The vendor's id of the call.
    pub vendor_request_id: Option<String>,
    /// Fields that the vendor complains of.
    pub errors: Vec<FieldError>,
    /// The vendor's own document, at most 8 KiB: JSON where it is JSON, else a text, which ends in `…` where it was cut.
    pub vendor_body: Value,
}

/// What a failure means.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The vendor refuses the data.
    Rejected,
    /// The vendor refuses the credentials.
    Unauthorised,
    /// The vendor asks to slow down.
    RateLimited,
    /// The day's calls are used up.
    QuotaSpent,
    /// It may go better later.
    Transient,
    /// The answer cannot be understood.
    BrokenContract,
}

/// A field that the vendor complains of.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON Pointer of our field.
    pub pointer: Option<String>,
    /// The vendor's name of it.
    pub vendor_field: String,
    /// The vendor's words.
    pub detail: String,
}
