//! How far a delivery is: a state, with what belongs to it and to no other. It is stored flat, beside the delivery's own
//! members.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use upsert_api::{DeliveryError, DeliveryState};
use upsert_core::{DeliveryId, ErrorKind, Evidence, FieldOutcomes, KeyKind, Outcome, StateAtVendor, WaitingFor};

/// How far a delivery is.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// Not tried.
    Pending {
        /// When it is to be.
        due: Timestamp,
    },
    /// Being sent.
    InFlight {
        /// Until when whoever sends it has it for itself; none: for good.
        lease_until: Option<Timestamp>,
    },
    /// Tried, or taken up again.
    Retrying {
        /// When it is tried again.
        due: Timestamp,
    },
    /// Not to be tried now.
    Waiting {
        /// Why.
        waiting_for: WaitingFor,
        /// When it is looked at again; none: once it is released.
        until: Option<Timestamp>,
    },
    /// The vendor has it.
    Succeeded(Box<Success>),
    /// A newer one goes in its place.
    Superseded {
        /// Which.
        by: DeliveryId,
        /// Since when.
        ended_at: Timestamp,
    },
    /// It failed for good.
    Failed {
        /// Of what.
        error: Box<DeliveryError>,
        /// When.
        ended_at: Timestamp,
    },
    /// An operator gave it up.
    Discarded {
        /// When it ended: before that, where it had failed.
        ended_at: Timestamp,
    },
}

/// What came of a delivery that the vendor has.
#[derive(Debug, Clone, PartialEq)]
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
#[serde(into = "Stored", try_from = "Stored")]
pub(super) struct Course {
    pub(super) progress: Progress,
    /// None where it has failed: then the progress says of what.
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

/// The members as they are stored: those of every state side by side.
#[derive(Serialize, Deserialize)]
struct Stored {
    state: DeliveryState,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_for: Option<WaitingFor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    superseded_by: Option<DeliveryId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Evidence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched_by: Option<KeyKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_customer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Timestamp>,
    fields: FieldOutcomes,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Box<DeliveryError>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
}

impl From<Course> for Stored {
    fn from(Course { progress, last_error }: Course) -> Self {
        let stored = Self {
            state: progress.state(),
            waiting_for: progress.waiting_for(),
            superseded_by: progress.superseded_by(),
            outcome: None,
            evidence: None,
            matched_by: None,
            provider_customer_id: None,
            next_attempt_at: progress.due(),
            fields: FieldOutcomes::default(),
            error: last_error,
            lease_until: progress.lease_until(),
            ended_at: progress.ended_at(),
        };
        match progress {
            Progress::Succeeded(success) => Self {
                outcome: Some(success.outcome),
                evidence: Some(success.evidence),
                matched_by: success.matched_by,
                provider_customer_id: success.provider_customer_id,
                fields: success.fields,
                ..stored
            },
            Progress::Failed { error, .. } => Self {
                error: Some(error),
                ..stored
            },
            _ => stored,
        }
    }
}

/// What no release has written is refused.
impl TryFrom<Stored> for Course {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let due = stored.next_attempt_at.ok_or("it is to be tried, and no time is there");
        let ended_at = stored.ended_at.ok_or("it has ended, and no time is there");
        let mut last_error = stored.error;
        let progress = match stored.state {
            DeliveryState::Pending => Progress::Pending { due: due? },
            DeliveryState::InFlight => Progress::InFlight {
                lease_until: stored.lease_until,
            },
            DeliveryState::Retrying => Progress::Retrying { due: due? },
            DeliveryState::Waiting => Progress::Waiting {
                waiting_for: stored.waiting_for.ok_or("it waits for nothing")?,
                until: stored.next_attempt_at,
            },
            DeliveryState::Succeeded => Progress::Succeeded(Box::new(Success {
                outcome: stored.outcome.ok_or("it succeeded without an outcome")?,
                evidence: stored.evidence.ok_or("it succeeded without evidence")?,
                matched_by: stored.matched_by,
                provider_customer_id: stored.provider_customer_id,
                fields: stored.fields,
                ended_at: ended_at?,
            })),
            DeliveryState::Superseded => Progress::Superseded {
                by: stored.superseded_by.ok_or("nothing goes in its place")?,
                ended_at: ended_at?,
            },
            DeliveryState::Failed => Progress::Failed {
                error: last_error.take().unwrap_or_else(|| Box::new(not_kept())),
                ended_at: ended_at?,
            },
            DeliveryState::Discarded => Progress::Discarded { ended_at: ended_at? },
        };
        Ok(Self { progress, last_error })
    }
}

/// Older releases kept no error where one of our own limits had ended a delivery.
fn not_kept() -> DeliveryError {
    DeliveryError {
        kind: ErrorKind::Transient,
        state_at_vendor: StateAtVendor::Unchanged,
        code: None,
        detail: "it was not sent; the release of that time did not keep why".to_owned(),
        vendor_status: None,
        vendor_request_id: None,
        errors: Vec::new(),
        vendor_body: None,
    }
}
