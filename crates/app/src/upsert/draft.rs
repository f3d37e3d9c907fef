//! What a commit writes, drawn up from what was decided: nothing in here asks or stores anything.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use jiff::Timestamp;

use upsert_core::{
    Customer, CustomerId, ErrorKind, EventKind, FieldError, FieldOutcomes, Held, Ignored, OnCollision, Outcome,
    PreparedUpsert, Priority, StateAtVendor, UpsertId, WaitingFor,
};
use upsert_store::{
    Changeset, CustomerRecord, DeliveryError, DeliveryRecord, DeliveryState, Expect, HistoryRecord, IdempotencyRecord,
    Lane, UpsertRecord, UpsertState, Write,
};

use crate::delivery::work::{Committed, PREDECESSOR_CHECK, Work, attempt_writes, lease_until, park, unchanged};
use crate::directory::merchant::{Connection, Merchant};
use crate::planning::declined::forget_outdated;
use crate::planning::echo::remember_before;
use crate::planning::identifiers::identifier_writes;
use crate::planning::lane::{contested_keys, mark_failed, sending, supersede};
use crate::planning::plan::{ConnectionPlan, PlanRefusal, Planned};
use crate::runtime::connections::UNTIL_RELEASED;
use crate::upsert::Upserts;
use crate::upsert::adopt::Adopting;
use crate::upsert::command::{Caller, UpsertCommand};
use crate::upsert::event_draft::EventDraft;
use crate::upsert::idempotency::Claim;
use crate::upsert::identify::Identified;
use crate::view::answer::state_of;

/// Everything that was decided, ready to be committed.
pub(crate) struct Draft<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) merchant: &'a Arc<Merchant>,
    pub(crate) command: &'a UpsertCommand,
    pub(crate) identified: &'a Identified,
    /// The id that the upsert gets.
    pub(crate) upsert: UpsertId,
    pub(crate) id: CustomerId,
    pub(crate) after: Customer,
    pub(crate) adopting: &'a Adopting,
    /// What could not be read and was left out.
    pub(crate) ignored: &'a [Ignored],
    pub(crate) plans: Vec<Planned>,
    pub(crate) claim: Option<&'a Claim>,
    /// Deliveries that have failed and that this upsert's one delivery goes in the place of.
    pub(crate) replayed: Vec<DeliveryRecord>,
    /// The event that it came with.
    pub(crate) event: Option<&'a EventDraft>,
}

/// A changeset in the making.
pub(crate) struct Building<'a> {
    wing: &'a Upserts,
    draft: &'a Draft<'a>,
    now: Timestamp,
    changes: Changeset,
    upsert: UpsertRecord,
    record: CustomerRecord,
    deliveries: Vec<DeliveryRecord>,
    works: Vec<Work>,
    to_wake: Vec<String>,
}

/// How a delivery begins that is not sent at once.
enum Birth {
    /// It waits for what holds its connection back.
    Parked(Held),
    /// It is due, and its connection's worker takes it when there is a place.
    ForTheWorker,
}

impl<'a> Building<'a> {
    pub(crate) fn new(wing: &'a Upserts, draft: &'a Draft<'a>) -> Self {
        let now = wing.context.clock.now();
        let before = draft.identified.known.as_ref().map(|known| &known.record);
        let changed = before.is_none_or(|before| before.customer != draft.after) || !draft.adopting.lanes.is_empty();
        let record = match before {
            Some(before) if !changed => before.clone(),
            Some(before) => CustomerRecord {
                version: before.version + 1,
                revision: before.revision + 1,
                customer: draft.after.clone(),
                updated_at: now,
                ..before.clone()
            },
            None => CustomerRecord {
                id: draft.id,
                merchant: draft.merchant.id.clone(),
                version: 1,
                revision: 1,
                customer: draft.after.clone(),
                created_at: now,
                updated_at: now,
            },
        };
        let upsert = UpsertRecord {
            id: draft.upsert,
            merchant: draft.merchant.id.clone(),
            customer: draft.id,
            version: record.version,
            revision: 1,
            state: UpsertState::Pending,
            new_customer: before.is_none(),
            changed,
            rolled_back: false,
            owes_event: false,
            by: draft.caller.name.clone(),
            through: Some(draft.command.through),
            ignored: draft.ignored.to_vec(),
            created_at: now,
            ended_at: None,
        };
        let seen = draft.identified.seen.iter().chain(&draft.adopting.expect);
        let changes = Changeset {
            expect: seen.cloned().collect(),
            write: Vec::new(),
        };
        let mut building = Self {
            wing,
            draft,
            now,
            changes,
            upsert,
            record,
            deliveries: Vec::new(),
            works: Vec::new(),
            to_wake: Vec::new(),
        };
        building.put_idempotency();
        if changed {
            building.put_customer(before);
        }
        building.adopt_unrouted();
        building
    }

