//! Step 8: customer version, upsert, deliveries with their first attempt, key reservations and the idempotency record,
//! in one durable transaction. Before it nothing was stored and nothing sent; from here on nothing is lost. What is
//! written is drawn up in `draft.rs`.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use jiff::{SignedDuration, Timestamp};

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{Customer, CustomerId, Evidence, Held, Outcome, PreparedUpsert, WaitingFor};
use upsert_store::{
    Applied, AttemptRecord, CustomerRecord, DeliveryRecord, DeliveryState, Expect, Lane, SentRequest, UpsertRecord,
    UpsertState, Write,
};

use crate::directory::merchant::Connection;
use crate::gateway::Gateway;
use crate::planning::lane::mark_accepted;
use crate::planning::plan::Planned;
use crate::problem::Refusal;
use crate::runtime::metrics::count_ignored;
use crate::runtime::tracing::CommitSpan;
use crate::upsert::draft::{Building, Draft};

/// A lease lasts the attempt's time-out plus this.
pub(crate) const LEASE_MARGIN: SignedDuration = SignedDuration::from_secs(10);
/// What became of the attempt to commit.
pub(crate) enum Attempted {
    /// It is durable.
    Committed(Box<Committed>),
    /// Another customer holds a key that the vendor would match by.
    KeyTaken,
    /// Something that was decided on has changed.
    Raced,
    /// Another request with the same idempotency key was faster.
    IdempotencyKeyTaken,
}

/// A durable upsert.
pub(crate) struct Committed {
    pub(crate) upsert: UpsertRecord,
    /// The customer as this upsert made it.
    pub(crate) record: CustomerRecord,
    /// All of its deliveries, in the order of the connections.
    pub(crate) deliveries: Vec<DeliveryRecord>,
    /// What is to be sent now.
    pub(crate) works: Vec<Work>,
    /// Connections whose pump has something new to take.
    pub(crate) to_pump: Vec<String>,
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

impl Gateway {
    pub(crate) async fn commit(&self, draft: Draft<'_>) -> Result<Attempted, Refusal> {
        let mut building = Building::new(self, &draft);
        for planned in &draft.plans {
            building.add(planned, self.queued_in(planned).await?);
        }
        let (changes, committed) = building.finish();
        let expect = changes.expect.clone();
        crash_point(points::UPSERT_BEFORE_COMMIT);
        let span = CommitSpan::begin(
            self.spans.as_deref(),
            &committed.upsert,
            draft.command.traceparent.as_deref(),
        );
        let applied = self.apply(changes).await?;
        span.end(&applied);
        crash_point(points::UPSERT_AFTER_COMMIT);
        let unmet = match applied {
            Applied::Done => {
                count_ignored(&committed.upsert.merchant, &committed.upsert.ignored);
                return Ok(Attempted::Committed(Box::new(committed)));
            }
            Applied::Unmet(index) => expect.get(index),
        };
        Ok(match unmet {
            Some(Expect::KeysFree { .. }) => Attempted::KeyTaken,
            Some(Expect::IdempotencyFree { .. }) => Attempted::IdempotencyKeyTaken,
            _ => Attempted::Raced,
        })
    }

    /// The delivery that waits in the lane: a new one takes its place.
    async fn queued_in(&self, planned: &Planned) -> Result<Option<DeliveryRecord>, Refusal> {
        match planned.lane.as_ref().and_then(|lane| lane.queued) {
            Some(id) => Ok(self.store.delivery(id).await?),
            None => Ok(None),
        }
    }

    /// Until when whoever sends to this connection now has the delivery for itself.
    pub(crate) fn lease(&self, connection: &Connection) -> Timestamp {
        let timeout = SignedDuration::try_from(connection.timeout).unwrap_or(LEASE_MARGIN);
        self.clock
            .now()
            .checked_add(timeout + LEASE_MARGIN)
            .unwrap_or(Timestamp::MAX)
    }
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
            day: day_of(now),
        });
    }
    writes
}

/// The UTC day.
pub(crate) fn day_of(now: Timestamp) -> jiff::civil::Date {
    now.to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// What makes the identifiers of `after` find the customer, and those of `before` no longer.
pub(crate) fn identifier_writes(
    merchant: &str,
    customer: CustomerId,
    before: &Customer,
    after: &Customer,
) -> Vec<Write> {
    let (old, new) = (before.identifiers(), after.identifiers());
    let gone = old
        .iter()
        .filter(|identifier| !new.contains(identifier))
        .map(|identifier| Write::RemoveIdentifier {
            merchant: merchant.to_owned(),
            identifier: identifier.clone(),
            customer,
        });
    let come = new
        .iter()
        .filter(|identifier| !old.contains(identifier))
        .map(|identifier| Write::AddIdentifier {
            merchant: merchant.to_owned(),
            identifier: identifier.clone(),
            customer,
        });
    gone.chain(come).collect()
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

/// How an upsert stands whose deliveries have these states. A superseded one has to be replaced by its successor first.
pub(crate) fn state_of(deliveries: &[DeliveryRecord]) -> UpsertState {
    let failed =
        |delivery: &&DeliveryRecord| matches!(delivery.state, DeliveryState::Failed | DeliveryState::Discarded);
    if deliveries.iter().any(|delivery| !delivery.state.has_ended()) {
        UpsertState::Pending
    } else if deliveries
        .iter()
        .filter(|delivery| delivery.required)
        .any(|delivery| failed(&delivery))
    {
        UpsertState::Failed
    } else if deliveries.iter().any(|delivery| failed(&delivery)) {
        UpsertState::PartiallyFailed
    } else {
        UpsertState::Succeeded
    }
}
