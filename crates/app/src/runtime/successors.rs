//! Which delivery stands for one that gave way: the last of those that went in its place, one after the other.

use std::collections::HashMap;

use parking_lot::Mutex;

use upsert_core::DeliveryId;

/// Ways that are remembered; then all of them are forgotten.
const MOST: usize = 65_536;

/// Where a way along successors led last time. A thousand requests that wait for a thousand edits of one customer would
/// otherwise walk half a million steps.
#[derive(Debug, Default)]
pub(crate) struct Successors(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    ends: HashMap<DeliveryId, DeliveryId>,
    /// Grows whenever all ways are forgotten: what was walked before that is not to be remembered after it.
    era: u64,
}

impl Successors {
    pub(crate) fn era(&self) -> u64 {
        self.0.lock().era
    }

    pub(crate) fn shortcut(&self, from: DeliveryId) -> Option<DeliveryId> {
        self.0.lock().ends.get(&from).copied()
    }

    pub(crate) fn remember(&self, era: u64, way: &[DeliveryId], end: DeliveryId) {
        // The first step stands in the record itself.
        if way.len() < 2 {
            return;
        }
        let mut known = self.0.lock();
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
        let mut known = self.0.lock();
        known.ends.clear();
        known.era += 1;
    }
}
