//! What a vendor answered to one call that somebody asked for now, and what follows from it.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use upsert_core::{DeliveryId, Outcome};

use crate::connection::Connection;
use crate::cover::{Cover, Own};
use crate::delivery::DeliveryError;

/// What a vendor answered to one call that was made now. One of `outcome` and `error` is null. (No `Debug`: the vendor's words
/// may be about a person.)
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Trial {
    /// What the vendor was called with.
    pub tried: TrialCall,
    /// The delivery, where it was one: `dlv_…`
    pub delivery_id: Option<DeliveryId>,
    /// What came of it; null: it failed.
    pub outcome: Option<TrialOutcome>,
    /// Why it failed, with the vendor's words; null: it did not.
    pub error: Option<DeliveryError>,
    /// The HTTP status of the vendor's answer; null: there was none, or it is not known.
    pub vendor_status: Option<u16>,
    /// How long it took, the queue for a place included.
    pub duration_ms: u64,
    /// What follows for what waits at the connection.
    pub follows: TrialFollows,
    /// All of it in a sentence for people, without the vendor's words.
    pub detail: String,
}

/// What a vendor was called with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TrialCall {
    /// The oldest delivery that waited and could go.
    Delivery,
    /// A read of one record: nothing waited that could go.
    Read,
}

/// What came of a call that the vendor took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TrialOutcome {
    /// A record was made.
    Created,
    /// A record was changed.
    Updated,
    /// One of the two; nobody can tell which.
    Upserted,
    /// The record was so already.
    Unchanged,
    /// The vendor answered the read.
    Read,
}

impl From<Outcome> for TrialOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Created => Self::Created,
            Outcome::Updated => Self::Updated,
            Outcome::Upserted => Self::Upserted,
            Outcome::Unchanged => Self::Unchanged,
        }
    }
}

/// What follows from a call for what waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TrialFollows {
    /// The vendor is there: what waits goes out now.
    Drains,
    /// It is not, or says that it wants to wait: what waits is tried again by itself.
    Waits,
    /// It refuses the credentials: the connection is paused.
    Paused,
}

/// A connection after a call that was asked for.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TriedConnection {
    /// What came of the call.
    #[serde(flatten)]
    pub trial: Trial,
    /// The connection as it is now.
    pub connection: Connection,
}

/// A connection that goes on, and what the vendor answered to the first call.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResumedConnection {
    /// As it is now.
    #[serde(flatten)]
    pub connection: Connection,
    /// What came of one call that was made before anything else; null: none was.
    pub trial: Option<Trial>,
    /// Why none was; null: one was.
    pub not_tried: Option<String>,
}

impl ResumedConnection {
    /// What came of the first call, in a sentence for people.
    pub fn first_call(&self) -> String {
        match (&self.trial, &self.not_tried) {
            (Some(trial), _) => trial.detail.clone(),
            (None, Some(why)) => format!("no call was made first: {why}"),
            (None, None) => "no call was made first".to_owned(),
        }
    }
}

impl Cover for Trial {
    fn cover(&mut self, own: Own<'_>) {
        self.error.cover(own);
    }
}

impl Cover for TriedConnection {
    fn cover(&mut self, own: Own<'_>) {
        self.trial.cover(own);
    }
}

impl Cover for ResumedConnection {
    fn cover(&mut self, own: Own<'_>) {
        self.trial.cover(own);
    }
}
