//! What is left of an event once it is held against what is known: nothing of what was done before, of what is older than
//! another event, or of what the gateway wrote itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use upsert_core::{CustomerId, CustomerPatch, EventId, Field, Patch, UpsertId, Value};
use upsert_store::{
    Applied, Changeset, EventMark, EventMarks, Expect, IncomingEvent, IncomingState, Known, Lane, StoreError, Write,
};
use upsert_webhook::{Mapped, Order};

use crate::echo::{Teller, Told, take_out_echoes};
use crate::gateway::Gateway;
use crate::identify::Identified;
use crate::marks::{has_newer, leave_out_older, marked, spoken_of};
use crate::merchant::Merchant;
use crate::plan::{ConnectionPlan, plan};
use crate::webhooks::Source;

/// So long an event waits for the call on its way to explain what it says.
const FOR_A_RECEIPT: Duration = Duration::from_secs(2);

/// One customer's part of an event that came in.
pub(crate) struct Arrival {
    pub(crate) id: EventId,
    pub(crate) merchant: Arc<Merchant>,
    pub(crate) source: Arc<Source>,
    /// The sender's id of it.
    pub(crate) event_id: String,
    /// As it came.
    pub(crate) raw: String,
    pub(crate) at: Timestamp,
    pub(crate) traceparent: Option<String>,
}

/// Leaves out what came: it is personal data.
impl fmt::Debug for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrival")
            .field("id", &self.id)
            .field("source", &self.source.name)
            .finish_non_exhaustive()
    }
}

/// What the commit adds for an event.
#[derive(Debug)]
pub(crate) struct EventDraft {
    pub(crate) expect: Vec<Expect>,
    row: IncomingEvent,
    marks: Option<EventMarks>,
    /// Lanes that are to be written, whatever the upsert itself has to do with them.
    pub(crate) lanes: BTreeSet<String>,
    /// The connection that the event came from.
    pub(crate) origin: Option<String>,
}

/// What is left of an event.
pub(crate) enum Narrowed {
    /// This is to be brought to the customer.
    Left(CustomerPatch, Box<EventDraft>),
    /// Nothing; it is durable that it was here. Whether it had been here before.
    Nothing(Box<IncomingEvent>, bool),
    /// Something changed meanwhile: identify anew.
    Again,
}

impl EventDraft {
    /// The writes, once it is known what became of it.
    pub(crate) fn writes(&self, customer: CustomerId, upsert: UpsertId) -> Vec<Write> {
        let row = IncomingEvent {
            customer: Some(customer),
            upsert: Some(upsert),
            ..self.row.clone()
        };
        let marks = self.marks.clone().map(|marks| EventMarks { customer, ..marks });
        std::iter::once(Write::PutIncomingEvent(row))
            .chain(marks.map(Write::PutEventMarks))
            .collect()
    }

    pub(crate) fn event(&self) -> &IncomingEvent {
        &self.row
    }
}

impl Gateway {
    /// Holds a mapped event against what is known. `waited`: it has waited for a receipt already.
    pub(crate) async fn narrow(
        &self,
        arrival: &Arrival,
        mapped: &Mapped,
        patch: &CustomerPatch,
        identified: &mut Identified,
        waited: &mut bool,
    ) -> Result<Narrowed, StoreError> {
        let seen = self.seen(arrival).await?;
        if let Some(done) = seen.as_ref().filter(|seen| seen.state.is_done()) {
            return Ok(Narrowed::Nothing(Box::new(done.clone()), true));
        }
        let mut draft = EventDraft {
            expect: vec![arrival.expected(seen.as_ref())],
            row: arrival.row(seen.as_ref(), IncomingState::Accepted),
            marks: None,
            lanes: BTreeSet::new(),
            origin: arrival.source.connection.clone(),
        };
        let mut patch = patch.clone();
        let Some(known) = &mut identified.known else {
            if let Some(customer) = self.newer_of(arrival, mapped, identified, &mut draft).await? {
                draft.row.state = IncomingState::Outdated;
                draft.row.customer = Some(customer);
                return self.note(draft, Vec::new()).await;
            }
            draft.mark(mapped, None, None, arrival, spoken_of(&patch));
            return Ok(Narrowed::Left(patch, Box::new(draft)));
        };
        let marks = self.store.event_marks(known.record.id, &arrival.source.name).await?;
        let was_outdated = mapped.order.as_ref().is_some_and(|order| {
            let marks = marks.as_ref().map_or(&[][..], |marks| &marks.marks);
            leave_out_older(&mut patch, order, marks)
        });
        draft.mark(mapped, Some(known.record.id), marks, arrival, spoken_of(&patch));
        let teller = Teller {
            connection: arrival.source.connection.as_deref(),
            at: mapped.order.as_ref().and_then(Order::moment),
            now: arrival.at,
        };
        let told = take_out_echoes(&mut patch, &known.record.customer, &mut known.lanes, teller);
        let adopts = patch.links.iter().filter(|(name, record)| {
            let link = known.lane(name).and_then(|lane| lane.link.as_ref());
            link.is_none_or(|link| link.provider_customer_id != **record)
        });
        let (mut has_news, mut is_made_now) = (false, false);
        for (name, _) in adopts {
            has_news = true;
            // The call on its way may have made that very record.
            is_made_now |= known.lane(name).is_some_and(|lane| lane.in_flight.is_some());
        }
        if (!told.unclear.is_empty() || is_made_now) && !*waited {
            *waited = true;
            self.wait_for_receipt(known.record.id).await;
            return Ok(Narrowed::Again);
        }
        draft.lanes.extend(told.lanes.iter().cloned());
        let after = known.record.customer.merged(&patch);
        if after == known.record.customer
            && !has_news
            && let Some(state) = nothing_new(&told, was_outdated, known, teller)
        {
            draft.row.state = state;
            return self.note_nothing(draft, known).await;
        }
        if let Some(name) = &arrival.source.connection {
            learn_from_event(&arrival.merchant, name, known, &patch, &mut draft);
        }
        Ok(Narrowed::Left(patch, Box::new(draft)))
    }

