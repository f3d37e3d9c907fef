//! Which delivery stands for one that gave way: the last of those that went in its place, one after the other.

use upsert_store::{DeliveryRecord, DeliveryState, StoreError};

use crate::delivery::Deliveries;

impl Deliveries {
    /// Each delivery, or the last of those that went in its place.
    pub(crate) async fn effective(&self, deliveries: Vec<DeliveryRecord>) -> Result<Vec<DeliveryRecord>, StoreError> {
        let mut effective = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            effective.push(self.standing_for(delivery).await?);
        }
        Ok(effective)
    }

    /// The delivery, or the last of those that went in its place.
    pub(crate) async fn standing_for(&self, delivery: DeliveryRecord) -> Result<DeliveryRecord, StoreError> {
        let (end, by_shortcut) = self.walk(delivery.clone()).await?;
        if !(by_shortcut && self.was_taken_back(&end).await?) {
            return Ok(end);
        }
        // Another process took it back, and then one that had given way to it goes on: the way is another one now.
        self.context.successors.forget();
        Ok(self.walk(delivery).await?.0)
    }

    /// Along those that went in its place, to the last. Whether it went there by what was remembered.
    async fn walk(&self, mut delivery: DeliveryRecord) -> Result<(DeliveryRecord, bool), StoreError> {
        let (mut way, era, mut by_shortcut) = (Vec::new(), self.context.successors.era(), false);
        while let Some(successor) = delivery.superseded_by() {
            way.push(delivery.id);
            let shortcut = self.context.successors.shortcut(delivery.id);
            by_shortcut |= shortcut.is_some();
            let next = shortcut.unwrap_or(successor);
            match self.context.store.delivery(&delivery.merchant, next).await? {
                Some(next) => delivery = next,
                None => break,
            }
        }
        self.context.successors.remember(era, &way, delivery.id);
        Ok((delivery, by_shortcut))
    }

    /// Whether the upsert of one that failed was rolled back. In a store that nobody else works with this process would
    /// have forgotten the ways to it.
    async fn was_taken_back(&self, delivery: &DeliveryRecord) -> Result<bool, StoreError> {
        let store = &self.context.store;
        if !store.is_shared() || delivery.state() != DeliveryState::Failed {
            return Ok(false);
        }
        let upsert = store.upsert(&delivery.merchant, delivery.upsert()).await?;
        Ok(upsert.is_some_and(|(upsert, _)| upsert.rolled_back()))
    }
}
