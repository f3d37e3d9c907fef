//! A customer and its links, as callers are shown them.

use upsert_api::{LinkState, LinkedCustomer};
use upsert_store::{CustomerRecord, Known, Lane, StoreError, UpsertRecord};

use crate::context::Context;

/// A customer's record as the API shows it.
pub(crate) fn customer_record(record: &CustomerRecord) -> upsert_api::CustomerRecord {
    upsert_api::CustomerRecord {
        id: record.id,
        version: record.version,
        merchant_id: record.merchant.clone(),
        created_at: record.created_at,
        updated_at: record.updated_at,
        customer: (&record.customer).into(),
    }
}

/// The same with its links. `is_routed`: whether a route leads to the connection of this name.
pub(crate) fn linked_customer(known: &Known, is_routed: impl Fn(&str) -> bool) -> LinkedCustomer {
    let lanes = known.lanes.iter();
    let links = lanes.flat_map(|lane| links(lane, is_routed(&lane.connection)));
    LinkedCustomer {
        links: links.collect(),
        record: customer_record(&known.record),
    }
}

/// A customer's links at one connection, the present one first.
fn links(lane: &Lane, is_routed: bool) -> Vec<upsert_api::Link> {
    let shown = |link: Option<&upsert_store::Link>, state| upsert_api::Link {
        connection: lane.connection.clone(),
        provider_customer_id: link.map(|link| link.provider_customer_id.clone()),
        state,
        shared: link.is_some_and(|link| link.shared),
        last_delivered_at: lane.last_delivered_at(),
    };
    let state = if !is_routed {
        LinkState::Unrouted
    } else if lane.is_busy() {
        LinkState::Pending
    } else if lane.failed() {
        LinkState::Failed
    } else {
        LinkState::InSync
    };
    let old = lane.superseded().iter();
    let old = old.map(|link| shown(Some(link), LinkState::Superseded));
    std::iter::once(shown(lane.link(), state)).chain(old).collect()
}

impl Context {
    /// The customer as it was after this upsert.
    pub(crate) async fn record_at(&self, upsert: &UpsertRecord) -> Result<Option<CustomerRecord>, StoreError> {
        let current = self.store.customer(&upsert.merchant, upsert.customer).await?;
        let current = current.map(|known| known.record);
        if let Some(current) = &current
            && current.version == upsert.version
            && upsert.changed
            && !upsert.rolled_back()
        {
            return Ok(Some(current.clone()));
        }
        let mut before = None;
        loop {
            let page = self
                .store
                .history(&upsert.merchant, upsert.customer, before, 100)
                .await?;
            let found = page.entries.iter().find(|entry| {
                entry.upsert == upsert.id
                    || (!upsert.changed && entry.upsert < upsert.id && entry.version == upsert.version)
            });
            if let Some(entry) = found {
                return Ok(Some(CustomerRecord {
                    id: upsert.customer,
                    merchant: upsert.merchant.clone(),
                    version: entry.version,
                    revision: 0,
                    customer: entry.record.clone(),
                    created_at: current.as_ref().map_or(entry.at, |current| current.created_at),
                    updated_at: entry.at,
                }));
            }
            match page.entries.last() {
                Some(last) => before = Some(last.upsert),
                None => return Ok(current),
            }
        }
    }
}
