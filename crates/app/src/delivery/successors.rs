//! Which delivery stands for one that gave way: the last of those that went in its place, one after the other.

use upsert_store::{DeliveryRecord, StoreError};

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
    pub(crate) async fn standing_for(&self, mut delivery: DeliveryRecord) -> Result<DeliveryRecord, StoreError> {
        let (mut way, era) = (Vec::new(), self.context.successors.era());
        while let Some(successor) = delivery.superseded_by() {
            way.push(delivery.id);
            let next = self.context.successors.shortcut(delivery.id).unwrap_or(successor);
            match self.context.store.delivery(&delivery.merchant, next).await? {
                Some(next) => delivery = next,
                None => break,
            }
        }
        self.context.successors.remember(era, &way, delivery.id);
        Ok(delivery)
    }
}
