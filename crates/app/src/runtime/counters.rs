//! How many deliveries have ended how since the start, by connection: counted in memory for whoever draws rates, and in
//! the metrics.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use metrics::Counter;
use parking_lot::RwLock;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use upsert_store::{DeliveryRecord, Progress, Write};

use crate::runtime::metrics::Meters;

/// How a delivery can end: an outcome where the vendor has it, the state otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
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
    /// How this one ended; none: it has not.
    fn of(delivery: &DeliveryRecord) -> Option<Self> {
        use upsert_core::Outcome;
        match delivery.progress() {
            Progress::Succeeded(success) => Some(match success.outcome {
                Outcome::Created => Self::Created,
                Outcome::Unchanged => Self::Unchanged,
                Outcome::Updated | Outcome::Upserted => Self::Updated,
            }),
            Progress::Superseded { .. } => Some(Self::Superseded),
            Progress::Failed { .. } => Some(Self::Failed),
            Progress::Discarded { .. } => Some(Self::Discarded),
            _ => None,
        }
    }
}

/// One connection's endings, in the order in which they are listed.
pub type Endings = [u64; <Ending as VariantArray>::VARIANTS.len()];

type Counts = [AtomicU64; <Ending as VariantArray>::VARIANTS.len()];

/// What is counted of one connection.
pub(crate) struct OfConnection {
    provider: String,
    /// Outlive a change of provider.
    counts: Arc<Counts>,
    meters: Meters,
}

/// One delivery that a changeset ends.
pub(crate) struct Ended {
    connection: Arc<OfConnection>,
    ending: Ending,
    counter: Option<Counter>,
}

/// By merchant and connection.
#[derive(Default)]
pub(crate) struct Counters(RwLock<HashMap<String, HashMap<String, Arc<OfConnection>>>>);

impl Counters {
    /// How many deliveries have ended how, by merchant and connection.
    pub(crate) fn endings(&self) -> Vec<(String, String, Endings)> {
        let known = self.0.read();
        let all = known.iter().flat_map(|(merchant, own)| {
            own.iter().map(move |(connection, counted)| {
                let counts = std::array::from_fn(|at| counted.counts[at].load(Ordering::Relaxed));
                (merchant.clone(), connection.clone(), counts)
            })
        });
        all.collect()
    }

    /// What a changeset ends. To be asked before it is applied, and counted after.
    pub(crate) fn ended_by(&self, writes: &[Write]) -> Vec<Ended> {
        let ended = writes.iter().filter_map(|write| match write {
            Write::PutDelivery(delivery, _) => Some((delivery, Ending::of(delivery)?)),
            _ => None,
        });
        ended
            .map(|(delivery, ending)| {
                let connection = self.of(delivery);
                Ended {
                    counter: connection.meters.counter(delivery).cloned(),
                    connection,
                    ending,
                }
            })
            .collect()
    }

    pub(crate) fn count(ended: Vec<Ended>) {
        for one in ended {
            one.connection.counts[one.ending as usize].fetch_add(1, Ordering::Relaxed);
            if let Some(counter) = one.counter {
                counter.increment(1);
            }
        }
    }

    /// A delivery was tried for the first time, at this moment.
    pub(crate) fn first_tried(&self, delivery: &DeliveryRecord, at: Timestamp) {
        let parked = SignedDuration::from_millis(delivery.parked_ms().cast_signed());
        let waited = at.duration_since(delivery.created_at) - parked;
        self.of(delivery)
            .meters
            .waited(Duration::try_from(waited).unwrap_or_default());
    }

    fn of(&self, delivery: &DeliveryRecord) -> Arc<OfConnection> {
        let (merchant, connection) = (&delivery.merchant, &delivery.connection);
        let known = self.0.read();
        let own = known.get(merchant).and_then(|own| own.get(connection));
        if let Some(counted) = own.filter(|counted| counted.provider == delivery.provider) {
            return Arc::clone(counted);
        }
        drop(known);
        let mut known = self.0.write();
        let own = known.entry(merchant.clone()).or_default();
        let counts = own.get(connection).map(|before| Arc::clone(&before.counts));
        let counted = Arc::new(OfConnection {
            provider: delivery.provider.clone(),
            counts: counts.unwrap_or_default(),
            meters: Meters::of(delivery),
        });
        own.insert(connection.clone(), Arc::clone(&counted));
        counted
    }
}
