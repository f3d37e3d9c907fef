//! Which delivery stands for one that gave way: the last of those that went in its place, one after the other.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use upsert_core::DeliveryId;
use upsert_store::{DeliveryRecord, StoreError};

use crate::gateway::Gateway;

/// Ways that are remembered; then all of them are forgotten.
const MOST: usize = 65_536;

/// Where a way along successors led last time. A thousand requests that wait for a thousand edits of one customer would
/// otherwise walk half a million steps.
#[derive(Debug, Default)]
pub(crate) struct Successions {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    ends: HashMap<DeliveryId, DeliveryId>,
    /// Grows whenever all ways are forgotten: what was walked before that is not to be remembered after it.
    era: u64,
}

impl Successions {
    fn era(&self) -> u64 {
        self.known().era
    }

    fn shortcut(&self, from: DeliveryId) -> Option<DeliveryId> {
        self.known().ends.get(&from).copied()
    }

    fn remember(&self, era: u64, way: &[DeliveryId], end: DeliveryId) {
        // The first step stands in the record itself.
        if way.len() < 2 {
            return;
        }
        let mut known = self.known();
        if known.era != era {
            return;
        }
        if known.ends.len() + way.len() > MOST {
            known.ends.clear();
        }
        known.ends.extend(way.iter().map(|id| (*id, end)));
    }

    /// One that had given way is taken up again: ways that led past it are wrong now.
    pub(crate) fn forget(&self) {
        let mut known = self.known();
        known.ends.clear();
        known.era += 1;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// Each delivery, or the last of those that went in its place.
    pub(crate) async fn effective(&self, deliveries: Vec<DeliveryRecord>) -> Result<Vec<DeliveryRecord>, StoreError> {
        let mut effective = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            effective.push(self.standing_for(delivery).await?);
        }
        Ok(effective)
    }

    async fn standing_for(&self, mut delivery: DeliveryRecord) -> Result<DeliveryRecord, StoreError> {
        let (mut way, era) = (Vec::new(), self.successions.era());
        while let Some(successor) = delivery.superseded_by {
            way.push(delivery.id);
            let next = self.successions.shortcut(delivery.id).unwrap_or(successor);
            match self.store.delivery(next).await? {
                Some(next) => delivery = next,
                None => break,
            }
        }
        self.successions.remember(era, &way, delivery.id);
        Ok(delivery)
    }
}
