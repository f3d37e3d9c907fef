//! Events that come in.

pub(crate) mod arrival;
pub(crate) mod erased;
pub(crate) mod named;
pub(crate) mod ordering;
pub(crate) mod outcome;
pub(crate) mod properties;
pub(crate) mod receive;
pub(crate) mod reconcile;

use crate::context::Context;
use crate::delivery::Deliveries;
use crate::outbox::Outbox;
use crate::upsert::Upserts;

/// Takes events of vendors and of merchants' own systems.
#[derive(Debug, Clone)]
pub struct Inbox {
    context: Context,
    outbox: Outbox,
    deliveries: Deliveries,
    upserts: Upserts,
}

impl Inbox {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            context: context.clone(),
            outbox: Outbox::new(context),
            deliveries: Deliveries::new(context),
            upserts: Upserts::new(context),
        }
    }
}