    /// Where nothing is delivered now, the link stays as `unrouted`.
    fn adopt_unrouted(&mut self) {
        let is_planned = |name: &String| self.draft.plans.iter().any(|planned| planned.connection.name == *name);
        for (name, lane) in &self.draft.adopting.lanes {
            if !is_planned(name) {
                self.changes.expect.push(expected(lane));
                self.changes.write.push(Write::PutLane(Lane {
                    revision: lane.revision + 1,
                    ..lane.clone()
                }));
            }
        }
    }

    fn put_idempotency(&mut self) {
        let Some(claim) = self.draft.claim else { return };
        let keep =
            jiff::SignedDuration::try_from(self.wing.context.idempotency_keep).unwrap_or(jiff::SignedDuration::MAX);
        self.changes.expect.insert(
            0,
            Expect::IdempotencyFree {
                key: claim.key,
                now: self.now,
            },
        );
        self.changes.write.push(Write::PutIdempotency(IdempotencyRecord {
            key: claim.key,
            fingerprint: claim.fingerprint,
            merchant: self.upsert.merchant.clone(),
            upsert: self.upsert.id,
            created_at: self.now,
            expires_at: self.now.checked_add(keep).unwrap_or(Timestamp::MAX),
            answer: None,
        }));
    }

    fn put_customer(&mut self, before: Option<&CustomerRecord>) {
        if before.is_none() {
            self.changes.expect.push(Expect::Customer {
                id: self.record.id,
                revision: None,
            });
        }
        self.changes.write.push(Write::PutCustomer(self.record.clone()));
        let empty = Customer::default();
        let old = before.map_or(&empty, |before| &before.customer);
        self.changes.write.extend(identifier_writes(
            &self.upsert.merchant,
            self.record.id,
            old,
            &self.record.customer,
        ));
        self.changes.write.push(Write::PutHistory(HistoryRecord {
            customer: self.record.id,
            version: self.record.version,
            upsert: self.upsert.id,
            at: self.now,
            by: self.upsert.by.clone(),
            refused: false,
            record: self.record.customer.clone(),
            links: self.draft.adopting.links(),
            ignored: self.draft.ignored.to_vec(),
        }));
    }

    pub(crate) fn add(&mut self, planned: &Planned, queued: Option<DeliveryRecord>) {
        let connection = &planned.connection;
        let mut lane = planned
            .lane
            .clone()
            .unwrap_or_else(|| Lane::new(&self.upsert.merchant, self.record.id, &connection.name));
        self.changes.expect.push(expected(&lane));
        lane.revision += 1;
        let mut delivery = self.new_delivery(connection);
        self.replay(&mut delivery);
        let has_forgotten = forget_outdated(connection, &self.record.customer, &mut lane);
        let has_open = lane.in_flight.is_some() || lane.queued.is_some();
        let had_failed = lane.failed;
        self.remember_before(&mut lane);
        let mut is_touched = true;
        match &planned.plan {
            Err(refusal) => refuse(&mut delivery, &mut lane, refusal, self.now),
            Ok(ConnectionPlan::Unchanged { warnings }) if !has_open => {
                delivery.warnings.clone_from(warnings);
                unchanged(&mut delivery, &mut lane, self.now);
                let has_adopted = self.draft.adopting.lanes.contains_key(&lane.connection);
                is_touched = had_failed || has_forgotten || has_adopted || self.has_learnt(planned, &lane);
            }
            Ok(plan) => {
                self.reserve(planned, &mut lane);
                if let ConnectionPlan::Send { prepared, .. } = plan {
                    delivery.warnings.clone_from(&prepared.warnings);
                }
                if has_open {
                    self.queue(&mut delivery, &mut lane, queued);
                } else if let Some(birth) = self.held_at_birth(connection) {
                    lane.queued = Some(delivery.id);
                    match birth {
                        Birth::Parked(held) => park(&mut delivery, held, self.now),
                        Birth::ForTheWorker => self.to_wake.push(connection.name.clone()),
                    }
                } else if let ConnectionPlan::Send {
                    prepared,
                    replaces_link,
                } = plan
                {
                    lane.sending = Some(sending(prepared));
                    self.start(connection, prepared, &mut delivery, &mut lane);
                    self.works.push(Work {
                        connection: connection.clone(),
                        delivery: delivery.clone(),
                        lane: lane.clone(),
                        prepared: prepared.clone(),
                        replaces_link: *replaces_link,
                        sole_of: None,
                        open_siblings: None,
                        owes_event: false,
                    });
                }
            }
        }
        if is_touched {
            self.changes.write.push(Write::PutLane(lane));
        }
        self.changes.write.push(Write::PutDelivery(delivery.clone()));
        self.deliveries.push(delivery);
    }

