//! Bringing what is durable to the vendors: claiming, sending, recording, settling.

pub(crate) mod attempt_span;
pub(crate) mod claim;
pub(crate) mod deliver;
pub(crate) mod forget;
pub(crate) mod hand_over;
pub(crate) mod late;
pub(crate) mod log;
pub(crate) mod pause;
pub(crate) mod probe;
pub(crate) mod reads;
pub(crate) mod record;
pub(crate) mod recover;
pub(crate) mod scheduler;
pub(crate) mod settle;
pub(crate) mod successors;
pub(crate) mod trial;
pub(crate) mod work;
pub(crate) mod worker;

use crate::context::Context;
use crate::outbox::Outbox;

/// Brings deliveries to their vendors.
#[derive(Debug, Clone)]
pub struct Deliveries {
    context: Context,
    outbox: Outbox,
}

impl Deliveries {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            context: context.clone(),
            outbox: Outbox::new(context),
        }
    }
}