    /// The event's row, if it was here before.
    pub(crate) async fn seen(&self, arrival: &Arrival) -> Result<Option<IncomingEvent>, StoreError> {
        self.store
            .event_of_source(&arrival.merchant.id, &arrival.source.name, &arrival.event_id)
            .await
    }

    /// Whom an event is about that would make a new customer: somebody who is found by what it says too, and of whose
    /// stronger identifier a newer event of the same source has spoken. It still has the old one.
    async fn newer_of(
        &self,
        arrival: &Arrival,
        mapped: &Mapped,
        identified: &Identified,
        draft: &mut EventDraft,
    ) -> Result<Option<CustomerId>, StoreError> {
        let Some(order) = &mapped.order else { return Ok(None) };
        for (customer, pointer) in &identified.contradicted {
            let marks = self.store.event_marks(*customer, &arrival.source.name).await?;
            let Some(marks) = marks.filter(|marks| has_newer(&marks.marks, order, pointer)) else {
                continue;
            };
            draft.expect.push(Expect::EventMarks {
                customer: *customer,
                source: arrival.source.name.clone(),
                revision: Some(marks.revision),
            });
            return Ok(Some(*customer));
        }
        Ok(None)
    }

    async fn wait_for_receipt(&self, customer: CustomerId) {
        let bell = self.bells.listen(customer);
        let _rung_or_not = tokio::time::timeout(FOR_A_RECEIPT, bell.notified()).await;
    }

    /// Nothing is done about it, durably: it is not looked at again, and what it taught is kept.
    async fn note_nothing(&self, mut draft: EventDraft, known: &Known) -> Result<Narrowed, StoreError> {
        draft.row.customer = Some(known.record.id);
        let is_taught = |lane: &&Lane| draft.lanes.contains(&lane.connection);
        let taught = known.lanes.iter().filter(is_taught).cloned().collect();
        self.note(draft, taught).await
    }

    async fn note(&self, mut draft: EventDraft, taught: Vec<Lane>) -> Result<Narrowed, StoreError> {
        let mut changes = Changeset {
            expect: std::mem::take(&mut draft.expect),
            write: Vec::new(),
        };
        changes.write.push(Write::PutIncomingEvent(draft.row.clone()));
        if let Some(marks) = draft.marks {
            changes.write.push(Write::PutEventMarks(marks));
        }
        for lane in taught {
            changes.expect.push(Expect::Lane {
                customer: lane.customer,
                connection: lane.connection.clone(),
                revision: Some(lane.revision),
            });
            changes.write.push(Write::PutLane(Lane {
                revision: lane.revision + 1,
                ..lane
            }));
        }
        let applied = self.apply(changes).await?;
        Ok(match applied {
            Applied::Done => Narrowed::Nothing(Box::new(draft.row), false),
            Applied::Unmet(_) => Narrowed::Again,
        })
    }
}

impl Arrival {
    pub(crate) fn expected(&self, seen: Option<&IncomingEvent>) -> Expect {
        Expect::IncomingEvent {
            merchant: self.merchant.id.clone(),
            source: self.source.name.clone(),
            event_id: self.event_id.clone(),
            revision: seen.map(|seen| seen.revision),
        }
    }

