//! How many events wait and how many are dead letters, by endpoint and by source: for metrics.

use std::collections::BTreeMap;

use upsert_store::StoreError;

use crate::queries::Queries;

/// Merchant, and the endpoint's or the source's name.
pub type OfMerchant = (String, String);

/// What there is of every endpoint and source that is configured, or of which something is left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventBacklog {
    /// Events that are to be sent, by endpoint.
    pub waiting_out: BTreeMap<OfMerchant, u64>,
    /// Events that were given up, by endpoint.
    pub dead_out: BTreeMap<OfMerchant, u64>,
    /// Events that could not be taken, by source.
    pub dead_in: BTreeMap<OfMerchant, u64>,
}

impl Queries {
    /// Counts them. However many there are, it reads no event.
    ///
    /// # Errors
    /// The store failed.
    pub async fn event_backlog(&self) -> Result<EventBacklog, StoreError> {
        let mut backlog = EventBacklog::default();
        for merchant in self.context.directory().iter() {
            let key = |name: &str| (merchant.id.clone(), name.to_owned());
            for endpoint in &merchant.endpoints {
                backlog.waiting_out.insert(key(&endpoint.name), 0);
                backlog.dead_out.insert(key(&endpoint.name), 0);
            }
            let sources = merchant.sources.iter().map(|source| (key(&source.name), 0));
            backlog.dead_in.extend(sources);
        }
        for count in self.context.store.open_outgoing().await? {
            let counts = if count.state.is_open() {
                &mut backlog.waiting_out
            } else {
                &mut backlog.dead_out
            };
            *counts.entry((count.merchant, count.name)).or_default() += count.count;
        }
        for count in self.context.store.failed_incoming().await? {
            *backlog.dead_in.entry((count.merchant, count.name)).or_default() += count.count;
        }
        Ok(backlog)
    }
}
