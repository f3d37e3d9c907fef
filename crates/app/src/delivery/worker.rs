//! What waits at one connection, taken as fast as the connection lets calls through and no faster. Each connection has
//! a worker of its own, so however much waits at one, and however long its calls hang, the others do not notice.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{DeliveryId, Priority, WaitingFor};
use upsert_store::{DeliveryRecord, DeliveryState, StoreError};

use crate::delivery::Deliveries;
use crate::delivery::claim::{ClaimPurpose, Claimed};
use crate::directory::merchant::Connection;
use crate::runtime::connections::UNTIL_RELEASED;
use crate::runtime::wakeups::Reach;

/// Deliveries that are read at once.
const PAGE: usize = 128;

/// The most that one worker has under way; the connection's own places bound it further.
const MOST_AT_ONCE: usize = 64;

/// What it has under way where no place is free.
const FEW: usize = 4;

/// What came of one delivery that a worker took.
struct Tried {
    id: DeliveryId,
    /// Whether it may be met again: it is still due, and nobody can tell why.
    is_stuck: bool,
}

/// One time round.
struct Batch<'a> {
    wing: &'a Deliveries,
    connection: Arc<Connection>,
    merchant: &'a str,
    reach: Reach,
    after: Option<DeliveryId>,
    page: VecDeque<DeliveryRecord>,
    /// Due ones that are under way, or that could not be got on with.
    taken: HashSet<DeliveryId>,
    going: FuturesUnordered<BoxFuture<'a, Tried>>,
    /// How many may be under way.
    width: usize,
}

impl Deliveries {
    pub(crate) async fn work_through(&self, merchant: &str, name: &str, reach: Reach) -> Result<(), StoreError> {
        let directory = self.context.directory();
        let connection = directory.get(merchant).and_then(|merchant| merchant.connection(name));
        let is_paused = self.context.connections.pause_of(merchant, name).is_some();
        let Some(connection) = connection.filter(|_| !is_paused) else {
            return self.shelve(merchant, name).await;
        };
        let said = self.context.connections.said_to_drain(merchant, name);
        let round = Batch {
            wing: self,
            connection: connection.clone(),
            merchant,
            reach,
            after: None,
            page: VecDeque::new(),
            taken: HashSet::new(),
            going: FuturesUnordered::new(),
            width: 0,
        };
        if round.run().await? && reach > Reach::Due {
            self.context.connections.drained(merchant, name, said);
        }
        Ok(())
    }

    /// Nothing goes to this connection, and nobody knows for how long: what is due there waits until it is released.
    async fn shelve(&self, merchant: &str, connection: &str) -> Result<(), StoreError> {
        loop {
            let due = self
                .context
                .store
                .due_at(merchant, connection, self.context.clock.now(), PAGE)
                .await?;
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
    pub(crate) async fn go_on(&self, id: DeliveryId, purpose: ClaimPurpose) -> bool {
        let mut next = Some(id);
        let mut moved = true;
        while let Some(id) = next.take() {
            crash_point(points::WORKER_BEFORE_CLAIM);
            match self.claim(id, purpose).await {
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

impl Batch<'_> {
    /// Whether it came to the end of what it reaches for, rather than to a connection that lets nothing through.
    async fn run(mut self) -> Result<bool, StoreError> {
        loop {
            let reached_the_end = self.fill().await?;
            match self.going.next().await {
                Some(tried) if !tried.is_stuck && self.reach == Reach::Due => drop(self.taken.remove(&tried.id)),
                Some(_) => {}
                None => return Ok(reached_the_end),
            }
        }
    }

    /// Starts as many as may be under way. Whether there are no more.
    async fn fill(&mut self) -> Result<bool, StoreError> {
        if self.wing.context.stopping.is_cancelled() {
            return Ok(false);
        }
        let Ok(room) = self.connection.status.room(Priority::Interactive) else {
            return Ok(false);
        };
        if self.going.is_empty() {
            // Requests that somebody waits for find a place beside it; where they take every place, what waits queues for
            // some of them all the same, or it would never come to its turn.
            self.width = match room {
                0 => FEW,
                room => (room - room / 4).min(MOST_AT_ONCE),
            };
        }
        while self.going.len() < self.width {
            if self.is_paused() {
                return Ok(false);
            }
            let Some(delivery) = self.next().await? else {
                return Ok(true);
            };
            if let Err(held) = self.connection.status.room(delivery.priority) {
                if held.waiting_for != WaitingFor::Quota || delivery.priority == Priority::Interactive {
                    return Ok(false);
                }
                // The day's reserve is not for bulk work: others behind it may go.
                self.taken.remove(&delivery.id);
                self.wing.put_off(delivery, held).await?;
                continue;
            }
            let wing = self.wing;
            self.going.push(Box::pin(async move {
                let id = delivery.id;
                let is_stuck = !wing.go_on(id, ClaimPurpose::Usual).await;
                Tried { id, is_stuck }
            }));
        }
        Ok(false)
    }

    fn is_paused(&self) -> bool {
        let connections = &self.wing.context.connections;
        connections.pause_of(self.merchant, &self.connection.name).is_some()
    }

    /// The next one that was not met yet.
    async fn next(&mut self) -> Result<Option<DeliveryRecord>, StoreError> {
        loop {
            if self.page.is_empty() && !self.turn_the_page().await? {
                return Ok(None);
            }
            let Some(delivery) = self.page.pop_front() else {
                continue;
            };
            let is_wanted = match self.reach {
                Reach::Due => self.taken.insert(delivery.id),
                Reach::Parked => delivery.state != DeliveryState::Retrying,
                Reach::All => true,
            };
            if is_wanted {
                return Ok(Some(delivery));
            }
        }
    }

    /// Whether there is anything on it that was not met yet.
    async fn turn_the_page(&mut self) -> Result<bool, StoreError> {
        let (store, name) = (&self.wing.context.store, &self.connection.name);
        let page = match self.reach {
            // What was taken stays due until it is claimed.
            Reach::Due => {
                let (now, most) = (self.wing.context.clock.now(), PAGE + self.taken.len());
                let due = store.due_at(self.merchant, name, now, most).await?;
                due.into_iter().filter(|due| !self.taken.contains(&due.id)).collect()
            }
            Reach::Parked | Reach::All => store.waiting_at(self.merchant, name, self.after, PAGE).await?,
        };
        self.after = page.last().map(|last| last.id).or(self.after);
        self.page = page.into();
        Ok(!self.page.is_empty())
    }
}