    /// What the vendor had before may still be told of by events that are late; not by its own, that told of the change.
    /// A record that is still to be made had nothing.
    fn remember_before(&self, lane: &mut Lane) {
        let is_first = lane.link.is_none() && lane.written.is_empty();
        let came_from = self.draft.event.and_then(|event| event.origin.as_ref());
        if (came_from == Some(&lane.connection) || !self.upsert.changed) && !is_first {
            return;
        }
        let nothing = Customer::default();
        let known = self.draft.identified.known.as_ref().filter(|_| !is_first);
        let before = known.map_or(&nothing, |known| &known.record.customer);
        let tells = self.draft.merchant.hears_of(&lane.connection);
        if tells || !lane.kept.is_empty() {
            remember_before(lane, before, &self.record, tells);
        }
    }

    /// Whether the lane knows more than the store does, beside what its delivery makes of it.
    fn has_learnt(&self, planned: &Planned, lane: &Lane) -> bool {
        let by_event = self
            .draft
            .event
            .is_some_and(|event| event.lanes.contains(&lane.connection));
        let remembers = planned
            .lane
            .as_ref()
            .is_some_and(|before| before.written.len() != lane.written.len() || before.kept.len() != lane.kept.len());
        by_event || remembers
    }

    fn new_delivery(&self, connection: &Connection) -> DeliveryRecord {
        DeliveryRecord {
            id: self.wing.context.ids.delivery(),
            upsert: self.upsert.id,
            merchant: self.upsert.merchant.clone(),
            customer: self.record.id,
            connection: connection.name.clone(),
            provider: connection.provider.clone(),
            required: connection.required,
            version: self.record.version,
            state: DeliveryState::Pending,
            waiting_for: None,
            superseded_by: None,
            took_over: Vec::new(),
            outcome: None,
            evidence: None,
            matched_by: None,
            provider_customer_id: None,
            attempts: 0,
            next_attempt_at: Some(self.now),
            duration_ms: 0,
            fields: FieldOutcomes::default(),
            warnings: Vec::new(),
            error: None,
            force: self.draft.command.force,
            priority: self.draft.command.priority,
            fence: 0,
            lease_until: None,
            created_at: self.now,
            ended_at: None,
            parked_ms: 0,
            parked_since: None,
            maybe_written: false,
            traceparent: self.draft.command.traceparent.clone(),
        }
    }

    /// A replay is a fresh start: what the failed ones spent and were told is not the new one's.
    fn replay(&mut self, delivery: &mut DeliveryRecord) {
        for mut old in self.draft.replayed.iter().cloned() {
            self.changes.expect.push(Expect::Delivery {
                id: old.id,
                fence: old.fence,
            });
            let (attempts, error, force) = (delivery.attempts, delivery.error.take(), delivery.force);
            supersede(&mut old, delivery, self.now);
            (delivery.attempts, delivery.error, delivery.force) = (attempts, error, force);
            self.changes.write.push(Write::PutDelivery(old));
        }
    }

    /// Whether it is not sent now: the connection lets nothing through, or has no place for work that can wait.
    fn held_at_birth(&self, connection: &Connection) -> Option<Birth> {
        let connections = &self.wing.context.connections;
        if connections.pause_of(&self.upsert.merchant, &connection.name).is_some() {
            return Some(Birth::Parked(UNTIL_RELEASED));
        }
        let priority = self.draft.command.priority;
        match connection.status.room(priority) {
            Err(held) => Some(Birth::Parked(held)),
            Ok(0) if priority == Priority::Bulk => Some(Birth::ForTheWorker),
            Ok(_) => None,
        }
    }

    /// Every key that the vendor's record will be known by, and that nobody else may have unless that is allowed.
    fn reserve(&mut self, planned: &Planned, lane: &mut Lane) {
        let Some(prepared) = planned.prepared() else { return };
        let contested = contested_keys(prepared, planned.lane.as_ref());
        if !contested.is_empty() && planned.connection.on_collision == OnCollision::Refuse {
            self.changes.expect.push(Expect::KeysFree {
                merchant: lane.merchant.clone(),
                connection: lane.connection.clone(),
                keys: contested,
                customer: lane.customer,
            });
        }
        for key in &prepared.known_by {
            if lane.reserved.insert(key.clone()) {
                self.changes.write.push(Write::Reserve {
                    merchant: lane.merchant.clone(),
                    connection: lane.connection.clone(),
                    key: key.clone(),
                    customer: lane.customer,
                });
            }
        }
    }

