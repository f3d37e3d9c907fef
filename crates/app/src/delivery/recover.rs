//! What a process that died left behind: deliveries in flight whose outcome nobody knows.

use jiff::{SignedDuration, Timestamp};

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{ErrorKind, ProviderError, RetryAdvice, StateAtVendor};
use upsert_store::{Applied, Changeset, DeliveryRecord, DeliveryState, StoreError, Write};

use crate::delivery::Deliveries;
use crate::delivery::record::delivery_error;
use crate::runtime::wakeups::{QueueKey, Reach};

const AT_ONCE: usize = 500;

/// Deliveries in flight that are looked at together.
const MOST_HELD: usize = 10_000;

/// No lease is longer, and no process's clock is so far ahead of another one's.
const LEASE_BELIEVED_AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// Whether a moment that something was stamped with is further ahead than it can be.
pub(crate) fn is_ahead(stamped: Timestamp, now: Timestamp) -> bool {
    stamped.duration_since(now) > LEASE_BELIEVED_AHEAD
}

/// What a process leaves behind that dies between two commits.
#[derive(Debug, Clone, Copy)]
enum Left {
    /// Upserts that have not ended, though all of theirs has.
    Unsettled,
    /// Upserts of which an event is owed.
    Owing,
}

impl Deliveries {
    /// Takes back every delivery that the process before had in flight, and reads what is durable of connections. To be
    /// called once, before requests are taken. In a store that others work with too only what nobody holds any more is
    /// taken back.
    ///
    /// # Errors
    /// The store failed.
    pub async fn recover(&self) -> Result<(), StoreError> {
        self.sort_ids_after().await?;
        self.load_connections().await?;
        self.outbox.follow_endpoints().await?;
        if self.is_stamped_ahead().await? {
            tracing::warn!("a clock was ahead: what is kept was made at moments that are yet to come");
            self.call_up_what_was_put_off_too_far().await?;
        }
        let held_until = self.context.store.is_shared().then(|| self.context.clock.now());
        loop {
            let abandoned = self.context.store.abandoned(held_until, AT_ONCE).await?;
            if abandoned.is_empty() {
                crash_point(points::RECOVER_BEFORE_CALLING);
                return self.call_up_what_waits().await;
            }
            tracing::info!(
                deliveries = abandoned.len(),
                "taking back what the last process had in flight"
            );
            for delivery in abandoned {
                self.take_back(delivery).await?;
            }
        }
    }

    /// What is kept is put in order by its ids.
    async fn sort_ids_after(&self) -> Result<(), StoreError> {
        if let Some(until) = self.context.store.made_until().await? {
            self.context.ids.sort_after(until);
        }
        Ok(())
    }

    /// What waited behind a delivery, or for a connection to be free, is called by the process that sees to that. Where
    /// that process died in between, nobody would: so all that waits is tried once.
    pub(crate) async fn call_up_what_waits(&self) -> Result<(), StoreError> {
        for count in self.context.store.waiting().await? {
            self.context.connections.drain(&count.merchant, &count.connection);
        }
        Ok(())
    }

    /// Whether anything is kept that was made at a moment that is yet to come: the clock that said so was wrong.
    pub(crate) async fn is_stamped_ahead(&self) -> Result<bool, StoreError> {
        let made_until = self.context.store.made_until().await?;
        Ok(made_until.is_some_and(|until| is_ahead(until, self.context.clock.now())))
    }

    /// A clock was ahead, and is right again: whatever was put off until one of its moments is due now, and what was held until
    /// then nobody holds. All that waits is tried once; what still has to wait says so for how long.
    pub(crate) async fn call_up_what_was_put_off_too_far(&self) -> Result<(), StoreError> {
        let (store, now) = (&self.context.store, self.context.clock.now());
        for count in store.waiting().await? {
            self.context
                .wake_connection(&count.merchant, &count.connection, Reach::All);
        }
        for count in store.open_outgoing().await? {
            let queue = QueueKey::Endpoint(count.merchant, count.name);
            self.context.wake(queue, Reach::All);
        }
        for delivery in store.abandoned(None, MOST_HELD).await? {
            let is_held_for_good = delivery.lease_until().is_some_and(|until| is_ahead(until, now));
            if is_held_for_good && !self.context.in_flight.has(delivery.id) {
                self.take_back(delivery).await?;
            }
        }
        Ok(())
    }

    /// Ends the upserts whose last delivery ended, but whose process died before it could end them too; then tells what it
    /// owed when it died.
    pub(crate) async fn settle_what_was_left(&self) {
        for left in [Left::Unsettled, Left::Owing] {
            if let Err(error) = self.settle_each(left).await {
                tracing::error!(%error, ?left, "upserts that were left could not be read");
            }
        }
    }

    async fn settle_each(&self, which: Left) -> Result<(), StoreError> {
        let (store, mut after) = (&self.context.store, None);
        loop {
            let left = match which {
                Left::Unsettled => store.unsettled(after.as_ref(), AT_ONCE).await?,
                Left::Owing => store.owing(after.as_ref(), AT_ONCE).await?,
            };
            let Some(last) = left.last() else { return Ok(()) };
            after = Some(last.clone());
            for upsert in left {
                if self.context.stopping.is_cancelled() {
                    return Ok(());
                }
                crash_point(points::RECOVER_BEFORE_SETTLING);
                self.settle(&upsert.merchant, upsert.id).await;
            }
        }
    }

    /// Its attempt was durable before the first byte went out, so it may have reached the vendor: the outcome is
    /// unknown, and every field counts as not accepted. Whether it may be sent again is for the next plan to say.
    ///
    /// Whoever sent it may be alive all the same and record just now, which changes the lane and not the fence: so the lane
    /// is read first, and the delivery once more after it.
    pub(crate) async fn take_back(&self, abandoned: DeliveryRecord) -> Result<(), StoreError> {
        let known = self.context.customer_of(&abandoned).await?;
        let delivery = self.context.store.delivery(&abandoned.merchant, abandoned.id).await?;
        let is_as_it_was =
            |now: &DeliveryRecord| now.state() == DeliveryState::InFlight && now.fence() == abandoned.fence();
        let Some(mut delivery) = delivery.filter(is_as_it_was) else {
            return Ok(());
        };
        let mut changes = Changeset::of(&delivery.merchant);
        changes.expect.push(delivery.expected());
        let now = self.context.clock.now();
        delivery.take_back(delivery_error(&lost()), now);
        if let Some(mut lane) = known.and_then(|known| known.lane(&delivery.connection).cloned()) {
            changes.expect.push(lane.change());
            lane.lose_call(delivery.version());
            changes.write.extend(self.wait_in(&mut lane, &mut delivery, now).await?);
            changes.write.push(Write::PutLane(lane));
        }
        changes.write.push(Write::PutDelivery(delivery, None));
        crash_point(points::RECOVER_BEFORE_TAKE_BACK);
        let applied = self.outbox.apply(changes).await?;
        crash_point(points::RECOVER_AFTER_TAKE_BACK);
        if applied != Applied::Done {
            tracing::debug!("a delivery was taken back by somebody else");
        }
        Ok(())
    }
}

/// Of a call that the end of its process cut off.
pub(crate) fn lost() -> ProviderError {
    let detail = "the gateway stopped during the call; whether the vendor wrote is not known";
    let (kind, state) = (ErrorKind::Transient, StateAtVendor::Unknown);
    ProviderError::new(kind, state, RetryAdvice::Backoff, detail)
}
