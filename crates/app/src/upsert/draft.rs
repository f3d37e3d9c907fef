//! What a commit writes, drawn up from what was decided: nothing in here asks or stores anything.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use jiff::{SignedDuration, Timestamp};

use upsert_core::crash_point::{self as points, crash_point};
use upsert_core::{
    Customer, CustomerId, DeliveryId, EventKind, FieldError, Held, Ignored, Outcome, Priority, Problem, UpsertId,
    WaitingFor,
};
use upsert_store::{
    AttemptRecord, Changeset, CustomerChange, CustomerRecord, DeliveryRecord, Expect, IdempotencyRecord, Lane,
    UpsertRecord, Write,
};

use crate::delivery::claim::refused;
use crate::delivery::record::delivery_error;
use crate::delivery::work::{
    Committed, PREDECESSOR_CHECK, Work, attempt, calls_below, count_call, lease_until, park, unchanged,
};
use crate::directory::merchant::{Connection, Merchant};
use crate::planning::declined::forget_outdated;
use crate::planning::echo::remember_before;
use crate::planning::identifiers::identifier_writes;
use crate::planning::lane::{reserve, supersede};
use crate::planning::plan::{ConnectionPlan, PlanRefusal, Planned};
use crate::runtime::connections::UNTIL_RELEASED;
use crate::upsert::Upserts;
use crate::upsert::adopt::Adopting;
use crate::upsert::command::{Caller, UpsertCommand};
use crate::upsert::event_draft::EventDraft;
use crate::upsert::idempotency::Claim;
use crate::upsert::identify::Identified;
use crate::view::answer::state_of;

/// Who asks for what, as the steps to the commit need it.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) merchant: &'a Arc<Merchant>,
    pub(crate) command: &'a UpsertCommand,
    pub(crate) claim: Option<&'a Claim>,
}

