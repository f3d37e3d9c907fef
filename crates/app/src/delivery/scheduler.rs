//! What is due and nobody waits for: once a second it is found out where, and each connection's pump does the rest.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{DeliveryId, Held, Priority};
use upsert_store::{Changeset, DeliveryRecord, DeliveryState, Expect, StoreError, Write};

use crate::delivery::claim::Errand;
use crate::delivery::worker::{Place, Reach};
use crate::directory::merchant::Connection;
use crate::gateway::Gateway;
use crate::upsert::commit::park;

const EVERY: Duration = Duration::from_secs(1);
const AT_ONCE: usize = 200;

/// How long events that were done are known: longer than any sender is known to try.
const KEEP_EVENTS: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long dead letters of either direction are kept.
const KEEP_DEAD_LETTERS: SignedDuration = SignedDuration::from_hours(30 * 24);

impl Gateway {
    /// Starts the pass; it ends with [`Gateway::shut_down`].
    pub fn run_background(&self) {
        let gateway = self.clone();
        self.spawn(async move {
            gateway.settle_what_was_left().await;
            gateway.tell_what_is_owed().await;
        });
        let gateway = self.clone();
        self.spawn(async move {
            let mut ticks = tokio::time::interval(EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = gateway.stopping.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                if let Err(error) = gateway.pass().await {
                    tracing::error!(%error, "the background pass failed");
                }
            }
        });
    }

    async fn pass(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for delivery in self.store.abandoned(Some(now), AT_ONCE).await? {
            if !self.under_way.has(delivery.id) {
                self.take_back(delivery).await?;
            }
        }
        for (id, fence) in self.under_way.take_lost() {
            if let Err(error) = self.take_back_lost(id, fence).await {
                self.under_way.lost(id, fence);
                return Err(error);
            }
        }
        self.settle_those_that_failed().await;
        for (merchant, connection) in self.connections.probes_due(now) {
            self.probe(&merchant, &connection).await?;
        }
        for (merchant, connection) in self.connections.to_drain() {
            if self.lets_bulk_through(&merchant, &connection) {
                self.pump(&merchant, &connection, Reach::Parked);
            }
        }
        for (merchant, connection) in self.store.due_connections(now).await? {
            crash_point(points::BACKGROUND_BEFORE_PUMP);
            self.pump(&merchant, &connection, Reach::Due);
        }
        for (merchant, endpoint) in self.store.due_endpoints(now).await? {
            if self.endpoints.room(&merchant, &endpoint, 1, now) > 0 {
                self.pump_place(Place::Endpoint(merchant, endpoint), Reach::Due);
            }
        }
        self.tell_of_quotas(now).await?;
        self.store.forget_expired(now, AT_ONCE).await?;
        self.forget_events(now).await?;
        Ok(())
    }

    /// A sender that comes again with an event after this time has it done again.
    async fn forget_events(&self, now: Timestamp) -> Result<(), StoreError> {
        let before = |keep| now.checked_sub(keep).unwrap_or(Timestamp::MIN);
        let (done, failed) = (before(KEEP_EVENTS), before(KEEP_DEAD_LETTERS));
        self.store.forget_events(done, failed, AT_ONCE).await.map(drop)
    }

    async fn take_back_lost(&self, id: DeliveryId, fence: u64) -> Result<(), StoreError> {
        match self.store.delivery(id).await? {
            Some(delivery) if delivery.state == DeliveryState::InFlight && delivery.fence == fence => {
                self.take_back(delivery).await
            }
            _ => Ok(()),
        }
    }

    /// A connection that the vendor paused is tried with what has waited longest.
    async fn probe(&self, merchant: &str, connection: &str) -> Result<(), StoreError> {
        let oldest = self.store.waiting_at(merchant, connection, None, 1).await?;
        for delivery in oldest {
            tracing::info!(merchant, connection, delivery_id = %delivery.id, "probing a paused connection");
            let gateway = self.clone();
            self.spawn(async move {
                gateway.go_on(delivery.id, Errand::Probe).await;
            });
        }
        Ok(())
    }

    /// Whether what was parked may be tried: not paused, no quota or breaker in the way.
    fn lets_bulk_through(&self, merchant: &str, name: &str) -> bool {
        let directory = self.directory();
        let connection = directory.get(merchant).and_then(|merchant| merchant.connection(name));
        let is_free = |connection: &Arc<Connection>| connection.status.room(Priority::Bulk).is_ok_and(|room| room > 0);
        self.connections.pause_of(merchant, name).is_none() && connection.is_some_and(is_free)
    }

    /// It waits for what holds its connection back; if nobody can tell how long, until the connection is released.
    pub(crate) async fn put_off(&self, mut delivery: DeliveryRecord, held: Held) -> Result<(), StoreError> {
        let expect = vec![Expect::Delivery {
            id: delivery.id,
            fence: delivery.fence,
        }];
        park(&mut delivery, held, self.clock.now());
        let write = vec![Write::PutDelivery(delivery)];
        crash_point(points::PARK_BEFORE_COMMIT);
        self.apply(Changeset { expect, write }).await?;
        crash_point(points::PARK_AFTER_COMMIT);
        Ok(())
    }

    /// Makes everything that waits at a connection due at once: its breaker closed, it was resumed, or a call
    /// succeeded again.
    pub fn release(&self, merchant: &str, connection: &str) {
        // Should something come in between, the pass goes on with it.
        self.connections.drain(merchant, connection);
        crash_point(points::RELEASE_BEFORE_PUMP);
        self.pump(merchant, connection, Reach::All);
    }
}
