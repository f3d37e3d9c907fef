//! What the commit of an upsert adds for the event that it came with.

use std::collections::BTreeSet;

use upsert_core::{CustomerId, UpsertId};
use upsert_store::{EventMarks, Expect, IncomingEvent, IncomingOutcome, Write};

/// What the commit adds for an event.
#[derive(Debug)]
pub(crate) struct EventDraft {
    pub(crate) expect: Vec<Expect>,
    pub(crate) row: IncomingEvent<()>,
    pub(crate) marks: Option<EventMarks>,
    /// Lanes that are to be written, whatever the upsert itself has to do with them.
    pub(crate) lanes: BTreeSet<String>,
    /// The connection that the event came from.
    pub(crate) origin: Option<String>,
}

impl EventDraft {
    /// The writes, once it is known what became of it.
    pub(crate) fn writes(&self, customer: CustomerId, upsert: UpsertId) -> Vec<Write> {
        let row = self.accepted(customer, upsert);
        let marks = self.marks.clone().map(|marks| EventMarks { customer, ..marks });
        std::iter::once(Write::PutIncomingEvent(row))
            .chain(marks.map(Write::PutEventMarks))
            .collect()
    }

    /// The event as it became this upsert.
    pub(crate) fn accepted(&self, customer: CustomerId, upsert: UpsertId) -> IncomingEvent {
        self.row.clone().became(IncomingOutcome::Accepted { customer, upsert })
    }
}
