//! Everything that was ever committed, in order, held against the reference model as it comes in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::Value as Json;
use tokio::time::Instant;

use upsert_api::PausedBy;
use upsert_core::{CustomerId, DeliveryId, Outcome, UpsertId, WaitingFor};
use upsert_store::{
    AttemptRecord, CustomerRecord, DeliveryRecord, DeliveryState, IncomingEvent, IncomingState, Lane, OutgoingEvent,
    Pause, UpsertRecord, UpsertState, Write,
};

use crate::reference::{Customers, Record, Version, Who, fold, plain, who};

/// How old a delivery may become: short, so that the sequences get there.
pub const MAX_AGE: Duration = Duration::from_secs(6 * 3_600);

pub type Shared = Arc<Mutex<Books>>;

/// One call, as the vendor saw it.
#[derive(Debug, Clone)]
pub struct Call {
    pub connection: &'static str,
    pub customer: CustomerId,
    pub delivery: DeliveryId,
    pub attempt: u32,
    pub at: Instant,
    pub is_open: bool,
    pub wrote: bool,
    /// The upsert whose version it brought.
    pub aim: Option<UpsertId>,
}

#[derive(Debug, Default)]
pub struct Books {
    /// What should not have been.
    pub wrong: Vec<String>,
    /// The bodies of all requests, by the trace that their deliveries carry.
    pub requests: BTreeMap<String, Json>,
    /// The reference model.
    pub customers: Customers,
    pub upserts: BTreeMap<UpsertId, UpsertRecord>,
    pub deliveries: BTreeMap<DeliveryId, DeliveryRecord>,
    pub attempts: BTreeMap<(DeliveryId, u32), AttemptRecord>,
    pub lanes: BTreeMap<(CustomerId, String), Lane>,
    pub pauses: BTreeMap<String, Pause>,
    /// Which upsert's version an attempt brings.
    pub aims: BTreeMap<(DeliveryId, u32), Option<UpsertId>>,
    pub calls: Vec<Call>,
    /// Links that an operator forgot: what the vendor matches next is nobody's promise.
    pub unlinked: BTreeSet<(CustomerId, String)>,
    /// Connections that an upsert did not go to, since they were not configured: they stay behind until the next one.
    pub left_out: BTreeSet<(CustomerId, String)>,
    /// How long each delivery has been parked, and since when it is.
    parked: BTreeMap<DeliveryId, (SignedDuration, Option<Timestamp>)>,
    /// Kept by the process alone: each one that starts may probe once.
    pub last_probe: BTreeMap<String, Timestamp>,
    pub clock_jumped: bool,
    /// Events that came in and were done, by the sender's id and what was taken of them.
    pub done: BTreeMap<(String, String), IncomingEvent>,
    /// How often each delivery came to fail.
    pub failures: BTreeMap<DeliveryId, usize>,
    /// Which upserts were told of, and which deliveries as failed.
    pub told: BTreeMap<String, usize>,
}

