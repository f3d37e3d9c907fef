//! Upserts: from the request to the answer. Begin with `straight_line.rs`.

pub(crate) mod adopt;
pub(crate) mod await_answer;
pub(crate) mod command;
pub(crate) mod commit;
pub(crate) mod draft;
pub(crate) mod event_draft;
pub(crate) mod guard;
pub(crate) mod idempotency;
pub(crate) mod identify;
pub(crate) mod rehearse;
pub(crate) mod straight_line;
pub(crate) mod tombstones;

use crate::context::Context;
use crate::delivery::Deliveries;
use crate::outbox::Outbox;

/// Takes upserts, and plans what one would do.
#[derive(Debug, Clone)]
pub struct Upserts {
    context: Context,
    outbox: Outbox,
    deliveries: Deliveries,
}

impl Upserts {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            context: context.clone(),
            outbox: Outbox::new(context),
            deliveries: Deliveries::new(context),
        }
    }
}
