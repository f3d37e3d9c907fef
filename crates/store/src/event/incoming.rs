//! An event that came in, and what became of it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use upsert_api::{Cover as _, EventProblem, IncomingFilter, IncomingState, Own};
use upsert_core::{CustomerId, EventId, Ignored, UpsertId};

use crate::Expect;
use crate::delivery::{is_among, is_wanted};

/// An event that came in. There is one row for each merchant, source, event id of the sender's and content. `O` is `()`
/// while it is not clear yet what becomes of it: such a one cannot be stored.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct IncomingEvent<O = IncomingOutcome> {
    /// Its id here.
    pub id: EventId,
    /// Whose.
    pub merchant: String,
    /// The source's name.
    pub source: String,
    /// The sender's id of it, at most 255 bytes.
    pub event_id: String,
    /// A keyed fingerprint of what was taken of it: senders use an id twice, for other news too.
    pub content: String,
    revision: u64,
    outcome: O,
    /// When it first came.
    pub received_at: Timestamp,
    /// When it was last tried.
    pub tried_at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// Members that could not be read and were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<Ignored>,
    /// The time that it gave itself, where that is too far ahead to be believed: it was put in order by its arrival.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unbelieved_time: Option<Timestamp>,
    /// Neither it nor its signature says when it was: whenever it comes again, only its id tells that it is old.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_ageless: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// What became of it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum IncomingOutcome {
    /// It became an upsert.
    Accepted {
        /// Of this customer.
        customer: CustomerId,
        /// Which.
        upsert: UpsertId,
    },
    /// It told of what the gateway had written itself: nothing was done.
    Echo {
        /// About whom.
        customer: CustomerId,
    },
    /// A newer event of its source had come before it: nothing was done.
    Outdated {
        /// About whom.
        customer: CustomerId,
    },
    /// It could not be taken: a dead letter.
    Failed {
        /// Why.
        problem: EventProblem,
        /// The event as it came.
        raw: String,
    },
    /// An operator gave the dead letter up.
    Discarded {
        /// Why it could not be taken.
        problem: EventProblem,
    },
}

impl IncomingOutcome {
    /// In a word.
    pub const fn state(&self) -> IncomingState {
        match self {
            Self::Accepted { .. } => IncomingState::Accepted,
            Self::Echo { .. } => IncomingState::Echo,
            Self::Outdated { .. } => IncomingState::Outdated,
            Self::Failed { .. } => IncomingState::Failed,
            Self::Discarded { .. } => IncomingState::Discarded,
        }
    }
}

/// Leaves out what came: it is personal data.
impl fmt::Debug for IncomingOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state().fmt(f)
    }
}

/// Leaves out what came: it is personal data.
impl<O: fmt::Debug> fmt::Debug for IncomingEvent<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingEvent")
            .field("id", &self.id)
            .field("source", &self.source)
            .field("state", &self.outcome)
            .finish_non_exhaustive()
    }
}

impl IncomingEvent<()> {
    /// One that comes for the first time.
    pub fn new(id: EventId, merchant: &str, source: &str, event_id: &str, content: &str, at: Timestamp) -> Self {
        Self {
            id,
            merchant: merchant.to_owned(),
            source: source.to_owned(),
            event_id: event_id.to_owned(),
            content: content.to_owned(),
            revision: 1,
            outcome: (),
            received_at: at,
            tried_at: at,
            tries: 1,
            ignored: Vec::new(),
            unbelieved_time: None,
            is_ageless: false,
        }
    }

    /// With what became of it.
    pub fn became(self, outcome: IncomingOutcome) -> IncomingEvent {
        self.with(outcome)
    }
}

impl<O> IncomingEvent<O> {
    fn with<P>(self, outcome: P) -> IncomingEvent<P> {
        IncomingEvent {
            id: self.id,
            merchant: self.merchant,
            source: self.source,
            event_id: self.event_id,
            content: self.content,
            revision: self.revision,
            outcome,
            received_at: self.received_at,
            tried_at: self.tried_at,
            tries: self.tries,
            ignored: self.ignored,
            unbelieved_time: self.unbelieved_time,
            is_ageless: self.is_ageless,
        }
    }
}

impl IncomingEvent {
    /// It is tried once more, at this moment; this was taken of it now.
    pub fn again(&self, content: &str, at: Timestamp) -> IncomingEvent<()> {
        IncomingEvent {
            content: content.to_owned(),
            revision: self.revision + 1,
            tried_at: at,
            tries: self.tries.saturating_add(1),
            ..self.clone().with(())
        }
    }

    /// Whether it is never forgotten. A dead letter may be: nothing was done about it.
    pub fn is_kept(&self) -> bool {
        self.is_ageless && self.outcome.state() != IncomingState::Failed
    }

    /// Begins a change: whoever writes the row says that it is as it was read, and counts its revision up.
    #[must_use]
    pub fn change(&mut self) -> Expect {
        let expected = self.expected();
        self.revision += 1;
        expected
    }

    /// A dead letter is given up. What came is not kept, nor what may repeat it.
    pub fn discard(&mut self) {
        debug_assert!(self.raw().is_some(), "{} is no dead letter", self.id);
        if let IncomingOutcome::Failed { problem, .. } = &self.outcome {
            let mut problem = problem.clone();
            problem.cover(Own::default());
            self.outcome = IncomingOutcome::Discarded { problem };
        }
    }

    /// That nobody has changed it since it was read.
    pub fn expected(&self) -> Expect {
        Expect::IncomingEvent {
            source: self.source.clone(),
            event_id: self.event_id.clone(),
            content: self.content.clone(),
            revision: Some(self.revision),
        }
    }

    /// Grows by one with each write of the row, for [`Expect::IncomingEvent`].
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// How far it is.
    pub const fn state(&self) -> IncomingState {
        self.outcome.state()
    }

    /// The customer that it was about, where one is known.
    pub const fn customer(&self) -> Option<CustomerId> {
        match &self.outcome {
            IncomingOutcome::Accepted { customer, .. }
            | IncomingOutcome::Echo { customer }
            | IncomingOutcome::Outdated { customer } => Some(*customer),
            IncomingOutcome::Failed { .. } | IncomingOutcome::Discarded { .. } => None,
        }
    }

    /// The upsert that it became.
    pub const fn upsert(&self) -> Option<UpsertId> {
        match &self.outcome {
            IncomingOutcome::Accepted { upsert, .. } => Some(*upsert),
            _ => None,
        }
    }

    /// Why it could not be taken.
    pub const fn problem(&self) -> Option<&EventProblem> {
        match &self.outcome {
            IncomingOutcome::Failed { problem, .. } | IncomingOutcome::Discarded { problem } => Some(problem),
            _ => None,
        }
    }

    /// The event as it came, while it is a dead letter.
    pub fn raw(&self) -> Option<&str> {
        match &self.outcome {
            IncomingOutcome::Failed { raw, .. } => Some(raw),
            _ => None,
        }
    }

    /// Whether the filter means it.
    pub fn matches(&self, filter: &IncomingFilter) -> bool {
        is_among(filter.merchants.as_ref(), &self.merchant)
            && is_wanted(filter.source.as_ref(), &&self.source)
            && (filter.state.is_empty() || filter.state.contains(&self.state()))
            && is_wanted(filter.event_id.as_ref(), &&self.event_id)
            && filter
                .customer_id
                .is_none_or(|customer| self.customer() == Some(customer))
            && filter.since.is_none_or(|since| self.received_at >= since)
            && filter.until.is_none_or(|until| self.received_at < until)
    }
}
