//! What is due and nobody waits for: once a second, and when another process says so, it is found out where, and each
//! connection's worker does the rest.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{DeliveryId, Priority, utc_day};
use upsert_store::{Hints, StoreError};

use crate::context::Context;
use crate::delivery::Deliveries;
use crate::delivery::claim::ClaimPurpose;
use crate::delivery::forget::Walk;
use crate::delivery::recover::is_ahead;
use crate::directory::merchant::Connection;
use crate::incidents::Incidents;
use crate::outbox::Outbox;
use crate::runtime::wakeups::{QueueKey, Reach};
use crate::sessions::Sessions;

/// From one time that other processes' hints are followed to the next: however many processes tell however much.
const HINTS_APART: Duration = Duration::from_millis(50);

/// From one time that rows of connections and endpoints are read because somebody wrote one to the next: all of them are read.
const ROWS_APART: Duration = Duration::from_millis(500);
const AT_ONCE: usize = 200;

/// How often it is looked for what another process left, and for sessions that are over.
const LOOK_FOR_LEFT: Duration = Duration::from_secs(60);

/// How long events that were done are known: longer than any sender is known to try.
const KEEP_EVENTS: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long dead letters of either direction are kept.
const KEEP_DEAD_LETTERS: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Starts whatever is due: the only place that does.
#[derive(Debug, Clone)]
pub(crate) struct Scheduler {
    context: Context,
    outbox: Outbox,
    deliveries: Deliveries,
    sessions: Sessions,
    incidents: Incidents,
}

