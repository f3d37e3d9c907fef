//! One call now, because somebody asked for it: with what has waited longest, or with a read. It is an attempt like any other,
//! under its lease, in its lane, recorded; only what the vendor said before does not hold it back.

use std::sync::Arc;

use tokio::time::Instant;

use upsert_api::{TrialCall, TrialOutcome};
use upsert_core::{CallContext, CustomerReader, DeliveryId, ProviderError, WaitingFor};
use upsert_store::{DeliveryRecord, StoreError};

use crate::delivery::Deliveries;
use crate::delivery::claim::{ClaimPurpose, Claimed};
use crate::delivery::reads::read_context;
use crate::delivery::record::AttemptEnd;
use crate::delivery::work::Work;
use crate::directory::merchant::Connection;

/// What waits is looked through in pages of so many, and in so many of them.
const PAGE: usize = 16;
const MOST_PAGES: usize = 8;

/// A call that was made, or that our own limits held back.
pub(crate) struct Tried {
    pub(crate) call: TrialCall,
    pub(crate) delivery_id: Option<DeliveryId>,
    pub(crate) came: Came,
    pub(crate) took_ms: u64,
}

/// What came of it.
pub(crate) enum Came {
    /// The vendor took it, with this status.
    Taken(TrialOutcome, Option<u16>),
    /// It did not.
    Failed(Arc<ProviderError>),
}

impl Tried {
    /// Why nothing went out: by our own limits, or because another call was finding out.
    pub(crate) fn held_back(&self) -> Option<&ProviderError> {
        match &self.came {
            Came::Failed(error) if !error.sent && error.held.is_some() => Some(error),
            Came::Taken(..) | Came::Failed(_) => None,
        }
    }
}

impl Deliveries {
    /// Makes the call. None: nothing waits that could go, and the vendor cannot be read.
    pub(crate) async fn try_now(&self, merchant: &str, connection: &Connection) -> Result<Option<Tried>, StoreError> {
        if let Some(work) = self.oldest_to_try(merchant, &connection.name).await? {
            return self.try_with(*work).await.map(Some);
        }
        match &connection.reader {
            Some(reader) => self.try_reading(merchant, connection, reader).await,
            None => Ok(None),
        }
    }

    /// What has waited longest and can go, taken.
    async fn oldest_to_try(&self, merchant: &str, name: &str) -> Result<Option<Box<Work>>, StoreError> {
        let mut after = None;
        for _ in 0..MOST_PAGES {
            let page = self.context.store.waiting_at(merchant, name, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for delivery in page.iter().filter(|delivery| could_go(delivery)) {
                if let Some(work) = self.claim_to_try(merchant, delivery.id).await? {
                    return Ok(Some(work));
                }
            }
        }
        Ok(None)
    }

    async fn claim_to_try(&self, merchant: &str, id: DeliveryId) -> Result<Option<Box<Work>>, StoreError> {
        let mut next = Some(id);
        while let Some(id) = next.take() {
            match self.claim(merchant, id, ClaimPurpose::Trial).await? {
                Claimed::Work(work) => return Ok(Some(work)),
                Claimed::Ended(following) => next = following,
                Claimed::NotNow => {}
            }
        }
        Ok(None)
    }

    /// Sends it once. What goes on in its lane goes on by itself.
    async fn try_with(&self, work: Work) -> Result<Tried, StoreError> {
        let (merchant, id, fence) = (work.delivery.merchant.clone(), work.delivery.id, work.delivery.fence());
        let sent = match self.send_once(&work, &None).await {
            Ok(sent) => sent,
            Err(error) => {
                // As good as a call of a process that died.
                self.context.in_flight.lost(&merchant, id, fence);
                return Err(error);
            }
        };
        if let Some((delivery, queued)) = sent.recorded {
            let wing = self.clone();
            self.context
                .spawn(async move { wing.go_on_behind(&delivery, queued).await });
        }
        Ok(Tried {
            call: TrialCall::Delivery,
            delivery_id: Some(id),
            came: match sent.end {
                AttemptEnd::Accepted(receipt) => Came::Taken(receipt.outcome.into(), receipt.vendor_said.status),
                AttemptEnd::Failed(error) | AttemptEnd::Again(error, _) | AttemptEnd::Held(error, _, _) => {
                    Came::Failed(error)
                }
            },
            took_ms: sent.took_ms,
        })
    }

    /// What waited behind a delivery that was sent.
    async fn go_on_behind(&self, delivery: &DeliveryRecord, queued: Option<DeliveryId>) {
        match self.following(delivery, queued, jiff::SignedDuration::ZERO).await {
            Ok(Some(work)) => self.drive(work, None).await,
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "what waits behind a delivery could not be read"),
        }
    }

    async fn try_reading(
        &self,
        merchant: &str,
        connection: &Connection,
        reader: &Arc<dyn CustomerReader>,
    ) -> Result<Option<Tried>, StoreError> {
        let started = Instant::now();
        let context = CallContext {
            is_trial: true,
            ..read_context(connection)
        };
        let read = self.read_cheaply(merchant, connection, reader, &context).await?;
        let used_up = || ProviderError::held(WaitingFor::Quota, None, "the day's calls are used up");
        Ok(Some(Tried {
            call: TrialCall::Read,
            delivery_id: None,
            came: match read.unwrap_or_else(|| Err(used_up())) {
                Ok(_) => Came::Taken(TrialOutcome::Read, None),
                Err(error) => Came::Failed(Arc::new(error)),
            },
            took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }))
    }
}

/// Whether nothing of its customer goes before it.
pub(crate) fn could_go(delivery: &DeliveryRecord) -> bool {
    delivery.waiting_for() != Some(WaitingFor::Predecessor)
}