    /// Its row after this try.
    pub(crate) fn row(&self, seen: Option<&IncomingEvent>, state: IncomingState) -> IncomingEvent {
        IncomingEvent {
            id: seen.map_or(self.id, |seen| seen.id),
            merchant: self.merchant.id.clone(),
            source: self.source.name.clone(),
            event_id: self.event_id.clone(),
            revision: seen.map_or(1, |seen| seen.revision + 1),
            state,
            received_at: seen.map_or(self.at, |seen| seen.received_at),
            tried_at: self.at,
            tries: seen.map_or(1, |seen| seen.tries.saturating_add(1)),
            customer: None,
            upsert: None,
            problem: None,
            raw: None,
        }
    }
}

impl EventDraft {
    /// What this event speaks of is not for older ones to change any more. That none that is newer has come meanwhile is
    /// looked at once more with the commit. `known`: none is a customer who gets the id with the commit.
    fn mark(
        &mut self,
        mapped: &Mapped,
        known: Option<CustomerId>,
        before: Option<EventMarks>,
        arrival: &Arrival,
        fields: BTreeSet<String>,
    ) {
        let Some(order) = &mapped.order else { return };
        let seen = before.as_ref().map(|before| before.revision);
        self.expect.extend(known.map(|customer| Expect::EventMarks {
            customer,
            source: arrival.source.name.clone(),
            revision: seen,
        }));
        let before = before.map_or_else(Vec::new, |before| before.marks);
        let marks: Vec<EventMark> = marked(&before, order, fields);
        if marks == before {
            return;
        }
        self.marks = Some(EventMarks {
            customer: known.unwrap_or_else(|| CustomerId::from_uuid(uuid::Uuid::nil())),
            source: arrival.source.name.clone(),
            revision: seen.unwrap_or_default() + 1,
            marks,
        });
    }
}

/// Whether an event that changes nothing is to be left at that, and why.
fn nothing_new(told: &Told, was_outdated: bool, known: &Known, teller: Teller<'_>) -> Option<IncomingState> {
    let is_linked = |lane: &Lane| lane.link.is_some();
    let is_settled = |lane: &Lane| !lane.failed && lane.in_flight.is_none() && lane.queued.is_none();
    let is_mirrored = match teller.connection {
        Some(name) => known.lane(name).is_some_and(is_linked),
        None => known.lanes.iter().any(is_linked) && known.lanes.iter().all(is_settled),
    };
    if !told.ours.is_empty() || (is_mirrored && !was_outdated) {
        Some(IncomingState::Echo)
    } else if was_outdated {
        Some(IncomingState::Outdated)
    } else {
        None
    }
}

/// What the vendor itself tells of its record need not be sent there: it counts as accepted. Not what a call on its way
/// carries, or one that was lost: which of the two the vendor has in the end, nobody knows yet.
fn learn_from_event(merchant: &Merchant, name: &str, known: &mut Known, patch: &CustomerPatch, draft: &mut EventDraft) {
    let after = known.record.customer.merged(patch);
    let Some(connection) = merchant.connection(name) else {
        return;
    };
    let customer = known.record.id;
    let Some(lane) = known.lanes.iter_mut().find(|lane| lane.connection == name) else {
        return;
    };
    if lane.link.is_none() || (lane.in_flight.is_some() && lane.sending.is_none()) {
        return;
    }
    let is_open = lane.in_flight.is_some() || lane.queued.is_some();
    let on_its_way: BTreeSet<String> = lane
        .sending
        .iter()
        .flat_map(|sending| sending.fields.keys().cloned())
        .collect();
    let said: BTreeMap<&str, (Field, &Patch<Value>)> = patch
        .fields
        .iter()
        .map(|(field, said)| (field.pointer(), (*field, said)))
        .collect();
    let Ok(ConnectionPlan::Send { prepared, .. }) = plan(connection, customer, &after, Some(lane), false) else {
        return;
    };
    let mut has_learnt = false;
    for (vendor_field, sent) in &prepared.sent {
        let Some((field, _)) = said.get(sent.pointer.as_str()) else {
            continue;
        };
        if is_open && (on_its_way.contains(vendor_field) || lane.accepted.uncertain.contains(vendor_field)) {
            continue;
        }
        let accepted = (sent.pointer.clone(), sent.value.clone());
        lane.accepted.fields.insert(vendor_field.clone(), accepted);
        lane.accepted.uncertain.remove(vendor_field);
        let theirs = after.get(*field).map_or(serde_json::Value::Null, Value::to_json);
        lane.kept.insert(sent.pointer.clone(), theirs);
        has_learnt = true;
    }
    if has_learnt {
        draft.lanes.insert(name.to_owned());
    }
}