impl Scheduler {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            context: context.clone(),
            outbox: Outbox::new(context),
            deliveries: Deliveries::new(context),
            sessions: Sessions::new(context),
            incidents: Incidents::new(context),
        }
    }

    /// Starts the pass; it ends with [`crate::Gateway::shut_down`].
    pub(crate) fn run(&self) {
        let wing = self.clone();
        self.context
            .spawn(async move { wing.deliveries.settle_what_was_left().await });
        self.incidents.watch();
        let wing = self.clone();
        self.context.spawn(async move {
            loop {
                tokio::select! {
                    () = wing.context.stopping.cancelled() => return,
                    () = wing.context.wakeups.marked() => wing.start_workers(),
                }
            }
        });
        let wing = self.clone();
        self.context.spawn(async move {
            tokio::select! {
                () = wing.context.stopping.cancelled() => {}
                () = wing.follow_hints() => {}
                () = wing.follow_rows() => {}
            }
        });
        let wing = self.clone();
        self.context.spawn(async move {
            let mut walk = Walk::default();
            let mut ticks = tokio::time::interval(wing.context.look_every);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut next_look = Instant::now() + LOOK_FOR_LEFT;
            let mut last = wing.context.clock.now();
            loop {
                tokio::select! {
                    () = wing.context.stopping.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                let before = std::mem::replace(&mut last, wing.context.clock.now());
                if is_ahead(before, last) {
                    wing.clock_was_set_back(before).await;
                }
                if let Err(error) = wing.pass(&mut walk).await {
                    tracing::error!(%error, "the background pass failed");
                }
                if Instant::now() >= next_look {
                    wing.look_for_what_is_left().await;
                    next_look = Instant::now() + LOOK_FOR_LEFT;
                }
            }
        });
    }

    /// What was stamped until then would wait until then.
    async fn clock_was_set_back(&self, from: Timestamp) {
        tracing::warn!(%from, "the clock was set back: what was put off by it is tried now");
        if let Err(error) = self.deliveries.call_up_what_was_put_off_too_far().await {
            tracing::error!(%error, "what was put off by a clock that was ahead could not be called up");
        }
    }

    /// What other processes say is done as soon as they say so. Where they cannot, or nobody hears them, the pass finds it.
    async fn follow_hints(&self) {
        loop {
            let hints = self.context.store.told().await;
            // What is due by that process's clock may not be yet by this one's.
            let again = Hints {
                deliveries: hints.deliveries,
                events: hints.events,
                ..Hints::default()
            };
            for hints in [hints, again] {
                if let Err(error) = self.follow(hints).await {
                    tracing::error!(%error, "what another process did could not be looked at");
                }
                tokio::time::sleep(HINTS_APART).await;
            }
        }
    }

    /// What other processes wrote of connections and endpoints is read as soon as they say so, and then not again for a while,
    /// however often they say it.
    async fn follow_rows(&self) {
        loop {
            self.context.wakeups.connections_marked().await;
            if let Err(error) = self.read_rows().await {
                tracing::error!(%error, "what another process wrote could not be read");
            }
            tokio::time::sleep(ROWS_APART).await;
        }
    }

    async fn read_rows(&self) -> Result<(), StoreError> {
        self.deliveries.follow_connections().await?;
        self.outbox.follow_endpoints().await
    }

    async fn follow(&self, hints: Hints) -> Result<(), StoreError> {
        for customer in hints.customers {
            self.context.notifier.ring(customer);
        }
        if hints.merchants {
            self.context.wakeups.mark_merchants();
        }
        if hints.connections {
            self.context.wakeups.mark_connections();
        }
        let now = self.context.clock.now();
        if hints.deliveries {
            self.wake_due_connections(now).await?;
        }
        if hints.events {
            self.wake_due_endpoints(now).await?;
        }
        Ok(())
    }

    async fn wake_due_connections(&self, now: Timestamp) -> Result<(), StoreError> {
        for (merchant, connection) in self.context.store.due_connections(now).await? {
            crash_point(points::SCHEDULER_BEFORE_WAKE);
            self.context.wake_connection(&merchant, &connection, Reach::Due);
        }
        Ok(())
    }

    async fn wake_due_endpoints(&self, now: Timestamp) -> Result<(), StoreError> {
        for (merchant, endpoint) in self.context.store.due_endpoints(now).await? {
            if self.context.endpoints.room(&merchant, &endpoint, 1, now) > 0 {
                self.context.wake(QueueKey::Endpoint(merchant, endpoint), Reach::Due);
            }
        }
        Ok(())
    }

    /// Sessions that are over, and what another process left that is gone.
    async fn look_for_what_is_left(&self) {
        if let Err(error) = self.sessions.forget_those_over().await {
            tracing::error!(%error, "sessions that are over could not be forgotten");
        }
        self.sessions.tell_of_refused().await;
        if let Err(error) = self.forget_old_audit().await {
            tracing::error!(%error, "old entries of the audit trail could not be forgotten");
        }
        if let Err(error) = self.incidents.forget_old().await {
            tracing::error!(%error, "incidents that ended long ago could not be forgotten");
        }
        if self.context.store.is_shared() {
            self.look_for_what_was_left().await;
        }
    }

    /// Entries of the audit trail that are older than they are kept.
    async fn forget_old_audit(&self) -> Result<(), StoreError> {
        let now = self.context.clock.now();
        let before = self.context.retention.audit.and_then(|keep| now.checked_sub(keep).ok());
        if let Some(before) = before {
            while self.context.audit.forget_before(before).await? && !self.context.stopping.is_cancelled() {}
        }
        Ok(())
    }

    /// What another process left that is gone: nobody starts here, so nobody would find it.
    async fn look_for_what_was_left(&self) {
        self.deliveries.settle_what_was_left().await;
        if let Err(error) = self.deliveries.call_up_what_waits().await {
            tracing::error!(%error, "what waits could not be called up");
        }
    }

    /// A worker for each queue that was marked and has none.
    fn start_workers(&self) {
        for (queue, reach) in self.context.wakeups.begin() {
            let wing = self.clone();
            self.context
                .spawn(async move { wing.work_through(&queue, reach).await });
        }
    }

    /// Works through a queue, as often as it is marked meanwhile.
    async fn work_through(&self, queue: &QueueKey, reach: Reach) {
        let _own = self.context.wakeups.let_go_on_panic(queue.clone());
        let mut next = Some(reach);
        while let Some(reach) = next.take() {
            let worked = match queue {
                QueueKey::Connection(merchant, name) => self.deliveries.work_through(merchant, name, reach).await,
                QueueKey::Endpoint(merchant, name) => self.outbox.work_through(merchant, name, reach).await,
            };
            if let Err(error) = worked {
                tracing::error!(%error, ?queue, "what waits could not be read");
            }
            next = self.context.wakeups.again(queue);
        }
    }

    async fn pass(&self, walk: &mut Walk) -> Result<(), StoreError> {
        let now = self.context.clock.now();
        if self.context.store.is_shared() {
            self.read_rows().await?;
            self.context.learn_calls(utc_day(now)).await?;
        }
        for delivery in self.context.store.abandoned(Some(now), AT_ONCE).await? {
            if !self.context.in_flight.has(delivery.id) {
                self.deliveries.take_back(delivery).await?;
            }
        }
        self.take_back_what_was_lost().await?;
        self.deliveries.settle_those_that_failed().await;
        for (merchant, connection) in self.context.connections.probes_due(now) {
            self.probe(&merchant, &connection).await?;
        }
        self.deliveries.probe_those_down();
        for (merchant, connection) in self.context.connections.to_drain() {
            if self.lets_bulk_through(&merchant, &connection).await {
                self.context.wake_connection(&merchant, &connection, Reach::Parked);
            }
        }
        self.wake_due_connections(now).await?;
        self.wake_due_endpoints(now).await?;
        self.outbox.publish_quota_warnings(now).await?;
        self.context.store.forget_expired(now, AT_ONCE).await?;
        self.forget_events(now).await?;
        self.deliveries.forget_old(walk).await
    }

    /// A sender that comes again with an event after this time has it done again.
    async fn forget_events(&self, now: Timestamp) -> Result<(), StoreError> {
        let before = |keep| now.checked_sub(keep).unwrap_or(Timestamp::MIN);
        let (done, failed) = (before(KEEP_EVENTS), before(KEEP_DEAD_LETTERS));
        self.context.store.forget_events(done, failed, AT_ONCE).await.map(drop)
    }

    /// Calls of this process whose results could not be recorded.
    pub(crate) async fn take_back_what_was_lost(&self) -> Result<(), StoreError> {
        let mut lost = self.context.in_flight.take_lost().into_iter();
        while let Some((merchant, id, fence)) = lost.next() {
            if let Err(error) = self.take_back_lost(&merchant, id, fence).await {
                self.context.in_flight.lost(&merchant, id, fence);
                for (merchant, id, fence) in lost {
                    self.context.in_flight.lost(&merchant, id, fence);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    async fn take_back_lost(&self, merchant: &str, id: DeliveryId, fence: u64) -> Result<(), StoreError> {
        match self.context.store.delivery(merchant, id).await? {
            Some(delivery) if delivery.fence() == fence => self.deliveries.take_back(delivery).await,
            _ => Ok(()),
        }
    }

    /// A connection that the vendor paused is tried with what has waited longest.
    async fn probe(&self, merchant: &str, connection: &str) -> Result<(), StoreError> {
        let oldest = self.context.store.waiting_at(merchant, connection, None, 1).await?;
        for delivery in oldest {
            tracing::info!(merchant, connection, delivery_id = %delivery.id, "probing a paused connection");
            let wing = self.clone();
            self.context.spawn(async move {
                wing.deliveries
                    .go_on(&delivery.merchant, delivery.id, ClaimPurpose::Probe)
                    .await;
            });
        }
        Ok(())
    }

    /// Whether what was parked may be tried: not paused, no quota or breaker in the way.
    async fn lets_bulk_through(&self, merchant: &str, name: &str) -> bool {
        // One that cannot be served holds up nobody else.
        let Ok(directory) = self.context.directory_with(merchant).await else {
            return false;
        };
        let is_free = |connection: &Arc<Connection>| connection.status.room(Priority::Bulk).is_ok_and(|room| room > 0);
        let connection = directory.connection(merchant, name);
        !self.context.connections.is_paused(merchant, name) && connection.as_ref().is_some_and(is_free)
    }
}
