//! What a process that died left behind: deliveries in flight whose outcome nobody knows.

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{ErrorKind, RetryAdvice, StateAtVendor};
use upsert_store::{
    Applied, Changeset, DeliveryFilter, DeliveryRecord, DeliveryState, Expect, IncomingFilter, OutgoingFilter,
    StoreError, Write,
};

use crate::delivery::Deliveries;
use crate::delivery::record::delivery_error;
use crate::planning::lane::{may_be_there, supersede};

const AT_ONCE: usize = 500;

impl Deliveries {
    /// Takes back every delivery that the process before had in flight, and reads what is durable of connections. To be
    /// called once, before requests are taken, by a process that has the store to itself.
    ///
    /// # Errors
    /// The store failed.
    pub async fn recover(&self) -> Result<(), StoreError> {
        let newest = self
            .context
            .store
            .deliveries(&DeliveryFilter::default(), None, 1)
            .await?;
        if let Some(newest) = newest.entries.first() {
            self.context.ids.sort_after(newest.id.as_uuid());
        }
        self.sort_events_after().await?;
        self.load_connections().await?;
        self.outbox.load_endpoints().await?;
        loop {
            let abandoned = self.context.store.abandoned(None, AT_ONCE).await?;
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

    /// What events are put in order by are their ids.
    async fn sort_events_after(&self) -> Result<(), StoreError> {
        let incoming = self
            .context
            .store
            .incoming_events(&IncomingFilter::default(), None, 1)
            .await?;
        let outgoing = self
            .context
            .store
            .outgoing_events(&OutgoingFilter::default(), None, 1)
            .await?;
        let newest = incoming.entries.first().map(|event| event.id);
        for id in newest.into_iter().chain(outgoing.entries.first().map(|event| event.id)) {
            self.context.ids.sort_after(id.as_uuid());
        }
        Ok(())
    }

    /// What waited behind a delivery, or for a connection to be free, is called by the process that sees to that. Where
    /// that process died in between, nobody would: so all that waits is tried once.
    async fn call_up_what_waits(&self) -> Result<(), StoreError> {
        for count in self.context.store.waiting().await? {
            self.context.connections.drain(&count.merchant, &count.connection);
        }
        Ok(())
    }

    /// Ends the upserts whose last delivery ended, but whose process died before it could end them too.
    pub(crate) async fn settle_what_was_left(&self) {
        let mut after = None;
        loop {
            let left = match self.context.store.unsettled(after, AT_ONCE).await {
                Ok(left) => left,
                Err(error) => {
                    tracing::error!(%error, "upserts that were left unsettled could not be read");
                    return;
                }
            };
            let Some(last) = left.last() else { return };
            after = Some(last.id);
            for upsert in left {
                if self.context.stopping.is_cancelled() {
                    return;
                }
                crash_point(points::RECOVER_BEFORE_SETTLING);
                self.settle(&upsert.merchant, upsert.id).await;
            }
        }
    }

    /// Tells what the last process owed when it died.
    pub(crate) async fn publish_what_is_owed(&self) {
        let mut after = None;
        loop {
            let owing = match self.context.store.owing(after, AT_ONCE).await {
                Ok(owing) => owing,
                Err(error) => {
                    tracing::error!(%error, "upserts of which events are owed could not be read");
                    return;
                }
            };
            let Some(last) = owing.last() else { return };
            after = Some(last.id);
            for upsert in owing {
                if self.context.stopping.is_cancelled() {
                    return;
                }
                self.settle(&upsert.merchant, upsert.id).await;
            }
        }
    }

    /// Its attempt was durable before the first byte went out, so it may have reached the vendor: the outcome is
    /// unknown, and every field counts as not accepted. Whether it may be sent again is for the next plan to say.
    pub(crate) async fn take_back(&self, mut delivery: DeliveryRecord) -> Result<(), StoreError> {
        let known = self
            .context
            .store
            .customer(&delivery.merchant, delivery.customer)
            .await?;
        let mut changes = Changeset::default();
        changes.expect.push(Expect::Delivery {
            id: delivery.id,
            fence: delivery.fence,
        });
        let now = self.context.clock.now();
        delivery.attempts += 1;
        delivery.fence += 1;
        delivery.maybe_written = true;
        delivery.lease_until = None;
        delivery.state = DeliveryState::Retrying;
        delivery.next_attempt_at = Some(now);
        delivery.error = Some(delivery_error(&upsert_core::ProviderError::new(
            ErrorKind::Transient,
            StateAtVendor::Unknown,
            RetryAdvice::Backoff,
            "the gateway stopped during the call; whether the vendor wrote is not known",
        )));
        if let Some(mut lane) = known.and_then(|known| known.lane(&delivery.connection).cloned()) {
            changes.expect.push(Expect::Lane {
                customer: lane.customer,
                connection: lane.connection.clone(),
                revision: Some(lane.revision),
            });
            lane.revision += 1;
            lane.in_flight = None;
            lane.brought = lane.brought.max(delivery.version);
            may_be_there(&mut lane);
            match lane.queued {
                None => lane.queued = Some(delivery.id),
                Some(newer) => {
                    if let Some(mut newer) = self.context.store.delivery(newer).await? {
                        supersede(&mut delivery, &mut newer, now);
                        changes.write.push(Write::PutDelivery(newer));
                    }
                }
            }
            changes.write.push(Write::PutLane(lane));
        }
        changes.write.push(Write::PutDelivery(delivery));
        crash_point(points::RECOVER_BEFORE_TAKE_BACK);
        let applied = self.outbox.apply(changes).await?;
        crash_point(points::RECOVER_AFTER_TAKE_BACK);
        if applied != Applied::Done {
            tracing::debug!("a delivery was taken back by somebody else");
        }
        Ok(())
    }
}
