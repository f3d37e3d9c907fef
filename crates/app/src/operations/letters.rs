//! Which dead letters of webhooks are meant, and what is to be done with them.

use upsert_api::{AuditAction, Direction, EventSelection, IncomingFilter, OutgoingFilter, Texts, Visibility};
use upsert_core::CustomerId;

use crate::operations::selected::in_body;
use crate::problem::Refusal;
use crate::queries::events::covered_event_id;

/// What is to be done with dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadLetterAction {
    /// Tried again.
    Replay,
    /// Tried again, one that came in, for the customer whom it means.
    ReplayFor(CustomerId),
    /// Given up.
    Discard,
}

impl DeadLetterAction {
    pub(crate) const fn audited(self) -> AuditAction {
        match self {
            Self::Replay | Self::ReplayFor(_) => AuditAction::EventReplay,
            Self::Discard => AuditAction::EventDiscard,
        }
    }
}

/// Dead letters of one direction that match.
#[derive(Debug, Clone)]
pub enum DeadLetters {
    /// Events that came in.
    In(EventSelection<IncomingFilter>),
    /// Events that go out.
    Out(EventSelection<OutgoingFilter>),
}

impl DeadLetters {
    /// The direction, whether a filter was named, and whether they are only to be counted.
    pub(crate) fn asked(&self) -> (Direction, bool, bool) {
        match self {
            Self::In(selection) => (Direction::In, selection.is_narrowed, selection.dry_run),
            Self::Out(selection) => (Direction::Out, selection.is_narrowed, selection.dry_run),
        }
    }

    pub(crate) fn filter(&self) -> Texts {
        match self {
            Self::In(selection) => selection.filter.texts(),
            Self::Out(selection) => selection.filter.texts(),
        }
    }

    /// They are not asked for by an id that would be covered.
    pub(crate) fn check_event_id(&self, visibility: Visibility) -> Result<(), Refusal> {
        let covered = match self {
            Self::In(selection) => covered_event_id(&selection.filter, visibility),
            Self::Out(_) => None,
        };
        covered.map_or(Ok(()), |problem| Err(in_body(Refusal::invalid_query(vec![problem]))))
    }
}
