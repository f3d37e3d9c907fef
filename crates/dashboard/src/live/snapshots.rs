//! The gateway's state as pages show it, read once for everybody who looks: a dashboard that lies open on ten screens asks
//! the store as often as one does, and one that nobody looks at next to never.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::{RwLock, RwLockReadGuard};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use upsert_api::{Connection, Webhooks};
use upsert_app::{Gateway, Refusal};

use crate::error::PageError;
use crate::live::history::{History, STEP};

/// How old what a page shows may be.
const FRESH: Duration = Duration::from_secs(2);
/// Reading may take this part of the time at the most, however much the store holds.
const SHARE: u32 = 20;
/// But for this: pages that get no news for ten seconds say so.
const OLDEST: Duration = Duration::from_secs(8);

/// Everything at one moment, of all merchants: what a principal may not see is left out by whoever shows it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) at: Timestamp,
    pub(crate) connections: Vec<Connection>,
    pub(crate) webhooks: Webhooks,
}

impl Snapshot {
    /// What there is of these merchants.
    pub(crate) fn of(&self, covers: impl Fn(&str) -> bool) -> Self {
        let (connections, webhooks) = (self.connections.iter(), &self.webhooks);
        let (sources, endpoints) = (webhooks.sources.iter(), webhooks.endpoints.iter());
        Self {
            at: self.at,
            connections: connections.filter(|one| covers(&one.merchant_id)).cloned().collect(),
            webhooks: Webhooks {
                sources: sources.filter(|one| covers(&one.merchant_id)).cloned().collect(),
                endpoints: endpoints.filter(|one| covers(&one.merchant_id)).cloned().collect(),
            },
        }
    }
}

/// Reads, remembers, and tells whoever watches.
#[derive(Debug)]
pub(crate) struct SnapshotCache {
    now: watch::Sender<Arc<Snapshot>>,
    history: RwLock<History>,
    last: tokio::sync::Mutex<Option<Reading>>,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    took: Duration,
}

impl SnapshotCache {
    pub(crate) fn new() -> Self {
        Self {
            now: watch::Sender::new(Arc::default()),
            history: RwLock::default(),
            last: tokio::sync::Mutex::default(),
        }
    }

    /// Watches until the server stops: one sample every five seconds for the charts, and a fresh look as often as somebody
    /// watches.
    pub(crate) async fn run(&self, gateway: &Gateway, stopping: &CancellationToken) {
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_sample = 0;
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let step = gateway.clock().now().as_second() / STEP;
            let is_sample = step != last_sample;
            if !is_sample && self.now.receiver_count() == 0 {
                continue;
            }
            match self.fresh(gateway).await {
                Ok(snapshot) if is_sample => {
                    last_sample = step;
                    let mut history = self.history.write();
                    history.take(gateway.clock().now(), &snapshot.connections, &gateway.queries.endings());
                }
                Ok(_) => {}
                Err(refused) => tracing::debug!(%refused, "the dashboard could not be brought up to date"),
            }
        }
    }

    /// The state as it was two seconds ago or later; up to eight where reading it takes long.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn fresh(&self, gateway: &Gateway) -> Result<Arc<Snapshot>, PageError> {
        let mut last = self.last.lock().await;
        let is_fresh = |reading: &Reading| reading.at.elapsed() < (reading.took * SHARE).clamp(FRESH, OLDEST);
        if last.as_ref().is_some_and(is_fresh) {
            return Ok(self.now.borrow().clone());
        }
        let began = Instant::now();
        let queries = &gateway.queries;
        let snapshot = Arc::new(Snapshot {
            at: gateway.clock().now(),
            connections: queries.connection_views(|_| true).await.map_err(Refusal::from)?,
            webhooks: queries.webhooks(|_| true).await?,
        });
        *last = Some(Reading {
            at: Instant::now(),
            took: began.elapsed(),
        });
        self.now.send_replace(snapshot.clone());
        Ok(snapshot)
    }

    /// Something was done: what is shown next is read anew.
    pub(crate) async fn forget(&self) {
        *self.last.lock().await = None;
    }

    /// To be told whenever the state was read anew; as long as somebody is, it is.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.now.subscribe()
    }

    pub(crate) fn history(&self) -> RwLockReadGuard<'_, History> {
        self.history.read()
    }
}
