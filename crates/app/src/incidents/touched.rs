//! Whom an incident touched: customers with a delivery that failed or had to wait, from the deliveries in the store.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use upsert_api::DeliveryFilter;
use upsert_core::CustomerId;
use upsert_store::{DeliveryRecord, DeliveryState, IncidentRecord, Store, StoreError, TouchedRecord};

use crate::runtime::troubles::is_of_vendor;

/// Deliveries that are looked at together, and at the most.
const AT_ONCE: usize = 500;
const MOST: usize = 10_000;
/// Customers that are named.
const NAMED: usize = 200;
/// What took so much longer than its calls had to wait.
const WAITED: SignedDuration = SignedDuration::from_secs(5);
/// The call that failed first belongs to a delivery that was made a little before.
const BEFORE: SignedDuration = SignedDuration::from_mins(1);

/// Counts them, until the vendor answered again or until now.
pub(crate) async fn touched(
    store: &Arc<dyn Store>,
    incident: &IncidentRecord,
    now: Timestamp,
) -> Result<TouchedRecord, StoreError> {
    let filter = DeliveryFilter {
        merchants: Some([incident.merchant.clone()].into()),
        connection: Some(incident.connection.clone()),
        since: incident.began_at.checked_sub(BEFORE).ok(),
        until: Some(incident.answering_since().unwrap_or(now)),
        ..DeliveryFilter::default()
    };
    let mut counted = TouchedRecord {
        is_all: true,
        ..TouchedRecord::default()
    };
    let mut customers: BTreeSet<CustomerId> = BTreeSet::new();
    let (mut before, mut looked_at) = (None, 0);
    loop {
        let page = store.deliveries(&filter, before, AT_ONCE).await?;
        looked_at += page.entries.len();
        for delivery in page.entries.iter().filter(|delivery| is_touched(delivery, incident)) {
            counted.deliveries += 1;
            counted.coalesced += u64::from(delivery.state() == DeliveryState::Superseded);
            customers.insert(delivery.customer);
        }
        before = page.next;
        if before.is_none() || looked_at >= MOST {
            break;
        }
    }
    counted.is_all = before.is_none();
    counted.customers = customers.len() as u64;
    counted.ids = customers.into_iter().take(NAMED).collect();
    Ok(counted)
}

/// Whether it failed by the vendor's fault, or had to wait: it was there when the last call failed, or for long.
fn is_touched(delivery: &DeliveryRecord, incident: &IncidentRecord) -> bool {
    let Some(ended_at) = delivery.ended_at() else {
        return true;
    };
    let calls = SignedDuration::from_millis(i64::try_from(delivery.duration_ms()).unwrap_or(i64::MAX));
    let waited_long = ended_at.duration_since(delivery.created_at) > calls.saturating_add(WAITED);
    let outlasted = |failure| delivery.created_at <= failure && failure <= ended_at;
    let has_waited = waited_long || incident.last_failure_at().is_some_and(outlasted);
    let has_failed = delivery.error().is_some_and(|error| is_of_vendor(error.kind));
    delivery.state() == DeliveryState::Superseded || delivery.attempts() > 1 || has_failed || has_waited
}
