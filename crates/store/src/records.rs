//! What is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use upsert_core::{
    Customer, CustomerId, DeliveryId, ErrorKind, Evidence, FieldError, FieldFates, Ignored, KeyKind, MatchKey, Outcome,
    Priority, StateAtVendor, UpsertId, WaitingFor, Warning, WireRequest,
};

/// A customer as the merchant wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomerRecord {
    /// The gateway's id.
    pub id: CustomerId,
    /// Whose customer.
    pub merchant: String,
    /// Grows by one with each change that was not taken back.
    pub version: u64,
    /// Grows by one with each write of the row, for [`crate::Expect::Customer`].
    pub revision: u64,
    /// The record.
    pub customer: Customer,
    /// When it was first heard of.
    pub created_at: Timestamp,
    /// When the version was made.
    pub updated_at: Timestamp,
}

/// One version of a customer, accepted or refused.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryRecord {
    /// Whose.
    pub customer: CustomerId,
    /// The version that it made, or would have made.
    pub version: u64,
    /// The upsert that made it.
    pub upsert: UpsertId,
    /// When.
    pub at: Timestamp,
    /// By whom: an API key's name, a webhook source, an import.
    pub by: String,
    /// Whether every connection refused it, so that it was taken back.
    pub refused: bool,
    /// The record after it.
    pub record: Customer,
    /// By connection: vendors' records that it adopted for the customer.
    pub links: BTreeMap<String, String>,
    /// What could not be read in the request that made it, and was left out.
    pub ignored: Vec<Ignored>,
}

/// What the gateway knows of one customer at one connection, and what is under way there. There is at most one
/// delivery in flight and one that waits behind it: newer ones take the place of the latter.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// Whose.
    pub customer: CustomerId,
    /// The merchant.
    pub merchant: String,
    /// To where.
    pub connection: String,
    /// Grows by one with each write of the row, for [`crate::Expect::Lane`].
    pub revision: u64,
    /// The vendor's record, once it is known.
    pub link: Option<Link>,
    /// What the vendor last accepted from us.
    pub accepted: Accepted,
    /// Keys that are reserved for this customer here: what the vendor's record is known by, and what is on its way.
    pub reserved: BTreeSet<MatchKey>,
    /// Keys that the vendor's record is known by, or may be since a call of unknown outcome.
    #[serde(default)]
    pub known_by: BTreeSet<MatchKey>,
    /// While there is no link, but a lost call may have made a record: the keys that it has, whichever call made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sure_keys: Option<BTreeSet<MatchKey>>,
    /// Keys of records that may still be at the vendor, though no link leads to them any more.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub left_behind: BTreeSet<MatchKey>,
    /// The newest version of the customer that failed here.
    #[serde(default)]
    pub failed_version: u64,
    /// The newest version of the customer that a call may have brought to the vendor.
    #[serde(default)]
    pub brought: u64,
    /// What the call on its way carries: what may be at the vendor, should its outcome get lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sending: Option<Sending>,
    /// The delivery that is being sent.
    pub in_flight: Option<DeliveryId>,
    /// The delivery that comes next.
    pub queued: Option<DeliveryId>,
    /// Whether the latest delivery that ended failed.
    pub failed: bool,
    /// By the vendor's field: a value that an operator does not want to be sent there, until it changes again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub declined: BTreeMap<String, Json>,
    /// What was written to the vendor lately, oldest first, as long as events that come in may tell of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub written: Vec<Written>,
    /// By our pointer: the value that the vendor keeps in the place of the one it was last sent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept: BTreeMap<String, Json>,
    /// Links that a change of key left behind.
    pub superseded: Vec<Link>,
    /// When the vendor last accepted something.
    pub last_delivered_at: Option<Timestamp>,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("customer", &self.customer)
            .field("connection", &self.connection)
            .field("revision", &self.revision)
            .field("in_flight", &self.in_flight)
            .field("queued", &self.queued)
            .finish_non_exhaustive()
    }
}

impl Lane {
    /// Nothing is known and nothing is under way.
    pub fn new(merchant: &str, customer: CustomerId, connection: &str) -> Self {
        Self {
            customer,
            merchant: merchant.to_owned(),
            connection: connection.to_owned(),
            revision: 0,
            link: None,
            accepted: Accepted::default(),
            reserved: BTreeSet::new(),
            known_by: BTreeSet::new(),
            sure_keys: None,
            left_behind: BTreeSet::new(),
            failed_version: 0,
            brought: 0,
            sending: None,
            in_flight: None,
            queued: None,
            failed: false,
            declined: BTreeMap::new(),
            written: Vec::new(),
            kept: BTreeMap::new(),
            superseded: Vec::new(),
            last_delivered_at: None,
        }
    }
}

/// What one call carries, without its values.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sending {
    /// Keys that the vendor's record will be known by. What is reserved holds those of the delivery that waits behind it
    /// too.
    pub known_by: Vec<MatchKey>,
    /// The vendor's fields, each with our pointer.
    pub fields: BTreeMap<String, String>,
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.fields.keys()).finish()
    }
}