impl Books {
    pub fn wrong(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// The newest version that stands.
    pub fn record(&self, id: CustomerId) -> Option<&Record> {
        Some(&self.customers.get(&id)?.last()?.record)
    }

    /// One changeset that was applied.
    pub fn committed(&mut self, writes: &[Write], now: Timestamp) {
        self.new_upsert(writes);
        let is_way_back = self.rolled_back(writes);
        for write in writes {
            match write {
                Write::PutCustomer(record) => self.put_customer(record),
                Write::DeleteCustomer(id) => {
                    if self.customers.remove(id).is_none_or(|versions| !versions.is_empty()) {
                        self.wrong(format!("{id} is gone, though a version of it stands"));
                    }
                    self.lanes.retain(|(customer, _), _| customer != id);
                }
                Write::PutUpsert(upsert, _) => drop(self.upserts.insert(upsert.id, upsert.clone())),
                Write::PutLane(lane) => {
                    drop(
                        self.lanes
                            .insert((lane.customer, lane.connection.clone()), lane.clone()),
                    );
                }
                Write::PutConnection(state) => {
                    match &state.pause {
                        Some(pause) => self.pauses.insert(state.connection.clone(), pause.clone()),
                        None => self.pauses.remove(&state.connection),
                    };
                    self.last_probe.remove(&state.connection);
                }
                Write::PutDelivery(delivery, Some(attempt)) => self.put_attempt(attempt, delivery),
                Write::PutIncomingEvent(event) => self.put_incoming(event, writes),
                Write::PutOutgoingEvent(event) if event.revision() == 1 => self.put_outgoing(event),
                _ => {}
            }
        }
        for write in writes {
            if let Write::PutDelivery(delivery, _) = write {
                self.put_delivery(delivery, now, is_way_back);
            }
        }
    }

    /// Done once, together with the upsert that it became.
    fn put_incoming(&mut self, event: &IncomingEvent, writes: &[Write]) {
        if !event.state().is_done() {
            return;
        }
        if event.state() == IncomingState::Accepted {
            let is_its =
                |write: &Write| matches!(write, Write::PutUpsert(upsert, _) if Some(upsert.id) == event.upsert());
            if !writes.iter().any(is_its) {
                self.wrong(format!("{} is accepted without its upsert", event.event_id));
            }
        }
        // After a week nobody knows it any more.
        let week = SignedDuration::from_hours(7 * 24);
        if let Some(before) = self
            .done
            .insert((event.event_id.clone(), event.content.clone()), event.clone())
            && event.tried_at.duration_since(before.tried_at) < week
        {
            self.wrong(format!("{before:?} was done again as {event:?}"));
        }
    }

    fn put_outgoing(&mut self, event: &OutgoingEvent) {
        let body: Json = serde_json::from_str(event.body()).unwrap_or_default();
        let data = &body["data"];
        let about = match event.kind.as_str() {
            "customer.upserted" => data["upsert_id"].as_str(),
            "customer.delivery_failed" => data["id"].as_str(),
            _ => return,
        };
        *self.told.entry(about.unwrap_or_default().to_owned()).or_default() += 1;
    }

    /// At the end: every upsert that ended well was told of once, and no other; every delivery that failed as well.
    pub fn look_at_what_was_told(&mut self) {
        let mut expected = BTreeMap::new();
        for upsert in self.upserts.values() {
            let mut own = self
                .deliveries
                .values()
                .filter(|delivery| delivery.upsert() == upsert.id);
            let is_news = upsert.changed
                || own.any(|delivery| delivery.outcome() != Some(Outcome::Unchanged) || delivery.fence() > 0);
            let is_well = matches!(upsert.state(), UpsertState::Succeeded | UpsertState::PartiallyFailed);
            if is_well && is_news {
                expected.insert(upsert.id.to_string(), 1);
            }
        }
        for (id, failures) in &self.failures {
            expected.insert(id.to_string(), *failures);
        }
        let differing: Vec<String> = expected
            .keys()
            .chain(self.told.keys())
            .filter(|about| expected.get(*about) != self.told.get(*about))
            .map(|about| {
                format!(
                    "{about} was told {:?} times, not {:?}",
                    self.told.get(about),
                    expected.get(about)
                )
            })
            .collect();
        for what in differing {
            self.wrong(what);
        }
    }

    /// Who it is about, and what it makes of the record, has to be what the model says.
    fn new_upsert(&mut self, writes: &[Write]) {
        let fresh = writes.iter().find_map(|write| match write {
            Write::PutUpsert(upsert, _) if !self.upserts.contains_key(&upsert.id) => Some(upsert),
            _ => None,
        });
        let trace = writes.iter().find_map(|write| match write {
            Write::PutDelivery(delivery, _) if Some(delivery.upsert()) == fresh.map(|fresh| fresh.id) => {
                delivery.traceparent.clone()
            }
            _ => None,
        });
        let (Some(upsert), Some(patch)) = (fresh, trace.and_then(|trace| self.requests.get(&trace).cloned())) else {
            return;
        };
        let lanes = self.lanes.keys().filter(|(customer, _)| *customer == upsert.customer);
        self.left_out.extend(lanes.cloned());
        for write in writes {
            if let Write::PutDelivery(delivery, _) = write {
                self.left_out.remove(&(upsert.customer, delivery.connection.clone()));
            }
        }
        let expected = who(&self.customers, &patch);
        let found = if upsert.new_customer {
            Who::New
        } else {
            Who::Known(upsert.customer)
        };
        if expected != found {
            self.wrong(format!(
                "{patch} is about {expected:?}, but was committed for {found:?}"
            ));
        }
        let before = self.record(upsert.customer).cloned().unwrap_or_default();
        let after = fold(&before, &patch);
        let changed = upsert.new_customer || after != before;
        if upsert.changed != changed {
            self.wrong(format!("{patch} over {before:?}: changed is {}", upsert.changed));
        }
        if changed {
            let version = Version {
                upsert: upsert.id,
                record: after,
            };
            self.customers.entry(upsert.customer).or_default().push(version);
        }
    }

    /// Only the newest version goes back, and only where no vendor was brought it. Whether any did.
    fn rolled_back(&mut self, writes: &[Write]) -> bool {
        let mut is_way_back = false;
        for write in writes {
            let Write::PutUpsert(upsert, _) = write else { continue };
            let was_back = self.upserts.get(&upsert.id).is_some_and(UpsertRecord::rolled_back);
            if !upsert.rolled_back() || was_back {
                continue;
            }
            is_way_back = true;
            let newest = self.customers.get_mut(&upsert.customer).and_then(Vec::pop);
            if newest.is_none_or(|newest| newest.upsert != upsert.id) {
                self.wrong(format!("{} went back under a newer version", upsert.id));
            }
            let mut calls = self.calls.iter();
            if calls.any(|call| call.wrote && call.aim == Some(upsert.id)) {
                self.wrong(format!("{} went back, though a vendor has it", upsert.id));
            }
        }
        is_way_back
    }

    fn put_customer(&mut self, record: &CustomerRecord) {
        let (stored, expected) = (plain(&record.customer.to_json(true)), self.record(record.id).cloned());
        if expected.as_ref() != Some(&stored) {
            self.wrong(format!("{} is {stored:?} and should be {expected:?}", record.id));
        }
    }

    fn put_attempt(&mut self, attempt: &AttemptRecord, delivery: &DeliveryRecord) {
        let key = (attempt.delivery, attempt.number);
        if attempt.ended_at.is_some() {
            let stored = self.deliveries.get(&attempt.delivery).map(DeliveryRecord::fence);
            if stored != Some(attempt.fence) {
                self.wrong(format!("a late result of {} was recorded", attempt.delivery));
            }
        } else {
            let is_over = |before: &AttemptRecord| before.result.as_deref().is_some_and(|result| result != "not_sent");
            if self.attempts.get(&key).is_some_and(is_over) {
                self.wrong(format!(
                    "attempt {} of {} was overwritten",
                    attempt.number, attempt.delivery
                ));
            }
            let newest = self
                .customers
                .get(&delivery.customer)
                .and_then(|versions| versions.last());
            self.aims.insert(key, newest.map(|newest| newest.upsert));
        }
        self.attempts.insert(key, attempt.clone());
    }

    fn put_delivery(&mut self, delivery: &DeliveryRecord, now: Timestamp, is_way_back: bool) {
        let before = self.deliveries.insert(delivery.id, delivery.clone());
        let was = before.as_ref().map(DeliveryRecord::state);
        let had_ended = was.is_some_and(DeliveryState::has_ended);
        let taken_up = is_way_back && was == Some(DeliveryState::Superseded);
        if had_ended && was != Some(delivery.state()) && !taken_up {
            self.wrong(format!("{} had ended and is {:?} now", delivery.id, delivery.state()));
        }
        if before.as_ref().is_some_and(|before| before.fence() > delivery.fence()) {
            self.wrong(format!("the fence of {} went back", delivery.id));
        }
        if delivery.state() == DeliveryState::Failed && was != Some(DeliveryState::Failed) {
            *self.failures.entry(delivery.id).or_default() += 1;
        }
        let parked = self.parked.entry(delivery.id).or_default();
        if let Some(since) = parked.1.take() {
            parked.0 += now.duration_since(since);
        }
        let waits = delivery.state() == DeliveryState::Waiting
            && matches!(delivery.waiting_for(), Some(WaitingFor::Paused | WaitingFor::Quota));
        if waits {
            parked.1 = Some(now);
        }
        let parked = parked.0;
        if delivery.state() == DeliveryState::InFlight && was != Some(DeliveryState::InFlight) {
            let age = now.duration_since(delivery.created_at) - parked;
            if age > SignedDuration::try_from(MAX_AGE).unwrap() + SignedDuration::from_secs(60) {
                self.wrong(format!("{} is sent at the age of {age}", delivery.id));
            }
            self.sent_under_pause(delivery, now);
        }
    }

    /// To a paused connection goes nothing but the vendor's hourly probe.
    fn sent_under_pause(&mut self, delivery: &DeliveryRecord, now: Timestamp) {
        let Some(pause) = self.pauses.get(&delivery.connection) else {
            return;
        };
        let since = self
            .last_probe
            .get(&delivery.connection)
            .map_or(pause.since, |last| *last);
        let is_probe = pause.by == PausedBy::Vendor
            && (self.clock_jumped || now.duration_since(since) >= SignedDuration::from_mins(59));
        if !is_probe {
            let what = format!(
                "{} is sent though {} is paused by the {}",
                delivery.id, delivery.connection, pause.by
            );
            self.wrong(what);
        }
        self.last_probe.insert(delivery.connection.clone(), now);
    }
}
