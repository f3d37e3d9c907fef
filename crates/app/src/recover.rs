//! What a process that died left behind: deliveries in flight whose outcome nobody knows.

use jiff::Timestamp;

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{ErrorKind, RetryAdvice, StateAtVendor, WaitingFor};
use upsert_store::{Applied, Changeset, DeliveryRecord, DeliveryState, Expect, StoreError, Write};

use crate::deliver::PREDECESSOR_CHECK;
use crate::gateway::Gateway;
use crate::lane::supersede;
use crate::record::delivery_error;

const AT_ONCE: usize = 500;

impl Gateway {
    /// Takes back every delivery that the process before had in flight, and reads what is durable of connections. To be
    /// called once, before requests are taken, by a process that has the store to itself.
    ///
    /// # Errors
    /// The store failed.
    pub async fn recover(&self) -> Result<(), StoreError> {
        self.load_connections().await?;
        loop {
            let abandoned = self.store.abandoned(None, AT_ONCE).await?;
            if abandoned.is_empty() {
                crash_point(points::RECOVER_BEFORE_CALLING);
                return self.call_up_those_behind().await;
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

    /// What waited behind a delivery is called by the process that ended it. Where that process died in between, nobody
    /// would: now that nothing is in flight, all of them are due.
    async fn call_up_those_behind(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let by_themselves = now.checked_add(PREDECESSOR_CHECK).unwrap_or(Timestamp::MAX);
        let waiting = self.store.due(by_themselves, usize::MAX).await?;
        let is_behind = |delivery: &DeliveryRecord| delivery.waiting_for == Some(WaitingFor::Predecessor);
        for mut delivery in waiting.into_iter().filter(is_behind) {
            let expect = vec![Expect::Delivery {
                id: delivery.id,
                fence: delivery.fence,
            }];
            delivery.next_attempt_at = Some(now);
            let write = vec![Write::PutDelivery(delivery)];
            self.store.apply(Changeset { expect, write }).await?;
        }
        Ok(())
    }

    /// Its attempt was durable before the first byte went out, so it may have reached the vendor: the outcome is
    /// unknown, and every field counts as not accepted. Whether it may be sent again is for the next plan to say.
    pub(crate) async fn take_back(&self, mut delivery: DeliveryRecord) -> Result<(), StoreError> {
        let known = self.store.customer(&delivery.merchant, delivery.customer).await?;
        let mut changes = Changeset::default();
        changes.expect.push(Expect::Delivery {
            id: delivery.id,
            fence: delivery.fence,
        });
        let now = self.clock.now();
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
            lane.known_by.extend(lane.reserved.iter().cloned());
            lane.accepted.uncertain.extend(lane.accepted.fields.keys().cloned());
            match lane.queued {
                None => lane.queued = Some(delivery.id),
                Some(newer) => {
                    if let Some(mut newer) = self.store.delivery(newer).await? {
                        supersede(&mut delivery, &mut newer, now);
                        changes.write.push(Write::PutDelivery(newer));
                    }
                }
            }
            changes.write.push(Write::PutLane(lane));
        }
        changes.write.push(Write::PutDelivery(delivery));
        crash_point(points::RECOVER_BEFORE_TAKE_BACK);
        let applied = self.store.apply(changes).await?;
        crash_point(points::RECOVER_AFTER_TAKE_BACK);
        if applied != Applied::Done {
            tracing::debug!("a delivery was taken back by somebody else");
        }
        Ok(())
    }
}
