//! What is due and nobody waits for: a pass every second, over the same delivery code.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;

use upsert_core::WaitingFor;
use upsert_core::crash_point::{self as points, crash_point};
use upsert_store::{Changeset, DeliveryRecord, DeliveryState, Expect, StoreError, Write};

use crate::claim::Claimed;
use crate::commit::PROBE_EVERY;
use crate::gateway::Gateway;

const EVERY: Duration = Duration::from_secs(1);
const AT_ONCE: usize = 200;
const SIDE_BY_SIDE: usize = 64;
/// So many waiting deliveries of one connection are made due when it is free again; the next pass brings more.
const RELEASED_AT_ONCE: usize = 10_000;

impl Gateway {
    /// Starts the pass; it ends with [`Gateway::shut_down`].
    pub fn run_background(&self) {
        let gateway = self.clone();
        self.spawn(async move {
            let slots = Arc::new(Semaphore::new(SIDE_BY_SIDE));
            let mut ticks = tokio::time::interval(EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = gateway.stopping.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                if let Err(error) = gateway.pass(&slots).await {
                    tracing::error!(%error, "the background pass failed");
                }
            }
        });
    }

    async fn pass(&self, slots: &Arc<Semaphore>) -> Result<(), StoreError> {
        let now = self.clock.now();
        for delivery in self.store.abandoned(Some(now), AT_ONCE).await? {
            self.take_back(delivery).await?;
        }
        for delivery in self.store.due(now, AT_ONCE).await? {
            crash_point(points::BACKGROUND_BEFORE_PASS);
            if self.stopping.is_cancelled() {
                return Ok(());
            }
            if self.stays_paused(&delivery) {
                self.put_off(delivery).await?;
                continue;
            }
            let Ok(slot) = slots.clone().acquire_owned().await else {
                return Ok(());
            };
            let gateway = self.clone();
            self.spawn(async move {
                let _slot = slot;
                gateway.go_on(delivery).await;
            });
        }
        self.store.forget_expired(now, AT_ONCE).await?;
        Ok(())
    }

    /// Tries a delivery that is due, and what waits behind it.
    async fn go_on(&self, delivery: DeliveryRecord) {
        let mut next = Some(delivery.id);
        while let Some(id) = next.take() {
            match self.claim(id).await {
                Ok(Claimed::Work(work)) => {
                    crash_point(points::BACKGROUND_BEFORE_DRIVE);
                    self.drive(*work, None).await;
                }
                Ok(Claimed::Ended(following)) => next = following,
                Ok(Claimed::NotNow) => {}
                Err(error) => tracing::error!(%error, delivery_id = %id, "a delivery could not be claimed"),
            }
        }
    }

    /// An operator's pause holds everything back; a pause by the vendor lets what waited its hour through as a probe.
    fn stays_paused(&self, delivery: &DeliveryRecord) -> bool {
        match self.connections.pause_of(&delivery.merchant, &delivery.connection) {
            None => false,
            Some(pause) if pause.by == "vendor" => {
                !self
                    .connections
                    .take_probe(&delivery.merchant, &delivery.connection, self.clock.now())
            }
            Some(_) => true,
        }
    }

    pub(crate) async fn put_off(&self, mut delivery: DeliveryRecord) -> Result<(), StoreError> {
        let now = self.clock.now();
        let expect = vec![Expect::Delivery {
            id: delivery.id,
            fence: delivery.fence,
        }];
        delivery.state = DeliveryState::Waiting;
        delivery.waiting_for = Some(WaitingFor::Paused);
        delivery.parked_since = delivery.parked_since.or(Some(now));
        delivery.next_attempt_at = now.checked_add(PROBE_EVERY).ok();
        crash_point(points::PARK_BEFORE_COMMIT);
        self.store
            .apply(Changeset {
                expect,
                write: vec![Write::PutDelivery(delivery)],
            })
            .await?;
        crash_point(points::PARK_AFTER_COMMIT);
        Ok(())
    }

    /// Makes everything that waits at a connection due at once: its breaker closed, it was resumed, or a call
    /// succeeded again.
    pub fn release(&self, merchant: &str, connection: &str) {
        let (gateway, merchant, connection) = (self.clone(), merchant.to_owned(), connection.to_owned());
        self.spawn(async move {
            if let Err(error) = gateway.release_now(&merchant, &connection).await {
                tracing::error!(%error, merchant, connection, "what waits could not be made due");
            }
        });
    }

    async fn release_now(&self, merchant: &str, connection: &str) -> Result<(), StoreError> {
        let now = self.clock.now();
        let waiting = self.store.due(Timestamp::MAX, RELEASED_AT_ONCE).await?;
        for mut delivery in waiting {
            let is_here = delivery.merchant == merchant && delivery.connection == connection;
            let is_behind = delivery.waiting_for == Some(WaitingFor::Predecessor);
            if !is_here || is_behind || delivery.next_attempt_at.is_none_or(|at| at <= now) {
                continue;
            }
            let expect = vec![Expect::Delivery {
                id: delivery.id,
                fence: delivery.fence,
            }];
            // A commit that has read it and not written yet must not take over the old time.
            delivery.fence += 1;
            delivery.next_attempt_at = Some(now);
            crash_point(points::RELEASE_BEFORE_COMMIT);
            self.store
                .apply(Changeset {
                    expect,
                    write: vec![Write::PutDelivery(delivery)],
                })
                .await?;
            crash_point(points::RELEASE_AFTER_COMMIT);
        }
        Ok(())
    }
}
