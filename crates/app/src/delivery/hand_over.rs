//! What a process that stops leaves to those that go on: nothing that it began stays its own until a lease ends.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use upsert_core::{CallContext, ProviderError, WaitingFor};
use upsert_store::{Applied, DeliveryRecord, StoreError};

use crate::delivery::Deliveries;
use crate::delivery::record::AttemptEnd;
use crate::delivery::recover::lost;
use crate::delivery::work::Work;

impl Deliveries {
    /// What waited behind a call of this process, which has ended, is due at once: nobody else would call it. Answers how it
    /// stands, if somebody changed it meanwhile.
    pub(crate) async fn leave_to_others(
        &self,
        mut waiting: DeliveryRecord,
    ) -> Result<Option<DeliveryRecord>, StoreError> {
        // In a store of its own the next process calls all that waits; what waits for a time is found when that comes.
        if !self.context.store.is_shared() || waiting.waiting_for() != Some(WaitingFor::Predecessor) {
            return Ok(None);
        }
        let (merchant, id, expected) = (waiting.merchant.clone(), waiting.id, waiting.expected());
        waiting.look_again_at(self.context.clock.now());
        match self.put_delivery(expected, waiting).await? {
            Applied::Done => Ok(None),
            Applied::Unmet(_) => self.context.store.delivery(&merchant, id).await,
        }
    }

    /// What comes of a call, unless calls are cut short first. One that waits for its turn does not take the place that another
    /// one leaves because it is cut short.
    pub(crate) async fn unless_cut_short<T>(&self, context: &CallContext, call: impl Future<Output = T>) -> Option<T> {
        let (mut call, mut cut) = (pin!(call), pin!(self.context.cut_short.cancelled()));
        poll_fn(|polled| {
            if context.in_line.is_waiting() && cut.as_mut().poll(polled).is_ready() {
                return Poll::Ready(None);
            }
            match call.as_mut().poll(polled) {
                Poll::Ready(came) => Poll::Ready(Some(came)),
                Poll::Pending => cut.as_mut().poll(polled).map(|()| None),
            }
        })
        .await
    }

    /// The call was cut short. If it still waited for its turn nothing was sent; if not, whether the vendor wrote is not known.
    /// Where it may be sent that is due at once, and anybody may do it.
    pub(crate) async fn after_a_cut(&self, work: &Work, context: &CallContext) -> Result<AttemptEnd, StoreError> {
        if context.in_line.is_waiting() {
            let now = self.context.clock.now();
            return Ok(AttemptEnd::Held(Arc::new(unsent()), WaitingFor::RateLimit, Some(now)));
        }
        let end = self.next_step(work, lost()).await?;
        Ok(match end {
            AttemptEnd::Again(error, _) => AttemptEnd::Again(error, self.context.clock.now()),
            end => end,
        })
    }
}

/// A call of a process that stopped before its turn came.
fn unsent() -> ProviderError {
    let detail = "the gateway stopped before the call's turn came; nothing was sent";
    ProviderError::held(WaitingFor::RateLimit, Some(Duration::ZERO), detail)
}
