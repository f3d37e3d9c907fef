//! An event on its way to an endpoint.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use upsert_api::{FailedAttempt, OutgoingFilter, OutgoingState};
use upsert_core::EventId;

use crate::Expect;
use crate::delivery::{DeliveryRecord, is_among, is_wanted};

/// No process has one for itself for longer: a claim that says so was made by a clock that was wrong.
const LONGEST_CLAIM: SignedDuration = SignedDuration::from_hours(1);

/// So many of the newest tries that failed are kept: as many as are made before it is given up.
pub const MOST_ANSWERS: usize = 10;

/// One event on its way to one endpoint. How far it is changes by the methods below alone.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct OutgoingEvent {
    /// Its id: the endpoint sees the same one with every try.
    pub id: EventId,
    /// Whose.
    pub merchant: String,
    /// The endpoint's name.
    pub endpoint: String,
    /// What happened, such as `customer.upserted`.
    pub kind: String,
    revision: u64,
    progress: Progress,
    /// When it happened.
    pub created_at: Timestamp,
    attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_attempt_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replayed_at: Option<Timestamp>,
    /// Until when one of several processes has it for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    failed_attempts: Vec<FailedAttempt>,
    /// What it is a part of; none: nobody asked for what it tells of, or not within a trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<EventTrace>,
    body: String,
}

/// The request that made what an event tells of, as W3C Trace Context has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTrace {
    /// Its `traceparent`.
    pub traceparent: String,
    /// What other systems of tracing say of that trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
    /// When it was made.
    pub made_at: Timestamp,
}

