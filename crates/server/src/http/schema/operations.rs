//! Providers, connections, the process.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::ErrorKind;

/// All providers.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderPage {
    /// By name.
    pub data: Vec<Provider>,
    /// Always null: it is one page.
    pub next_cursor: Option<String>,
}

/// What a provider can do.
#[derive(Debug, Serialize, ToSchema)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent fact about a vendor"
)]
pub struct Provider {
    /// Its name in the configuration.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// The vendor's own page.
    pub docs_url: String,
    /// Where it is unless a connection says otherwise.
    pub default_base_url: String,
    /// The shapes of request it knows, by kind of customer.
    pub forms: Vec<Form>,
    /// Whether its answer tells a created record from an updated one.
    pub tells_created_from_updated: bool,
    /// Whether it can clear a field.
    pub can_clear: bool,
    /// Whether it adds tags and removes none.
    pub merges_tags: bool,
    /// Whether a known record is updated by the vendor's id, so that its match keys may change.
    pub updates_by_id: bool,
    /// Whether it can read what the vendor holds.
    pub can_read: bool,
    /// `changed` or `full`.
    pub default_payload: String,
    /// Names of its credentials.
    pub credentials: Vec<String>,
    /// Vendor fields that `provider_fields` may not name.
    pub protected: Vec<String>,
    /// Calls a day that the vendor is known to allow.
    pub known_daily_limit: Option<u32>,
}

/// One shape of request.
#[derive(Debug, Serialize, ToSchema)]
pub struct Form {
    /// `person`, `organisation`.
    pub kinds: Vec<String>,
    /// Where each field goes.
    pub fields: Vec<FieldMap>,
    /// Pointers of fields that it asks for.
    pub required_fields: Vec<String>,
    /// What the vendor matches by, in its order.
    pub match_keys: Vec<String>,
}

/// Where one field goes.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldMap {
    /// Ours, as a JSON Pointer.
    pub pointer: String,
    /// The vendor's.
    pub vendor_field: String,
    /// Whether the vendor asks for it.
    pub required: bool,
    /// Longer texts may be cut by the vendor.
    pub soft_limit: Option<u64>,
    /// Whether it can be read back.
    pub readable: bool,
}

/// All connections that the key may see.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionPage {
    /// By merchant.
    pub data: Vec<ConnectionHealth>,
    /// Always null: it is one page.
    pub next_cursor: Option<String>,
}

/// How a connection is doing.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionHealth {
    /// Whose.
    pub merchant_id: String,
    /// Its name.
    pub name: String,
    /// The provider.
    pub provider: String,
    /// Whether upserts fail with it.
    pub required: bool,
    /// In one word.
    pub state: ConnectionState,
    /// `vendor` or `operator`.
    pub paused_by: Option<String>,
    /// Since when.
    #[schema(format = DateTime)]
    pub paused_since: Option<String>,
    /// Why.
    pub pause_reason: Option<String>,
    /// Deliveries that wait.
    pub waiting: u64,
    /// Deliveries that are being sent.
    pub in_flight: u64,
    /// How old the oldest of those that wait is.
    pub oldest_waiting_seconds: Option<i64>,
    /// When what waits will be through, as far as limits, quota and the vendor's usual latency tell. `null`: nothing
    /// waits, the connection is paused, or nothing is known of its pace.
    #[schema(format = DateTime)]
    pub through_at: Option<String>,
    /// Deliveries that failed for good and that nobody has replayed or discarded.
    pub dead_letters: u64,
    /// The circuit breaker.
    pub breaker: BTreeMap<String, Value>,
    /// Limits, and what is left of them and of the day's quota.
    pub rate_limit: BTreeMap<String, Value>,
    /// Calls at the same time.
    pub concurrency: BTreeMap<String, Value>,
    /// Last success and failure, latency.
    pub health: BTreeMap<String, Value>,
}

/// A connection's state in one word.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// Well.
    Healthy,
    /// Some calls fail.
    Degraded,
    /// A limit holds it back.
    Throttled,
    /// The breaker is open.
    Open,
    /// By the vendor's refusal, or by an operator.
    Paused,
    /// The day's calls are used up.
    QuotaSpent,
}

/// What a connection's deliveries failed of.
#[derive(Debug, Serialize, ToSchema)]
pub struct CausePage {
    /// The most frequent one first.
    pub data: Vec<Cause>,
}

/// Deliveries that failed of the same.
#[derive(Debug, Serialize, ToSchema)]
pub struct Cause {
    /// What the error means.
    pub kind: ErrorKind,
    /// The vendor's code, or one of ours.
    pub code: Option<String>,
    /// How many deliveries.
    pub count: u64,
    /// For people, of the newest one: with the vendor's words.
    pub sample_detail: String,
    /// The newest one: `dlv_…`
    pub newest_delivery_id: String,
    /// When that was made.
    #[schema(format = DateTime)]
    pub newest_at: String,
    /// How many are `failed`, `retrying` and `waiting`; a state without any is left out.
    pub states: BTreeMap<String, u64>,
}

/// The process lives.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alive {
    /// `alive`.
    pub status: String,
}

/// Requests are welcome.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ready {
    /// `ready`.
    pub status: String,
    /// What is served.
    pub configuration: ReadyConfiguration,
    /// `reachable`.
    pub store: String,
    /// `done`.
    pub migrations: String,
    /// `off`: nothing that is stored is sealed.
    pub encryption: String,
}

/// Which configuration is served.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReadyConfiguration {
    /// Grows with each one taken over.
    pub generation: u64,
    /// How many it has.
    pub merchants: u64,
    /// `taken_over`, or `refused`: the files say something that is wrong.
    pub last_reading: String,
}

/// What is logged.
#[derive(Debug, Serialize, ToSchema)]
pub struct Logs {
    /// In force: a level, or directives such as `info,upsert_app=debug`.
    pub filter: String,
    /// What the configuration, or whoever started the process, says.
    pub configured: String,
    /// When the configured one comes back; null: not by itself.
    #[schema(format = DateTime)]
    pub until: Option<String>,
}

/// What is to be logged from now on.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogsChange {
    /// A level, or directives such as `info,upsert_app=debug`.
    pub filter: String,
    /// From `1s` to `24h`, such as `15m`; after it the configured filter comes back. None: it does not by itself.
    #[serde(rename = "for")]
    #[schema(required = false)]
    pub length: Option<String>,
}