/// One write to a vendor, by which an event that tells of it is known again.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Written {
    /// When it was about to go out.
    pub at: Timestamp,
    /// The version of the customer that it was to bring.
    #[serde(default)]
    pub version: u64,
    /// Since when the vendor has known of it; none: it may not know of it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<Timestamp>,
    /// By our pointer: every form of the value that counts as ours. What an event has told of is taken out.
    pub forms: BTreeMap<String, Vec<Json>>,
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.forms.keys()).finish()
    }
}

/// Our customer ↔ the vendor's record.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The vendor's id.
    pub provider_customer_id: String,
    /// The key that it was made with.
    pub key: MatchKey,
    /// Whether another customer holds the same record.
    pub shared: bool,
    /// Set where the caller said that this is the customer's record there: how far the vendor has borne that out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Adopted>,
}

/// How far a link is borne out that a caller brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adopted {
    /// The caller has said so, with this upsert: no answer of the vendor's has named the record yet.
    Claimed(UpsertId),
    /// The vendor has answered with its id.
    Confirmed,
}

impl Link {
    /// The upsert that claimed it, while nothing but that speaks for it.
    pub fn claimed_by(&self) -> Option<UpsertId> {
        match self.adopted {
            Some(Adopted::Claimed(upsert)) => Some(upsert),
            _ => None,
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link(…)")
    }
}

/// What a vendor accepted from us, field by field, whenever that was. "No change, no call" compares with this.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Accepted {
    /// By the vendor's field: our pointer and the value as it was sent.
    pub fields: BTreeMap<String, AcceptedField>,
    /// Vendor fields that were sent with an unknown outcome since: they count as not accepted.
    pub uncertain: BTreeSet<String>,
}

/// One accepted value: our pointer, then the value.
pub type AcceptedField = (String, Json);

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.fields.keys()).finish()
    }
}

/// How far an upsert is, over its required connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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

impl UpsertState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Succeeded, Self::PartiallyFailed, Self::Failed];

    /// As it stands in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::PartiallyFailed => "partially_failed",
            Self::Failed => "failed",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// One accepted request to change one customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something of its own, and all are members in JSON"
)]
pub struct UpsertRecord {
    /// Its id.
    pub id: UpsertId,
    /// Whose customer.
    pub merchant: String,
    /// Which.
    pub customer: CustomerId,
    /// The customer's version after it.
    pub version: u64,
    /// Grows by one with each write of the row, for [`crate::Expect::Upsert`].
    pub revision: u64,
    /// How far it is.
    pub state: UpsertState,
    /// Whether the customer was new to the gateway.
    pub new_customer: bool,
    /// Whether it changed the customer at all.
    pub changed: bool,
    /// Whether the change was taken back, since every connection refused it.
    pub rolled_back: bool,
    /// Whether the merchant's endpoints are still to be told that it ended well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub owes_event: bool,
    /// By whom.
    pub by: String,
    /// The way by which it came; none where the record is older than this member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Through>,
    /// What could not be read and was left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<Ignored>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When its last delivery ended.
    pub ended_at: Option<Timestamp>,
}

/// The way by which an upsert came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Not tried.
    Pending,
    /// Being sent.
    InFlight,
    /// Accepted, or nothing had to be sent.
    Succeeded,
    /// Tried, due again at a known time.
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

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::InFlight,
        Self::Succeeded,
        Self::Retrying,
        Self::Waiting,
        Self::Superseded,
        Self::Failed,
        Self::Discarded,
    ];

    /// As it stands in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InFlight => "in_flight",
            Self::Succeeded => "succeeded",
            Self::Retrying => "retrying",
            Self::Waiting => "waiting",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Discarded => "discarded",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether nothing will happen to it by itself any more.
    pub const fn has_ended(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Superseded | Self::Failed | Self::Discarded
        )
    }
}

