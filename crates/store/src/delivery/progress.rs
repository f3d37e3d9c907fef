//! How far a delivery is: a state, with what belongs to it and to no other.

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::microsecond as timestamp;
use serde::{Deserialize, Serialize};

use upsert_api::{DeliveryError, DeliveryState};
use upsert_core::{DeliveryId, Evidence, FieldOutcomes, KeyKind, Outcome, WaitingFor};

/// How far a delivery is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Not tried.
    Pending {
        /// When it is to be.
        #[serde(with = "timestamp::required")]
        due: Timestamp,
    },
    /// Being sent.
    InFlight {
        /// Until when whoever sends it has it for itself; none: for good.
        #[serde(with = "timestamp::optional")]
        lease_until: Option<Timestamp>,
    },
    /// Tried, or taken up again.
    Retrying {
        /// When it is tried again.
        #[serde(with = "timestamp::required")]
        due: Timestamp,
    },
    /// Not to be tried now.
    Waiting {
        /// Why.
        waiting_for: WaitingFor,
        /// When it is looked at again; none: once it is released.
        #[serde(with = "timestamp::optional")]
        until: Option<Timestamp>,
    },
    /// The vendor has it.
    Succeeded(Box<Success>),
    /// A newer one goes in its place.
    Superseded {
        /// Which.
        by: DeliveryId,
        /// Since when.
        #[serde(with = "timestamp::required")]
        ended_at: Timestamp,
    },
    /// It failed for good.
    Failed {
        /// Of what.
        error: Box<DeliveryError>,
        /// When.
        #[serde(with = "timestamp::required")]
        ended_at: Timestamp,
    },
    /// An operator gave it up.
    Discarded {
        /// When it ended: before that, where it had failed.
        #[serde(with = "timestamp::required")]
        ended_at: Timestamp,
    },
}

/// What came of a delivery that the vendor has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Success {
    /// Created, updated or nothing to do.
    pub outcome: Outcome,
    /// How that is known.
    pub evidence: Evidence,
    /// By which key the vendor found the record.
    pub matched_by: Option<KeyKind>,
    /// The vendor's id of the record; none where it has none of the customer, since nothing is wanted there.
    pub provider_customer_id: Option<String>,
    /// What became of each field.
    pub fields: FieldOutcomes,
    /// When it ended.
    #[serde(with = "timestamp::required")]
    pub ended_at: Timestamp,
}

impl Progress {
    /// In a word.
    pub const fn state(&self) -> DeliveryState {
        match self {
            Self::Pending { .. } => DeliveryState::Pending,
            Self::InFlight { .. } => DeliveryState::InFlight,
            Self::Retrying { .. } => DeliveryState::Retrying,
            Self::Waiting { .. } => DeliveryState::Waiting,
            Self::Succeeded(_) => DeliveryState::Succeeded,
            Self::Superseded { .. } => DeliveryState::Superseded,
            Self::Failed { .. } => DeliveryState::Failed,
            Self::Discarded { .. } => DeliveryState::Discarded,
        }
    }

    pub(super) const fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Pending { due } | Self::Retrying { due } => Some(*due),
            Self::Waiting { until, .. } => *until,
            _ => None,
        }
    }

    pub(super) fn ended_at(&self) -> Option<Timestamp> {
        match self {
            Self::Succeeded(success) => Some(success.ended_at),
            Self::Superseded { ended_at, .. } | Self::Failed { ended_at, .. } | Self::Discarded { ended_at } => {
                Some(*ended_at)
            }
            _ => None,
        }
    }

    pub(super) const fn waiting_for(&self) -> Option<WaitingFor> {
        match self {
            Self::Waiting { waiting_for, .. } => Some(*waiting_for),
            _ => None,
        }
    }

    pub(super) const fn superseded_by(&self) -> Option<DeliveryId> {
        match self {
            Self::Superseded { by, .. } => Some(*by),
            _ => None,
        }
    }

    pub(super) const fn lease_until(&self) -> Option<Timestamp> {
        match self {
            Self::InFlight { lease_until } => *lease_until,
            _ => None,
        }
    }

    pub(super) fn success(&self) -> Option<&Success> {
        match self {
            Self::Succeeded(success) => Some(success),
            _ => None,
        }
    }
}

/// How far a delivery is, and what went wrong before that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Course {
    pub(super) progress: Progress,
    /// None where it has failed: then the progress says of what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_error: Option<Box<DeliveryError>>,
}

impl Course {
    pub(super) fn error(&self) -> Option<&DeliveryError> {
        match &self.progress {
            Progress::Failed { error, .. } => Some(error),
            _ => self.last_error.as_deref(),
        }
    }

    /// On to the next state. Of what it had failed is remembered.
    pub(super) fn go_on(&mut self, next: Progress) {
        if let Progress::Failed { error, .. } = std::mem::replace(&mut self.progress, next) {
            self.last_error = Some(error);
        }
        if matches!(self.progress, Progress::Failed { .. }) {
            self.last_error = None;
        }
    }
}
