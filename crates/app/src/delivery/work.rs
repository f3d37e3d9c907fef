//! One delivery on its way, and what holds for each of them.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use jiff::{SignedDuration, Timestamp};

use upsert_core::{Evidence, Held, Outcome, PreparedUpsert, WaitingFor, utc_day};
use upsert_store::{
    AttemptRecord, CustomerRecord, DeliveryRecord, DeliveryState, Lane, SentRequest, UpsertRecord, Write,
};

use crate::directory::merchant::Connection;
use crate::planning::lane::mark_accepted;

/// A lease lasts the attempt's time-out plus this.
pub(crate) const LEASE_MARGIN: SignedDuration = SignedDuration::from_secs(10);
/// How often a delivery that waits behind another one looks for itself, should nobody call it.
pub(crate) const PREDECESSOR_CHECK: SignedDuration = SignedDuration::from_secs(60);

/// A durable upsert.
pub(crate) struct Committed {
    pub(crate) upsert: UpsertRecord,
    /// The customer as this upsert made it.
    pub(crate) record: CustomerRecord,
    /// All of its deliveries, in the order of the connections.
    pub(crate) deliveries: Vec<DeliveryRecord>,
    /// What is to be sent now.
    pub(crate) works: Vec<Work>,
    /// Connections whose worker has something new to take.
    pub(crate) to_wake: Vec<String>,
}

/// One delivery on its way: its attempt is durable.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) connection: Arc<Connection>,
    pub(crate) delivery: DeliveryRecord,
    pub(crate) lane: Lane,
    pub(crate) prepared: Box<PreparedUpsert>,
    pub(crate) replaces_link: bool,
    /// Its upsert, where it is the only delivery of it: then its end is the upsert's.
    pub(crate) sole_of: Option<UpsertRecord>,
    /// How many deliveries of the upsert have not been recorded once, this one included: whoever comes last looks
    /// whether the upsert has ended. None: nobody counts, so everybody looks.
    pub(crate) open_siblings: Option<Arc<AtomicUsize>>,
    /// Whether somebody is to be told when its upsert has ended well.
    pub(crate) owes_event: bool,
}

/// The attempt that is about to go out, and the call counted where the day's calls are.
pub(crate) fn attempt_writes(
    connection: &Connection,
    delivery: &DeliveryRecord,
    prepared: &PreparedUpsert,
    now: Timestamp,
) -> Vec<Write> {
    let mut writes = vec![Write::PutAttempt(AttemptRecord {
        delivery: delivery.id,
        number: delivery.attempts + 1,
        fence: delivery.fence,
        started_at: now,
        ended_at: None,
        result: None,
        vendor_status: None,
        vendor_said: serde_json::Map::new(),
        request: Some(SentRequest::from(&prepared.request)),
        error: None,
    })];
    if connection.counts_calls {
        writes.push(Write::CountCall {
            merchant: delivery.merchant.clone(),
            connection: delivery.connection.clone(),
            day: utc_day(now),
        });
    }
    writes
}

/// The vendor has accepted all of it before: no call.
pub(crate) fn unchanged(delivery: &mut DeliveryRecord, lane: &mut Lane, now: Timestamp) {
    delivery.state = DeliveryState::Succeeded;
    delivery.outcome = Some(Outcome::Unchanged);
    delivery.evidence = Some(match lane.link {
        Some(_) => Evidence::Link,
        // Nothing of it is wanted there.
        None => Evidence::None,
    });
    delivery.error = None;
    delivery.provider_customer_id = lane.link.as_ref().map(|link| link.provider_customer_id.clone());
    delivery.waiting_for = None;
    delivery.next_attempt_at = None;
    delivery.lease_until = None;
    delivery.ended_at = Some(now);
    mark_accepted(lane, delivery.version, now);
}

/// The connection lets nothing through now: it waits for what holds the connection back.
pub(crate) fn park(delivery: &mut DeliveryRecord, held: Held, now: Timestamp) {
    delivery.state = DeliveryState::Waiting;
    delivery.waiting_for = Some(held.waiting_for);
    let wait = held.for_at_least.and_then(|wait| SignedDuration::try_from(wait).ok());
    delivery.next_attempt_at = wait.and_then(|wait| now.checked_add(wait).ok());
    if matches!(held.waiting_for, WaitingFor::Paused | WaitingFor::Quota) {
        delivery.parked_since = delivery.parked_since.or(Some(now));
    }
}

/// Until when whoever sends to this connection from now on has the delivery for itself.
pub(crate) fn lease_until(connection: &Connection, now: Timestamp) -> Timestamp {
    let timeout = SignedDuration::try_from(connection.timeout).unwrap_or(LEASE_MARGIN);
    now.checked_add(timeout + LEASE_MARGIN).unwrap_or(Timestamp::MAX)
}
