//! Deliveries: what became of an upsert at one connection, and what that proves.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use upsert_core::{
    CustomerId, DeliveryId, Differs, ErrorKind, Evidence, FieldError, FieldOutcomes, KeyKind, Outcome, StateAtVendor,
    UpsertId, WaitingFor, Warning,
};

use crate::cover::{Cover, Own};
use crate::masks::{
    cover_code, cover_json, cover_pointer, cover_some, cover_text, cover_value, cover_words, masked, masked_wholly,
};
use crate::said::first_line;
use crate::states::DeliveryState;

/// An upsert's work at one connection, and what it proved. (No `Debug`, here and below: it is about a person.)
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    /// `dlv_…`
    pub id: DeliveryId,
    /// The connection.
    pub connection: String,
    /// The provider.
    pub provider: String,
    /// Whether the upsert fails with it.
    pub required: bool,
    /// How it stands.
    pub state: DeliveryState,
    /// Why it waits.
    pub waiting_for: Option<WaitingFor>,
    /// The delivery that goes in its place.
    pub superseded_by: Option<DeliveryId>,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// How that is known.
    pub evidence: Option<Evidence>,
    /// What the vendor found its record by; null when it created.
    pub matched_by: Option<KeyKind>,
    /// The vendor's id of the record.
    pub provider_customer_id: Option<String>,
    /// Calls that were sent.
    pub attempts: u32,
    /// When it is due again.
    pub next_attempt_at: Option<Timestamp>,
    /// How long its calls took in all.
    pub duration_ms: u64,
    /// What became of each field.
    pub fields: FieldOutcomes,
    /// What this vendor cannot hold or do.
    pub warnings: Vec<Warning>,
    /// Why it failed, or failed last.
    pub error: Option<DeliveryError>,
}

/// A delivery, and whose it is.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ListedDelivery {
    /// As in the upsert's answer.
    #[serde(flatten)]
    pub delivery: Delivery,
    /// Whose customer.
    pub merchant_id: String,
    /// `cus_…`
    pub customer_id: CustomerId,
    /// `ups_…`
    pub upsert_id: UpsertId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A delivery, whose it is, and what was sent.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WholeDelivery {
    /// As in the list.
    #[serde(flatten)]
    pub listed: ListedDelivery,
    /// Its calls, in order. Those of deliveries that it took over stand there.
    pub attempt_log: Vec<Attempt>,
}

/// One call.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// When it was about to go out.
    pub started_at: Timestamp,
    /// When it was over; null: it is under way, or nobody knows what became of it.
    pub ended_at: Option<Timestamp>,
    /// An outcome, an error's kind, or `not_sent`; null: it is under way, or nobody knows.
    #[schema(value_type = Option<AttemptResult>)]
    pub result: Option<String>,
    /// HTTP status, of an acceptance too.
    pub vendor_status: Option<u16>,
    /// What an acceptance said beside the record: message, times and the like, in the vendor's own members.
    #[schema(value_type = Object, additional_properties = true)]
    pub vendor_said: Map<String, Json>,
    /// What went out, as the plan words it; null: the call was made before requests were kept.
    pub request: Option<SentRequest>,
    /// This call's own failure, with the vendor's words.
    pub error: Option<DeliveryError>,
}

/// What came of one call: an outcome, or an error's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum AttemptResult {
    /// A record was made.
    Created,
    /// A record was changed.
    Updated,
    /// One of the two; nobody can tell which.
    Upserted,
    /// Nothing had to be changed.
    Unchanged,
    /// The vendor refuses the data.
    Rejected,
    /// The vendor refuses the credentials.
    Unauthorised,
    /// The vendor asks to slow down.
    RateLimited,
    /// The day's calls are used up.
    QuotaSpent,
    /// It may work later.
    Transient,
    /// The answer is not what the vendor promises.
    BrokenContract,
    /// Nothing went out.
    NotSent,
}

/// What went out to the vendor. Credentials are never in it.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SentRequest {
    /// HTTP method.
    pub method: String,
    /// Path under the connection's base URL; null without `customers:read`.
    pub path: Option<String>,
    /// The body; without `customers:read` every value in it is `•••`.
    pub body: Json,
}