/// An upsert's work at one connection. What is not there is left out of its stored form: a delivery is written twice on
/// the way of an upsert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryRecord {
    /// Its id.
    pub id: DeliveryId,
    /// Of which upsert.
    pub upsert: UpsertId,
    /// Whose customer.
    pub merchant: String,
    /// Which customer.
    pub customer: CustomerId,
    /// To where.
    pub connection: String,
    /// The provider's name there.
    pub provider: String,
    /// Whether the upsert fails with it.
    pub required: bool,
    /// The customer's version that it set out to bring.
    pub version: u64,
    /// How far it is.
    pub state: DeliveryState,
    /// Why it waits, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<WaitingFor>,
    /// The newer one that goes in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<DeliveryId>,
    /// The older ones that it goes in the place of: their upserts end with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub took_over: Vec<DeliveryId>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// How that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// By which key the vendor found the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched_by: Option<KeyKind>,
    /// The vendor's id of the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_customer_id: Option<String>,
    /// Calls that were sent.
    pub attempts: u32,
    /// When it is due; none if it has ended, is in flight, or nobody can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// How long its calls took in all, in milliseconds.
    pub duration_ms: u64,
    /// What became of each field.
    pub fields: FieldFates,
    /// What the vendor cannot hold or do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<DeliveryError>,
    /// Whether to call even if nothing has changed.
    pub force: bool,
    /// How urgent.
    pub priority: Priority,
    /// Grows by one with each claim: a late result carries an old one and is refused.
    pub fence: u64,
    /// Until when whoever sends it has it for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Milliseconds that it spent waiting for a pause or a quota: they do not count against `max_age`.
    pub parked_ms: u64,
    /// Since when it has been waiting for a pause or a quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked_since: Option<Timestamp>,
    /// Whether any of its calls may have changed something at the vendor.
    #[serde(default)]
    pub maybe_written: bool,
    /// W3C trace context of the request that it came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// What went wrong, as the API shows it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryError {
    /// What it means.
    pub kind: ErrorKind,
    /// What the call may have done.
    pub state_at_vendor: StateAtVendor,
    /// The vendor's code.
    pub code: Option<String>,
    /// A sentence for the caller, with the vendor's words.
    pub detail: String,
    /// The HTTP status.
    pub vendor_status: Option<u16>,
    /// The vendor's id of the call.
    pub vendor_request_id: Option<String>,
    /// Fields that the vendor complains of.
    pub errors: Vec<FieldError>,
    /// The vendor's own document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_body: Option<Json>,
}

/// Leaves the vendor's words out: they may repeat a value.
impl fmt::Debug for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliveryError")
            .field("kind", &self.kind)
            .field("state_at_vendor", &self.state_at_vendor)
            .field("vendor_status", &self.vendor_status)
            .finish_non_exhaustive()
    }
}

/// One send. Written before the first byte goes out, so that a crash in between shows up as unknown.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// From 1.
    pub number: u32,
    /// The claim that it was made under.
    pub fence: u64,
    /// When it was about to go out.
    pub started_at: Timestamp,
    /// When it was over; none: nobody knows what became of it.
    pub ended_at: Option<Timestamp>,
    /// What came of it: an outcome's or an error kind's name.
    pub result: Option<String>,
    /// The HTTP status, of an acceptance too.
    pub vendor_status: Option<u16>,
    /// What an acceptance said beside the record: message, times and the like, in the vendor's own members.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub vendor_said: Map<String, Json>,
    /// What went out; none: the attempt is older than the keeping of requests, or, where it is put again, the one that
    /// is there stays.
    pub request: Option<SentRequest>,
    /// This attempt's own failure, where it ended badly.
    pub error: Option<DeliveryError>,
}

/// Leaves the vendor's words out: they may repeat a value.
impl fmt::Debug for AttemptRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptRecord")
            .field("delivery", &self.delivery)
            .field("number", &self.number)
            .field("fence", &self.fence)
            .field("started_at", &self.started_at)
            .field("ended_at", &self.ended_at)
            .field("result", &self.result)
            .field("vendor_status", &self.vendor_status)
            .field("request", &self.request)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// A request as the adapter worded it. Credentials are added on the way out and are not in it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct SentRequest {
    /// HTTP method, or the verb of whatever the vendor speaks.
    pub method: String,
    /// Path under the base URL.
    pub path: String,
    /// The body; null for none.
    pub body: Json,
}

/// Shows no more than the method: path and body hold personal data.
impl fmt::Debug for SentRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SentRequest({})", self.method)
    }
}

impl From<&WireRequest> for SentRequest {
    fn from(request: &WireRequest) -> Self {
        Self {
            method: request.method.clone(),
            path: request.path.clone(),
            body: request.body.clone(),
        }
    }
}

/// An idempotency key that was used.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// Hash over API key name, merchant, route and key.
    pub key: [u8; 32],
    /// Keyed fingerprint of the request.
    pub fingerprint: [u8; 32],
    /// Whose upsert it made.
    pub merchant: String,
    /// The upsert that it made.
    pub upsert: UpsertId,
    /// When it was first used.
    pub created_at: Timestamp,
    /// Until when it is kept.
    pub expires_at: Timestamp,
    /// The answer, once it is final.
    pub answer: Option<StoredAnswer>,
}

impl fmt::Debug for IdempotencyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyRecord")
            .field("upsert", &self.upsert)
            .finish_non_exhaustive()
    }
}

/// An answer to the letter.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// `Location`, if it had one.
    pub location: Option<String>,
    /// `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: String,
}

impl fmt::Debug for StoredAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredAnswer({}, {} bytes)", self.status, self.body.len())
    }
}

/// What is durable of a connection's own state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRecord {
    /// Whose.
    pub merchant: String,
    /// Which.
    pub connection: String,
    /// Set while nothing may be sent.
    pub pause: Option<Pause>,
    /// The last day on which endpoints were told that the quota is running out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_told: Option<Date>,
}

/// Why nothing may be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// `vendor` (401, 403) or `operator`.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
    /// A sentence for operators, free of personal data.
    pub reason: String,
    /// Fingerprint of credentials and configuration at that time: a change of it lifts a pause by the vendor.
    pub fingerprint: String,
}
