//! What is removed of an erased customer beside the customer itself: upserts with what they changed, their deliveries and
//! attempts, stored answers, and events in both directions. Each page is a commit of its own; whoever begins anew goes on
//! with what is there.

use serde_json::Value as Json;

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{CustomerId, EventKind};
use upsert_store::{
    ErasureRecord, IncomingEvent, IncomingFilter, IncomingState, OutgoingEvent, OutgoingFilter, OutgoingState,
    StoreError, Write,
};

use crate::directory::merchant::Merchant;
use crate::operations::Operations;
use crate::problem::Refusal;

/// Upserts that are removed together, and events that are looked at together.
const AT_ONCE: usize = 100;

impl Operations {
    /// Everything that is kept under the customer's upserts, however they stand. Nobody makes another one: each expects the
    /// customer as it was.
    pub(super) async fn remove_upserts(&self, merchant: &str, customer: CustomerId) -> Result<(), StoreError> {
        loop {
            let store = &self.context.store;
            let page = store.upserts_of(merchant, customer, AT_ONCE).await?;
            if page.is_empty() {
                return Ok(());
            }
            let ids: Vec<_> = page.iter().map(|(upsert, _)| upsert.id).collect();
            let keys = store.keys_of_upserts(merchant, &ids).await?;
            let deliveries = page.iter().flat_map(|(_, deliveries)| deliveries);
            let deliveries = deliveries.map(|delivery| Write::ForgetDelivery {
                id: delivery.id,
                attempts: delivery.last_attempt(),
            });
            let answers = keys.into_iter().map(|key| Write::EraseAnswer { key });
            let upserts = ids.into_iter().map(Write::ForgetUpsert);
            let write = deliveries.chain(answers).chain(upserts).collect();
            self.forget(merchant, write).await?;
            crash_point(points::ERASE_AFTER_UPSERTS);
        }
    }

    /// Events that came in about the customer, and dead letters that are about the person.
    pub(super) async fn remove_events_in(
        &self,
        merchant: Option<&Merchant>,
        erasure: &ErasureRecord,
    ) -> Result<(), Refusal> {
        let of_customer = IncomingFilter {
            customer_id: Some(erasure.id.customer()),
            ..of_merchant(&erasure.merchant)
        };
        let letters = IncomingFilter {
            state: [IncomingState::Failed].into(),
            ..of_merchant(&erasure.merchant)
        };
        for filter in [of_customer, letters] {
            let mut before = None;
            loop {
                let page = self.context.store.incoming_events(&filter, before, AT_ONCE).await?;
                let mut write = Vec::new();
                for event in page.entries {
                    if self.is_to_go(merchant, &event, erasure).await? {
                        write.push(Write::ForgetIncomingEvent(event.id));
                    }
                }
                self.forget(&erasure.merchant, write).await?;
                before = page.next;
                if before.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn forget(&self, merchant: &str, write: Vec<Write>) -> Result<(), StoreError> {
        if !write.is_empty() {
            self.outbox.write(merchant, Vec::new(), write).await?;
        }
        Ok(())
    }

    async fn is_to_go(
        &self,
        merchant: Option<&Merchant>,
        event: &IncomingEvent,
        erasure: &ErasureRecord,
    ) -> Result<bool, Refusal> {
        match merchant {
            _ if event.customer() == Some(erasure.id.customer()) => Ok(true),
            Some(merchant) => self.inbox.is_of_the_erased(merchant, event, Some(erasure.id)).await,
            // Nobody can tell how its events are to be read. Where the merchant is gone they are forgotten in time.
            None => Ok(false),
        }
    }

    /// Events that are still to go out or never could, and tell of the customer. What was taken is not kept anyway. In one
    /// pass: one that is replayed meanwhile has another state and the same place.
    pub(super) async fn remove_events_out(&self, erasure: &ErasureRecord) -> Result<(), StoreError> {
        let customer = erasure.id.customer().to_string();
        let filter = OutgoingFilter {
            merchants: Some([erasure.merchant.clone()].into()),
            state: [OutgoingState::Pending, OutgoingState::Retrying, OutgoingState::Failed].into(),
            ..OutgoingFilter::default()
        };
        let mut before = None;
        loop {
            let page = self.context.store.outgoing_events(&filter, before, AT_ONCE).await?;
            let about = page.entries.iter().filter(|event| tells_of(event, &customer));
            let write = about.map(|event| Write::ForgetOutgoingEvent(event.id)).collect();
            self.forget(&erasure.merchant, write).await?;
            before = page.next;
            if before.is_none() {
                return Ok(());
            }
        }
    }
}

/// Whether an event tells of this customer. That it names the customer is not enough: it may say whose record another one's
/// call has hit.
fn tells_of(event: &OutgoingEvent, customer: &str) -> bool {
    let pointer = match event.kind.parse() {
        Ok(EventKind::CustomerUpserted) => "/data/customer/id",
        Ok(EventKind::CustomerDeliveryFailed) => "/data/customer_id",
        // That it was erased is still to be told. The others are about connections.
        _ => return false,
    };
    let body: Json = serde_json::from_str(event.body()).unwrap_or_default();
    body.pointer(pointer).and_then(Json::as_str) == Some(customer)
}

fn of_merchant(merchant: &str) -> IncomingFilter {
    IncomingFilter {
        merchants: Some([merchant.to_owned()].into()),
        ..IncomingFilter::default()
    }
}
