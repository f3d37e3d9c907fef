//! The gateway as a whole: a wing for each kind of use case, over one context.

use std::fmt;
use std::sync::Arc;

use upsert_core::Clock;
use upsert_store::{Store, StoreError};

use crate::audit::Auditing;
use crate::context::{Context, GatewayParts};
use crate::delivery::Deliveries;
use crate::delivery::scheduler::Scheduler;
use crate::directory::merchant::Directory;
use crate::inbox::Inbox;
use crate::operations::Operations;
use crate::outbox::Outbox;
use crate::problem::Refusal;
use crate::queries::Queries;
use crate::runtime::metrics;
use crate::sessions::Sessions;
use crate::upsert::Upserts;

/// The use cases. Cheap to clone; all clones are one gateway.
#[derive(Clone)]
pub struct Gateway {
    context: Context,
    scheduler: Scheduler,
    /// Upserts and plans.
    pub upserts: Upserts,
    /// Deliveries to vendors.
    pub deliveries: Deliveries,
    /// Events that come in.
    pub inbox: Inbox,
    /// Events that go out.
    pub outbox: Outbox,
    /// What is asked.
    pub queries: Queries,
    /// What operators do.
    pub operations: Operations,
    /// Who has signed in at the dashboard.
    pub sessions: Sessions,
    /// What is done is written down here.
    pub audit: Auditing,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gateway")
    }
}

impl Gateway {
    /// A gateway over these parts. Call [`Gateway::recover`] before it takes requests, and
    /// [`Gateway::run_background`] to have deliveries and events go out that nobody waits for.
    pub fn new(parts: GatewayParts) -> Self {
        metrics::begin_at_zero(&parts.directory);
        let context = Context::new(parts);
        Self {
            scheduler: Scheduler::new(&context),
            upserts: Upserts::new(&context),
            deliveries: Deliveries::new(&context),
            inbox: Inbox::new(&context),
            outbox: Outbox::new(&context),
            queries: Queries::new(&context),
            operations: Operations::new(&context),
            sessions: Sessions::new(&context),
            audit: context.audit.clone(),
            context,
        }
    }

    /// The merchants as they are now. A request takes one snapshot and keeps it.
    pub fn directory(&self) -> Arc<Directory> {
        self.context.directory()
    }

    /// Sees to it that a merchant is in [`Gateway::directory`], if it is anywhere.
    ///
    /// # Errors
    /// 503: the merchant is there and cannot be served, or the store is away. 500: the store failed.
    pub async fn load_merchant(&self, id: &str) -> Result<(), Refusal> {
        match self.context.directory_with(id).await {
            Ok(_) => Ok(()),
            Err(StoreError::Unavailable(why)) => {
                tracing::error!(merchant = id, error = why, "a merchant cannot be served");
                Err(Refusal::overloaded("the merchant cannot be served now").retry_after(5))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Where everything durable goes.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.context.store
    }

    /// The time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.context.clock
    }

    /// Takes back what the process before left in flight, and reads what is paused.
    ///
    /// # Errors
    /// The store failed.
    pub async fn recover(&self) -> Result<(), StoreError> {
        self.deliveries.recover().await
    }

    /// Starts what is due and nobody waits for, from now until [`Gateway::shut_down`].
    pub fn run_background(&self) {
        self.scheduler.run();
        self.operations.watch_merchants();
        self.operations.watch_erasures();
    }

    /// Starts no more background work, and waits for deliveries that are under way. What waits behind one of them is left to
    /// whoever else works with the store. What has not ended stays durable.
    pub async fn shut_down(&self) {
        self.context.stopping.cancel();
        self.context.tasks.close();
        self.context.tasks.wait().await;
        self.sessions.tell_of_all_refused().await;
        if let Err(error) = self.scheduler.take_back_what_was_lost().await {
            tracing::warn!(%error, "deliveries whose results were lost could not be given back: their leases have to end");
        }
    }

    /// Waits no longer for calls that are under way: what comes of them is not known, is recorded so, and whoever else works
    /// with the store may go on at once. [`Gateway::shut_down`] ends when that is recorded.
    pub fn cut_short(&self) {
        self.context.cut_short.cancel();
    }
}
