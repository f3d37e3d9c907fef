//! A vendor that fails is asked once an open time whether it is back, though nobody calls: with what has waited longest, due or
//! not, or, where nothing waits, with a read.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use upsert_core::{CallContext, Priority};
use upsert_store::{Applied, StoreError, Write};

use crate::delivery::Deliveries;
use crate::delivery::claim::ClaimPurpose;
use crate::delivery::reads::read_context;
use crate::delivery::trial::could_go;
use crate::directory::merchant::Connection;

/// So many of those that wait are tried until one can go.
const MOST: usize = 16;

/// A time that was told is over a little later by the clock of the day than by the one that waits.
const AS_GOOD_AS_OVER: SignedDuration = SignedDuration::from_secs(1);

impl Deliveries {
    /// Sees to it that each open breaker gets the probe that it waits for.
    pub(crate) fn probe_those_down(&self) {
        for merchant in self.context.directory().iter() {
            for connection in &merchant.connections {
                if self.context.connections.is_paused(&merchant.id, &connection.name) {
                    continue;
                }
                let Some(open_for) = connection.status.wants_probe() else {
                    continue;
                };
                let (wing, merchant, connection) = (self.clone(), merchant.id.clone(), Arc::clone(connection));
                self.context.spawn(async move {
                    if let Err(error) = wing.probe_one_down(&merchant, &connection, open_for).await {
                        tracing::error!(%error, merchant, connection = connection.name, "a failing vendor could not be probed");
                    }
                });
            }
        }
    }

    async fn probe_one_down(
        &self,
        merchant: &str,
        connection: &Arc<Connection>,
        open_for: Duration,
    ) -> Result<(), StoreError> {
        let (store, name, now) = (&self.context.store, &connection.name, self.context.clock.now());
        if !store.due_at(merchant, name, now, 1).await?.is_empty() {
            // Its worker is about to find out.
            return Ok(());
        }
        if !self.takes_the_probe(merchant, name, open_for).await? {
            return Ok(());
        }
        let waiting = store.waiting_at(merchant, name, None, MOST).await?;
        for delivery in waiting.iter().filter(|delivery| could_go(delivery)) {
            tracing::info!(merchant, connection = name, delivery_id = %delivery.id, "probing a vendor that fails");
            if self.go_on(merchant, delivery.id, ClaimPurpose::Usual).await {
                return Ok(());
            }
        }
        self.probe_by_reading(merchant, connection).await
    }

    /// Nobody asked for it, so it takes no calls that somebody may need: none of the reserve, and at most half of the day's.
    async fn probe_by_reading(&self, merchant: &str, connection: &Connection) -> Result<(), StoreError> {
        let Some(reader) = &connection.reader else {
            return Ok(());
        };
        let limit = connection.status.snapshot().rate_limit;
        let is_scarce = match (limit.left_today, limit.per_day) {
            (Some(left), Some(per_day)) => left <= per_day / 2,
            _ => false,
        };
        if is_scarce || connection.status.room(Priority::Bulk).is_err() {
            return Ok(());
        }
        tracing::info!(
            merchant,
            connection = connection.name,
            "probing a vendor that fails with a read"
        );
        let context = CallContext {
            priority: Priority::Bulk,
            ..read_context(connection)
        };
        self.read_cheaply(merchant, connection, reader, &context).await?;
        Ok(())
    }

    /// Of several processes one makes the probe: whoever says first, in the connection's row, that nobody else need for so long.
    async fn takes_the_probe(&self, merchant: &str, name: &str, open_for: Duration) -> Result<bool, StoreError> {
        if !self.context.store.is_shared() {
            return Ok(true);
        }
        let _one_at_a_time = self.context.pausing.lock().await;
        let mut record = self.context.connections.record(merchant, name);
        let now = self.context.clock.now();
        let left = record.open_until.map(|until| until.duration_since(now));
        if left.is_some_and(|left| left > AS_GOOD_AS_OVER) {
            return Ok(false);
        }
        let expected = record.change();
        let open_for = SignedDuration::try_from(open_for).unwrap_or_default();
        record.open_until = now.checked_add(open_for).ok();
        let write = vec![Write::PutConnection(record.clone())];
        if self.outbox.write(merchant, vec![expected], write).await? != Applied::Done {
            return Ok(false);
        }
        self.context.connections.learn(record);
        Ok(true)
    }
}
