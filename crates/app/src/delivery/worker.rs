//! What waits at one connection, taken as fast as the connection lets calls through and no faster.

use std::sync::Arc;

use async_trait::async_trait;

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{DeliveryId, Priority, WaitingFor};
use upsert_store::{DeliveryRecord, DeliveryState, StoreError};

use crate::delivery::Deliveries;
use crate::delivery::claim::{ClaimPurpose, Claimed};
use crate::directory::merchant::Connection;
use crate::runtime::connections::UNTIL_RELEASED;
use crate::runtime::wakeups::Reach;
use crate::runtime::worker::{PAGE, Queue, Take, work_through};

/// The most that one worker has under way; the connection's own places bound it further.
const MOST_AT_ONCE: usize = 64;

/// What it has under way where no place is free.
const FEW: usize = 4;

/// What waits at one connection.
struct ConnectionQueue {
    wing: Deliveries,
    merchant: String,
    name: String,
    reach: Reach,
    /// How many may be under way.
    width: usize,
}

impl ConnectionQueue {
    /// As it is configured now.
    fn connection(&self) -> Option<Arc<Connection>> {
        self.wing.context.directory().connection(&self.merchant, &self.name)
    }
}

impl Deliveries {
    pub(crate) async fn work_through(&self, merchant: &str, name: &str, reach: Reach) -> Result<(), StoreError> {
        let directory = self.context.directory_with(merchant).await?;
        let is_paused = self.context.connections.is_paused(merchant, name);
        let configured = directory.connection(merchant, name);
        if configured.is_none() && self.context.store.is_shared() {
            // While configuration is rolled out another process may know it: it is left as it is.
            return Ok(());
        }
        if configured.is_none() || is_paused {
            return self.shelve(merchant, name).await;
        }
        let said = self.context.connections.said_to_drain(merchant, name);
        let queue = ConnectionQueue {
            wing: self.clone(),
            merchant: merchant.to_owned(),
            name: name.to_owned(),
            reach,
            width: 0,
        };
        if work_through(queue, reach).await? && reach > Reach::Due {
            self.context.connections.drained(merchant, name, said);
        }
        Ok(())
    }

    /// Nothing goes to this connection, and nobody knows for how long: what is due there waits until it is released.
    async fn shelve(&self, merchant: &str, connection: &str) -> Result<(), StoreError> {
        loop {
            let (store, now) = (&self.context.store, self.context.clock.now());
            let due = store.due_at(merchant, connection, now, PAGE).await?;
            if due.is_empty() || self.context.stopping.is_cancelled() {
                return Ok(());
            }
            let before = due.len();
            for delivery in due {
                self.put_off(delivery, UNTIL_RELEASED).await?;
            }
            tracing::info!(
                merchant,
                connection,
                deliveries = before,
                "put off: nothing goes to this connection"
            );
        }
    }

    /// Tries a delivery, and what waits behind it. Whether it was got on with.
    pub(crate) async fn go_on(&self, merchant: &str, id: DeliveryId, purpose: ClaimPurpose) -> bool {
        let mut next = Some(id);
        let mut moved = true;
        while let Some(id) = next.take() {
            crash_point(points::WORKER_BEFORE_CLAIM);
            match self.claim(merchant, id, purpose).await {
                Ok(Claimed::Work(work)) => {
                    crash_point(points::WORKER_BEFORE_DRIVE);
                    self.drive(*work, None).await;
                }
                Ok(Claimed::Ended(following)) => next = following,
                Ok(Claimed::NotNow) => moved = false,
                Err(error) => {
                    moved = false;
                    tracing::error!(%error, delivery_id = %id, "a delivery could not be claimed");
                }
            }
        }
        moved
    }
}

#[async_trait]
impl Queue for ConnectionQueue {
    type Entry = DeliveryRecord;
    type Id = DeliveryId;

    fn id(delivery: &DeliveryRecord) -> DeliveryId {
        delivery.id
    }

    fn room(&mut self, under_way: usize) -> usize {
        let context = &self.wing.context;
        let is_paused = context.connections.is_paused(&self.merchant, &self.name);
        let room = self
            .connection()
            .map(|connection| connection.status.room(Priority::Interactive));
        match room {
            Some(Ok(room)) if !is_paused && !context.stopping.is_cancelled() => {
                if under_way == 0 {
                    // Requests that somebody waits for find a place beside it; where they take every place, what waits queues
                    // for some of them all the same, or it would never come to its turn.
                    self.width = match room {
                        0 => FEW,
                        room => (room - room / 4).min(MOST_AT_ONCE),
                    };
                }
                self.width
            }
            _ => 0,
        }
    }

    async fn due(&self, most: usize) -> Result<Vec<DeliveryRecord>, StoreError> {
        let (store, now) = (&self.wing.context.store, self.wing.context.clock.now());
        store.due_at(&self.merchant, &self.name, now, most).await
    }

    async fn waiting(&self, after: Option<DeliveryId>, most: usize) -> Result<Vec<DeliveryRecord>, StoreError> {
        let store = &self.wing.context.store;
        store.waiting_at(&self.merchant, &self.name, after, most).await
    }

    async fn take(&self, delivery: DeliveryRecord) -> Result<Take, StoreError> {
        if self.reach == Reach::Parked && delivery.state() == DeliveryState::Retrying {
            return Ok(Take::PassOver);
        }
        // It may have been configured anew since the last one.
        let Some(connection) = self.connection() else {
            return Ok(Take::Stop);
        };
        if let Err(held) = connection.status.room(delivery.priority) {
            if held.waiting_for != WaitingFor::Quota || delivery.priority == Priority::Interactive {
                return Ok(Take::Stop);
            }
            // The day's reserve is not for bulk work: others behind it may go.
            self.wing.put_off(delivery, held).await?;
            return Ok(Take::PassOver);
        }
        let wing = self.wing.clone();
        let go_on = async move { wing.go_on(&delivery.merchant, delivery.id, ClaimPurpose::Usual).await };
        Ok(Take::Work(Box::pin(go_on)))
    }
}