/// Everything that was decided, ready to be committed.
pub(crate) struct Draft<'a> {
    pub(crate) asked: Asked<'a>,
    pub(crate) identified: &'a Identified,
    /// The id that the upsert gets.
    pub(crate) upsert: UpsertId,
    pub(crate) id: CustomerId,
    pub(crate) after: Customer,
    pub(crate) adopting: &'a Adopting,
    /// What could not be read and was left out.
    pub(crate) ignored: &'a [Ignored],
    pub(crate) plans: Vec<Planned>,
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
            before => next_version(before, draft, now),
        };
        let (merchant, by) = (&draft.asked.merchant.id, &draft.asked.caller.name);
        let mut upsert = UpsertRecord::new(draft.upsert, merchant, draft.id, record.version, by, now);
        upsert.new_customer = before.is_none();
        upsert.changed = changed;
        upsert.through = Some(draft.asked.command.through);
        upsert.ignored = draft.ignored.to_vec();
        let seen = draft.identified.seen.iter().chain(&draft.adopting.expect);
        let changes = Changeset {
            expect: seen.cloned().collect(),
            ..Changeset::of(merchant)
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
                let mut lane = lane.clone();
                self.changes.expect.push(lane.change());
                self.changes.write.push(Write::PutLane(lane));
            }
        }
    }

    fn put_idempotency(&mut self) {
        let Some(claim) = self.draft.asked.claim else { return };
        let keep = SignedDuration::try_from(self.wing.context.idempotency_keep).unwrap_or(SignedDuration::MAX);
        let (key, now) = (claim.key, self.now);
        self.changes.expect.insert(0, Expect::IdempotencyFree { key, now });
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
        let (new, nothing) = (&self.record, Customer::default());
        let old = before.map_or(&nothing, |before| &before.customer);
        let identifiers = identifier_writes(new.id, old, &new.customer);
        self.changes.write.extend(identifiers);
    }

    /// What is kept of it with the upsert.
    fn change(&self) -> Option<CustomerChange> {
        self.upsert.changed.then(|| CustomerChange {
            record: self.record.customer.clone(),
            links: self.draft.adopting.links(),
        })
    }

    pub(crate) fn add(&mut self, planned: &Planned, queued: Option<DeliveryRecord>) {
        let connection = &planned.connection;
        let mut lane = planned
            .lane
            .clone()
            .unwrap_or_else(|| Lane::new(&self.upsert.merchant, self.record.id, &connection.name));
        self.changes.expect.push(lane.change());
        let mut delivery = self.new_delivery(connection);
        self.replay(&mut delivery);
        let has_forgotten = forget_outdated(connection, &self.record.customer, &mut lane);
        let had_failed = lane.failed();
        self.remember_before(&mut lane);
        let (mut is_touched, mut attempt) = (true, None);
        match &planned.plan {
            Err(refusal) => refuse(&mut delivery, &mut lane, refusal, self.now),
            Ok(ConnectionPlan::Unchanged { warnings }) if !lane.is_busy() => {
                delivery.warnings = warnings.as_slice().into();
                unchanged(&mut delivery, &mut lane, self.now);
                let has_adopted = self.draft.adopting.lanes.contains_key(&lane.connection);
                is_touched = had_failed || has_forgotten || has_adopted || self.has_learnt(planned, &lane);
            }
            Ok(plan) => {
                if let ConnectionPlan::Send { prepared, .. } = plan {
                    reserve(connection, prepared, &mut lane, &mut self.changes);
                    delivery.warnings = prepared.warnings.as_slice().into();
                }
                attempt = self.place(connection, plan, queued, &mut delivery, &mut lane);
            }
        }
        if is_touched {
            self.changes.write.push(Write::PutLane(lane));
        }
        self.changes.write.push(Write::PutDelivery(delivery.clone(), attempt));
        self.deliveries.push(delivery);
    }

    /// It waits behind what is there already, or for its connection, or goes out with the commit.
    fn place(
        &mut self,
        connection: &Arc<Connection>,
        plan: &ConnectionPlan,
        queued: Option<DeliveryRecord>,
        delivery: &mut DeliveryRecord,
        lane: &mut Lane,
    ) -> Option<AttemptRecord> {
        if lane.is_busy() {
            self.queue(delivery, lane, queued);
        } else if let Some(birth) = self.held_at_birth(connection) {
            lane.queue(delivery.id);
            match birth {
                Birth::Parked(held) => park(delivery, held, self.now),
                Birth::ForTheWorker => self.to_wake.push(connection.name.clone()),
            }
        } else if let ConnectionPlan::Send {
            prepared,
            replaces_link,
        } = plan
        {
            delivery.start_at_once(lease_until(connection, self.now));
            lane.start(delivery.id, prepared);
            if connection.counts_calls {
                let below = calls_below(connection, delivery.priority, self.now);
                self.changes.expect.extend(below);
                self.changes.write.push(count_call(&connection.name, self.now));
            }
            let attempt = attempt(delivery, prepared, self.now);
            let (delivery, lane) = (delivery.clone(), lane.clone());
            let sent = (prepared.clone(), *replaces_link);
            self.works.push(Work::new(connection.clone(), delivery, lane, sent));
            return Some(attempt);
        }
        None
    }

    /// What the vendor had before may still be told of by events that are late; not by its own, that told of the change.
    /// A record that is still to be made had nothing.
    fn remember_before(&self, lane: &mut Lane) {
        let is_first = lane.link().is_none() && lane.written().is_empty();
        let came_from = self.draft.event.and_then(|event| event.origin.as_ref());
        if (came_from == Some(&lane.connection) || !self.upsert.changed) && !is_first {
            return;
        }
        let nothing = Customer::default();
        let known = self.draft.identified.known.as_ref().filter(|_| !is_first);
        let before = known.map_or(&nothing, |known| &known.record.customer);
        let tells = self.draft.asked.merchant.hears_of(&lane.connection);
        if tells || !lane.kept().is_empty() {
            remember_before(lane, before, &self.record, tells);
        }
    }

    /// Whether the lane knows more than the store does, beside what its delivery makes of it.
    fn has_learnt(&self, planned: &Planned, lane: &Lane) -> bool {
        let event = self.draft.event;
        let by_event = event.is_some_and(|event| event.lanes.contains(&lane.connection));
        let remembers = planned.lane.as_ref().is_some_and(|before| {
            before.written().len() != lane.written().len() || before.kept().len() != lane.kept().len()
        });
        by_event || remembers
    }

    fn new_delivery(&self, connection: &Connection) -> DeliveryRecord {
        let part = u16::try_from(self.deliveries.len() + 1).unwrap_or(DeliveryId::MOST);
        let (name, provider) = (&connection.name, &connection.provider);
        let mut delivery = DeliveryRecord::new(part, &self.upsert, name, provider, connection.required);
        let command = self.draft.asked.command;
        (delivery.force, delivery.priority) = (command.force, command.priority);
        (delivery.traceparent, delivery.tracestate) = (command.traceparent.clone(), command.tracestate.clone());
        delivery
    }

    fn replay(&mut self, delivery: &mut DeliveryRecord) {
        for mut old in self.draft.replayed.iter().cloned() {
            self.changes.expect.push(old.expected());
            crash_point(points::COALESCE_BEFORE_COMMIT);
            old.give_way_to_replay(delivery, self.now);
            self.changes.write.push(Write::PutDelivery(old, None));
        }
    }

    /// Whether it is not sent now: the connection lets nothing through, or has no place for work that can wait.
    fn held_at_birth(&self, connection: &Connection) -> Option<Birth> {
        let connections = &self.wing.context.connections;
        if connections.is_paused(&self.upsert.merchant, &connection.name) {
            return Some(Birth::Parked(UNTIL_RELEASED));
        }
        let priority = self.draft.asked.command.priority;
        match connection.status.room(priority) {
            Err(held) => Some(Birth::Parked(held)),
            Ok(0) if priority == Priority::Bulk => Some(Birth::ForTheWorker),
            Ok(_) => None,
        }
    }

    /// Behind what is in flight, or in the place of what waits.
    fn queue(&mut self, delivery: &mut DeliveryRecord, lane: &mut Lane, queued: Option<DeliveryRecord>) {
        let check_at = self.now.checked_add(PREDECESSOR_CHECK).ok();
        delivery.wait(WaitingFor::Predecessor, check_at, self.now);
        lane.queue(delivery.id);
        if let Some(mut old) = queued {
            self.changes.expect.push(old.expected());
            supersede(&mut old, delivery, self.now);
            self.changes.write.push(Write::PutDelivery(old, None));
        }
    }

    /// One that changed nothing and called nobody is not told of: whoever listens and answers with an upsert of its own
    /// would never come to rest.
    fn is_worth_telling(&self) -> bool {
        let is_unchanged = |delivery: &DeliveryRecord| delivery.outcome() == Some(Outcome::Unchanged);
        let has_news = self.upsert.changed || !self.deliveries.iter().all(is_unchanged);
        has_news && self.draft.asked.merchant.tells(EventKind::CustomerUpserted)
    }

    /// Whether all that it does is to say that nothing had to be done, to somebody who cannot ask for it again by a key.
    fn is_a_note(&self) -> bool {
        let is_note = |write: &Write| match write {
            Write::PutDelivery(delivery, None) => delivery.outcome() == Some(Outcome::Unchanged),
            _ => false,
        };
        !self.upsert.changed && self.draft.event.is_none() && self.changes.write.iter().all(is_note)
    }

    pub(crate) fn finish(mut self) -> (Changeset, Committed) {
        if self.deliveries.iter().all(|delivery| delivery.state().has_ended()) {
            self.upsert.end(state_of(&self.deliveries), self.now);
        }
        if self.is_worth_telling() {
            self.upsert.owe_event();
        }
        self.changes.can_be_lost = self.is_a_note();
        let change = self.change();
        self.changes.write.push(Write::PutUpsert(self.upsert.clone(), change));
        if let Some(event) = self.draft.event {
            self.changes.write.extend(event.writes(self.record.id, self.upsert.id));
        }
        let open = Arc::new(AtomicUsize::new(self.works.len()));
        for work in &mut self.works {
            let is_sole = self.deliveries.len() == 1 && !self.upsert.owes_event();
            work.sole_of = is_sole.then(|| self.upsert.clone());
            work.open_siblings = Some(open.clone());
            work.owes_event = self.upsert.owes_event();
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

/// The customer as the upsert makes it.
fn next_version(before: Option<&CustomerRecord>, draft: &Draft<'_>, now: Timestamp) -> CustomerRecord {
    let (version, revision) = before.map_or((0, 0), |before| (before.version, before.revision));
    CustomerRecord {
        id: draft.id,
        merchant: draft.asked.merchant.id.clone(),
        version: version + 1,
        revision: revision + 1,
        customer: draft.after.clone(),
        created_at: before.map_or(now, |before| before.created_at),
        // No earlier than its upsert's id says: the next one's has to be later.
        updated_at: now.max(draft.upsert.made_at()),
    }
}

/// A connection that is not required refuses: its delivery is born failed.
fn refuse(delivery: &mut DeliveryRecord, lane: &mut Lane, refusal: &PlanRefusal, now: Timestamp) {
    let field_error = |problem: &Problem| FieldError {
        pointer: Some(problem.pointer.clone()),
        vendor_field: String::new(),
        detail: problem.detail.clone(),
    };
    let (code, errors) = match refusal {
        PlanRefusal::Invalid(problems) => ("validation_failed", problems.iter().map(field_error).collect()),
        PlanRefusal::KeyChange(_) => ("business_key_change", Vec::new()),
        PlanRefusal::Collision(_) => ("match_key_collision", Vec::new()),
    };
    let mut error = refused(code, refusal.detail());
    error.errors = errors;
    delivery.fail(delivery_error(&error), now);
    lane.mark_failed(delivery.version());
}
