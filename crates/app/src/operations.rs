//! What operators do.

pub(crate) mod acts;
pub(crate) mod connections;
pub(crate) mod dead_letters;
pub(crate) mod endpoints;
pub(crate) mod erase;
mod erase_events;
mod erase_incidents;
mod erasing;
pub(crate) mod event_dead_letters;
pub(crate) mod letters;
pub(crate) mod reload;
pub(crate) mod replay;
pub(crate) mod selected;
pub(crate) mod stored_merchants;
mod trial_view;
pub(crate) mod trials;
pub(crate) mod vendor_records;

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

use upsert_core::ErasureId;

use crate::context::Context;
use crate::delivery::Deliveries;
use crate::inbox::Inbox;
use crate::outbox::Outbox;
use crate::queries::Queries;
use crate::upsert::Upserts;

/// Does what operators ask for.
#[derive(Debug, Clone)]
pub struct Operations {
    context: Context,
    outbox: Outbox,
    deliveries: Deliveries,
    upserts: Upserts,
    inbox: Inbox,
    queries: Queries,
    /// Open erasures of which this process has removed everything: only the store has to let go of it.
    cleared: Arc<Mutex<HashSet<ErasureId>>>,
}

impl Operations {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            context: context.clone(),
            outbox: Outbox::new(context),
            deliveries: Deliveries::new(context),
            upserts: Upserts::new(context),
            inbox: Inbox::new(context),
            queries: Queries::new(context),
            cleared: Arc::default(),
        }
    }
}
