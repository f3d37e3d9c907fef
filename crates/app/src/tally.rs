//! How many deliveries have ended how since the start, by connection: counted in memory, for whoever draws rates.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use upsert_store::{DeliveryRecord, DeliveryState, Write};

use crate::gateway::Gateway;

/// How a delivery can end: an outcome where the vendor has it, the state otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// A record was made.
    Created,
    /// A record was changed, or one of the two.
    Updated,
    /// Nothing had to be sent.
    Unchanged,
    /// A newer one went in its place.
    Superseded,
    /// It failed for good.
    Failed,
    /// An operator gave it up.
    Discarded,
}

impl Ending {
    /// Every ending.
    pub const ALL: [Self; 6] = [
        Self::Created,
        Self::Updated,
        Self::Unchanged,
        Self::Superseded,
        Self::Failed,
        Self::Discarded,
    ];

    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Discarded => "discarded",
        }
    }

    /// How this one ended; none: it has not.
    fn of(delivery: &DeliveryRecord) -> Option<Self> {
        use upsert_core::Outcome;
        match delivery.state {
            DeliveryState::Succeeded => Some(match delivery.outcome {
                Some(Outcome::Created) => Self::Created,
                Some(Outcome::Unchanged) => Self::Unchanged,
                Some(Outcome::Updated | Outcome::Upserted) | None => Self::Updated,
            }),
            DeliveryState::Superseded => Some(Self::Superseded),
            DeliveryState::Failed => Some(Self::Failed),
            DeliveryState::Discarded => Some(Self::Discarded),
            DeliveryState::Pending | DeliveryState::InFlight | DeliveryState::Retrying | DeliveryState::Waiting => None,
        }
    }
}

/// One connection's endings, in the order of [`Ending::ALL`].
pub type Endings = [u64; Ending::ALL.len()];

type Counters = [AtomicU64; Ending::ALL.len()];

/// By merchant and connection.
#[derive(Debug, Default)]
pub(crate) struct Tally(RwLock<HashMap<String, HashMap<String, Arc<Counters>>>>);

impl Tally {
    /// What a changeset ends. To be asked before it is applied, and counted after.
    pub(crate) fn ended_by(&self, writes: &[Write]) -> Vec<(Arc<Counters>, Ending)> {
        let ended = writes.iter().filter_map(|write| match write {
            Write::PutDelivery(delivery) => Some((delivery, Ending::of(delivery)?)),
            _ => None,
        });
        ended
            .map(|(delivery, ending)| (self.of(&delivery.merchant, &delivery.connection), ending))
            .collect()
    }

    pub(crate) fn count(ended: Vec<(Arc<Counters>, Ending)>) {
        for (counters, ending) in ended {
            counters[ending as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    fn of(&self, merchant: &str, connection: &str) -> Arc<Counters> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counters) = known.get(merchant).and_then(|own| own.get(connection)) {
            return Arc::clone(counters);
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let own = known.entry(merchant.to_owned()).or_default();
        Arc::clone(own.entry(connection.to_owned()).or_default())
    }
}

impl Gateway {
    /// How many deliveries have ended how since the start, by merchant and connection. Those without any are left out.
    pub fn endings(&self) -> Vec<(String, String, Endings)> {
        let known = self.tally.0.read().unwrap_or_else(PoisonError::into_inner);
        let all = known.iter().flat_map(|(merchant, own)| {
            own.iter().map(move |(connection, counters)| {
                let counts = std::array::from_fn(|at| counters[at].load(Ordering::Relaxed));
                (merchant.clone(), connection.clone(), counts)
            })
        });
        all.collect()
    }
}
