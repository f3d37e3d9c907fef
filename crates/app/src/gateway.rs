//! The gateway as a whole: what every use case works with.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use upsert_core::{Clock, IdSource, UpsertId};
use upsert_store::Store;

use crate::delivery::successors::Successions;
use crate::delivery::worker::{Pumps, Reach};
use crate::directory::merchant::Directory;
use crate::runtime::admission::Admission;
use crate::runtime::connections::Connections;
use crate::runtime::counters::Tally;
use crate::runtime::endpoints::Endpoints;
use crate::runtime::in_flight::UnderWay;
use crate::runtime::metrics;
use crate::runtime::notifier::Bells;
use crate::runtime::tracing::Spans;

/// What a gateway is made of.
#[derive(Debug)]
pub struct GatewayParts {
    /// Where everything durable goes.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The merchants at the start.
    pub directory: Directory,
    /// How long idempotency keys are kept.
    pub idempotency_keep: std::time::Duration,
    /// Where spans go; none: nowhere, and nothing is done for them.
    pub spans: Option<Arc<dyn Spans>>,
}

/// The use cases. Cheap to clone; all clones are one gateway.
#[derive(Clone)]
pub struct Gateway {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: IdSource,
    pub(crate) directory: Arc<ArcSwap<Directory>>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) pumps: Arc<Pumps>,
    pub(crate) successions: Arc<Successions>,
    pub(crate) under_way: Arc<UnderWay>,
    pub(crate) answering: Arc<Mutex<HashSet<[u8; 32]>>>,
    pub(crate) idempotency_keep: std::time::Duration,
    pub(crate) spans: Option<Arc<dyn Spans>>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stopping: CancellationToken,
    pub(crate) bells: Arc<Bells>,
    pub(crate) endpoints: Arc<Endpoints>,
    pub(crate) tally: Arc<Tally>,
    /// Upserts that the store could not end, by merchant.
    pub(crate) to_settle: Arc<Mutex<Vec<(String, UpsertId)>>>,
    /// Held while a connection's own record is written.
    pub(crate) pausing: Arc<tokio::sync::Mutex<()>>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gateway")
    }
}

impl Gateway {
    /// A gateway over these parts. Call [`Gateway::recover`] before it takes requests, and
    /// [`Gateway::run_background`] to have it finish what is due.
    pub fn new(parts: GatewayParts) -> Self {
        metrics::begin_at_zero(&parts.directory);
        Self {
            ids: IdSource::new(parts.clock.clone()),
            store: parts.store,
            clock: parts.clock,
            directory: Arc::new(ArcSwap::from_pointee(parts.directory)),
            connections: Arc::new(Connections::default()),
            admission: Arc::default(),
            pumps: Arc::default(),
            successions: Arc::default(),
            under_way: Arc::default(),
            answering: Arc::default(),
            idempotency_keep: parts.idempotency_keep,
            spans: parts.spans,
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            bells: Arc::default(),
            endpoints: Arc::default(),
            tally: Arc::default(),
            to_settle: Arc::default(),
            pausing: Arc::default(),
        }
    }

    /// The merchants as they are now. A request takes one snapshot and keeps it.
    pub fn directory(&self) -> Arc<Directory> {
        self.directory.load_full()
    }

    /// Replaces the merchants at once; requests that are under way keep what they had. Pauses by the vendor are lifted
    /// where credentials or configuration changed.
    pub fn replace_directory(&self, directory: Directory) {
        metrics::begin_at_zero(&directory);
        let before = self.directory.swap(Arc::new(directory));
        self.release_new_connections(&before);
        let gateway = self.clone();
        self.spawn(async move {
            if let Err(error) = gateway.load_connections().await {
                tracing::error!(%error, "pauses could not be looked through after a reload");
            }
        });
    }

    /// What waited for a connection that was not configured has somewhere to go now.
    fn release_new_connections(&self, before: &Directory) {
        for merchant in self.directory().iter() {
            let earlier = before.get(&merchant.id);
            let is_new = |name: &str| earlier.is_none_or(|earlier| earlier.connection(name).is_none());
            for connection in merchant
                .connections
                .iter()
                .filter(|connection| is_new(&connection.name))
            {
                self.pump(&merchant.id, &connection.name, Reach::All);
            }
        }
    }

    /// Where everything durable goes.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Starts no more background work, and waits for deliveries that are under way. What has not ended stays durable.
    pub async fn shut_down(&self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Runs a task that the shutdown waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }
}