    /// Behind what is in flight, or in the place of what waits.
    fn queue(&mut self, delivery: &mut DeliveryRecord, lane: &mut Lane, queued: Option<DeliveryRecord>) {
        delivery.state = DeliveryState::Waiting;
        delivery.waiting_for = Some(WaitingFor::Predecessor);
        delivery.next_attempt_at = self.now.checked_add(PREDECESSOR_CHECK).ok();
        lane.queued = Some(delivery.id);
        if let Some(mut old) = queued {
            self.changes.expect.push(Expect::Delivery {
                id: old.id,
                fence: old.fence,
            });
            supersede(&mut old, delivery, self.now);
            self.changes.write.push(Write::PutDelivery(old));
        }
    }

    fn start(
        &mut self,
        connection: &Connection,
        prepared: &PreparedUpsert,
        delivery: &mut DeliveryRecord,
        lane: &mut Lane,
    ) {
        delivery.state = DeliveryState::InFlight;
        delivery.next_attempt_at = None;
        delivery.fence = 1;
        delivery.lease_until = Some(lease_until(connection, self.now));
        lane.in_flight = Some(delivery.id);
        self.changes
            .write
            .extend(attempt_writes(connection, delivery, prepared, self.now));
    }

    /// One that changed nothing and called nobody is not told of: whoever listens and answers with an upsert of its own
    /// would never come to rest.
    fn is_worth_telling(&self) -> bool {
        let is_unchanged = |delivery: &DeliveryRecord| delivery.outcome == Some(Outcome::Unchanged);
        let has_news = self.upsert.changed || !self.deliveries.iter().all(is_unchanged);
        has_news && self.draft.merchant.tells(EventKind::CustomerUpserted)
    }

    pub(crate) fn finish(mut self) -> (Changeset, Committed) {
        if self.deliveries.iter().all(|delivery| delivery.state.has_ended()) {
            self.upsert.state = state_of(&self.deliveries);
            self.upsert.ended_at = Some(self.now);
        }
        self.upsert.owes_event = self.is_worth_telling();
        self.changes.write.push(Write::PutUpsert(self.upsert.clone()));
        if let Some(event) = self.draft.event {
            self.changes.write.extend(event.writes(self.record.id, self.upsert.id));
        }
        let open = Arc::new(AtomicUsize::new(self.works.len()));
        for work in &mut self.works {
            let is_sole = self.deliveries.len() == 1 && !self.upsert.owes_event;
            work.sole_of = is_sole.then(|| self.upsert.clone());
            work.open_siblings = Some(open.clone());
            work.owes_event = self.upsert.owes_event;
        }
        let committed = Committed {
            upsert: self.upsert,
            record: self.record,
            deliveries: self.deliveries,
            works: self.works,
            to_wake: self.to_wake,
        };
        (self.changes, committed)
    }
}

/// The lane as it was read: one of revision 0 was not there.
fn expected(lane: &Lane) -> Expect {
    Expect::Lane {
        customer: lane.customer,
        connection: lane.connection.clone(),
        revision: (lane.revision > 0).then_some(lane.revision),
    }
}

/// A connection that is not required refuses: its delivery is born failed.
fn refuse(delivery: &mut DeliveryRecord, lane: &mut Lane, refusal: &PlanRefusal, now: Timestamp) {
    let (code, errors) = match refusal {
        PlanRefusal::Invalid(problems) => (
            "validation_failed",
            problems
                .iter()
                .map(|problem| FieldError {
                    pointer: Some(problem.pointer.clone()),
                    vendor_field: String::new(),
                    detail: problem.detail.clone(),
                })
                .collect(),
        ),
        PlanRefusal::KeyChange(_) => ("business_key_change", Vec::new()),
        PlanRefusal::Collision(_) => ("match_key_collision", Vec::new()),
    };
    delivery.error = Some(DeliveryError {
        kind: ErrorKind::Rejected,
        state_at_vendor: StateAtVendor::Unchanged,
        code: Some(code.to_owned()),
        detail: refusal.detail().to_owned(),
        vendor_status: None,
        vendor_request_id: None,
        errors,
        vendor_body: None,
    });
    delivery.state = DeliveryState::Failed;
    delivery.next_attempt_at = None;
    delivery.ended_at = Some(now);
    mark_failed(lane, delivery.version);
}
