//! The calls that this process has under way itself, by the monotonic clock: a wall clock that is set forward ends no
//! lease of a process that is alive, so nothing is sent a second time beside a call that still runs.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;

use upsert_core::DeliveryId;

/// Until when each delivery is this process's own.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    until: Mutex<HashMap<DeliveryId, Instant>>,
    /// Calls whose result got lost on its way to the store: whose, which, and their fences.
    lost: Mutex<Vec<(String, DeliveryId, u64)>>,
}

impl InFlight {
    /// The delivery is being sent as long as what comes back lives, and no longer than `until`.
    pub(crate) fn enter(self: &Arc<Self>, id: DeliveryId, until: Instant) -> OneCall {
        self.until.lock().insert(id, until);
        OneCall {
            in_flight: self.clone(),
            id,
            until,
        }
    }

    /// Whether this process is sending it and still may.
    pub(crate) fn has(&self, id: DeliveryId) -> bool {
        self.until.lock().get(&id).is_some_and(|until| Instant::now() < *until)
    }

    /// The result of a call is lost.
    pub(crate) fn lost(&self, merchant: &str, id: DeliveryId, fence: u64) {
        self.lost.lock().push((merchant.to_owned(), id, fence));
    }

    /// What was lost since this was last asked.
    pub(crate) fn take_lost(&self) -> Vec<(String, DeliveryId, u64)> {
        std::mem::take(&mut *self.lost.lock())
    }
}

/// One call on its way.
#[derive(Debug)]
pub(crate) struct OneCall {
    in_flight: Arc<InFlight>,
    id: DeliveryId,
    until: Instant,
}

impl Drop for OneCall {
    fn drop(&mut self) {
        let mut until = self.in_flight.until.lock();
        // A call that outlived its time may have been followed by another one of the same delivery.
        if until.get(&self.id) == Some(&self.until) {
            until.remove(&self.id);
        }
    }
}
