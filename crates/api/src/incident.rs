//! Outages of one connection, from the first failure until what waited is drained.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use utoipa::{IntoParams, ToSchema};

use upsert_core::{CustomerId, DeliveryId, ErrorKind, IncidentId};

use crate::connection::PausedBy;
use crate::cover::{Cover, Own};
use crate::delivery::DeliveryError;
use crate::filter::{Filter, Reader, Texts, joined, texts};

/// Whether an incident is over.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema
)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum IncidentState {
    /// The vendor fails or refuses, or what waited for it is still being sent.
    Open,
    /// The vendor answers, and what waited is sent.
    Ended,
}

/// What happened in an incident.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema
)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum IncidentEventKind {
    /// The first call failed.
    Began,
    /// The breaker opened: calls were held back.
    Down,
    /// A call that was let through to find out failed, too.
    StillDown,
    /// The vendor took a call again.
    Answering,
    /// Nothing was sent any more, because the vendor refused the credentials or somebody said so.
    Paused,
    /// The pause was over.
    Resumed,
    /// The gateway was started anew.
    Restarted,
    /// What waited was sent.
    Ended,
}

/// Something that happened in an incident, once or several times in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IncidentEvent {
    /// When, the first time.
    pub at: Timestamp,
    /// What.
    pub kind: IncidentEventKind,
    /// How often in a row.
    pub times: u32,
    /// When, the last time.
    pub last_at: Timestamp,
    /// The HTTP status of the vendor's answer; null: it gave none, or none is told of.
    pub vendor_status: Option<u16>,
    /// Of a pause: who said so.
    pub by: Option<PausedBy>,
    /// Of a pause: why.
    pub reason: Option<String>,
}

/// What the vendor answered to one call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VendorWords {
    /// When.
    pub at: Timestamp,
    /// For which delivery.
    pub delivery_id: DeliveryId,
    /// What it said.
    pub error: DeliveryError,
}

/// An outage of one connection, as a list tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListedIncident {
    /// `inc_…`
    pub incident_id: IncidentId,
    /// Whose connection.
    pub merchant_id: String,
    /// Which.
    pub connection: String,
    /// Whether it is over.
    pub state: IncidentState,
    /// The first failure.
    pub began_at: Timestamp,
    /// Since when the vendor answers again; null: it does not, as far as is known.
    pub answering_since: Option<Timestamp>,
    /// When what waited was sent; null: the incident is open.
    pub ended_at: Option<Timestamp>,
    /// Calls that failed.
    pub failures: u64,
    /// HTTP status of the last one; null: there was no answer.
    pub vendor_status: Option<u16>,
    /// What the last failure means; null: nothing failed, the connection is paused.
    pub error_kind: Option<ErrorKind>,
}

/// An outage of one connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Incident {
    #[serde(flatten)]
    /// What the list tells.
    pub listed: ListedIncident,
    /// What happened, oldest first.
    pub timeline: Vec<IncidentEvent>,
    /// Entries of the timeline that were left out in its middle, because there were too many.
    pub timeline_left_out: u64,
    /// What the vendor answered to the first call that failed.
    pub first_words: Option<VendorWords>,
    /// What it answered to the last one.
    pub last_words: Option<VendorWords>,
    /// Whose deliveries failed or had to wait.
    pub touched: Touched,
    /// A text for the vendor's support: what failed, when, how often, with the vendor's own ids of its answers. It holds no
    /// personal data.
    pub message: String,
}

/// Whom an incident touched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Touched {
    /// Customers with a delivery that failed or had to wait.
    pub customers: u64,
    /// The first 200 of them. Of one that was erased the id is left.
    pub customer_ids: Vec<CustomerId>,
    /// Deliveries that failed or had to wait.
    pub deliveries: u64,
    /// How many of them were not sent on their own, because a newer one of the same customer went in their place.
    pub coalesced: u64,
    /// Whether that is all: of more than 10,000 deliveries the newest are counted.
    pub is_all: bool,
}

impl Cover for VendorWords {
    fn cover(&mut self, own: Own<'_>) {
        self.error.cover(own);
    }
}

impl Cover for Incident {
    fn cover(&mut self, own: Own<'_>) {
        self.first_words.cover(own);
        self.last_words.cover(own);
    }
}

/// Which incidents to list; every filter that is given has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct IncidentFilter {
    /// Only of these merchants; none: of all.
    #[param(ignore)]
    pub merchants: Option<BTreeSet<String>>,
    /// Only of this merchant.
    pub merchant: Option<String>,
    /// The connection's name.
    pub connection: Option<String>,
    /// One state or both, with a comma between.
    #[param(style = Form, explode = false, value_type = Option<Vec<IncidentState>>, example = json!(["open"]))]
    pub state: BTreeSet<IncidentState>,
}

impl Filter for IncidentFilter {
    const NAMES: &'static [&'static str] = &["merchant", "connection", "state"];

    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            merchants: None,
            merchant: reader.text("merchant"),
            connection: reader.text("connection"),
            state: reader.words("state"),
        }
    }
}

impl IncidentFilter {
    /// As it is written.
    pub fn texts(&self) -> Texts {
        texts([
            ("merchant", self.merchant.clone()),
            ("connection", self.connection.clone()),
            ("state", joined(&self.state)),
        ])
    }

    /// The merchants whose incidents may match; none: all.
    pub fn of_merchants(&self) -> Option<BTreeSet<String>> {
        match (&self.merchant, &self.merchants) {
            (None, seen) => seen.clone(),
            (Some(merchant), Some(seen)) if !seen.contains(merchant) => Some(BTreeSet::new()),
            (Some(merchant), _) => Some([merchant.clone()].into()),
        }
    }

    /// Whether those that have ended are meant; none: all are.
    pub fn has_ended(&self) -> Option<bool> {
        let mut states = self.state.iter();
        match (states.next(), states.next()) {
            (Some(state), None) => Some(*state == IncidentState::Ended),
            _ => None,
        }
    }
}