/// Why a delivery failed.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryError {
    /// What it means.
    pub kind: ErrorKind,
    /// What the call may have done to the vendor's record.
    pub state_at_vendor: StateAtVendor,
    /// The vendor's code.
    pub code: Option<String>,
    /// For people, with the vendor's words.
    pub detail: String,
    /// HTTP status.
    pub vendor_status: Option<u16>,
    /// The vendor's id of the call.
    pub vendor_request_id: Option<String>,
    /// Fields that the vendor complains of.
    pub errors: Vec<FieldError>,
    /// Headers of the vendor's answer that say more of a failure, such as `server`, `retry-after` and `cf-ray`: a fixed list of
    /// names, in lower case, each value at most 256 bytes. Of `location` the host alone is kept. Left out where there are none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vendor_headers: BTreeMap<String, String>,
    /// The vendor's own document, at most 4 KiB: JSON where it is JSON, else a text, which ends in `…` where it was cut.
    #[serde(default)]
    #[schema(value_type = Json, required = false)]
    pub vendor_body: Option<Json>,
}

impl DeliveryError {
    /// The first line of the vendor's own document, for lists; none: there was none.
    pub fn first_line(&self) -> Option<String> {
        self.vendor_body.as_ref().and_then(first_line)
    }
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

impl Cover for Delivery {
    fn cover(&mut self, own: Own<'_>) {
        // A vendor may take our reference for its id.
        cover_some(&mut self.provider_customer_id);
        let FieldOutcomes {
            confirmed,
            differs,
            unconfirmed,
        } = &mut self.fields;
        let pointers = confirmed.iter_mut().chain(unconfirmed);
        pointers.map(Cow::to_mut).for_each(cover_pointer);
        differs.cover(own);
        self.warnings.cover(own);
        self.error.cover(own);
    }
}

impl Cover for ListedDelivery {
    fn cover(&mut self, own: Own<'_>) {
        self.delivery.cover(own);
    }
}

impl Cover for WholeDelivery {
    fn cover(&mut self, own: Own<'_>) {
        self.listed.cover(own);
        self.attempt_log.cover(own);
    }
}

impl Cover for Attempt {
    fn cover(&mut self, own: Own<'_>) {
        cover_said(&mut self.vendor_said);
        self.request.cover(own);
        self.error.cover(own);
    }
}

impl Cover for SentRequest {
    /// A vendor's record may be named by the path, so that is shown wholly or not at all.
    fn cover(&mut self, _own: Own<'_>) {
        self.path = None;
        self.body = masked(&self.body);
    }
}

impl Cover for DeliveryError {
    /// The vendor's words may repeat a value.
    fn cover(&mut self, own: Own<'_>) {
        cover_code(&mut self.code);
        cover_code(&mut self.vendor_request_id);
        cover_words(&mut self.detail);
        self.errors.cover(own);
        self.vendor_headers.values_mut().for_each(cover_text);
        // Its members may be named after what was sent, too.
        self.vendor_body.iter_mut().for_each(cover_json);
    }
}

impl Cover for FieldError {
    fn cover(&mut self, _own: Own<'_>) {
        cover_words(&mut self.detail);
        cover_words(&mut self.vendor_field);
        self.pointer.iter_mut().for_each(cover_pointer);
    }
}

impl Cover for Differs {
    fn cover(&mut self, _own: Own<'_>) {
        cover_value(&self.pointer, &mut self.kept);
        cover_pointer(self.pointer.to_mut());
    }
}

impl Cover for Warning {
    fn cover(&mut self, _own: Own<'_>) {
        cover_pointer(self.pointer.to_mut());
    }
}

/// What a vendor said beside the record, but for the names of its members and for moments.
fn cover_said(said: &mut Map<String, Json>) {
    let whole = Json::Object(std::mem::take(said));
    let (Json::Object(mut covered), Json::Object(whole)) = (masked_wholly(&whole), whole) else {
        return;
    };
    for (name, value) in whole.into_iter().filter(|(_, value)| is_moment(value)) {
        // A name that is covered has no value of its own.
        if let Some(shown) = covered.get_mut(&name) {
            *shown = value;
        }
    }
    *said = covered;
}

/// When a record was made or changed says nothing of whose it is.
fn is_moment(value: &Json) -> bool {
    value.as_str().is_some_and(|text| text.parse::<Timestamp>().is_ok())
}

#[cfg(test)]
mod tests;