impl EventTrace {
    /// Of the request that this delivery came with.
    pub fn of(delivery: &DeliveryRecord) -> Option<Self> {
        delivery.traceparent.clone().map(|traceparent| Self {
            traceparent,
            tracestate: delivery.tracestate.clone(),
            made_at: delivery.created_at,
        })
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Progress {
    /// Not tried.
    Pending {
        /// When it is to be.
        due: Timestamp,
    },
    /// Tried.
    Retrying {
        /// When it is tried again.
        due: Timestamp,
    },
    /// The endpoint took it.
    Succeeded {
        /// When.
        ended_at: Timestamp,
    },
    /// It was given up: a dead letter.
    Failed {
        /// When.
        ended_at: Timestamp,
    },
    /// An operator gave the dead letter up.
    Discarded {
        /// When it had failed.
        ended_at: Timestamp,
    },
}

/// Leaves the body out: it is personal data.
impl fmt::Debug for OutgoingEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingEvent")
            .field("id", &self.id)
            .field("endpoint", &self.endpoint)
            .field("kind", &self.kind)
            .field("state", &self.state())
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

impl OutgoingEvent {
    /// A new one, due at once. `body`: what is sent, to the letter.
    pub fn new(id: EventId, merchant: &str, endpoint: &str, kind: &str, body: String, now: Timestamp) -> Self {
        Self {
            id,
            merchant: merchant.to_owned(),
            endpoint: endpoint.to_owned(),
            kind: kind.to_owned(),
            revision: 1,
            progress: Progress::Pending { due: now },
            created_at: now,
            attempts: 0,
            last_attempt_at: None,
            last_status: None,
            last_error: None,
            replayed_at: None,
            lease_until: None,
            failed_attempts: Vec::new(),
            trace: None,
            body,
        }
    }

    /// Begins a change: whoever writes the row says that it is as it was read, and counts its revision up.
    #[must_use]
    pub const fn change(&mut self) -> Expect {
        let revision = self.revision;
        self.revision += 1;
        Expect::OutgoingEvent { id: self.id, revision }
    }

    /// One of several processes takes it, to send it. Should that process die, it is due again then.
    pub fn claim(&mut self, lease_until: Timestamp) {
        self.expects(&[OutgoingState::Pending, OutgoingState::Retrying]);
        if let Progress::Pending { due } | Progress::Retrying { due } = &mut self.progress {
            *due = lease_until;
        }
        self.lease_until = Some(lease_until);
    }

    /// Who took it ends, and does not know whether the endpoint got it: it is due at once, to whoever takes it next.
    pub fn give_back(&mut self, now: Timestamp) {
        self.expects(&[OutgoingState::Pending, OutgoingState::Retrying]);
        if let Progress::Pending { due } | Progress::Retrying { due } = &mut self.progress {
            *due = now;
        }
        self.lease_until = None;
    }

    /// Whether a process has it for itself.
    pub fn is_claimed(&self, now: Timestamp) -> bool {
        let is_held = |until: Timestamp| until > now && until.duration_since(now) <= LONGEST_CLAIM;
        self.lease_until.is_some_and(is_held)
    }

    /// It was tried; what that leads to is said next.
    pub fn note_try(&mut self, status: Option<u16>, error: Option<String>, now: Timestamp) {
        self.attempts += 1;
        self.lease_until = None;
        self.last_attempt_at = Some(now);
        self.last_status = status;
        self.last_error = error;
    }

    /// What the endpoint said to the try that was noted last.
    pub fn keep_answer(&mut self, failed: FailedAttempt) {
        let too_many = (self.failed_attempts.len() + 1).saturating_sub(MOST_ANSWERS);
        self.failed_attempts.drain(..too_many);
        self.failed_attempts.push(failed);
    }

    /// The endpoint took it. What was taken is not kept: it is personal data that nobody needs any more.
    pub fn succeed(&mut self, now: Timestamp) {
        self.expects(&[OutgoingState::Pending, OutgoingState::Retrying]);
        self.progress = Progress::Succeeded { ended_at: now };
        self.forget_words();
    }

    /// What is sent, and what the endpoint said, which may repeat it.
    fn forget_words(&mut self) {
        self.body.clear();
        for failed in &mut self.failed_attempts {
            failed.headers.clear();
            failed.body = None;
        }
    }

    /// It is tried again.
    pub fn retry_at(&mut self, due: Timestamp) {
        self.expects(&[OutgoingState::Pending, OutgoingState::Retrying]);
        self.progress = Progress::Retrying { due };
    }

    /// It is a dead letter from now on.
    pub fn give_up(&mut self, why: &str, now: Timestamp) {
        self.expects(&[OutgoingState::Pending, OutgoingState::Retrying]);
        self.progress = Progress::Failed { ended_at: now };
        self.lease_until = None;
        self.last_error = Some(why.to_owned());
    }

    /// A dead letter starts anew, with the same id: its tries and its age count from now on.
    pub fn replay(&mut self, now: Timestamp) {
        self.expects(&[OutgoingState::Failed]);
        self.progress = Progress::Pending { due: now };
        self.attempts = 0;
        self.replayed_at = Some(now);
    }

    /// A dead letter is given up. What it would have told is not kept.
    pub fn discard(&mut self) {
        self.expects(&[OutgoingState::Failed]);
        if let Progress::Failed { ended_at } = self.progress {
            self.progress = Progress::Discarded { ended_at };
            self.forget_words();
        }
    }

    fn expects(&self, states: &[OutgoingState]) {
        debug_assert!(states.contains(&self.state()), "{} is {}", self.id, self.state());
    }

    /// Grows by one with each write of the row, for [`Expect::OutgoingEvent`].
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// How far it is, in a word.
    pub const fn state(&self) -> OutgoingState {
        match self.progress {
            Progress::Pending { .. } => OutgoingState::Pending,
            Progress::Retrying { .. } => OutgoingState::Retrying,
            Progress::Succeeded { .. } => OutgoingState::Succeeded,
            Progress::Failed { .. } => OutgoingState::Failed,
            Progress::Discarded { .. } => OutgoingState::Discarded,
        }
    }

    /// When it is due; none once it has ended.
    pub const fn next_attempt_at(&self) -> Option<Timestamp> {
        match self.progress {
            Progress::Pending { due } | Progress::Retrying { due } => Some(due),
            _ => None,
        }
    }

    /// When it ended.
    pub const fn ended_at(&self) -> Option<Timestamp> {
        match self.progress {
            Progress::Pending { .. } | Progress::Retrying { .. } => None,
            Progress::Succeeded { ended_at } | Progress::Failed { ended_at } | Progress::Discarded { ended_at } => {
                Some(ended_at)
            }
        }
    }

    /// Tries so far, or since it was replayed.
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// From when on its age counts.
    pub fn begun_at(&self) -> Timestamp {
        self.replayed_at.unwrap_or(self.created_at)
    }

    /// When it was last tried.
    pub const fn last_attempt_at(&self) -> Option<Timestamp> {
        self.last_attempt_at
    }

    /// What the endpoint answered last.
    pub const fn last_status(&self) -> Option<u16> {
        self.last_status
    }

    /// What went wrong last, free of personal data.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// The tries that failed, in order, at most [`MOST_ANSWERS`] of them; also those before it was replayed.
    pub fn failed_attempts(&self) -> &[FailedAttempt] {
        &self.failed_attempts
    }

    /// What is sent, to the letter; empty once nobody needs it any more.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Whether the filter means it.
    pub fn matches(&self, filter: &OutgoingFilter) -> bool {
        is_among(filter.merchants.as_ref(), &self.merchant)
            && is_wanted(filter.endpoint.as_ref(), &&self.endpoint)
            && is_wanted(filter.r#type.as_ref(), &&self.kind)
            && (filter.state.is_empty() || filter.state.contains(&self.state()))
            && filter.since.is_none_or(|since| self.created_at >= since)
            && filter.until.is_none_or(|until| self.created_at < until)
    }
}
